package nic

// A Cable is what two NICs of this process hang on, and may be a bad one. Host
// makes one for each directory of link/; stacks and switches plug in and out.

import (
	"sync"
	"sync/atomic"

	"slashnet/stack/neterr"
)

// A CableEnd is one of the two.
type CableEnd int

// The ends.
const (
	EndA CableEnd = iota
	EndB
)

func (e CableEnd) String() string { return string(rune('a' + e)) }

// Cable has two directions, each named by the end at which its frames go in. Its
// captures show each frame once, when it goes in: what a sends as going out, what
// b sends as coming in. A remark says what becomes of one that does not arrive, or
// not as it was sent.
type Cable struct {
	*Captures
	mu       sync.Mutex // of plugging
	closed   bool
	plugs    [2]atomic.Pointer[plug]
	channels [2]channel
}

// A channel is one direction.
type channel struct {
	way
	cable *Cable
	from  CableEnd

	sent, sentBytes, passed, passedBytes atomic.Uint64
	overrun, unplugged                   atomic.Uint64
}

// A plug is the NIC at an end.
type plug struct {
	port
	out  *channel
	into *atomic.Pointer[plug]
}

// NewCable makes a cable that nothing hangs on; name is for captures.
func NewCable(name string) *Cable {
	c := &Cable{Captures: NewCaptures(name)}
	for e := range c.channels {
		ch := &c.channels[e]
		ch.cable, ch.from = c, CableEnd(e)
		ch.begin(uint64(e), ch.pass)
	}
	return c
}

// Plug makes the NIC at an end. Closing it leaves the end free for another.
func (c *Cable) Plug(e CableEnd, o Options) (NIC, error) {
	p := &plug{out: &c.channels[e], into: &c.plugs[e]}
	if err := p.assume(o, "end", MaxMTU); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, errClosed
	case !p.into.CompareAndSwap(nil, p):
		return nil, neterr.Busy.With("something is plugged into end %v already", e)
	}
	return p, nil
}

// Plugged reports whether something is plugged in at an end.
func (c *Cable) Plugged(e CableEnd) bool { return c.plugs[e].Load() != nil }

// Impair changes what happens from now on to what is sent from an end.
func (c *Cable) Impair(from CableEnd, p Impair) error { return c.channels[from].set(p) }

// Impaired is what happens to it.
func (c *Cable) Impaired(from CableEnd) Impair { return c.channels[from].impaired() }

// Close takes the cable away. What is still plugged in sends to nobody.
func (c *Cable) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	for e := range c.channels {
		c.plugs[e].Store(nil)
		c.channels[e].line.close()
	}
	c.End()
}

// CableStats count what became of the frames of one direction. Each that was sent,
// and each copy of one that was duplicated, is passed, dropped, or on its way.
type CableStats struct {
	Sent, SentBytes     uint64
	Passed, PassedBytes uint64
	Mischief
	Overrun   uint64 // found the receiver's queue full
	Unplugged uint64 // found nothing at the other end
}

// Stats are the counters of what is sent from an end.
func (c *Cable) Stats(from CableEnd) CableStats {
	ch := &c.channels[from]
	return CableStats{
		Sent: ch.sent.Load(), SentBytes: ch.sentBytes.Load(),
		Passed: ch.passed.Load(), PassedBytes: ch.passedBytes.Load(),
		Mischief: ch.mischief(),
		Overrun:  ch.overrun.Load(), Unplugged: ch.unplugged.Load(),
	}
}

// Send puts a frame into the cable. As on a real one, the sender does not learn
// what becomes of it.
func (p *plug) Send(f *Frame) error {
	if err := p.refuses(f); err != nil {
		return err
	}
	ch := p.out
	length := f.Len()
	if ch.idle() {
		ch.seen(f, "")
		ch.pass(pack(f))
	} else if err := Finish(f, func(f *Frame) { ch.carry(f, ch.seen) }); err != nil {
		return p.drop(DropMarks, err)
	}
	p.countOut(length)
	return nil
}

// seen counts and shows a frame that goes in.
func (ch *channel) seen(f *Frame, fate string) {
	ch.sent.Add(1)
	ch.sentBytes.Add(uint64(f.Len()))
	if ch.cable.watched() {
		way := Out
		if ch.from == EndB {
			way = In
		}
		ch.cable.show(f, way, fate)
	}
}

// pass gives a frame, whose time has come, to whoever is at the other end.
func (ch *channel) pass(p parcel) {
	n := uint64(p.n)
	to := ch.cable.plugs[1-ch.from].Load()
	if to == nil {
		ch.unplugged.Add(1)
		p.buf.Release()
		return
	}
	switch why, ok := to.in.accept(p); {
	case ok:
		ch.passed.Add(1)
		ch.passedBytes.Add(n)
	case why == DropFull:
		ch.overrun.Add(1)
	default:
		ch.unplugged.Add(1)
	}
}

// Close leaves the end.
func (p *plug) Close() error {
	p.into.CompareAndSwap(p, nil)
	return p.port.Close()
}
