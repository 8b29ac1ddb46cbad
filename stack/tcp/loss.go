package tcp

import (
	"time"

	"slashnet/wire"
)

// Finding loss and coming back from it. ack.go calls delivered for each
// acknowledgement; timers.go calls timedOut, tailProbe and reorderTimeout.
//
// Loss is found by time (RACK, RFC 8985): a leg is lost if one that was sent
// sufficiently later has arrived. That covers lost retransmissions too. Without SACK it is
// found by counting duplicate acknowledgements (RFC 6582). The window during
// recovery follows RFC 9937 (PRR).

// A phase is where the congestion control is.
type phase uint8

const (
	open     phase = iota
	recovery       // loss was found by acknowledgements
	backOff        // by the timer: slow start from one segment
)

func (p phase) String() string { return [...]string{"open", "recovery", "loss"}[p] }

// dupThresh duplicate acknowledgements mean loss, RFC 5681 §2.
const dupThresh = 3

// rack is the state of RFC 8985 §5.3.
type rack struct {
	sent      time.Duration // when the latest-sent leg that has arrived left
	end       wire.Seq      // and its end
	rtt       time.Duration // and its round trip
	high      wire.Seq      // highest sequence that has arrived
	reordered bool
	mult      int      // of the reordering window, grows with needless retransmissions
	calm      int      // recoveries until mult falls back
	round     wire.Seq // mult grows once per round trip
	minRTT    time.Duration

	// of the acknowledgement being worked on
	now, echo time.Duration
}

// calmRecoveries is how long a wide reordering window is kept, RFC 8985 §6.2.
const calmRecoveries = 16

// arrived notes one leg that has arrived, RFC 8985 §6.2 steps 1 to 3.
func (r *rack) arrived(l *leg) {
	took := max(r.now-l.sent, 1)
	switch {
	case !l.resent:
		if r.minRTT == 0 || took < r.minRTT {
			r.minRTT = took
		}
		if l.end.Less(r.high) {
			r.reordered = true
		}
	case took < r.minRTT, l.sent.Truncate(timestampTick) > r.echo:
		return // the answer to the first transmission
	}
	if r.high.Less(l.end) {
		r.high = l.end
	}
	if r.sent < l.sent || r.sent == l.sent && r.end.Less(l.end) {
		r.sent, r.end, r.rtt = l.sent, l.end, took
	}
}

// before reports whether l was sent before the latest leg that has arrived.
func (r *rack) before(l *leg) bool {
	return l.sent < r.sent || l.sent == r.sent && l.end.Less(r.end)
}

// pipe is what is on its way: RFC 6675 §4, in three numbers.
func (c *Conn) pipe() int {
	return max(int(c.nxt-c.una)-c.flight.sacked-c.flight.lost-c.dupBytes, 0)
}

// reorderWindow is how much later a leg may arrive, RFC 8985 §6.2 step 4.
func (c *Conn) reorderWindow() time.Duration {
	if !c.rack.reordered && (c.phase != open || c.flight.sacked >= dupThresh*c.mss) {
		return 0
	}
	// We differ: it grows in steps of the round trip as it is, since a segment that
	// overtook others on both ways makes the least one useless.
	return min(c.rack.minRTT/4+c.rtt.srtt/4*time.Duration(c.rack.mult), c.rtt.srtt)
}

// detectLoss marks what must be lost by now, and arms the timer for what may be
// soon: RFC 8985 §6.2 step 5. It reports whether it marked any.
func (c *Conn) detectLoss(now time.Duration) bool {
	c.stop(tReorder)
	wnd := c.reorderWindow()
	var wait time.Duration
	was := c.flight.lost
	for i, l := range c.flight.legs.all() {
		if l.sacked || l.lost {
			continue
		}
		if !c.rack.before(&l) {
			if !l.resent {
				break // all behind it left still later
			}
			continue
		}
		if left := l.sent + c.rack.rtt + wnd - now; left <= 0 {
			c.flight.lose(i)
		} else {
			wait = max(wait, left)
		}
	}
	if wait > 0 {
		c.start(tReorder, now+wait)
	}
	return c.flight.lost > was
}

