package stack

// IPv6 on the road up: parse calls parse6, up calls ip6Input. From here it goes to
// the protocols, to icmp6.go, or to forward6.go. What an interface needs to speak
// IPv6 at all is in iface6.go.

import (
	"net/netip"

	"slashnet/stack/reasm"
	"slashnet/wire"
)

// parse6 reads the headers, the extensions among them: only who is the
// destination has a use for what it finds there.
func (p *packet) parse6(b []byte) {
	ip, payload, err := wire.ParseIPv6(b)
	if err != nil {
		p.bad = dropBadHeader
		return
	}
	p.ip, p.buf = ip, p.frame.Buf
	p.summed = p.frame.NeedsCsum || p.frame.CsumValid
	whole := b[:wire.IPv6Len+len(payload)]
	p.walk(whole)
	p.bad = p.verify()
}

// walk finds the payload of a whole datagram.
func (p *packet) walk(whole []byte) {
	p.chain, p.problem = p.ip.Walk(whole[wire.IPv6Len:])
	p.ip.Proto, p.payload = p.chain.Proto, p.chain.Payload
	p.header = whole[:len(whole)-len(p.payload)]
}

var mapped = netip.MustParsePrefix("::ffff:0:0/96")

// ip6Input decides whether a datagram is for us (RFC 8200 §4).
func (s *Stack) ip6Input(p *packet) {
	i := p.in
	s.counts.IP.InReceives++
	p.ip.Src, p.ip.Dst = i.scopeOf(p.ip.Src), i.scopeOf(p.ip.Dst)
	if bad := s.badSource6(p); bad != 0 {
		i.drops.add(bad)
		return
	}
	dst := p.ip.Dst
	switch {
	case s.own[dst] != nil:
		if p.toGroup {
			i.drops.add(dropGroupUnicast)
			return
		}
		s.deliver6(p)
	case dst.IsMulticast():
		if !i.listens(dst) {
			i.drops.add(dropNotJoined)
			return
		}
		p.toGroup = true
		s.deliver6(p)
	case s.knobs.forward && !p.toGroup:
		s.forward6(p)
	default:
		s.counts.IP.InAddrErrors++
		i.drops.add(dropNotForUs)
	}
}

// badSource6 finds addresses that no datagram from a cable can have (RFC 4291
// §2.5, RFC 4443 §2.4 e).
func (s *Stack) badSource6(p *packet) dropReason {
	src, dst := p.ip.Src, p.ip.Dst
	switch {
	case p.in.loopback:
		return 0
	case src.IsMulticast(), src.IsLoopback(), dst.IsLoopback(), dst.IsUnspecified(), mapped.Contains(src), mapped.Contains(dst):
		return dropMartian
	case src.IsUnspecified() && !dst.IsMulticast():
		return dropMartian
	case dst.IsInterfaceLocalMulticast():
		return dropMartian
	case s.own[src] != nil:
		// RFC 6274 §3.11 (LAND): our own address from outside.
		p.in.conflict(p.eth.Src, src)
		return dropMartian
	}
	return 0
}

// deliver6 gives a datagram of ours to its protocol, whole.
func (s *Stack) deliver6(p *packet) {
	if p.bad != 0 {
		p.in.drops.add(p.bad)
		return
	}
	if p.chain.Fragment && !p.problem.Drop && !s.reassemble6(p) {
		return
	}
	if pb := p.problem; pb.Drop {
		s.counts.IP.InHdrErrors++
		p.in.drops.add(dropExtension)
		if pb.Report && (pb.ToGroup || !p.toGroup) {
			s.sendError6(p, wire.ICMPv6ParameterProblem, pb.Code, uint32(pb.Pointer))
		}
		return
	}
	if p.ip.Proto == wire.NoNext {
		return // RFC 8200 §4.7: nothing follows, and that is all right
	}
	s.counts.IP.InDelivers++
	pr := s.protoOf(&p.ip)
	if pr == nil {
		s.counts.IP.InUnknownProtos++
		// RFC 8200 §4, RFC 4443 §3.4: code 1, at the byte that names it.
		s.sendError6(p, wire.ICMPv6ParameterProblem, wire.ICMPv6UnknownHeader, uint32(p.chain.NextAt))
		return
	}
	pr.input(p)
}

// protoOf is the protocol of a datagram; nil: we do not speak it. ICMP is not the
// same in both families.
func (s *Stack) protoOf(ip *wire.IP) *protocol {
	if ip.Proto == wire.ICMP && ip.Src.Is6() || ip.Proto == wire.ICMPv6 && ip.Src.Is4() {
		return nil
	}
	return s.proto(ip.Proto)
}

// reassemble6 adds a fragment; true: p has become the whole datagram.
func (s *Stack) reassemble6(p *packet) bool {
	s.counts.IP.ReasmReqds++
	key := reasm.Key{Src: p.ip.Src, Dst: p.ip.Dst, Proto: p.ip.Proto, ID: p.ip.ID}
	var first []byte
	if p.ip.Offset == 0 {
		first = p.quote()
	}
	payload, done, _ := s.reasm.Add(s.now, key, p.ip.Offset, p.ip.More, p.payload, first)
	s.file(&s.reasmTimer)
	if !done {
		return false
	}
	s.counts.IP.ReasmOKs++
	p.ip.More, p.ip.Offset = false, 0
	p.buf, p.summed, p.pieced = nil, false, true
	// As if it had never been cut up, and without the headers that every fragment
	// had: they have done their work.
	whole := make([]byte, wire.IPv6Len, wire.IPv6Len+len(payload))
	p.ip.Put(whole, len(payload))
	p.walk(append(whole, payload...))
	if bad := p.verify(); bad != 0 {
		p.in.drops.add(bad)
		return false
	}
	return true
}
