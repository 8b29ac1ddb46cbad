package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// naive is the sum as RFC 1071 §1 words it, two bytes at a time.
func naive(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		word := uint32(b[i]) << 8
		if i+1 < len(b) {
			word |= uint32(b[i+1])
		}
		if sum += word; sum > 0xffff {
			sum -= 0xffff
		}
	}
	return ^uint16(sum)
}

// patterns are what sums go wrong on: random bytes, and those that carry in
// every addition.
func patterns(n int) map[string][]byte {
	random := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(random)
	return map[string][]byte{
		"random": random,
		"ones":   bytes.Repeat([]byte{0xff}, n),
		"zeros":  make([]byte, n),
		"fffe":   bytes.Repeat([]byte{0xff, 0xfe, 0xff}, n/3+1)[:n],
	}
}

func TestChecksumAgainstNaive(t *testing.T) {
	for name, all := range patterns(400) {
		for n := range 301 {
			for start := range 9 { // every alignment in memory
				b := all[start : start+n]
				if got, want := Checksum(b), naive(b); got != want {
					t.Fatalf("%s: Checksum of %d bytes from %d is %04x, want %04x", name, n, start, got, want)
				}
			}
		}
	}
}

func TestChecksumExample(t *testing.T) {
	// RFC 1071 §3: the sum of these is ddf2.
	b := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if got := Fold(Sum(b, 0)); got != 0xddf2 {
		t.Errorf("Fold(Sum) = %04x, want ddf2", got)
	}
}

func TestRFC1071_SUM(t *testing.T) {
	for name, all := range patterns(300) {
		for n := range len(all) + 1 {
			b := all[:n]
			want := naive(b)
			for i := range n + 1 {
				if got := ^Fold(SumSlices([][]byte{b[:i], b[i:]}, 0)); got != want {
					t.Fatalf("%s: %d bytes split at %d: %04x, want %04x", name, n, i, got, want)
				}
				if i%2 != 0 {
					continue
				}
				if got := ^Fold(Sum(b[i:], Sum(b[:i], 0))); got != want {
					t.Fatalf("%s: Sum of %d bytes chained at %d: %04x, want %04x", name, n, i, got, want)
				}
			}
		}
	}
}

