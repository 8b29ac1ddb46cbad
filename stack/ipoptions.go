package stack

// IPv4 options on their way up and through (RFC 1122 §3.2.1.8, RFC 1812 §4.2.2.1
// and §5.3.13): deliver and forward call admitOptions first. Unknown ones pass
// untouched, security options and stream identifiers among them.

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"slashnet/route"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// An optionPolicy is what becomes of datagrams with options.
type optionPolicy string

const (
	optionsProcessed optionPolicy = "process" // routes and times are recorded
	optionsPassed    optionPolicy = "pass"    // as if there were none
	optionsDropped   optionPolicy = "drop"    // with their datagrams
)

// admitOptions reports whether a datagram with options goes on.
func (s *Stack) admitOptions(p *packet) bool {
	switch {
	case s.knobs.options == optionsDropped && p.ip.Proto != wire.IGMP: // which always has one
		p.in.drops.add(dropOption)
	case p.options.Bad != 0:
		p.in.drops.add(dropBadOption)
		s.counts.IP.InHdrErrors++
		// RFC 1122 §3.2.2.5, RFC 1812 §4.3.3.5: with a pointer to what is wrong.
		s.sendError(p, wire.ICMPParameterProblem, 0, uint32(p.options.Bad)<<24)
	case p.options.SourceRoute && !s.knobs.sourceRoutes:
		// RFC 7126 §4.3 and §4.4: dropped by default, in transit and at the end.
		p.in.drops.add(dropSourceRoute)
	default:
		return true
	}
	return false
}

// recorded are the options of a datagram with us, as addr, in those that record.
func (s *Stack) recorded(p *packet, addr netip.Addr) []byte {
	if !p.options.Record || s.knobs.options != optionsProcessed {
		return p.ip.Options
	}
	options := slices.Clone(p.ip.Options) // the frame is lent
	own := func(a netip.Addr) bool { return s.own[a] != nil }
	// RFC 791 §3.1: since midnight UT.
	now := s.wall(s.now).UTC()
	midnight := now.Truncate(24 * time.Hour)
	wire.RecordIPv4(options, addr, own, uint32(now.Sub(midnight)/time.Millisecond))
	return options
}

// onItsRoute passes a datagram on that names us as a stage of its source route
// (RFC 1122 §3.3.5, RFC 1812 §5.2.4.1). False: it is at its end, or has none.
func (s *Stack) onItsRoute(p *packet) bool {
	if !p.options.SourceRoute || !s.knobs.sourceRoutes || p.options.Bad != 0 {
		return false
	}
	next, strict, ok := wire.NextOnRoute(p.ip.Options)
	if !ok {
		return false
	}
	r, ok := s.lookup(next)
	if !ok || !s.knobs.forward || toBroadcast(r, next) || strict && r.Kind != route.OnLink || s.ifaces[r.Iface] == nil {
		s.sendError(p, wire.ICMPUnreachable, wire.ICMPSourceRouteFailed, 0)
		return true
	}
	us, ok := s.ifaces[r.Iface].addrFor(next)
	if !ok {
		us = p.ip.Dst
	}
	p.ip.Options = slices.Clone(p.ip.Options)
	wire.TakeFromRoute(p.ip.Options, us)
	p.ip.Dst = next
	s.forward(p)
	return true
}

// ipOptionsVerb sets the options of the datagrams that a conversation sends, in
// hexadecimal; none: no options. TCP has none: its segments are as long as the
// path allows, and a source route is all that could be of use to it.
func (c *Conv) ipOptionsVerb(args []string) error {
	switch {
	case c.proto.num == wire.TCP:
		return neterr.NotSupported.With("ipoptions is a verb of udp and icmp")
	case len(args) == 0:
		c.ipOptions = nil
		return nil
	case len(args) > 1:
		return neterr.BadControl.With("ipoptions takes bytes in hexadecimal, or nothing")
	}
	b, err := hex.DecodeString(args[0])
	switch o := wire.InspectIPv4Options(b); {
	case err != nil || len(b) > wire.MaxIPv4Len-wire.IPv4Len:
		return neterr.BadArg.With("ipoptions %q: at most %d bytes in hexadecimal are wanted", clip(args[0]), wire.MaxIPv4Len-wire.IPv4Len)
	case o.Bad != 0:
		return neterr.BadArg.With("ipoptions %q: byte %d makes no sense", clip(args[0]), o.Bad-wire.IPv4Len)
	case o.SourceRoute && !c.stack.knobs.sourceRoutes:
		return neterr.Permission.With("a source route: the knob ip.sourceroute is off")
	}
	c.ipOptions = b
	return nil
}
