package wire

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

const arpBytes = "0001 0800 06 04 0002 020000000001 0a720002 02cafe000002 c00002c8"

var arpPacket = ARP{Op: ARPReply, SenderMAC: hostMAC, SenderIP: host4, TargetMAC: peerMAC, TargetIP: peer4}

func TestParseARP(t *testing.T) {
	padded := append(unhex(t, arpBytes), make([]byte, 18)...)
	if p, err := ParseARP(padded); p != arpPacket || err != nil {
		t.Errorf("ParseARP = %+v, %v, want %+v", p, err, arpPacket)
	}
	for n := range ARPLen {
		if _, err := ParseARP(padded[:n]); err != ErrShort {
			t.Errorf("%d bytes: %v, want %v", n, err, ErrShort)
		}
	}
	// Hardware type, protocol type, and the lengths of both.
	for i := range 6 {
		b := bytes.Clone(padded)
		b[i] ^= 0x40
		if _, err := ParseARP(b); err != ErrFormat {
			t.Errorf("byte %d wrong: %v, want %v", i, err, ErrFormat)
		}
	}
}

func TestPutARP(t *testing.T) {
	b := bytes.Repeat([]byte{0xaa}, ARPLen)
	arpPacket.Put(b)
	if want := unhex(t, arpBytes); !bytes.Equal(b, want) {
		t.Errorf("Put wrote %x, want %x", b, want)
	}
}

func TestARPOracle(t *testing.T) {
	b := make([]byte, ARPLen)
	p := arpPacket
	p.Op = ARPRequest
	p.Put(b)
	a := layer[*layers.ARP](t, decode(t, b, layers.LayerTypeARP))
	if a.AddrType != layers.LinkTypeEthernet || a.Protocol != layers.EthernetTypeIPv4 || a.Operation != layers.ARPRequest ||
		!bytes.Equal(a.SourceHwAddress, hostMAC[:]) || !bytes.Equal(a.SourceProtAddress, host4.AsSlice()) ||
		!bytes.Equal(a.DstHwAddress, peerMAC[:]) || !bytes.Equal(a.DstProtAddress, peer4.AsSlice()) {
		t.Errorf("gopacket reads %+v", a)
	}
}

func FuzzParseARP(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseARP(b)
		if err != nil {
			return
		}
		again := make([]byte, ARPLen)
		p.Put(again)
		if !bytes.Equal(again, b[:ARPLen]) {
			t.Errorf("%x came back as %x", b[:ARPLen], again)
		}
	})
}
