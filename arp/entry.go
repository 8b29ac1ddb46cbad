// One neighbour, and the life of entries: made, used, filled with waiting
// packets, forgotten. Everything here is called by cache.go, input.go and table.go.

package arp

import (
	"net/netip"
	"time"

	"slashnet/wire"
)

// State is how far we know a neighbour.
type State uint8

// The states.
const (
	Incomplete State = iota // asked, no answer yet
	Reachable               // answered, or asked for us, within the time-out
	Probing                 // older and in use: asked again, used meanwhile
	Failed                  // did not answer, a short while ago
	Permanent               // entered by hand
)

// String is how the arp file says it; OK and WAIT are Plan 9's words.
func (s State) String() string {
	return [...]string{"WAIT", "OK", "PROBE", "FAIL", "PERM"}[s]
}

type entry[P any] struct {
	ip       netip.Addr
	mac      wire.MAC
	state    State
	used     bool          // since mac was last confirmed
	warm     bool          // which list by use it is in
	tries    int           // requests without answer
	since    time.Duration // confirmed, created or failed
	deadline time.Duration
	place    int // in the clock, one-based; 0: has no deadline
	pending  []P
	links    [lists]link[P]
}

// usable reports whether frames can be sent to the entry's station.
func (e *entry[P]) usable() bool {
	return e.state == Reachable || e.state == Probing || e.state == Permanent
}

// create makes an entry and, if need be, room for it. It fails if everything is
// permanent.
func (c *Cache[P]) create(ip netip.Addr) *entry[P] {
	for len(c.entries) >= c.cfg.MaxEntries {
		victim := c.cold.head
		if victim == nil {
			victim = c.warm.head
		}
		if victim == nil {
			return nil
		}
		c.stats.Evicted++
		c.forget(victim)
	}
	e := &entry[P]{ip: ip}
	c.entries[ip] = e
	c.cold.pushBack(e)
	return e
}

// use notes that an entry is in use.
func (c *Cache[P]) use(e *entry[P]) {
	e.used = true
	if e.state == Permanent || e.warm && c.warm.tail == e {
		return
	}
	c.unlist(e)
	e.warm = true
	c.warm.pushBack(e)
}

// unlist takes an entry out of the list by use.
func (c *Cache[P]) unlist(e *entry[P]) {
	if e.warm {
		c.warm.remove(e)
	} else {
		c.cold.remove(e)
	}
}

// forget removes an entry; what waits for it is dropped.
func (c *Cache[P]) forget(e *entry[P]) {
	for _, p := range c.take(e) {
		c.discard(p)
	}
	c.unlist(e)
	c.ask.remove(e)
	c.clock.remove(e)
	delete(c.entries, e.ip)
}

// wait adds a packet to those that wait for an entry. Too many for one address
// cost its oldest; too many in all cost the address that waits longest.
func (c *Cache[P]) wait(e *entry[P], p P) {
	// RFC 1122 §2.3.2.2: at least one packet is saved, whatever the limits say.
	switch {
	case len(e.pending) >= max(c.cfg.MaxPending, 1):
		c.dropOldest(e)
	case c.packets >= max(c.cfg.MaxWaiting, 1):
		c.dropOldest(c.waiting.head)
	}
	if len(e.pending) == 0 {
		c.waiting.pushBack(e)
	}
	e.pending = append(e.pending, p)
	c.packets++
}

func (c *Cache[P]) dropOldest(e *entry[P]) {
	p := e.pending[0]
	e.pending = append(e.pending[:0], e.pending[1:]...)
	c.packets--
	if len(e.pending) == 0 {
		c.waiting.remove(e)
	}
	c.discard(p)
}

// take empties an entry of the packets that wait for it.
func (c *Cache[P]) take(e *entry[P]) []P {
	p := e.pending
	e.pending = nil
	c.packets -= len(p)
	c.waiting.remove(e)
	return p
}

func (c *Cache[P]) discard(p P) {
	c.stats.Dropped++
	c.drop(p)
}

// at sets the one deadline of an entry.
func (c *Cache[P]) at(e *entry[P], t time.Duration) {
	e.deadline = t
	c.clock.fix(e)
}
