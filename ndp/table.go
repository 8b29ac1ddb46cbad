package ndp

// The entries of the cache: made, kept in the order of their deadlines, forgotten;
// and the file arp, which shows and changes them. cache.go calls the first part,
// the stack the second.

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// create makes an entry and, if need be, room for it: the least recently used goes.
func (c *Cache[P]) create(ip netip.Addr) *entry[P] {
	for len(c.entries) >= max(c.cfg.MaxEntries, 1) {
		var victim *entry[P]
		for _, e := range c.entries {
			if e.state != Permanent && (victim == nil || e.used < victim.used || e.used == victim.used && e.ip.Less(victim.ip)) {
				victim = e
			}
		}
		if victim == nil {
			return nil
		}
		c.stats.Evicted++
		c.forget(victim)
	}
	e := &entry[P]{ip: ip, used: never}
	c.entries[ip] = e
	return e
}

// enter changes the state of an entry.
func (c *Cache[P]) enter(now time.Duration, e *entry[P], s State, deadline time.Duration) {
	e.state, e.since, e.tries = s, now, 0
	c.at(e, deadline)
}

func (c *Cache[P]) at(e *entry[P], t time.Duration) {
	e.deadline = t
	if e.place == 0 {
		heap.Push(&c.clock, e)
	} else {
		heap.Fix(&c.clock, e.place-1)
	}
}

// take empties an entry of the packets that wait for it.
func (c *Cache[P]) take(e *entry[P]) []P {
	p := e.pending
	e.pending = nil
	c.packets -= len(p)
	return p
}

func (c *Cache[P]) discard(p P) {
	c.stats.Dropped++
	c.drop(p)
}

func (c *Cache[P]) forget(e *entry[P]) {
	for _, p := range c.take(e) {
		c.discard(p)
	}
	if e.place != 0 {
		heap.Remove(&c.clock, e.place-1)
	}
	delete(c.entries, e.ip)
}

// A clock is a heap of entries, the earliest deadline first.
type clock[P any] []*entry[P]

func (c clock[P]) Len() int           { return len(c) }
func (c clock[P]) Less(i, j int) bool { return c[i].deadline < c[j].deadline }

func (c clock[P]) Swap(i, j int) {
	c[i], c[j] = c[j], c[i]
	c[i].place, c[j].place = i+1, j+1
}

func (c *clock[P]) Push(x any) {
	e := x.(*entry[P])
	*c = append(*c, e)
	e.place = len(*c)
}

func (c *clock[P]) Pop() any {
	old := *c
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*c = old[:len(old)-1]
	e.place = 0
	return e
}

// --- the file arp

// An Entry is a row of the arp file. Age is the time since the state began.
type Entry struct {
	IP     netip.Addr
	MAC    wire.MAC
	State  State
	Router bool
	Age    time.Duration
}

// Entries lists the cache, by address.
func (c *Cache[P]) Entries(now time.Duration) []Entry {
	rows := make([]Entry, 0, len(c.entries))
	for _, e := range c.entries {
		rows = append(rows, Entry{e.ip, e.mac, e.state, e.router, now - e.since})
	}
	slices.SortFunc(rows, func(a, b Entry) int { return a.IP.Compare(b.IP) })
	return rows
}

// State is how far the search for a neighbour is; false: nobody has asked for it.
func (c *Cache[P]) State(ip netip.Addr) (State, bool) {
	e := c.entries[ip]
	if e == nil {
		return 0, false
	}
	return e.state, true
}

// Add enters a neighbour by hand: nothing from the cable changes it.
func (c *Cache[P]) Add(now time.Duration, ip netip.Addr, mac wire.MAC) (ready []P, err error) {
	if !station(mac) {
		return nil, neterr.BadArg.With("%x is not the MAC of one station", mac[:])
	}
	e := c.entries[ip]
	if e == nil {
		if e = c.create(ip); e == nil {
			return nil, neterr.NoMemory.With("the cache holds %d permanent entries already", len(c.entries))
		}
	}
	ready = c.take(e)
	if e.place != 0 {
		heap.Remove(&c.clock, e.place-1)
	}
	e.state, e.mac, e.since = Permanent, mac, now
	return ready, nil
}

// Delete forgets a neighbour, and reports whether it was there.
func (c *Cache[P]) Delete(ip netip.Addr) bool {
	e := c.entries[ip]
	if e != nil {
		c.forget(e)
	}
	return e != nil
}

// Flush forgets everybody, as Plan 9's flush does: permanent entries too.
func (c *Cache[P]) Flush() {
	for _, e := range c.entries {
		c.forget(e)
	}
}
