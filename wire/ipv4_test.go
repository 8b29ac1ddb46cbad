package wire

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var ipHeaders = map[string]IP{
	"plain":          {Src: host4, Dst: peer4, Proto: TCP, TTL: 64, ID: 0xbeef, DF: true},
	"first fragment": {Src: host4, Dst: peer4, Proto: UDP, TTL: 255, TOS: 0xb9, More: true},
	"last fragment":  {Src: host4, Dst: peer4, Proto: ICMP, TTL: 1, Offset: 8191 * 8},
	"both bits":      {Src: host4, Dst: peer4, Proto: 253, DF: true, More: true, Offset: 1480},
	"router alert":   {Src: host4, Dst: peer4, Proto: 2, TTL: 1, Options: []byte{0x94, 4, 0, 0}},
	"all options":    {Src: host4, Dst: peer4, Proto: UDP, TTL: 9, Options: bytes.Repeat([]byte{1}, 40)},
}

func TestIPv4RoundTrip(t *testing.T) {
	payload := []byte("payload and")
	for name, h := range ipHeaders {
		b := bytes.Repeat([]byte{0xaa}, 100)
		n := h.PutIPv4(b, len(payload))
		if n != h.HeaderLen() || n != IPv4Len+len(h.Options) {
			t.Errorf("%s: PutIPv4 = %d, HeaderLen = %d, want %d", name, n, h.HeaderLen(), IPv4Len+len(h.Options))
		}
		copy(b[n:], payload) // and Ethernet's padding behind it
		got, gotPayload, gotLen, err := ParseIPv4(b)
		if err != nil || gotLen != n || !reflect.DeepEqual(got, h) {
			t.Errorf("%s: ParseIPv4 = %+v, %d, %v, want %+v, %d", name, got, gotLen, err, h, n)
		}
		if !bytes.Equal(gotPayload, payload) {
			t.Errorf("%s: payload %q, want %q", name, gotPayload, payload)
		}
	}
}

func TestIPv4OptionsArePadded(t *testing.T) {
	h := ipHeaders["plain"]
	h.Options = []byte{7, 3, 4, 1, 1}
	b := bytes.Repeat([]byte{0xaa}, MaxIPv4Len)
	if n := h.PutIPv4(b, 0); n != 28 || !bytes.Equal(b[20:29], []byte{7, 3, 4, 1, 1, 0, 0, 0, 0xaa}) {
		t.Errorf("PutIPv4 = %d, options %x", n, b[20:29])
	}
}

func TestIPv4TooManyOptions(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("41 bytes of options went into a header")
		}
	}()
	h := ipHeaders["plain"]
	h.Options = make([]byte, 41)
	h.PutIPv4(make([]byte, 100), 0)
}

// good is a datagram of a 24 byte header and 8 bytes of payload.
func good() []byte {
	h := ipHeaders["router alert"]
	b := make([]byte, 32)
	h.PutIPv4(b, 8)
	return b
}

// resum makes the header checksum of b right, whatever else is wrong.
func resum(b []byte, headerLen int) {
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], Checksum(b[:headerLen]))
}

