package stack

// The router's part for IPv6: ip6Input calls forward6 for a datagram that is not
// ours while the knob ip.forward is on (RFC 8200 §3, RFC 4291 §2.5.6).

import (
	"slashnet/wire"
)

// forward6 passes a datagram on. What it carries is none of a router's business.
func (s *Stack) forward6(p *packet) {
	// RFC 4291 §2.5.2, §2.5.6: neither leaves its link.
	if p.ip.Src.IsUnspecified() || p.ip.Src.IsLinkLocalUnicast() || p.ip.Dst.IsLinkLocalUnicast() {
		p.in.drops.add(dropMartian)
		if p.ip.Src.IsLinkLocalUnicast() && !p.ip.Dst.IsLinkLocalUnicast() {
			s.sendError6(p, wire.ICMPv6Unreachable, wire.ICMPv6BeyondScope, 0) // RFC 4443 §3.1
		}
		return
	}
	to, err := s.pathTo6(p.ip.Dst)
	if err != nil || to.out.loopback {
		s.counts.IP.OutNoRoutes++
		s.sendError6(p, wire.ICMPv6Unreachable, wire.ICMPv6NoRoute, 0)
		return
	}
	// RFC 8200 §3: a hop limit that would become zero ends here.
	if p.ip.TTL <= 1 {
		s.counts.IP.InHdrErrors++
		s.sendError6(p, wire.ICMPv6TimeExceeded, wire.ICMPTTLExceeded, 0)
		return
	}
	// RFC 8200 §4.5: routers cut nothing up.
	mtu, length := to.out.linkMTU6(), len(p.header)+len(p.payload)
	gso := p.frame.GSO != wire.GSONone
	if gso {
		length = int(p.frame.GSOSize) + int(p.frame.HeaderLen) - wire.EthernetLen
	}
	if length > mtu {
		s.counts.IP.FragFails++
		s.sendError6(p, wire.ICMPv6PacketTooBig, 0, uint32(mtu)) // RFC 4443 §3.2
		return
	}
	s.counts.IP.ForwDatagrams++
	s.pass6(p, to)
}

// pass6 copies a datagram out of the frame it came in: it leaves after Receive
// has returned. As many headers as fit go where a NIC looks for them.
func (s *Stack) pass6(p *packet, to path) {
	f := to.out.queue.newFrame()
	whole := append(append(make([]byte, 0, len(p.header)+len(p.payload)), p.header...), p.payload...)
	const hopLimitAt = 7
	whole[hopLimitAt]--
	n := copy(f.head[wire.EthernetLen:], whole)
	f.Head = f.head[:wire.EthernetLen+n]
	f.carry(whole[n:])
	f.Offload = p.frame.Offload
	f.CsumValid = false
	s.toNeighbour(f, to)
}
