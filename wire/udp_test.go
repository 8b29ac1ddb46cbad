package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func TestParseUDP(t *testing.T) {
	for _, c := range []struct {
		name, b string
		payload int
		want    error
	}{
		{"empty", "", 0, ErrShort},
		{"7 bytes", "0035 0036 0008 00", 0, ErrShort},
		{"header only", "0035 0036 0008 1234", 0, nil},
		{"length 0", "0035 0036 0000 1234 aa", 0, ErrLength},
		{"length 7", "0035 0036 0007 1234 aa", 0, ErrLength},
		{"length past the end", "0035 0036 000a 1234 aa", 0, ErrLength},
		{"length all ones", "0035 0036 ffff 1234 aa", 0, ErrLength},
		{"length as it is", "0035 0036 0009 1234 aa", 1, nil},
		{"more than the length", "0035 0036 0009 1234 aabbcc", 1, nil},
	} {
		b := unhex(t, c.b)
		h, payload, err := ParseUDP(b)
		if err != c.want || len(payload) != c.payload {
			t.Errorf("%s: %x, %v, want %d bytes, %v", c.name, payload, err, c.payload, c.want)
		}
		if want := (UDPHeader{53, 54, uint16(8 + c.payload), 0x1234}); err == nil && h != want {
			t.Errorf("%s: %+v, want %+v", c.name, h, want)
		}
	}
}

func TestForUDP(t *testing.T) {
	for sum, want := range map[uint16]uint16{0: 0xffff, 1: 1, 0xffff: 0xffff} {
		if got := ForUDP(sum); got != want {
			t.Errorf("ForUDP(%04x) = %04x, want %04x", sum, got, want)
		}
	}
}

// udpDatagram is a UDP datagram whose checksum is right for the addresses.
func udpDatagram(src, dst netip.Addr, payload []byte) []byte {
	b := append(make([]byte, UDPLen), payload...)
	h := UDPHeader{SrcPort: 49152, DstPort: 9, Length: uint16(len(b))}
	h.Put(b)
	h.Checksum = ForUDP(TransportChecksum(src, dst, UDP, b))
	h.Put(b)
	return b
}

func TestUDPChecksumOfEveryValue(t *testing.T) {
	// Two bytes of payload take the sum through all its values, zero among them.
	payload := make([]byte, 2)
	for v := range 0x10000 {
		binary.BigEndian.PutUint16(payload, uint16(v))
		b := udpDatagram(host4, peer4, payload)
		if h, _, err := ParseUDP(b); err != nil || h.Checksum == 0 || TransportChecksum(host4, peer4, UDP, b) != 0 {
			t.Fatalf("payload %x: %+v, %v", payload, h, err)
		}
	}
}

func TestUDPOracle(t *testing.T) {
	payload := []byte("an odd payload.")
	b := datagram(UDP, udpDatagram(host4, peer4, payload))
	u := layer[*layers.UDP](t, decode(t, b, layers.LayerTypeIPv4))
	if u.SrcPort != 49152 || u.DstPort != 9 || u.Length != 23 || !bytes.Equal(u.Payload, payload) {
		t.Errorf("gopacket reads %+v", u)
	}

	b = udpDatagram(host6, peer6, payload)
	u = layer[*layers.UDP](t, gopacket.NewPacket(b, layers.LayerTypeUDP, gopacket.Default))
	ip := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolUDP, SrcIP: host6.AsSlice(), DstIP: peer6.AsSlice()}
	if err := u.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	if err, sum := u.VerifyChecksum(); err != nil || !sum.Valid {
		t.Errorf("over IPv6 gopacket wants the checksum %04x, and got %04x", sum.Correct, sum.Actual)
	}
}

func FuzzParseUDP(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := ParseUDP(b)
		if err != nil {
			return
		}
		again := make([]byte, UDPLen)
		h.Put(again)
		if again = append(again, payload...); !bytes.Equal(again, b[:h.Length]) {
			t.Errorf("%x came back as %x", b, again)
		}
	})
}
