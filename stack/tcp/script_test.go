package tcp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"slashnet/wire"
)

// A script drives one connection: it injects segments of a scripted peer and says
// which are expected, each with the reason why. Segments are written as tcpdump
// does,
//
//	S. 0 ack 1 win 65535 mss 1460      flags, then sequence numbers from each side's ISN
//	P. 1:101 ack 1 sack 1461-2921      seq:end when there is payload
//
// with . for ACK and - for no flags. What an expectation does not mention is not compared.
type script struct {
	t        *testing.T
	c        *Conn
	cfg      *Config
	now      time.Duration
	iss, irs wire.Seq
	last     Segment // the last that was expected
	blocks   blocks
	ts       uint32 // the peer's clock, when timestamps are on

	listening bool // the next segment is a call: play_test.go

	// of arrived
	got  map[int]int // runs of our stream behind holes
	upTo int         // what is in order
	acks string      // the acknowledgement to be sent
}

const (
	scriptISS = wire.Seq(0xfffffc00) // the numbers wrap soon
	scriptIRS = wire.Seq(0x7ffffe00)
)

func newScript(t *testing.T, cfg func(*Config)) *script {
	s := &script{t: t, cfg: DefaultConfig(), now: time.Second, iss: scriptISS, irs: scriptIRS}
	s.cfg.Timestamps, s.cfg.WScale, s.cfg.QuickAck = false, false, 0
	s.cfg.Alloc = s.blocks.alloc
	if cfg != nil {
		cfg(s.cfg)
	}
	s.c = NewConn(s.cfg, func() uint64 { return 0 })
	t.Cleanup(func() {
		s.c.Free()
		if s.blocks.live != 0 && !t.Failed() {
			t.Errorf("%d blocks are still held", s.blocks.live)
		}
	})
	return s
}

func (s *script) setup() Setup { return Setup{ISS: s.iss, MTU: 1500, IPHeader: 20} }

// active is a connection that we have opened, with SACK and a window of 65535.
func active(t *testing.T, cfg func(*Config)) *script {
	s := newScript(t, cfg)
	s.c.Open(s.now, s.setup())
	s.expect("S 0", "Open sends a SYN")
	syn := "S. 0 ack 1 win 65535 mss 1460 sackok"
	if s.cfg.WScale {
		syn += " ws 7"
	}
	if s.cfg.Timestamps {
		syn += " ts"
	}
	s.advance(10 * time.Millisecond)
	s.inject(syn)
	s.expect(". 1 ack 1", "the handshake ends with an ACK")
	s.state(Established)
	return s
}

func (s *script) accept(text string) {
	h, n := s.parse(text)
	if ok, _, _ := ListenSegment(&h, n); !ok {
		s.t.Fatalf("a listener does not take %q", text)
	}
	absolute(&h, s.irs, s.iss)
	s.c.Accept(s.now, s.setup(), &h)
}

// bytesAt is n bytes of the stream from sequence number at.
func bytesAt(at, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((at + i) * 7)
	}
	return b
}

func (s *script) parse(text string) (h wire.TCPHeader, n int) {
	s.t.Helper()
	num := func(v string) int {
		i, err := strconv.Atoi(v)
		if err != nil {
			s.t.Fatalf("%q: %v", text, err)
		}
		return i
	}
	f := strings.Fields(text)
	for _, x := range f[0] {
		h.Flags |= flagOf[x]
	}
	from, to, span := strings.Cut(f[1], ":")
	h.Seq = wire.Seq(num(from))
	if span {
		n = num(to) - num(from)
	}
	for i := 2; i < len(f); i++ {
		arg := func() string { i++; return f[i] }
		switch f[i] {
		case "ack":
			h.Ack = wire.Seq(num(arg()))
		case "win":
			h.Window = uint16(num(arg()))
		case "urg":
			h.Urgent = uint16(num(arg()))
		case "mss":
			h.Options.MSS = uint16(num(arg()))
		case "ws":
			h.Options.HasWScale, h.Options.WScale = true, uint8(num(arg()))
		case "uto":
			h.Options.UserTimeout = num(arg())
		case "sackok":
			h.Options.SACKPermitted = true
		case "ts":
			h.Options.HasTimestamps = true
		case "sack":
			for _, b := range strings.Split(arg(), ",") {
				at := strings.LastIndex(b, "-")
				h.Options.SACK[h.Options.SACKs] = wire.SACKBlock{Left: wire.Seq(num(b[:at])), Right: wire.Seq(num(b[at+1:]))}
				h.Options.SACKs++
			}
		default:
			s.t.Fatalf("%q: what is %q?", text, f[i])
		}
	}
	return h, n
}

