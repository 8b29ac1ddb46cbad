package tcp

import (
	"time"

	"slashnet/stack/neterr"
)

// congestion decides how far the window opens in congestion avoidance and how
// far it falls on loss. What all algorithms share, slow start and the slow way
// out of recovery, is in ack.go and loss.go. Bytes everywhere.
type congestion interface {
	name() string
	// avoid is the new window after n bytes were acknowledged with the window in full use.
	avoid(cwnd, n, mss int, now, srtt time.Duration) int
	// reduce is the new slow start threshold at a loss.
	reduce(cwnd, mss int) int
	// undo takes the last reduce back: there was no loss.
	undo()
	// rested says that the connection sent nothing for so long.
	rested(d time.Duration)
}

// congestionNames are the values of the knob, the first is the default.
var congestionNames = []string{"cubic", "newreno"}

func newCongestion(name string) (congestion, error) {
	switch name {
	case "cubic":
		return new(cubic), nil
	case "newreno":
		return new(newReno), nil
	}
	return nil, neterr.BadArg.With("congestion control %q: want one of %v", name, congestionNames)
}

// ValidCC reports whether name is a congestion control, with words if not.
func ValidCC(name string) error {
	_, err := newCongestion(name)
	return err
}

// newReno is RFC 5681 §3.1: one segment per round trip, half on loss.
type newReno struct{ acked int }

func (*newReno) name() string { return "newreno" }

func (r *newReno) avoid(cwnd, n, mss int, now, srtt time.Duration) int {
	// RFC 3465 §2.1: count bytes, so that dividing acknowledgements gains nothing
	if r.acked += n; r.acked >= cwnd {
		r.acked -= cwnd
		cwnd += mss
	}
	return cwnd
}

func (r *newReno) reduce(cwnd, mss int) int {
	r.acked = 0
	return max(cwnd/2, 2*mss)
}

func (*newReno) undo()                {}
func (*newReno) rested(time.Duration) {}

// initialWindow is RFC 6928 §2, with the knob in place of 10.
func initialWindow(segments, mss int) int {
	return min(segments*mss, max(2*mss, segments*1460))
}
