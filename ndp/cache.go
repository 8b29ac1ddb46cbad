package ndp

// The neighbour cache (RFC 4861 §5.1). The roads of the stack call Lookup,
// Resolve and Confirm, the messages from the cable Learn and Advertised, whoever
// settles the stack Tick, Output and Deadline.

import (
	"net/netip"
	"time"

	"slashnet/wire"
)

// State is how far we know a neighbour (RFC 4861 §7.3.2).
type State uint8

// The states. Failed and Permanent are not the RFC's.
const (
	Incomplete State = iota // asked, no answer yet
	Reachable               // answered, or was seen to receive, a short while ago
	Stale                   // known, and nobody has asked lately
	Delay                   // in use again: its conversations may confirm it
	Probe                   // asked by unicast
	Failed                  // did not answer, a short while ago
	Permanent               // entered by hand
)

// String is how the arp file says it; OK and WAIT are Plan 9's words.
func (s State) String() string {
	return [...]string{"WAIT", "OK", "STALE", "DELAY", "PROBE", "FAIL", "PERM"}[s]
}

// Config are the knobs of a cache. It keeps the pointer: changes work from then
// on.
type Config struct {
	// ReachableTime is for how long a confirmation holds, on average; Retrans lies
	// between two solicitations. Routers may say others (RFC 4861 §6.3.2).
	ReachableTime, Retrans time.Duration
	// DelayFirst is how long conversations have to confirm a neighbour before it is
	// asked, and Tries how often it is asked then (RFC 4861 §10).
	DelayFirst time.Duration
	Tries      int
	// Forget is when an entry goes that nobody uses, Negative how long an address
	// that did not answer fails at once.
	Forget, Negative time.Duration
	// MaxEntries bounds the cache, permanent entries included; MaxPending the
	// packets that wait for one address, MaxWaiting those for all.
	MaxEntries, MaxPending, MaxWaiting int
}

// DefaultConfig are the values a host starts with (RFC 4861 §10).
func DefaultConfig() Config {
	return Config{
		ReachableTime: 30 * time.Second, Retrans: time.Second,
		DelayFirst: 5 * time.Second, Tries: 3,
		Forget:     10 * time.Minute,
		Negative:   3 * time.Second, // shorter than the second retransmission of a SYN
		MaxEntries: 1024,
		MaxPending: 8,   // RFC 4861 §7.2.2 wants one or more
		MaxWaiting: 512, // so 32 MiB, were all of them merged segments
	}
}

// Stats counts what happened.
type Stats struct {
	Solicitations uint64 // given out by Output
	Learned       uint64 // entries made because somebody spoke to us
	Resolved      uint64 // addresses that answered
	Changed       uint64 // neighbours that came with another MAC than before
	Failed        uint64 // addresses that did not answer
	Evicted       uint64 // entries that made room for others
	Dropped       uint64 // packets given to drop
	Ignored       uint64 // advertisements about whom we do not know
}

// A Cache maps addresses to stations. P is what waits for an answer.
type Cache[P any] struct {
	cfg     *Config
	random  func() uint64
	drop    func(P)
	stats   Stats
	entries map[netip.Addr]*entry[P]
	clock   clock[P]
	due     []Request
	packets int // that wait, for all
}

type entry[P any] struct {
	ip        netip.Addr
	mac       wire.MAC
	state     State
	router    bool
	tries     int
	since     time.Duration // of the state
	confirmed time.Duration // when it was last known to receive
	used      time.Duration // when something was last sent to it
	deadline  time.Duration
	place     int // in the clock, one-based; 0: has no deadline
	pending   []P
}

// never is the time of use of who was never used: before all others.
const never = -time.Hour

// NewCache makes an empty cache. drop gets the packets that nobody will send and
// that failed is not told about; it must not call the cache.
func NewCache[P any](cfg *Config, random func() uint64, drop func(P)) *Cache[P] {
	return &Cache[P]{cfg: cfg, random: random, drop: drop, entries: map[netip.Addr]*entry[P]{}}
}

func (e *entry[P]) usable() bool {
	switch e.state {
	case Incomplete, Failed:
		return false
	}
	return true
}

