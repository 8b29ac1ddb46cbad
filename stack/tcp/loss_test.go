package tcp

import (
	"strconv"
	"testing"
	"time"

	"slashnet/wire"
)

// Loss and congestion.

// bulk is an established connection with ten full segments in flight, each sent
// alone, a millisecond apart, and much more queued. The round trip is 10 ms.
func inFlight(t *testing.T, cfg func(*Config)) *script {
	s := active(t, cfg)
	for i := range 10 {
		s.write(1460)
		s.expect([]string{
			". 1:1461 ack 1", ". 1461:2921 ack 1", ". 2921:4381 ack 1", ". 4381:5841 ack 1", ". 5841:7301 ack 1",
			". 7301:8761 ack 1", ". 8761:10221 ack 1", ". 10221:11681 ack 1", ". 11681:13141 ack 1", ". 13141:14601 ack 1",
		}[i], "slow start")
		s.now += time.Millisecond
	}
	s.write(100000)
	s.expectIdle("the window is full")
	return s
}

func noSACK(c *Config) { c.SACK = false }
func newRenoCC(c *Config) {
	c.CC = "newreno"
}

func TestRFC6298_LOST_SYN(t *testing.T) {
	s := newScript(t, nil)
	s.c.Open(s.now, s.setup())
	s.expect("S 0", "Open")
	s.until(time.Second, "RFC 6298 §2.1")
	s.expect("S 0", "again")
	s.inject("S. 0 ack 1 mss 1460 sackok")
	s.write(10000)
	s.expect(". 1:1461 ack 1", "RFC 5681 §3.1: one segment")
	s.expectIdle("one")
	if s.c.rtt.rto != 3*time.Second {
		t.Errorf("RTO %v, RFC 6298 §5.7 wants 3 s", s.c.rtt.rto)
	}
}

func TestUnusedWindowDoesNotGrow(t *testing.T) {
	s := active(t, nil)
	for i := range 50 {
		s.write(100)
		s.drain()
		s.inject(". 1 ack " + strconv.Itoa(101+100*i))
	}
	if s.c.cwnd != 14600 {
		t.Errorf("cwnd %d after 50 small messages", s.c.cwnd)
	}
}

// RFC 3042: new data for the first duplicates; RFC 6582 after the third.
func TestRFC6582_NEWRENO(t *testing.T) {
	s := inFlight(t, func(c *Config) { noSACK(c); newRenoCC(c) })
	s.inject(". 1 ack 1")
	s.expect(". 14601:16061 ack 1", "limited transmit")
	s.inject(". 1 ack 1")
	s.expect(". 16061:17521 ack 1", "limited transmit")
	s.expectIdle("two duplicates are not three")
	s.inject(". 1 ack 1")
	s.expect(". 1:1461 ack 1", "fast retransmit")
	if s.c.phase != recovery || s.c.ssthresh != 7300 {
		t.Errorf("phase %v ssthresh %d, want recovery and half of the window", s.c.phase, s.c.ssthresh)
	}
	for range 8 {
		s.inject(". 1 ack 1")
	}
	s.drain()
	s.inject(". 1 ack 4381")
	s.expect(". 4381:5841 ack 1", "a partial ACK: the next hole")
	s.drain()
	s.inject(". 1 ack 17521")
	if s.c.phase != open || s.c.cwnd > 7300+1460 {
		t.Errorf("phase %v, cwnd %d after recovery", s.c.phase, s.c.cwnd)
	}
	if s.cfg.Counters.FastRecovery != 1 || s.cfg.Counters.RetransTimeouts != 0 {
		t.Errorf("%+v", s.cfg.Counters)
	}
}

func TestRFC5681_DUPLICATE(t *testing.T) {
	s := inFlight(t, noSACK)
	for i := range 10 {
		s.inject(". 1 ack 1 win " + strconv.Itoa(60000+i))
	}
	s.expectIdle("window updates are no duplicates")
	for i := range 10 {
		s.inject(". " + strconv.Itoa(1+i) + ":" + strconv.Itoa(2+i) + " ack 1 win 60009")
	}
	s.expectIdle("segments with data are no duplicates")
}

func TestRFC6675_RECOVERY(t *testing.T) {
	s := inFlight(t, nil)
	s.advance(time.Millisecond)
	s.inject(". 1 ack 1 sack 1461-2921")
	s.expect(". 14601:16061 ack 1", "limited transmit")
	s.inject(". 1 ack 1 sack 1461-4381")
	s.expect(". 16061:17521 ack 1", "limited transmit")
	s.inject(". 1 ack 1 sack 1461-5841")
	s.expect(". 1:1461 ack 1", "three segments beyond it have arrived")
	s.inject(". 1 ack 1 sack 8761-10221,1461-5841")
	s.inject(". 1 ack 1 sack 8761-11681,1461-5841")
	s.expect(". 5841:7301 ack 1", "the next hole")
	s.inject(". 1 ack 1 sack 8761-14601,1461-5841")
	s.expect(". 7301:8761 ack 1", "and the last")
	if s.c.cwnd > 14600 || s.c.ssthresh != 10220 {
		t.Errorf("cwnd %d ssthresh %d, want 0.7 of what was in flight (RFC 9438)", s.c.cwnd, s.c.ssthresh)
	}
	s.drain()
	s.advance(10 * time.Millisecond)
	s.inject(". 1 ack 17521")
	if s.c.phase != open || s.c.cwnd < s.c.ssthresh || s.c.cwnd > s.c.ssthresh+s.c.mss || s.c.flight.sacked != 0 {
		t.Errorf("after recovery: %+v", s.c.Stats())
	}
}

