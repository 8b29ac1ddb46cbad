package wire

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// datagram6 is payload in an IPv6 datagram from host6 to peer6.
func datagram6(h IP, payload []byte) []byte {
	h.Src, h.Dst = host6, peer6
	b := make([]byte, h.HeaderLen(), h.HeaderLen()+len(payload))
	h.Put(b, len(payload))
	return append(b, payload...)
}

func TestIPv6RoundTrip(t *testing.T) {
	for _, h := range []IP{
		{Proto: UDP, TTL: 64, TOS: 0xab, Flow: 0x98765, DF: true},
		{Proto: TCP, TTL: 1, Flow: 0xfffff, DF: true},
		{Proto: UDP, TTL: 255, ID: 0xdeadbeef, More: true, DF: true},
		{Proto: UDP, TTL: 255, ID: 1, Offset: 65528 - 1280, DF: true},
	} {
		body := make([]byte, 24)
		b := append(datagram6(h, body), "padding"...)
		got, payload, err := ParseIPv6(b)
		if err != nil {
			t.Fatalf("%+v: %v", h, err)
		}
		c, p := got.Walk(payload)
		got.Proto = c.Proto
		h.Src, h.Dst = host6, peer6
		if p.Drop || !bytes.Equal(c.Payload, body) || c.Fragment != (h.More || h.Offset > 0) || got.ID != h.ID || got.More != h.More ||
			got.Offset != h.Offset || got.Proto != h.Proto || got.Flow != h.Flow || got.TOS != h.TOS || got.TTL != h.TTL || got.Src != h.Src || got.Dst != h.Dst {
			t.Errorf("%+v came back as %+v, %+v, %+v", h, got, c, p)
		}
	}
}

func TestParseIPv6Errors(t *testing.T) {
	b := datagram6(IP{Proto: UDP, TTL: 64}, make([]byte, 9))
	for n := range b {
		want := ErrLength
		if n < IPv6Len {
			want = ErrShort
		}
		if _, _, err := ParseIPv6(b[:n]); err != want {
			t.Errorf("%d bytes: %v, want %v", n, err, want)
		}
		if _, payload, err := ParseIPv6Quote(b[:n]); n >= IPv6Len && (err != nil || len(payload) != n-IPv6Len) {
			t.Errorf("a quote of %d bytes: %x, %v", n, payload, err)
		}
	}
	b[0] = 0x45
	if _, _, err := ParseIPv6(b); err != ErrVersion {
		t.Errorf("version 4: %v", err)
	}
}

func TestIPv6Oracle(t *testing.T) {
	body := make([]byte, 21)
	for _, b := range [][]byte{
		datagram6(IP{Proto: UDP, TTL: 3, TOS: 0x12, Flow: 0x34567}, udpDatagram(host6, peer6, []byte("hello"))),
		datagram6(IP{Proto: ICMPv6, TTL: 255}, func() []byte {
			m := make([]byte, ICMPLen)
			ICMPHeader{Type: ICMPv6EchoRequest, Rest: EchoRest(7, 8)}.PutICMPv6(m, host6, peer6, body[:7], body[7:])
			return append(m, body...)
		}()),
	} {
		ip := layer[*layers.IPv6](t, decode(t, b, layers.LayerTypeIPv6))
		if ip.HopLimit != b[7] || ip.FlowLabel != uint32(b[1]&15)<<16|uint32(b[2])<<8|uint32(b[3]) || !ip.SrcIP.Equal(host6.AsSlice()) {
			t.Errorf("gopacket reads %+v", ip)
		}
	}
	fragment := datagram6(IP{Proto: UDP, TTL: 3, ID: 77, Offset: 8, More: true}, body)
	f := layer[*layers.IPv6Fragment](t, decode(t, fragment, layers.LayerTypeIPv6))
	if f.FragmentOffset != 1 || !f.MoreFragments || f.Identification != 77 || f.NextHeader != layers.IPProtocolUDP {
		t.Errorf("gopacket reads %+v", f)
	}
}

