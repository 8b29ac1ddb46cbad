package wire

// TCP headers: stack parses and puts them, stack/tcp thinks in them.

import (
	"encoding/binary"
	"strings"
)

// TCPFlags are the control bits of a segment.
type TCPFlags uint8

// The control bits (RFC 9293 §3.1).
const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

var flagNames = [8]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"}

// String is the names of the bits, as SYN|ACK, or none.
func (f TCPFlags) String() string {
	if f == 0 {
		return "none"
	}
	var names []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// TCPLen is the length of a TCP header without options, MaxTCPLen with;
// TCPChecksumAt is where its checksum is.
const (
	TCPLen        = 20
	MaxTCPLen     = 60
	TCPChecksumAt = 16
)

// TCPHeader is the header of a segment, its options decoded. The checksum is
// not part of it: it belongs to the segment as a whole, and to the addresses.
type TCPHeader struct {
	SrcPort, DstPort uint16
	Seq, Ack         Seq
	Flags            TCPFlags
	Window           uint16
	Urgent           uint16
	Options          TCPOptions
}

// ParseTCP splits a segment. Only a header length that cannot be is an error:
// options that make no sense are passed over. The checksum is left to the
// caller: see TransportChecksum.
func ParseTCP(b []byte) (h TCPHeader, payload []byte, err error) {
	if len(b) < TCPLen {
		return h, nil, ErrShort
	}
	headerLen := int(b[12]>>4) * 4
	if headerLen < TCPLen || headerLen > len(b) {
		return h, nil, ErrHeaderLength
	}
	h.SrcPort = binary.BigEndian.Uint16(b[0:])
	h.DstPort = binary.BigEndian.Uint16(b[2:])
	h.Seq = Seq(binary.BigEndian.Uint32(b[4:]))
	h.Ack = Seq(binary.BigEndian.Uint32(b[8:]))
	h.Flags = TCPFlags(b[13])
	h.Window = binary.BigEndian.Uint16(b[14:])
	h.Urgent = binary.BigEndian.Uint16(b[18:])
	h.Options.get(b[TCPLen:headerLen])
	return h, b[headerLen:], nil
}

// Len is the length of the header that Put writes.
func (h *TCPHeader) Len() int { return TCPLen + h.Options.len() }

// Put writes the header, its checksum zero, into the front of b and returns its
// length, which is at most MaxTCPLen.
func (h *TCPHeader) Put(b []byte) int {
	headerLen := h.Len()
	b = b[:headerLen]
	_ = b[TCPLen-1]
	binary.BigEndian.PutUint16(b[0:], h.SrcPort)
	binary.BigEndian.PutUint16(b[2:], h.DstPort)
	binary.BigEndian.PutUint32(b[4:], uint32(h.Seq))
	binary.BigEndian.PutUint32(b[8:], uint32(h.Ack))
	b[12] = byte(headerLen/4) << 4
	b[13] = byte(h.Flags)
	binary.BigEndian.PutUint16(b[14:], h.Window)
	binary.BigEndian.PutUint16(b[TCPChecksumAt:], 0)
	binary.BigEndian.PutUint16(b[18:], h.Urgent)
	h.Options.put(b[TCPLen:])
	return headerLen
}
