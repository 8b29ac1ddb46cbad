package wire

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
)

// What the tests share: bytes written in hex, two hosts, and gopacket, which
// has to understand what Put writes as it was meant.

var (
	hostMAC = MAC{0x02, 0, 0, 0, 0, 1}
	peerMAC = MAC{0x02, 0xca, 0xfe, 0, 0, 2}
	host4   = netip.MustParseAddr("10.114.0.2")
	peer4   = netip.MustParseAddr("192.0.2.200")
	host6   = netip.MustParseAddr("2001:db8::2")
	peer6   = netip.MustParseAddr("fe80::ff:fe00:1")
)

// unhex reads bytes in hex; spaces part them for the reader.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decode has gopacket decode b, which has to be right to the last checksum.
func decode(t *testing.T, b []byte, first gopacket.LayerType) gopacket.Packet {
	t.Helper()
	p := gopacket.NewPacket(b, first, gopacket.Default)
	if e := p.ErrorLayer(); e != nil {
		t.Fatalf("gopacket cannot decode %x: %v", b, e.Error())
	}
	for _, l := range p.Layers() {
		if l, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := l.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
				t.Fatal(err)
			}
		}
	}
	err, wrong := p.VerifyChecksums()
	if err != nil || len(wrong) > 0 {
		t.Fatalf("gopacket finds wrong checksums in %x: %v %+v", b, err, wrong)
	}
	return p
}

// layer is the layer of p that has L's type.
func layer[L gopacket.Layer](t *testing.T, p gopacket.Packet) L {
	t.Helper()
	for _, l := range p.Layers() {
		if l, ok := l.(L); ok {
			return l
		}
	}
	var want L
	t.Fatalf("gopacket finds no %T in %v", want, p)
	return want
}

// datagram is payload in an IPv4 datagram from host4 to peer4.
func datagram(proto Proto, payload []byte) []byte {
	h := IP{Src: host4, Dst: peer4, Proto: proto, TTL: 64}
	b := make([]byte, h.HeaderLen(), h.HeaderLen()+len(payload))
	h.PutIPv4(b, len(payload))
	return append(b, payload...)
}
