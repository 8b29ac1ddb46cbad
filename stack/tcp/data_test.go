package tcp

import (
	"testing"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// Data, acknowledgements and windows, with nothing lost.

func TestMSS(t *testing.T) {
	for _, tc := range []struct {
		name         string
		mtu, ip, cap int
		syn          string
		own, send    int
	}{
		{"ethernet", 1500, 20, 0, "mss 1460", 1460, 1460},
		{"v6", 1500, 40, 0, "mss 1440", 1440, 1440},
		{"no option", 1500, 20, 0, "", 1460, 536},
		{"no option v6", 1500, 40, 0, "", 1440, 1220},
		{"small peer", 1500, 20, 0, "mss 1000", 1460, 1000},
		{"large peer", 1500, 20, 0, "mss 9000", 1460, 1460},
		{"user's limit", 1500, 20, 900, "mss 1460", 900, 900},
		{"loopback", 65536, 20, 0, "mss 65495", 65495, 65495},
		{"absurd", 1500, 20, 0, "mss 1", 1460, minMSS},
	} {
		s := newScript(t, nil)
		s.c.Open(s.now, Setup{ISS: s.iss, MTU: tc.mtu, IPHeader: tc.ip, MSS: tc.cap})
		s.expect("S 0", tc.name)
		if got := int(s.last.H.Options.MSS); got != tc.own {
			t.Errorf("%s: SYN says %d, want %d", tc.name, got, tc.own)
		}
		s.inject("S. 0 ack 1 " + tc.syn)
		s.expect(". 1 ack 1", tc.name)
		s.write(100000)
		var seg Segment
		s.c.Output(s.now, &seg)
		if seg.MSS != tc.send || seg.Len < tc.send {
			t.Errorf("%s: segments of %d, want %d", tc.name, seg.MSS, tc.send)
		}
		seg.Release()
	}
}

// rfc9293_MUST_16: options count.
func TestMSSLessOptions(t *testing.T) {
	s := active(t, func(c *Config) { c.Timestamps = true })
	s.write(5000)
	s.inject(". 101:201 ack 1")
	s.expect(". 1:5001 ack 1 sack 101-201", "12 bytes of timestamps and 12 of SACK")
	if s.last.MSS != 1460-12-12 {
		t.Errorf("MSS %d", s.last.MSS)
	}
}

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

func TestWindowScale(t *testing.T) {
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
	s.expect(". 1 ack 11 win 8192", "1 MiB less 10 bytes in units of 128, rounded up: the edge never moves left")
}

func TestWindowScaleIsBounded(t *testing.T) {
	s := newScript(t, func(c *Config) { c.WScale = true })
	s.c.Open(s.now, s.setup())
	s.expect("S 0 ws 7", "8 MiB can be said")
	s.inject("S. 0 ack 1 win 65535 mss 1460 ws 20")
	if s.c.shift != 14 {
		t.Errorf("shift %d, RFC 7323 §2.3 wants 14 at most", s.c.shift)
	}
}

func TestDelayedAck(t *testing.T) {
	s := active(t, nil)
	s.inject("P. 1:101 ack 1")
	s.expectIdle("an ACK may wait")
	s.until(40*time.Millisecond, "but not long")
	s.expect(". 1 ack 101", "delayed ACK")
	s.inject(". 101:1561 ack 1")
	s.inject(". 1561:3021 ack 1")
	s.expect(". 1 ack 3021", "every second full segment, rfc9293_SHLD_19")
	s.expectIdle("one for both")
	s.inject("P. 3021:3121 ack 1")
	s.write(10)
	s.expect("P. 1:11 ack 3121", "the ACK goes with data")
	s.inject(". 3121 ack 11")
	s.advance(time.Second)
	s.expectIdle("and not again")
}

// rfc9293_MUST_58: n segments, one ACK.
func TestOneAckPerBatch(t *testing.T) {
	s := active(t, nil)
	for i := range 8 {
		h := wire.TCPHeader{Seq: s.irs + 1 + wire.Seq(1460*i), Ack: s.iss + 1, Flags: wire.ACK, Window: 65535}
		s.raw(&h, bytesAt(1+1460*i, 1460))
	}
	s.expect(". 1 ack 11681", "one ACK for eight")
	s.expectIdle("one")
}

func TestQuickAck(t *testing.T) {
	s := active(t, func(c *Config) { c.QuickAck = 2 })
	s.inject("P. 1:11 ack 1")
	s.expect(". 1 ack 11", "first")
	s.inject("P. 11:21 ack 1")
	s.expect(". 1 ack 21", "second")
	s.inject("P. 21:31 ack 1")
	s.expectIdle("third")
	s.c.SetQuickAck(true)
	s.inject("P. 31:41 ack 1")
	s.expect(". 1 ack 41", "the user wants it")
}

func TestNagle(t *testing.T) {
	s := active(t, nil)
	s.write(10)
	s.expect("P. 1:11 ack 1", "the first goes")
	s.write(10)
	s.expectIdle("rfc9293_SHLD_7: one small segment in flight")
	s.write(1460)
	s.expect(". 11:1471 ack 1", "a full one goes")
	s.expectIdle("the rest waits")
	s.inject(". 1 ack 11")
	s.expect("P. 1471:1481 ack 1", "the small one has been acknowledged")
	s.write(5)
	s.expectIdle("held")
	s.c.SetNoDelay(true)
	s.expect("P. 1481:1486 ack 1", "rfc9293_MUST_17")
}

func TestFINOverridesNagle(t *testing.T) {
	s := active(t, nil)
	s.write(10)
	s.expect("P. 1:11 ack 1", "the first goes")
	s.write(10)
	s.c.CloseWrite(s.now)
	s.expect("FP. 11:21 ack 1", "nothing more will come")
}

func TestCork(t *testing.T) {
	s := active(t, nil)
	s.c.SetCork(true)
	s.write(1500)
	s.expect(". 1:1461 ack 1", "a full segment")
	s.inject(". 1 ack 1461")
	s.expectIdle("the rest is corked")
	s.c.SetCork(false)
	s.expect("P. 1461:1501 ack 1", "uncorked")
	s.inject(". 1 ack 1501")
	s.c.SetCork(true)
	s.write(10)
	s.expectIdle("corked")
	s.advance(time.Second)
	s.expect("P. 1501:1511 ack 1", "not for ever")
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

// rfc9293_MUST_36, SHLD_29, SHLD_30, MUST_37
func TestZeroWindow(t *testing.T) {
	s := active(t, nil)
	s.inject(". 1 ack 1 win 0")
	s.write(100)
	s.expectIdle("the window is shut")
	rto := s.c.rtt.rto
	s.until(rto, "first probe after one RTO")
	s.expect(". 1:2 ack 1", "one byte")
	for range 40 {
		rto = min(2*rto, s.cfg.RTOMax)
		s.inject(". 1 ack 1 win 0")
		s.expectIdle("shut")
		s.until(rto, "the interval doubles")
		s.expect(". 1:2 ack 1", "the byte again")
	}
	s.state(Established)
	if s.c.cwnd < 14600 {
		t.Error("a shut window is no congestion")
	}
	s.inject(". 1 ack 1 win 1000")
	s.expect(". 1:2 ack 1", "open: the byte that was not taken")
	s.expect("P. 2:101 ack 1", "and the rest")
	s.inject(". 1 ack 101 win 1000")
	s.advance(time.Hour)
	s.expectIdle("done")
}

func TestZeroWindowByteTaken(t *testing.T) {
	s := active(t, nil)
	s.inject(". 1 ack 1 win 0")
	s.write(100)
	s.expectIdle("shut")
	s.advance(time.Second)
	s.expect(". 1:2 ack 1", "probe")
	s.inject(". 1 ack 2 win 0")
	s.expectIdle("the byte was taken, still shut")
	s.inject(". 1 ack 2 win 500")
	s.expect("P. 2:101 ack 1", "open")
}

func TestZeroWindowSilentPeer(t *testing.T) {
	s := active(t, func(c *Config) { c.Retries2 = 5 })
	s.inject(". 1 ack 1 win 0")
	s.write(100)
	for range 6 {
		s.expectIdle("shut")
		at, _ := s.c.Deadline()
		s.until(at-s.now, "probe")
		s.expect(". 1:2 ack 1", "probe")
	}
	s.advance(time.Hour)
	s.died(neterr.TimedOut)
}

func TestZeroWindowFIN(t *testing.T) {
	s := active(t, nil)
	s.inject(". 1 ack 1 win 0")
	s.c.CloseWrite(s.now)
	s.expectIdle("no room for a FIN")
	s.advance(time.Second)
	s.expect("F. 1 ack 1", "the FIN is the probe")
	s.inject(". 1 ack 2 win 0")
	s.state(FinWait2)
}

// rfc9293_SHLD_15, SHLD_16, SHLD_17, MUST_34
func TestWindowShrinks(t *testing.T) {
	s := active(t, nil)
	s.write(10000)
	s.expect("P. 1:10001 ack 1", "all of it")
	s.inject(". 1 ack 2921 win 1000")
	s.write(1000)
	s.expectIdle("the right edge is left of what was sent")
	s.advance(s.c.rtt.rto)
	s.expect(". 2921:3921 ack 1", "what is inside is sent again")
	s.inject(". 1 ack 3921 win 0")
	for range 30 {
		s.expectIdle("shut")
		at, _ := s.c.Deadline()
		s.until(at-s.now, "probe")
		s.expect(". 3921:3922 ack 1", "probe")
		s.inject(". 1 ack 3921 win 0")
	}
	s.state(Established)
	s.inject(". 1 ack 3921")
	s.expect(". 3921:3922 ack 1", "the probe")
	s.inject(". 1 ack 3922")
	s.expect(". 3922:5382 ack 1", "and all else that was thrown away, in slow start")
}

// rfc9293_MUST_38
func TestSenderSillyWindow(t *testing.T) {
	s := active(t, nil)
	s.inject(". 1 ack 1 win 100")
	s.write(5000)
	s.expectIdle("100 bytes are not worth a segment")
	s.inject(". 1 ack 1 win 1400")
	s.expectIdle("nor are 1400: less than a segment, and the window has been larger")
	s.inject(". 1 ack 1 win 1500")
	s.expect(". 1:1461 ack 1", "a full segment")
	s.inject(". 1 ack 1461 win 100")
	s.expectIdle("silly again")
	s.advance(s.c.timeout())
	s.expect(". 1461:1561 ack 1", "the override timer sends what fits")
}

// rfc9293_MUST_39 and SHLD_14
func TestReceiverSillyWindow(t *testing.T) {
	s := active(t, func(c *Config) { c.RcvBuf = 10000 })
	s.inject(". 1:5001 ack 1")
	s.expect(". 1 ack 5001 win 5000", "half is left")
	s.inject(". 5001:10001 ack 1")
	s.expect(". 1 ack 10001 win 0", "shut")
	s.read1(100)
	s.expectIdle("100 bytes are not offered")
	s.inject(". 10001:10002 ack 1")
	s.expect(". 1 ack 10001 win 0", "not even if asked")
	s.read1(1500)
	s.expect(". 1 ack 10001 win 1492", "a segment is; memory beside the bytes counts")
	s.c.SetReceiveBuffer(4096)
	s.read1(10000)
	s.expect(". 1 ack 10001 win 4096", "all of a smaller queue")
	s.c.SetReceiveBuffer(0)
	s.expect(". 1 ack 10001 win 10000", "and of the old one")
	s.c.SetReceiveBuffer(4096)
	s.inject(". 10001:10101 ack 1")
	s.advance(time.Second)
	s.expect(". 1 ack 10101 win 9900", "the right edge stays where it was")
}

func (s *script) read1(n int) { s.c.Read(make([]byte, n)) }

func TestOutsideWindow(t *testing.T) {
	s := active(t, func(c *Config) { c.RcvBuf = 4096 })
	s.inject(". 4097:4200 ack 1")
	s.expect(". 1 ack 1 win 4096", "right of the window")
	s.inject(". -99:1 ack 1")
	s.expect(". 1 ack 1 win 4096 sack -99-1", "left of it: D-SACK")
	s.inject(". -99:51 ack 1")
	s.expectIdle("the new part is taken")
	s.read(1, 50, "new bytes only")
	s.inject(". 51:5051 ack 1")
	s.read(51, 4046, "up to the edge")
	if s.cfg.Counters.OutsideWindow != 1 || s.cfg.Counters.TrimmedBytes != 5051-4097 {
		t.Errorf("counted %d outside and %d bytes trimmed", s.cfg.Counters.OutsideWindow, s.cfg.Counters.TrimmedBytes)
	}
}

// An ACK in a segment that finds the window shut still counts.
func TestAckInZeroWindow(t *testing.T) {
	s := active(t, func(c *Config) { c.RcvBuf = 4096 })
	s.inject(". 1:4097 ack 1")
	s.expect(". 1 ack 4097 win 0", "shut")
	s.write(100)
	s.expect("P. 1:101 ack 4097", "data")
	s.inject(". 4097:4098 ack 101")
	s.expect(". 101 ack 4097 win 0", "a probe is answered")
	if s.c.una != s.iss+101 {
		t.Error("the ACK was not taken")
	}
	s.raw(&wire.TCPHeader{Seq: s.irs + 4097, Flags: wire.RST}, nil)
	s.died(neterr.Reset)
}

func TestUrgent(t *testing.T) {
	s := active(t, nil)
	s.inject("U. 1:101 ack 1 urg 50")
	if got := s.c.Stats().Urgent; got != 50 {
		t.Errorf("%d bytes up to the urgent pointer, want 50", got)
	}
	s.read(1, 100, "urgent data is data")
	if got := s.c.Stats().Urgent; got != 0 {
		t.Errorf("%d bytes left after reading", got)
	}
}

// rfc9293_MUST_24 to MUST_29, SHLD_12
func TestKeepAlive(t *testing.T) {
	s := active(t, nil)
	s.advance(10 * time.Hour)
	s.expectIdle("off by default")
	s.c.SetKeepAlive(s.now, true)
	s.advance(time.Hour)
	s.inject(". 1:2 ack 1")
	s.advance(time.Second)
	s.expect(". 1 ack 2", "traffic")
	s.advance(2*time.Hour - 2*time.Second)
	s.expectIdle("two hours from the last segment")
	s.advance(time.Second)
	s.expect(". 0 ack 2", "SND.NXT-1, no data")
	s.inject(". 2 ack 1")
	s.advance(2*time.Hour - time.Second)
	s.expectIdle("it answered")
	s.advance(time.Second)
	s.expect(". 0 ack 2", "again")
	for range 8 {
		s.until(75*time.Second, "no answer")
		s.expect(". 0 ack 2", "again")
	}
	s.until(75*time.Second, "nine in vain")
	s.died(neterr.TimedOut)
	s.expect("R. 1 ack 2", "in case it lives")
}

func TestKeepAliveSettings(t *testing.T) {
	s := active(t, nil)
	s.c.SetKeepAlive(s.now, true)
	s.c.SetKeepIdle(s.now, time.Minute)
	s.c.SetKeepIntvl(time.Second)
	s.c.SetKeepCount(2)
	s.advance(time.Minute)
	s.expect(". 0 ack 1", "probe")
	s.until(time.Second, "again")
	s.expect(". 0 ack 1", "probe")
	s.until(time.Second, "two in vain")
	s.died(neterr.TimedOut)

	s = active(t, nil)
	s.c.SetKeepAlive(s.now, true)
	s.write(10)
	s.drain()
	s.advance(3 * time.Hour)
	if s.c.State() == Established {
		t.Error("outstanding data is the retransmission timer's")
	}
	if s.cfg.Counters.KeepAlives != 0 {
		t.Error("a keep-alive with data outstanding, rfc9293_MUST_26")
	}
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
func TestPAWS(t *testing.T) {
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

// RFC 7323 §5.3, R2 before R3: nobody outside may move the clock.
func TestPAWSIsNotPoisoned(t *testing.T) {
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

func TestTimestampEcho(t *testing.T) {
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

func TestIdleRestart(t *testing.T) {
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
