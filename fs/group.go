package fs

// by-state, by-local and by-remote: the conversations of a protocol by what they
// have in common. raw.go asks which group a name is, open.go for the listing.

import (
	"net/netip"
	"strconv"
	"strings"

	"slashnet/stack"
)

// How many rows are copied under the stack's lock at a time: few at first, as
// often the first one is what is looked for, then as many as pay for the lock.
const (
	scanFirst = 16
	scanLen   = 1024
)

func byState(i stack.Info) string  { return i.State }
func byLocal(i stack.Info) string  { return groupName(i.Local) }
func byRemote(i stack.Info) string { return groupName(i.Remote) }

// groupName is an address as the name of a file; empty: there is none.
func groupName(a netip.AddrPort) string {
	switch {
	case a.Addr().IsValid() && !a.Addr().IsUnspecified():
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
	case a.Port() != 0:
		return "*:" + strconv.Itoa(int(a.Port()))
	}
	return ""
}

// sameGroup makes of what a user wrote the name of a group: `!` is as good as
// `:`, and any address that is no address as `*`.
func sameGroup(text string) string {
	at := strings.LastIndexAny(text, "!:")
	if at < 0 {
		return text // a state
	}
	host, port := strings.Trim(text[:at], "[]"), text[at+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return text
	}
	addr, err := netip.ParseAddr(host)
	if err != nil && host != "*" && host != "" {
		return text
	}
	return groupName(netip.AddrPortFrom(addr, uint16(n)))
}

// scan calls f with the row of every conversation until it returns false. Rows
// are copied under the lock in slices.
func scan(s *stack.Stack, p proto, f func(stack.Info) bool) {
	after := -1
	for n := scanFirst; ; n = min(4*n, scanLen) {
		rows := s.Convs(protos[p].num, after, n)
		for _, r := range rows {
			if !f(r) {
				return
			}
			after = r.Num
		}
		if len(rows) < n {
			return
		}
	}
}
