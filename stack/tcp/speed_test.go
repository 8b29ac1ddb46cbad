package tcp

import (
	"testing"
	"time"
	"unsafe"

	"slashnet/wire"
)

// pool is a free list of blocks, as the stack has one.
type pool struct {
	free []*wire.Buf
	made int
}

func (p *pool) get(n int) *wire.Buf {
	for i := len(p.free) - 1; i >= 0; i-- {
		if b := p.free[i]; len(b.B) >= n {
			p.free = append(p.free[:i], p.free[i+1:]...)
			b.Reuse()
			return b
		}
	}
	p.made++
	return wire.NewBuf(make([]byte, max(n, 64<<10)), func(b *wire.Buf) { p.free = append(p.free, b) })
}

// A pair is two connections on a perfect wire, for measurements and for tests
// that need an established connection with a real peer.
type pair struct {
	a, b *Conn
	now  time.Duration
	pool pool
	seg  Segment
	into []wire.Chunk
}

func newPair(tb testing.TB, cfg func(*Config)) *pair {
	p := new(pair)
	conf := DefaultConfig()
	conf.Alloc = p.pool.get
	if cfg != nil {
		cfg(conf)
	}
	rnd := func() uint64 { return 42 }
	p.a, p.b = NewConn(conf, rnd), NewConn(conf, rnd)
	s := Setup{ISS: 1000, MTU: 1500, IPHeader: 20}
	p.a.Open(p.now, s)
	p.a.Output(p.now, &p.seg)
	p.b.Accept(p.now, s, &p.seg.H)
	p.run()
	if p.a.state != Established || p.b.state != Established {
		tb.Fatalf("handshake ends in %v and %v", p.a.state, p.b.state)
	}
	return p
}

// pass carries what from has to say to to, and reports whether there was anything.
func (p *pair) pass(from, to *Conn) bool {
	const batch = 8
	n := 0
	for ; n < batch && from.Output(p.now, &p.seg); n++ {
		buf := p.pool.get(p.seg.Len + 54)
		end := 54
		for i := range p.seg.Slices {
			end += copy(buf.B[end:], p.seg.Payload[i])
		}
		h := p.seg.H
		p.seg.Release()
		to.Input(p.now, &h, buf.B[54:end], buf)
		buf.Release()
	}
	return n > 0
}

func (p *pair) run() {
	for p.pass(p.a, p.b) || p.pass(p.b, p.a) {
		p.now += 10 * time.Microsecond
	}
}

// read takes everything that c has.
func (p *pair) read(c *Conn) (n int) {
	p.into = c.Take(1<<30, p.into[:0])
	for _, ch := range p.into {
		n += len(ch.B)
		ch.Buf.Release()
	}
	return n
}

// bulk moves one write of b from p.a to p.b.
func (p *pair) bulk(b *wire.Buf) int {
	p.a.WriteBuf(p.now, b.B, b)
	n := 0
	for {
		x := p.pass(p.a, p.b)
		n += p.read(p.b)
		y := p.pass(p.b, p.a)
		p.now += 10 * time.Microsecond
		if !x && !y {
			return n
		}
	}
}

// echo sends one small message there and back.
func (p *pair) echo(msg []byte) {
	p.a.Write(p.now, msg)
	p.run()
	p.read(p.b)
	p.b.Write(p.now, msg)
	p.run()
	p.read(p.a)
	p.now += time.Millisecond
}

func TestBulkDoesNotAllocate(t *testing.T) {
	p := newPair(t, nil)
	b := wire.NewBuf(make([]byte, 1<<20), nil)
	for range 20 {
		p.bulk(b)
	}
	if n := testing.AllocsPerRun(50, func() {
		if got := p.bulk(b); got != len(b.B) {
			t.Fatalf("moved %d of %d", got, len(b.B))
		}
	}); n > 1 {
		t.Errorf("%v allocations for a write of 1 MiB", n)
	}
}

func TestEchoDoesNotAllocate(t *testing.T) {
	p := newPair(t, nil)
	msg := make([]byte, 100)
	for range 50 {
		p.echo(msg)
	}
	if n := testing.AllocsPerRun(100, func() { p.echo(msg) }); n > 0 {
		t.Errorf("%v allocations for a message and its answer", n)
	}
}

func TestIdleIsSmall(t *testing.T) {
	p := newPair(t, nil)
	b := wire.NewBuf(make([]byte, 1<<20), nil)
	p.bulk(b)
	p.echo([]byte("hello"))
	for _, c := range []*Conn{p.a, p.b} {
		if c.recvq.pack != nil || c.sendq.blocks.len() > 0 || c.recvq.ready.len() > 0 || c.flight.legs.len() > 0 {
			t.Error("an idle connection holds a block")
		}
		if n := cap(c.sendq.blocks.s) + cap(c.recvq.ready.s) + cap(c.recvq.late.s) + cap(c.flight.legs.s); n > 4*fifoKeep {
			t.Errorf("an idle connection keeps %d places in its queues", n)
		}
	}
	if size := int(unsafe.Sizeof(Conn{})); size > 1280 { // a size class of the allocator
		t.Errorf("a Conn is %d bytes", size)
	}
}

func BenchmarkBulk(b *testing.B) {
	p := newPair(b, nil)
	buf := wire.NewBuf(make([]byte, 1<<20), nil)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		p.bulk(buf)
	}
}

func BenchmarkEcho(b *testing.B) {
	p := newPair(b, nil)
	msg := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		p.echo(msg)
	}
}
