package tcp

import (
	"testing"
	"time"

	"slashnet/stack/neterr"
)

// Keep-alive, RFC 9293 §3.8.4. A test with the name of a row of
// test/requirements proves that row.

// kept is an established connection with keep-alives.
func kept(t *testing.T) *script {
	s := active(t, nil)
	s.c.SetKeepAlive(s.now, true)
	return s
}

func TestRFC9293_MAY_5(t *testing.T) {
	s := kept(t)
	s.advance(s.cfg.KeepIdle)
	s.expect(". 0 ack 1", "a keep-alive")
	if s.cfg.Counters.KeepAlives != 1 {
		t.Error("it is not counted")
	}
}

func TestRFC9293_MUST_24(t *testing.T) {
	s := kept(t)
	s.c.SetKeepAlive(s.now, false)
	s.advance(10 * time.Hour)
	s.expectIdle("off")
	s.c.SetKeepAlive(s.now, true)
	s.advance(s.cfg.KeepIdle)
	s.expect(". 0 ack 1", "on")
}

func TestRFC9293_MUST_25(t *testing.T) {
	s := active(t, nil)
	s.advance(1000 * time.Hour)
	s.expectIdle("off by default")
	s.state(Established)
}

func TestRFC9293_MUST_26(t *testing.T) {
	s := kept(t)
	s.advance(time.Hour)
	s.inject(". 1:2 ack 1")
	s.advance(time.Second)
	s.expect(". 1 ack 2", "traffic")
	s.advance(2*time.Hour - 2*time.Second)
	s.expectIdle("two hours count from the last segment")
	s.advance(time.Second)
	s.expect(". 0 ack 2", "nothing came")

	s = kept(t)
	s.c.SetKeepIdle(s.now, time.Second)
	s.write(10)
	for range 20 {
		s.advance(500 * time.Millisecond)
		s.drain()
	}
	if s.cfg.Counters.KeepAlives != 0 {
		t.Error("a keep-alive with data outstanding: that is the retransmission timer's")
	}
}

func TestRFC9293_MUST_27(t *testing.T) {
	s := kept(t)
	s.c.SetKeepIdle(s.now, time.Minute)
	s.c.SetKeepIntvl(time.Second)
	s.c.SetKeepCount(2)
	s.until(time.Minute, "the interval that was set")
	s.expect(". 0 ack 1", "probe")
	s.until(time.Second, "and the next")
	s.expect(". 0 ack 1", "probe")
	s.until(time.Second, "two in vain")
	s.died(neterr.TimedOut)
}

func TestRFC9293_MUST_28(t *testing.T) {
	if idle := DefaultConfig().KeepIdle; idle < 2*time.Hour {
		t.Errorf("%v of silence before the first keep-alive, want 2 hours or more", idle)
	}
	s := kept(t)
	s.advance(2*time.Hour - 1)
	s.expectIdle("before two hours")
}

func TestRFC9293_MUST_29(t *testing.T) {
	s := kept(t)
	s.advance(2 * time.Hour)
	s.expect(". 0 ack 1", "probe")
	s.until(75*time.Second, "no answer")
	s.expect(". 0 ack 1", "again")
	s.inject(". 1 ack 1")
	s.advance(2*time.Hour - time.Second)
	s.expectIdle("the second was answered: the peer lives")
	s.advance(time.Second)
	s.expect(". 0 ack 1", "and is asked again")
	for range 8 {
		s.until(75*time.Second, "no answer")
		s.expect(". 0 ack 1", "again")
	}
	s.state(Established)
	s.until(75*time.Second, "nine in vain")
	s.died(neterr.TimedOut)
	s.expect("R. 1 ack 1", "in case it lives")
}

func TestRFC9293_SHLD_12(t *testing.T) {
	s := kept(t)
	s.write(100)
	s.expect("P. 1:101 ack 1", "data")
	s.inject(". 1 ack 101")
	s.advance(2 * time.Hour)
	s.expect(". 100 ack 1", "SND.NXT-1 and no data, so that the peer answers")
}
