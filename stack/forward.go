package stack

// The router's part of the road up: ipInput calls forward for a datagram that is
// not ours while the knob ip.forward is on (RFC 1812 §5).

import (
	"slashnet/route"
	"slashnet/wire"
)

// forward passes a datagram on. The filter and NAT of a router will be two calls
// here.
func (s *Stack) forward(p *packet) {
	// RFC 1812 §5.3.7: martians are not forwarded.
	if thisNetwork.Contains(p.ip.Dst) || classE.Contains(p.ip.Dst) {
		p.in.drops.add(dropMartian)
		return
	}
	r, ok := s.routes.Lookup(p.ip.Dst)
	if !ok || s.ifaces[r.Iface] == nil || s.ifaces[r.Iface].nic == nil {
		s.counts.IP.OutNoRoutes++
		// RFC 1812 §5.2.7.1: code 0, network unreachable.
		s.sendError(p, wire.ICMPUnreachable, wire.ICMPNetUnreachable, 0)
		return
	}
	// RFC 1812 §5.3.5: directed broadcasts stay out (RFC 2644).
	if r.Kind == route.Broadcast {
		p.in.drops.add(dropDirectedBroadcast)
		return
	}
	// RFC 1812 §5.3.1: a TTL that would become zero ends here.
	if p.ip.TTL <= 1 {
		s.counts.IP.InHdrErrors++
		s.sendError(p, wire.ICMPTimeExceeded, wire.ICMPTTLExceeded, 0)
		return
	}
	s.counts.IP.ForwDatagrams++
	to := path{out: s.ifaces[r.Iface], hop: p.ip.Dst}
	if r.Via.IsValid() {
		to.hop = r.Via
	}
	s.pass(p, to)
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
	f.carry(append([]byte(nil), p.payload...))
	f.Offload = p.frame.Offload
	f.CsumValid = false
	headerLen := ip.PutIPv4(f.head[wire.EthernetLen:], len(p.payload))
	f.Head = f.head[:wire.EthernetLen+headerLen]
	if tooLong {
		s.passFragments(f, to, &ip)
		return
	}
	s.toNeighbour(f, to)
}

// passFragments cuts up what came, keeping its ID and the offsets it had.
func (s *Stack) passFragments(f *outFrame, to path, ip *wire.IP) {
	i := to.out
	whole := f.Body[0]
	if f.NeedsCsum {
		f.CsumStart = 0
		completeChecksum(whole, &f.Offload)
	}
	i.queue.drop(f)
	s.counts.IP.FragOKs++
	first, rest := *ip, *ip
	rest.Options = copiedOptions(ip.Options)
	for at := 0; at < len(whole); {
		h := &first
		if at > 0 {
			h = &rest
		}
		piece := (i.mtu - h.HeaderLen()) &^ 7
		end := min(at+piece, len(whole))
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

// copiedOptions are those whose copy bit is set: they go into every fragment
// (RFC 791 §3.1).
func copiedOptions(options []byte) (copied []byte) {
	for at := 0; at < len(options); {
		kind := options[at]
		if kind == 0 {
			break
		}
		n := 1
		if kind != 1 {
			if at+1 >= len(options) || options[at+1] < 2 || at+int(options[at+1]) > len(options) {
				break
			}
			n = int(options[at+1])
		}
		if kind&0x80 != 0 {
			copied = append(copied, options[at:at+n]...)
		}
		at += n
	}
	return copied
}
