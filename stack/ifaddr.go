package stack

// The addresses of an interface, and what follows from them: routes, broadcast
// addresses, the source of what we send; of both families. ifctl.go and AddLoopback add and remove
// them, up.go and down.go ask.

import (
	"net/netip"
	"slices"

	"slashnet/ndp"
	"slashnet/route"
	"slashnet/stack/neterr"
)

// maxAddrs is how many addresses an interface has at most.
const maxAddrs = 64

// add gives an interface an address, at once.
func (i *Iface) add(p netip.Prefix) error {
	if p.Addr().Is6() {
		if i.nic == nil {
			return neterr.NotBound
		}
		return i.add6(address{prefix: p, valid: ndp.Forever, preferred: ndp.Forever})
	}
	if err := i.mayAdd4(p); err != nil {
		return err
	}
	i.have4(p)
	i.claims.take(p.Addr())
	return nil
}

// mayAdd4 refuses what cannot be an IPv4 address of the interface.
func (i *Iface) mayAdd4(p netip.Prefix) error {
	s, a := i.stack, p.Addr()
	switch {
	case i.nic == nil:
		return neterr.NotBound
	case a.IsMulticast() || a.IsUnspecified() || a == limitedBroadcast:
		return neterr.BadAddress.With("%v: a unicast address is wanted", a)
	case s.own[a] != nil:
		return neterr.AddrInUse.With("%v is on interface %d already", a, s.own[a].num)
	case len(i.addrs) >= maxAddrs:
		return neterr.NoConvs.With("interface %d has %d addresses, the limit", i.num, maxAddrs)
	}
	return nil
}

// have4 makes an address ours, and gives the stack the routes that follow.
func (i *Iface) have4(p netip.Prefix) {
	s, a := i.stack, p.Addr()
	i.addrs = append(i.addrs, address{prefix: p, valid: ndp.Forever, preferred: ndp.Forever})
	s.own[a] = i
	s.routes.Add(route.Route{Prefix: netip.PrefixFrom(a, a.BitLen()), Iface: i.num, Tag: "ifc", Kind: route.Local})
	if p.Bits() < a.BitLen() {
		s.routes.Add(route.Route{Prefix: p.Masked(), Iface: i.num, Tag: "ifc", Kind: route.OnLink})
		if b, ok := broadcastOf(p); ok && !i.loopback {
			s.routes.Add(route.Route{Prefix: netip.PrefixFrom(b, 32), Iface: i.num, Tag: "ifc", Kind: route.Broadcast})
		}
	}
}

// remove takes an address and its routes away. Connections that use it find out
// by themselves.
func (i *Iface) remove(p netip.Prefix) error {
	at := slices.IndexFunc(i.addrs, func(a address) bool { return a.prefix == p })
	if at < 0 && (i.claims.drop(p) || i.ip6 != nil && i.ip6.drop(p)) {
		return nil
	}
	if at < 0 {
		return neterr.NotLocal.With("%v is not on interface %d", p, i.num)
	}
	i.addrs = slices.Delete(i.addrs, at, at+1)
	s := i.stack
	delete(s.own, i.scoped(p.Addr()))
	i.claims.forget(p.Addr())
	s.routes.Remove(netip.PrefixFrom(p.Addr(), p.Addr().BitLen()), netip.Addr{}, i.num)
	if p.Addr().Is6() {
		i.lose6(p)
		return nil
	}
	if slices.ContainsFunc(i.addrs, func(a address) bool { return a.prefix.Masked() == p.Masked() }) {
		return nil
	}
	s.routes.Remove(p.Masked(), netip.Addr{}, i.num)
	if b, ok := broadcastOf(p); ok {
		s.routes.Remove(netip.PrefixFrom(b, 32), netip.Addr{}, i.num)
	}
	return nil
}

// add6 is add for IPv6. Plan 9's add takes the user's word that nobody else has
// the address; try finds out first.
func (i *Iface) add6(a address) error {
	if err := i.mayAdd6(a.prefix.Addr()); err != nil {
		return err
	}
	return i.have(a)
}

// mayAdd6 refuses what cannot be an address of the interface, and has it speak
// IPv6.
func (i *Iface) mayAdd6(addr netip.Addr) error {
	s := i.stack
	switch {
	case addr.IsMulticast() || addr.IsUnspecified() || addr.Is4In6() || addr.IsLoopback() && !i.loopback:
		return neterr.BadAddress.With("%v: a unicast address is wanted", addr)
	case s.own[i.scoped(addr)] != nil:
		return neterr.AddrInUse.With("%v is on interface %d already", addr, s.own[i.scoped(addr)].num)
	}
	return i.speak6()
}

// have makes an IPv6 address ours.
func (i *Iface) have(a address) error {
	s, addr := i.stack, a.prefix.Addr()
	if len(i.addrs) >= maxAddrs {
		return neterr.NoConvs.With("interface %d has %d addresses, the limit", i.num, maxAddrs)
	}
	i.addrs = append(i.addrs, a)
	s.own[i.scoped(addr)] = i
	if i.ip6 != nil {
		i.ip6.settle()
	}
	if addr.IsLinkLocalUnicast() {
		return nil // of its zone: no route tells it from that of another interface
	}
	s.routes.Add(route.Route{Prefix: netip.PrefixFrom(addr, 128), Iface: i.num, Tag: "ifc", Kind: route.Local})
	// RFC 5942 §4: an address that was formed says nothing of what is on the link.
	if a.prefix.Bits() < 128 && !a.formed {
		s.routes.Add(route.Route{Prefix: a.prefix.Masked(), Iface: i.num, Tag: "ifc", Kind: route.OnLink})
	}
	return nil
}

// lose6 is the end of remove for an IPv6 address, which has left i.addrs.
func (i *Iface) lose6(p netip.Prefix) {
	if i.ip6 != nil {
		i.ip6.host.Remove(p.Addr())
		i.ip6.settle()
	}
	i.dropSubnet(p.Masked())
}

// dropSubnet removes the route of what is on the link, unless there is another
// reason for it: an address, or a router that says so.
func (i *Iface) dropSubnet(p netip.Prefix) {
	still := func(a address) bool { return !a.formed && a.prefix.Masked() == p }
	if slices.ContainsFunc(i.addrs, still) || i.ip6 != nil && i.ip6.host.OnLink(p) {
		return
	}
	i.stack.routes.Remove(p, netip.Addr{}, i.num)
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
	if dst.Is6() {
		a, err := i.source6(dst)
		return a, err == nil
	}
	first := netip.Addr{}
	for _, a := range i.addrs {
		switch {
		case a.prefix.Contains(dst):
			return a.prefix.Addr(), true
		case !first.IsValid() && a.prefix.Addr().Is4():
			first = a.prefix.Addr()
		}
	}
	return first, first.IsValid()
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
