package stack

import (
	"testing"
	"testing/synctest"

	"slashnet/wire"
)

// CurrEstab counts each connection once, whichever way it comes and goes.
func TestCurrEstab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		now := func(when, want string) {
			t.Helper()
			synctest.Wait()
			for _, s := range []*Stack{a, b} {
				if got := counter(t, s.StatsText(wire.TCP), "CurrEstab"); got != want {
					t.Errorf("%s CurrEstab is %s, want %s", when, got, want)
				}
			}
		}
		c, _ := called(t, a, b)
		d, _ := called(t, a, b)
		now("with two connections", "2")
		command(t, c, "hangup")
		now("after one was hung up", "1")
		command(t, d, "close")
		now("after the other was closed", "0")
	})
}
