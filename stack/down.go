package stack

// The road down: udp.go, icmp.go, tcp.go and forward.go fill a frame's payload
// and call send; here it gets its IP header, is fragmented if need be, finds its
// neighbour, gets its Ethernet header, and goes into the interface's queue.

import (
	"net/netip"

	"slashnet/route"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// A path is where a datagram goes: out of an interface, to a neighbour.
type path struct {
	out   *Iface
	hop   netip.Addr
	group bool // broadcast or multicast
}

// pathTo looks up the way to an address (RFC 1122 §3.3.1).
func (s *Stack) pathTo(dst netip.Addr) (path, error) {
	if dst.Is6() {
		return s.pathTo6(dst)
	}
	if dst == limitedBroadcast {
		for _, n := range s.ifnums() {
			if i := s.ifaces[n]; i.nic != nil && !i.loopback {
				return path{i, dst, true}, nil
			}
		}
	}
	if dst.IsMulticast() {
		return s.groupPath(netip.Addr{}, dst)
	}
	r, ok := s.lookup(dst)
	if !ok {
		if r, ok = s.routes.Lookup(dst); ok && s.ifaces[r.Iface] != nil {
			return path{}, neterr.LinkDown.With("%v", s.ifaces[r.Iface])
		}
		return path{}, neterr.NoRoute.With("to %v: add one to iproute", dst)
	}
	i := s.ifaces[r.Iface]
	if r.Kind == route.Local {
		if lo := s.loopback(); lo != nil {
			return path{lo, dst, false}, nil
		}
		return path{}, neterr.NoRoute.With("to our own address %v: there is no loopback interface", dst)
	}
	hop := dst
	if r.Via.IsValid() {
		hop = r.Via
	}
	return path{i, hop, toBroadcast(r, dst)}, nil
}

// loopback is the interface through which we talk to ourselves; nil: there is none.
func (s *Stack) loopback() *Iface {
	for _, i := range s.ifaces {
		if i.loopback {
			return i
		}
	}
	return nil
}

// source chooses our address towards dst (RFC 1122 §3.3.4.3).
func (s *Stack) source(dst netip.Addr) (netip.Addr, path, error) {
	p, err := s.pathTo(dst)
	if err != nil {
		return netip.Addr{}, p, err
	}
	if s.own[dst] != nil {
		return dst, p, nil // to ourselves
	}
	if dst.Is6() {
		a, err := p.out.source6(dst)
		return a, p, err
	}
	a, ok := p.out.addrFor(p.hop)
	if !ok {
		return a, p, neterr.NotLocal.With("%v has no address to send from", p.out)
	}
	return a, p, nil
}

// payloadAt is where a transport header begins in an outFrame's head: behind an
// IP header without options.
const payloadAt = wire.EthernetLen + wire.IPv4Len

// send gives a datagram its IP header and passes it on. Its transport header, of
// the given length, is at head[payloadAt:], or payloadAt6, its payload in Body. The frame is
// send's from here.
func (s *Stack) send(f *outFrame, to path, ip *wire.IP, headerLen int) error {
	if ip.Src.Is6() {
		return s.send6(f, to, ip, headerLen)
	}
	i := to.out
	length := headerLen
	for _, b := range f.Body {
		length += len(b)
	}
	s.counts.IP.OutRequests++
	ipLen := ip.HeaderLen()
	switch {
	case length > 0xffff-ipLen:
		i.queue.drop(f)
		return neterr.MessageSize.With("%d bytes: an IP datagram holds %d", length, 0xffff-ipLen)
	case s.own[ip.Src] == nil && ip.Proto != wire.IGMP:
		// RFC 1122 §3.2.1.3: nothing leaves under an address that has been taken away.
		i.queue.drop(f)
		return neterr.NotLocal.With("%v, not any more", ip.Src)
	}
	if room := ipLen - wire.IPv4Len; room > 0 {
		copy(f.head[payloadAt+room:], f.head[payloadAt:payloadAt+headerLen])
		f.CsumStart += uint16(room)
	}
	f.Head = f.head[:wire.EthernetLen+ipLen+headerLen]
	if length+ipLen > i.mtu && f.GSO == wire.GSONone {
		return s.fragment(f, to, ip)
	}
	// RFC 6864 §4.1: the ID of an atomic datagram means nothing. One that a NIC or
	// a router may cut up needs it.
	if ip.DF {
		ip.ID = uint32(uint16(s.random.Uint32())) // says nothing of how much we send
	} else {
		ip.ID = s.nextID(ip)
	}
	ip.PutIPv4(f.head[wire.EthernetLen:], length)
	s.toNeighbour(f, to)
	return nil
}

// fragment cuts a datagram into pieces of the MTU (RFC 791 §3.2), or refuses.
func (s *Stack) fragment(f *outFrame, to path, ip *wire.IP) error {
	i := to.out
	if ip.DF {
		i.queue.drop(f)
		s.counts.IP.FragFails++
		return neterr.MessageSize.With("longer than the MTU of %v, %d, and not to be fragmented", i, i.mtu)
	}
	whole := append([]byte(nil), f.Head[wire.EthernetLen+ip.HeaderLen():]...)
	for _, b := range f.Body {
		whole = append(whole, b...)
	}
	completeChecksum(whole, &f.Offload)
	i.queue.drop(f)
	ip.ID = s.nextID(ip)
	s.cut(to, ip, whole)
	return nil
}

// idCounters is how many counters of IDs there are: two that share one are no
// harm, and few enough to need no cleaning up.
const idCounters = 1024

// nextID is the ID of a datagram that may be cut up. RFC 6864 §4.3: it is not soon
// used again for the same source, destination and protocol. RFC 6274 §3.5: and it
// tells others nothing of what we send elsewhere, as one counter for all would.
func (s *Stack) nextID(ip *wire.IP) uint32 {
	n := &s.ids[s.hash('i', tuple{netip.AddrPortFrom(ip.Src, uint16(ip.Proto)), netip.AddrPortFrom(ip.Dst, 0)})%idCounters]
	*n++
	return uint32(*n)
}

// cut sends whole, which ip is the header of, in as few pieces as the MTU allows.
// It may be a fragment itself.
func (s *Stack) cut(to path, ip *wire.IP, whole []byte) {
	i := to.out
	s.counts.IP.FragOKs++
	first, rest := *ip, *ip
	rest.Options = wire.CopiedOptions(ip.Options)
	for at := 0; at < len(whole); {
		h := &first
		if at > 0 {
			h = &rest
		}
		end := min(at+(i.mtu-h.HeaderLen())&^7, len(whole))
		h.Offset, h.More = ip.Offset+at, end < len(whole) || ip.More
		g := i.queue.newFrame()
		g.carry(whole[at:end])
		n := h.PutIPv4(g.head[wire.EthernetLen:], end-at)
		g.Head = g.head[:wire.EthernetLen+n]
		s.counts.IP.FragCreates++
		s.toNeighbour(g, to)
		at = end
	}
}

// completeChecksum does what a frame's marks leave to the NIC; start counts from
// the transport header here.
func completeChecksum(b []byte, o *wire.Offload) {
	if !o.NeedsCsum {
		return
	}
	at := int(o.CsumOffset)
	sum := wire.ForUDP(^wire.Fold(wire.Sum(b, 0))) // either zero will do for TCP
	b[at], b[at+1] = byte(sum>>8), byte(sum)
	o.NeedsCsum = false
}

// toNeighbour finds out the station that a frame goes to (RFC 1122 §2.3.2); the
// frame waits for the answer if need be.
func (s *Stack) toNeighbour(f *outFrame, to path) {
	i := to.out
	f.via, f.hop = i, to.hop
	switch {
	case i.loopback:
		i.address(f, i.mac)
	case to.hop.IsMulticast():
		i.address(f, wire.MulticastMAC(to.hop))
	case to.group:
		i.address(f, wire.Broadcast)
	case to.hop.Is6():
		mac, ok := i.ip6.cache.Resolve(s.now, to.hop, f)
		if !ok {
			i.ip6.settle()
			return
		}
		i.address(f, mac)
	default:
		mac, ok := i.arp.Resolve(s.now, to.hop, f)
		if !ok {
			i.ask()
			return
		}
		i.address(f, mac)
	}
	i.enqueue(f)
}

// address writes the Ethernet header.
func (i *Iface) address(f *outFrame, mac wire.MAC) {
	t := wire.EtherIPv4
	if f.hop.Is6() {
		t = wire.EtherIPv6
	}
	wire.Ethernet{Dst: mac, Src: i.mac, Type: t}.Put(f.head[:])
}

// undeliverable is told of a frame whose neighbour did not answer: the sender
// gets host unreachable, be it a conversation here or a host behind us.
func (s *Stack) undeliverable(f *outFrame) {
	quote := append([]byte(nil), f.Head[wire.EthernetLen:]...)
	for _, b := range f.Body {
		if len(quote) < 576 {
			quote = append(quote, b[:min(len(b), 576-len(quote))]...)
		}
	}
	hop, via := f.hop, f.via
	if ip, _, err := wire.ParseIPv4Quote(quote); err == nil && ip.Dst != hop {
		s.gateways.silent(hop)
		// RFC 1122 §3.3.1.5: what waited goes another way, if there is one.
		if to, err := s.pathTo(ip.Dst); err == nil && to.out == f.via && to.hop != hop {
			s.toNeighbour(f, to)
			return
		}
	}
	f.via.drops.add(dropNoNeighbour)
	f.via.queue.drop(f)
	silent := neterr.HostUnreachable.With("neighbour %v does not answer", hop)
	if hop.Is6() {
		if ip, _, err := wire.ParseIPv6Quote(quote); err == nil && via.scoped(ip.Dst) != hop {
			s.gateways.silent(hop)
		}
		if q := s.quoted6(via, quote); q != nil {
			s.adviseAbout(q, silent)
		} else {
			s.sendErrorFrom6(via, netip.Addr{}, quote, wire.ICMPv6Unreachable, wire.ICMPv6AddressUnreachable, 0)
		}
		return
	}
	if !s.adviseOwn(quote, silent) {
		s.sendErrorAbout(quote, wire.ICMPUnreachable, wire.ICMPHostUnreachable, 0)
	}
}
