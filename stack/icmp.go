package stack

// ICMP as the host speaks it (RFC 792, RFC 1122 §3.2.2): echo is answered, errors
// are sent and passed to whom they are about. The conversations of the icmp
// directory are in icmpconv.go. deliver calls icmpInput, the roads sendError.

import (
	"net/netip"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// icmpLimit is a token bucket (RFC 1812 §4.3.2.8).
type icmpLimit struct {
	tokens float64
	at     time.Duration
}

// precedenceControl is the precedence 6 of RFC 791 §3.1: internetwork control.
const precedenceControl = 6 << 5

// icmpBurst is how many errors may be sent at once.
const icmpBurst = 50

// allow takes a token of a bucket that fills at rate a second.
func (l *icmpLimit) allow(now time.Duration, rate int) bool {
	l.tokens = min(icmpBurst, l.tokens+(now-l.at).Seconds()*float64(rate))
	l.at = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

func (s *Stack) icmpInput(p *packet) {
	n := &s.counts.ICMP
	n.InMsgs++
	h, payload, err := wire.ParseICMP(p.payload)
	if err != nil {
		if err == wire.ErrChecksum {
			n.CsumErrs++
		} else {
			n.LenErrs++
		}
		return
	}
	n.in(h.Type)
	switch {
	case h.Type == wire.ICMPEchoRequest:
		// RFC 1122 §3.2.2.6: one to a group may be dropped, and is.
		if p.toGroup {
			p.in.drops.add(dropGroupEcho)
			return
		}
		s.echoReply(p, h, payload)
	case h.Type == wire.ICMPRedirect:
		s.redirected(p, h, payload)
	case h.IsError():
		s.icmpError(p, h, payload)
	case h.Type == wire.ICMPEchoReply:
		s.icmpToConv(p, h)
	default:
		// RFC 1122 §3.2.2: unknown types are dropped silently; timestamp,
		// information and mask requests are among them (RFC 6918).
		p.in.drops.add(dropICMPType)
	}
}

// echoReply answers from the address that was asked, with the same data.
func (s *Stack) echoReply(p *packet, h wire.ICMPHeader, data []byte) {
	dst := p.ip.Src
	var options []byte
	if len(p.ip.Options) > 0 {
		// RFC 1122 §3.2.2.6: routes and times go on being recorded, a source route is
		// gone back.
		options, dst = wire.ReverseRoute(p.ip.Options, p.ip.Src)
		options = append(options, wire.RecordOptions(s.recorded(p, p.ip.Dst))...)
	}
	to, err := s.pathTo(dst)
	if err != nil {
		p.in.drops.add(dropNoRoute)
		return
	}
	f := to.out.queue.newFrame()
	f.carry(append([]byte(nil), data...))
	wire.ICMPHeader{Type: wire.ICMPEchoReply, Rest: h.Rest}.Put(f.head[payloadAt:], data)
	s.counts.ICMP.out(wire.ICMPEchoReply)
	s.send(f, to, &wire.IP{Src: p.ip.Dst, Dst: dst, Proto: wire.ICMP, TTL: s.knobs.ttl, TOS: p.ip.TOS, Options: options}, wire.ICMPLen)
}

// A quoted is the datagram that an ICMP error is about.
type quoted struct {
	ip      wire.IP
	payload []byte // at least 8 bytes
}

// icmpError gives an error to the protocol of the datagram that it is about
// (RFC 1122 §3.2.2).
func (s *Stack) icmpError(p *packet, h wire.ICMPHeader, quote []byte) {
	ip, payload, err := wire.ParseIPv4Quote(quote)
	// The quote must be of something that we sent, and name its ports.
	if err != nil || len(payload) < 8 || s.own[ip.Src] == nil {
		s.counts.ICMP.InErrors++
		return
	}
	pr := s.proto(ip.Proto)
	if pr == nil || pr.advise == nil {
		return
	}
	q := &quoted{ip: ip, payload: payload}
	if h.Type == wire.ICMPUnreachable && h.Code == wire.ICMPFragmentationNeeded {
		if ip.Proto == wire.TCP {
			s.tcpTooBig(q, h.MTU())
		}
		return
	}
	if cause := icmpCause(h, p.ip.Src); cause != nil {
		// RFC 1122 §4.2.3.9: codes 2 and 3 are hard.
		hard := h.Type == wire.ICMPUnreachable && (h.Code == wire.ICMPProtocolUnreachable || h.Code == wire.ICMPPortUnreachable)
		pr.advise(q, cause, hard)
	}
}

// icmpCause is an ICMP error as one of ours.
func icmpCause(h wire.ICMPHeader, from netip.Addr) error {
	switch {
	case h.Type == wire.ICMPTimeExceeded:
		return neterr.TTLExceeded.With("at %v", from)
	case h.Type == wire.ICMPParameterProblem:
		return neterr.ParameterProblem.With("says %v of byte %d of the header", from, h.Rest>>24)
	case h.Type != wire.ICMPUnreachable:
		return nil // RFC 6633: source quench is nothing
	}
	switch h.Code {
	case wire.ICMPNetUnreachable:
		return neterr.NetUnreachable.With("says %v", from)
	case wire.ICMPProtocolUnreachable:
		return neterr.ProtocolUnreachable.With("says %v", from)
	case wire.ICMPPortUnreachable:
		return neterr.PortUnreachable.With("says %v", from)
	}
	return neterr.HostUnreachable.With("says %v", from)
}

// sendError tells the sender of a datagram what became of it.
func (s *Stack) sendError(p *packet, typ, code uint8, rest uint32) {
	// RFC 1122 §3.2.2: never about what came to a group.
	if p.toGroup || p.ip.Dst.IsMulticast() || p.in.loopback && p.ip.Proto == wire.ICMP {
		return
	}
	if s.own[p.ip.Dst] != nil {
		s.sendErrorFrom(p.ip.Dst, p.quote(), typ, code, rest)
		return
	}
	s.sendErrorAbout(p.quote(), typ, code, rest)
}

// sendErrorAbout is sendError for a datagram of which only the quote is left.
func (s *Stack) sendErrorAbout(quote []byte, typ, code uint8, rest uint32) {
	s.sendErrorFrom(netip.Addr{}, quote, typ, code, rest)
}

func (s *Stack) sendErrorFrom(from netip.Addr, quote []byte, typ, code uint8, rest uint32) {
	ip, payload, err := wire.ParseIPv4Quote(quote)
	if err != nil || !s.mayComplain(&ip, payload) {
		return
	}
	h := wire.ICMPHeader{Type: typ, Code: code, Rest: rest}
	if s.own[ip.Src] != nil { // it came over loopback
		if cause := icmpCause(h, ip.Dst); cause != nil {
			s.adviseOwn(quote, cause)
		}
		return
	}
	src, to, err := s.source(ip.Src)
	if err != nil {
		return
	}
	// RFC 1122 §3.2.2: TOS 0; a router's has the precedence of its control traffic
	// (RFC 1812 §4.3.2.5).
	var tos uint8 = precedenceControl
	if from.IsValid() {
		src, tos = from, 0
	}
	// RFC 1812 §4.3.2.8: limited, so that we cannot be made to flood.
	if !s.limits.allow(s.now, s.knobs.icmpRate) {
		s.counts.ICMP.RateLimited++
		return
	}
	f := to.out.queue.newFrame()
	f.carry(quote)
	h.Put(f.head[payloadAt:], quote)
	s.counts.ICMP.out(typ)
	s.send(f, to, &wire.IP{Src: src, Dst: ip.Src, Proto: wire.ICMP, TTL: s.knobs.ttl, TOS: tos}, wire.ICMPLen)
}

// adviseOwn tells a conversation of ours what became of its datagram; false: it is
// not ours.
func (s *Stack) adviseOwn(quote []byte, cause error) bool {
	ip, payload, err := wire.ParseIPv4Quote(quote)
	if err != nil || s.own[ip.Src] == nil {
		return false
	}
	if pr := s.proto(ip.Proto); pr != nil && pr.advise != nil && len(payload) >= 8 {
		pr.advise(&quoted{ip, payload}, cause, true)
	}
	return true
}

// mayComplain is RFC 1122 §3.2.2: no error about an error, a group, a fragment
// that is not the first, or a source that is not one host.
func (s *Stack) mayComplain(ip *wire.IP, payload []byte) bool {
	switch {
	case ip.Offset != 0, ip.Dst.IsMulticast(), s.isBroadcast(ip.Dst):
		return false
	case ip.Src.IsMulticast(), ip.Src.IsUnspecified(), s.isBroadcast(ip.Src), thisNetwork.Contains(ip.Src), classE.Contains(ip.Src):
		return false
	case ip.Proto == wire.ICMP && (len(payload) == 0 || wire.ICMPHeader{Type: payload[0]}.IsError()):
		return false
	}
	return true
}
