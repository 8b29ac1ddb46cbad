package stack

// The addresses of an interface, and what follows from them: routes, broadcast
// addresses, the source of what we send. ifctl.go and AddLoopback add and remove
// them, up.go and down.go ask.

import (
	"net/netip"
	"slices"

	"slashnet/route"
	"slashnet/stack/neterr"
)

// maxAddrs is how many addresses an interface has at most.
const maxAddrs = 64

// add gives an interface an address, and the stack the routes that follow.
func (i *Iface) add(p netip.Prefix) error {
	s := i.stack
	a := p.Addr()
	switch {
	case i.nic == nil:
		return neterr.NotBound
	case !a.Is4() || a.IsMulticast() || a.IsUnspecified() || a == limitedBroadcast:
		return neterr.BadAddress.With("%v: a unicast IPv4 address is wanted", a)
	case s.own[a] != nil:
		return neterr.AddrInUse.With("%v is on interface %d already", a, s.own[a].num)
	case len(i.addrs) >= maxAddrs:
		return neterr.NoConvs.With("interface %d has %d addresses, the limit", i.num, maxAddrs)
	}
	i.addrs = append(i.addrs, address{p})
	s.own[a] = i
	s.routes.Add(route.Route{Prefix: netip.PrefixFrom(a, a.BitLen()), Iface: i.num, Tag: "ifc", Kind: route.Local})
	if p.Bits() < a.BitLen() {
		s.routes.Add(route.Route{Prefix: p.Masked(), Iface: i.num, Tag: "ifc", Kind: route.OnLink})
		if b, ok := broadcastOf(p); ok && !i.loopback {
			s.routes.Add(route.Route{Prefix: netip.PrefixFrom(b, 32), Iface: i.num, Tag: "ifc", Kind: route.Broadcast})
		}
	}
	return nil
}

// remove takes an address and its routes away. Connections that use it find out
// by themselves.
func (i *Iface) remove(p netip.Prefix) error {
	at := slices.IndexFunc(i.addrs, func(a address) bool { return a.prefix == p })
	if at < 0 {
		return neterr.NotLocal.With("%v is not on interface %d", p, i.num)
	}
	i.addrs = slices.Delete(i.addrs, at, at+1)
	s := i.stack
	delete(s.own, p.Addr())
	s.routes.Remove(netip.PrefixFrom(p.Addr(), p.Addr().BitLen()), netip.Addr{}, i.num)
	if slices.ContainsFunc(i.addrs, func(a address) bool { return a.prefix.Masked() == p.Masked() }) {
		return nil
	}
	s.routes.Remove(p.Masked(), netip.Addr{}, i.num)
	if b, ok := broadcastOf(p); ok {
		s.routes.Remove(netip.PrefixFrom(b, 32), netip.Addr{}, i.num)
	}
	return nil
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// broadcastOf is the directed broadcast address of a subnet; one of fewer than
// four addresses has none (RFC 3021).
func broadcastOf(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return netip.Addr{}, false
	}
	b := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b), true
}

// addrFor is the address of i to use towards dst: one of the same subnet, else
// the first.
func (i *Iface) addrFor(dst netip.Addr) (netip.Addr, bool) {
	for _, a := range i.addrs {
		if a.prefix.Contains(dst) {
			return a.prefix.Addr(), true
		}
	}
	if len(i.addrs) == 0 {
		return netip.Addr{}, false
	}
	return i.addrs[0].prefix.Addr(), true
}

// isBroadcast reports whether dst is a broadcast address, on any interface.
func (s *Stack) isBroadcast(dst netip.Addr) bool {
	if dst == limitedBroadcast {
		return true
	}
	r, ok := s.routes.Lookup(dst)
	return ok && toBroadcast(r, dst)
}

// toBroadcast reports whether the route to dst leads to all of a network: RFC 1122
// §3.3.6, also in the old form, with zeros for the host.
func toBroadcast(r route.Route, dst netip.Addr) bool {
	return r.Kind == route.Broadcast || r.Kind == route.OnLink && dst.Is4() && r.Prefix.Bits() <= 30 && dst == r.Prefix.Addr()
}
