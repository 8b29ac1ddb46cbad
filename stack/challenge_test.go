package stack

import (
	"testing"
	"testing/synctest"
	"time"
)

// The stack's budget of challenge ACKs is about the knob's, and not the same in two
// seconds.
func TestChallengeBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		must(t, s.WriteCtl("tcp.challenge.rate 100"))
		seen := map[int]bool{}
		for range 10 {
			time.Sleep(challengePeriod)
			s.lock()
			n := 0
			for s.mayChallenge() {
				n++
			}
			s.unlock()
			if n < 50 || n > 150 {
				t.Errorf("%d in a second, want 50 to 150", n)
			}
			seen[n] = true
		}
		if len(seen) < 3 {
			t.Errorf("the budgets of ten seconds are %v", seen)
		}
	})
}
