package tcp

import (
	"fmt"
	"testing"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// Windows: shut, shrinking, silly; RFC 9293 §3.8.6. A test with the name of a
// row of test/requirements proves that row.

func TestRFC9293_MUST_1(t *testing.T) {
	for _, win := range []int{32767, 32768, 40000, 65535} {
		s := active(t, func(c *Config) { c.InitCwnd = 100 })
		s.inject(fmt.Sprintf(". 1 ack 1 win %d", win))
		s.write(100000)
		sent := s.flood()
		if sent > win || sent <= win-1460 {
			t.Errorf("%d bytes were sent into a window of %d", sent, win)
		}
	}
}

// flood takes all that we send and returns how many bytes it was.
func (s *script) flood() (n int) {
	var seg Segment
	for s.c.Output(s.now, &seg) {
		n += seg.Len
		seg.Release()
	}
	return n
}

// A window of 1 GiB, the largest that there is, and numbers that wrap in it.
func TestRFC9293_REC_1(t *testing.T) {
	s := newScript(t, func(c *Config) { c.WScale, c.SndBuf, c.CC = true, maxWindow, "newreno" })
	s.c.Open(s.now, s.setup())
	s.expect("S 0", "Open")
	s.inject("S. 0 ack 1 win 65535 mss 65495 sackok ws 14")
	s.expect(". 1 ack 1", "handshake")
	s.inject(". 1 ack 1 win 65535")
	if want := 65535 << 14; s.c.Stats().SndWnd != want {
		t.Fatalf("the window is %d, want %d", s.c.Stats().SndWnd, want)
	}
	const lot = 64 << 20
	block := wire.NewBuf(make([]byte, lot), nil)
	s.c.cwnd = maxWindow // as after many round trips
	s.c.SetNoDelay(true)
	s.c.SetSendBuffer(maxWindow)
	for range 15 {
		s.c.WriteBuf(s.now, block.B, block)
	}
	sent := s.flood()
	if sent != 15*lot {
		t.Errorf("%d bytes were sent, want all of %d", sent, 15*lot)
	}
	h := wire.TCPHeader{Seq: s.irs + 1, Ack: s.iss + 1 + wire.Seq(sent), Flags: wire.ACK, Window: 65535}
	s.raw(&h, nil)
	if st := s.c.Stats(); st.InFlight != 0 || st.SndWnd != 65535<<14 {
		t.Errorf("after an acknowledgement of all %d are in flight, the window is %d", st.InFlight, st.SndWnd)
	}
}

func TestRFC9293_SHLD_14(t *testing.T) {
	s := active(t, func(c *Config) { c.RcvBuf = 10000 })
	s.inject(". 1:101 ack 1")
	s.advance(time.Second)
	s.expect(". 1 ack 101 win 9900", "the right edge is at 10001")
	s.c.SetReceiveBuffer(4096)
	s.inject(". 101:201 ack 1")
	s.advance(time.Second)
	s.expect(". 1 ack 201 win 9800", "the queue has shrunk, and the edge stays")
	s.inject(". 201:10001 ack 1")
	s.read(1, 10000, "all that was offered is taken")
}

// shrunk is a connection whose peer has taken its right edge back: 10000 bytes
// were sent, 2920 of them acknowledged, and the window is 1000.
func shrunk(t *testing.T) *script {
	s := active(t, nil)
	s.write(10000)
	s.expect("P. 1:10001 ack 1", "all of it")
	s.inject(". 1 ack 2921 win 1000")
	return s
}

func TestRFC9293_SHLD_15(t *testing.T) {
	s := shrunk(t)
	s.write(10000)
	s.expectIdle("the right edge is left of what was sent")
	s.inject(". 1 ack 3921 win 5000")
	s.expectIdle("and still is: no new data")
	for range 5 {
		s.until(s.deadline(), "timeout")
		for _, seg := range s.sent() {
			if edge := s.iss + 3921 + 5000; edge.Less(seg.H.Seq + wire.Seq(seg.Len)) {
				t.Fatalf("%s is beyond the edge", s.show(&seg))
			}
		}
	}
}

func TestRFC9293_SHLD_16(t *testing.T) {
	s := shrunk(t)
	s.until(s.deadline(), "timeout")
	s.expect(". 2921:3921 ack 1", "what is inside the window is sent again")
}

// The peer answers each retransmission, so it is alive: SHLD-17 forbids to take
// the data beyond its edge for lost.
func TestRFC9293_SHLD_17(t *testing.T) {
	s := shrunk(t)
	s.inject(". 1 ack 2921 win 0")
	for range 3 * s.cfg.Retries2 {
		s.until(s.deadline(), "probe")
		s.expect(". 2921:2922 ack 1", "probe")
		s.inject(". 1 ack 2921 win 0")
	}
	s.state(Established)
	if s.c.cwnd < 10000 {
		t.Error("a shut window is no congestion")
	}
}

func TestRFC9293_MUST_34(t *testing.T) {
	s := shrunk(t)
	s.c.SetNoDelay(true)
	s.write(1000)
	s.until(s.deadline(), "timeout")
	s.expect(". 2921:3921 ack 1", "what is inside")
	s.inject(". 1 ack 3921 win 0")
	s.expectIdle("what may be sent is less than nothing")
	s.until(s.deadline(), "probe")
	s.expect(". 3921:3922 ack 1", "probe")
	s.inject(". 1 ack 3921")
	s.expect(". 3921:3922 ack 1", "open again: the probe")
	s.inject(". 1 ack 3922")
	s.expect(". 3922:5382 ack 1", "and all else that was thrown away, in slow start")
	for int(s.c.una-s.iss) < 11001 {
		s.drain()
		h := wire.TCPHeader{Seq: s.irs + 1, Ack: s.c.una + 1000, Flags: wire.ACK, Window: 65535}
		if s.c.nxt.Less(h.Ack) {
			h.Ack = s.c.nxt
		}
		s.raw(&h, nil)
		s.advance(10 * time.Millisecond)
	}
	s.expectIdle("all 11000 bytes have arrived")
	s.state(Established)
}

// A peer may say that it has more than it said: RFC 9293 has no rule but MAY-7.
func TestRFC9293_MAY_7(t *testing.T) {
	s := shrunk(t)
	s.inject(". 1 ack 2921")
	s.until(s.deadline(), "timeout, or the probe before it")
	if n := s.flood(); n == 0 {
		t.Error("what was sent beyond the edge does not go again when it may")
	}
}

func TestRFC9293_MAY_8(t *testing.T) {
	s := active(t, func(c *Config) { c.RcvBuf = 4096 })
	s.inject(". 1:4097 ack 1")
	s.expect(". 1 ack 4097 win 0", "shut")
	for n := range 10 {
		s.advance(time.Hour)
		s.inject(". 4097:4098 ack 1")
		s.expect(". 1 ack 4097 win 0", "still shut")
		if s.c.Unread() != 4096 {
			t.Fatalf("a byte was taken after %d hours", n)
		}
	}
	s.read1(4096)
	s.expect(". 1 ack 4097 win 4096", "somebody reads")
}

// probed is a connection with 100 bytes to send whose peer has shut its window.
func probed(t *testing.T) *script {
	s := active(t, nil)
	s.inject(". 1 ack 1 win 0")
	s.write(100)
	s.expectIdle("the window is shut")
	return s
}

// The news that the window is open again was lost: the probe brings it.
func TestRFC9293_MUST_35(t *testing.T) {
	s := probed(t)
	s.advance(s.c.rtt.rto)
	s.expect(". 1:2 ack 1", "probe")
	s.inject(". 1 ack 2 win 1000")
	s.expect("P. 2:101 ack 1", "the rest")
	s.inject(". 1 ack 101 win 1000")
	s.advance(time.Hour)
	s.expectIdle("done")
}

func TestRFC9293_MUST_36(t *testing.T) {
	s := probed(t)
	s.advance(time.Minute)
	s.expect(". 1:2 ack 1", "one byte")
	s.expectIdle("and no more")
	if s.cfg.Counters.WindowProbes == 0 {
		t.Error("it is not counted")
	}
}

func TestRFC9293_SHLD_29(t *testing.T) {
	s := probed(t)
	s.until(s.c.rtt.rto, "first probe after one retransmission timeout")
	s.expect(". 1:2 ack 1", "one byte")
}

func TestRFC9293_SHLD_30(t *testing.T) {
	s := probed(t)
	rto := s.c.rtt.rto
	for range 20 {
		s.until(rto, "the interval doubles")
		s.expect(". 1:2 ack 1", "the byte again")
		s.inject(". 1 ack 1 win 0")
		rto = min(2*rto, s.cfg.RTOMax)
	}
}

func TestRFC9293_MUST_37(t *testing.T) {
	s := probed(t)
	for begin := s.now; s.now-begin < 24*time.Hour; {
		s.until(s.deadline(), "probe")
		s.expect(". 1:2 ack 1", "the byte again")
		s.inject(". 1 ack 1 win 0")
	}
	s.state(Established)
	if s.c.cwnd < 14600 {
		t.Error("a shut window is no congestion")
	}
	s.inject(". 1 ack 1 win 1000")
	s.expect(". 1:2 ack 1", "open: the byte that was not taken")
	s.expect("P. 2:101 ack 1", "and the rest")
}

func TestZeroWindowByteTaken(t *testing.T) {
	s := probed(t)
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

// Once nobody is there any more the answers to probes do not keep a connection: who
// does not read must not hold our memory for ever.
func TestZeroWindowClosed(t *testing.T) {
	s := active(t, func(c *Config) { c.Retries2 = 5 })
	s.inject(". 1 ack 1 win 0")
	s.write(100)
	s.expectIdle("shut")
	s.c.Close(s.now)
	for range 6 {
		s.until(s.deadline(), "probe")
		s.expect(". 1:2 ack 1", "probe")
		s.inject(". 1 ack 1 win 0")
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

// With our window shut, what carries no data still counts.
func TestRFC9293_MUST_66(t *testing.T) {
	shut := func() *script {
		s := active(t, func(c *Config) { c.RcvBuf = 4096 })
		s.inject(". 1:4097 ack 1")
		s.expect(". 1 ack 4097 win 0", "shut")
		return s
	}
	s := shut()
	s.inject("U. 4097 ack 1 urg 9")
	if got := s.c.Stats().Urgent; got != 4096+9 {
		t.Errorf("%d bytes up to the urgent pointer, want %d", got, 4096+9)
	}
	s.inject("R 4097")
	s.died(neterr.Reset)

	s = shut()
	s.write(100)
	s.expect("P. 1:101 ack 4097", "data")
	s.inject(". 4097:4098 ack 101")
	s.expect(". 101 ack 4097 win 0", "a probe is answered")
	if s.c.una != s.iss+101 {
		t.Error("the ACK was not taken")
	}
}

func TestRFC9293_MUST_38(t *testing.T) {
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

func TestRFC9293_MUST_39(t *testing.T) {
	s := active(t, func(c *Config) { c.RcvBuf = 10000 })
	s.inject(". 1:5001 ack 1")
	s.expect(". 1 ack 5001 win 5000", "half is left")
	s.inject(". 5001:10001 ack 1")
	s.expect(". 1 ack 10001 win 0", "shut")
	s.read1(1000)
	s.expectIdle("1000 bytes are not offered")
	s.inject(". 10001:10002 ack 1")
	s.expect(". 1 ack 10001 win 0", "not even if asked")
	s.read1(600)
	s.expect(". 1 ack 10001 win 1492", "a segment is; memory beside the bytes counts")
	s.c.SetReceiveBuffer(4096)
	s.read1(10000)
	s.expect(". 1 ack 10001 win 4096", "all of a smaller queue")
	s.c.SetReceiveBuffer(0)
	s.expect(". 1 ack 10001 win 10000", "and of the old one")
}

// A window that the header cannot say is not offered again and again.
func TestWidestWindowIsOfferedOnce(t *testing.T) {
	s := active(t, func(c *Config) { c.RcvBuf = 256 << 10 })
	s.inject("P. 1:5 ack 1")
	s.advance(s.cfg.DelAck)
	s.expect(". 1 ack 5 win 65535", "all that can be said without window scale")
	s.read(1, 4, "the data")
	s.expectIdle("there is nothing new to say")
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
