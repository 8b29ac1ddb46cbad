// Which of several addresses to use: RFC 6724. The stack chooses its source with
// Source, and the order in which the addresses of a name are tried with Sort.

package route

import (
	"math/bits"
	"net/netip"
	"slices"
)

// A Candidate is an address of ours that a datagram could come from.
type Candidate struct {
	Addr       netip.Addr
	Bits       int // of its subnet
	Deprecated bool
}

// A policy row is RFC 6724 §2.1's default: precedence and label of a prefix.
type policy struct {
	prefix            netip.Prefix
	precedence, label int
}

// policies are in the order of their length, the longest first.
var policies = []policy{
	{netip.MustParsePrefix("::1/128"), 50, 0},
	{netip.MustParsePrefix("::ffff:0:0/96"), 35, 4},
	{netip.MustParsePrefix("::/96"), 1, 3},
	{netip.MustParsePrefix("2001::/32"), 5, 5},
	{netip.MustParsePrefix("2002::/16"), 30, 2},
	{netip.MustParsePrefix("3ffe::/16"), 1, 12},
	{netip.MustParsePrefix("fec0::/10"), 1, 11},
	{netip.MustParsePrefix("fc00::/7"), 3, 13},
	{netip.MustParsePrefix("::/0"), 40, 1},
}

func policyOf(a netip.Addr) policy {
	a = netip.AddrFrom16(a.As16()) // IPv4 as ::ffff:0:0/96
	for _, p := range policies {
		if p.prefix.Contains(a) {
			return p
		}
	}
	panic("route: ::/0 has everything")
}

// The scopes of RFC 4291 §2.7, which those of unicast are compared with (RFC 6724
// §3.1, §3.2).
const (
	scopeLink   = 2
	scopeSite   = 5
	scopeGlobal = 14
)

var siteLocal = netip.MustParsePrefix("fec0::/10")

func scope(a netip.Addr) int {
	switch {
	case a.Is6() && a.IsMulticast():
		return int(a.As16()[1] & 15)
	case a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsLinkLocalMulticast():
		return scopeLink
	case siteLocal.Contains(a):
		return scopeSite
	}
	return scopeGlobal
}

// Source chooses the address of ours that is best towards dst (RFC 6724 §5).
func Source(dst netip.Addr, ours []Candidate) (netip.Addr, bool) {
	if len(ours) == 0 {
		return netip.Addr{}, false
	}
	dst = dst.WithZone("")
	best := ours[0]
	for _, c := range ours[1:] {
		if better(dst, c, best) {
			best = c
		}
	}
	return best.Addr, true
}

// better compares two sources. Rules 4, 5 and 7 are about what we have not: homes
// elsewhere, other interfaces, temporary addresses.
func better(dst netip.Addr, a, b Candidate) bool {
	// Rule 1: the same address.
	if (a.Addr == dst) != (b.Addr == dst) {
		return a.Addr == dst
	}
	// Rule 2: the smallest scope that reaches the destination.
	if sa, sb, sd := scope(a.Addr), scope(b.Addr), scope(dst); sa != sb {
		if sa < sb {
			return sa >= sd
		}
		return sb < sd
	}
	// Rule 3: none that is on its way out.
	if a.Deprecated != b.Deprecated {
		return b.Deprecated
	}
	// Rule 6: the same label.
	label := policyOf(dst).label
	if la, lb := policyOf(a.Addr).label == label, policyOf(b.Addr).label == label; la != lb {
		return la
	}
	// Rule 8: the longest prefix in common, within the subnet.
	return min(common(a.Addr, dst), a.Bits) > min(common(b.Addr, dst), b.Bits)
}

// common is how many bits two addresses begin with alike.
func common(a, b netip.Addr) (n int) {
	if a.Is4() != b.Is4() {
		return 0
	}
	x, y := a.AsSlice(), b.AsSlice()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return n + bits.LeadingZeros8(d)
		}
		n += 8
	}
	return n
}

// Sort puts the addresses of a host into the order in which they are to be tried
// (RFC 6724 §6). source says where datagrams to one would come from; false: there
// is no way to it.
func Sort(hosts []netip.Addr, source func(netip.Addr) (netip.Addr, bool)) {
	type way struct {
		src netip.Addr
		ok  bool
	}
	ways := map[netip.Addr]way{}
	for _, h := range hosts {
		src, ok := source(h)
		ways[h] = way{src, ok}
	}
	slices.SortStableFunc(hosts, func(a, b netip.Addr) int {
		wa, wb := ways[a], ways[b]
		prefer := func(a, b bool) int {
			switch {
			case a == b:
				return 0
			case a:
				return -1
			}
			return 1
		}
		// Rule 1: that can be reached.
		if c := prefer(wa.ok, wb.ok); c != 0 || !wa.ok {
			return c
		}
		// Rule 2: of the scope of its source.
		if c := prefer(scope(a) == scope(wa.src), scope(b) == scope(wb.src)); c != 0 {
			return c
		}
		// Rules 3, 4 and 7 are about deprecated sources, homes and tunnels: Source has
		// avoided the first, and we have none of the others. Rule 5: the label.
		pa, pb := policyOf(a), policyOf(b)
		if c := prefer(pa.label == policyOf(wa.src).label, pb.label == policyOf(wb.src).label); c != 0 {
			return c
		}
		// Rule 6: precedence.
		if pa.precedence != pb.precedence {
			return pb.precedence - pa.precedence
		}
		// Rule 8: the smaller scope.
		if sa, sb := scope(a), scope(b); sa != sb {
			return sa - sb
		}
		// Rule 9: the longest prefix, where both are of one family.
		if a.Is4() == b.Is4() && a.Is6() {
			return common(wb.src, b) - common(wa.src, a)
		}
		return 0
	})
}
