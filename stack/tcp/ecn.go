package tcp

import "slashnet/wire"

// Explicit congestion notification, RFC 3168: a router marks what it would have
// dropped, the receiver says so till it is heard, and the sender slows down as if it
// had been lost. handshake.go agrees on it, text.go and ack.go call what both ends
// do, transmit.go says what may be marked.

// ECN is when it is used: the values of the knob, and of Config.ECN.
const (
	ECNOff     = "off"
	ECNPassive = "passive" // if the peer asks for it
	ECNOn      = "on"
)

const ecnSetup = wire.ECE | wire.CWR

// ecn is what a connection knows of it.
type ecn struct {
	asked  bool     // our SYN was an ECN-setup SYN
	ok     bool     // both ends speak it
	marked bool     // the segment that comes next bears a mark
	echo   bool     // acknowledgements say that a mark was seen
	tell   bool     // the peer is to hear that we have slowed down: CWR
	slowed bool     // … in this round trip, which ends when
	until  wire.Seq // more than this is acknowledged: then the CWR has arrived, too
}

// agreeECN takes the peer's SYN, RFC 3168 §6.1.1. One that has all bits set was
// answered by somebody who reflects what he does not know.
func (c *Conn) agreeECN(h *wire.TCPHeader) {
	switch h.Flags & (wire.ACK | ecnSetup) {
	case ecnSetup:
		c.ecn.ok = c.cfg.ECN != ECNOff
	case wire.ACK | wire.ECE:
		c.ecn.ok = c.ecn.asked
	default:
		c.ecn.ok = false
	}
}

// synFlags are those of our SYN. One that has to go again does not ask for ECN: the
// path may be one that drops what asks (RFC 3168 §6.1.1.1).
func (c *Conn) synFlags() wire.TCPFlags {
	switch {
	case c.state == SynReceived && c.ecn.ok:
		return wire.SYN | wire.ACK | wire.ECE
	case c.state == SynReceived:
		return wire.SYN | wire.ACK
	case c.cfg.ECN == ECNOn && c.retries == 0:
		c.ecn.asked = true
		return wire.SYN | ecnSetup
	}
	return wire.SYN
}

// Marked says that the segment given to Input next came with CE in its IP header.
func (c *Conn) Marked() { c.ecn.marked = c.ecn.ok }

// inputECN is the receiver's part, for a segment in the window: RFC 3168 §6.1.3.
func (c *Conn) inputECN(s *segment) {
	e := &c.ecn
	if s.flags&wire.CWR != 0 {
		e.echo = false
	}
	if e.marked {
		c.cfg.Counters.CEMarks++
		c.say.ack = c.say.ack || !e.echo // the first one is told at once
		e.echo, e.marked = true, false
	}
}

// acceptECE is the sender's part, RFC 3168 §6.1.2: as for a loss, once in a round
// trip, and not beside one.
func (c *Conn) acceptECE() {
	e := &c.ecn
	if e.slowed {
		return
	}
	e.tell, e.slowed, e.until = true, true, c.nxt
	if c.phase == open {
		c.cfg.Counters.ECNReductions++
		c.ssthresh, c.hystart = c.cc.reduce(c.cwnd, c.mss), nil
		c.cwnd = min(c.cwnd, c.ssthresh)
	}
}

// markable sets on a segment with new data that routers may mark it, and tells the
// peer that its echo was heard. Acknowledgements, retransmissions and probes are
// never markable: RFC 3168 §6.1.4 to §6.1.6.
func (c *Conn) markable(seg *Segment) {
	seg.ECT = true
	if c.ecn.tell {
		c.ecn.tell = false
		seg.H.Flags |= wire.CWR
	}
}
