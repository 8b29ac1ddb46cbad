package tcp

import (
	"time"

	"slashnet/stack/neterr"
)

// Ends of a connection: RFC 9293 §3.6, §3.10.4 and §3.10.5. The calls of the
// user are here; input.go and ack.go do what the peer's segments mean for it.

// CloseWrite closes our half: a FIN follows what is queued. RFC 9293 §3.10.4.
func (c *Conn) CloseWrite(now time.Duration) {
	if c.finQueued {
		return
	}
	switch c.state {
	case SynSent, SynReceived:
		c.finQueued = true // establish goes on to FIN-WAIT-1
	case Established:
		c.finQueued = true
		c.state = FinWait1
	case CloseWait:
		c.finQueued = true
		c.state = LastAck
	}
}

// CloseRead closes the other half for the user: what is unread and what still
// comes is dropped, without a word to the peer.
func (c *Conn) CloseRead(now time.Duration) {
	c.noReader = true
	c.recvq.drop(c.recvq.unread)
	c.say.open = true
}

// Close ends the connection politely: what is queued is sent, then a FIN. What
// the peer sends is read and dropped for Config.CloseDrain; data after that is
// answered with a reset, and so at once is unread data if CloseDrain is 0 (RFC
// 9293 §3.6.1). With a linger time of 0 it is Abort.
func (c *Conn) Close(now time.Duration) {
	if c.closed {
		return
	}
	switch {
	case c.user.lingers && c.user.linger == 0:
		c.Abort(now)
		return
	case c.state == SynSent && c.sendq.len() == 0:
		c.die(nil)
		return
	case c.cfg.CloseDrain == 0 && c.recvq.unread > 0:
		c.Abort(now)
		return
	}
	c.closed, c.drainUntil = true, now+c.cfg.CloseDrain
	c.CloseRead(now)
	c.CloseWrite(now)
	if c.user.lingers {
		c.start(tLinger, now+c.user.linger)
	}
	c.armFinWait2(now)
}

// Abort ends the connection at once, with a reset in synchronised states: RFC
// 9293 §3.10.5.
func (c *Conn) Abort(now time.Duration) {
	c.noReader = true
	c.reset(neterr.Aborted)
}

// Forget ends the connection without a word to anybody.
func (c *Conn) Forget() { c.die(neterr.Aborted) }

// reset is a reset of our own accord. What is unread stays for a user who is still
// there, and then err: not an end of file, RFC 9293 MUST-12.
func (c *Conn) reset(err error) {
	switch c.state {
	case SynReceived, Established, FinWait1, FinWait2, CloseWait:
		c.rst = rst{due: true, hasAck: true, seq: c.nxt, ack: c.rcvNxt}
	}
	c.die(err)
}

// armFinWait2 bounds FIN-WAIT-2 when nobody is left to receive.
func (c *Conn) armFinWait2(now time.Duration) {
	if c.closed && c.state == FinWait2 {
		c.start(tWait, now+c.cfg.FinWait2)
	}
}

// enterTimeWait begins TIME-WAIT: RFC 9293 §3.6, 2 MSL.
func (c *Conn) enterTimeWait(now time.Duration) {
	c.state = TimeWaiting
	for t := range c.timers {
		c.timers[t] = never
	}
	c.start(tWait, now+c.cfg.TimeWait)
	c.say.force, c.say.tail, c.say.keep = false, false, false
}

// SoftError notes what ICMP said; SoftErr tells.
func (c *Conn) SoftError(err error) { c.soft = err }

// SoftErr is the last soft error: RFC 9293 §3.9.1.8.
func (c *Conn) SoftErr() error { return c.soft }

// Unreachable takes a hard error of ICMP. It ends an attempt to connect; later
// it is a soft one, since it is easily forged (RFC 5927 §5.2, RFC 5461 §2.1).
func (c *Conn) Unreachable(now time.Duration, err error) {
	if c.state == SynSent {
		c.die(err)
		return
	}
	c.soft = err
}