// RFC 8985: a retransmission that is lost again is found without the timer.
func TestRFC8985_LOST_RETRANSMISSION(t *testing.T) {
	s := inFlight(t, nil)
	s.advance(time.Millisecond)
	s.inject(". 1 ack 1 sack 1461-5841")
	s.expect(". 1:1461 ack 1", "fast retransmit")
	s.advance(12 * time.Millisecond)
	s.inject(". 1 ack 1 sack 1461-14601")
	s.drain()
	s.advance(12 * time.Millisecond)
	before := s.cfg.Counters.RetransTimeouts
	s.inject(". 1 ack 1 sack 1461-16061")
	s.advance(5 * time.Millisecond)
	s.expect(". 1:1461 ack 1", "what was sent after it has arrived")
	if s.cfg.Counters.RetransTimeouts != before {
		t.Error("it took a timeout")
	}
}

func TestRFC8985_REORDERING(t *testing.T) {
	s := active(t, nil)
	s.write(14600)
	s.expect("P. 1:14601 ack 1", "ten segments at once")
	s.advance(10 * time.Millisecond)
	s.inject(". 1 ack 1 sack 1461-2921")
	s.expectIdle("one segment out of order is no loss")
	s.inject(". 1 ack 2921")
	if !s.c.rack.reordered {
		t.Error("reordering was not seen")
	}
	s.inject(". 1 ack 2921 sack 4381-14601")
	s.expectIdle("now there is a reordering window")
	s.until(10*time.Millisecond/4, "of a quarter of the round trip")
	s.expect(". 2921:4381 ack 1", "which ends")
}

func TestRFC2018_BAD(t *testing.T) {
	s := inFlight(t, nil)
	for _, b := range []string{"2921-1461", "1461-1461", "14601-16061", "13141-16061", "-5000-90000"} {
		s.inject(". 1 ack 1 sack " + b)
	}
	s.expectIdle("blocks that cannot be")
	if s.c.flight.sacked != 0 {
		t.Errorf("%d bytes were believed", s.c.flight.sacked)
	}
}

// The peer may drop what it has SACKed: RFC 2018 §8.
func TestRFC2018_RENEGING(t *testing.T) {
	s := inFlight(t, nil)
	s.inject(". 1 ack 1 sack 1461-14601")
	s.drain()
	s.until(s.deadline(), "timeout")
	s.drain()
	if s.c.phase != backOff || s.c.flight.sacked != 0 {
		t.Fatalf("after a timeout: %+v", s.c.Stats())
	}
	s.advance(time.Millisecond)
	s.inject(". 1 ack 1461")
	s.expect(". 1461:4381 ack 1", "all goes again")
	s.inject(". 1 ack 4381 sack 5841-14601")
	s.expect(". 4381:5841 ack 1", "but what is SACKed again does not")
}

func (s *script) deadline() time.Duration {
	at, _ := s.c.Deadline()
	return at - s.now
}

func TestRFC2883_REPORT(t *testing.T) {
	s := active(t, nil)
	s.inject("P. 1:101 ack 1")
	s.inject("P. 1:101 ack 1")
	s.expect(". 1 ack 101 sack 1-101", "RFC 2883: reported")
	s.inject(". 201:301 ack 1")
	s.expect(". 1 ack 101 sack 201-301", "once")
	s.inject(". 201:301 ack 1")
	s.expect(". 1 ack 101 sack 201-301,201-301", "a duplicate behind a hole, and the block it is in")
}

func TestRFC8985_TLP(t *testing.T) {
	s := active(t, nil)
	s.write(4380)
	s.expect("P. 1:4381 ack 1", "three segments")
	s.until(2*10*time.Millisecond+tailSlack, "RFC 8985 §7.2")
	s.expect("P. 2921:4381 ack 1", "the last one again")
	s.advance(10 * time.Millisecond)
	s.inject(". 1 ack 1 sack 2921-4381")
	s.advance(3 * time.Millisecond)
	s.expect(". 1:1461 ack 1", "and it tells of the others")
	s.inject(". 1 ack 1461 sack 2921-4381")
	s.expect(". 1461:2921 ack 1", "one by one, as they arrive")
	if s.cfg.Counters.RetransTimeouts != 0 {
		t.Error("it took a timeout")
	}
	s.inject(". 1 ack 4381")
}

