package tcp

import (
	"math"
	"time"

	"slashnet/stack/neterr"
)

// What happens when nothing happens. The stack calls Tick at Deadline or later;
// a Deadline that has moved is found by the next call.

// A timer is the index of a deadline. A stopped timer is an absent one.
type timer int

const (
	tRexmit  timer = iota // retransmission, or window probe: something is outstanding
	tProbe                // tail loss probe
	tReorder              // RACK: a segment that is late is lost
	tDelAck               // delayed acknowledgement
	tKeep                 // keep-alive
	tWait                 // FIN-WAIT-2 of a closed connection, TIME-WAIT
	tLinger               // patience with the peer after Close
	timers   = iota
)

// never is the deadline of a stopped timer.
const never = time.Duration(math.MaxInt64)

func (c *Conn) start(t timer, at time.Duration) { c.timers[t] = at }
func (c *Conn) stop(t timer)                    { c.timers[t] = never }

// due reports whether a timer has expired, and stops it.
func (c *Conn) due(t timer, now time.Duration) bool {
	if c.timers[t] > now {
		return false
	}
	c.timers[t] = never
	return true
}

// Deadline is when Tick wants to be called next.
func (c *Conn) Deadline() (at time.Duration, ok bool) {
	at = never
	for _, t := range c.timers {
		at = min(at, t)
	}
	return at, at != never
}

// Tick does what is due.
func (c *Conn) Tick(now time.Duration) {
	if c.due(tDelAck, now) {
		c.cfg.Counters.DelayedAcks++
		c.say.ack = true
	}
	if c.due(tReorder, now) && c.detectLoss(now) {
		c.congested(now)
	}
	if c.due(tProbe, now) && c.una != c.nxt {
		c.say.tail = true
		c.start(tRexmit, now+c.timeout()) // RFC 8985 §7.3
	}
	if c.due(tRexmit, now) {
		c.timedOut(now)
	}
	if c.due(tKeep, now) {
		c.keepAlive(now)
	}
	if c.due(tWait, now) {
		c.die(nil) // RFC 9293 §3.10.8, TIME-WAIT timeout; or nobody waits for the FIN any more
	}
	if c.due(tLinger, now) {
		c.reset(neterr.TimedOut)
	}
}

// Retries is how many timeouts in a row there have been: the caller doubts the path
// after R1 of them, RFC 9293 §3.8.3.
func (c *Conn) Retries() int { return c.retries }

// timeout is how long to wait for an acknowledgement now: the interval of window
// probes doubles by itself, RFC 9293 §3.8.6.1.
func (c *Conn) timeout() time.Duration {
	d := c.rtt.rto
	for i := 0; i < c.probes && d < c.cfg.RTOMax; i++ {
		d *= 2
	}
	return min(d, c.cfg.RTOMax)
}

// armPersist makes sure that what is queued and may not go now is tried again:
// the window is shut, or too small to be worth it, or the user has corked it.
func (c *Conn) armPersist(now time.Duration) {
	if c.timers[tRexmit] != never || c.una != c.nxt || !c.state.sending() || c.finSent() {
		return
	}
	if c.sendq.end != c.nxt || c.finQueued {
		c.start(tRexmit, now+c.timeout())
	}
}

// timedOut is the expiry of the retransmission timer: RFC 6298 §5.4 to §5.7.
func (c *Conn) timedOut(now time.Duration) {
	if c.una == c.nxt {
		// Nothing is in flight: the window, or the cork, has held it back so long.
		c.probe(now)
		return
	}
	if c.giveUp(now) {
		return
	}
	c.retries++
	c.cfg.Counters.RetransTimeouts++
	switch {
	case !c.state.synchronised():
		c.rtt.backOff(c.cfg)
		c.loseSYN()
	case c.wnd == 0:
		// A probe, or data in a window that was taken back: SHLD-17, not the path's fault.
		c.probe(now)
		c.flight.lose(0)
		return
	default:
		c.collapse(now)
		c.doubtMTU(now)
	}
	c.start(tRexmit, now+c.timeout())
}

// probe sends one segment whatever the window says: RFC 9293 §3.8.6.1.
func (c *Conn) probe(now time.Duration) {
	if c.wnd == 0 {
		c.cfg.Counters.WindowProbes++
		c.probes++
		if c.lastRecv >= c.probedAt && !c.closed {
			c.retries = 0 // the peer answers: MUST-37, keep it for its user
		}
		c.probedAt = now
	}
	c.say.force = true
	if c.una != c.nxt {
		c.start(tRexmit, now+c.timeout())
	}
}

