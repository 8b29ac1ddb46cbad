package wire

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestParseEthernet(t *testing.T) {
	b := unhex(t, "02cafe000002 020000000001 0806 c0ffee")
	h, payload, err := ParseEthernet(b)
	if want := (Ethernet{Dst: peerMAC, Src: hostMAC, Type: EtherARP}); h != want || err != nil {
		t.Errorf("ParseEthernet = %v, %v, want %v", h, err, want)
	}
	if !bytes.Equal(payload, b[14:]) {
		t.Errorf("payload %x", payload)
	}
	for n := range EthernetLen {
		if _, _, err := ParseEthernet(b[:n]); err != ErrShort {
			t.Errorf("%d bytes: %v, want %v", n, err, ErrShort)
		}
	}
	if _, payload, err := ParseEthernet(b[:EthernetLen]); err != nil || len(payload) != 0 {
		t.Errorf("a header alone: %x, %v", payload, err)
	}
}

func TestEthernetOracle(t *testing.T) {
	b := make([]byte, EthernetLen)
	Ethernet{Dst: peerMAC, Src: hostMAC, Type: EtherIPv4}.Put(b)
	b = append(b, datagram(UDP, unhex(t, "0035 0035 0008 0000"))...)
	e := layer[*layers.Ethernet](t, decode(t, b, layers.LayerTypeEthernet))
	if !bytes.Equal(e.SrcMAC, hostMAC[:]) || !bytes.Equal(e.DstMAC, peerMAC[:]) || e.EthernetType != layers.EthernetTypeIPv4 {
		t.Errorf("gopacket reads %+v", e)
	}
}

// 802.3 with SNAP is read for what it carries, without Ethernet's padding; no
// other 802.3 frame has a type that anybody knows.
func TestParseSNAP(t *testing.T) {
	for _, test := range []struct {
		frame   string
		typ     EtherType
		payload string
	}{
		{"0009 aaaa03 000000 0800 45 0000", EtherIPv4, "45"},
		{"0008 aaaa03 000000 0806", EtherARP, ""},
		{"0009 aaaa03 000001 0800 45", 9, "aaaa030000010800 45"}, // another organisation
		{"0009 060603 000000 0800 45", 9, "0606030000000800 45"}, // RFC 948, K1=6
		{"0003 424203 0000", 3, "424203"},                        // a bridge's
		{"0000", 0, ""},
		{"1001 0800", 0x1001, "0800"}, // RFC 893, a trailer
	} {
		h, payload, err := ParseEthernet(unhex(t, "02cafe000002 020000000001"+test.frame))
		if err != nil || h.Type != test.typ || !bytes.Equal(payload, unhex(t, test.payload)) {
			t.Errorf("%s: type %#x, payload %x, %v", test.frame, h.Type, payload, err)
		}
	}
	if _, _, err := ParseEthernet(unhex(t, "02cafe000002 020000000001 0009 aaaa03 000000 0800")); err != ErrLength {
		t.Errorf("shorter than its length: %v, want %v", err, ErrLength)
	}
}

func FuzzParseEthernet(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := ParseEthernet(b)
		if err != nil || b[12] < minEtherType>>8 {
			return
		}
		again := make([]byte, EthernetLen)
		h.Put(again)
		if again = append(again, payload...); !bytes.Equal(again, b) {
			t.Errorf("%x came back as %x", b, again)
		}
	})
}
