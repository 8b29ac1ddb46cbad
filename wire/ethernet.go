package wire

// The road up begins and the road down ends here: stack parses and puts this
// header for every frame.

import "encoding/binary"

// An EtherType says what an Ethernet frame carries.
type EtherType uint16

// The types that the stack knows.
const (
	EtherIPv4 EtherType = 0x0800
	EtherARP  EtherType = 0x0806
	EtherIPv6 EtherType = 0x86dd
)

// EthernetLen is the length of an Ethernet II header.
const EthernetLen = 14

// Ethernet is the header of an Ethernet II frame (RFC 894).
type Ethernet struct {
	Dst, Src MAC
	Type     EtherType
}

// ParseEthernet splits a frame. A Type below 1536 is the length of an 802.3
// frame, which nobody here speaks: to the caller it is one more unknown type.
func ParseEthernet(b []byte) (h Ethernet, payload []byte, err error) {
	if len(b) < EthernetLen {
		return h, nil, ErrShort
	}
	h.Dst = MAC(b[0:6])
	h.Src = MAC(b[6:12])
	h.Type = EtherType(binary.BigEndian.Uint16(b[12:14]))
	return h, b[EthernetLen:], nil
}

// Put writes the header into the first EthernetLen bytes of b.
func (h Ethernet) Put(b []byte) {
	b = b[:EthernetLen]
	copy(b[0:6], h.Dst[:])
	copy(b[6:12], h.Src[:])
	binary.BigEndian.PutUint16(b[12:14], uint16(h.Type))
}
