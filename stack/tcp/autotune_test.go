package tcp

import (
	"testing"
	"time"

	"slashnet/wire"
)

// A path is a pair with a delay between its ends, and a reader of some rate.
type path struct {
	*pair
	delay time.Duration
	net   []parcel
}

type parcel struct {
	at  time.Duration
	to  *Conn
	h   wire.TCPHeader
	buf *wire.Buf
	n   int
}

func newPath(t *testing.T, delay time.Duration, cfg func(*Config)) *path {
	p := &path{pair: new(pair), delay: delay}
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
	p.now += delay
	p.b.Accept(p.now, s, &p.seg.H)
	p.step(time.Second, nil)
	if p.a.state != Established || p.b.state != Established {
		t.Fatalf("handshake ends in %v and %v", p.a.state, p.b.state)
	}
	return p
}

// send puts what c has to say on the path.
func (p *path) send(c, peer *Conn) {
	for c.Output(p.now, &p.seg) {
		buf := p.pool.get(p.seg.Len + 54)
		end := 54
		for i := range p.seg.Slices {
			end += copy(buf.B[end:], p.seg.Payload[i])
		}
		p.net = append(p.net, parcel{p.now + p.delay, peer, p.seg.H, buf, end})
		p.seg.Release()
	}
}

// step lets d pass; use is called after every event.
func (p *path) step(d time.Duration, use func()) {
	end := p.now + d
	for {
		if use != nil {
			use()
		}
		p.send(p.a, p.b)
		p.send(p.b, p.a)
		next := end
		if len(p.net) > 0 {
			next = min(next, p.net[0].at)
		}
		for _, c := range []*Conn{p.a, p.b} {
			if at, ok := c.Deadline(); ok {
				next = min(next, at)
			}
		}
		if next >= end {
			p.now = end
			return
		}
		p.now = max(p.now, next)
		for n := 0; n < 8 && len(p.net) > 0 && p.net[0].at <= p.now; n++ { // a batch, as of a TAP
			x := p.net[0]
			p.net = p.net[1:]
			x.to.Input(p.now, &x.h, x.buf.B[54:x.n], x.buf)
			x.buf.Release()
		}
		p.a.Tick(p.now)
		p.b.Tick(p.now)
	}
}

// flow has a's user write all that he may, and b's read all that came.
func (p *path) flow(b *wire.Buf) (use func(), got *int) {
	got = new(int)
	return func() {
		for p.a.WriteBuf(p.now, b.B, b) > 0 {
		}
		*got += p.read(p.b)
	}, got
}

func TestQueuesGrowWithThePath(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		name   string
		rtt    time.Duration
		limit  int // of the knobs
		flight int // that has to be reached
	}{
		{"64 MiB in flight at 100 ms", 100 * time.Millisecond, 128 * mib, 64 * mib},
		{"the defaults", 100 * time.Millisecond, 0, 5 * mib},
		{"a short path", 10 * time.Millisecond, 16 * mib, 12 * mib},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPath(t, tc.rtt/2, func(c *Config) {
				if tc.limit > 0 {
					c.RcvBuf, c.SndBuf = tc.limit, tc.limit
				}
			})
			use, got := p.flow(wire.NewBuf(make([]byte, 256<<10), nil))
			most := 0
			for range 30 {
				p.step(tc.rtt, use)
				most = max(most, p.a.Stats().InFlight)
			}
			if most < tc.flight {
				t.Errorf("%d bytes in flight, want %d; %d arrived\na %+v\nb %+v", most, tc.flight, *got, p.a.Stats(), p.b.Stats())
			}
			if limit := p.b.cfg.RcvBuf; p.b.rcvBuf() > limit || p.a.sndBuf() > limit {
				t.Errorf("queues of %d and %d bytes, the limit is %d", p.b.rcvBuf(), p.a.sndBuf(), limit)
			}
		})
	}
}

// A window of the size that the path needs is there when slow start needs it.
func TestGrowthDoesNotHoldSlowStart(t *testing.T) {
	arrived := func(fixed bool) int {
		p := newPath(t, 25*time.Millisecond, nil)
		if fixed {
			p.b.SetReceiveBuffer(6 << 20)
			p.a.SetSendBuffer(6 << 20)
			p.step(time.Second, nil)
		}
		use, got := p.flow(wire.NewBuf(make([]byte, 256<<10), nil))
		p.step(500*time.Millisecond, use)
		return *got
	}
	if got, want := arrived(false), arrived(true); got < want*95/100 {
		t.Errorf("%d bytes in ten round trips, %d with queues that were large from the start", got, want)
	}
}

func TestQueuesDoNotGrowInVain(t *testing.T) {
	t.Run("nobody reads", func(t *testing.T) {
		p := newPath(t, 10*time.Millisecond, nil)
		b := wire.NewBuf(make([]byte, 64<<10), nil)
		p.step(10*time.Second, func() {
			for p.a.WriteBuf(p.now, b.B, b) > 0 {
			}
		})
		if p.b.rcvBuf() != firstQueue || p.b.Unread() > 2*firstQueue {
			t.Errorf("the queue has grown to %d; %d are unread", p.b.rcvBuf(), p.b.Unread())
		}
		if q := p.a.sendq.len(); q > firstWrites+firstQueue {
			t.Errorf("%d bytes wait to be sent to nobody", q)
		}
	})
	t.Run("a slow sender", func(t *testing.T) {
		p := newPath(t, 10*time.Millisecond, nil)
		for range 200 { // 1 MB/s, 20 kB in a round trip
			p.a.Write(p.now, make([]byte, 10_000))
			p.step(10*time.Millisecond, func() { p.read(p.b) })
		}
		if p.b.rcvBuf() != firstQueue || p.a.sndBuf() != firstWrites {
			t.Errorf("queues of %d and %d bytes", p.b.rcvBuf(), p.a.sndBuf())
		}
	})
	t.Run("the user has chosen", func(t *testing.T) {
		p := newPath(t, 10*time.Millisecond, nil)
		p.b.SetReceiveBuffer(100_000)
		p.a.SetSendBuffer(200_000)
		use, _ := p.flow(wire.NewBuf(make([]byte, 64<<10), nil))
		p.step(2*time.Second, use)
		if p.b.rcvBuf() != 100_000 || p.a.sndBuf() != 200_000 {
			t.Errorf("queues of %d and %d bytes", p.b.rcvBuf(), p.a.sndBuf())
		}
	})
}
