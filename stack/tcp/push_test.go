package tcp

import (
	"fmt"
	"testing"
	"time"

	"slashnet/wire"
)

// What is written, and how it leaves: RFC 9293 §3.7.4 (Nagle) and §3.9.1.2
// (PUSH). A test with the name of a row of test/requirements proves that row.

func TestRFC9293_SHLD_7(t *testing.T) {
	s := active(t, nil)
	s.write(10)
	s.expect("P. 1:11 ack 1", "the first goes")
	s.write(10)
	s.expectIdle("one small segment is in flight")
	s.write(1460)
	s.expect(". 11:1471 ack 1", "a full one goes")
	s.expectIdle("the rest waits")
	s.inject(". 1 ack 11")
	s.expect("P. 1471:1481 ack 1", "the small one has been acknowledged")
}

func TestRFC9293_MUST_17(t *testing.T) {
	s := active(t, nil)
	s.write(10)
	s.expect("P. 1:11 ack 1", "the first goes")
	s.write(5)
	s.expectIdle("held by Nagle's algorithm")
	s.c.SetNoDelay(true)
	s.expect("P. 11:16 ack 1", "which is off now")
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

// What is written while a small segment is in flight leaves as one.
func TestRFC9293_MAY_16(t *testing.T) {
	s := active(t, nil)
	s.write(10)
	s.expect("P. 1:11 ack 1", "the first goes")
	for range 50 {
		s.write(10)
		s.expectIdle("gathered")
	}
	s.inject(". 1 ack 11")
	s.expect("P. 11:511 ack 1", "fifty writes, one segment")
}

func TestRFC9293_SHLD_27(t *testing.T) {
	s := active(t, nil)
	s.c.SetNoDelay(true)
	s.inject(". 1 ack 1 win 0")
	for range 20 {
		s.write(100)
		s.expectIdle("the window is shut")
	}
	s.inject(". 1 ack 1 win 10000")
	pushes, bytes := 0, 0
	for _, seg := range s.sent() {
		bytes += seg.Len
		if seg.H.Flags&wire.PSH != 0 {
			pushes++
		}
	}
	if bytes != 2000 || pushes != 1 {
		t.Errorf("%d bytes with %d pushes, want 2000 with one", bytes, pushes)
	}
}

func TestRFC9293_MUST_60(t *testing.T) {
	s := active(t, nil)
	s.write(1)
	s.expect("P. 1:2 ack 1", "nothing is outstanding: at once")
	s.write(1)
	s.inject(". 1 ack 2")
	s.expect("P. 2:3 ack 1", "as soon as nothing is")
	s.inject(". 1 ack 3")
	s.c.SetCork(true)
	s.write(1)
	s.expectIdle("the user wants it held")
	s.advance(s.c.rtt.rto)
	s.expect("P. 3:4 ack 1", "but not for ever")
}

func TestRFC9293_MUST_61(t *testing.T) {
	s := active(t, nil)
	s.write(100)
	s.expect("P. 1:101 ack 1", "one segment")
	s.inject(". 1 ack 101")
	s.write(20000)
	all := s.sent()
	s.inject(". 1 ack 14701")
	all = append(all, s.sent()...)
	for i, seg := range all {
		last := seg.H.Seq+wire.Seq(seg.Len) == s.c.sendq.end
		if push := seg.H.Flags&wire.PSH != 0; push != last || last != (i == len(all)-1) {
			t.Errorf("%s: PSH %v, the end of what is queued %v", s.show(&seg), push, last)
		}
	}
	s.until(s.deadline(), "the tail goes again")
	s.expect("P. 18641:20101 ack 1", "a retransmission of it, too")
}

// The reader gets what there is, pushed or not, and need not ask for exactly that.
func TestRFC9293_MAY_17(t *testing.T) {
	for _, flags := range []string{". ", "P. "} {
		s := active(t, nil)
		s.inject(flags + "1:11 ack 1")
		if n := s.c.Read(make([]byte, 4096)); n != 10 {
			t.Errorf("%sa read of 4096 bytes gets %d, want the 10 that have come", flags, n)
		}
	}
}

func TestRFC9293_SHLD_28(t *testing.T) {
	s := active(t, func(c *Config) { c.InitCwnd = 100 })
	const all = 200_000
	for range all / 100 {
		s.write(100)
	}
	for sent, acked := 0, 0; sent < all; {
		for _, seg := range s.sent() {
			if sent += seg.Len; seg.Len%seg.MSS != 0 && sent != all || seg.MSS != 1460 {
				t.Fatalf("%s: %d bytes in segments of %d, and more is queued", s.show(&seg), seg.Len, seg.MSS)
			}
		}
		acked = min(acked+2920, sent)
		s.inject(fmt.Sprintf(". 1 ack %d", 1+acked))
		s.advance(time.Millisecond)
	}
}
