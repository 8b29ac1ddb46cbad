package tcp

import (
	"time"

	"slashnet/wire"
)

// The calls of the user: RFC 9293 §3.9.1. None of them waits; the stack parks
// what has to.

// Room is how much more the send queue takes. It may be negative, after WriteBuf.
func (c *Conn) Room() int { return c.sndBuf() - c.sendq.len() }

// writable reports whether there is somebody to write to.
func (c *Conn) writable() bool {
	if c.finQueued {
		return false
	}
	switch c.state {
	case SynSent, SynReceived, Established, CloseWait:
		return true
	}
	return false
}

// Write queues a copy of as much of b as there is room and memory for, and returns
// how much.
func (c *Conn) Write(now time.Duration, b []byte) int {
	n := min(len(b), c.Room())
	if n <= 0 || !c.writable() {
		return 0
	}
	return c.sendq.copy(b[:n], c.share(c.sendq.memory), c.cfg.Alloc)
}

// WriteBuf queues b, which lies in buf, without copying it: buf is held until
// the peer has acknowledged it, and b must not change. All of b is taken if
// there was any room before, so the queue may pass its limit by one write; else
// nothing is. A caller that withholds its reply while Room is negative bounds
// the queue. When blocks that are much larger than what was written of them pile
// up, or memory is short, WriteBuf copies after all, as much as Write would.
func (c *Conn) WriteBuf(now time.Duration, b []byte, buf *wire.Buf) int {
	if len(b) == 0 || c.Room() <= 0 || !c.writable() {
		return 0
	}
	share := c.share(c.sendq.memory)
	if buf == nil || c.sendq.waste+cap(buf.B)-len(b) > 2*c.sndBuf() || cap(buf.B) > share {
		return c.sendq.copy(b, share, c.cfg.Alloc)
	}
	c.sendq.hand(b, buf)
	return len(b)
}

// Take moves up to max unread bytes out. The caller owns the holds.
func (c *Conn) Take(max int, into []wire.Chunk) []wire.Chunk {
	into = c.recvq.take(max, into)
	c.say.open = true
	return into
}

// Read copies unread bytes out.
func (c *Conn) Read(b []byte) int {
	n := c.recvq.read(b, false)
	c.say.open = true
	return n
}

// Peek copies unread bytes, which stay.
func (c *Conn) Peek(b []byte) int { return c.recvq.read(b, true) }

// Unread is how many bytes may be read now.
func (c *Conn) Unread() int { return c.recvq.unread }

// EOF reports whether the peer's FIN has been reached: all before it was read.
// It is also the end for a user who closed this half.
func (c *Conn) EOF() bool { return (c.finTaken || c.noReader) && c.recvq.unread == 0 }

// Quoted reports whether a segment with this sequence number may be in flight,
// so that an ICMP message that quotes it is believable: RFC 5927 §4.1.
func (c *Conn) Quoted(seq wire.Seq) bool { return !seq.Less(c.una) && !c.nxt.Less(seq) }

// SetNoDelay switches Nagle's algorithm off: RFC 9293 MUST-17.
func (c *Conn) SetNoDelay(on bool) { c.user.noDelay = on }

// SetCork holds segments that are not full back, until it is taken away or the
// retransmission timeout has passed.
func (c *Conn) SetCork(on bool) { c.user.cork = on }

// SetQuickAck has every segment acknowledged at once.
func (c *Conn) SetQuickAck(on bool) { c.user.quickAck = on }

// SetKeepAlive switches keep-alives on, RFC 9293 MUST-24; they are off by default.
func (c *Conn) SetKeepAlive(now time.Duration, on bool) {
	c.user.keepAlive = on
	c.armKeep(now)
}

// SetKeepIdle is the silence before the first keep-alive; 0 for the Config's.
func (c *Conn) SetKeepIdle(now, d time.Duration) {
	c.user.keepIdle = d
	c.armKeep(now)
}

// SetKeepIntvl is the time between keep-alives; 0 for the Config's.
func (c *Conn) SetKeepIntvl(d time.Duration) { c.user.keepIntvl = d }

// SetKeepCount is how many unanswered keep-alives end the connection; 0 for the Config's.
func (c *Conn) SetKeepCount(n int) { c.user.keepCnt = n }

// SetUserTimeout ends the connection when data is not acknowledged for so long;
// 0 leaves it to the number of retries. RFC 9293 §3.9.1.
func (c *Conn) SetUserTimeout(d time.Duration) { c.user.userTimeout = d }

// SetRetries is R2 of this connection, RFC 9293 MUST-21: 0 for the Config's,
// below 0 for never.
func (c *Conn) SetRetries(n int) { c.user.retries = n }

// SetSendBuffer fixes the limit of the send queue; 0 lets it grow, to the Config's.
func (c *Conn) SetSendBuffer(n int) { c.user.sndBuf = n }

// SetReceiveBuffer fixes the limit of the receive queue; 0 lets it grow, to the
// Config's. The window that is open stays open.
func (c *Conn) SetReceiveBuffer(n int) {
	c.user.rcvBuf = n
	c.say.open = true
}

// SetLinger bounds what Close waits for: after d the rest is reset, with d 0 at
// once. off is the default: no bound but that of the retries.
func (c *Conn) SetLinger(d time.Duration, on bool) { c.user.linger, c.user.lingers = d, on }

// SetCC chooses the congestion control.
func (c *Conn) SetCC(name string) error {
	cc, err := newCongestion(name)
	if err == nil && cc.name() != c.cc.name() {
		c.cc = cc
	}
	return err
}
