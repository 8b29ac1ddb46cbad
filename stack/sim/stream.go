package sim

// Bytes that know their place: those of a stream follow from its name and their
// position, so that reader and witness can tell a wrong one without a copy. The
// name of a stream is that of its connection.

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
)

// A flow is one direction of a connection.
type flow struct{ from, to netip.AddrPort }

func (f flow) back() flow { return flow{f.to, f.from} }

// name is where the bytes of a flow follow from.
func (f flow) name() uint64 {
	h := fnv.New64a()
	from, _ := f.from.MarshalBinary()
	to, _ := f.to.MarshalBinary()
	h.Write(from)
	h.Write(to)
	return h.Sum64()
}

// word is eight bytes of a stream (the finaliser of SplitMix64), as a number in
// little endian.
func word(name uint64, at int) uint64 {
	z := name + uint64(at/8)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// one is a single byte of a stream.
func one(name uint64, at int) byte { return byte(word(name, at) >> (at % 8 * 8)) }

// fill writes the bytes of a stream that begin at a position.
func fill(b []byte, name uint64, at int) {
	for len(b) > 0 {
		if at%8 == 0 && len(b) >= 8 {
			binary.LittleEndian.PutUint64(b, word(name, at))
			b, at = b[8:], at+8
			continue
		}
		b[0] = one(name, at)
		b, at = b[1:], at+1
	}
}

// wrong is the first byte of b that is not the stream's; -1: none.
func wrong(b []byte, name uint64, at int) int {
	for n := 0; n < len(b); {
		if (at+n)%8 == 0 && len(b)-n >= 8 && binary.LittleEndian.Uint64(b[n:]) == word(name, at+n) {
			n += 8
			continue
		}
		if b[n] != one(name, at+n) {
			return n
		}
		n++
	}
	return -1
}