// delivered works off what an acknowledgement said: it finds loss, enters and
// leaves recovery, and moves the window.
func (c *Conn) delivered(now time.Duration, d *delivery, acked int, dup bool) {
	lost := false
	switch {
	case c.sackOK:
		if c.flight.sacked > 0 || c.phase != open {
			lost = c.detectLoss(now)
		}
	default:
		lost = c.countDuplicates(d, acked, dup)
	}
	over := acked > 0 && c.phase != open && !c.una.Less(c.recover)
	if over {
		c.recovered()
	}
	if lost {
		c.congested(now)
	}
	switch {
	case c.phase == recovery:
		c.proportional(d.bytes, acked > 0, lost)
	case !d.marked: // RFC 3168 §6.1.2
		if over {
			// What was SACKed in the meantime was worth its segment then.
			acked = min(acked, d.bytes)
		}
		c.grow(now, acked, d)
		c.fitWrites(now)
	}
}

// countDuplicates is loss detection without SACK, RFC 6582 §3.2: the third
// duplicate means that the first segment is lost, a partial acknowledgement in
// recovery that the next one is.
func (c *Conn) countDuplicates(d *delivery, acked int, dup bool) bool {
	switch {
	case dup:
		c.dups++
		most := int(c.nxt-c.una) - c.flight.lost - 1
		if c.phase != recovery {
			most = min(most, dupThresh*c.mss) // RFC 3042: no more on trust
		}
		n := min(c.mss, most-c.dupBytes)
		c.dupBytes += max(n, 0)
		d.bytes += max(n, 0)
		// step 1: not for what was in flight at the last loss
		if c.dups != dupThresh || c.phase != open || c.una.Less(c.recover) {
			return false
		}
	case acked > 0:
		c.dups = 0
		seen := min(c.dupBytes, max(acked-c.mss, 0))
		d.bytes -= seen
		c.dupBytes -= seen
		if c.phase != recovery || !c.una.Less(c.recover) {
			c.dupBytes = 0
			return false
		}
	default:
		return false
	}
	c.dupBytes = min(c.dupBytes, max(int(c.nxt-c.una)-c.mss, 0))
	return c.loseFirst()
}

// loseFirst marks the first segment of the flight as lost.
func (c *Conn) loseFirst() bool {
	if c.flight.legs.len() == 0 || c.flight.legs.at(0).lost {
		return false
	}
	if c.flight.legs.at(0).len() > c.mss {
		c.flight.cut(c.una + wire.Seq(c.mss))
	}
	c.flight.lose(0)
	return true
}

// congested is told of loss, whose reason may be another.
func (c *Conn) congested(now time.Duration) {
	probe := c.search != nil && c.probeLost(now)
	if c.phase == open && !probe {
		c.enterRecovery(now)
	}
}

func (c *Conn) enterRecovery(now time.Duration) {
	c.cfg.Counters.FastRecovery++
	c.remember(now)
	flight := int(c.nxt - c.una)
	if !c.ecn.slowed { // else a mark has done it for this round trip
		c.ssthresh = c.cc.reduce(min(c.cwnd, flight), c.mss)
	}
	c.phase, c.recover, c.hystart = recovery, c.nxt, nil
	c.prr, c.partial = prr{flight: max(flight, 1)}, false
	c.tail.armed = false
	c.stop(tProbe)
}

// prr is the state of RFC 9937 §6.
type prr struct {
	flight, delivered, out int
}

