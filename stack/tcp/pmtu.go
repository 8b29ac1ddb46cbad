package tcp

import (
	"time"

	"slashnet/wire"
)

// The path MTU. It begins as the interface's, and falls when a router says so (RFC
// 1191, 8201) or when segments of full size vanish without a word (RFC 4821 §7.7).
// Later it is searched for again, upwards, with segments of data that are larger
// than is known to pass: RFC 8899's numbers. transmit.go asks for a probe,
// loss.go tells of its loss, ack.go of its arrival. Each connection learns for
// itself.

// MinMTU is what every path can carry; an ICMP that says less lies. RFC 791, 1191 §3.
const MinMTU = 68

// leastPMTU is the least that is believed of a router: with less somebody makes us
// send tiny segments (RFC 1191 §3 allows 68).
const leastPMTU = 552

// RFC 8899 §5.1.2 and §5.1.1.
const (
	basePMTU      = 1200 // passes nearly everywhere; IPv6 guarantees 1280
	mostProbes    = 3    // of one size, before it is too large
	probeInterval = 15 * time.Second
	raiseInterval = 10 * time.Minute // RFC 1191 §6.3, too: never within 5 minutes
	searchedWell  = 16               // bytes that are not worth a probe
)

// plateaus are the MTUs of RFC 1191 §7, table 7-1, for routers that do not say
// theirs, with those of tunnels of today.
var plateaus = []int{32000, 17914, 8166, 4352, 2002, 1492, 1400, 1280, 1006, 508, 296, MinMTU}

// blackHole is how many timeouts in a row make one suspect the size: R1 of RFC 9293
// §3.8.3, where the path is to be doubted.
const blackHole = 3

// search is for a larger path MTU; there is none while it is the interface's.
type search struct {
	failed int           // this was too large; 0: not known
	tries  int           // of the size that is being tried
	next   time.Duration // when the next probe may leave
	size   int           // of the probe under way; 0: none
	seq    wire.Seq      // where it begins
	end    wire.Seq
}

// SetMTU is told of the interface's MTU, which is a bound for every path over it.
func (c *Conn) SetMTU(now time.Duration, mtu int) {
	if mtu < MinMTU || c.state == Closed {
		return
	}
	c.linkMTU = min(c.linkMTU, mtu)
	if c.search != nil {
		c.search.size = 0 // a probe would go in two
	}
	c.lowerMTU(mtu)
}

// TooBig is told what a router says of a segment of ours that Quoted believes: its
// MTU, or 0 from one that does not know. What is in flight and too large goes again
// at once, in smaller segments; this is no congestion (RFC 1191 §6.5).
func (c *Conn) TooBig(now time.Duration, mtu int) {
	if c.ipHeader == 40 && mtu < 1280 {
		return // RFC 8201 §4: to be discarded
	}
	if mtu == 0 {
		for _, mtu = range plateaus {
			if mtu < c.mtu {
				break
			}
		}
	}
	if mtu = max(mtu, leastPMTU); mtu >= c.mtu || c.state == Closed {
		return // RFC 1191 §3: never up
	}
	c.lowerMTU(mtu)
	c.search = &search{next: now + raiseInterval}
}

func (c *Conn) lowerMTU(mtu int) {
	if mtu >= c.mtu {
		return
	}
	was := c.mss
	c.useMTU(mtu)
	if c.mss >= was || !c.state.synchronised() {
		return
	}
	for i := range c.flight.legs.all() {
		if c.flight.legs.at(i).len() > c.mss {
			c.flight.lose(i)
		}
	}
}

func (c *Conn) useMTU(mtu int) {
	c.mtu = mtu
	c.mss = max(min(c.peerMSS, c.fit(mtu)), minMSS)
}

