package tcp

import (
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// What a segment carries, put where it belongs. input.go calls text with what is
// inside of the window.

// text is RFC 9293 §3.10.7.4, seventh and eighth.
func (c *Conn) text(now time.Duration, s *segment) {
	if len(s.payload) == 0 && !s.fin {
		return
	}
	if !c.state.receiving() {
		return // "this should not occur": the FIN is behind us
	}
	if c.finSeen {
		if over := int(int32(s.seq + wire.Seq(len(s.payload)) - c.fin)); over > 0 {
			s.payload = s.payload[:max(len(s.payload)-over, 0)] // beyond the end
		}
	}
	if c.closed && len(s.payload) > 0 {
		c.cfg.Counters.AfterClose++
		if now >= c.drainUntil {
			c.reset(neterr.Hungup) // RFC 9293 §3.6.1
			return
		}
	}
	if s.fin && !c.finSeen {
		c.fin, c.finSeen = s.seq+wire.Seq(len(s.payload)), true
	}
	if s.seq == c.rcvNxt {
		c.inOrder(now, s)
	} else {
		c.outOfOrder(s)
	}
	if c.finSeen && !c.finTaken && c.rcvNxt == c.fin {
		c.inputFIN(now)
	}
}

func (c *Conn) inOrder(now time.Duration, s *segment) {
	n := len(s.payload)
	if n == 0 {
		return
	}
	if !c.keep(s) {
		return
	}
	before := c.rcvNxt
	if c.urgentSeen && !(before - wire.Seq(c.recvq.unread)).Less(c.urgent) {
		c.urgentSeen = false // it was read; in half a sequence space it would be ahead again
	}
	c.rcvNxt += wire.Seq(n)
	if c.recvq.late.len() > 0 || c.nsacks > 0 {
		// a hole was filled, or a part of one: RFC 5681 §4.2
		c.rcvNxt = c.recvq.join(c.rcvNxt)
		c.pruneSACKs()
		c.say.ack = true
	}
	c.adv = maxSeq(c.adv, c.rcvNxt)
	c.count.bytesIn += uint64(c.rcvNxt - before)
	if c.noReader {
		c.recvq.drop(c.recvq.unread)
	}
	c.fitWindow(now)
	c.rcvMSS = max(c.rcvMSS, min(n, c.ownMSS))
	switch {
	case c.user.quickAck:
		c.say.ack = true
	case c.quick > 0:
		c.quick--
		c.say.ack = true
	case c.timers[tDelAck] == never:
		c.start(tDelAck, now+c.cfg.DelAck) // RFC 9293 §3.8.6.3
	}
}

// outOfOrder keeps a segment that came too early, and lets the peer know at once:
// RFC 5681 §4.2.
func (c *Conn) outOfOrder(s *segment) {
	c.say.ack = true
	if len(s.payload) == 0 {
		return
	}
	left, right := s.seq, s.seq+wire.Seq(len(s.payload))
	behind := c.recvq.behind
	// Late runs may hold as much memory beside their bytes as those that are ready.
	ok := c.recvq.stash(left, s.payload, s.buf, 2*c.rcvBuf(), c.share(c.recvq.memory), c.cfg.Alloc)
	switch {
	case !ok:
		c.cfg.Counters.OutOfOrderDrops++
		return
	case c.recvq.behind == behind:
		c.cfg.Counters.Duplicates++
		c.duplicate(left, right)
	default:
		c.cfg.Counters.OutOfOrder++
	}
	c.noteSACK(left, right)
}

// inputFIN is RFC 9293 §3.10.7.4, eighth.
func (c *Conn) inputFIN(now time.Duration) {
	c.rcvNxt++
	c.adv = maxSeq(c.adv, c.rcvNxt)
	c.finTaken = true
	c.say.ack = true
	c.recvq.forget()
	c.nsacks = 0
	switch c.state {
	case Established:
		c.state = CloseWait
	case FinWait1:
		c.state = Closing // our FIN is not acknowledged, or we were in FIN-WAIT-2
	case FinWait2:
		c.enterTimeWait(now)
	}
}

func maxSeq(a, b wire.Seq) wire.Seq {
	if a.Less(b) {
		return b
	}
	return a
}

// noteSACK puts the run around [left, right) first among what we report: RFC
// 2018 §4.
func (c *Conn) noteSACK(left, right wire.Seq) {
	if !c.sackOK {
		return
	}
	keep := c.sacks[:0:len(c.sacks)]
	for _, b := range c.sacks[:c.nsacks] {
		if right.Less(b.Left) || b.Right.Less(left) {
			keep = append(keep, b)
			continue
		}
		if b.Left.Less(left) {
			left = b.Left
		}
		right = maxSeq(right, b.Right)
	}
	left, right = c.recvq.span(left, right)
	n := min(len(keep), len(c.sacks)-1)
	copy(c.sacks[1:], keep[:n])
	c.sacks[0] = wire.SACKBlock{Left: left, Right: right}
	c.nsacks = n + 1
}

// pruneSACKs drops the blocks that rcvNxt has passed.
func (c *Conn) pruneSACKs() {
	n := 0
	for _, b := range c.sacks[:c.nsacks] {
		if c.rcvNxt.Less(b.Left) {
			c.sacks[n] = b
			n++
		}
	}
	c.nsacks = n
}

// duplicate notes bytes that came twice, to be reported once: RFC 2883 §4.
func (c *Conn) duplicate(left, right wire.Seq) {
	if c.sackOK && left != right {
		c.dsack, c.hasDSACK = wire.SACKBlock{Left: left, Right: right}, true
	}
}