// Lookup returns the station of an address and notes that it is in use.
func (c *Cache[P]) Lookup(now time.Duration, ip netip.Addr) (wire.MAC, bool) {
	e := c.entries[ip]
	if e == nil || !e.usable() {
		return wire.MAC{}, false
	}
	c.use(now, e)
	return e.mac, true
}

func (c *Cache[P]) use(now time.Duration, e *entry[P]) {
	e.used = now
	if e.state == Stale {
		// RFC 4861 §7.3.3: whoever talks to it may hear from it before it is asked.
		c.enter(now, e, Delay, now+c.cfg.DelayFirst)
	}
}

// Resolve is Lookup for a packet that is ready to leave. If the station is not
// known the cache keeps p and asks; p comes back from Learn, Advertised, Tick or
// drop.
func (c *Cache[P]) Resolve(now time.Duration, ip netip.Addr, p P) (mac wire.MAC, ok bool) {
	if mac, ok := c.Lookup(now, ip); ok {
		return mac, true
	}
	e := c.entries[ip]
	if e == nil {
		if e = c.create(ip); e == nil {
			c.discard(p)
			return wire.MAC{}, false
		}
		c.enter(now, e, Incomplete, 0)
		c.solicit(now, e)
	}
	e.used = now
	// RFC 4861 §7.2.2: when the queue overflows, the new packet replaces the oldest.
	switch {
	case len(e.pending) >= max(c.cfg.MaxPending, 1):
		c.discard(e.pending[0])
		e.pending = append(e.pending[:0], e.pending[1:]...)
		c.packets--
	case c.packets >= max(c.cfg.MaxWaiting, 1):
		c.discard(p)
		return wire.MAC{}, false
	}
	e.pending = append(e.pending, p)
	c.packets++
	if e.state == Failed {
		c.at(e, now) // Tick returns it at once
	}
	return wire.MAC{}, false
}

// Confirm notes that a neighbour has received what we sent: a conversation has
// moved on (RFC 4861 §7.3.1).
func (c *Cache[P]) Confirm(now time.Duration, ip netip.Addr) {
	e := c.entries[ip]
	if e == nil || !e.usable() || e.state == Permanent {
		return
	}
	e.confirmed = now // a deadline of the state Reachable is put off when it comes
	if e.state != Reachable {
		c.reachable(now, e)
	}
}

// Doubt notes that a neighbour may have gone: a conversation gets no answer. It is
// asked when it is used next, if nothing is heard before.
func (c *Cache[P]) Doubt(now time.Duration, ip netip.Addr) {
	if e := c.entries[ip]; e != nil && e.state == Reachable {
		c.enter(now, e, Stale, now+c.cfg.Forget)
	}
}

func (c *Cache[P]) reachable(now time.Duration, e *entry[P]) {
	e.confirmed = now
	c.enter(now, e, Reachable, now+c.reachableTime())
}

// reachableTime is RFC 4861 §6.3.2: half to one and a half times the base.
func (c *Cache[P]) reachableTime() time.Duration {
	base := uint64(max(c.cfg.ReachableTime, time.Second))
	return time.Duration(base/2 + c.random()%base)
}

// Learn is told that a station has spoken of itself: the source and its MAC of a
// solicitation, of a router's advertisement or a redirect's target (RFC 4861
// §7.2.3, §6.2.6, §6.3.4). The packets that waited for it can leave to mac.
func (c *Cache[P]) Learn(now time.Duration, ip netip.Addr, mac wire.MAC, router bool) (ready []P) {
	if !station(mac) {
		return nil
	}
	e := c.entries[ip]
	switch {
	case e == nil:
		if e = c.create(ip); e == nil {
			return nil
		}
		c.stats.Learned++
	case e.state == Permanent:
		return nil
	case e.usable() && e.mac == mac:
		e.router = e.router || router
		return nil
	case e.usable():
		c.stats.Changed++
	}
	e.router = e.router || router
	return c.known(now, e, mac, Stale)
}

// known gives an entry its station.
func (c *Cache[P]) known(now time.Duration, e *entry[P], mac wire.MAC, s State) (ready []P) {
	if len(e.pending) > 0 || e.state == Incomplete && e.tries > 0 {
		c.stats.Resolved++
	}
	ready = c.take(e)
	e.mac = mac
	if s == Reachable {
		c.reachable(now, e)
	} else {
		c.enter(now, e, Stale, now+c.cfg.Forget)
		if len(ready) > 0 {
			c.use(now, e)
		}
	}
	return ready
}

