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

// minEtherType is the least EtherType: what is less is the length of an 802.3
// frame.
const minEtherType = 1536

// snap begins the payload of an 802.3 frame that carries an EtherType (RFC 1042):
// the service access points of SNAP, an unnumbered frame, the zero organisation.
var snap = [6]byte{0xaa, 0xaa, 0x03, 0, 0, 0}

// ParseEthernet splits a frame. RFC 1122 §2.3.3: one of 802.3 with SNAP is taken
// for what it carries. Any other 802.3 frame keeps its length as its Type, which
// to the caller is one more unknown type; so does trailer encapsulation, and
// what RFC 948 made of 802.3.
func ParseEthernet(b []byte) (h Ethernet, payload []byte, err error) {
	if len(b) < EthernetLen {
		return h, nil, ErrShort
	}
	h.Dst = MAC(b[0:6])
	h.Src = MAC(b[6:12])
	h.Type = EtherType(binary.BigEndian.Uint16(b[12:14]))
	payload = b[EthernetLen:]
	if h.Type >= minEtherType {
		return h, payload, nil
	}
	if int(h.Type) > len(payload) {
		return h, nil, ErrLength
	}
	// What follows is Ethernet's padding.
	payload = payload[:h.Type]
	if len(payload) >= len(snap)+2 && [6]byte(payload) == snap {
		h.Type = EtherType(binary.BigEndian.Uint16(payload[len(snap):]))
		payload = payload[len(snap)+2:]
	}
	return h, payload, nil
}

// Put writes the header into the first EthernetLen bytes of b.
func (h Ethernet) Put(b []byte) {
	b = b[:EthernetLen]
	copy(b[0:6], h.Dst[:])
	copy(b[6:12], h.Src[:])
	binary.BigEndian.PutUint16(b[12:14], uint16(h.Type))
}
