package tcp

import (
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// inputSynSent is RFC 9293 §3.10.7.3.
func (c *Conn) inputSynSent(now time.Duration, s *segment) {
	h := &s.h
	// first, check the ACK bit
	acked := h.Flags&wire.ACK != 0
	if acked && (!c.iss.Less(h.Ack) || c.nxt.Less(h.Ack)) {
		c.cfg.Counters.BadAck++
		if h.Flags&wire.RST == 0 {
			c.rst = rst{due: true, seq: h.Ack}
		}
		return
	}
	// second, check the RST bit; third, security: none
	if h.Flags&wire.RST != 0 {
		if acked {
			c.die(neterr.Refused)
		} else {
			c.cfg.Counters.BadRst++
		}
		return
	}
	// fifth, if neither of the SYN or RST bits is set, then drop
	if h.Flags&wire.SYN == 0 {
		c.cfg.Counters.NoAck++
		return
	}
	// fourth, check the SYN bit
	c.lastRecv = now
	c.peerSYN(now, h)
	c.adv = c.rcvNxt + wire.Seq(min(c.rcvBuf(), 65535)) // as our SYN said
	if !acked {
		// simultaneous open: our SYN goes again, with an ACK
		c.state = SynReceived
		c.loseSYN()
		return
	}
	c.wnd, c.maxWnd = int(h.Window), int(h.Window) // of a SYN: not scaled, RFC 7323 §2.2
	late := c.retries > 0
	c.acceptAck(now, h, 0)
	c.establish(now, late)
	c.say.ack = true
	// continue processing at the sixth step
	s.seq++
	c.steps678(now, s)
}

// peerSYN takes what the peer's SYN says.
func (c *Conn) peerSYN(now time.Duration, h *wire.TCPHeader) {
	o := &h.Options
	c.irs, c.rcvNxt = h.Seq, h.Seq+1
	c.adv, c.acked = c.rcvNxt, c.rcvNxt
	c.wnd = int(h.Window)
	c.maxWnd = c.wnd
	c.wl1, c.wl2 = h.Seq, c.una
	if o.MSS != 0 {
		c.peerMSS = int(o.MSS)
	}
	c.mss = max(min(c.peerMSS, c.fit(c.mtu)), minMSS)
	c.cwnd = initialWindow(c.cfg.InitCwnd, c.mss)

	c.agreeECN(h)
	c.hearTimeout(o)
	c.sackOK = c.sackOK && o.SACKPermitted
	if c.wsOK = c.wsOK && o.HasWScale; c.wsOK {
		c.shift = min(o.WScale, 14) // RFC 7323 §2.3
	} else {
		c.rcvShift = 0
	}
	if c.tsOK = c.tsOK && o.HasTimestamps; c.tsOK {
		c.tsRecent, c.tsRecentAt = o.TSVal, now
	}
}

// loseSYN makes our SYN go out again now.
func (c *Conn) loseSYN() {
	if c.flight.legs.len() > 0 {
		c.flight.lose(0)
	}
}

// lostSYNTimeout is the timeout for data after a SYN was lost, RFC 6298 §5.7.
const lostSYNTimeout = 3 * time.Second

// establish ends the handshake; late says that a SYN of ours was lost.
func (c *Conn) establish(now time.Duration, late bool) {
	c.state = Established
	c.progress = now
	c.retries, c.phase = 0, open
	if late {
		c.cwnd = c.mss // RFC 5681 §3.1
		if !c.rtt.sampled {
			c.rtt.rto = lostSYNTimeout
		}
	}
	if c.finQueued {
		c.state = FinWait1 // closed before it was open
	}
	c.armKeep(now)
}
