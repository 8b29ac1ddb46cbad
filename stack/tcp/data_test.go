package tcp

import (
	"testing"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// Data, acknowledgements and windows, with nothing lost.

func TestOptionsAreAgreed(t *testing.T) {
	for _, syn := range []string{"S 0 mss 1460", "S 0 mss 1460 sackok", "S 0 mss 1460 ws 3", "S 0 mss 1460 ts", "S 0 mss 1460 sackok ws 3 ts"} {
		s := newScript(t, func(c *Config) { c.Timestamps, c.WScale = true, true })
		s.accept(syn)
		var seg Segment
		s.c.Output(s.now, &seg)
		in, _ := s.parse(syn)
		o := seg.H.Options
		if o.SACKPermitted != in.Options.SACKPermitted || o.HasWScale != in.Options.HasWScale || o.HasTimestamps != in.Options.HasTimestamps {
			t.Errorf("%q is answered by %+v", syn, o)
		}
	}
}

func TestRFC7323_SCALE(t *testing.T) {
	s := active(t, func(c *Config) { c.WScale = true })
	if s.c.wnd != 65535 {
		t.Errorf("the window of a SYN is taken as %d", s.c.wnd)
	}
	s.inject(". 1 ack 1 win 1000")
	if s.c.wnd != 1000<<7 {
		t.Errorf("window 1000 with scale 7 is %d", s.c.wnd)
	}
	s.inject(". 1:11 ack 1")
	s.advance(time.Second)
	s.expect(". 1 ack 11 win 2048", "256 KiB less 10 bytes in units of 128, rounded up: the edge never moves left")
}

func TestRFC7323_SHIFT(t *testing.T) {
	s := newScript(t, func(c *Config) { c.WScale = true })
	s.c.Open(s.now, s.setup())
	s.expect("S 0 ws 7", "8 MiB can be said")
	s.inject("S. 0 ack 1 win 65535 mss 1460 ws 20")
	if s.c.shift != 14 {
		t.Errorf("shift %d, RFC 7323 §2.3 wants 14 at most", s.c.shift)
	}
}

func TestGSO(t *testing.T) {
	s := active(t, func(c *Config) { c.InitCwnd = 100 })
	b := wire.NewBuf(bytesAt(1, 100000), nil)
	if n := s.c.WriteBuf(s.now, b.B, b); n != 100000 {
		t.Fatalf("WriteBuf took %d", n)
	}
	s.expect(". 1:64241 ack 1", "44 segments in one, as large as a datagram")
	if s.last.MSS != 1460 {
		t.Errorf("MSS %d", s.last.MSS)
	}
	s.expectIdle("the window of 65535 is all but full")
	s.inject(". 1 ack 64241")
	s.expect("P. 64241:100001 ack 1", "the rest")
	s.inject(". 1 ack 100001")
}

func TestHoldBack(t *testing.T) {
	s := active(t, nil)
	s.c.rtt.srtt = time.Millisecond
	s.write(100000)
	s.expect(". 1:14601 ack 1", "the initial window")
	s.inject(". 1 ack 2921")
	s.expectIdle("room for 4 of 12 segments: wait for half of the window")
	s.inject(". 1 ack 5841")
	s.expect(". 14601:26281 ack 1", "8 segments, window 14: at least half")
}

func TestWriteLimits(t *testing.T) {
	s := active(t, nil)
	s.c.SetSendBuffer(10000)
	if n := s.c.Write(s.now, bytesAt(1, 20000)); n != 10000 {
		t.Fatalf("Write took %d of 20000 at a limit of 10000", n)
	}
	if n := s.c.Write(s.now, []byte{1}); n != 0 || s.c.Room() != 0 {
		t.Fatalf("Write took %d, room %d", n, s.c.Room())
	}
	s.expect("P. 1:10001 ack 1", "all")
	s.inject(". 1 ack 5001")
	if s.c.Room() != 5000 {
		t.Fatalf("room %d", s.c.Room())
	}
	b := wire.NewBuf(bytesAt(10001, 30000), nil)
	if n := s.c.WriteBuf(s.now, b.B, b); n != 30000 || s.c.Room() >= 0 {
		t.Fatalf("WriteBuf took %d, room %d", n, s.c.Room())
	}
	if n := s.c.WriteBuf(s.now, b.B, b); n != 0 {
		t.Fatalf("WriteBuf took %d over the limit", n)
	}
}

func TestWriteBufCopiesWhatWouldWaste(t *testing.T) {
	s := active(t, nil)
	s.c.SetSendBuffer(1 << 20)
	big := s.blocks.alloc(1 << 20)
	for i := range 10 {
		copy(big.B, bytesAt(1+8192*i, 8192))
		before := big.Shared()
		s.c.WriteBuf(s.now, big.B[:8192], big)
		if i > 2 && !before && big.Shared() {
			t.Error("many small pieces hold a large block each")
		}
		if s.c.sendq.waste > 2<<20 {
			t.Fatalf("waste is %d", s.c.sendq.waste)
		}
		big.Release()
		big = s.blocks.alloc(1 << 20)
	}
	big.Release()
	s.expect(". 1:14601 ack 1", "the bytes are right")
}

func TestUserTimeout(t *testing.T) {
	s := active(t, nil)
	s.c.SetUserTimeout(5 * time.Second)
	s.write(10)
	s.expect("P. 1:11 ack 1", "data")
	begin := s.now
	for s.c.State() != Closed {
		at, ok := s.c.Deadline()
		if !ok {
			t.Fatal("no timer")
		}
		s.until(at-s.now, "timeout")
		var seg Segment
		for s.c.Output(s.now, &seg) {
			seg.Release()
		}
	}
	s.died(neterr.TimedOut)
	if d := s.now - begin; d < 5*time.Second || d > 10*time.Second {
		t.Errorf("gave up after %v, want 5 s or a little more", d)
	}
}

// RFC 7323 §5
func TestRFC7323_PAWS(t *testing.T) {
	s := active(t, func(c *Config) { c.Timestamps = true })
	s.inject("P. 1:101 ack 1")
	s.ts -= 5000
	s.inject("P. 101:201 ack 1")
	s.expect(". 1 ack 101", "old timestamp: dropped and answered")
	if s.c.Unread() != 100 || s.cfg.Counters.PAWSDropped != 1 {
		t.Errorf("unread %d, dropped %d", s.c.Unread(), s.cfg.Counters.PAWSDropped)
	}
	h := wire.TCPHeader{Seq: s.irs + 101, Ack: s.iss + 1, Flags: wire.ACK, Window: 100}
	s.raw(&h, []byte("x"))
	s.expectIdle("no timestamp at all: dropped without a word")
	s.advance(25 * 24 * time.Hour)
	s.ts -= 25 * 24 * 3600 * 1000
	s.inject("P. 101:201 ack 1")
	if s.c.Unread() != 200 {
		t.Error("after 24 days any timestamp is good")
	}
	h = wire.TCPHeader{Seq: s.irs + 201, Flags: wire.RST}
	s.raw(&h, nil)
	s.died(neterr.Reset)
}

// An acknowledgement that was overtaken by newer ones does no harm, and is not
// answered.
func TestRFC7323_OVERTAKEN(t *testing.T) {
	s := active(t, func(c *Config) { c.Timestamps = true })
	s.c.SetQuickAck(true)
	s.write(5000)
	s.drain()
	s.inject("P. 1:101 ack 2001")
	s.expect(". 5001 ack 101", "at once")
	recent := s.c.tsRecent
	s.ts -= 50
	s.inject(". 101 ack 1001")
	s.inject(". 101 ack 2001")
	s.expectIdle("what was overtaken is not answered")
	s.inject(". 101 ack 2001 win 10")
	s.expect(". 5001 ack 101", "it would shut the window")
	s.ts -= 5000
	s.inject(". 101 ack 2001")
	s.expect(". 5001 ack 101", "that is older than any that is still on its way")
	if s.c.tsRecent != recent || s.cfg.Counters.PAWSDropped != 2 {
		t.Errorf("TS.Recent %d, was %d; %d dropped", s.c.tsRecent, recent, s.cfg.Counters.PAWSDropped)
	}
}

// RFC 7323 §5.3, R2 before R3: nobody outside may move the clock.
func TestRFC7323_POISON(t *testing.T) {
	s := active(t, func(c *Config) { c.Timestamps = true })
	recent := s.c.tsRecent
	s.ts = 1 << 30
	s.inject(". -999:1 ack 1")
	s.inject(". 1:2 ack 99")
	if s.c.tsRecent != recent {
		t.Error("a segment that was not acceptable has set TS.Recent")
	}
	s.ts = 0
	s.inject("P. 1:11 ack 1")
	s.read(1, 10, "the peer goes on")
}

func TestRFC7323_ECHO(t *testing.T) {
	s := active(t, func(c *Config) { c.Timestamps = true })
	s.ts = 100
	s.inject(". 101:201 ack 1")
	before := s.c.tsRecent
	s.expect(". 1 ack 1 sack 101-201", "a hole")
	if s.last.H.Options.TSEcr != before {
		t.Error("TS.Recent comes from a segment behind a hole")
	}
	s.ts = 50
	s.inject(". 1:101 ack 1")
	s.expect(". 1 ack 201", "filled")
	if want := 50 + uint32(s.now/timestampTick); s.last.H.Options.TSEcr != want {
		t.Errorf("TSecr %d, want %d", s.last.H.Options.TSEcr, want)
	}
}

func TestSetMTU(t *testing.T) {
	s := active(t, nil)
	s.write(4000)
	s.expect("P. 1:4001 ack 1", "data")
	cwnd := s.c.cwnd
	s.c.SetMTU(s.now, 50)
	s.expectIdle("below 68: a lie")
	s.c.SetMTU(s.now, 2000)
	s.expectIdle("not lower")
	s.c.SetMTU(s.now, 1040)
	s.expect("P. 1:4001 ack 1", "again at once")
	if s.last.MSS != 1000 {
		t.Errorf("in segments of %d", s.last.MSS)
	}
	if s.c.cwnd != cwnd || s.c.phase != open {
		t.Error("this is no congestion")
	}
	s.inject(". 1 ack 4001")
	s.c.SetMTU(s.now, 1500)
	s.write(1460)
	s.expect("P. 4001:5461 ack 1", "more data")
	if s.last.MSS != 1000 {
		t.Errorf("segments of %d: an ICMP message has raised the MTU", s.last.MSS)
	}
}

// A segment has room for so many blocks; the rest goes in the next one.
func TestManyBlocks(t *testing.T) {
	s := active(t, func(c *Config) { c.InitCwnd = 100 })
	for i := range 40 {
		b := s.blocks.alloc(500)
		copy(b.B, bytesAt(1+500*i, 500))
		s.c.WriteBuf(s.now, b.B, b)
		b.Release()
	}
	s.expect(". 1:7301 ack 1", "16 blocks of 500 hold five full segments")
	s.expect(". 7301:14601 ack 1", "again")
	s.expect("P. 14601:20001 ack 1", "the rest")
	s.inject(". 1 ack 20001")
}

func TestRFC5681_IDLE(t *testing.T) {
	s := active(t, nil)
	for i := range 4 {
		s.write(30000)
		s.drain()
		s.advance(time.Millisecond)
		s.inject(". 1 ack " + []string{"14601", "43801", "90001", "120001"}[i])
		s.drain()
		s.inject(". 1 ack " + []string{"30001", "60001", "90001", "120001"}[i])
	}
	if s.c.cwnd <= 20000 {
		t.Fatalf("cwnd %d has not grown", s.c.cwnd)
	}
	s.advance(time.Minute)
	s.write(100000)
	s.expect(". 120001:134601 ack 1", "after a pause it begins again, RFC 5681 §4.1")
}

func (s *script) drain() {
	var seg Segment
	for s.c.Output(s.now, &seg) {
		seg.Release()
	}
}
