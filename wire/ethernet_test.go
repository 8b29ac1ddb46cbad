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

func FuzzParseEthernet(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := ParseEthernet(b)
		if err != nil {
			return
		}
		again := make([]byte, EthernetLen)
		h.Put(again)
		if again = append(again, payload...); !bytes.Equal(again, b) {
			t.Errorf("%x came back as %x", b, again)
		}
	})
}