func TestRFC8200_OPTIONS(t *testing.T) {
	const udp = "0035 0036 0008 0000"
	drop := Problem{Drop: true}
	report := func(code uint8, pointer int) Problem {
		return Problem{Drop: true, Report: true, Code: code, Pointer: pointer}
	}
	toGroup := func(code uint8, pointer int) Problem {
		return Problem{Drop: true, Report: true, ToGroup: true, Code: code, Pointer: pointer}
	}
	for _, c := range []struct {
		name  string
		first Proto
		b     string
		end   Proto
		next  int
		want  Problem
	}{
		{"none", UDP, udp, UDP, 6, Problem{}},
		{"no next header", NoNext, "", NoNext, 6, Problem{}},
		{"unknown payload", 0xfd, "00", 0xfd, 6, Problem{}},
		{"hop by hop", HopByHop, "1100 010400000000" + udp, UDP, 40, Problem{}},
		{"hop by hop, sixteen bytes", HopByHop, "1101 010c 000000000000000000000000" + udp, UDP, 40, Problem{}},
		{"hop by hop, then options", HopByHop, "3c00 010400000000 1100 000000000000" + udp, UDP, 48, Problem{}},
		{"hop by hop in second place", DestinationOptions, "0000 010400000000 1100 010400000000" + udp, 0, 0, report(ICMPv6UnknownHeader, 40)},
		{"option to skip", DestinationOptions, "1100 1e02 aabb 0100" + udp, UDP, 40, Problem{}},
		{"option to drop for", DestinationOptions, "1100 4002 aabb 0100" + udp, 0, 0, drop},
		{"option to report", DestinationOptions, "1100 8002 aabb 0100" + udp, 0, 0, toGroup(ICMPv6UnknownOption, 42)},
		{"option to report to no group", DestinationOptions, "1100 0100 c002 aabb" + udp, 0, 0, report(ICMPv6UnknownOption, 44)},
		{"option past the end", DestinationOptions, "1100 1e05 aabb 0100" + udp, 0, 0, report(ICMPv6ErroneousField, 42)},
		{"option without length", DestinationOptions, "1100 0103 aabbcc 1e" + udp, 0, 0, report(ICMPv6ErroneousField, 47)},
		{"nine options", DestinationOptions, "1102 1e00 1e00 1e00 1e00 1e00 1e00 1e00 1e00 1e00 0100 0100" + udp, 0, 0, drop},
		{"header past the end", DestinationOptions, "1101 010400000000", 0, 0, drop},
		{"cut off", DestinationOptions, "11", 0, 0, drop},
		{"routing header, no segments left", headerRouting, "1100 0000 00000000" + udp, UDP, 40, Problem{}},
		{"routing header of type 0", headerRouting, "1100 0001 00000000" + udp, 0, 0, report(ICMPv6ErroneousField, 42)},
		{"nine headers", DestinationOptions, "3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 3c00000000000000 1100000000000000" + udp, 0, 0, drop},
		{"atomic fragment", headerFragment, "1100 0000 00000001" + udp, UDP, 40, Problem{}},
		{"first fragment", headerFragment, "1100 0001 00000001" + udp, UDP, 40, Problem{}},
		{"first fragment, and options", headerFragment, "3c00 0001 00000001 1100 000000000000" + udp, DestinationOptions, 40, Problem{}},
		{"later fragment", headerFragment, "1100 0008 00000001 00", UDP, 40, Problem{}},
		{"fragment not of eights", headerFragment, "1100 0009 00000001 00", 0, 0, report(ICMPv6ErroneousField, 4)},
		{"fragment past the end of all", headerFragment, "1100 fff8 00000001" + udp, 0, 0, report(ICMPv6ErroneousField, 42)},
		{"first fragment without its header", headerFragment, "1100 0001 00000001", 0, 0, report(ICMPv6IncompleteChain, 0)},
		{"first fragment of half a TCP header", headerFragment, "0600 0001 00000001 0000000000000000", 0, 0, report(ICMPv6IncompleteChain, 0)},
		{"first fragment of options only", headerFragment, "3c00 0001 00000001 3c01 010400000000", 0, 0, report(ICMPv6IncompleteChain, 0)},
	} {
		h := IP{Proto: c.first}
		got, p := h.Walk(unhex(t, c.b))
		if p != c.want || !p.Drop && (got.Proto != c.end || got.NextAt != c.next) {
			t.Errorf("%s: %+v, %+v, want %v at %d, %+v", c.name, got, p, c.end, c.next, c.want)
		}
	}
}

func FuzzIPv6(f *testing.F) {
	f.Add(datagram6(IP{Proto: HopByHop, TTL: 1}, append(AlertRouters[:], 130, 0, 0, 0, 0, 0, 0, 0)))
	f.Add(datagram6(IP{Proto: UDP, ID: 5, Offset: 16, More: true}, make([]byte, 16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := ParseIPv6(b)
		ParseIPv6Quote(b)
		if err != nil {
			return
		}
		c, p := h.Walk(payload)
		if len(c.Payload) > len(payload) || p.Pointer > len(b) || p.Report && !p.Drop {
			t.Errorf("%x: %+v, %+v", b, c, p)
		}
		if !p.Drop && c.Fragment {
			again := IP{Src: h.Src, Dst: h.Dst, Proto: c.Proto, TTL: h.TTL, TOS: h.TOS, Flow: h.Flow, ID: h.ID, Offset: h.Offset, More: h.More}
			out := make([]byte, again.HeaderLen(), 128)
			again.Put(out, len(c.Payload))
			back, rest, err := ParseIPv6(append(out, c.Payload...))
			if err != nil {
				t.Fatalf("%x: %v", out, err)
			}
			if c2, p2 := back.Walk(rest); p2.Drop || c2.Proto != c.Proto || back.Offset != h.Offset || back.More != h.More || back.ID != h.ID {
				t.Errorf("%+v came back as %+v, %+v", h, back, p2)
			}
		}
	})
}

func TestParseICMPv6(t *testing.T) {
	b := make([]byte, 13)
	want := ICMPHeader{Type: ICMPv6PacketTooBig, Rest: 1280}
	want.PutICMPv6(b, host6, peer6, b[ICMPLen:])
	if h, payload, err := ParseICMPv6(host6, peer6, b); h != want || len(payload) != 5 || err != nil {
		t.Errorf("%+v, %x, %v", h, payload, err)
	}
	if _, _, err := ParseICMPv6(host6, netip.IPv6Loopback(), b); err != ErrChecksum {
		t.Errorf("of another address: %v", err)
	}
	for n := range ICMPLen {
		if _, _, err := ParseICMPv6(host6, peer6, b[:n]); err != ErrShort {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for typ, isError := range map[uint8]bool{1: true, 4: true, 127: true, 128: false, 129: false, 135: false, 137: true, 143: false} {
		if (ICMPHeader{Type: typ}).IsErrorV6() != isError {
			t.Errorf("type %d: IsErrorV6 is %v", typ, !isError)
		}
	}
}
