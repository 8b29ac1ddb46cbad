package wire

// The Internet checksum (RFC 1071) is the complement of a one's complement sum
// of 16-bit words. Here a partial sum is a uint64 that has that sum for its
// remainder modulo 0xffff, in the byte order of the network. So partial sums
// are added with +, and so are fields of 16 or 32 bits. Fold ends a sum. The codecs here
// call it, stack for TCP and UDP, nic for frames whose checksum was left to do.

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Sum adds the bytes of b, which begin at an even place of what is summed, to a
// partial sum. An odd last byte counts as if a zero followed (RFC 1071 §4.1).
func Sum(b []byte, initial uint64) uint64 {
	// RFC 1071 §2 (B): the sum may be made in words of any byte order and width,
	// and be turned round at the end. (C): carries may be kept for the next turn.
	var sum, carry uint64
	for len(b) >= 64 {
		word := (*[64]byte)(b)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(word[0:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(word[8:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(word[16:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(word[24:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(word[32:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(word[40:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(word[48:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(word[56:]), carry)
		b = b[64:]
	}
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b), carry)
		b = b[8:]
	}
	var last uint64
	if len(b) >= 4 {
		last = uint64(binary.LittleEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		last += uint64(binary.LittleEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) > 0 {
		last += uint64(b[0])
	}
	sum, carry = bits.Add64(sum, last, carry)
	// Past a carry there is room for one: sum is then at most last.
	return initial + uint64(bits.ReverseBytes16(Fold(sum+carry)))
}

// SumSlices adds bytes that lie in several slices, each of any length, as if
// they were one that begins at an even place.
func SumSlices(slices [][]byte, initial uint64) uint64 {
	odd := false
	for _, b := range slices {
		sum := Sum(b, 0)
		if odd {
			// RFC 1071 §2 (B): a byte further on is a byte order turned round.
			sum = uint64(bits.ReverseBytes16(uint16(sum)))
		}
		initial += sum
		odd = odd != (len(b)&1 != 0)
	}
	return initial
}

// Fold is the one's complement sum that a partial sum stands for. It is 0 only
// if all that was summed is 0.
func Fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}

// Checksum is that of b: what belongs into a checksum field of b that is zero
// now, and zero if b holds its right checksum.
func Checksum(b []byte) uint16 { return ^Fold(Sum(b, 0)) }

// TransportChecksum is that of a TCP segment, a UDP datagram or an ICMPv6
// message with its pseudo header; zero and zero mean the same as in Checksum.
func TransportChecksum(src, dst netip.Addr, proto Proto, b []byte) uint16 {
	return ^Fold(Sum(b, PseudoHeader(src, dst, proto, len(b))))
}

// PseudoHeader is the partial sum of the pseudo header of either family (RFC
// 9293 §3.1, RFC 8200 §8.1). length is that of the transport header and its
// payload. Folded it is what a frame with Offload.NeedsCsum has in its field.
func PseudoHeader(src, dst netip.Addr, proto Proto, length int) uint64 {
	return sumAddr(src) + sumAddr(dst) + uint64(proto) + uint64(length)
}

func sumAddr(a netip.Addr) uint64 {
	// An IPv4 address has ffff before it in this form, which is a zero.
	b := a.As16()
	return uint64(binary.BigEndian.Uint32(b[0:])) + uint64(binary.BigEndian.Uint32(b[4:])) +
		uint64(binary.BigEndian.Uint32(b[8:])) + uint64(binary.BigEndian.Uint32(b[12:]))
}

// Update16 is the checksum after a 16-bit word of what it covers has changed
// (RFC 1624 §3, equation 3). It assumes that not all that is covered is zero,
// which no header is; UDP passes the result through ForUDP.
func Update16(sum, old, new uint16) uint16 {
	return ^Fold(uint64(^sum) + uint64(^old) + uint64(new))
}

// Update32 is Update16 for two words that lie together, such as an address.
func Update32(sum uint16, old, new uint32) uint16 {
	return ^Fold(uint64(^sum) + uint64(^old) + uint64(new))
}
