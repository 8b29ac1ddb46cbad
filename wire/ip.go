package wire

// The header of IP as everything above sees it, whichever family it had on the
// cable; ipv4.go is its IPv4 form.

import "net/netip"

// A Proto is the protocol number of what an IP datagram carries.
type Proto uint8

// The protocols that the stack speaks.
const (
	ICMP   Proto = 1
	TCP    Proto = 6
	UDP    Proto = 17
	ICMPv6 Proto = 58
)

// IP is the header of a datagram of either family.
type IP struct {
	Src, Dst netip.Addr
	Proto    Proto
	TTL      uint8 // hop limit
	TOS      uint8 // traffic class: DSCP and ECN
	ID       uint32
	DF       bool   // don't fragment
	More     bool   // more fragments follow
	Offset   int    // of this fragment, in bytes
	Options  []byte // IPv4 options, as on the wire, without padding rules applied
}
