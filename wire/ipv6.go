package wire

// The IPv6 form of IP: stack parses every datagram on the road up, and puts a
// header on the way down. What may stand between this header and the payload is
// in extension.go.

import (
	"encoding/binary"
	"net/netip"
)

const (
	// IPv6Len is the length of an IPv6 header.
	IPv6Len = 40
	// MinIPv6MTU is what every link carries (RFC 8200 §5).
	MinIPv6MTU = 1280
	// fragmentLen is the length of a fragment header (RFC 8200 §4.5).
	fragmentLen = 8
	flowMask    = 1<<20 - 1
	nextAt      = 6 // where the header says what follows it
)

// ParseIPv6 checks the header of a datagram and splits it. Proto is the first
// extension header or the payload: Walk finds out. The payload ends at its
// length: what follows is the padding of a short Ethernet frame.
func ParseIPv6(b []byte) (h IP, payload []byte, err error) {
	if len(b) < IPv6Len {
		return h, nil, ErrShort
	}
	if b[0]>>4 != 6 {
		return h, nil, ErrVersion
	}
	// Jumbograms (RFC 2675), of length zero, are not for links like ours.
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n > len(b)-IPv6Len {
		return h, nil, ErrLength
	}
	h.getIPv6(b)
	return h, b[IPv6Len : IPv6Len+n], nil
}

// ParseIPv6Quote reads the datagram that an ICMPv6 error quotes, which may be cut
// off anywhere behind its header.
func ParseIPv6Quote(b []byte) (h IP, payload []byte, err error) {
	if len(b) < IPv6Len {
		return h, nil, ErrShort
	}
	if b[0]>>4 != 6 {
		return h, nil, ErrVersion
	}
	h.getIPv6(b)
	return h, b[IPv6Len:min(len(b), IPv6Len+int(binary.BigEndian.Uint16(b[4:])))], nil
}

// getIPv6 takes the fields out of a whole header.
func (h *IP) getIPv6(b []byte) {
	_ = b[IPv6Len-1]
	first := binary.BigEndian.Uint32(b)
	h.TOS = uint8(first >> 20)
	h.Flow = first & flowMask
	h.Proto = Proto(b[nextAt])
	h.TTL = b[7]
	h.Src = netip.AddrFrom16([16]byte(b[8:24]))
	h.Dst = netip.AddrFrom16([16]byte(b[24:40]))
	// RFC 8200 §5: nobody but the source cuts a datagram up.
	h.DF = true
}

// putIPv6 writes the header, and a fragment header if h is of a fragment.
func (h *IP) putIPv6(b []byte, payloadLen int) (headerLen int) {
	headerLen = h.HeaderLen()
	b = b[:headerLen]
	src, dst := h.Src.As16(), h.Dst.As16()
	binary.BigEndian.PutUint32(b, 6<<28|uint32(h.TOS)<<20|h.Flow&flowMask)
	binary.BigEndian.PutUint16(b[4:], uint16(headerLen-IPv6Len+payloadLen))
	b[nextAt], b[7] = byte(h.Proto), h.TTL
	copy(b[8:24], src[:])
	copy(b[24:40], dst[:])
	if headerLen > IPv6Len {
		b[nextAt] = byte(headerFragment)
		f := b[IPv6Len:]
		f[0], f[1] = byte(h.Proto), 0
		// RFC 8200 §4.5: 13 bits of offset, 2 reserved, 1 for more.
		offset := uint16(h.Offset)
		if h.More {
			offset |= 1
		}
		binary.BigEndian.PutUint16(f[2:], offset)
		binary.BigEndian.PutUint32(f[4:], h.ID)
	}
	return headerLen
}