var flagOf = map[rune]wire.TCPFlags{'S': wire.SYN, 'F': wire.FIN, 'R': wire.RST, 'P': wire.PSH, '.': wire.ACK, 'U': wire.URG, 'E': wire.ECE, 'C': wire.CWR}

// absolute turns numbers from an ISN into real ones: seq is the sender's.
func absolute(h *wire.TCPHeader, sender, receiver wire.Seq) {
	h.Seq += sender
	if h.Flags&wire.ACK != 0 {
		h.Ack += receiver
	}
	for i := range h.Options.SACK[:h.Options.SACKs] {
		h.Options.SACK[i].Left += receiver
		h.Options.SACK[i].Right += receiver
	}
}

// inject lets a segment of the peer arrive. Its window is 65535 if none is said.
func (s *script) inject(text string) {
	s.t.Helper()
	h, n := s.parse(text)
	if !strings.Contains(text, " win ") {
		h.Window = 65535
	}
	payload := bytesAt(int(h.Seq), n)
	absolute(&h, s.irs, s.iss)
	if s.cfg.Timestamps {
		h.Options.HasTimestamps = true
		h.Options.TSVal = s.ts + uint32(s.now/timestampTick)
		if h.Flags&wire.ACK != 0 {
			h.Options.TSEcr = uint32(s.now / timestampTick)
			if s.last.H.Options.HasTimestamps {
				h.Options.TSEcr = s.last.H.Options.TSVal
			}
		}
	}
	s.raw(&h, payload)
}

func (s *script) raw(h *wire.TCPHeader, payload []byte) {
	const headers = 54
	buf := s.blocks.alloc(headers + len(payload))
	n := copy(buf.B[headers:], payload)
	s.c.Input(s.now, h, buf.B[headers:headers+n], buf)
	buf.Release()
}

// show writes a segment of ours as a script does.
func (s *script) show(seg *Segment) string {
	h := seg.H
	var b strings.Builder
	for _, x := range "SFRPUEC." {
		if h.Flags&flagOf[x] != 0 {
			b.WriteRune(x)
		}
	}
	seq := int(int32(h.Seq - s.iss))
	fmt.Fprintf(&b, " %d", seq)
	if seg.Len > 0 {
		fmt.Fprintf(&b, ":%d", seq+seg.Len)
	}
	if h.Flags&wire.ACK != 0 {
		fmt.Fprintf(&b, " ack %d", int32(h.Ack-s.irs))
	}
	fmt.Fprintf(&b, " win %d", h.Window)
	for i := range h.Options.SACKs {
		k := h.Options.SACK[i]
		fmt.Fprintf(&b, " sack %d-%d", int32(k.Left-s.irs), int32(k.Right-s.irs))
	}
	if h.Options.MSS != 0 {
		fmt.Fprintf(&b, " mss %d", h.Options.MSS)
	}
	return b.String()
}

