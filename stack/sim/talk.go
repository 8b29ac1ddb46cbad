package sim

// A Talk is a connection between two hosts and its two users. Tests call
// World.Talk; the users are in speaker.go.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"slashnet/stack"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// An Ending is how a user leaves.
type Ending uint8

const (
	// Finish: half-close after the last byte, read to the end, let go.
	Finish Ending = iota
	// Close: the verb close after the last byte.
	Close
	// Drop: let go of the last handle after the last byte.
	Drop
	// Hangup: the verb hangup, somewhere on the way.
	Hangup
)

// A Plan is what a user does.
type Plan struct {
	Bytes  int           // to write
	End    Ending        // how to leave
	Bulk   bool          // in large pieces only
	Pause  time.Duration // longest wait between two calls
	Fickle bool          // changes buffers, takes calls back, does not wait
	Alive  bool          // sends keep-alives
	Late   time.Duration // how long a call waits before it is taken
}

// A Talk is a connection under way.
type Talk struct {
	world    *World
	from, to *Host
	remote   netip.AddrPort
	plans    [2]Plan
	dice     uint64

	listener *stack.Conv
	asking   *stack.Op // its listen
	caller   *speaker
	callees  []*speaker
	dials    int
	ended    bool
}

// Talk makes to announce a port at addr and from call it. The first plan is the
// caller's, the second that of whoever answers.
func (w *World) Talk(from, to *Host, addr string, plans [2]Plan) *Talk {
	remote := netip.MustParseAddrPort(addr)
	t := &Talk{world: w, from: from, to: to, remote: remote, plans: plans, dice: uint64(remote.Port()) << 8}
	t.announce()
	from.After(w.jitter(plans[0].Pause), t.dial)
	return t
}

// jitter is a random time up to most.
func (w *World) jitter(most time.Duration) time.Duration {
	return time.Duration(w.random.Float64() * float64(most))
}

func (t *Talk) fork(n uint64) *rand.Rand { return t.world.fork(t.dice + n) }

func (t *Talk) announce() {
	var err error
	if t.listener, err = t.to.Clone(wire.TCP, stack.User{}, false); err == nil {
		err = tell(t.to, t.listener, fmt.Sprintf("announce %v", t.remote))
	}
	if err != nil {
		t.world.fail("%s: %v", t.to.Name, err)
		return
	}
	t.to.After(t.plans[1].Late, t.listen)
}

// tell writes a line to a ctl that is answered at once.
func tell(h *Host, c *stack.Conv, line string) error {
	op := &stack.Op{Kind: stack.OpCtl, Conv: c, NonBlock: true, Data: []byte(line), Done: func(*stack.Op) {}}
	h.Submit(op)
	return op.Err
}

func (t *Talk) listen() {
	if t.ended {
		return
	}
	t.asking = &stack.Op{Kind: stack.OpListen, Conv: t.listener, Done: func(op *stack.Op) {
		if errors.Is(op.Err, neterr.NoMemory) {
			t.to.After(time.Second, t.listen)
			return
		}
		if op.Err != nil {
			return // the listener has gone
		}
		s := newSpeaker(t, t.to, t.plans[1], t.plans[0], t.fork(uint64(len(t.callees)+1)))
		t.callees = append(t.callees, s)
		t.to.After(0, func() {
			s.begin(op.Call)
			t.listen()
		})
	}}
	t.to.Submit(t.asking)
}

// maxDials is how often a caller tries: a link may be down for a while.
const maxDials = 100

func (t *Talk) dial() {
	if t.dials++; t.dials > maxDials {
		t.world.fail("%s cannot reach %v", t.from.Name, t.remote)
		return
	}
	op := &stack.Op{Kind: stack.OpDial, Proto: wire.TCP, Addr: t.remote.String()}
	op.Done = func(op *stack.Op) {
		if op.Err != nil {
			t.from.After(time.Second, t.dial)
			return
		}
		t.caller = newSpeaker(t, t.from, t.plans[0], t.plans[1], t.fork(0))
		t.from.After(0, func() { t.caller.begin(op.Call) })
	}
	t.from.Submit(op)
}

// Done reports whether both users have left.
func (t *Talk) Done() bool {
	if t.caller == nil || !t.caller.gone {
		return false
	}
	// A call that was hung up may never have been heard of.
	if t.callee() == nil && t.plans[0].End != Hangup && !t.forgotten() {
		return false
	}
	for _, s := range t.callees {
		if !s.gone {
			return false
		}
	}
	return true
}

// forgotten reports whether a listener with cookies may have reset the talk: what
// brings the cookie back was lost, or overtaken (RFC 4987 §3.6).
func (t *Talk) forgotten() bool { return t.to.TCPStat("CookiesRefused") > 0 }

// callee is who talks to the caller; calls that were given up may have left
// others.
func (t *Talk) callee() *speaker {
	for _, s := range t.callees {
		if s.flow == t.caller.flow.back() {
			return s
		}
	}
	return nil
}

// End takes the announcement back.
func (t *Talk) End() {
	t.ended = true
	if t.asking != nil {
		t.to.Cancel(t.asking, neterr.Interrupted)
	}
	t.listener.Drop()
}

// Err is what is wrong with a talk that is over: a link that delivered in the
// end has brought all bytes, unless somebody did not wait for them.
func (t *Talk) Err() error {
	callee := t.callee()
	if callee == nil || t.forgotten() {
		return nil
	}
	if err := callee.got(t.caller); err != nil {
		return err
	}
	return t.caller.got(callee)
}
