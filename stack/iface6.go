package stack

// What an interface has that speaks IPv6: neighbours and its own configuration
// (package ndp), groups (package mld). It begins with the first IPv6 address that
// it is given, or with `ra6 recvra 1`; the link-local address makes itself.
// icmp6.go brings the messages, ifaddr.go and ifctl.go what users want, the timer
// the rest.

import (
	"net/netip"
	"slices"
	"time"

	"slashnet/mld"
	"slashnet/ndp"
	"slashnet/route"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// An ip6 is the IPv6 part of an interface.
type ip6 struct {
	iface  *Iface
	config ndp.Config
	cache  *ndp.Cache[*outFrame]
	host   *ndp.Host
	groups *mld.Listener
	timer  timer
	nodes  map[netip.Addr]bool // the groups in which our addresses are asked for
	recvRA bool                // routers are heard
}

// speak6 has an interface speak IPv6, if it does not.
func (i *Iface) speak6() error {
	switch {
	case i.nic == nil:
		return neterr.NotBound
	case i.ip6 != nil || i.loopback:
		return nil
	case i.mtu < wire.MinIPv6MTU:
		return neterr.BadArg.With("%v has an MTU of %d: IPv6 wants %d at least (RFC 8200 §5)", i, i.mtu, wire.MinIPv6MTU)
	}
	s := i.stack
	v := &ip6{iface: i, config: s.knobs.nd, nodes: map[netip.Addr]bool{}}
	v.timer.what = v
	v.cache = ndp.NewCache(&v.config, s.random.Uint64, func(f *outFrame) {
		i.drops.add(dropNoNeighbour)
		i.queue.drop(f)
	})
	v.host = ndp.NewHost(ndp.Options{MAC: i.mac, Secret: s.secret, Name: i.device, Random: s.random.Uint64,
		Probes: func() int { return s.knobs.dad }, Cache: &v.config})
	v.groups = mld.New(s.random.Uint64)
	i.ip6 = v
	v.groups.Join(s.now, netip.IPv6LinkLocalAllNodes())
	s.routes.Add(route.Route{Prefix: multicast6, Iface: i.num, Tag: "ifc", Kind: route.Multicast})
	v.host.Start(s.now)
	v.settle()
	return nil
}

// silence6 ends it: the interface loses its NIC.
func (i *Iface) silence6() {
	if v := i.ip6; v != nil {
		v.cache.Flush()
		i.stack.unfile(&v.timer)
		i.ip6 = nil
	}
}

var (
	multicast6  = netip.MustParsePrefix("ff00::/8")
	linkLocal6  = netip.MustParsePrefix("fe80::/64")
	everywhere6 = netip.MustParsePrefix("::/0")
)

// deadline and tick are those of all three.
func (v *ip6) deadline() (at time.Duration, ok bool) {
	for _, part := range []interface {
		Deadline() (time.Duration, bool)
	}{v.cache, v.host, v.groups} {
		if t, due := part.Deadline(); due && (!ok || t < at) {
			at, ok = t, true
		}
	}
	return at, ok
}

func (v *ip6) tick() {
	s := v.iface.stack
	failed, lost := v.cache.Tick(s.now)
	for _, f := range failed {
		s.undeliverable(f)
	}
	for _, a := range lost {
		v.host.Lost(a)
	}
	v.host.Tick(s.now)
	v.settle()
}

// settle does what the parts want: events first, since they may have more to say.
func (v *ip6) settle() {
	s := v.iface.stack
	for {
		e, ok := v.host.Event()
		if !ok {
			break
		}
		v.event(e)
	}
	v.regroup()
	for {
		m, ok := v.host.Output()
		if !ok {
			break
		}
		if m.Target.IsValid() {
			v.probe(m.Target)
		} else {
			v.solicitRouters()
		}
	}
	for {
		r, ok := v.cache.Output()
		if !ok {
			break
		}
		v.solicit(r)
	}
	v.report()
	s.file(&v.timer)
}

// regroup joins the groups in which addresses are asked for, ours and those that
// are being tried, and leaves those of others.
func (v *ip6) regroup() {
	now := v.iface.stack.now
	wanted := map[netip.Addr]bool{}
	for _, a := range v.iface.addrs {
		if a.prefix.Addr().Is6() {
			wanted[solicitedNode(a.prefix.Addr())] = true
		}
	}
	for _, p := range v.host.TentativeAddrs() {
		wanted[solicitedNode(p.Addr())] = true
	}
	for g := range v.nodes {
		if !wanted[g] {
			v.groups.Leave(now, g)
			delete(v.nodes, g)
		}
	}
	for g := range wanted {
		if !v.nodes[g] {
			v.groups.Join(now, g)
			v.nodes[g] = true
		}
	}
}

// event does what the configuration of an interface has come to.
func (v *ip6) event(e ndp.Event) {
	i, s := v.iface, v.iface.stack
	tag := "ra6"
	switch e.Kind {
	case ndp.AddressUp:
		if err := i.have(address{prefix: e.Prefix, valid: e.Valid, preferred: e.Preferred, formed: e.Auto}); err != nil {
			v.host.Remove(e.Prefix.Addr())
			s.logf("%v: %v: %v", i, e.Prefix, err)
		}
	case ndp.AddressLife:
		for n := range i.addrs {
			if i.addrs[n].prefix == e.Prefix {
				i.addrs[n].valid, i.addrs[n].preferred = e.Valid, e.Preferred
			}
		}
	case ndp.AddressGone:
		i.remove(e.Prefix)
	case ndp.Duplicate:
		s.logf("%v: somebody else has %v: it is not used", i, e.Prefix.Addr())
	case ndp.PrefixUp:
		s.routes.Add(route.Route{Prefix: e.Prefix, Iface: i.num, Tag: tag, Kind: route.OnLink})
	case ndp.PrefixGone:
		i.dropSubnet(e.Prefix)
	case ndp.RouterUp:
		s.routes.Add(route.Route{Prefix: everywhere6, Via: i.scoped(e.Addr), Iface: i.num, Tag: tag})
	case ndp.RouterGone:
		s.routes.Remove(everywhere6, i.scoped(e.Addr), i.num)
	case ndp.Servers:
		s.logf("%v: name servers, says the router: %v", i, v.host.Servers())
	}
}

// linkMTU6 is what an interface takes of IPv6: less than of IPv4, if routers say so
// (RFC 4861 §6.3.4).
func (i *Iface) linkMTU6() int {
	if i.ip6 != nil && i.ip6.host.MTU() != 0 {
		return min(i.mtu, i.ip6.host.MTU())
	}
	return i.mtu
}

// confirm notes that the first hop to a peer works: he has what we sent (RFC 4861
// §7.3.1).
func (s *Stack) confirm(peer netip.Addr) {
	if peer.Is4() {
		return
	}
	if to, err := s.pathTo6(peer); err == nil && to.out.ip6 != nil {
		to.out.ip6.cache.Confirm(s.now, to.hop)
	}
}

// scoped gives a link-local address the interface that it is on, as its zone.
func (i *Iface) scoped(a netip.Addr) netip.Addr {
	if a.Is6() && a.IsLinkLocalUnicast() {
		return a.WithZone(i.zone)
	}
	return a
}

// scopeOf is scoped for what came in: on loopback, a link-local address is that
// of whichever interface has it.
func (i *Iface) scopeOf(a netip.Addr) netip.Addr {
	if !i.loopback || !a.IsLinkLocalUnicast() {
		return i.scoped(a)
	}
	for _, x := range i.stack.ifaces {
		if z := a.WithZone(x.zone); i.stack.own[z] != nil {
			return z
		}
	}
	return i.scoped(a)
}

// listens reports whether an interface is in a group.
func (i *Iface) listens(group netip.Addr) bool {
	if i.loopback {
		// It hears what any of us has joined, as in IPv4.
		for _, other := range i.stack.ifaces {
			if other.ip6 != nil && other.ip6.groups.Listens(group) {
				return true
			}
		}
		return group == netip.IPv6LinkLocalAllNodes() || group == interfaceAllNodes
	}
	return i.ip6 != nil && i.ip6.groups.Listens(group)
}

var interfaceAllNodes = netip.MustParseAddr("ff01::1")

// solicitedNode is the group in which an address is asked for (RFC 4291 §2.7.1).
func solicitedNode(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{0xff, 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
}

// drop gives up trying an address; false: it is not being tried.
func (v *ip6) drop(p netip.Prefix) bool {
	if !slices.Contains(v.host.TentativeAddrs(), p) {
		return false
	}
	v.host.Remove(p.Addr())
	v.settle()
	return true
}

// tentative are the addresses that are being tried.
func (i *Iface) tentative() []netip.Prefix {
	if i.ip6 == nil {
		return nil
	}
	return i.ip6.host.TentativeAddrs()
}

// usable reports whether an interface has an address, and the host no doubt of it.
func (v *ip6) usable(a netip.Addr) bool { return v.iface.stack.own[v.iface.scoped(a)] == v.iface }

// conflict notes that somebody else uses an address of ours.
func (i *Iface) conflict(mac wire.MAC, a netip.Addr) {
	if i.stack.now >= i.complained+complainEvery {
		i.complained = i.stack.now
		i.stack.logf("%v: %v uses our address %v", i, mac, a)
	}
}

// --- what is sent

// linkLocalOf is the interface's own link-local address, once it can be used.
func (i *Iface) linkLocalOf() (netip.Addr, bool) {
	for _, a := range i.addrs {
		if a.prefix.Addr().Is6() && a.prefix.Addr().IsLinkLocalUnicast() {
			return i.scoped(a.prefix.Addr()), true
		}
	}
	return netip.IPv6Unspecified(), false
}

// ndHopLimit is how a receiver knows that a message has not been forwarded
// (RFC 4861 §3.1).
const ndHopLimit = 255

// message sends an ICMPv6 message of the link, with a hop-by-hop header before it
// if one is given.
func (v *ip6) message(src, dst netip.Addr, hopLimit uint8, extension []byte, h wire.ICMPHeader, body []byte) {
	i, s := v.iface, v.iface.stack
	f := i.queue.newFrame()
	at := f.head[payloadAt6:]
	n := copy(at, extension)
	h.PutICMPv6(at[n:], src, dst, body)
	f.carry(body)
	ip := wire.IP{Src: src, Dst: dst, Proto: wire.ICMPv6, TTL: hopLimit}
	if n > 0 {
		ip.Proto = wire.HopByHop
	}
	s.counts.ICMPv6.out(h.Type)
	s.send6(f, path{i, dst, dst.IsMulticast()}, &ip, n+wire.ICMPLen)
}

// probe asks whether somebody has an address (RFC 4862 §5.4.2).
func (v *ip6) probe(target netip.Addr) {
	group := solicitedNode(target)
	v.report() // §5.4.2: switches are to know first
	body := make([]byte, wire.LenNeighbour)
	m := wire.NeighbourMessage{Target: target}
	rest, n := m.Put(body)
	v.message(netip.IPv6Unspecified(), group, ndHopLimit, nil, wire.ICMPHeader{Type: wire.NeighbourSolicitation, Rest: rest}, body[:n])
}

func (v *ip6) solicitRouters() {
	src, known := v.iface.linkLocalOf()
	body := make([]byte, wire.LenNeighbour)
	n := 0
	if known {
		n = wire.PutRouterSolicitation(body, v.iface.mac)
	}
	v.message(src, netip.IPv6LinkLocalAllRouters(), ndHopLimit, nil, wire.ICMPHeader{Type: wire.RouterSolicitation}, body[:n])
}

// solicit asks for a neighbour (RFC 4861 §7.2.2).
func (v *ip6) solicit(r ndp.Request) {
	src, err := v.iface.source6(r.IP)
	if err != nil {
		return
	}
	dst := r.IP
	if r.To == (wire.MAC{}) {
		dst = solicitedNode(r.IP)
	}
	body := make([]byte, wire.LenNeighbour)
	m := wire.NeighbourMessage{Target: r.IP, NDOptions: wire.NDOptions{SourceMAC: v.iface.mac}}
	rest, n := m.Put(body)
	v.message(src, dst, ndHopLimit, nil, wire.ICMPHeader{Type: wire.NeighbourSolicitation, Rest: rest}, body[:n])
}

// reportRecords is how many groups a report names: they fit any MTU.
const reportRecords = 50

// report tells routers about our groups (RFC 3810 §5.2).
func (v *ip6) report() {
	for {
		records := v.groups.Output(v.iface.stack.now, reportRecords)
		if len(records) == 0 {
			return
		}
		var body []byte
		for _, r := range records {
			body = wire.AppendMLDRecord(body, r)
		}
		src, _ := v.iface.linkLocalOf() // RFC 3590: the unspecified address until there is one
		v.message(src, allMLDRouters, 1, wire.AlertRouters[:], wire.ICMPHeader{Type: wire.MLDReport, Rest: uint32(len(records))}, body)
	}
}

// allMLDRouters is where reports go (RFC 3810 §5.2.14).
var allMLDRouters = netip.MustParseAddr("ff02::16")
