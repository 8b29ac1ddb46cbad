package nic

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"slashnet/wire"
)

// A draft describes a frame to be finished.
type draft struct {
	v6, udp   bool
	tags      int // VLAN tags
	ipOptions int // bytes: IPv4 options, or an IPv6 extension header
	options   int // bytes of TCP options
	flags     wire.TCPFlags
	seq       uint32
	id        uint16
	payload   []byte
	gso       int // 0: the checksum only
}

// frame writes the draft, its headers by hand, with everything after byte
// `flat` of it in pieces of `piece` bytes.
func (d draft) frame(inHead, piece int) *Frame {
	h := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	for range d.tags {
		h = append(h, 0x81, 0x00, 0x00, 0x07)
	}
	transport := 8
	proto := byte(17)
	if !d.udp {
		transport, proto = 20+d.options, 6
	}
	total := transport + len(d.payload)
	var pseudo []byte
	if d.v6 {
		h = append(h, 0x86, 0xdd, 0x60, 1, 2, 3)
		h = binary.BigEndian.AppendUint16(h, uint16(d.ipOptions+total))
		next := proto
		if d.ipOptions > 0 {
			next = 60 // destination options
		}
		h = append(h, next, 64)
		for i := range 32 {
			h = append(h, byte(0xf0+i))
		}
		pseudo = append(pseudo, h[len(h)-32:]...)
		if d.ipOptions > 0 {
			h = append(h, proto, byte(d.ipOptions/8-1))
			h = append(h, 1, byte(d.ipOptions-4))
			h = append(h, make([]byte, d.ipOptions-4)...)
		}
	} else {
		h = append(h, 0x08, 0x00, byte(0x45+d.ipOptions/4), 0)
		ip := len(h) - 2
		h = binary.BigEndian.AppendUint16(h, uint16(20+d.ipOptions+total))
		h = binary.BigEndian.AppendUint16(h, d.id)
		h = append(h, 0x40, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
		pseudo = append(pseudo, h[len(h)-8:]...)
		h = append(h, bytes.Repeat([]byte{1}, d.ipOptions)...)
		binary.BigEndian.PutUint16(h[ip+10:], naiveChecksum(h[ip:]))
	}
	start := len(h)
	f := &Frame{}
	f.NeedsCsum, f.CsumStart = true, uint16(start)
	sum := ^naiveChecksum(append(pseudo, 0, proto, byte(total>>8), byte(total)))
	if d.udp {
		h = append(h, 0x10, 0x01, 0x20, 0x02, byte(total>>8), byte(total))
		h = binary.BigEndian.AppendUint16(h, sum)
		f.CsumOffset = 6
	} else {
		h = append(h, 0x10, 0x01, 0x20, 0x02)
		h = binary.BigEndian.AppendUint32(h, d.seq)
		h = append(h, 1, 2, 3, 4, byte(transport/4<<4), byte(d.flags), 0xff, 0xfe)
		h = binary.BigEndian.AppendUint16(h, sum)
		h = append(h, 0, 0)
		h = append(h, bytes.Repeat([]byte{1}, d.options)...)
		f.CsumOffset = 16
	}
	if d.gso > 0 {
		f.HeaderLen, f.GSOSize = uint16(len(h)), uint16(d.gso)
		switch {
		case d.udp:
			f.GSO = wire.GSOUDP
		case d.v6:
			f.GSO = wire.GSOTCPv6
		default:
			f.GSO = wire.GSOTCPv4
		}
	}
	inHead = min(inHead, len(d.payload))
	f.Head = append(h, d.payload[:inHead]...)
	if inHead < len(d.payload) {
		f.Body = split(d.payload[inHead:], piece)
	}
	return f
}

// naiveChecksum is RFC 1071 read aloud: two bytes at a time.
func naiveChecksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		word := uint32(b[i]) << 8
		if i+1 < len(b) {
			word |= uint32(b[i+1])
		}
		sum += word
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// A parsed is a wire frame taken apart by hand.
type parsed struct {
	ethernet      []byte
	id            uint16
	seq           uint32
	flags         wire.TCPFlags
	rest          []byte // of the transport header: what must not change
	payload       []byte
	udp           bool
	networkHeader []byte
}

// parse checks lengths and checksums.
func parse(t testing.TB, b []byte) (p parsed) {
	t.Helper()
	at := 14
	for binary.BigEndian.Uint16(b[at-2:]) == 0x8100 {
		at += 4
	}
	p.ethernet = b[:at]
	ip := b[at:]
	var pseudo, seg []byte
	proto := byte(0)
	if binary.BigEndian.Uint16(b[at-2:]) == 0x0800 {
		hlen := int(ip[0]&15) * 4
		if got := int(binary.BigEndian.Uint16(ip[2:])); got != len(ip) {
			t.Fatalf("IPv4 total length %d of %d bytes", got, len(ip))
		}
		if naiveChecksum(ip[:hlen]) != 0 {
			t.Fatalf("IPv4 header checksum is wrong: % x", ip[:hlen])
		}
		p.id = binary.BigEndian.Uint16(ip[4:])
		proto, seg = ip[9], ip[hlen:]
		pseudo = append(pseudo, ip[12:20]...)
		p.networkHeader = slices.Concat(ip[:2], ip[6:10], ip[12:hlen])
	} else {
		if got := int(binary.BigEndian.Uint16(ip[4:])); got != len(ip)-40 {
			t.Fatalf("IPv6 payload length %d of %d bytes", got, len(ip)-40)
		}
		proto, seg = ip[6], ip[40:]
		pseudo = append(pseudo, ip[8:40]...)
		p.networkHeader = slices.Concat(ip[:4], ip[6:40])
		if proto == 60 {
			n := int(seg[1])*8 + 8
			proto = seg[0]
			p.networkHeader = append(p.networkHeader, seg[:n]...)
			seg = seg[n:]
		}
	}
	pseudo = append(pseudo, 0, proto, byte(len(seg)>>8), byte(len(seg)))
	if naiveChecksum(append(pseudo, seg...)) != 0 {
		t.Fatalf("transport checksum is wrong in a segment of %d bytes", len(seg))
	}
	if proto == 17 {
		p.udp = true
		if got := int(binary.BigEndian.Uint16(seg[4:])); got != len(seg) {
			t.Fatalf("UDP length %d of %d bytes", got, len(seg))
		}
		if seg[6] == 0 && seg[7] == 0 {
			t.Fatal("UDP checksum zero means none")
		}
		p.rest, p.payload = seg[:4], seg[8:]
		return p
	}
	hlen := int(seg[12]>>4) * 4
	p.seq, p.flags = binary.BigEndian.Uint32(seg[4:]), wire.TCPFlags(seg[13])
	p.rest = slices.Concat(seg[:4], seg[8:13], seg[14:16], seg[18:hlen])
	p.payload = seg[hlen:]
	return p
}

// finish is what Finish emits, copied.
func finish(t testing.TB, f *Frame) (frames [][]byte) {
	t.Helper()
	before := flatten(f)
	marks := f.Offload
	err := Finish(f, func(w *Frame) {
		if !w.Finished() {
			t.Fatalf("a wire frame has marks: %+v", w.Offload)
		}
		frames = append(frames, flatten(w))
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, flatten(f)) || f.Offload != marks {
		t.Fatal("the frame was changed")
	}
	return frames
}

// checkFinished compares what came out with the draft.
func checkFinished(t testing.TB, d draft, frames [][]byte) {
	t.Helper()
	want := 1
	if d.gso > 0 {
		want = max(1, (len(d.payload)+d.gso-1)/d.gso)
	}
	if len(frames) != want {
		t.Fatalf("%d frames, want %d", len(frames), want)
	}
	whole := flatten(d.frame(0, 1<<20))
	var payload []byte
	var first parsed
	for i, b := range frames {
		p := parse(t, b)
		if i == 0 {
			first = p
			if !bytes.Equal(p.ethernet, whole[:len(p.ethernet)]) {
				t.Fatal("the Ethernet header changed")
			}
		}
		if !bytes.Equal(p.ethernet, first.ethernet) || !bytes.Equal(p.networkHeader, first.networkHeader) || !bytes.Equal(p.rest, first.rest) {
			t.Fatalf("frame %d: a header changed that should not", i)
		}
		if d.gso > 0 && i < len(frames)-1 && len(p.payload) != d.gso {
			t.Fatalf("frame %d has %d bytes of payload, want %d", i, len(p.payload), d.gso)
		}
		if !d.v6 && p.id != d.id+uint16(i) {
			t.Fatalf("frame %d has ID %d, the first has %d", i, p.id, d.id)
		}
		if !d.udp {
			if p.seq != d.seq+uint32(len(payload)) {
				t.Fatalf("frame %d has sequence number %d, want %d", i, p.seq, d.seq+uint32(len(payload)))
			}
			flags := d.flags
			if i < len(frames)-1 {
				flags &^= wire.FIN | wire.PSH
			}
			if i > 0 {
				flags &^= wire.CWR
			}
			if p.flags != flags {
				t.Fatalf("frame %d has flags %v, want %v", i, p.flags, flags)
			}
		}
		payload = append(payload, p.payload...)
	}
	if !bytes.Equal(payload, d.payload) {
		t.Fatal("the payload changed")
	}
}

func TestFinish(t *testing.T) {
	payload := make([]byte, 60000)
	fillRandom(payload, 1)
	for name, d := range map[string]draft{
		"TCP over IPv4":           {gso: 1448, options: 12, flags: wire.ACK | wire.PSH | wire.FIN | wire.CWR | wire.ECE, seq: 0xffff0000, id: 0xfff0, payload: payload},
		"TCP over IPv6":           {v6: true, gso: 1428, options: 12, flags: wire.ACK | wire.PSH, payload: payload},
		"IPv4 options":            {gso: 1000, ipOptions: 40, options: 40, flags: wire.ACK, payload: payload},
		"IPv6 extension header":   {v6: true, ipOptions: 24, gso: 1000, payload: payload},
		"tagged":                  {tags: 2, gso: 1400, payload: payload},
		"odd size":                {gso: 1447, payload: payload[:9999]},
		"one byte each":           {gso: 1, payload: payload[:100]},
		"exact":                   {gso: 1000, flags: wire.PSH, payload: payload[:3000]},
		"fits in one":             {gso: 1448, flags: wire.PSH | wire.CWR, payload: payload[:100]},
		"no payload":              {gso: 1448, flags: wire.FIN | wire.CWR, payload: nil},
		"datagrams over IPv4":     {udp: true, gso: 1472, payload: payload},
		"datagrams over IPv6":     {udp: true, v6: true, gso: 1452, payload: payload},
		"checksum only":           {payload: payload[:1400], flags: wire.PSH | wire.FIN},
		"checksum only, tagged":   {tags: 1, payload: payload[:1401]},
		"checksum of UDP":         {udp: true, payload: payload[:1000]},
		"checksum of a big frame": {udp: true, v6: true, payload: payload},
	} {
		t.Run(name, func(t *testing.T) {
			for _, shape := range [][2]int{{1 << 20, 1}, {0, 1 << 20}, {0, 7}, {13, 1000}, {300, 4096}, {0, 1447}} {
				checkFinished(t, d, finish(t, d.frame(shape[0], shape[1])))
			}
		})
	}
}

// A sum that comes out as zero is sent as ones: zero says that there is none.
func TestFinishUDPZero(t *testing.T) {
	d := draft{udp: true, payload: []byte{0, 0}}
	for {
		out := finish(t, d.frame(0, 10))[0]
		checkFinished(t, d, [][]byte{out})
		if binary.BigEndian.Uint16(out[len(out)-4:]) == 0xffff {
			return
		}
		n := binary.BigEndian.Uint16(d.payload) + 1
		if n == 0 {
			t.Fatal("no payload made the sum zero")
		}
		binary.BigEndian.PutUint16(d.payload, n)
	}
}

func TestFinishPassesFinished(t *testing.T) {
	f := &Frame{Head: plainFrame(wire.Broadcast, wire.MAC{2}, 50, 1), Body: [][]byte{{1, 2, 3}}}
	f.CsumValid = true
	n := 0
	if err := Finish(f, func(g *Frame) {
		n++
		if g != f {
			t.Error("another frame came out")
		}
	}); err != nil || n != 1 {
		t.Errorf("%d frames, %v", n, err)
	}
}

func TestFinishRefusesContradictions(t *testing.T) {
	payload := make([]byte, 5000)
	for name, spoil := range map[string]func(f *Frame){
		"no checksum mark":       func(f *Frame) { f.NeedsCsum = false },
		"start past the end":     func(f *Frame) { f.CsumStart = 60000 },
		"offset past the end":    func(f *Frame) { f.CsumOffset = 60000 },
		"both overflow":          func(f *Frame) { f.CsumStart, f.CsumOffset = 65535, 65535 },
		"start in Ethernet":      func(f *Frame) { f.CsumStart = 3 },
		"start in IP":            func(f *Frame) { f.CsumStart-- },
		"no size":                func(f *Frame) { f.GSOSize = 0 },
		"wrong family":           func(f *Frame) { f.GSO = wire.GSOTCPv6 },
		"wrong protocol":         func(f *Frame) { f.GSO = wire.GSOUDP },
		"unknown kind":           func(f *Frame) { f.GSO = 77 },
		"unknown ethertype":      func(f *Frame) { f.Head[12] = 0x99 },
		"IP version":             func(f *Frame) { f.Head[14] = 0x65 },
		"IP header too short":    func(f *Frame) { f.Head[14] = 0x44 },
		"TCP header too short":   func(f *Frame) { f.Head[46] = 0x40 },
		"TCP header too long":    func(f *Frame) { f.Head[46] = 0xf0 },
		"headers cut":            func(f *Frame) { f.Head = f.Head[:40] },
		"nothing but a checksum": func(f *Frame) { f.Head = f.Head[:20] },
		"empty":                  func(f *Frame) { f.Head, f.Body = nil, nil },
		"longer than any":        func(f *Frame) { f.Body = append(f.Body, make([]byte, 65536)) },
	} {
		f := draft{gso: 1000, flags: wire.ACK, payload: payload}.frame(0, 1000)
		spoil(f)
		if err := Finish(f, func(*Frame) { t.Errorf("%s: a frame was emitted", name) }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzFinish(f *testing.F) {
	f.Add([]byte("hello, world"), uint16(5), uint16(0x1234), uint32(0xfffffffe), uint16(3), uint16(2))
	f.Add(bytes.Repeat([]byte{0xff, 0}, 3000), uint16(1448), uint16(0xffff), uint32(7), uint16(0), uint16(1000))
	f.Fuzz(func(t *testing.T, payload []byte, gso, bits uint16, seq uint32, inHead, piece uint16) {
		d := draft{
			v6: bits&1 != 0, udp: bits&2 != 0, tags: int(bits>>2) % 3,
			ipOptions: int(bits>>4) % 6 * 8, options: int(bits>>7) % 11 * 4, flags: wire.TCPFlags(bits >> 8),
			seq: seq, id: uint16(seq), payload: payload[:min(len(payload), 60000)], gso: int(gso),
		}
		if d.gso > 0 {
			d.gso = max(d.gso, len(d.payload)/200) // more frames show nothing new
		}
		frame := d.frame(int(inHead), int(piece)+1)
		checkFinished(t, d, finish(t, frame))
	})
}

// Whatever the marks are, nothing panics and no byte is made up.
func FuzzFinishMarks(f *testing.F) {
	for _, d := range []draft{{gso: 10}, {v6: true, gso: 10}, {udp: true, gso: 3}, {tags: 1}} {
		d.payload = []byte("some forty bytes of payload, more or less")
		w := d.frame(1000, 1)
		f.Add(w.Head, uint16(10), w.CsumStart, w.CsumOffset, byte(w.GSO), w.GSOSize, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, headLen, start, offset uint16, gso byte, size uint16, needs bool) {
		n := min(int(headLen), len(b))
		frame := &Frame{Head: b[:n], Body: [][]byte{b[n:]}}
		frame.Offload = wire.Offload{NeedsCsum: needs, CsumStart: start, CsumOffset: offset, GSO: wire.GSO(gso), GSOSize: size}
		before := bytes.Clone(b)
		total := 0
		err := Finish(frame, func(w *Frame) { total += max(0, w.Len()-n) })
		if !bytes.Equal(b, before) {
			t.Fatal("the frame was changed")
		}
		if err == nil && total > len(b) {
			t.Fatalf("%d bytes became %d", len(b), total)
		}
		// The same marks on their way out of and into a TAP.
		var h [vnetLen]byte
		encodeVnet(&h, frame)
		var o wire.Offload
		if decodeVnet(append(h[:], b...), &o) && int(o.HeaderLen) > len(b) {
			t.Fatalf("headers of %d in a frame of %d bytes", o.HeaderLen, len(b))
		}
	})
}

func TestFinishAllocs(t *testing.T) {
	payload := make([]byte, 60000)
	f := draft{gso: 1448, payload: payload}.frame(0, 4096)
	n := 0
	if a := testing.AllocsPerRun(100, func() { Finish(f, func(*Frame) { n++ }) }); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
	plain := newFake(t, Options{Plain: true})
	plain.forget = true
	if a := testing.AllocsPerRun(100, func() { Transmit(plain, f) }); a != 0 {
		t.Errorf("%v allocations a transmitted frame", a)
	}
}

func BenchmarkFinish(b *testing.B) {
	payload := make([]byte, 64000)
	f := draft{gso: 1448, payload: payload}.frame(0, 16384)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		Finish(f, func(*Frame) {})
	}
}
