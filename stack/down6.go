package stack

// IPv6 on the road down: pathTo, source and send call these for their family.

import (
	"net/netip"
	"strconv"

	"slashnet/route"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// payloadAt6 is payloadAt behind an IPv6 header.
const payloadAt6 = wire.EthernetLen + wire.IPv6Len

// transportAt is where a transport header begins in an outFrame's head.
func transportAt(a netip.Addr) int { return wire.EthernetLen + wire.BaseLen(a) }

// link6 is the interface that an address names that says nothing beyond its link:
// by its zone, or because only one speaks IPv6.
func (s *Stack) link6(a netip.Addr) (*Iface, error) {
	if z := a.Zone(); z != "" {
		n, err := strconv.Atoi(z)
		if i := s.ifaces[n]; err == nil && i != nil && i.ip6 != nil {
			return i, nil
		}
		return nil, neterr.NoInterface.With("%v: %q is the number of no interface that speaks IPv6", a, z)
	}
	var only *Iface
	for _, n := range s.ifnums() {
		i := s.ifaces[n]
		if i.ip6 == nil {
			continue
		}
		if only != nil {
			return nil, neterr.BadAddress.With("%v is on a link: say which, as in %v%%%d", a, a, i.num)
		}
		only = i
	}
	if only == nil {
		return nil, neterr.NoRoute.With("to %v: no interface speaks IPv6", a)
	}
	return only, nil
}

// named is an address that a user gave, with the interface that it is on.
func (s *Stack) named(a netip.Addr) netip.Addr {
	if a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" {
		for _, n := range s.ifnums() {
			if z := s.ifaces[n].scoped(a); s.own[z] != nil {
				return z
			}
		}
		if i, err := s.link6(a); err == nil {
			return i.scoped(a)
		}
	}
	return a
}

// pathTo6 looks up the way to an address (RFC 4861 §5.2).
func (s *Stack) pathTo6(dst netip.Addr) (path, error) {
	if s.own[dst] != nil {
		return s.toSelf(dst)
	}
	if dst.IsLinkLocalUnicast() || dst.IsMulticast() {
		i, err := s.link6(dst)
		if err != nil {
			return path{}, err
		}
		if dst.IsMulticast() {
			return path{i, dst.WithZone(""), true}, nil
		}
		return path{i, i.scoped(dst), false}, nil
	}
	r, ok := s.lookup(dst)
	if !ok {
		return path{}, neterr.NoRoute.With("to %v: add one to iproute", dst)
	}
	i := s.ifaces[r.Iface]
	switch {
	case r.Kind == route.Local:
		return s.toSelf(dst)
	case i == nil || i.nic == nil || i.ip6 == nil:
		return path{}, neterr.NoRoute.With("to %v: its interface %d is gone", dst, r.Iface)
	case r.Via.IsValid():
		return path{i, i.scoped(r.Via), false}, nil
	}
	return path{i, dst, false}, nil
}

func (s *Stack) toSelf(dst netip.Addr) (path, error) {
	if lo := s.loopback(); lo != nil {
		return path{lo, dst, false}, nil
	}
	return path{}, neterr.NoRoute.With("to our own address %v: there is no loopback interface", dst)
}

// source6 chooses the interface's address towards dst (RFC 6724 §5).
func (i *Iface) source6(dst netip.Addr) (netip.Addr, error) {
	var all []route.Candidate
	for _, a := range i.addrs {
		if a.prefix.Addr().Is6() {
			all = append(all, route.Candidate{Addr: a.prefix.Addr(), Bits: a.prefix.Bits(), Deprecated: a.preferred <= i.stack.now})
		}
	}
	a, ok := route.Source(dst, all)
	if !ok {
		return a, neterr.NotLocal.With("%v has no IPv6 address to send from", i)
	}
	return i.scoped(a), nil
}

// send6 is send for IPv6.
func (s *Stack) send6(f *outFrame, to path, ip *wire.IP, headerLen int) error {
	i := to.out
	length := headerLen
	for _, b := range f.Body {
		length += len(b)
	}
	s.counts.IP.OutRequests++
	switch {
	case length > 0xffff:
		i.queue.drop(f)
		return neterr.MessageSize.With("%d bytes: an IPv6 datagram holds %d", length, 0xffff)
	case s.own[ip.Src] == nil && !ip.Src.IsUnspecified():
		i.queue.drop(f)
		return neterr.NotLocal.With("%v, not any more", ip.Src)
	}
	f.Head = f.head[:payloadAt6+headerLen]
	if mtu := s.mtuTo(to, ip.Dst); wire.IPv6Len+length > mtu && f.GSO == wire.GSONone {
		return s.fragment6(f, to, ip, mtu)
	}
	ip.Put(f.head[wire.EthernetLen:], length)
	s.toNeighbour(f, to)
	return nil
}

// fragment6 cuts a datagram of ours into pieces that the path takes (RFC 8200
// §4.5). TCP makes its segments so that they fit.
func (s *Stack) fragment6(f *outFrame, to path, ip *wire.IP, mtu int) error {
	i := to.out
	if ip.Proto == wire.TCP {
		i.queue.drop(f)
		s.counts.IP.FragFails++
		return neterr.MessageSize.With("longer than the MTU towards %v, %d", ip.Dst, mtu)
	}
	whole := append([]byte(nil), f.Head[payloadAt6:]...)
	for _, b := range f.Body {
		whole = append(whole, b...)
	}
	completeChecksum(whole, &f.Offload)
	i.queue.drop(f)
	s.counts.IP.FragOKs++
	ip.ID, ip.More = s.random.Uint32(), true // RFC 7739: says nothing of how much we send
	piece := (mtu - ip.HeaderLen()) &^ 7
	for at := 0; at < len(whole); at += piece {
		end := min(at+piece, len(whole))
		ip.Offset, ip.More = at, end < len(whole)
		g := i.queue.newFrame()
		g.carry(whole[at:end])
		n := ip.Put(g.head[wire.EthernetLen:], end-at)
		g.Head = g.head[:wire.EthernetLen+n]
		s.counts.IP.FragCreates++
		s.toNeighbour(g, to)
	}
	return nil
}

// flowLabel is that of a conversation, the same for all its datagrams (RFC 6437
// §3).
func (s *Stack) flowLabel(t tuple) uint32 {
	if t.remote.Addr().Is4() {
		return 0
	}
	return uint32(s.hash('f', t))&0xfffff | 1
}
