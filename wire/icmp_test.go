package wire

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestICMPRoundTrip(t *testing.T) {
	for _, h := range []ICMPHeader{
		{Type: ICMPEchoRequest, Rest: EchoRest(0x1234, 0xfffe)},
		{Type: ICMPUnreachable, Code: ICMPFragmentationNeeded, Rest: 1280},
		{Type: 255, Code: 255, Rest: 0xffffffff},
		{},
	} {
		for n := range 70 {
			b := make([]byte, ICMPLen+n)
			for i := range b {
				b[i] = byte(7*i + n)
			}
			want := bytes.Clone(b[ICMPLen:])
			h.Put(b, b[ICMPLen:])
			got, payload, err := ParseICMP(b)
			if got != h || err != nil || !bytes.Equal(payload, want) {
				t.Fatalf("%+v and %d bytes came back as %+v, %x, %v", h, n, got, payload, err)
			}
			for i := range n { // the payload elsewhere, and in pieces
				head := make([]byte, ICMPLen)
				h.Put(head, want[:i], want[i:])
				if !bytes.Equal(head, b[:ICMPLen]) {
					t.Fatalf("%+v, payload split at %d of %d: header %x, want %x", h, i, n, head, b[:ICMPLen])
				}
			}
		}
	}
}

func TestParseICMPErrors(t *testing.T) {
	b := make([]byte, 13)
	ICMPHeader{Type: ICMPEchoRequest, Rest: 1}.Put(b, b[ICMPLen:])
	for n := range ICMPLen {
		if _, _, err := ParseICMP(b[:n]); err != ErrShort {
			t.Errorf("%d bytes: %v, want %v", n, err, ErrShort)
		}
	}
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		if _, _, err := ParseICMP(b); err != ErrChecksum {
			t.Errorf("bit %d flipped: %v, want %v", bit, err, ErrChecksum)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func TestICMPFields(t *testing.T) {
	h := ICMPHeader{Type: ICMPEchoRequest, Rest: EchoRest(0xabcd, 0x0102)}
	if id, seq := h.Echo(); id != 0xabcd || seq != 0x0102 {
		t.Errorf("Echo() = %04x, %04x", id, seq)
	}
	// RFC 1191 §4: the high half is unused, and the MTU may fill its own.
	if mtu := (ICMPHeader{Rest: 0x0006_ffff}).MTU(); mtu != 65535 {
		t.Errorf("MTU() = %d, want 65535", mtu)
	}
	errors := map[uint8]bool{3: true, 4: true, 5: true, 11: true, 12: true}
	for kind := range 256 {
		if got, want := (ICMPHeader{Type: uint8(kind)}).IsError(), errors[uint8(kind)]; got != want {
			t.Errorf("type %d: IsError() = %v", kind, got)
		}
	}
}

func TestICMPOracle(t *testing.T) {
	b := append(make([]byte, ICMPLen), "an odd payload."...)
	ICMPHeader{Type: ICMPEchoReply, Rest: EchoRest(0xbeef, 513)}.Put(b, b[ICMPLen:])
	i := layer[*layers.ICMPv4](t, decode(t, datagram(ICMP, b), layers.LayerTypeIPv4))
	if i.TypeCode != layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoReply, 0) || i.Id != 0xbeef || i.Seq != 513 || string(i.Payload) != "an odd payload." {
		t.Errorf("gopacket reads %+v", i)
	}
}

func FuzzParseICMP(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := ParseICMP(b)
		if err == ErrChecksum {
			b = bytes.Clone(b)
			b[2], b[3] = 0, 0
			sum := naive(b)
			b[2], b[3] = byte(sum>>8), byte(sum)
			h, payload, err = ParseICMP(b)
			if err != nil {
				t.Fatalf("%x: %v with its checksum set", b, err)
			}
		}
		if err != nil {
			return
		}
		again := make([]byte, ICMPLen)
		h.Put(again, payload)
		h2, payload2, err := ParseICMP(append(again, payload...))
		if h2 != h || err != nil || !bytes.Equal(payload2, payload) {
			t.Errorf("%+v came back as %+v, %v", h, h2, err)
		}
	})
}
