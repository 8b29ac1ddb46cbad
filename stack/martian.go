package stack

// Addresses that no datagram from a cable may have (RFC 1122 §3.2.1.3, RFC 1812
// §5.3.7 and §5.3.8): ipInput asks badSource of each, forward badDestination of
// those that are not ours.

import (
	"net/netip"

	"slashnet/stack/neterr"
)

var (
	thisNetwork  = netip.MustParsePrefix("0.0.0.0/8")
	loopbackNet  = netip.MustParsePrefix("127.0.0.0/8")
	linkLocalNet = netip.MustParsePrefix("169.254.0.0/16")
	localGroups  = netip.MustParsePrefix("224.0.0.0/24")
	classE       = netip.MustParsePrefix("240.0.0.0/4")
)

// badSource says what is wrong with a source that cannot be one host out there:
// it is dropped silently.
func (s *Stack) badSource(p *packet) dropReason {
	src := p.ip.Src
	switch {
	case p.in.loopback:
		return 0
	case src.IsUnspecified() && localGroups.Contains(p.ip.Dst):
		return 0 // RFC 4541 §2.1.1: a switch that asks for groups has no address
	case src.IsMulticast(), classE.Contains(src), thisNetwork.Contains(src),
		loopbackNet.Contains(src), loopbackNet.Contains(p.ip.Dst):
		return dropMartian
	case s.own[src] != nil:
		// RFC 6274 §3.11 (LAND): our own address from outside.
		return dropMartian
	case s.isBroadcast(src):
		return dropMartian
	case !s.pathBack(p):
		return dropReversePath
	}
	return 0
}

// badDestination reports whether a datagram for dst is never passed on (RFC 1812
// §5.3.7, RFC 3927 §7).
func badDestination(src, dst netip.Addr) bool {
	return thisNetwork.Contains(dst) || classE.Contains(dst) || linkLocalNet.Contains(dst) || linkLocalNet.Contains(src)
}

// A pathCheck says how the way back to a source is looked at.
type pathCheck string

const (
	pathUnchecked pathCheck = "off"
	pathLoose     pathCheck = "loose"  // there must be one
	pathStrict    pathCheck = "strict" // it must be the way that the datagram came
)

func parsePathCheck(word string) (pathCheck, error) {
	switch c := pathCheck(word); c {
	case pathUnchecked, pathLoose, pathStrict:
		return c, nil
	}
	return "", neterr.BadArg.With("%q: off, loose or strict is wanted", clip(word))
}

// pathBack is RFC 1812 §5.3.8, source address validation (BCP 38 and 84).
func (s *Stack) pathBack(p *packet) bool {
	check := s.knobs.pathCheck
	if p.in.pathCheck != "" {
		check = p.in.pathCheck
	}
	if check == pathUnchecked {
		return true
	}
	r, ok := s.lookup(p.ip.Src)
	return ok && (check == pathLoose || r.Iface == p.in.num)
}

// tellMartian logs what was dropped for its addresses (RFC 1812 §5.3.7), seldom:
// whoever forges them must not fill the log.
func (s *Stack) tellMartian(p *packet, why dropReason) {
	if !s.knobs.logMartians || s.now < p.in.martian+complainEvery {
		return
	}
	p.in.martian = s.now
	s.logf("%v: a datagram from %v, MAC %v, to %v: %s; more like it are counted only", p.in, p.ip.Src, p.eth.Src, p.ip.Dst, dropNames[why])
}
