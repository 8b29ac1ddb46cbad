package stack

// The router's part of the road up: ipInput calls forward for a datagram that is
// not ours while the knob ip.forward is on (RFC 1812 §5).

import (
	"slashnet/wire"
)

// forward passes a datagram on. The filter and NAT of a router will be two calls
// here.
func (s *Stack) forward(p *packet) {
	if badDestination(p.ip.Src, p.ip.Dst) {
		p.in.drops.add(dropMartian)
		s.tellMartian(p, dropMartian)
		return
	}
	if len(p.ip.Options) > 0 && !s.admitOptions(p) {
		return
	}
	r, ok := s.lookup(p.ip.Dst)
	if !ok || s.ifaces[r.Iface] == nil {
		s.counts.IP.OutNoRoutes++
		// RFC 1812 §5.2.7.1: code 0, network unreachable.
		s.sendError(p, wire.ICMPUnreachable, wire.ICMPNetUnreachable, 0)
		return
	}
	// RFC 1812 §5.3.1: a TTL that would become zero ends here.
	if p.ip.TTL <= 1 {
		s.counts.IP.InHdrErrors++
		s.sendError(p, wire.ICMPTimeExceeded, wire.ICMPTTLExceeded, 0)
		return
	}
	to := path{out: s.ifaces[r.Iface], hop: p.ip.Dst, group: toBroadcast(r, p.ip.Dst)}
	if r.Via.IsValid() {
		to.hop = r.Via
	}
	s.redirect(p, to)
	s.counts.IP.ForwDatagrams++
	s.pass(p, to)
}

// forwardBroadcast passes a directed broadcast on to the network that it is for,
// where that is wanted: it is not by default (RFC 1812 §5.3.5.2, RFC 2644).
func (s *Stack) forwardBroadcast(p *packet) {
	r, ok := s.routes.Lookup(p.ip.Dst)
	if !ok || !toBroadcast(r, p.ip.Dst) || r.Iface == p.in.num || !s.knobs.forward || p.toGroup {
		return
	}
	if !s.knobs.directed {
		p.in.drops.add(dropDirectedBroadcast)
		return
	}
	s.forward(p)
}

// pass copies a datagram out of the frame it came in: it leaves after Receive
// has returned.
func (s *Stack) pass(p *packet, to path) {
	i := to.out
	gso := p.frame.GSO != wire.GSONone
	tooLong := len(p.header)+len(p.payload) > i.mtu
	if gso {
		tooLong = int(p.frame.GSOSize)+int(p.frame.HeaderLen)-wire.EthernetLen > i.mtu
	}
	if tooLong && (p.ip.DF || gso) {
		s.counts.IP.FragFails++
		// RFC 1812 §5.2.7.1, RFC 1191 §4: with the MTU of the next hop.
		s.sendError(p, wire.ICMPUnreachable, wire.ICMPFragmentationNeeded, uint32(i.mtu))
		return
	}
	f := i.queue.newFrame()
	ip := p.ip
	ip.TTL--
	if us, ok := i.addrFor(to.hop); ok {
		ip.Options = s.recorded(p, us)
	}
	f.carry(append([]byte(nil), p.payload...))
	f.Offload = p.frame.Offload
	f.CsumValid = false
	headerLen := ip.PutIPv4(f.head[wire.EthernetLen:], len(p.payload))
	f.Head = f.head[:wire.EthernetLen+headerLen]
	if tooLong {
		whole := f.Body[0]
		completeChecksum(whole, &f.Offload)
		i.queue.drop(f)
		s.cut(to, &ip, whole) // with the ID and the offset that it had
		return
	}
	if f.NeedsCsum {
		// Whoever completes it, or cuts the frame up, wants the headers in one piece.
		n := copy(f.head[len(f.Head):], f.Body[0][:min(len(f.Body[0]), wire.MaxTCPLen)])
		f.Head, f.Body[0] = f.head[:len(f.Head)+n], f.Body[0][n:]
	}
	s.toNeighbour(f, to)
}
