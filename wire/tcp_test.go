package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var tcpHeaders = map[string]TCPHeader{
	"bare": {SrcPort: 49152, DstPort: 80, Seq: 0xfffffffe, Ack: 3, Flags: ACK | PSH, Window: 65535},
	"syn": {SrcPort: 49152, DstPort: 80, Seq: 1, Flags: SYN | ECE | CWR, Window: 64240, Options: TCPOptions{
		MSS: 1460, SACKPermitted: true, HasTimestamps: true, TSVal: 0xdeadbeef, HasWScale: true, WScale: 10}},
	"syn without timestamps": {Flags: SYN, Options: TCPOptions{
		MSS: 536, SACKPermitted: true, HasWScale: true}},
	"user timeout":            {Flags: SYN, Options: TCPOptions{MSS: 1460, UserTimeout: 300}},
	"user timeout in minutes": {Flags: ACK, Options: TCPOptions{UserTimeout: 600 * 60, HasTimestamps: true}},
	"sacks": {SrcPort: 1, DstPort: 2, Flags: ACK | URG, Urgent: 77, Options: TCPOptions{
		SACKs: 4, SACK: [4]SACKBlock{{1, 2}, {0xfffffff0, 5}, {30, 40}, {50, 60}}}},
	"sacks and timestamps": {Flags: ACK, Options: TCPOptions{
		HasTimestamps: true, TSVal: 1, TSEcr: 2, SACKs: 3, SACK: [4]SACKBlock{{1, 2}, {3, 4}, {5, 6}}}},
}

func TestTCPRoundTrip(t *testing.T) {
	payload := []byte("payload")
	for name, h := range tcpHeaders {
		b := bytes.Repeat([]byte{0xaa}, MaxTCPLen+len(payload))
		n := h.Put(b)
		if n != h.Len() || n%4 != 0 || n > MaxTCPLen || b[n] != 0xaa && n < MaxTCPLen {
			t.Errorf("%s: Put = %d, Len = %d, then %x", name, n, h.Len(), b[n])
		}
		if sum := b[TCPChecksumAt : TCPChecksumAt+2]; sum[0] != 0 || sum[1] != 0 {
			t.Errorf("%s: Put left %x where the checksum goes", name, sum)
		}
		got, rest, err := ParseTCP(append(b[:n], payload...))
		if got != h || err != nil || !bytes.Equal(rest, payload) {
			t.Errorf("%s: ParseTCP = %+v, %q, %v, want %+v", name, got, rest, err, h)
		}
	}
}

func TestParseTCPErrors(t *testing.T) {
	h := tcpHeaders["syn"]
	whole := make([]byte, MaxTCPLen)
	whole = whole[:h.Put(whole)]
	for n := range whole {
		want := error(ErrShort)
		if n >= TCPLen {
			want = ErrHeaderLength
		}
		if _, _, err := ParseTCP(whole[:n]); err != want {
			t.Errorf("%d bytes: %v, want %v", n, err, want)
		}
	}
	for words := range 16 {
		b := make([]byte, 40)
		b[12] = byte(words) << 4
		var want error
		if words < 5 || words > 10 {
			want = ErrHeaderLength
		}
		if _, _, err := ParseTCP(b); err != want {
			t.Errorf("header of %d words: %v, want %v", words, err, want)
		}
	}
}

func TestTCPFlagsString(t *testing.T) {
	for flags, want := range map[TCPFlags]string{
		0:         "none",
		SYN:       "SYN",
		ACK | SYN: "SYN|ACK",
		FIN | RST | PSH | URG | ECE | CWR | SYN | ACK: "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR",
	} {
		if got := flags.String(); got != want {
			t.Errorf("%08b: %q, want %q", flags, got, want)
		}
	}
}

// segment is h and payload with the checksum for the addresses.
func segment(h TCPHeader, src, dst netip.Addr, payload []byte) []byte {
	b := append(make([]byte, h.Len()), payload...)
	h.Put(b)
	binary.BigEndian.PutUint16(b[TCPChecksumAt:], TransportChecksum(src, dst, TCP, b))
	return b
}

