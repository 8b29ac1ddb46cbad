package tcp

import (
	"testing"
	"time"

	"slashnet/stack/neterr"
)

// Opening, RFC 9293 §3.5. A test with the name of a row of test/requirements
// proves that row.

func TestRFC9293_MUST_10(t *testing.T) { played(t, "rfc9293_MUST_10") }

// A reset in SYN-RECEIVED: a passive end goes back to LISTEN, of an active one the
// user is told.
func TestRFC9293_MUST_11(t *testing.T) { played(t, "rfc9293_MUST_11") }

// silence lets every timeout pass and returns how often the same segment went
// again, and how long it took until the connection was given up.
func (s *script) silence(text string) (again int, took time.Duration) {
	s.t.Helper()
	begin, wait := s.now, s.cfg.RTOInit
	for {
		s.until(wait, "doubled each time")
		if s.c.State() == Closed {
			return again, s.now - begin
		}
		s.expect(text, "it goes again")
		s.expectIdle("once")
		again++
		wait = min(2*wait, s.cfg.RTOMax)
	}
}

func TestRFC9293_MUST_22(t *testing.T) {
	s := newScript(t, nil)
	s.c.Open(s.now, s.setup())
	s.expect("S 0", "Open")
	if again, _ := s.silence("S 0"); again != s.cfg.SynRetries {
		t.Errorf("the SYN went again %d times, want %d", again, s.cfg.SynRetries)
	}
	s.died(neterr.TimedOut)

	s = newScript(t, nil)
	s.accept("S 0 mss 1460")
	s.expect("S. 0 ack 1", "SYN")
	if again, _ := s.silence("S. 0 ack 1"); again != s.cfg.SynAckRetries {
		t.Errorf("our answer to a SYN went again %d times, want %d", again, s.cfg.SynAckRetries)
	}
	s.died(neterr.TimedOut)
}

func TestRFC9293_MUST_23(t *testing.T) {
	s := newScript(t, nil)
	s.c.Open(s.now, s.setup())
	s.expect("S 0", "Open")
	if _, took := s.silence("S 0"); took < 3*time.Minute {
		t.Errorf("it was given up after %v, want 3 minutes or more", took)
	}
}
