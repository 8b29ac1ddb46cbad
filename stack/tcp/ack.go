package tcp

import (
	"time"

	"slashnet/wire"
)

// What an acknowledgement does. input.go calls acceptAck with one that can be.

// timestampTick is the clock of our timestamps, RFC 7323 §5.4.
const timestampTick = time.Millisecond

// acceptAck is the second half of RFC 9293 §3.10.7.4, fifth: una, the window,
// and with them the send queue, the round-trip time and the congestion window.
// n is the payload that came with it.
func (c *Conn) acceptAck(now time.Duration, h *wire.TCPHeader, n int) {
	acked := int(int32(h.Ack - c.una))
	if acked < 0 {
		return // "if the ACK is a duplicate, it can be ignored"
	}
	wnd := c.wnd
	c.updateWindow(now, h)

	c.rack.now, c.rack.echo = now, never
	if c.tsOK && h.Options.TSEcr != 0 {
		age := time.Duration(int32(c.timestamp(now)-h.Options.TSEcr)) * timestampTick
		c.rack.echo = now.Truncate(timestampTick) - age
	}
	var d delivery
	if acked > 0 {
		c.advance(now, h.Ack, &d)
	}
	c.takeSACK(h, &d)
	if c.ecn.ok && h.Flags&(wire.SYN|wire.ECE) == wire.ECE {
		d.marked = true
		c.acceptECE()
	}
	c.sampleRTT(now, &d, acked)
	if c.search != nil {
		c.probePassed()
	}

	// RFC 5681 §2, the definition of a duplicate
	dup := acked == 0 && n == 0 && c.wnd == wnd && h.Flags&wire.FIN == 0 && c.una != c.nxt
	if dup {
		c.cfg.Counters.DupAcks++
	}
	if acked > 0 && c.undo.armed {
		c.undoSpurious()
	}
	if c.frto != frtoNone && (acked > 0 || d.bytes > 0 || dup) {
		c.stepFRTO(acked)
	}
	if acked > 0 || d.bytes > 0 || dup {
		c.delivered(now, &d, acked, dup)
		c.tailAcked(&d, dup && h.Options.SACKs == 0)
	}
	c.full = maxSeq(c.full, c.una)
	if acked > 0 {
		c.progressed(now)
	}
}

// advance moves una.
func (c *Conn) advance(now time.Duration, ack wire.Seq, d *delivery) {
	c.flight.ack(ack, &c.rack, d)
	start := c.sendq.start
	c.sendq.release(ack)
	c.count.bytesOut += uint64(c.sendq.start - start)
	c.una = ack
	c.smallEnd = maxSeq(c.smallEnd, ack)
	c.ecn.slowed = c.ecn.slowed && !c.ecn.until.Less(ack)
	if c.phase == open {
		c.recover = maxSeq(c.recover, ack)
	}
	c.retries, c.progress, c.troubleSince = 0, now, 0
	c.stop(tProbe)
}

// progressed is what an advance means for the state: RFC 9293 §3.10.7.4, fifth.
func (c *Conn) progressed(now time.Duration) {
	switch {
	case c.una == c.nxt:
		c.stop(tRexmit) // RFC 6298 §5.2
	case c.impatient():
	default:
		c.start(tRexmit, now+c.timeout()) // §5.3
		c.armTail(now)
	}
	if !c.finAcked() {
		return
	}
	c.stop(tLinger)
	switch c.state {
	case FinWait1:
		c.state = FinWait2
		c.armFinWait2(now)
	case Closing:
		c.enterTimeWait(now)
	case LastAck:
		c.die(nil)
	}
}

// impatient reports whether recovery has to be done when the timer expires: RFC
// 6582 §3.2, step 4. Without SACK it mends one hole in a round trip, and only the
// first partial acknowledgement starts the timer again.
func (c *Conn) impatient() bool {
	if c.phase != recovery || c.sackOK {
		return false
	}
	was := c.partial
	c.partial = true
	return was
}

// finAcked reports whether the peer has acknowledged our FIN.
func (c *Conn) finAcked() bool { return c.finQueued && c.sendq.end.Less(c.una) }

// finSent reports whether our FIN has been sent.
func (c *Conn) finSent() bool { return c.finQueued && c.sendq.end.Less(c.nxt) }

