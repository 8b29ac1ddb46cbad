package wire

// ICMPv6 messages (RFC 4443): stack answers echoes, and reads and sends errors.
// Those of neighbour discovery are in nd.go, those of multicast listeners in
// mld.go.

import (
	"encoding/binary"
	"net/netip"
)

// The types of ICMPv6. Those below 128 are errors.
const (
	ICMPv6Unreachable      uint8 = 1
	ICMPv6PacketTooBig     uint8 = 2 // Rest holds the MTU
	ICMPv6TimeExceeded     uint8 = 3 // with the codes of ICMPTimeExceeded
	ICMPv6ParameterProblem uint8 = 4 // Rest points at the byte that is wrong
	ICMPv6EchoRequest      uint8 = 128
	ICMPv6EchoReply        uint8 = 129
	MLDQuery               uint8 = 130
	MLDReportV1            uint8 = 131
	MLDDoneV1              uint8 = 132
	RouterSolicitation     uint8 = 133
	RouterAdvertisement    uint8 = 134
	NeighbourSolicitation  uint8 = 135
	NeighbourAdvertisement uint8 = 136
	Redirect               uint8 = 137
	MLDReport              uint8 = 143
)

// The codes of ICMPv6Unreachable.
const (
	ICMPv6NoRoute            uint8 = 0
	ICMPv6Prohibited         uint8 = 1
	ICMPv6BeyondScope        uint8 = 2
	ICMPv6AddressUnreachable uint8 = 3
	ICMPv6PortUnreachable    uint8 = 4
)

// The codes of ICMPv6ParameterProblem.
const (
	ICMPv6ErroneousField  uint8 = 0
	ICMPv6UnknownHeader   uint8 = 1
	ICMPv6UnknownOption   uint8 = 2
	ICMPv6IncompleteChain uint8 = 3 // RFC 7112
)

// ParseICMPv6 splits a message and verifies its checksum, which covers the
// addresses too.
func ParseICMPv6(src, dst netip.Addr, b []byte) (h ICMPHeader, payload []byte, err error) {
	if len(b) < ICMPLen {
		return h, nil, ErrShort
	}
	if TransportChecksum(src, dst, ICMPv6, b) != 0 {
		return h, nil, ErrChecksum
	}
	h.Type, h.Code = b[0], b[1]
	h.Rest = binary.BigEndian.Uint32(b[4:])
	return h, b[ICMPLen:], nil
}

// PutICMPv6 writes the header of a message between two addresses into the first
// ICMPLen bytes of b. The payload is only summed, as by Put.
func (h ICMPHeader) PutICMPv6(b []byte, src, dst netip.Addr, payload ...[]byte) {
	b = b[:ICMPLen]
	b[0], b[1] = h.Type, h.Code
	binary.BigEndian.PutUint16(b[2:], 0)
	binary.BigEndian.PutUint32(b[4:], h.Rest)
	length := ICMPLen
	for _, p := range payload {
		length += len(p)
	}
	binary.BigEndian.PutUint16(b[2:], ^Fold(SumSlices(payload, Sum(b, PseudoHeader(src, dst, ICMPv6, length)))))
}

// IsErrorV6 is IsError for ICMPv6 (RFC 4443 §2.1). A redirect counts as one: no
// error is sent about it either (§2.4 e).
func (h ICMPHeader) IsErrorV6() bool { return h.Type < ICMPv6EchoRequest || h.Type == Redirect }
