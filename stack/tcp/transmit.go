package tcp

import (
	"time"

	"slashnet/wire"
)

// Segments with data, or a SYN or a FIN: new ones and those that go again.
// output.go calls transmit and retransmit, one segment at a time.

// holdRTT is the round trip up to which the end of what is queued waits for the
// acknowledgement of what is in flight, to leave in one large segment with what
// the user writes next: worth a tenth of the throughput where round trips are short.
const holdRTT = time.Millisecond

// largest is the payload of the largest segment, GSO included: what a datagram
// of 64 KiB carries, in whole MSS.
func (c *Conn) largest(mss, options int) int {
	n := 65535 - c.ipHeader - wire.TCPLen - options
	if n > mss {
		n -= n % mss
	}
	return n
}

// transmit sends the next new data, or the FIN.
func (c *Conn) transmit(now time.Duration, seg *Segment) bool {
	if c.finSent() {
		return false
	}
	queued := int(c.sendq.end - c.nxt)
	if queued == 0 && !c.finQueued {
		c.say.force = false
		return false
	}
	c.restart(now)
	options := c.optionBytes()
	mss := max(c.mss-options, 1)
	if c.search != nil && c.probeMTU(now, seg, queued, options) {
		return true
	}
	n := c.allowance(queued, mss, options)
	if n < 0 {
		return false
	}
	if c.ecn.tell {
		n = min(n, mss) // CWR is for one segment on the wire
	}
	got := c.sendq.slices(c.nxt, n, seg)
	if got < n && got > mss {
		n = got - got%mss
		seg.shorten(n)
	} else {
		n = got
	}
	flags := wire.ACK
	end := c.nxt + wire.Seq(n)
	if n == queued {
		if n > 0 {
			flags |= wire.PSH // RFC 9293 §3.9.1.2, MUST-61
		}
		if c.finQueued && (c.say.force && n == 0 || int(int32(c.una-end))+c.wnd > 0) {
			flags |= wire.FIN
			end++
		}
	}
	if n%mss != 0 && !c.say.force {
		c.smallEnd = end
	}
	probe := c.say.force
	c.say.force = false
	c.fill(now, seg, c.nxt, flags)
	seg.Len, seg.MSS = n, mss
	if c.ecn.ok && n > 0 && !probe {
		c.markable(seg)
	}
	c.send(now, end)
	return true
}

// send notes that sequence space up to end is in flight.
func (c *Conn) send(now time.Duration, end wire.Seq) {
	if c.una == c.nxt {
		c.progress = now
		c.stop(tRexmit) // it waited for the window
	}
	if c.phase == recovery {
		c.prr.out += int(end - c.nxt)
	}
	c.flight.add(c.nxt, end, now)
	c.nxt = end
	if c.timers[tRexmit] == never {
		c.start(tRexmit, now+c.timeout()) // RFC 6298 §5.1
	}
	c.armTail(now)
}

// restart takes the window back after a pause of a timeout or more: RFC 5681 §4.1.
func (c *Conn) restart(now time.Duration) {
	if c.una != c.nxt {
		return
	}
	if idle := now - c.flight.last; idle > c.rtt.rto {
		c.cwnd = min(c.cwnd, initialWindow(c.cfg.InitCwnd, c.mss))
		c.cc.rested(idle)
		c.flight.last = now
	}
}

// allowance is how many of the queued bytes go out now in one segment: -1 for
// none, 0 for a bare FIN. RFC 9293 §3.8.6.2.1 (silly window) and §3.7.4 (Nagle).
func (c *Conn) allowance(queued, mss, options int) int {
	usable := int(int32(c.una-c.nxt)) + c.wnd
	if c.say.force {
		return min(queued, max(usable, 1), mss) // a window probe, or the override timer
	}
	if queued == 0 {
		if usable > 0 {
			return 0
		}
		return -1
	}
	room := c.cwnd - c.pipe()
	n := min(queued, usable, room, c.largest(mss, options))
	if room < min(queued, usable) {
		c.full = c.nxt + wire.Seq(max(n, 0))
	}
	switch {
	case n <= 0:
		return -1
	case n < queued && n >= mss:
		n -= n % mss
	case n < queued && (n < usable || n < c.maxWnd/2):
		// less than a segment: the congestion window will open, and the peer's is only
		// worth using in halves
		return -1
	case n == queued && c.holdsTail(n%mss):
		if n -= n % mss; n == 0 {
			return -1
		}
	}
	if c.holdsBack(n, queued, mss, options) {
		return -1
	}
	return n
}

// holdsTail reports whether a last segment that is not full has to wait. This is
// Nagle's rule as Minshall refined it: at most one small segment in flight.
func (c *Conn) holdsTail(part int) bool {
	switch {
	case part == 0 || c.finQueued:
		return false
	case c.user.cork:
		return true
	case c.user.noDelay:
		return false
	}
	return c.una.Less(c.smallEnd) && c.una != c.nxt
}

