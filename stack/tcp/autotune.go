package tcp

import (
	"time"

	"slashnet/wire"
)

// Queues as large as their connection needs them: the window that is promised, and
// what the user may write ahead, begin small and grow with the product of rate and
// round-trip time, up to the Config's limits. text.go calls fitWindow for what
// arrives, loss.go fitWrites for what was acknowledged. A size that the user has
// chosen stays as it is. No RFC says how; RFC 7323 §2 says why.

// firstQueue is where the receive queue begins: the second round trip of a slow
// start does not fill it, and ten thousand of them that nobody reads are bearable.
const firstQueue = 256 << 10

// firstWrites is how much the user may write ahead at least. Less has a writer to
// the next machine wait, and be woken on another core, at every second write.
const firstWrites = 1 << 20

// sizing is the size of the receive queue, and a measurement of a round trip.
type sizing struct {
	queue int
	rtt   time.Duration // as the receiver sees it
	least time.Duration // age of the echoes in this round: the round trip, or more
	began time.Duration
	taken uint64 // bytes that the user had taken by then
	last  int    // bytes taken in the round before
}

// guessRTT is for a receiver that has neither sent anything nor has timestamps.
const guessRTT = 100 * time.Millisecond

// leastMeasure is a time in which what comes in bunches, as the scheduler has it,
// evens out.
const leastMeasure = time.Millisecond

// fitWindow lets the receive queue grow to twice what the user takes in a round
// trip, and ahead of that while it takes more each time, as in slow start. So a
// sender is never held back by the window alone, and a reader that does not keep up
// is not promised more.
func (c *Conn) fitWindow(now time.Duration) {
	z := &c.sizing
	if z.rtt == 0 { // the first bytes
		z.rtt = guessRTT
		c.nextRound(now)
		return
	}
	if c.tsOK && c.rack.echo != never {
		z.least = min(z.least, now-c.rack.echo)
	}
	took := now - z.began
	if took < max(z.rtt, leastMeasure) {
		return
	}
	taken := int(c.userTook() - z.taken)
	if took > 2*z.rtt {
		taken = int(float64(taken) * float64(z.rtt) / float64(took)) // of one round trip
	}
	if want := 2*taken + 2*max(taken-z.last, 0); want > z.queue {
		z.queue = min(want, c.rcvLimit())
		c.say.open = true
	}
	z.last = taken
	// An echo may be old because the peer had nothing to send: it counts for twice the
	// last round trip at most.
	if z.least != never {
		z.rtt = min(z.least, 2*z.rtt)
	}
	c.nextRound(now)
}

// nextRound begins to measure. Where timestamps are too coarse, or there are none,
// the round trip is that of what we sent, perhaps of the handshake alone.
func (c *Conn) nextRound(now time.Duration) {
	z := &c.sizing
	if (z.least == never || z.rtt <= 4*timestampTick || z.taken == 0) && c.rtt.sampled {
		z.rtt = c.rack.minRTT
	}
	z.began, z.least, z.taken = now, never, c.userTook()
}

// userTook is how many bytes the user has taken so far.
func (c *Conn) userTook() uint64 { return c.count.bytesIn - uint64(c.recvq.unread) }

// ahead is the limit of what the user may write ahead, and a measurement.
type ahead struct {
	room  int // bytes
	began time.Duration
	from  wire.Seq // una then
	last  int      // bytes that arrived in the round trip before
}

// fitWrites lets the send queue grow to twice what the path takes in a round
// trip, in flight and to follow, and ahead of that while it takes more each time.
// The congestion window is no measure: next door it grows far beyond what is in
// flight, and a queue that does not fit in the caches costs as much as a copy. The
// queue does not shrink, as what is in flight does not when a loss halves the window.
func (c *Conn) fitWrites(now time.Duration) {
	a := &c.ahead
	took := now - a.began
	if took < max(c.rack.minRTT, leastMeasure) {
		return
	}
	if a.began > 0 {
		arrived := int(float64(c.una-a.from) * float64(c.rack.minRTT) / float64(took))
		if want := 2*arrived + 2*max(arrived-a.last, 0); want > a.room {
			a.room = want
		}
		a.last = arrived
	}
	a.began, a.from = now, c.una
}

// minBuffer lets two segments of an Ethernet pass.
const minBuffer = 4 << 10

func bufSize(n int) int { return min(max(n, minBuffer), maxWindow) }

// sndBuf is the limit of the send queue now.
func (c *Conn) sndBuf() int {
	if c.user.sndBuf > 0 {
		return bufSize(c.user.sndBuf)
	}
	return min(bufSize(c.cfg.SndBuf), max(firstWrites, c.ahead.room))
}

// rcvBuf is the limit of the receive queue now.
func (c *Conn) rcvBuf() int { return min(c.rcvLimit(), max(firstQueue, c.sizing.queue)) }

// rcvLimit is how large the receive queue may become.
func (c *Conn) rcvLimit() int {
	if c.user.rcvBuf > 0 {
		return bufSize(c.user.rcvBuf)
	}
	return bufSize(c.cfg.RcvBuf)
}
