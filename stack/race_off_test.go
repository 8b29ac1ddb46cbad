//go:build !race

package stack

const forgotten = 0