// holdsBack reports whether to wait for more, so that bulk data leaves in large
// segments: only while acknowledgements are on their way, for at most half of
// the window or what leaves in a millisecond, and never when anything is missing.
// More at once would be a burst, which a queue on the way has to bear.
func (c *Conn) holdsBack(n, queued, mss, options int) bool {
	pipe := c.pipe()
	if pipe == 0 || c.phase != open || c.flight.sacked > 0 || c.dupBytes > 0 {
		return false
	}
	goal := min(c.cwnd, c.wnd) / 2
	if ms := int(c.rtt.srtt / time.Millisecond); ms > 2 {
		goal = c.cwnd / ms
	}
	goal = max(goal, mss)
	goal = min(goal-goal%mss, c.largest(mss, options))
	switch {
	case n >= goal:
		return false
	case queued-n >= mss:
		return true
	}
	return !c.user.noDelay && !c.finQueued && pipe >= goal && c.rtt.sampled && c.rtt.srtt < holdRTT
}

// retransmit sends the first lost leg, or as much of it as is allowed.
func (c *Conn) retransmit(now time.Duration, seg *Segment) bool {
	i := c.flight.firstLost()
	if i < 0 {
		return false
	}
	l := *c.flight.legs.at(i)
	if !c.state.synchronised() {
		c.fill(now, seg, c.iss, c.synFlags())
		c.resent(now, seg, i, 1)
		return true
	}
	force := c.say.force && i == 0
	usable := int(int32(c.una-l.seq)) + c.wnd
	if usable <= 0 {
		if !force {
			return false // SHLD-15: not beyond the edge; the timer will probe
		}
		usable = 1
	}
	options := c.optionBytes()
	mss := max(c.mss-options, 1)
	room := c.cwnd - c.pipe()
	if force || c.pipe() == 0 {
		room = max(room, mss)
	}
	n := min(l.len(), usable, room, c.largest(mss, options))
	if room < min(l.len(), usable) {
		c.full = c.nxt
	}
	if n < l.len() {
		if n > mss {
			n -= n % mss
		} else if n < min(mss, usable) {
			return false // wait until a segment fits
		}
	}
	if n <= 0 {
		return false
	}
	c.say.force = false
	c.resend(now, seg, i, n, mss)
	return true
}

// resend sends n numbers of sequence space from the beginning of leg i again.
func (c *Conn) resend(now time.Duration, seg *Segment, i, n, mss int) {
	seq := c.flight.legs.at(i).seq
	data := min(n, int(int32(c.sendq.end-seq)))
	if data > 0 {
		got := c.sendq.slices(seq, data, seg)
		if got < data && got > mss {
			got -= got % mss
			seg.shorten(got)
		}
		if got < data {
			data, n = got, got
		}
	}
	flags := wire.ACK
	if n > data {
		flags |= wire.FIN
	}
	if data > 0 && seq+wire.Seq(data) == c.sendq.end {
		flags |= wire.PSH
	}
	c.fill(now, seg, seq, flags)
	seg.Len, seg.MSS = data, mss
	c.resent(now, seg, i, n)
}

// resent notes that n numbers of leg i went out again, in seg.
func (c *Conn) resent(now time.Duration, seg *Segment, i, n int) {
	head := c.flight.legs.at(i).seq == c.una
	c.flight.resend(i, n, now)
	c.cfg.Counters.RetransSegs += seg.onWire()
	c.count.retrans += seg.onWire()
	if c.troubleSince == 0 {
		c.troubleSince = now
	}
	if c.phase == recovery {
		c.prr.out += n
	}
	if head && c.sackOK || c.timers[tRexmit] == never {
		c.start(tRexmit, now+c.timeout())
	}
}

// tailProbe is RFC 8985 §7.3: one segment, new if there is one, else the last.
func (c *Conn) tailProbe(now time.Duration, seg *Segment) bool {
	c.cfg.Counters.TailProbes++
	options := c.optionBytes()
	mss := max(c.mss-options, 1)
	usable := int(int32(c.una-c.nxt)) + c.wnd
	if queued := int(c.sendq.end - c.nxt); !c.finSent() && queued > 0 && usable >= min(queued, mss) {
		c.say.force, c.tail = true, tail{armed: true}
		sent := c.transmit(now, seg)
		c.tail.end = c.nxt
		return sent
	}
	i := c.flight.legs.len() - 1
	if i < 0 {
		return false
	}
	if l := c.flight.legs.at(i); l.len() > mss {
		i, _ = c.flight.cut(l.end - wire.Seq(mss))
	}
	if c.flight.legs.at(i).sacked {
		return false
	}
	c.tail = tail{armed: true, resent: true, end: c.nxt}
	c.flight.lose(i)
	c.resend(now, seg, i, min(c.flight.legs.at(i).len(), c.largest(mss, options)), mss)
	return true
}