// doubtMTU is called when the timer has expired some times in a row: if what is
// lost is large, a size that passes nearly everywhere is tried.
func (c *Conn) doubtMTU(now time.Duration) {
	if !c.cfg.MTUProbe || c.retries%blackHole != 0 {
		return
	}
	base := basePMTU
	switch {
	case c.ipHeader == 40:
		base = 1280 // RFC 8200 §5
	case c.mtu <= base:
		base = 576 // RFC 1122 §3.3.3
	}
	if base >= c.mtu || c.flight.legs.at(0).len() <= c.fit(base) {
		return
	}
	c.cfg.Counters.BlackHoles++
	failed := c.mtu
	if c.search == nil {
		failed = 0 // perhaps it was just the path that was down: try the same again first
	}
	c.useMTU(base)
	c.search = &search{failed: failed, next: now + probeInterval}
}

// ceiling is the largest MTU that is of use: our interface's, or what the peer
// takes.
func (c *Conn) ceiling() int { return min(c.linkMTU, c.peerMSS+c.ipHeader+wire.TCPLen) }

// candidate is the size to try next: at first the largest, then the middle of what
// passes and what does not. 0: nothing is worth it.
func (c *Conn) candidate() int {
	top := c.ceiling()
	if f := c.search.failed; f > 0 && f <= top {
		top = c.mtu + (f-c.mtu)/2
	}
	if top-c.mtu < searchedWell || c.fit(top) <= c.mss {
		return 0
	}
	return top
}

// probeMTU sends new data in one segment of a size that is not known to pass, if it
// is time, and if enough follows it that its loss would be found at once: RFC 4821
// §7.2 to §7.4.
func (c *Conn) probeMTU(now time.Duration, seg *Segment, queued, options int) bool {
	p := c.search
	if p.size > 0 || now < p.next || !c.cfg.MTUProbe || !c.sackOK || c.phase != open || c.flight.sacked+c.flight.lost > 0 || c.say.force {
		return false
	}
	size := c.candidate()
	if size == 0 {
		// RFC 8899 §5.3.3: what has failed may pass later
		if c.search = nil; c.mtu < c.ceiling()-searchedWell {
			c.search = &search{next: now + raiseInterval}
		}
		return false
	}
	n := c.fit(size) - options
	need := n + dupThresh*c.mss
	if usable := int(int32(c.una-c.nxt)) + c.wnd; queued < need || usable < need || c.cwnd-c.pipe() < n || c.cwnd < need {
		return false
	}
	if got := c.sendq.slices(c.nxt, n, seg); got < n {
		seg.Release() // in too many pieces: another time
		return false
	}
	c.cfg.Counters.MTUProbes++
	p.size, p.seq, p.end = size, c.nxt, c.nxt+wire.Seq(n)
	c.fill(now, seg, c.nxt, wire.ACK)
	seg.Len, seg.MSS = n, n
	c.send(now, p.end)
	return true
}

// probePassed looks whether the probe has arrived.
func (c *Conn) probePassed() {
	p := c.search
	if p.size == 0 {
		return
	}
	if p.seq.Less(c.una) {
		if p.end.Less(c.una) || p.end == c.una {
			c.probeDone()
		}
		return
	}
	if i := c.flight.find(p.seq); i < c.flight.legs.len() && c.flight.legs.at(i).sacked && !c.flight.legs.at(i).end.Less(p.end) {
		c.probeDone()
	}
}

func (c *Conn) probeDone() {
	p := c.search
	c.useMTU(p.size)
	p.size, p.tries = 0, 0
}

// probeLost reports whether all that is lost is the probe: that is no sign of
// congestion, and does not touch the window (RFC 4821 §7.6.1). Its bytes go again.
func (c *Conn) probeLost(now time.Duration) bool {
	p := c.search
	if p.size == 0 {
		return false
	}
	i := c.flight.find(p.seq)
	if i == c.flight.legs.len() || !c.flight.legs.at(i).lost || c.flight.legs.at(i).resent {
		return false
	}
	l := c.flight.legs.at(i)
	alone := l.seq == p.seq && l.end == p.end && c.flight.lost == l.len()
	c.probeFailed(now)
	return alone
}

// probeFailed is also for a timeout, of which the probe may be the reason.
func (c *Conn) probeFailed(now time.Duration) {
	p := c.search
	if p.size == 0 {
		return
	}
	if p.tries++; p.tries >= mostProbes {
		p.failed, p.tries = p.size, 0
	}
	p.size, p.next = 0, now+probeInterval
}