func TestSumOfThreeSlices(t *testing.T) {
	b := patterns(20)["random"]
	want := naive(b)
	for i := range len(b) + 1 {
		for j := i; j <= len(b); j++ {
			if got := ^Fold(SumSlices([][]byte{b[:i], nil, b[i:j], {}, b[j:]}, 0)); got != want {
				t.Fatalf("split at %d and %d: %04x, want %04x", i, j, got, want)
			}
		}
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct {
		sum  uint64
		want uint16
	}{
		{0, 0},
		{0xffff, 0xffff},
		{0x1_0000, 1},
		{0x1_fffe, 0xffff},
		{0xffff_ffff, 0xffff},
		{0x1_ffff_ffff, 1},
		{0xffff_ffff_ffff_ffff, 0xffff},
		{0xffff_ffff_ffff_0001, 1}, // carries in each of the four steps
		{0xffff_0000_0000_0000, 0xffff},
	} {
		if got := Fold(c.sum); got != c.want {
			t.Errorf("Fold(%x) = %04x, want %04x", c.sum, got, c.want)
		}
	}
}

func TestPseudoHeader(t *testing.T) {
	for _, c := range []struct {
		src, dst string
		proto    Proto
		length   int
	}{
		{"10.114.0.2", "255.255.255.255", TCP, 20},
		{"::ffff:10.114.0.2", "::ffff:10.114.0.1", UDP, 65535},
		{"fe80::1", "ff02::fb", ICMPv6, 8},
		{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", TCP, 70000},
	} {
		src, dst := netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst)
		var b []byte
		if src.Unmap().Is4() {
			// RFC 9293 §3.1: addresses, zero, protocol, 16 bits of length.
			b = append(src.Unmap().AsSlice(), dst.Unmap().AsSlice()...)
			b = append(b, 0, byte(c.proto))
			b = binary.BigEndian.AppendUint16(b, uint16(c.length))
		} else {
			// RFC 8200 §8.1: addresses, 32 bits of length, three zeros, protocol.
			b = append(src.AsSlice(), dst.AsSlice()...)
			b = binary.BigEndian.AppendUint32(b, uint32(c.length))
			b = append(b, 0, 0, 0, byte(c.proto))
		}
		if got, want := ^Fold(PseudoHeader(src, dst, c.proto, c.length)), naive(b); got != want {
			t.Errorf("%s to %s: %04x, want %04x", c.src, c.dst, got, want)
		}
	}
}

// TestUpdateCorner is the example of RFC 1624 §4: RFC 1141 gives ffff where
// only 0000 is right.
func TestUpdateCorner(t *testing.T) {
	if got := Update16(0xdd2f, 0x5555, 0x3285); got != 0 {
		t.Errorf("Update16 = %04x, want 0000", got)
	}
	if got := Update32(0xdd2f, 0x5555, 0x3285); got != 0 {
		t.Errorf("Update32 = %04x, want 0000", got)
	}
}

// Every old and many new values of a word beside another that makes the sum
// come out at every corner.
func TestRFC1624_UPDATE(t *testing.T) {
	b := make([]byte, 6)
	corners := []uint16{0, 1, 2, 0x00ff, 0x7fff, 0x8000, 0xff00, 0xfffd, 0xfffe, 0xffff}
	for other := 1; other <= 0xffff; other += 1 + other%37 {
		binary.BigEndian.PutUint16(b[0:], uint16(other))
		for _, old := range append(corners, ^uint16(other), uint16(other)) {
			for _, new := range append(corners, ^uint16(other), uint16(other)) {
				checkUpdate(t, b, old, new)
			}
		}
	}
}

func checkUpdate(t *testing.T, b []byte, old, new uint16) {
	t.Helper()
	binary.BigEndian.PutUint16(b[2:], old)
	before := naive(b)
	binary.BigEndian.PutUint16(b[2:], new)
	if got, want := Update16(before, old, new), naive(b); got != want {
		t.Fatalf("%x: Update16(%04x, %04x, %04x) = %04x, want %04x", b, before, old, new, got, want)
	}
}

func FuzzUpdate(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, old, new uint32, at uint8) {
		// A header: even, longer than what changes, not zero throughout.
		b = append([]byte{0x45, 0, 0, 0, 0, 0}, b[:len(b)&^1]...)
		i := 2 + int(at)&^1%(len(b)-4)
		binary.BigEndian.PutUint32(b[i:], old)
		before := naive(b)
		binary.BigEndian.PutUint32(b[i:], new)
		want := naive(b)
		if got := Update32(before, old, new); got != want {
			t.Errorf("%x at %d: Update32(%04x, %08x, %08x) = %04x, want %04x", b, i, before, old, new, got, want)
		}
		got := Update16(Update16(before, uint16(old>>16), uint16(new>>16)), uint16(old), uint16(new))
		if got != want {
			t.Errorf("%x at %d: two Update16 = %04x, want %04x", b, i, got, want)
		}
	})
}

func FuzzSum(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, i, j uint16) {
		first := int(i) % (len(b) + 1)
		second := first + int(j)%(len(b)-first+1)
		want := naive(b)
		if got := Checksum(b); got != want {
			t.Errorf("Checksum(%x) = %04x, want %04x", b, got, want)
		}
		if got := ^Fold(SumSlices([][]byte{b[:first], b[first:second], b[second:]}, 0)); got != want {
			t.Errorf("%x split at %d and %d: %04x, want %04x", b, first, second, got, want)
		}
	})
}

func BenchmarkChecksum(b *testing.B) {
	for _, n := range []int{20, 64, 1500, 65226} {
		block := patterns(n)["random"]
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			var sum uint16
			for b.Loop() {
				sum += Checksum(block)
			}
		})
	}
}
