package tcp

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"slashnet/wire"
)

// FuzzInput drives a connection with calls and segments that the bytes choose.
// Whatever they are, nothing panics, the invariants hold, and every block is let
// go at the end.
func FuzzInput(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x01\x10\x00\x00\x00\x00\x20\x05\x02\x10\x00\x10\x00\x00\x80\x03\x04\x05\x06"))
	f.Add([]byte("\x11\x02\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"))
	f.Fuzz(func(t *testing.T, data []byte) { play(t, data) })
}

// A tape gives numbers until it is at its end, and then zeros.
type tape struct{ data []byte }

func (p *tape) byte() int {
	if len(p.data) == 0 {
		return 0
	}
	b := p.data[0]
	p.data = p.data[1:]
	return int(b)
}

func (p *tape) word() uint32 {
	var b [4]byte
	p.data = p.data[copy(b[:], p.data):]
	return binary.BigEndian.Uint32(b[:])
}

// near is a sequence number on or about something that matters, or anything.
func (p *tape) near(c *Conn) wire.Seq {
	around := []wire.Seq{c.una, c.nxt, c.una + wire.Seq(c.wnd), c.rcvNxt, c.adv, c.acked, c.iss, c.irs}
	switch k := p.byte(); {
	case k < 240:
		return around[k%len(around)] + wire.Seq(int8(p.byte()))*wire.Seq(1<<(k/32))
	default:
		return wire.Seq(p.word())
	}
}

func play(t *testing.T, data []byte) {
	p := &tape{data}
	w := &world{t: t}
	cfg := DefaultConfig()
	cfg.Alloc = w.blocks.alloc
	flags := p.byte()
	cfg.SACK, cfg.Timestamps, cfg.WScale = flags&1 == 0, flags&2 == 0, flags&4 == 0
	cfg.CC = congestionNames[flags>>3&1]
	cfg.RcvBuf = 4096 << (flags >> 4 & 7)
	if flags&128 != 0 {
		cfg.CloseDrain = 0
	}
	e := &end{Conn: NewConn(cfg, func() uint64 { return 1 << 31 }), name: "fuzz", w: w}
	c := e.Conn
	s := Setup{ISS: wire.Seq(p.word()), MTU: 68 + p.byte()*40, IPHeader: 20 + p.byte()%2*20, MSS: p.byte() * 8}
	if p.byte()%2 == 0 {
		c.Open(w.now, s)
	} else {
		h := p.header(c, w.now)
		h.Flags = wire.SYN
		c.Accept(w.now, s, &h)
	}
	e.say()
	for len(p.data) > 0 {
		e.act(p)
		if p.byte()%4 > 0 {
			e.say()
		}
	}
	e.say()
	c.Abort(w.now)
	e.say()
	c.Free()
	if w.blocks.live != 0 {
		t.Errorf("%d blocks are still held", w.blocks.live)
	}
}

// say takes all that the connection has to say; it must come to an end.
func (e *end) say() {
	var seg Segment
	for n := 0; e.Output(e.w.now, &seg); n++ {
		if got := seg.Len; got > 65535 || seg.MSS <= 0 || seg.Slices > MaxSlices {
			e.w.t.Fatalf("a segment of %d bytes, MSS %d, %d slices", got, seg.MSS, seg.Slices)
		}
		if h := &seg.H; h.Flags&(wire.ACK|wire.RST) == wire.ACK {
			e.w.checkEdge(e, h)
		}
		seg.Release()
		e.w.check(e)
		if n > 100000 {
			e.w.t.Fatalf("Output does not end: %+v", e.Stats())
		}
	}
	e.w.check(e)
}

func (p *tape) header(c *Conn, now time.Duration) wire.TCPHeader {
	h := wire.TCPHeader{Seq: p.near(c), Ack: p.near(c), Flags: wire.TCPFlags(p.byte()), Window: uint16(p.word())}
	if p.byte()%4 > 0 {
		h.Flags = h.Flags&wire.FIN | wire.ACK
	}
	if p.byte()%2 == 0 {
		h.Seq = c.rcvNxt
	}
	o := &h.Options
	k := p.byte()
	if k&1 != 0 {
		o.MSS = uint16(p.word())
	}
	o.SACKPermitted = k&2 != 0
	if o.HasWScale = k&4 != 0; o.HasWScale {
		o.WScale = uint8(p.byte())
	}
	if o.HasTimestamps = c.tsOK || k&8 != 0; o.HasTimestamps {
		o.TSVal, o.TSEcr = c.tsRecent+uint32(int8(p.byte())), c.timestamp(now)-uint32(p.byte())
	}
	for range k >> 5 & 3 {
		o.SACK[o.SACKs] = wire.SACKBlock{Left: p.near(c), Right: p.near(c)}
		o.SACKs++
	}
	h.Urgent = uint16(p.byte())
	return h
}

func (e *end) act(p *tape) {
	c, w := e.Conn, e.w
	switch k := p.byte(); k % 20 {
	default: // a segment
		h := p.header(c, w.now)
		size := p.byte() * p.byte()
		buf := w.blocks.alloc(size + 60*(p.byte()%2))
		c.Input(w.now, &h, buf.B[:size], buf)
		buf.Release()
	case 10:
		c.Write(w.now, make([]byte, p.byte()*p.byte()))
	case 11:
		n := p.byte() * p.byte()
		buf := w.blocks.alloc(n + p.byte()*100)
		c.WriteBuf(w.now, buf.B[:n], buf)
		buf.Release()
	case 12:
		for _, ch := range c.Take(p.byte()*p.byte(), nil) {
			ch.Buf.Release()
		}
	case 13:
		c.Read(make([]byte, p.byte()))
		c.Peek(make([]byte, p.byte()))
	case 14:
		switch p.byte() % 8 {
		case 0:
			c.Close(w.now)
		case 1:
			c.CloseRead(w.now)
		case 2, 3:
			c.CloseWrite(w.now)
		case 4:
			c.SetMTU(w.now, p.byte()*16)
			c.TooBig(w.now, p.byte()*16)
		case 5:
			c.SetReceiveBuffer(p.byte() * 1000)
		case 6:
			c.SetSendBuffer(p.byte() * 1000)
		case 7:
			c.SetLinger(time.Duration(p.byte())*time.Second, p.byte()%2 == 0)
		}
	case 15:
		c.SetNoDelay(p.byte()%2 == 0)
		c.SetCork(p.byte()%2 == 0)
		c.SetKeepAlive(w.now, p.byte()%2 == 0)
		c.SetUserTimeout(time.Duration(p.byte()) * time.Second)
	case 16, 17:
		w.now += time.Duration(p.byte()) << (p.byte() % 32)
		if at, ok := c.Deadline(); ok && at <= w.now {
			c.Tick(w.now)
		}
	case 18, 19:
		if at, ok := c.Deadline(); ok {
			w.now = max(w.now, at)
			c.Tick(w.now)
		}
	}
	w.check(e)
}

// TestInputAnything plays random tapes, for those who do not run the fuzzer.
func TestInputAnything(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := make([]byte, 20+r.IntN(2000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if play(t, b); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
