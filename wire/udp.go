package wire

// UDP headers: stack parses and puts them.

import "encoding/binary"

// UDPLen is the length of a UDP header, UDPChecksumAt where its checksum is.
const (
	UDPLen        = 8
	UDPChecksumAt = 6
)

// UDPHeader is the header of a UDP datagram (RFC 768).
type UDPHeader struct {
	SrcPort, DstPort uint16
	Length           uint16 // of header and payload
	Checksum         uint16 // 0: the sender made none
}

// ParseUDP splits a datagram. Bytes past Length are not part of it; a Length
// that the bytes do not bear out is an error. The checksum is left to the
// caller, who knows the addresses: see TransportChecksum.
func ParseUDP(b []byte) (h UDPHeader, payload []byte, err error) {
	if len(b) < UDPLen {
		return h, nil, ErrShort
	}
	length := binary.BigEndian.Uint16(b[4:])
	if length < UDPLen || int(length) > len(b) {
		return h, nil, ErrLength
	}
	h.SrcPort = binary.BigEndian.Uint16(b[0:])
	h.DstPort = binary.BigEndian.Uint16(b[2:])
	h.Length = length
	h.Checksum = binary.BigEndian.Uint16(b[UDPChecksumAt:])
	return h, b[UDPLen:length], nil
}

// Put writes the header, Length and Checksum as they are, into the first UDPLen
// bytes of b.
func (h UDPHeader) Put(b []byte) {
	b = b[:UDPLen]
	binary.BigEndian.PutUint16(b[0:], h.SrcPort)
	binary.BigEndian.PutUint16(b[2:], h.DstPort)
	binary.BigEndian.PutUint16(b[4:], h.Length)
	binary.BigEndian.PutUint16(b[UDPChecksumAt:], h.Checksum)
}

// ForUDP is a checksum as UDP sends it: RFC 768 keeps zero for "none", and the
// other zero of one's complement, all ones, means the same number.
func ForUDP(sum uint16) uint16 {
	if sum == 0 {
		return 0xffff
	}
	return sum
}
