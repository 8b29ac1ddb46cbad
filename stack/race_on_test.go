//go:build race

package stack

// forgotten is how many allocations a turn are the race detector's: it makes a
// sync.Pool forget a quarter of what it is given.
const forgotten = 4
