package tcp

import (
	"math"
	"testing"
	"time"

	"slashnet/stack/neterr"
)

// The algorithms of congestion control by themselves. A test with the name of a
// row of test/requirements proves that row.

// RFC 9438 §4.2: the window follows the curve.
func TestRFC9293_MAY_18(t *testing.T) {
	const mss, rtt = 1460, 100 * time.Millisecond
	var c cubic
	cwnd := 1000 * mss
	cwnd = c.reduce(cwnd, mss)
	if cwnd != 700*mss {
		t.Fatalf("reduced to %d segments, want 700", cwnd/mss)
	}
	k := math.Cbrt(1000 * 0.3 / 0.4) // §4.2: about 9.1 s
	start := 5 * time.Second
	for now := start; now < start+15*time.Second; now += rtt {
		// one round trip: all of the window is acknowledged, in steps of two segments
		for left := cwnd; left > 0; left -= 2 * mss {
			cwnd = c.avoid(cwnd, 2*mss, mss, now, rtt)
		}
		at := (now + rtt - start).Seconds() - k
		want := 0.4*at*at*at + 1000
		if got := float64(cwnd) / mss; math.Abs(got-want) > 0.02*want {
			t.Fatalf("%v after the loss the window is %.1f, the curve says %.1f", now-start, got, want)
		}
	}
}

func TestRFC9438_RENO(t *testing.T) {
	// §4.3: with a short round trip the window grows as Reno's would
	const mss, rtt = 1460, time.Millisecond
	var c cubic
	cwnd := c.reduce(20*mss, mss)
	for now := rtt; now < 20*rtt; now += rtt {
		for left := cwnd; left > 0; left -= mss {
			cwnd = c.avoid(cwnd, mss, mss, now, rtt)
		}
	}
	// 0.529 segments per round trip up to where it was, then one
	want := 20 + (19 - 6/0.529)
	if got := float64(cwnd) / mss; math.Abs(got-want) > 1 {
		t.Errorf("%.1f segments after 19 round trips, want about %.1f", got, want)
	}
}

func TestRFC9438_CONVERGENCE(t *testing.T) {
	var c cubic
	cwnd := c.reduce(100*1460, 1460)
	c.reduce(cwnd, 1460)
	if want := 70 * 0.85; math.Abs(c.wMax-want) > 0.01 {
		t.Errorf("W_max %.1f after a second loss below the first, want %.1f (§4.7)", c.wMax, want)
	}
	if got := c.reduce(1460, 1460); got != 2*1460 {
		t.Errorf("ssthresh %d, want two segments at least", got)
	}
}

func TestNewRenoAvoidance(t *testing.T) {
	var r newReno
	cwnd := 10 * 1460
	for range 10 {
		for range 10 {
			cwnd = r.avoid(cwnd, cwnd/10, 1460, 0, 0)
		}
	}
	if got := float64(cwnd) / 1460; math.Abs(got-20) > 1 {
		t.Errorf("%.1f segments after ten round trips from 10, want 20", got)
	}
}

func TestUnknownCC(t *testing.T) {
	s := active(t, nil)
	if err := s.c.SetCC("vegas"); neterr.Errno(err) == 0 || s.c.Stats().CC != "cubic" {
		t.Errorf("SetCC: %v, cc %s", err, s.c.Stats().CC)
	}
	if err := s.c.SetCC("newreno"); err != nil || s.c.Stats().CC != "newreno" {
		t.Errorf("SetCC: %v, cc %s", err, s.c.Stats().CC)
	}
}