// proportional sets the window after each acknowledgement in recovery.
func (c *Conn) proportional(delivered int, advanced, lost bool) {
	p := &c.prr
	p.delivered += delivered
	pipe, send := c.pipe(), 0
	if pipe > c.ssthresh {
		send = (p.delivered*c.ssthresh+p.flight-1)/p.flight - p.out
	} else {
		send = max(p.delivered-p.out, delivered)
		if advanced && !lost {
			send += c.mss
		}
		send = min(send, c.ssthresh-pipe)
	}
	// The first retransmission is not held back, nor is without SACK that of the hole
	// which a partial acknowledgement shows: RFC 6582 §3.2, step 3.
	if p.out == 0 || lost && !c.sackOK {
		send = max(send, c.mss)
	}
	c.cwnd = max(pipe+max(send, 0), c.mss)
}

// recovered ends recovery: all that was in flight when it began has arrived.
func (c *Conn) recovered() {
	if c.phase == recovery {
		c.cwnd = max(c.ssthresh, c.mss)
	}
	if c.rack.calm > 0 {
		if c.rack.calm--; c.rack.calm == 0 {
			c.rack.mult = 0
		}
	}
	c.phase, c.dups, c.dupBytes = open, 0, 0
	c.undo.armed = false
}

// grow opens the window: slow start below the threshold, RFC 5681 §3.1, else as
// the algorithm says; not for bytes that left when the window was not in full use.
func (c *Conn) grow(now time.Duration, acked int, d *delivery) {
	if acked <= 0 || !(c.una - wire.Seq(acked)).Less(c.full) {
		return
	}
	if c.cwnd < c.ssthresh {
		acked -= c.slowStart(now, acked, d)
		if c.phase == backOff || acked <= 0 {
			return
		}
	}
	c.cwnd = min(c.cc.avoid(c.cwnd, acked, c.mss, now, c.rtt.srtt), maxWindow)
}

// slowStart opens the window for up to n acknowledged bytes, and returns how
// many it has used.
func (c *Conn) slowStart(now time.Duration, n int, d *delivery) int {
	// We differ from RFC 3465 §2.2, L = 2 segments: one acknowledgement stands for
	// all that one GSO frame carried, and Output does not send bursts beyond that.
	step := n
	switch {
	case c.phase == backOff:
		step = min(n, c.mss) // RFC 3465 §2.3: it may have arrived before the timeout
	case c.ssthresh == maxWindow:
		if c.hystart == nil {
			c.hystart = &hystart{end: c.nxt}
		}
		var sample time.Duration
		if d.clean && !d.resent {
			sample = now - d.first
		}
		var done bool
		if step, done = c.hystart.step(n, sample, c.una, c.nxt); done {
			c.ssthresh, c.hystart = c.cwnd, nil
			return n
		}
		c.cwnd += step
		return n
	}
	step = min(step, c.ssthresh-c.cwnd)
	c.cwnd += step
	return step
}

// undo remembers the window before a loss, in case there was none: RFC 3522
// (Eifel) with the response of RFC 4015, kept simple.
type undo struct {
	armed          bool
	cwnd, ssthresh int
	at             time.Duration // of the first retransmission
}

func (c *Conn) remember(now time.Duration) {
	if c.phase == open {
		c.undo = undo{true, c.cwnd, c.ssthresh, now}
	}
}

// undoSpurious goes back to before the loss if the first acknowledgement that
// advances was for a first transmission: its echo is older than what was resent.
func (c *Conn) undoSpurious() {
	u := c.undo
	c.undo.armed = false
	if !u.armed || !c.tsOK || c.rack.echo >= u.at.Truncate(timestampTick) {
		return
	}
	c.revert()
}

// revert takes the response to a loss back that was none: RFC 4015, RFC 5682 §3.
func (c *Conn) revert() {
	u := c.undo
	c.cfg.Counters.SpuriousUndone++
	c.cwnd, c.ssthresh = max(c.cwnd, u.cwnd), u.ssthresh
	c.cc.undo()
	c.flight.findAll()
	c.phase, c.dups, c.dupBytes = open, 0, 0
	c.rtt.compute(c.cfg)
}
