// What an ARP packet from the cable does: called by up for every one that parsed.

package arp

import (
	"net/netip"
	"time"

	"slashnet/wire"
)

// A Result is what a packet leads to.
type Result[P any] struct {
	// Reply, if its Op is not zero, is to be sent to Reply.TargetMAC. It carries
	// Config.MAC as sender; a caller that has none there fills its own.
	Reply wire.ARP
	// Ready are the packets that can leave to MAC, the sender, now.
	Ready []P
	MAC   wire.MAC
	// Conflict: the station MAC uses an address of ours, that of the packet's
	// sender (RFC 5227 §2.4).
	Conflict bool
}

// Input takes a packet from the cable. mine says which addresses are ours here.
func (c *Cache[P]) Input(now time.Duration, a *wire.ARP, mine func(netip.Addr) bool) Result[P] {
	if a.SenderMAC == c.cfg.MAC && a.SenderMAC != (wire.MAC{}) {
		c.stats.Ignored++ // our own, come back
		return Result[P]{}
	}
	probe := a.SenderIP == netip.IPv4Unspecified() // RFC 5227 §1.1: asks, and has no address yet
	if !station(a.SenderMAC) || !probe && !neighbour(a.SenderIP) {
		c.stats.Bad++
		return Result[P]{}
	}
	r := Result[P]{MAC: a.SenderMAC}
	// RFC 5227 §2.4: whatever the packet is, its sender claims the address.
	if !probe && mine(a.SenderIP) {
		c.stats.Conflicts++
		r.Conflict = true
		return r
	}
	asked := a.Op == wire.ARPRequest && mine(a.TargetIP)
	switch {
	case !probe:
		r.Ready = c.learn(now, a, asked)
	case !asked:
		c.stats.Ignored++
	}
	if asked {
		c.stats.Replies++
		r.Reply = wire.ARP{
			Op:        wire.ARPReply,
			SenderMAC: c.cfg.MAC, SenderIP: a.TargetIP,
			TargetMAC: a.SenderMAC, TargetIP: a.SenderIP,
		}
	}
	return r
}

// learn is RFC 826's merge: a known sender is updated whatever the packet says,
// an unknown one is added only if it asks for our address. A reply that nobody
// asked for adds nothing: RFC 826 would let it.
func (c *Cache[P]) learn(now time.Duration, a *wire.ARP, asked bool) (ready []P) {
	e := c.entries[a.SenderIP]
	known := e != nil
	if !known && asked {
		e = c.create(a.SenderIP)
	}
	switch {
	case e == nil || e.state == Permanent:
		c.stats.Ignored++
		return nil
	case !known:
		c.stats.Learned++ // and stays cold until it is used
	case !e.usable():
		c.stats.Resolved++
		ready = c.take(e)
		c.use(e)
	case e.mac != a.SenderMAC:
		c.stats.Changed++
	}
	e.state, e.mac, e.since = Reachable, a.SenderMAC, now
	e.used, e.tries = len(ready) > 0, 0
	c.ask.remove(e)
	c.at(e, now+c.cfg.Timeout)
	return ready
}

// station reports whether a MAC can be that of one station. An address of a
// group would make us send to everybody (RFC 1812 §3.3.2).
func station(m wire.MAC) bool { return m[0]&1 == 0 && m != wire.MAC{} }

// neighbour reports whether an address can be that of one host on a cable.
func neighbour(ip netip.Addr) bool {
	return ip.Is4() && !ip.IsUnspecified() && !ip.IsMulticast() && !ip.IsLoopback() &&
		ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Announcement tells everybody where ip is now (RFC 5227 §2.3). Broadcast it.
func Announcement(mac wire.MAC, ip netip.Addr) wire.ARP {
	return wire.ARP{Op: wire.ARPRequest, SenderMAC: mac, SenderIP: ip, TargetIP: ip}
}

// Probe asks whether somebody has ip and claims nothing (RFC 5227 §2.1.1).
// Broadcast it.
func Probe(mac wire.MAC, ip netip.Addr) wire.ARP {
	return wire.ARP{Op: wire.ARPRequest, SenderMAC: mac, SenderIP: netip.IPv4Unspecified(), TargetIP: ip}
}
