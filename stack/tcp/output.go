package tcp

import (
	"time"

	"slashnet/wire"
)

// What is to be said now. The stack calls Output until it returns false, after
// each batch of Input, Tick and calls of the user.

// MaxSlices is how many pieces of the send queue one segment may have.
const MaxSlices = 16

// A Segment is one to send. Its ports are the stack's to fill in.
type Segment struct {
	H       wire.TCPHeader
	Payload [MaxSlices][]byte    // slices of the send queue
	Pins    [MaxSlices]*wire.Buf // the blocks they lie in, each held for the caller, who releases it
	Slices  int
	Len     int  // bytes of payload
	MSS     int  // payload of one segment on the wire: with Len > MSS the NIC is to cut it up
	ECT     bool // routers may mark it instead of dropping it: RFC 3168
}

// Release lets go of the blocks. It is the caller's duty once the bytes are on
// the wire.
func (seg *Segment) Release() {
	for i := range seg.Pins[:seg.Slices] {
		seg.Pins[i].Release()
		seg.Pins[i], seg.Payload[i] = nil, nil
	}
	seg.Slices = 0
}

// onWire is how many segments there will be on the wire.
func (seg *Segment) onWire() uint64 { return uint64(max((seg.Len+seg.MSS-1)/seg.MSS, 1)) }

// Output fills seg with the next segment to send. It returns false when there is
// nothing more to say now; then seg is not to be used.
func (c *Conn) Output(now time.Duration, seg *Segment) bool {
	seg.Slices, seg.Len, seg.MSS, seg.ECT = 0, 0, c.mss, false
	if !c.next(now, seg) {
		c.armPersist(now)
		return false
	}
	n := seg.onWire()
	c.cfg.Counters.OutSegs += n
	c.count.segsOut += n
	c.lastSend = now
	return true
}

func (c *Conn) next(now time.Duration, seg *Segment) bool {
	switch {
	case c.rst.due:
		c.fillRST(seg)
		return true
	case c.state == Closed:
		return false
	case c.say.syn:
		c.say.syn = false
		c.fill(now, seg, c.iss, c.synFlags())
		c.send(now, c.iss+1)
		return true
	case c.flight.lost > 0 && c.frto != frtoNew && c.retransmit(now, seg):
		return true
	case c.state == SynSent:
		return false
	case c.say.tail:
		c.say.tail = false
		if c.tailProbe(now, seg) {
			return true
		}
	}
	if c.state.sending() && c.transmit(now, seg) {
		return true
	}
	if c.say.keep {
		// RFC 9293 §3.8.4, SHLD-12
		c.say.keep = false
		c.fill(now, seg, c.nxt-1, wire.ACK)
		return true
	}
	if c.ackDue() {
		c.fill(now, seg, c.nxt, wire.ACK)
		return true
	}
	return false
}

// ackDue reports whether a bare acknowledgement is called for.
func (c *Conn) ackDue() bool {
	if c.say.ack {
		return true
	}
	// RFC 9293 §3.8.6.3: at least every second full segment
	if int(c.rcvNxt-c.acked) >= 2*c.rcvMSS {
		return true
	}
	if c.say.open {
		c.say.open = false
		return c.windowUpdateDue()
	}
	return false
}

// windowUpdateDue reports whether the window has opened by so much that the peer should
// know at once: as much as it has left, or half of it all.
func (c *Conn) windowUpdateDue() bool {
	if !c.state.receiving() {
		return false
	}
	widest := 65535 << c.rcvShift // that the header can say
	half := min(c.rcvBuf(), widest) / 2
	left := int(c.adv - c.rcvNxt)
	grow := min(c.free(), widest) - left
	return grow >= min(half, max(min(c.ownMSS, half), left))
}

// free is how much the receive queue takes, bytes behind holes included.
func (c *Conn) free() int {
	return max(min(c.rcvBuf()-c.recvq.held-c.recvq.extra, c.share(c.recvq.memory)), 0)
}

