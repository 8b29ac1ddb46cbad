package sim

// Who watches the witness: every rule is broken once and must be told of.

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"slashnet/stack"
	"slashnet/wire"
)

var (
	here  = netip.MustParseAddrPort("10.0.0.1:4000")
	there = netip.MustParseAddrPort("10.0.0.2:5000")
)

// frame makes a segment as it is on the cable.
func frame(f flow, h wire.TCPHeader, payload []byte) []byte {
	h.SrcPort, h.DstPort = f.from.Port(), f.to.Port()
	b := make([]byte, wire.EthernetLen+wire.IPv4Len+h.Len()+len(payload))
	wire.Ethernet{Dst: wire.MAC{2, 1}, Src: wire.MAC{2, 2}, Type: wire.EtherIPv4}.Put(b)
	ip := wire.IP{Src: f.from.Addr(), Dst: f.to.Addr(), Proto: wire.TCP, TTL: 64}
	ip.PutIPv4(b[wire.EthernetLen:], h.Len()+len(payload))
	tcp := b[wire.EthernetLen+wire.IPv4Len:]
	copy(tcp[h.Put(tcp):], payload)
	binary.BigEndian.PutUint16(tcp[wire.TCPChecksumAt:], wire.TransportChecksum(ip.Src, ip.Dst, wire.TCP, tcp))
	return b
}

// watched is a world whose witness has seen a handshake of here and there, and
// that there allows 1000 bytes.
func watched() (w *World, h *Host, f flow) {
	w = New(1)
	h = w.Host("here")
	h.addrs[here.Addr()] = true
	f = flow{here, there}
	w.witness.sent(h, frame(f, wire.TCPHeader{Seq: 99, Flags: wire.SYN, Window: 5000}, nil), wire.Offload{})
	w.witness.heard(h, frame(f.back(), wire.TCPHeader{Seq: 499, Ack: 100, Flags: wire.SYN | wire.ACK, Window: 1000}, nil), wire.Offload{})
	w.witness.sent(h, frame(f, wire.TCPHeader{Seq: 100, Ack: 500, Flags: wire.ACK, Window: 5000}, nil), wire.Offload{})
	return w, h, f
}

func TestWitness(t *testing.T) {
	bytes := func(at, n int) []byte {
		b := make([]byte, n)
		fill(b, flow{here, there}.name(), at)
		return b
	}
	for _, test := range []struct {
		name    string
		h       wire.TCPHeader
		payload []byte
		want    string // part of the complaint; empty: none
	}{
		{"data", wire.TCPHeader{Seq: 100, Ack: 500, Flags: wire.ACK, Window: 5000}, bytes(0, 1000), ""},
		{"a probe", wire.TCPHeader{Seq: 1100, Ack: 500, Flags: wire.ACK, Window: 5000}, bytes(1000, 1), ""},
		{"beyond the window", wire.TCPHeader{Seq: 100, Ack: 500, Flags: wire.ACK, Window: 5000}, bytes(0, 1001), "1 beyond the window"},
		{"FIN beyond the window", wire.TCPHeader{Seq: 1100, Ack: 500, Flags: wire.ACK | wire.FIN, Window: 5000}, nil, "FIN 1 beyond"},
		{"wrong bytes", wire.TCPHeader{Seq: 101, Ack: 500, Flags: wire.ACK, Window: 5000}, bytes(0, 10), "is not what was written"},
		{"before the stream", wire.TCPHeader{Seq: 90, Ack: 500, Flags: wire.ACK, Window: 5000}, bytes(0, 10), "before the first byte"},
		{"a smaller window", wire.TCPHeader{Seq: 100, Ack: 500, Flags: wire.ACK, Window: 4999}, nil, "right edge moves left by 1"},
		{"what never came", wire.TCPHeader{Seq: 100, Ack: 501, Flags: wire.ACK, Window: 5000}, nil, "1 bytes more than reached it"},
	} {
		w, h, f := watched()
		if w.Err() != nil {
			t.Fatal(w.Err())
		}
		w.witness.sent(h, frame(f, test.h, test.payload), wire.Offload{})
		complains(t, test.name, w.Err(), test.want)
	}
}

// TestOdd: what is wrong with a connection is seen in its record.
func TestOdd(t *testing.T) {
	due := time.Second
	for name, test := range map[string]struct {
		breaks func(r *stack.Record)
		want   string
	}{
		"nothing":       {func(r *stack.Record) {}, ""},
		"small window":  {func(r *stack.Record) { r.Cwnd = 1 }, "less than a segment"},
		"negative":      {func(r *stack.Record) { r.Lost = -1 }, "less than nothing"},
		"no timer":      {func(r *stack.Record) { r.InFlight, r.QOut = 1, 1 }, "no timer"},
		"no probe":      {func(r *stack.Record) { r.SndWnd, r.QOut = 0, 1 }, "nobody probes"},
		"idle and late": {func(r *stack.Record) { setTimer(&r.Timer.Rexmit, due) }, "nothing is outstanding"},
	} {
		r := stack.Record{State: "Established", TCPRecord: &stack.TCPRecord{Cwnd: 1460, MSS: 1460, SndWnd: 1000}}
		test.breaks(&r)
		if got := odd(&r); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// setTimer sets a time of a record, whose type has no name here.
func setTimer[T ~int64](at **T, d time.Duration) {
	v := T(d)
	*at = &v
}

func complains(t *testing.T, name string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: %q was to be complained of, not %v", name, want, err)
	}
}

func TestWitnessSeesWhatWasAcknowledged(t *testing.T) {
	w, h, f := watched()
	b := make([]byte, 10)
	fill(b, f.name(), 0)
	data := frame(f, wire.TCPHeader{Seq: 100, Ack: 500, Flags: wire.ACK, Window: 5000}, b)
	w.witness.sent(h, data, wire.Offload{})
	w.witness.heard(h, frame(f.back(), wire.TCPHeader{Seq: 500, Ack: 110, Flags: wire.ACK, Window: 1000}, nil), wire.Offload{})
	complains(t, "before", w.Err(), "")
	w.witness.sent(h, data, wire.Offload{})
	complains(t, "sent again after its acknowledgement", w.Err(), "has acknowledged up to 110")
}

func TestWitnessSeesChecksums(t *testing.T) {
	for bit := range 40 * 8 {
		w, h, f := watched()
		b := frame(f, wire.TCPHeader{Seq: 100, Ack: 500, Flags: wire.ACK, Window: 5000}, nil)
		b[wire.EthernetLen+bit/8] ^= 1 << (bit % 8)
		w.witness.sent(h, b, wire.Offload{})
		if w.Err() == nil {
			t.Errorf("bit %d of the datagram was turned round and nothing noticed", bit)
		}
	}
}

func TestStreamKnowsItsBytes(t *testing.T) {
	b := make([]byte, 100)
	fill(b, 7, 13)
	for at := range b {
		if i := wrong(b[at:], 7, 13+at); i != -1 {
			t.Fatalf("from %d on: byte %d is said to be wrong", at, i)
		}
		b[at]++
		if i := wrong(b[at/2:], 7, 13+at/2); i != at-at/2 {
			t.Fatalf("byte %d is wrong, %d is said to be", at-at/2, i)
		}
		b[at]--
	}
}
