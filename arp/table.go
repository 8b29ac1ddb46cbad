// The cache as the arp file shows it and as its verbs change it.

package arp

import (
	"net/netip"
	"slices"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// An Entry is a row of the arp file. Age is the time since the station was last
// heard of or, in the states without one, since the state began.
type Entry struct {
	IP    netip.Addr
	MAC   wire.MAC
	State State
	Age   time.Duration
}

// Entries lists the cache, by address.
func (c *Cache[P]) Entries(now time.Duration) []Entry {
	rows := make([]Entry, 0, len(c.entries))
	for _, e := range c.entries {
		rows = append(rows, Entry{e.ip, e.mac, e.state, now - e.since})
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

// Add enters a neighbour by hand: it does not age, nothing from the cable changes
// it, and it is never evicted. Packets that waited for it can leave to mac.
func (c *Cache[P]) Add(now time.Duration, ip netip.Addr, mac wire.MAC) (ready []P, err error) {
	if !neighbour(ip) {
		return nil, neterr.BadAddress.With("%v is not the IPv4 address of one host", ip)
	}
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
	c.unlist(e)
	c.ask.remove(e)
	c.clock.remove(e)
	e.state, e.mac, e.since, e.warm = Permanent, mac, now, false
	return ready, nil
}

// Delete forgets a neighbour, whatever its state, and reports whether it was
// there. What waited for it is dropped.
func (c *Cache[P]) Delete(ip netip.Addr) bool {
	e := c.entries[ip]
	if e == nil {
		return false
	}
	c.forget(e)
	return true
}

// Flush forgets everybody, as Plan 9's flush does: permanent entries too.
func (c *Cache[P]) Flush() {
	for _, e := range c.entries {
		c.forget(e)
	}
}
