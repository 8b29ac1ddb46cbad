package wire

// The IPv4 form of IP: stack parses every datagram on the road up, and puts a
// header on the way down and before each fragment.

import (
	"encoding/binary"
	"net/netip"
)

// IPv4Len is the length of an IPv4 header without options, MaxIPv4Len with.
const (
	IPv4Len    = 20
	MaxIPv4Len = 60
)

// The bits beside the fragment offset (RFC 791 §3.1).
const (
	dontFragment  = 1 << 14
	moreFragments = 1 << 13
	offsetMask    = 1<<13 - 1 // in units of 8 bytes
)

// ParseIPv4 checks the header of a datagram and splits it. The payload ends at
// the total length: what follows is the padding of a short Ethernet frame.
func ParseIPv4(b []byte) (h IP, payload []byte, headerLen int, err error) {
	headerLen, err = headerLenIPv4(b)
	if err != nil {
		return h, nil, 0, err
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total < headerLen || total > len(b) {
		return h, nil, 0, ErrLength
	}
	// RFC 1122 §3.2.1.2: verify, and discard silently what is wrong.
	if Checksum(b[:headerLen]) != 0 {
		return h, nil, 0, ErrChecksum
	}
	h.getIPv4(b[:headerLen])
	return h, b[headerLen:total], headerLen, nil
}

// ParseIPv4Quote reads the datagram that an ICMP error quotes, and of which it
// may hold as little as the header and 8 bytes (RFC 792). So its total length
// is that of a datagram that is not here, and its checksum may be stale: the
// router that complains may have rewritten the header.
func ParseIPv4Quote(b []byte) (h IP, payload []byte, err error) {
	headerLen, err := headerLenIPv4(b)
	if err != nil {
		return h, nil, err
	}
	h.getIPv4(b[:headerLen])
	end := int(binary.BigEndian.Uint16(b[2:]))
	return h, b[headerLen:max(headerLen, min(end, len(b)))], nil
}

func headerLenIPv4(b []byte) (int, error) {
	if len(b) < IPv4Len {
		return 0, ErrShort
	}
	if b[0]>>4 != 4 {
		return 0, ErrVersion
	}
	n := int(b[0]&0xf) * 4
	if n < IPv4Len || n > len(b) {
		return 0, ErrHeaderLength
	}
	return n, nil
}

// getIPv4 takes the fields out of a whole header.
func (h *IP) getIPv4(b []byte) {
	_ = b[IPv4Len-1]
	fragment := binary.BigEndian.Uint16(b[6:])
	h.TOS = b[1]
	h.ID = uint32(binary.BigEndian.Uint16(b[4:]))
	h.DF = fragment&dontFragment != 0
	h.More = fragment&moreFragments != 0
	h.Offset = int(fragment&offsetMask) * 8
	h.TTL = b[8]
	h.Proto = Proto(b[9])
	h.Src = netip.AddrFrom4([4]byte(b[12:16]))
	h.Dst = netip.AddrFrom4([4]byte(b[16:20]))
	if len(b) > IPv4Len {
		h.Options = b[IPv4Len:]
	}
}

// PutIPv4 writes the header, its checksum included, in front of payloadLen
// bytes, and returns its length. The caller sees to it that the addresses are
// IPv4, that Offset is a multiple of 8, that there are at most 40 bytes of
// options and that all fits into 65535 bytes.
func (h *IP) PutIPv4(b []byte, payloadLen int) (headerLen int) {
	headerLen = h.HeaderLen()
	if headerLen > MaxIPv4Len {
		panic("wire: more than 40 bytes of IPv4 options")
	}
	b = b[:headerLen]
	fragment := uint16(h.Offset/8) & offsetMask
	if h.DF {
		fragment |= dontFragment
	}
	if h.More {
		fragment |= moreFragments
	}
	src, dst := h.Src.As4(), h.Dst.As4()
	_ = b[IPv4Len-1]
	b[0] = 4<<4 | byte(headerLen/4)
	b[1] = h.TOS
	binary.BigEndian.PutUint16(b[2:], uint16(headerLen+payloadLen))
	binary.BigEndian.PutUint16(b[4:], uint16(h.ID))
	binary.BigEndian.PutUint16(b[6:], fragment)
	b[8] = h.TTL
	b[9] = byte(h.Proto)
	binary.BigEndian.PutUint16(b[10:], 0)
	copy(b[12:16], src[:])
	copy(b[16:20], dst[:])
	// RFC 791 §3.1: the padding of the options is zero.
	clear(b[IPv4Len+copy(b[IPv4Len:], h.Options):])
	binary.BigEndian.PutUint16(b[10:], Checksum(b))
	return headerLen
}
