package route

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestRFC6724_SOURCE(t *testing.T) {
	// The examples of RFC 6724 §10.1 that are about what we have, and our own.
	for _, c := range []struct{ dst, ours, want string }{
		{"2001:db8:1::1", "2001:db8:3::1/64 fe80::1/64", "2001:db8:3::1"},
		{"ff05::1", "2001:db8:3::1/64 fe80::1/64", "2001:db8:3::1"},
		{"fe80::1", "2001:db8:3::1/64 fe80::2/64", "fe80::2"},
		{"fe80::1%3", "2001:db8:3::1/64 fe80::2/64", "fe80::2"},
		{"ff02::1", "2001:db8:3::1/64 fe80::2/64", "fe80::2"},
		{"2001:db8:1::1", "fe80::2/64", "fe80::2"}, // better than none
		{"2001:db8:1::1", "2001:db8:1::1/64 2001:db8:1::2/64", "2001:db8:1::1"},
		{"2001:db8:1::1", "2001:db8:1::2/64 2001:db8:3::2/64", "2001:db8:1::2"},
		{"2001:db8:1::1", "2001:db8:3::2/64 2001:db8:1::2/64", "2001:db8:1::2"},
		{"2002:c633:6401::1", "2001:db8:1::2/64 2002:c633:6401::d5e3/64", "2002:c633:6401::d5e3"},
		{"fd00:1::1", "2001:db8::2/64 fd00:2::2/64", "fd00:2::2"},
		{"2001:db8:1::1", "fd00:2::2/64 2001:db8::2/64", "2001:db8::2"},
		{"2001:db8:1::1", "2001:db8:1::2/64- 2001:db8:3::2/64", "2001:db8:3::2"}, // deprecated
		{"2001:db8:1::1", "2001:db8:1::2/64-", "2001:db8:1::2"},
		{"::1", "::1/128", "::1"},
		{"2001:db8::1", "", "invalid IP"},
	} {
		var ours []Candidate
		for _, word := range strings.Fields(c.ours) {
			word, old := strings.CutSuffix(word, "-")
			p := netip.MustParsePrefix(word)
			ours = append(ours, Candidate{p.Addr(), p.Bits(), old})
		}
		if got, _ := Source(netip.MustParseAddr(c.dst), ours); got.String() != c.want {
			t.Errorf("to %s from %s: %v, want %s", c.dst, c.ours, got, c.want)
		}
	}
}

func TestRFC6724_DESTINATION(t *testing.T) {
	// The examples of RFC 6724 §10.2: our addresses, the host's, the order.
	for _, c := range []struct{ ours, hosts, want string }{
		{"2001:db8:1::2 fe80::1 169.254.13.78", "2001:db8:1::1 198.51.100.121", "2001:db8:1::1 198.51.100.121"},
		{"fe80::1 198.51.100.117", "2001:db8:1::1 198.51.100.121", "198.51.100.121 2001:db8:1::1"},
		{"2001:db8:1::2 fe80::1 10.1.2.4", "2001:db8:1::1 10.1.2.3", "2001:db8:1::1 10.1.2.3"},
		{"2001:db8:1::2 fe80::2", "2001:db8:1::1 fe80::1", "fe80::1 2001:db8:1::1"},
		{"2001:db8:1::2 2002:c633:6401::2", "2002:c633:6401::1 2001:db8:1::1", "2001:db8:1::1 2002:c633:6401::1"},
		{"10.1.2.4", "2001:db8:1::1 10.1.2.3", "10.1.2.3 2001:db8:1::1"}, // no way to the first
		{"10.1.2.4", "10.9.9.9 10.1.2.3", "10.9.9.9 10.1.2.3"},           // as the server said
	} {
		var ours4, ours6 []Candidate
		for _, word := range strings.Fields(c.ours) {
			if a := netip.MustParseAddr(word); a.Is4() {
				ours4 = append(ours4, Candidate{Addr: a, Bits: 24})
			} else {
				ours6 = append(ours6, Candidate{Addr: a, Bits: 64})
			}
		}
		var hosts []netip.Addr
		for _, word := range strings.Fields(c.hosts) {
			hosts = append(hosts, netip.MustParseAddr(word))
		}
		Sort(hosts, func(a netip.Addr) (netip.Addr, bool) {
			if a.Is4() {
				return Source(a, ours4)
			}
			return Source(a, ours6)
		})
		var got []string
		for _, h := range hosts {
			got = append(got, h.String())
		}
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("from %s to %s: %v, want %s", c.ours, c.hosts, got, c.want)
		}
	}
}