// A Result is what an advertisement leads to.
type Result[P any] struct {
	Ready    []P // can leave to MAC now
	MAC      wire.MAC
	NoRouter bool // who was a router says that it is none any more
}

// Advertised takes a neighbour advertisement in (RFC 4861 §7.2.5).
func (c *Cache[P]) Advertised(now time.Duration, ip netip.Addr, m *wire.NeighbourMessage) (r Result[P]) {
	e, mac := c.entries[ip], m.TargetMAC
	given := mac != wire.MAC{}
	switch {
	case e == nil || e.state == Permanent || given && !station(mac):
		c.stats.Ignored++
		return r
	case !e.usable() && !given:
		c.stats.Ignored++
		return r
	case !e.usable():
		s := Stale
		if m.Solicited {
			s = Reachable
		}
		e.router = m.Router
		return Result[P]{Ready: c.known(now, e, mac, s), MAC: mac}
	}
	changed := given && mac != e.mac
	if changed && !m.Override {
		if e.state == Reachable {
			c.enter(now, e, Stale, now+c.cfg.Forget)
		}
		return r
	}
	if changed {
		c.stats.Changed++
		e.mac = mac
	}
	if m.Solicited {
		c.reachable(now, e)
	} else if changed {
		c.enter(now, e, Stale, now+c.cfg.Forget)
	}
	r.NoRouter = e.router && !m.Router
	e.router = m.Router
	return r
}

// station reports whether a MAC can be that of one station.
func station(m wire.MAC) bool { return !m.IsMulticast() && m != wire.MAC{} }

// A Request is a solicitation to send. To is zero if it goes to the group of IP,
// else the station that is asked whether it is still there.
type Request struct {
	IP netip.Addr
	To wire.MAC
}

// solicit asks, and comes back if nobody answers.
func (c *Cache[P]) solicit(now time.Duration, e *entry[P]) {
	e.tries++
	r := Request{IP: e.ip}
	if e.state == Probe {
		r.To = e.mac
	}
	c.due = append(c.due, r)
	c.at(e, now+c.cfg.Retrans)
}

// Output returns a solicitation that is due; call it until it returns false.
func (c *Cache[P]) Output() (Request, bool) {
	if len(c.due) == 0 {
		c.due = nil
		return Request{}, false
	}
	r := c.due[0]
	c.due = c.due[1:]
	c.stats.Solicitations++
	return r, true
}

// Tick does what is due by now. It returns the packets whose next hop did not
// answer, and the neighbours that have stopped to.
func (c *Cache[P]) Tick(now time.Duration) (failed []P, lost []netip.Addr) {
	for len(c.clock) > 0 && c.clock[0].deadline <= now {
		e := c.clock[0]
		switch e.state {
		case Reachable:
			if again := e.confirmed + c.cfg.ReachableTime; again > now {
				c.at(e, again)
			} else {
				c.enter(now, e, Stale, now+c.cfg.Forget)
			}
		case Stale:
			c.forget(e)
		case Delay:
			c.enter(now, e, Probe, 0)
			c.solicit(now, e)
		case Incomplete, Probe:
			if e.tries < c.cfg.Tries {
				c.solicit(now, e)
				break
			}
			c.stats.Failed++
			lost = append(lost, e.ip)
			if e.state == Probe {
				c.forget(e) // the next packet asks everybody
				break
			}
			failed = append(failed, c.take(e)...)
			c.enter(now, e, Failed, now+c.cfg.Negative)
		default: // Failed, and either a packet came or the time is over
			failed = append(failed, c.take(e)...)
			if end := e.since + c.cfg.Negative; end > now {
				c.at(e, end)
			} else {
				c.forget(e)
			}
		}
	}
	return failed, lost
}

// Deadline is when Tick or Output next has something to do.
func (c *Cache[P]) Deadline() (time.Duration, bool) {
	switch {
	case len(c.due) > 0:
		return 0, true
	case len(c.clock) > 0:
		return c.clock[0].deadline, true
	}
	return 0, false
}

// Stats returns the counters.
func (c *Cache[P]) Stats() Stats { return c.stats }
