package tcp

import "testing"

// lateFlight is ten segments whose acknowledgements are late: the timer expires,
// and the first goes again.
func lateFlight(t *testing.T) *script {
	s := inFlight(t, noSACK)
	s.until(s.deadline(), "the timer")
	s.expect(". 1:1461 ack 1", "the first segment again")
	s.expectIdle("one segment")
	if s.c.phase != backOff || s.c.cwnd != s.c.mss {
		t.Fatalf("phase %v, cwnd %d", s.c.phase, s.c.cwnd)
	}
	return s
}

// RFC 5682 §2.1: without timestamps, what was only late is found out, and nothing but
// the first segment has gone twice.
func TestRFC5682_SPURIOUS(t *testing.T) {
	s := lateFlight(t)
	s.inject(". 1 ack 1461")
	s.expect(". 14601:17521 ack 1", "step 2b: two new segments")
	s.expectIdle("the rest is not sent again yet")
	s.inject(". 1 ack 2921")
	if s.c.phase != open || s.c.cwnd < 14600 || s.c.flight.lost != 0 || s.cfg.Counters.SpuriousUndone != 1 {
		t.Errorf("step 3b: %+v", s.c.Stats())
	}
	s.drain()
	if s.cfg.Counters.RetransSegs != 1 {
		t.Errorf("%d segments were sent again", s.cfg.Counters.RetransSegs)
	}
}

// A loss is a loss: the new segments bring duplicates, and the rest goes again.
func TestRFC5682_LOSS(t *testing.T) {
	s := lateFlight(t)
	s.inject(". 1 ack 1461")
	s.expect(". 14601:17521 ack 1", "two new segments")
	s.inject(". 1 ack 1461")
	s.expect(". 1461:2921 ack 1", "step 3a: it was lost")
	if s.c.phase != backOff || s.cfg.Counters.SpuriousUndone != 0 {
		t.Errorf("%+v", s.c.Stats())
	}
	s = lateFlight(t)
	s.inject(". 1 ack 1")
	s.inject(". 1 ack 1461")
	s.expect(". 1461:4381 ack 1", "step 2a: a duplicate first ends it")
}
