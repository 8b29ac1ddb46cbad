package stack

// Gateways: which of several routes is used while one of them does not answer
// (RFC 1122 §3.3.1), and what a gateway says of a better one, in both directions.
// down.go and forward.go call lookup, icmp.go redirected, neighbour.go and tcp.go
// say who answers and who does not.

import (
	"encoding/binary"
	"net/netip"
	"time"

	"slashnet/route"
	"slashnet/wire"
)

// gateways is what has been learned of gateways, and for how long it holds.
type gateways struct {
	s     *Stack
	timer timer
	dead  map[netip.Addr]time.Duration // did not answer: avoided until then
	moved map[netip.Addr]time.Duration // destinations that a redirect moved, until then
}

const (
	// deadFor is how long a gateway is avoided, if there is another: RFC 1122
	// §3.3.1.4 wants it neither trusted for ever nor asked all the time.
	deadFor = time.Minute
	// movedFor is how long a redirect holds: whoever still needs it gets another.
	movedFor = 10 * time.Minute
	// maxMoved bounds the routes made by redirects.
	maxMoved = 1024
	// movedTag marks them in iproute.
	movedTag = "rdir"
)

func newGateways(s *Stack) *gateways {
	g := &gateways{s: s, dead: map[netip.Addr]time.Duration{}, moved: map[netip.Addr]time.Duration{}}
	g.timer.what = g
	return g
}

// deadline and tick are those of what has been learned.
func (g *gateways) deadline() (first time.Duration, ok bool) {
	first = never
	for _, known := range []map[netip.Addr]time.Duration{g.dead, g.moved} {
		for _, until := range known {
			first = min(first, until)
		}
	}
	return first, first != never
}

func (g *gateways) tick() {
	for hop, until := range g.dead {
		if until <= g.s.now {
			delete(g.dead, hop)
		}
	}
	for dst, until := range g.moved {
		if until <= g.s.now {
			g.forget(dst)
		}
	}
}

func (g *gateways) isDead(hop netip.Addr) bool {
	_, dead := g.dead[hop]
	return dead
}

// lookup finds the route to an address among those whose interface is up and
// whose gateway answers.
func (s *Stack) lookup(dst netip.Addr) (route.Route, bool) {
	best, ok := s.routes.Lookup(dst)
	if !ok || s.usable(best) && !s.gateways.isDead(best.Via) {
		return best, ok
	}
	if r, ok := s.routes.LookupIf(dst, func(r route.Route) bool { return s.usable(r) && !s.gateways.isDead(r.Via) }); ok {
		return r, true
	}
	// The dead one is better than none: perhaps it has come back.
	return s.routes.LookupIf(dst, s.usable)
}

// usable reports whether the interface of a route is up (RFC 1812 §5.3.12). Our
// own addresses need none.
func (s *Stack) usable(r route.Route) bool {
	i := s.ifaces[r.Iface]
	return r.Kind == route.Local || i != nil && i.nic != nil && !i.down
}

// silent is told that a gateway did not answer: others are used, until it is heard
// or deadFor is over (RFC 1122 §3.3.1.5).
func (g *gateways) silent(hop netip.Addr) {
	if !g.isDead(hop) {
		g.s.logf("gateway %v does not answer", hop)
	}
	g.dead[hop] = g.s.now + deadFor
	g.s.file(&g.timer)
}

// heard is told that a station is there.
func (g *gateways) heard(hop netip.Addr) {
	if g.isDead(hop) {
		g.s.logf("gateway %v answers again", hop)
		delete(g.dead, hop)
	}
}

// doubt is what a transport that gets no answer makes of the way to a peer: its
// first hop is asked whether it is there (RFC 1122 §3.3.1.4, §2.3.2.1 (4)).
func (s *Stack) doubt(dst netip.Addr) {
	if to, err := s.pathTo(dst); err == nil && !to.out.loopback && !to.group {
		to.out.doubt(to.hop)
	}
}

// redirected is told by a gateway that another one is nearer to a destination
// (RFC 1122 §3.2.2.2). The kinds for a network and for a host mean the same: this
// one destination.
func (s *Stack) redirected(p *packet, h wire.ICMPHeader, quote []byte) {
	var hop [4]byte
	binary.BigEndian.PutUint32(hop[:], h.Rest)
	via := netip.AddrFrom4(hop)
	q, _, err := wire.ParseIPv4Quote(quote)
	if err != nil || !s.knobs.acceptRedirects || s.own[q.Src] == nil {
		p.in.drops.add(dropRedirect)
		return
	}
	was, ok := s.lookup(q.Dst)
	next, near := s.routes.Lookup(via)
	// Only from the gateway in use, and only to a neighbour on the same interface.
	if !ok || was.Via != p.ip.Src || was.Iface != p.in.num || !near || next.Kind != route.OnLink || next.Iface != p.in.num {
		p.in.drops.add(dropRedirect)
		return
	}
	s.gateways.move(q.Dst, via, p.in.num)
}

// move makes the route of a redirect.
func (g *gateways) move(dst, via netip.Addr, iface int) {
	g.forget(dst)
	for len(g.moved) >= maxMoved {
		oldest, at := netip.Addr{}, never
		for dst, until := range g.moved {
			if until < at {
				oldest, at = dst, until
			}
		}
		g.forget(oldest)
	}
	g.s.routes.Add(route.Route{Prefix: netip.PrefixFrom(dst, dst.BitLen()), Via: via, Iface: iface, Tag: movedTag, Kind: route.Gateway})
	g.moved[dst] = g.s.now + movedFor
	g.s.file(&g.timer)
}

func (g *gateways) forget(dst netip.Addr) {
	if _, moved := g.moved[dst]; moved {
		g.s.routes.RemoveTagged(netip.PrefixFrom(dst, dst.BitLen()), movedTag)
		delete(g.moved, dst)
	}
}

// redirect tells the sender of a datagram that leaves through the interface it
// came by that the next hop is his neighbour too (RFC 1812 §5.2.7.2): always of
// the one host.
func (s *Stack) redirect(p *packet, to path) {
	if !s.knobs.sendRedirects || to.out != p.in || p.toGroup || p.options.SourceRoute {
		return
	}
	for _, a := range p.in.addrs {
		if a.prefix.Contains(p.ip.Src) && a.prefix.Contains(to.hop) {
			hop := to.hop.As4()
			s.sendError(p, wire.ICMPRedirect, wire.ICMPRedirectHost, binary.BigEndian.Uint32(hop[:]))
			return
		}
	}
}
