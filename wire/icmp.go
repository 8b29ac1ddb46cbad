package wire

// ICMP messages: stack answers echoes, and reads and sends errors.

import "encoding/binary"

// ICMPLen is the length of the part of an ICMP message that is common to all.
const ICMPLen = 8

// The types of ICMP for IPv4 (RFC 792).
const (
	ICMPEchoReply        uint8 = 0
	ICMPUnreachable      uint8 = 3
	ICMPSourceQuench     uint8 = 4 // RFC 6633: never sent, ignored
	ICMPRedirect         uint8 = 5
	ICMPEchoRequest      uint8 = 8
	ICMPTimeExceeded     uint8 = 11
	ICMPParameterProblem uint8 = 12
	ICMPTimestamp        uint8 = 13
	ICMPTimestampReply   uint8 = 14
)

// The codes of ICMPUnreachable (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
const (
	ICMPNetUnreachable      uint8 = 0
	ICMPHostUnreachable     uint8 = 1
	ICMPProtocolUnreachable uint8 = 2
	ICMPPortUnreachable     uint8 = 3
	ICMPFragmentationNeeded uint8 = 4 // Rest holds the MTU: RFC 1191 §4
	ICMPSourceRouteFailed   uint8 = 5
	ICMPNetUnknown          uint8 = 6
	ICMPHostUnknown         uint8 = 7
	ICMPNetProhibited       uint8 = 9
	ICMPHostProhibited      uint8 = 10
	ICMPProhibited          uint8 = 13 // by a filter
)

// ICMPRedirectHost is the code of a redirect for one host, the only one that is
// sent (RFC 1812 §5.2.7.2).
const ICMPRedirectHost uint8 = 1

// The codes of ICMPTimeExceeded.
const (
	ICMPTTLExceeded        uint8 = 0
	ICMPReassemblyExceeded uint8 = 1
)

// ICMPHeader is the beginning of an ICMP message of either family.
type ICMPHeader struct {
	Type, Code uint8
	Rest       uint32 // by type: identifier and sequence number, MTU, gateway, pointer
}

// ParseICMP splits an ICMPv4 message and verifies its checksum, which covers
// all of it.
func ParseICMP(b []byte) (h ICMPHeader, payload []byte, err error) {
	if len(b) < ICMPLen {
		return h, nil, ErrShort
	}
	if Checksum(b) != 0 {
		return h, nil, ErrChecksum
	}
	h.Type, h.Code = b[0], b[1]
	h.Rest = binary.BigEndian.Uint32(b[4:])
	return h, b[ICMPLen:], nil
}

// Put writes the header of an ICMPv4 message into the first ICMPLen bytes of b.
// The payload, in as many slices as it lies in, is only summed: it may follow
// in b or be elsewhere.
func (h ICMPHeader) Put(b []byte, payload ...[]byte) {
	b = b[:ICMPLen]
	b[0], b[1] = h.Type, h.Code
	binary.BigEndian.PutUint16(b[2:], 0)
	binary.BigEndian.PutUint32(b[4:], h.Rest)
	binary.BigEndian.PutUint16(b[2:], ^Fold(SumSlices(payload, Sum(b, 0))))
}

// EchoRest is the Rest of an echo request or reply.
func EchoRest(id, seq uint16) uint32 { return uint32(id)<<16 | uint32(seq) }

// Echo is the identifier and the sequence number of an echo request or reply.
func (h ICMPHeader) Echo() (id, seq uint16) { return uint16(h.Rest >> 16), uint16(h.Rest) }

// MTU is that of the next hop in ICMPFragmentationNeeded; 0 from a router older
// than RFC 1191.
func (h ICMPHeader) MTU() int { return int(uint16(h.Rest)) }

// IsError reports whether an ICMPv4 message quotes a datagram that
// failed. No error is ever sent about one (RFC 1122 §3.2.2).
func (h ICMPHeader) IsError() bool {
	switch h.Type {
	case ICMPUnreachable, ICMPSourceQuench, ICMPRedirect, ICMPTimeExceeded, ICMPParameterProblem:
		return true
	}
	return false
}
