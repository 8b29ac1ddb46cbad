package tcp

import (
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// A segment on its way through the steps, trimmed as it goes.
type segment struct {
	h       wire.TCPHeader // a copy, so that the caller's stays on its stack
	flags   wire.TCPFlags  // those still to be worked on
	seq     wire.Seq       // of payload[0], or of the SYN
	payload []byte
	buf     *wire.Buf
	fin     bool
	late    bool // an acknowledgement that was overtaken
}

// Input is SEGMENT ARRIVES, RFC 9293 §3.10.7. The payload lies in buf, which is
// held if the payload is kept; without a buf it is copied. It may be longer than
// the MSS, when the NIC has merged segments.
func (c *Conn) Input(now time.Duration, h *wire.TCPHeader, payload []byte, buf *wire.Buf) {
	c.count.segsIn++
	s := segment{h: *h, flags: h.Flags, seq: h.Seq, payload: payload, buf: buf, fin: h.Flags&wire.FIN != 0}
	switch c.state {
	case Closed, Listen:
		c.cfg.Counters.DeadSegments++
	case SynSent:
		c.inputSynSent(now, &s)
	case TimeWaiting:
		c.inputTimeWait(now, &s)
	case SynReceived, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck:
		c.input(now, &s)
	}
	c.ecn.marked = false
}

// input is RFC 9293 §3.10.7.4, for all states but CLOSED, LISTEN, SYN-SENT and
// TIME-WAIT.
func (c *Conn) input(now time.Duration, s *segment) {
	if c.state == SynReceived && s.flags&(wire.SYN|wire.RST) == wire.SYN && s.seq == c.irs && !c.synAckLost(s) {
		return
	}
	// first, check sequence number
	if !c.fresh(now, s) || !c.inWindow(now, s) {
		return
	}
	// second, check the RST bit
	if s.flags&wire.RST != 0 {
		c.inputRST(now, s)
		return
	}
	// third, check security: none
	// fourth, check the SYN bit
	if s.flags&wire.SYN != 0 {
		c.inputSYN(now)
		return
	}
	// fifth, check the ACK field
	if s.flags&wire.ACK == 0 {
		c.cfg.Counters.NoAck++
		return
	}
	c.lastRecv, c.keepProbes = now, 0
	if !c.checkAck(now, s) {
		return
	}
	c.noteTimestamp(now, s)
	if c.ecn.ok {
		c.inputECN(s)
	}
	c.hearTimeout(&s.h.Options)
	c.acceptAck(now, &s.h, len(s.payload))
	if c.state == Closed {
		return
	}
	c.steps678(now, s)
}

// synAckLost answers a repeated SYN by repeating our SYN+ACK. It reports whether
// the segment needs to be looked at further: one that acknowledges our SYN, in a
// simultaneous open, does.
func (c *Conn) synAckLost(s *segment) bool {
	if s.flags&wire.ACK != 0 && s.h.Ack == c.nxt && c.nxt != c.iss {
		s.flags &^= wire.SYN
		s.seq++
		return true
	}
	c.agreeECN(&s.h) // a repeated SYN may ask for less
	c.loseSYN()
	return false
}

// fresh is PAWS, RFC 7323 §5.3.
func (c *Conn) fresh(now time.Duration, s *segment) bool {
	o := &s.h.Options
	if !c.tsOK || s.flags&wire.RST != 0 {
		return true
	}
	if !o.HasTimestamps {
		c.cfg.Counters.NoTimestamp++ // RFC 7323 §3.2: drop without a word
		return false
	}
	// R1; a clock that stood still for 24 days may have wrapped, §5.5
	if int32(o.TSVal-c.tsRecent) < 0 && now-c.tsRecentAt < pawsIdle {
		if s.late = c.overtaken(s); s.late {
			return true
		}
		c.cfg.Counters.PAWSDropped++
		c.answer(now, len(s.payload) > 0)
		return false
	}
	return true
}

// overtaken reports whether an old segment is an acknowledgement that newer ones
// have overtaken on the way, and no more. There is nothing in it that could be taken for
// something else, and it may say what has arrived behind a hole. We differ from
// RFC 7323 §5.3, R1, which would have it answered and dropped.
func (c *Conn) overtaken(s *segment) bool {
	return s.flags&(wire.SYN|wire.FIN|wire.ACK) == wire.ACK && len(s.payload) == 0 && s.h.Seq == c.rcvNxt && !c.una.Less(s.h.Ack) &&
		(s.h.Ack != c.una || c.windowOf(&s.h) == c.wnd) &&
		time.Duration(c.tsRecent-s.h.Options.TSVal)*timestampTick <= c.rtt.rto
}

// noteTimestamp is R3 of RFC 7323 §5.3: the time that we echo is that of the
// segment which the next acknowledgement will be about.
func (c *Conn) noteTimestamp(now time.Duration, s *segment) {
	if c.tsOK && !s.late && !c.acked.Less(s.h.Seq) {
		c.tsRecent, c.tsRecentAt = s.h.Options.TSVal, now
	}
}

// pawsIdle is how long a timestamp is good for, RFC 7323 §5.5.
const pawsIdle = 24 * 24 * time.Hour

// inWindow is the test of RFC 9293 §3.10.7.4, first, table 6; it trims what it
// lets pass to the window.
func (c *Conn) inWindow(now time.Duration, s *segment) bool {
	wnd := int(int32(c.adv - c.rcvNxt))
	syn := 0
	if s.flags&wire.SYN != 0 {
		syn = 1
	}
	n := len(s.payload) + syn
	if s.fin {
		n++
	}
	from := int(int32(s.seq - c.rcvNxt)) // where it begins, beside the window
	switch {
	case n == 0 && from >= 0 && from <= max(wnd, 1):
		// We differ at the right edge itself: a peer that has filled the window and lost
		// a segment acknowledges from there, and one whose probe of a shut window was
		// dropped from a byte beyond: "special allowance should be made to accept valid
		// ACKs".
		return true
	case n == 0 || from+n <= 0 && n > 0:
		c.stray(now, s, n)
		return false
	case from >= wnd && (wnd > 0 || from > 0):
		c.cfg.Counters.OutsideWindow++
		c.stray(now, s, n)
		return false
	}
	// "segments with higher beginning sequence numbers should be held", the rest is cut
	if from < 0 {
		cut := min(-from, len(s.payload)+syn)
		if cut -= syn; cut > 0 {
			c.duplicate(s.seq, s.seq+wire.Seq(cut))
			s.payload = s.payload[cut:]
		}
		s.flags &^= wire.SYN // an old one
		s.seq, from = c.rcvNxt, 0
	}
	if over := from + len(s.payload) - wnd; over >= 0 && (over > 0 || s.fin) {
		over = min(over, len(s.payload))
		c.cfg.Counters.TrimmedBytes += uint64(over)
		s.payload, s.fin = s.payload[:len(s.payload)-over], false
		c.say.ack = true // a probe wants to know the window: the ACK in it still counts
	}
	return true
}

// stray answers a segment outside of the window with an acknowledgement, "unless
// the RST bit is set".
func (c *Conn) stray(now time.Duration, s *segment, n int) {
	if s.flags&wire.RST != 0 {
		c.cfg.Counters.BadRst++
		return
	}
	if n > 0 && !c.rcvNxt.Less(s.seq+wire.Seq(n)) {
		c.cfg.Counters.Duplicates++
		c.duplicate(s.seq, s.seq+wire.Seq(len(s.payload)))
	}
	c.keepProbes = 0
	c.answer(now, n > 0)
}

// answer sends an acknowledgement for a segment that was not in order. For one
// with data always, since the peer repeats it till it knows better; else within the limit
// for challenges, so that two confused ends do not talk for ever.
func (c *Conn) answer(now time.Duration, data bool) {
	if data || c.mayChallenge(now) {
		c.say.ack = true
	}
}

// challenge is the challenge ACK of RFC 5961.
func (c *Conn) challenge(now time.Duration) {
	if c.mayChallenge(now) {
		c.cfg.Counters.ChallengeAcks++
		c.say.ack = true
	}
}

// challengePeriod is the time that ChallengeLimit is about. This limit is per
// connection: a common one can be probed from outside.
const challengePeriod = 5 * time.Second

func (c *Conn) mayChallenge(now time.Duration) bool {
	if now-c.challengeFrom >= challengePeriod || c.challenges == 0 {
		c.challenges, c.challengeFrom = 0, now
	}
	if c.challenges >= c.cfg.ChallengeLimit || c.cfg.Challenge != nil && !c.cfg.Challenge() {
		c.cfg.Counters.ChallengeHeld++
		return false
	}
	c.challenges++
	return true
}

// inputRST is RFC 9293 §3.10.7.4, second, with RFC 5961 §3: only a reset exactly
// in place is believed.
func (c *Conn) inputRST(now time.Duration, s *segment) {
	if s.h.Seq != c.rcvNxt {
		c.cfg.Counters.BadRst++
		c.challenge(now)
		return
	}
	switch c.state {
	case SynReceived:
		if c.passive {
			c.die(neterr.Reset) // back to LISTEN, which is the stack's
		} else {
			c.die(neterr.Refused)
		}
	case Closing, LastAck:
		c.die(nil)
	case Established, FinWait1, FinWait2, CloseWait:
		c.die(neterr.Reset)
	}
}

// inputSYN is RFC 9293 §3.10.7.4, fourth: RFC 5961 §4.
func (c *Conn) inputSYN(now time.Duration) {
	c.cfg.Counters.BadSyn++
	if c.state == SynReceived && c.passive {
		c.die(neterr.Reset) // back to LISTEN
		return
	}
	c.challenge(now)
}

// checkAck is the first half of RFC 9293 §3.10.7.4, fifth: is this an
// acknowledgement that can be?
func (c *Conn) checkAck(now time.Duration, s *segment) bool {
	ack := s.h.Ack
	if c.state == SynReceived {
		if !c.una.Less(ack) || c.nxt.Less(ack) {
			c.cfg.Counters.BadAck++
			c.rst = rst{due: true, seq: ack}
			return false
		}
		c.establish(now, c.retries > 0)
		c.wnd = c.windowOf(&s.h)
		c.maxWnd = max(c.maxWnd, c.wnd)
		c.wl1, c.wl2 = s.seq, ack
		return true
	}
	// RFC 5961 §5
	if c.nxt.Less(ack) || ack.Less(c.una-wire.Seq(c.maxWnd)) {
		c.cfg.Counters.BadAck++
		c.answer(now, false)
		return false
	}
	return true
}

// steps678 are the sixth to eighth steps of RFC 9293 §3.10.7.4.
func (c *Conn) steps678(now time.Duration, s *segment) {
	// sixth, check the URG bit
	if s.flags&wire.URG != 0 {
		up := s.h.Seq + wire.Seq(s.h.Urgent)
		if !c.urgentSeen || c.urgent.Less(up) {
			c.urgent, c.urgentSeen = up, true
		}
	}
	// seventh, process the segment text; eighth, check the FIN bit
	c.text(now, s)
}