// collapse takes everything in flight as lost and begins again with one segment:
// RFC 5681 §3.1, RFC 6298 §5.5.
func (c *Conn) collapse(now time.Duration) {
	if c.flight.sacked > 0 {
		c.cfg.Counters.SACKReneges++
	}
	c.beginFRTO()
	if c.phase != backOff {
		c.remember(now)
		c.ssthresh = c.cc.reduce(min(c.cwnd, int(c.nxt-c.una)), c.mss)
	}
	c.phase, c.recover, c.hystart = backOff, c.nxt, nil
	c.dups, c.dupBytes = 0, 0
	c.tail.armed, c.say.tail = false, false
	if c.search != nil {
		c.probeFailed(now)
	}
	c.stop(tProbe)
	c.stop(tReorder)
	c.flight.loseAll()
	c.cwnd = c.mss
	c.rtt.backOff(c.cfg)
}

// giveUp ends a connection whose peer does not answer: R2 of RFC 9293 §3.8.3, or
// the user's patience.
func (c *Conn) giveUp(now time.Duration) bool {
	limit := c.cfg.Retries2
	if c.user.retries != 0 {
		limit = c.user.retries
	}
	switch c.state {
	case SynSent:
		limit = c.cfg.SynRetries
	case SynReceived:
		limit = c.cfg.SynAckRetries
	}
	patience := c.user.userTimeout
	if patience == 0 && c.user.retries == 0 && c.patience > 0 && c.state.synchronised() {
		patience, limit = c.patience, -1 // the user's own has precedence: RFC 5482 §3.1
	}
	late := patience > 0 && now-c.progress >= patience
	if !late && (limit < 0 || c.retries < limit) {
		return false
	}
	c.cfg.Counters.TimedOut++
	err := error(neterr.TimedOut)
	if c.soft != nil {
		err = c.soft // RFC 1122 §4.2.3.9: what ICMP said is the better reason
	}
	c.die(err)
	return true
}

// tailSlack is added to the time of a tail loss probe, for receivers and
// schedulers that take a while.
const tailSlack = 10 * time.Millisecond

// peerDelay is how long a peer may delay the acknowledgement of a lone segment,
// RFC 8985 §7.2: WCDelAckT.
const peerDelay = 200 * time.Millisecond

// armTail sets the time of the next tail loss probe: RFC 8985 §7.2.
func (c *Conn) armTail(now time.Duration) {
	if !c.sackOK || c.phase != open || c.tail.armed || c.flight.sacked > 0 ||
		!c.rtt.sampled || c.una == c.nxt || int(c.nxt-c.una) > c.wnd || !c.state.sending() {
		return
	}
	pto := 2*c.rtt.srtt + tailSlack
	if int(c.nxt-c.una) <= c.mss {
		pto += peerDelay
	}
	if at := now + pto; at < c.timers[tRexmit] {
		c.start(tProbe, at)
	} else {
		c.stop(tProbe)
	}
}

// armKeep starts the keep-alive timer. It is not touched by traffic: when it
// fires it looks how long ago the last segment came.
func (c *Conn) armKeep(now time.Duration) {
	c.stop(tKeep)
	if c.user.keepAlive && c.state.synchronised() && c.state != TimeWaiting {
		c.start(tKeep, now+c.keepIdle())
	}
}

func (c *Conn) keepIdle() time.Duration {
	if c.user.keepIdle > 0 {
		return c.user.keepIdle
	}
	return c.cfg.KeepIdle
}

func (c *Conn) keepIntvl() time.Duration {
	if c.user.keepIntvl > 0 {
		return c.user.keepIntvl
	}
	return c.cfg.KeepIntvl
}

func (c *Conn) keepCnt() int {
	if c.user.keepCnt > 0 {
		return c.user.keepCnt
	}
	return c.cfg.KeepCnt
}

// keepAlive is RFC 9293 §3.8.4: only when nothing is outstanding and nothing
// came for the interval.
func (c *Conn) keepAlive(now time.Duration) {
	idle := now - c.lastRecv
	switch {
	case c.una != c.nxt || c.sendq.end != c.nxt && !c.finSent():
		c.start(tKeep, now+c.keepIdle())
	case idle < c.keepIdle() && c.keepProbes == 0:
		c.start(tKeep, c.lastRecv+c.keepIdle())
	case c.keepProbes >= c.keepCnt():
		c.cfg.Counters.TimedOut++
		c.reset(neterr.TimedOut)
	default:
		c.keepProbes++
		c.cfg.Counters.KeepAlives++
		c.say.keep = true
		c.start(tKeep, now+c.keepIntvl())
	}
}
