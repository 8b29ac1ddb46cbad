package stack

// ICMPv6 as the host speaks it (RFC 4443), and neighbour discovery, which is a
// part of it (RFC 4861). deliver6 calls icmp6Input, the roads sendError6. The
// conversations of the icmpv6 directory are in icmpconv.go.

import (
	"net/netip"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

func (s *Stack) icmp6Input(p *packet) {
	n := &s.counts.ICMPv6
	n.InMsgs++
	h, payload, err := wire.ParseICMPv6(p.ip.Src, p.ip.Dst, p.payload)
	if err != nil {
		if err == wire.ErrChecksum {
			n.CsumErrs++
		} else {
			n.LenErrs++
		}
		return
	}
	n.in(h.Type)
	switch h.Type {
	case wire.ICMPv6EchoRequest:
		// RFC 4443 §4.2: to a group it may be answered, and is not, as in IPv4.
		if p.toGroup {
			p.in.drops.add(dropGroupEcho)
			return
		}
		s.echoReply6(p, h, payload)
	case wire.ICMPv6EchoReply:
		s.icmpToConv(p, h)
	case wire.RouterSolicitation, wire.RouterAdvertisement, wire.NeighbourSolicitation, wire.NeighbourAdvertisement, wire.Redirect:
		if p.in.ip6 == nil || !s.discovery(p, h, payload) {
			p.in.drops.add(dropBadND)
		}
	case wire.MLDQuery:
		// RFC 3810 §5.1.14: from a router of this link.
		m, err := wire.ParseMLDQuery(h, payload)
		if p.in.ip6 == nil || err != nil || p.ip.TTL != 1 || !p.ip.Src.IsLinkLocalUnicast() {
			p.in.drops.add(dropBadND)
			return
		}
		p.in.ip6.groups.Query(s.now, m)
		p.in.ip6.settle()
	case wire.MLDReport, wire.MLDReportV1, wire.MLDDoneV1: // of others: version 2 does not look
	default:
		if h.IsErrorV6() {
			s.icmp6Error(p, h, payload)
			return
		}
		p.in.drops.add(dropICMPType) // RFC 4443 §2.4 b
	}
}

// echoReply6 answers from the address that was asked, with the same data.
func (s *Stack) echoReply6(p *packet, h wire.ICMPHeader, data []byte) {
	to, err := s.pathTo(p.ip.Src)
	if err != nil {
		p.in.drops.add(dropNoRoute)
		return
	}
	f := to.out.queue.newFrame()
	f.carry(append([]byte(nil), data...))
	wire.ICMPHeader{Type: wire.ICMPv6EchoReply, Rest: h.Rest}.PutICMPv6(f.head[payloadAt6:], p.ip.Dst, p.ip.Src, data)
	s.counts.ICMPv6.out(wire.ICMPv6EchoReply)
	s.send(f, to, &wire.IP{Src: p.ip.Dst, Dst: p.ip.Src, Proto: wire.ICMPv6, TTL: s.hopLimit(to.out), TOS: p.ip.TOS, Flow: p.ip.Flow}, wire.ICMPLen)
}

// hopLimit is what routers of a link want, else our own.
func (s *Stack) hopLimit(i *Iface) uint8 {
	if i.ip6 != nil && i.ip6.host.HopLimit() != 0 {
		return i.ip6.host.HopLimit()
	}
	return s.knobs.ttl
}

// --- neighbour discovery

// discovery takes a message in; false: it is not valid (RFC 4861 §6.1, §7.1, §8.1).
func (s *Stack) discovery(p *packet, h wire.ICMPHeader, b []byte) bool {
	v, src := p.in.ip6, p.ip.Src
	// RFC 6980: never in fragments, which is how a filter would be fooled.
	if p.ip.TTL != ndHopLimit || h.Code != 0 || p.pieced {
		return false
	}
	defer v.settle()
	switch h.Type {
	case wire.RouterAdvertisement:
		m, err := wire.ParseRouter(h, b)
		if err != nil || !src.IsLinkLocalUnicast() {
			return false
		}
		if v.recvRA {
			v.learn(src, m.SourceMAC, true)
			v.host.Advertised(s.now, src.WithZone(""), &m)
		}
	case wire.RouterSolicitation:
		o, err := wire.ParseRouterSolicitation(b)
		if err != nil || src.IsUnspecified() && o.SourceMAC != (wire.MAC{}) {
			return false
		}
		if !src.IsUnspecified() {
			v.learn(src, o.SourceMAC, false)
		}
	case wire.NeighbourSolicitation:
		m, err := wire.ParseNeighbour(h, b)
		if err != nil || m.Target.IsMulticast() || src.IsUnspecified() && (m.SourceMAC != wire.MAC{} || p.ip.Dst != solicitedNode(m.Target)) {
			return false
		}
		v.solicited(p, &m)
	case wire.NeighbourAdvertisement:
		m, err := wire.ParseNeighbour(h, b)
		if err != nil || m.Target.IsMulticast() || p.ip.Dst.IsMulticast() && m.Solicited {
			return false
		}
		v.advertised(p, &m)
	case wire.Redirect:
		m, err := wire.ParseRedirect(b)
		if err != nil || !src.IsLinkLocalUnicast() || m.Destination.IsMulticast() || m.Target != m.Destination && !m.Target.IsLinkLocalUnicast() {
			return false
		}
		v.redirected(p, &m)
	}
	return true
}

// learn is told the station of a neighbour by itself.
func (v *ip6) learn(src netip.Addr, mac wire.MAC, router bool) {
	v.iface.stack.gateways.heard(src)
	if mac != (wire.MAC{}) {
		v.release(v.cache.Learn(v.iface.stack.now, src, mac, router), mac)
	}
}

// release sends what has waited for a neighbour.
func (v *ip6) release(ready []*outFrame, mac wire.MAC) {
	for _, f := range ready {
		v.iface.address(f, mac)
		v.iface.enqueue(f)
	}
}

// solicited answers who asks for us (RFC 4861 §7.2.3, §7.2.4).
func (v *ip6) solicited(p *packet, m *wire.NeighbourMessage) {
	s, src := v.iface.stack, p.ip.Src
	if v.host.Tentative(m.Target) {
		// RFC 4862 §5.4.3: he tries it as well. Whoever has an address to ask from
		// gets no answer yet.
		if src.IsUnspecified() {
			v.host.Claimed(s.now, m.Target)
		}
		return
	}
	if !v.usable(m.Target) {
		p.in.drops.add(dropNotForUs)
		return
	}
	if !src.IsUnspecified() {
		v.learn(src, m.SourceMAC, false)
	}
	answer := wire.NeighbourMessage{Target: m.Target, Router: s.knobs.forward, Solicited: true, Override: true, NDOptions: wire.NDOptions{TargetMAC: v.iface.mac}}
	dst := src
	if src.IsUnspecified() {
		dst, answer.Solicited = netip.IPv6LinkLocalAllNodes(), false
	}
	body := make([]byte, wire.LenNeighbour)
	rest, n := answer.Put(body)
	v.message(v.iface.scoped(m.Target), dst, ndHopLimit, nil, wire.ICMPHeader{Type: wire.NeighbourAdvertisement, Rest: rest}, body[:n])
}

// advertised hears of a neighbour.
func (v *ip6) advertised(p *packet, m *wire.NeighbourMessage) {
	s := v.iface.stack
	if v.host.Tentative(m.Target) {
		v.host.Claimed(s.now, m.Target)
		return
	}
	if v.usable(m.Target) {
		v.iface.conflict(p.eth.Src, m.Target)
		return
	}
	target := v.iface.scoped(m.Target)
	s.gateways.heard(target)
	r := v.cache.Advertised(s.now, target, m)
	v.release(r.Ready, r.MAC)
	if r.NoRouter {
		v.host.NoRouter(m.Target)
	}
}

// redirected follows the router in use to a better one (RFC 4861 §8.3), where the
// knob ip.redirect.accept allows it.
func (v *ip6) redirected(p *packet, m *wire.RedirectMessage) {
	i, s := v.iface, v.iface.stack
	to, err := s.pathTo6(i.scoped(m.Destination))
	if !s.knobs.acceptRedirects || err != nil || to.out != i || to.hop != p.ip.Src || m.Destination.IsLinkLocalUnicast() {
		p.in.drops.add(dropRedirect)
		return
	}
	via := netip.Addr{} // he is a neighbour himself
	if m.Target != m.Destination {
		via = i.scoped(m.Target)
	}
	v.learn(i.scoped(m.Target), m.TargetMAC, via.IsValid())
	s.gateways.move(m.Destination, via, i.num)
}

// --- errors

// icmp6Error gives an error to the protocol of the datagram that it is about
// (RFC 4443 §2.4 d).
func (s *Stack) icmp6Error(p *packet, h wire.ICMPHeader, quote []byte) {
	q := s.quoted6(p.in, quote)
	if q == nil {
		s.counts.ICMPv6.InErrors++
		return
	}
	pr := s.protoOf(&q.ip)
	if pr == nil || pr.advise == nil {
		return
	}
	if h.Type == wire.ICMPv6PacketTooBig {
		s.tooBig6(q, int(h.Rest))
		return
	}
	if cause := icmp6Cause(h, p.ip.Src); cause != nil {
		hard := h.Type == wire.ICMPv6Unreachable && h.Code == wire.ICMPv6PortUnreachable || h.Type == wire.ICMPv6ParameterProblem && h.Code == wire.ICMPv6UnknownHeader
		pr.advise(q, cause, hard)
	}
}

// quoted6 is the datagram of ours that an error quotes; nil: it is not ours, or
// cut off before its ports.
func (s *Stack) quoted6(i *Iface, quote []byte) *quoted {
	ip, payload, err := wire.ParseIPv6Quote(quote)
	if err != nil {
		return nil
	}
	c, problem := ip.Walk(payload)
	ip.Src, ip.Dst, ip.Proto = i.scopeOf(ip.Src), i.scopeOf(ip.Dst), c.Proto
	if problem.Drop || ip.Offset != 0 || len(c.Payload) < 8 || s.own[ip.Src] == nil {
		return nil
	}
	return &quoted{ip, c.Payload}
}

// icmp6Cause is an ICMPv6 error as one of ours.
func icmp6Cause(h wire.ICMPHeader, from netip.Addr) error {
	switch {
	case h.Type == wire.ICMPv6TimeExceeded:
		return neterr.TTLExceeded.With("at %v", from)
	case h.Type == wire.ICMPv6ParameterProblem && h.Code == wire.ICMPv6UnknownHeader:
		return neterr.ProtocolUnreachable.With("says %v", from)
	case h.Type != wire.ICMPv6Unreachable:
		return nil
	}
	switch h.Code {
	case wire.ICMPv6NoRoute:
		return neterr.NetUnreachable.With("says %v", from)
	case wire.ICMPv6PortUnreachable:
		return neterr.PortUnreachable.With("says %v", from)
	}
	return neterr.HostUnreachable.With("says %v", from)
}

// sendError6 tells the sender of a datagram what became of it.
func (s *Stack) sendError6(p *packet, typ, code uint8, rest uint32) {
	// RFC 4443 §2.4 e: not about what came to a group, but for two.
	toGroup := typ == wire.ICMPv6PacketTooBig || typ == wire.ICMPv6ParameterProblem && code == wire.ICMPv6UnknownOption
	if (p.toGroup || p.ip.Dst.IsMulticast()) && !toGroup {
		return
	}
	from := netip.Addr{}
	if s.own[p.ip.Dst] != nil {
		from = p.ip.Dst
	}
	s.sendErrorFrom6(p.in, from, p.quote(), typ, code, rest)
}

// sendErrorFrom6 sends an error about a datagram that came in by i and of which
// the quote is left. from is what it was for, if that is ours.
func (s *Stack) sendErrorFrom6(i *Iface, from netip.Addr, quote []byte, typ, code uint8, rest uint32) {
	ip, payload, err := wire.ParseIPv6Quote(quote)
	if err != nil || !mayComplain6(ip, payload) {
		return
	}
	h := wire.ICMPHeader{Type: typ, Code: code, Rest: rest}
	dst := i.scopeOf(ip.Src)
	if s.own[dst] != nil { // it came over loopback
		if q := s.quoted6(i, quote); q != nil {
			if cause := icmp6Cause(h, ip.Dst); cause != nil {
				s.adviseAbout(q, cause)
			}
		}
		return
	}
	src, to, err := s.source(dst)
	if err != nil {
		return
	}
	if from.IsValid() {
		src = from
	}
	// RFC 4443 §2.4 f: limited, so that we cannot be made to flood.
	if !s.limits.allow(s.now, s.knobs.icmpRate) {
		s.counts.ICMPv6.RateLimited++
		return
	}
	f := to.out.queue.newFrame()
	f.carry(quote)
	h.PutICMPv6(f.head[payloadAt6:], src, dst, quote)
	s.counts.ICMPv6.out(typ)
	s.send(f, to, &wire.IP{Src: src, Dst: dst, Proto: wire.ICMPv6, TTL: s.hopLimit(to.out)}, wire.ICMPLen)
}

func (s *Stack) adviseAbout(q *quoted, cause error) {
	if pr := s.protoOf(&q.ip); pr != nil && pr.advise != nil {
		pr.advise(q, cause, true)
	}
}

// mayComplain6 is RFC 4443 §2.4 e: no error about an error or a redirect, nor to
// who is not one host.
func mayComplain6(ip wire.IP, payload []byte) bool {
	if ip.Src.IsUnspecified() || ip.Src.IsMulticast() {
		return false
	}
	c, _ := ip.Walk(payload)
	return ip.Offset == 0 && (c.Proto != wire.ICMPv6 || len(c.Payload) > 0 && !wire.ICMPHeader{Type: c.Payload[0]}.IsErrorV6())
}
