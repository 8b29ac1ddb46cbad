// The cache as the roads of the stack use it: down calls Lookup and Resolve, up
// calls Input, and whoever settles the view calls Tick, Output and Deadline.

package arp

import (
	"net/netip"
	"time"

	"slashnet/wire"
)

// Config are the knobs. A Cache keeps the pointer: changes work from then on.
type Config struct {
	// MAC is the address of our interface. It signs the replies, and packets from
	// it are our own, brought back by a loop in the network.
	MAC wire.MAC
	// Timeout is the age at which a neighbour is asked again if it is in use, and
	// forgotten if not (RFC 1122 §2.3.2.1: of the order of a minute).
	Timeout time.Duration
	// RetryInterval lies between two requests for one address (RFC 1122 §2.3.2.1:
	// at most one a second), and Retries of them without answer are failure.
	RetryInterval time.Duration
	Retries       int
	// Negative is how long an address that did not answer fails at once.
	Negative time.Duration
	// MaxEntries bounds the cache, permanent entries included.
	MaxEntries int
	// MaxPending bounds the packets waiting for one address, MaxWaiting those
	// waiting for all.
	MaxPending, MaxWaiting int
}

// DefaultConfig are the values a host starts with.
func DefaultConfig() Config {
	return Config{
		Timeout:       60 * time.Second,
		RetryInterval: time.Second,
		Retries:       3,
		Negative:      3 * time.Second, // shorter than the second retransmission of a SYN
		MaxEntries:    1024,            // four times a /24
		MaxPending:    8,               // RFC 1122 §2.3.2.2 wants one or more: a burst of fragments
		MaxWaiting:    512,             // so 32 MiB, were all of them merged segments
	}
}

// Stats counts what happened.
type Stats struct {
	Requests  uint64 // given out by Output
	Replies   uint64 // to requests for our address
	Learned   uint64 // entries made because somebody asked for our address
	Resolved  uint64 // addresses that answered
	Changed   uint64 // neighbours that came with another MAC than before
	Failed    uint64 // addresses that did not answer
	Evicted   uint64 // entries that made room for others
	Dropped   uint64 // packets given to drop
	Bad       uint64 // packets whose sender cannot be a neighbour
	Ignored   uint64 // packets about neighbours we do not know or that are permanent
	Conflicts uint64 // somebody else uses an address of ours
}

// A Cache maps addresses to stations. P is what waits for an answer.
type Cache[P any] struct {
	cfg     *Config
	drop    func(P)
	stats   Stats
	entries map[netip.Addr]*entry[P]
	clock   clock[P] // entries with a deadline

	// Every entry that is not permanent is in one of these two, least recently
	// used first. Cold ones, evicted first, are not resolved or were never used.
	cold, warm list[P]
	ask        list[P] // entries whose request is due, in order
	waiting    list[P] // entries that packets wait for, in order of the first
	packets    int     // waiting for all entries
}

// New makes an empty cache. drop gets the packets that nobody will send and
// that failed is not told about: the oldest of too many, and those of an
// evicted or deleted entry. It must not call the cache.
func New[P any](cfg *Config, drop func(P)) *Cache[P] {
	return &Cache[P]{
		cfg:     cfg,
		drop:    drop,
		entries: make(map[netip.Addr]*entry[P]),
		cold:    list[P]{kind: byUse},
		warm:    list[P]{kind: byUse},
		ask:     list[P]{kind: byAsk},
		waiting: list[P]{kind: byWait},
	}
}

// Lookup returns the station of an address and notes that it is in use. It is
// the fast path: constant time, no allocation, and no look at the time, since
// Tick ages the entries.
func (c *Cache[P]) Lookup(_ time.Duration, ip netip.Addr) (wire.MAC, bool) {
	e := c.entries[ip]
	if e == nil || !e.usable() {
		return wire.MAC{}, false
	}
	c.use(e)
	return e.mac, true
}

// Resolve is Lookup for a packet that is ready to leave. If the station is not
// known the cache keeps p and asks; p comes back from Input, Tick or drop.
func (c *Cache[P]) Resolve(now time.Duration, ip netip.Addr, p P) (mac wire.MAC, ok bool) {
	e := c.entries[ip]
	if e != nil && e.usable() {
		c.use(e)
		return e.mac, true
	}
	if e == nil {
		if e = c.create(ip); e == nil {
			c.discard(p)
			return wire.MAC{}, false
		}
		e.state = Incomplete
		e.since = now
		c.ask.pushBack(e)
	}
	c.wait(e, p)
	if e.state == Failed {
		c.at(e, now) // Tick returns it at once
	}
	return wire.MAC{}, false
}

// Doubt has a neighbour that is used and gives no sign of life asked again now,
// by unicast (RFC 1122 §2.3.2.1 (4)); it stays in use until it fails to answer.
func (c *Cache[P]) Doubt(ip netip.Addr) {
	if e := c.entries[ip]; e != nil && e.state == Reachable {
		e.state, e.tries = Probing, 0
		c.clock.remove(e)
		c.ask.pushBack(e)
	}
}

// A Request is a question to send: who has IP? To is wire.Broadcast or, for a
// neighbour that is in use and old, its station (RFC 1122 §2.3.2.1, unicast poll).
type Request struct {
	IP netip.Addr
	To wire.MAC
}

// Output returns a request that is due; call it until it returns false.
func (c *Cache[P]) Output(now time.Duration) (Request, bool) {
	e := c.ask.head
	if e == nil {
		return Request{}, false
	}
	c.ask.remove(e)
	e.tries++
	c.at(e, now+c.cfg.RetryInterval)
	c.stats.Requests++
	if e.state == Probing {
		return Request{IP: e.ip, To: e.mac}, true
	}
	return Request{IP: e.ip, To: wire.Broadcast}, true
}

// Tick does what is due by now. It returns the packets whose next hop did not
// answer: their senders are owed an ICMP host unreachable or a soft error.
func (c *Cache[P]) Tick(now time.Duration) (failed []P) {
	for len(c.clock) > 0 && c.clock[0].deadline <= now {
		e := c.clock[0]
		switch {
		case e.state == Reachable && e.used:
			e.state, e.tries = Probing, 0
			c.clock.remove(e)
			c.ask.pushBack(e)
		case e.state == Reachable:
			c.forget(e)
		case e.state != Failed && e.tries < c.cfg.Retries:
			c.clock.remove(e)
			c.ask.pushBack(e)
		case e.state == Probing:
			// The next packet asks everybody.
			c.stats.Failed++
			c.forget(e)
		case e.state == Incomplete:
			c.stats.Failed++
			failed = append(failed, c.take(e)...)
			e.state, e.since = Failed, now
			c.at(e, now+c.cfg.Negative)
		default: // Failed, and either a packet came or the time is over
			failed = append(failed, c.take(e)...)
			if end := e.since + c.cfg.Negative; end > now {
				c.at(e, end)
			} else {
				c.forget(e)
			}
		}
	}
	return failed
}

// Deadline is when Tick or Output next has something to do: a moment in the past
// if a request is due now, and nothing if the cache waits for nothing.
func (c *Cache[P]) Deadline() (time.Duration, bool) {
	switch {
	case c.ask.head != nil:
		return 0, true
	case len(c.clock) > 0:
		return c.clock[0].deadline, true
	}
	return 0, false
}

// Stats returns the counters.
func (c *Cache[P]) Stats() Stats { return c.stats }