func TestTCPOracle(t *testing.T) {
	payload := []byte("an odd payload.")
	for name, h := range tcpHeaders {
		b := datagram(TCP, segment(h, host4, peer4, payload))
		s := layer[*layers.TCP](t, decode(t, b, layers.LayerTypeIPv4))
		if got := fromOracle(t, s); got != h || !bytes.Equal(s.Payload, payload) {
			t.Errorf("%s: gopacket reads %+v, %q, want %+v", name, got, s.Payload, h)
		}
	}
}

func TestTCPOracleIPv6(t *testing.T) {
	b := segment(tcpHeaders["sacks"], host6, peer6, []byte("odd"))
	s := layer[*layers.TCP](t, gopacket.NewPacket(b, layers.LayerTypeTCP, gopacket.Default))
	ip := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolTCP, SrcIP: host6.AsSlice(), DstIP: peer6.AsSlice()}
	if err := s.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	if err, sum := s.VerifyChecksum(); err != nil || !sum.Valid {
		t.Errorf("gopacket wants the checksum %04x, and got %04x", sum.Correct, sum.Actual)
	}
}

// fromOracle is gopacket's view of a segment in our words.
func fromOracle(t *testing.T, s *layers.TCP) TCPHeader {
	h := TCPHeader{
		SrcPort: uint16(s.SrcPort), DstPort: uint16(s.DstPort),
		Seq: Seq(s.Seq), Ack: Seq(s.Ack), Window: s.Window, Urgent: s.Urgent,
	}
	for i, set := range []bool{s.FIN, s.SYN, s.RST, s.PSH, s.ACK, s.URG, s.ECE, s.CWR} {
		if set {
			h.Flags |= 1 << i
		}
	}
	o := &h.Options
	for _, opt := range s.Options {
		d := opt.OptionData
		switch opt.OptionType {
		case layers.TCPOptionKindNop, layers.TCPOptionKindEndList:
		case layers.TCPOptionKindMSS:
			o.MSS = binary.BigEndian.Uint16(d)
		case layers.TCPOptionKindWindowScale:
			o.HasWScale, o.WScale = true, d[0]
		case layers.TCPOptionKindSACKPermitted:
			o.SACKPermitted = true
		case layers.TCPOptionKindTimestamps:
			o.HasTimestamps = true
			o.TSVal, o.TSEcr = binary.BigEndian.Uint32(d), binary.BigEndian.Uint32(d[4:])
		case layers.TCPOptionKindSACK:
			for ; len(d) >= 8; d = d[8:] {
				o.SACK[o.SACKs] = SACKBlock{Seq(binary.BigEndian.Uint32(d)), Seq(binary.BigEndian.Uint32(d[4:]))}
				o.SACKs++
			}
		case 28: // RFC 5482, which gopacket has no name for
			if o.UserTimeout = int(d[0]&0x7f)<<8 | int(d[1]); d[0]&0x80 != 0 {
				o.UserTimeout *= 60
			}
		default:
			t.Errorf("gopacket reads an option %v", opt)
		}
	}
	return h
}

func FuzzParseTCP(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := ParseTCP(b)
		if err != nil {
			return
		}
		again := make([]byte, h.Len(), h.Len()+len(payload))
		if n := h.Put(again); n > MaxTCPLen {
			t.Fatalf("%+v has a header of %d bytes", h, n)
		}
		h2, payload2, err := ParseTCP(append(again, payload...))
		if err != nil || !bytes.Equal(payload2, payload) {
			t.Fatalf("%+v came back with %x, %v", h, payload2, err)
		}
		// Blocks that somebody squeezed in without NOPs, beside what belongs on a
		// SYN, have no room in our layout; the first ones stay.
		o := &h.Options
		if o.MSS != 0 || o.HasWScale || o.SACKPermitted || o.UserTimeout != 0 {
			_, o.SACKs = o.room()
			clear(o.SACK[o.SACKs:])
		}
		if h2 != h {
			t.Errorf("%+v came back as %+v", h, h2)
		}
	})
}