func TestRFC8985_TLP_LOSS(t *testing.T) {
	for _, tc := range []struct {
		acks []string
		cwnd int
	}{
		{[]string{". 1 ack 4381 sack 2921-4381", ". 1 ack 5841"}, 14600},  // D-SACK: it was needless
		{[]string{". 1 ack 4381", ". 1 ack 4381", ". 1 ack 5841"}, 14600}, // a duplicate
		{[]string{". 1 ack 4381", ". 1 ack 5841"}, 10220},                 // it repaired a loss
	} {
		s := active(t, nil)
		s.write(4380)
		s.expect("P. 1:4381 ack 1", "three segments")
		s.until(s.deadline(), "probe")
		s.expect("P. 2921:4381 ack 1", "the last one again")
		s.write(1460)
		s.expect("P. 4381:5841 ack 1", "more")
		for _, a := range tc.acks {
			s.advance(time.Millisecond)
			s.inject(a)
		}
		if s.c.cwnd != tc.cwnd {
			t.Errorf("%v: cwnd %d, want %d", tc.acks, s.c.cwnd, tc.cwnd)
		}
	}
}

// RFC 3522, RFC 4015
func TestRFC3522_SPURIOUS(t *testing.T) {
	s := active(t, func(c *Config) { c.Timestamps = true })
	s.write(14480)
	s.expect("P. 1:14481 ack 1", "data")
	echo := s.last
	s.advance(time.Second)
	s.drain()
	if s.c.phase != backOff || s.c.cwnd != 1460 {
		t.Fatalf("after a timeout: %+v", s.c.Stats())
	}
	s.last = echo
	s.inject(". 1 ack 2897")
	if s.c.phase != open || s.c.cwnd < 14600 || s.c.flight.lost != 0 {
		t.Errorf("the first transmission has arrived, nothing was lost: %+v", s.c.Stats())
	}
	if s.cfg.Counters.SpuriousUndone != 1 {
		t.Error("not counted")
	}
}

func TestRFC5681_TIMEOUT(t *testing.T) {
	s := inFlight(t, nil)
	s.until(s.deadline(), "probe")
	s.drain()
	s.until(s.deadline(), "timeout")
	s.expect(". 1:1461 ack 1", "one segment")
	s.expectIdle("no more")
	if s.c.cwnd != 1460 || s.c.phase != backOff {
		t.Errorf("%+v", s.c.Stats())
	}
	s.inject(". 1 ack 1461")
	s.expect(". 16061:18981 ack 1", "slow start; RFC 5682 has new segments first")
	s.inject(". 1 ack 1461 sack 16061-18981")
	s.expect(". 1461:4381 ack 1", "and then the rest")
}

// One segment lost in a GSO frame is one segment to send again.
func TestSACKInsideGSO(t *testing.T) {
	s := active(t, func(c *Config) { c.InitCwnd = 40 })
	s.write(58400)
	s.expect("P. 1:58401 ack 1", "forty segments in one")
	s.advance(10 * time.Millisecond)
	s.inject(". 1 ack 14601 sack 16061-29201")
	s.expect(". 14601:16061 ack 1", "only the hole")
	s.expectIdle("the rest may be on its way")
	s.inject(". 1 ack 58401")
}

func TestLegsAreBounded(t *testing.T) {
	s := active(t, func(c *Config) { c.WScale = true; c.InitCwnd = 100 })
	s.inject(". 1 ack 1 win 65535")
	s.write(140000)
	s.drain()
	for i := range 20000 {
		s.inject(". 1 ack 1 sack " + strconv.Itoa(3+2*i) + "-" + strconv.Itoa(4+2*i))
	}
	if n := s.c.flight.legs.len(); n > maxLegs+4 {
		t.Errorf("%d legs", n)
	}
	s.inject(". 1 ack 140001")
	s.expectIdle("all is well")
}

// Late segments may not hold memory without bound.
func TestLateMemoryIsBounded(t *testing.T) {
	s := active(t, func(c *Config) { c.WScale = true })
	for i := range 100000 {
		h := wire.TCPHeader{Seq: s.irs + 3 + wire.Seq(2*i), Ack: s.iss + 1, Flags: wire.ACK, Window: 65535}
		buf := s.blocks.alloc(2048)
		s.c.Input(s.now, &h, buf.B[:1], buf)
		buf.Release()
	}
	if n := s.c.recvq.late.len(); n > maxLate {
		t.Errorf("%d late runs", n)
	}
	if s.cfg.Counters.OutOfOrderDrops == 0 {
		t.Error("drops are not counted")
	}
	if s.blocks.live > 10 {
		t.Errorf("%d blocks for %d bytes", s.blocks.live, s.c.recvq.behind)
	}
}