// windowOf is the window that a header says: that of a SYN is not scaled.
func (c *Conn) windowOf(h *wire.TCPHeader) int {
	if h.Flags&wire.SYN != 0 {
		return int(h.Window)
	}
	return int(h.Window) << c.shift
}

// updateWindow is RFC 9293 §3.10.7.4, fifth, ESTABLISHED: from the newest segment
// only.
func (c *Conn) updateWindow(now time.Duration, h *wire.TCPHeader) {
	// We differ: whatever moves una brings its own window. With the one before, una+wnd
	// would pass the edge that was offered.
	if !c.una.Less(h.Ack) && (h.Seq.Less(c.wl1) || h.Seq == c.wl1 && h.Ack.Less(c.wl2)) {
		return
	}
	was := c.wnd
	c.wnd, c.wl1, c.wl2 = c.windowOf(h), maxSeq(c.wl1, h.Seq), h.Ack
	c.maxWnd = max(c.maxWnd, c.wnd)
	switch {
	case c.wnd == 0 && was > 0:
		c.zeroSince = now
	case c.wnd > 0 && was == 0:
		c.zeroSince, c.probes = 0, 0
		// What is in flight was sent into a shut window: it has to go again.
		for i := range c.flight.legs.all() {
			c.flight.lose(i)
		}
	}
}

// sampleRTT takes one sample per round trip, RFC 6298 §3 and §4: of a leg that
// was sent once (Karn), or else of the timestamp that came back (RFC 7323 §4.1).
func (c *Conn) sampleRTT(now time.Duration, d *delivery, acked int) {
	if c.una.Less(c.timed) && c.rtt.sampled && !c.rtt.doubled {
		return
	}
	switch {
	case d.clean && !d.resent:
		c.rtt.sample(now-d.first, c.cfg)
	case acked > 0 && c.rack.echo != never && c.rack.echo <= now:
		c.rtt.sample(now-c.rack.echo, c.cfg)
	default:
		return
	}
	c.timed = c.nxt
}

// takeSACK marks what the SACK blocks say has arrived. The first
// may report a duplicate: RFC 2883 §4.
func (c *Conn) takeSACK(h *wire.TCPHeader, d *delivery) {
	n := min(h.Options.SACKs, len(h.Options.SACK))
	if !c.sackOK || n == 0 {
		return
	}
	for i, b := range h.Options.SACK[:n] {
		switch {
		case !b.Left.Less(b.Right) || c.nxt.Less(b.Right):
			c.cfg.Counters.BadSACK++
		case i == 0 && (b.Left.Less(h.Ack) || n > 1 && inside(b, h.Options.SACK[1])):
			d.duplicate, d.twice = b.Right, true
			c.noteDSACK()
		case b.Left.Less(c.una):
			c.cfg.Counters.BadSACK++
		default:
			c.flight.sack(b.Left, b.Right, &c.rack, d)
		}
	}
}

func inside(a, b wire.SACKBlock) bool { return !a.Left.Less(b.Left) && !b.Right.Less(a.Right) }

// noteDSACK widens the reordering window, once per round trip: RFC 8985 §6.2,
// step 4.
func (c *Conn) noteDSACK() {
	c.cfg.Counters.DSACKs++
	if r := &c.rack; r.mult == 0 || !c.una.Less(r.round) {
		r.mult = min(r.mult+1, maxReorder)
		r.round, r.calm = c.nxt, calmRecoveries
	}
}

// maxReorder bounds the multiple; the window is bounded by SRTT anyway.
const maxReorder = 16

// tail is a tail loss probe that is out, RFC 8985 §7.1.
type tail struct {
	armed, resent bool
	end           wire.Seq
}

// tailAcked finds out what the probe has repaired, RFC 8985 §7.4.
func (c *Conn) tailAcked(d *delivery, bareDup bool) {
	t := &c.tail
	if !t.armed || c.una.Less(t.end) {
		return
	}
	switch {
	case !t.resent, d.twice && d.duplicate == t.end, c.una == t.end && bareDup:
		t.armed = false
	case t.end.Less(c.una):
		t.armed = false
		if c.phase == open {
			c.ssthresh = c.cc.reduce(c.cwnd, c.mss)
			c.cwnd = c.ssthresh
		}
	}
}
