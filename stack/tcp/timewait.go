package tcp

import (
	"time"

	"slashnet/wire"
)

// A TimeWait is all that is left of a connection in TIME-WAIT: enough to answer
// the peer's FIN again, and to know an old segment from a new call. The stack
// puts one in the place of the Conn.
type TimeWait struct {
	until, wait        time.Duration
	nxt, rcvNxt        wire.Seq
	tsRecent, tsOffset uint32
	window             uint16
	tsOK               bool
}

// TimeWait makes the record of a connection in TIME-WAIT. What Output still has
// to say should be said first.
func (c *Conn) TimeWait(now time.Duration) TimeWait {
	until := c.timers[tWait]
	if c.state != TimeWaiting {
		until = now + c.cfg.TimeWait
	}
	return TimeWait{
		until: until, wait: c.cfg.TimeWait,
		nxt: c.nxt, rcvNxt: c.rcvNxt,
		tsRecent: c.tsRecent, tsOffset: c.tsOffset, tsOK: c.tsOK,
		window: uint16(min(max(int(c.adv-c.rcvNxt), 0)>>c.rcvShift, 65535)),
	}
}

// Deadline is when the record may be forgotten.
func (t *TimeWait) Deadline() time.Duration { return t.until }

// Next is the first sequence number that a new connection between the same ends
// may begin with: RFC 1122 §4.2.2.13 (b).
func (t *TimeWait) Next() wire.Seq { return t.nxt + 1 }

// Input is RFC 9293 §3.10.7.4 in TIME-WAIT. The reply lacks its ports. With
// reopen the segment is a new call: the record is to be dropped and the segment
// given to the listener.
func (t *TimeWait) Input(now time.Duration, h *wire.TCPHeader, payloadLen int) (reply wire.TCPHeader, send, reopen bool) {
	o := &h.Options
	stamped := t.tsOK && o.HasTimestamps
	newer := stamped && int32(o.TSVal-t.tsRecent) > 0
	older := stamped && int32(o.TSVal-t.tsRecent) < 0
	switch {
	case h.Flags&wire.RST != 0:
		return reply, false, false // RFC 1337 §3: not believed
	case h.Flags&(wire.SYN|wire.ACK) == 0:
		return reply, false, false // fifth
	case h.Flags&(wire.SYN|wire.ACK) == wire.SYN && (newer || t.rcvNxt.Less(h.Seq) && !older):
		return reply, false, true // RFC 6191 §2
	case h.Flags&(wire.SYN|wire.FIN|wire.ACK) == wire.ACK && payloadLen == 0 && h.Seq == t.rcvNxt:
		return reply, false, false // nothing new
	}
	if h.Flags&wire.FIN != 0 && h.Seq+wire.Seq(payloadLen)+1 == t.rcvNxt {
		t.until = now + t.wait // "restart the 2 MSL timeout"
	}
	if newer && !t.rcvNxt.Less(h.Seq) {
		t.tsRecent = o.TSVal
	}
	reply = wire.TCPHeader{Seq: t.nxt, Ack: t.rcvNxt, Flags: wire.ACK, Window: t.window}
	if t.tsOK {
		reply.Options.HasTimestamps = true
		reply.Options.TSVal = uint32(now/timestampTick) + t.tsOffset
		reply.Options.TSEcr = t.tsRecent
	}
	return reply, true, false
}

// inputTimeWait does the same for a connection whose user still reads. A new
// call is not taken there; its SYN is answered with an acknowledgement.
func (c *Conn) inputTimeWait(now time.Duration, s *segment) {
	t := c.TimeWait(now)
	_, send, reopen := t.Input(now, &s.h, len(s.payload))
	c.tsRecent = t.tsRecent
	c.start(tWait, t.until)
	if send || reopen {
		c.answer(now, s.fin)
	}
}
