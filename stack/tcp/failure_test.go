package tcp

import (
	"fmt"
	"testing"
	"time"

	"slashnet/stack/neterr"
)

// When nothing comes back: RFC 9293 §3.8.1 and §3.8.3, RFC 6298. A test with the
// name of a row of test/requirements proves that row.

func TestRFC9293_MUST_18(t *testing.T) {
	t.Run("RFC6298", func(t *testing.T) {
		cfg := DefaultConfig()
		var r rtt
		near := func(got, want time.Duration, what string) {
			t.Helper()
			if (got - want).Abs() > time.Microsecond {
				t.Errorf("%s is %v, want %v", what, got, want)
			}
		}
		r.sample(400*time.Millisecond, cfg)
		near(r.srtt, 400*time.Millisecond, "first SRTT")
		near(r.rttvar, 200*time.Millisecond, "first RTTVAR")
		near(r.rto, 1200*time.Millisecond, "first RTO")
		r.sample(600*time.Millisecond, cfg)
		near(r.rttvar, 200*time.Millisecond, "RTTVAR: 3/4 of 200 and 1/4 of 200")
		near(r.srtt, 425*time.Millisecond, "SRTT: 7/8 of 400 and 1/8 of 600")
		near(r.rto, 1225*time.Millisecond, "RTO")
		r.backOff(cfg)
		near(r.rto, 2450*time.Millisecond, "doubled")
		for range 20 {
			r.backOff(cfg)
		}
		near(r.rto, cfg.RTOMax, "ceiling")
		for range 100 {
			r.sample(time.Millisecond, cfg)
		}
		near(r.rto, cfg.RTOMin, "floor")
	})
	t.Run("Karn", func(t *testing.T) {
		s := active(t, nil)
		srtt := s.c.rtt.srtt
		s.write(100)
		s.expect("P. 1:101 ack 1", "data")
		s.until(s.c.rtt.rto, "timeout")
		s.expect("P. 1:101 ack 1", "again")
		s.advance(50 * time.Millisecond)
		s.inject(". 1 ack 101")
		if s.c.rtt.srtt != srtt || s.c.rtt.rto != 400*time.Millisecond {
			t.Errorf("SRTT %v RTO %v: a sample of what was sent twice, or the RTO did not stay doubled", s.c.rtt.srtt, s.c.rtt.rto)
		}
		s.write(100)
		s.expect("P. 101:201 ack 1", "data")
		s.advance(10 * time.Millisecond)
		s.inject(". 1 ack 201")
		if s.c.rtt.rto != 200*time.Millisecond {
			t.Errorf("RTO %v after a clean sample", s.c.rtt.rto)
		}
		if _, ok := s.c.Deadline(); ok {
			t.Error("a timer runs with nothing outstanding")
		}
	})
}

func TestRFC9293_MUST_19(t *testing.T) {
	t.Run("back-off", func(t *testing.T) {
		s := active(t, nil)
		s.write(100)
		s.expect("P. 1:101 ack 1", "data")
		rto := s.c.rtt.rto
		if rto != s.cfg.RTOMin {
			t.Errorf("RTO %v at a round trip of 10 ms, want the floor", rto)
		}
		for range s.cfg.Retries2 {
			s.until(rto, "timeout")
			s.expect("P. 1:101 ack 1", "again")
			s.expectIdle("once")
			rto = min(2*rto, s.cfg.RTOMax)
		}
	})
	t.Run("slow start", func(t *testing.T) {
		s := inFlight(t, nil)
		if s.c.cwnd != 14600 {
			t.Fatalf("initial window %d, RFC 6928", s.c.cwnd)
		}
		s.inject(". 1 ack 7301")
		if s.c.cwnd != 14600+7300 {
			t.Errorf("cwnd %d, want what was acknowledged more", s.c.cwnd)
		}
	})
	t.Run("congestion avoidance", func(t *testing.T) {
		s := inFlight(t, newRenoCC)
		s.c.ssthresh = s.c.cwnd
		for at := 1461; at <= 14601; at += 1460 {
			s.inject(fmt.Sprintf(". 1 ack %d", at))
			s.drain()
		}
		if s.c.cwnd != 14600+1460 {
			t.Errorf("cwnd %d after a round trip, want one segment more", s.c.cwnd)
		}
	})
	t.Run("loss", func(t *testing.T) {
		s := inFlight(t, newRenoCC)
		s.c.SetRetries(-1)
		s.until(s.deadline(), "probe")
		s.drain()
		s.until(s.deadline(), "timeout")
		s.expect(". 1:1461 ack 1", "one segment")
		s.expectIdle("no more")
		if s.c.cwnd != 1460 || s.c.ssthresh < 2*1460 || s.c.ssthresh > 16060/2 {
			t.Errorf("cwnd %d, ssthresh %d: want one segment, and half of what was in flight", s.c.cwnd, s.c.ssthresh)
		}
	})
}

// unheard is a connection whose data is lost for ever. It returns how often it
// went again and how long that took.
func (s *script) unheard() (again int, took time.Duration) {
	s.t.Helper()
	s.write(100)
	s.expect("P. 1:101 ack 1", "data")
	for begin := s.now; ; again++ {
		s.until(s.deadline(), "timeout")
		if s.c.State() == Closed {
			return again, s.now - begin
		}
		s.expect("P. 1:101 ack 1", "again")
	}
}

func TestRFC9293_MUST_21(t *testing.T) {
	for _, n := range []int{1, 4, 30} {
		s := active(t, nil)
		s.c.SetRetries(n)
		if again, _ := s.unheard(); again != n {
			t.Errorf("it was given up after %d retransmissions, want %d", again, n)
		}
		s.died(neterr.TimedOut)
	}
	s := active(t, nil)
	s.c.SetRetries(-1)
	s.write(100)
	for range 1000 {
		s.drain()
		s.until(s.deadline(), "timeout")
	}
	s.state(Established)
}

func TestRFC9293_SHLD_11(t *testing.T) {
	s := active(t, nil)
	if _, took := s.unheard(); took < 100*time.Second {
		t.Errorf("it was given up after %v, want 100 seconds or more", took)
	}
	s.died(neterr.TimedOut)
}