// window moves the right edge of our window, and gives the field for the header.
func (c *Conn) window(syn bool) uint16 {
	left := int(c.adv - c.rcvNxt)
	wnd := c.free()
	// RFC 9293 §3.8.6.2.2, silly window: it grows by a segment or by half the queue
	if wnd < left+min(c.ownMSS, c.rcvBuf()/2) {
		wnd = left // and never moves left, SHLD-14
	}
	if syn {
		wnd = min(wnd, 65535) // RFC 7323 §2.2: not scaled
		c.adv = maxSeq(c.adv, c.rcvNxt+wire.Seq(wnd))
		return uint16(wnd)
	}
	field := min(wnd>>c.rcvShift, 65535)
	if field<<c.rcvShift < left {
		field++ // rounding down would move it left
	}
	c.adv = c.rcvNxt + wire.Seq(field<<c.rcvShift)
	if field == 0 && c.recvq.unread == 0 {
		c.squeezed = true // nobody will read, and open it by that
	}
	return uint16(field)
}

// timestamp is our TSval, RFC 7323 §5.4.
func (c *Conn) timestamp(now time.Duration) uint32 {
	return uint32(now/timestampTick) + c.tsOffset
}

// fill makes the header of a segment. Every segment with an ACK says all there is to
// acknowledge.
func (c *Conn) fill(now time.Duration, seg *Segment, seq wire.Seq, flags wire.TCPFlags) {
	seg.H = wire.TCPHeader{Seq: seq, Flags: flags}
	h, o := &seg.H, &seg.H.Options
	syn := flags&wire.SYN != 0
	if c.tsOK {
		o.HasTimestamps, o.TSVal = true, c.timestamp(now)
	}
	if syn {
		o.MSS = uint16(c.ownMSS)
		o.SACKPermitted = c.sackOK
		o.HasWScale, o.WScale = c.wsOK, c.rcvShift
		c.sayTimeout(o)
	}
	if flags&wire.ACK == 0 {
		h.Window = uint16(min(c.rcvBuf(), 65535))
		return
	}
	if c.ecn.echo {
		h.Flags |= wire.ECE
	}
	h.Ack = c.rcvNxt
	h.Window = c.window(syn)
	if c.tsOK {
		o.TSEcr = c.tsRecent
	}
	if !syn && c.sackOK {
		c.fillSACK(o)
	}
	c.acked = c.rcvNxt
	c.say.ack, c.say.open = false, false
	c.stop(tDelAck)
}

// fillSACK reports what is behind holes, most recent first, and a duplicate
// before all: RFC 2018 §4, RFC 2883 §4.
func (c *Conn) fillSACK(o *wire.TCPOptions) {
	room := len(o.SACK)
	if c.tsOK {
		room = 3 // 40 bytes of options are all there is
	}
	if c.hasDSACK {
		o.SACK[0], o.SACKs = c.dsack, 1
		c.hasDSACK = false
	}
	o.SACKs += copy(o.SACK[o.SACKs:room], c.sacks[:c.nsacks])
}

// optionBytes is the length of the options of a segment with data that would be
// sent now; RFC 6691 §3 takes it off the MSS.
func (c *Conn) optionBytes() int {
	n, room := 0, 4
	if c.tsOK {
		n, room = 12, 3
	}
	blocks := c.nsacks
	if c.hasDSACK {
		blocks++
	}
	if blocks = min(blocks, room); blocks > 0 && c.sackOK {
		n += 4 + 8*blocks
	}
	return n
}

func (c *Conn) fillRST(seg *Segment) {
	c.cfg.Counters.OutRsts++
	seg.H = wire.TCPHeader{Seq: c.rst.seq, Flags: wire.RST}
	if c.rst.hasAck {
		seg.H.Ack, seg.H.Flags = c.rst.ack, wire.RST|wire.ACK
	}
	c.rst = rst{}
}
