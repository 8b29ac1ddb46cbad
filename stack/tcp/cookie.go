package tcp

import (
	"time"

	"slashnet/wire"
)

// SYN cookies: a listener whose queue is full answers a SYN and keeps nothing. All
// that it has to know is in the initial sequence number and the timestamp of the
// answer, and comes back with the ACK. RFC 4987 §3.6. The stack calls Cookie and
// Redeem with a Conn that it has just made.
//
// The sequence number is a keyed hash of the connection's ends, of the peer's
// sequence number, of the time and of what was agreed; three of its bits are the
// MSS, rounded down. Without timestamps there is neither SACK, window
// scale nor ECN.

// cookieLife is a period of the clock in the hash. A cookie is good in the one
// that it was made in and in the next: from one to two minutes.
const cookieLife = time.Minute

// cookieMSS are the values that fit three bits: those that are seen (RFC 4987
// appendix A has fewer), and one that every peer takes.
var cookieMSS = [8]uint16{minMSS, 536, 1220, 1300, 1400, 1440, 1460, 8960}

// cookieBits of a timestamp are taken for what was agreed: so it is up to 128 ms
// old, never ahead, and not the same for two answers of different meaning.
const (
	cookieShift  = 0xf // the peer's window shift
	cookieWScale = 1 << 4
	cookieSACK   = 1 << 5
	cookieECN    = 1 << 6
	cookieBits   = 1<<7 - 1
)

// A MAC is a keyed hash of a connection's ends and of some numbers.
type MAC func(numbers ...uint64) uint64

// Cookie makes the answer to a SYN. The Conn is of no use any more; s.ISS is not
// looked at.
func (c *Conn) Cookie(now time.Duration, s Setup, syn *wire.TCPHeader, mac MAC) wire.TCPHeader {
	c.cfg.Counters.CookiesSent++
	c.called(now, s, syn)
	i := len(cookieMSS) - 1
	for i > 0 && int(cookieMSS[i]) > c.peerMSS {
		i--
	}
	var bits uint32
	if c.tsOK {
		if c.wsOK {
			bits |= cookieWScale | uint32(c.shift)
		}
		if c.sackOK {
			bits |= cookieSACK
		}
		if c.ecn.ok {
			bits |= cookieECN
		}
		stamp := c.timestamp(now)
		c.tsOffset -= (stamp - bits) & cookieBits // back to the last stamp that ends in these bits
	} else {
		c.wsOK, c.sackOK, c.ecn.ok, c.rcvShift = false, false, false, 0
	}
	var seg Segment
	c.fill(now, &seg, c.cookie(now/cookieLife, i, bits, mac), c.synFlags())
	c.cfg.Counters.OutSegs++
	return seg.H
}

// cookie is the sequence number for a period. Our own shift is part of it, since
// it is not in the ACK, and the knobs may change meanwhile.
func (c *Conn) cookie(period time.Duration, mss int, bits uint32, mac MAC) wire.Seq {
	sum := mac(uint64(period), uint64(c.irs), uint64(mss), uint64(bits), uint64(c.rcvShift))
	return wire.Seq(uint32(sum)&^7 | uint32(mss))
}

// Redeem looks whether ack brings a cookie of ours back. If so c is in SYN-RECEIVED
// as if it had always been, and ack, less its echo of the time, is to be given to
// Input; else c is of no use.
func (c *Conn) Redeem(now time.Duration, s Setup, ack *wire.TCPHeader, mac MAC) bool {
	s.ISS = ack.Ack - 1
	o := &ack.Options
	i := int(s.ISS & 7)
	syn := wire.TCPHeader{Seq: ack.Seq - 1, Flags: wire.SYN, Window: ack.Window}
	syn.Options.MSS = cookieMSS[i]
	var bits uint32
	if o.HasTimestamps && c.cfg.Timestamps {
		bits = o.TSEcr & cookieBits
		syn.Options.HasTimestamps, syn.Options.TSVal = true, o.TSVal
		syn.Options.HasWScale, syn.Options.WScale = bits&cookieWScale != 0, uint8(bits&cookieShift)
		syn.Options.SACKPermitted = bits&cookieSACK != 0
		if bits&cookieECN != 0 {
			syn.Flags |= ecnSetup
		}
	}
	c.called(now, s, &syn)
	for _, period := range [...]time.Duration{now / cookieLife, now/cookieLife - 1} {
		if c.cookie(period, i, bits, mac) == s.ISS {
			c.cfg.Counters.PassiveOpens++
			c.cfg.Counters.CookiesTaken++
			c.adv = c.rcvNxt + wire.Seq(min(c.rcvBuf(), 65535)) // as our SYN said
			c.say.syn = false
			c.send(now, c.iss+1)
			c.flight.legs.last().resent = true // no RTT: nobody knows when it left,
			o.TSEcr = 0                        // and the timestamp is not exact
			return true
		}
	}
	c.cfg.Counters.CookiesRefused++
	return false
}