// expect takes the next segment that we send.
func (s *script) expect(text, why string) {
	s.t.Helper()
	var seg Segment
	if !s.c.Output(s.now, &seg) {
		s.t.Fatalf("at %v nothing was sent, want %q: %s\n%+v", s.now, text, why, s.c.Stats())
	}
	want, n := s.parse(text)
	absolute(&want, s.iss, s.irs)
	h := &seg.H
	ok := h.Flags&^wire.PSH == want.Flags&^wire.PSH && h.Seq == want.Seq && seg.Len == n &&
		(h.Flags&wire.ACK == 0 || h.Ack == want.Ack)
	ok = ok && (want.Flags&wire.PSH == 0 || h.Flags&wire.PSH != 0)
	if strings.Contains(text, " win ") {
		ok = ok && h.Window == want.Window
	}
	if strings.Contains(text, " sack ") {
		ok = ok && h.Options.SACKs == want.Options.SACKs
		for i := range want.Options.SACKs {
			ok = ok && h.Options.SACK[i] == want.Options.SACK[i]
		}
	} else {
		ok = ok && h.Options.SACKs == 0
	}
	if want.Options.MSS != 0 {
		ok = ok && h.Options.MSS == want.Options.MSS
	}
	if want.Options.UserTimeout != 0 {
		ok = ok && h.Options.UserTimeout == want.Options.UserTimeout
	}
	if want.Options.HasWScale {
		ok = ok && h.Options.HasWScale && h.Options.WScale == want.Options.WScale
	}
	if !ok {
		s.t.Fatalf("at %v sent %q, want %q: %s", s.now, s.show(&seg), text, why)
	}
	var payload []byte
	for i := range seg.Slices {
		payload = append(payload, seg.Payload[i]...)
	}
	if at := int(int32(seg.H.Seq - s.iss)); !bytes.Equal(payload, bytesAt(at, seg.Len)) {
		s.t.Fatalf("at %v the payload of %q is wrong: %s", s.now, text, why)
	}
	seg.Release()
	s.last = seg
}

func (s *script) expectIdle(why string) {
	s.t.Helper()
	var seg Segment
	if s.c.Output(s.now, &seg) {
		s.t.Fatalf("at %v sent %q, want nothing: %s", s.now, s.show(&seg), why)
	}
}

// advance lets time go by; every timer on the way fires at its time.
func (s *script) advance(d time.Duration) {
	end := s.now + d
	for {
		at, ok := s.c.Deadline()
		if !ok || at > end {
			break
		}
		s.now = max(s.now, at)
		s.c.Tick(s.now)
		if again, ok := s.c.Deadline(); ok && again <= at {
			s.t.Fatalf("at %v Tick leaves a deadline that is past", s.now)
		}
	}
	s.now = end
}

// until goes on to the next deadline, which is expected at d from now.
func (s *script) until(d time.Duration, why string) {
	s.t.Helper()
	at, ok := s.c.Deadline()
	if !ok || at-s.now != d {
		s.t.Fatalf("at %v the next deadline is in %v (%v), want %v: %s", s.now, at-s.now, ok, d, why)
	}
	s.now = at
	s.c.Tick(at)
}

func (s *script) state(want State) {
	s.t.Helper()
	if s.c.State() != want {
		s.t.Fatalf("at %v the state is %v, want %v", s.now, s.c.State(), want)
	}
}

func (s *script) died(want error) {
	s.t.Helper()
	s.state(Closed)
	if s.c.Err() != want {
		s.t.Fatalf("died of %v, want %v", s.c.Err(), want)
	}
	if _, ok := s.c.Deadline(); ok {
		s.t.Fatal("a dead connection has a deadline")
	}
}

// write queues n bytes of our stream.
func (s *script) write(n int) {
	s.t.Helper()
	at := int(int32(s.c.sendq.end - s.iss))
	if got := s.c.Write(s.now, bytesAt(at, n)); got != n {
		s.t.Fatalf("Write took %d of %d", got, n)
	}
}

// read expects n bytes of the peer's stream from at on.
func (s *script) read(at, n int, why string) {
	s.t.Helper()
	b := make([]byte, n+1)
	if got := s.c.Read(b); got != n || !bytes.Equal(b[:n], bytesAt(at, n)) {
		s.t.Fatalf("read %d bytes, want %d right ones: %s", got, n, why)
	}
}

// sent are all segments that we send now, without their payload.
func (s *script) sent() (all []Segment) {
	var seg Segment
	for s.c.Output(s.now, &seg) {
		seg.Release()
		all = append(all, seg)
	}
	return all
}
