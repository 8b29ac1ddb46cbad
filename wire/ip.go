package wire

// The header of IP as everything above sees it, whichever family it had on the
// cable; ipv4.go and ipv6.go are its two forms.

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
	TTL      uint8  // hop limit
	TOS      uint8  // traffic class: DSCP and ECN
	Flow     uint32 // IPv6 flow label
	ID       uint32
	DF       bool   // don't fragment; on input always set for IPv6
	More     bool   // more fragments follow
	Offset   int    // of this fragment, in bytes
	Options  []byte // IPv4 options, as on the wire, without padding rules applied
}

// HeaderLen is the length of the header that Put writes: IPv4's with its options
// padded to 4 bytes, or IPv6's with a fragment header where one is needed.
func (h *IP) HeaderLen() int {
	switch {
	case h.Src.Is4():
		return IPv4Len + (len(h.Options)+3)&^3
	case h.More || h.Offset != 0:
		return IPv6Len + fragmentLen
	}
	return IPv6Len
}

// BaseLen is the length of a header of a's family, without options.
func BaseLen(a netip.Addr) int {
	if a.Is4() {
		return IPv4Len
	}
	return IPv6Len
}

// Put writes the header in the form of its source's family, in front of
// payloadLen bytes, and returns its length. The caller sees to it that the
// addresses are of one family, that Offset is a multiple of 8, that there are at
// most 40 bytes of options and that all fits into 65535 bytes.
func (h *IP) Put(b []byte, payloadLen int) (headerLen int) {
	if h.Src.Is4() {
		return h.PutIPv4(b, payloadLen)
	}
	return h.putIPv6(b, payloadLen)
}
