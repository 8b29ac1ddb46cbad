package stack

// Challenge ACKs (RFC 5961 §7): each engine limits its own and asks here for the
// stack's share.

import "time"

// challengeBudget is how many more challenge ACKs the stack sends in a period. It
// is drawn anew for each: of a number that is known, somebody who is not on the path
// could tell by what is left of it whether a guess at a connection of others was right.
type challengeBudget struct {
	left int
	ends time.Duration
}

const challengePeriod = time.Second

// mayChallenge takes one of the budget.
func (s *Stack) mayChallenge() bool {
	b, rate := &s.challenges, s.knobs.challengeRate
	if s.now >= b.ends {
		b.left, b.ends = rate/2+s.random.IntN(rate+1), s.now+challengePeriod
	}
	if b.left == 0 {
		return false
	}
	b.left--
	return true
}