func TestParseIPv4Errors(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(b []byte) []byte
		want   error
	}{
		{"nothing wrong", func(b []byte) []byte { return b }, nil},
		{"empty", func(b []byte) []byte { return nil }, ErrShort},
		{"19 bytes", func(b []byte) []byte { return b[:19] }, ErrShort},
		{"version 6", func(b []byte) []byte { b[0] = 0x66; return b }, ErrVersion},
		{"header of 16", func(b []byte) []byte { b[0] = 0x44; resum(b, 16); return b }, ErrHeaderLength},
		{"header of 0", func(b []byte) []byte { b[0] = 0x40; return b }, ErrHeaderLength},
		{"header past the end", func(b []byte) []byte { b[0] = 0x49; return b }, ErrHeaderLength},
		{"options cut off", func(b []byte) []byte { return b[:20] }, ErrHeaderLength},
		{"total below header", func(b []byte) []byte { b[3] = 23; resum(b, 24); return b }, ErrLength},
		{"total past the end", func(b []byte) []byte { b[3] = 33; resum(b, 24); return b }, ErrLength},
		{"payload cut off", func(b []byte) []byte { return b[:31] }, ErrLength},
		{"wrong checksum", func(b []byte) []byte { b[10]++; return b }, ErrChecksum},
		{"wrong address", func(b []byte) []byte { b[19]++; return b }, ErrChecksum},
		{"wrong option", func(b []byte) []byte { b[23]++; return b }, ErrChecksum},
		{"no payload", func(b []byte) []byte { b[3] = 24; resum(b, 24); return b[:24] }, nil},
	} {
		if _, _, _, err := ParseIPv4(c.damage(good())); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestParseIPv4EveryDamagedBit(t *testing.T) {
	for bit := range 24 * 8 {
		b := good()
		b[bit/8] ^= 1 << (bit % 8)
		if _, _, _, err := ParseIPv4(b); err == nil {
			t.Errorf("bit %d of the header flipped, and nobody noticed", bit)
		}
	}
}

func TestParseIPv4Quote(t *testing.T) {
	whole := datagram(TCP, make([]byte, 100))
	for _, c := range []struct {
		name string
		b    []byte
		want int // bytes of payload, -1 for an error
	}{
		{"eight bytes", whole[:28], 8},
		{"header only", whole[:20], 0},
		{"all of it and an extension", append(bytes.Clone(whole), 0x20, 0), 100},
		{"cut in the header", whole[:19], -1},
	} {
		b := bytes.Clone(c.b)
		if len(b) >= IPv4Len {
			b[8]-- // a router on the way, which left the checksum as it was
		}
		h, payload, err := ParseIPv4Quote(b)
		if c.want < 0 {
			if err == nil {
				t.Errorf("%s: no error", c.name)
			}
			continue
		}
		if err != nil || h.Src != host4 || h.Dst != peer4 || h.Proto != TCP || len(payload) != c.want {
			t.Errorf("%s: %+v, %d bytes, %v, want %d bytes", c.name, h, len(payload), err, c.want)
		}
	}
}

func TestIPv4Oracle(t *testing.T) {
	for name, h := range ipHeaders {
		b := make([]byte, h.HeaderLen()+8)
		h.PutIPv4(b, 8)
		var ip layers.IPv4
		if err := ip.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil {
			t.Errorf("%s: gopacket cannot decode %x: %v", name, b, err)
			continue
		}
		flags := layers.IPv4Flag(0)
		if h.DF {
			flags |= layers.IPv4DontFragment
		}
		if h.More {
			flags |= layers.IPv4MoreFragments
		}
		if ip.Version != 4 || int(ip.IHL)*4 != h.HeaderLen() || int(ip.Length) != len(b) || ip.TOS != h.TOS ||
			uint32(ip.Id) != h.ID || ip.Flags != flags || int(ip.FragOffset)*8 != h.Offset || ip.TTL != h.TTL ||
			uint8(ip.Protocol) != uint8(h.Proto) || !bytes.Equal(ip.SrcIP, h.Src.AsSlice()) || !bytes.Equal(ip.DstIP, h.Dst.AsSlice()) {
			t.Errorf("%s: gopacket reads %+v", name, &ip)
		}
		if err, sum := ip.VerifyChecksum(); err != nil || !sum.Valid {
			t.Errorf("%s: gopacket wants the checksum %04x, and got %04x", name, sum.Correct, sum.Actual)
		}
	}
}

func FuzzParseIPv4(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, headerLen, err := ParseIPv4(b)
		if err == ErrChecksum {
			// Mutation cannot guess it: set it right and go on.
			b = bytes.Clone(b)
			resum(b, int(b[0]&0xf)*4)
			h, payload, headerLen, err = ParseIPv4(b)
			if err != nil {
				t.Fatalf("%x: %v with its checksum set", b, err)
			}
		}
		if quote, rest, quoteErr := ParseIPv4Quote(b); err == nil &&
			(quoteErr != nil || !reflect.DeepEqual(quote, h) || !bytes.Equal(rest, payload)) {
			t.Errorf("%x: as a quote %+v, %v", b, quote, quoteErr)
		}
		if err != nil {
			return
		}
		again := make([]byte, h.HeaderLen())
		if n := h.PutIPv4(again, len(payload)); n != headerLen {
			t.Fatalf("%x: header of %d became %d", b, headerLen, n)
		}
		h2, payload2, _, err := ParseIPv4(append(again, payload...))
		if err != nil || !reflect.DeepEqual(h2, h) || !bytes.Equal(payload2, payload) {
			t.Errorf("%+v came back as %+v, %v", h, h2, err)
		}
	})
}
