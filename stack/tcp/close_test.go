package tcp

import (
	"testing"
	"time"

	"slashnet/wire"
)

// Closing, RFC 9293 §3.6: what the scripts in testdata cannot say. A test with the
// name of a row of test/requirements proves that row.

func TestRFC9293_SHLD_2(t *testing.T) { played(t, "rfc9293_SHLD_2") }

func TestRFC9293_MAY_1(t *testing.T) { played(t, "rfc9293_MAY_1") }

func TestRFC9293_SHLD_3(t *testing.T) { played(t, "rfc9293_SHLD_3") }

func TestRFC9293_MUST_13(t *testing.T) {
	played(t, "rfc9293_MUST_13")

	// The same when only the record of it is left.
	s := inState(t, TimeWaiting)
	tw := s.c.TimeWait(s.now)
	s.now += 30 * time.Second
	reply, send, _ := s.late(&tw, "F. 1 ack 2")
	if !send || reply.Seq != s.iss+2 || reply.Ack != s.irs+2 || reply.Flags != wire.ACK {
		t.Errorf("a FIN is answered by %+v", reply)
	}
	if tw.Deadline() != s.now+s.cfg.TimeWait {
		t.Errorf("2 MSL end at %v, want %v from now", tw.Deadline(), s.cfg.TimeWait)
	}
}

// late gives a segment to the record of a connection in TIME-WAIT.
func (s *script) late(tw *TimeWait, text string) (reply wire.TCPHeader, send, reopen bool) {
	h, n := s.parse(text)
	absolute(&h, s.irs, s.iss)
	return tw.Input(s.now, &h, n)
}

func TestRFC9293_MAY_2(t *testing.T) {
	s := inState(t, TimeWaiting)
	tw := s.c.TimeWait(s.now)
	if _, send, reopen := s.late(&tw, "S 2"); !send || reopen {
		t.Error("an old SYN opens a new connection, or gets no answer")
	}
	if _, _, reopen := s.late(&tw, "S 3"); !reopen {
		t.Error("a new SYN does not open")
	}
	if _, _, reopen := s.late(&tw, "S. 3 ack 2"); reopen {
		t.Error("an answer to a SYN opens")
	}
	if next := tw.Next(); !(s.iss + 2).Less(next) {
		t.Errorf("the new connection may begin at %d of the old one", next-s.iss)
	}
}

// RFC 6191 §2
func TestRFC9293_SHLD_4(t *testing.T) {
	s := inState(t, TimeWaiting)
	tw := s.c.TimeWait(s.now)
	tw.tsOK, tw.tsRecent = true, 1000
	for _, tc := range []struct {
		seq    string
		val    uint32
		reopen bool
	}{
		{"S 3", 999, false}, {"S 3", 1000, true}, {"S 3", 1001, true}, {"S -100", 1000, false}, {"S -100", 1001, true},
	} {
		h, _ := s.parse(tc.seq)
		absolute(&h, s.irs, s.iss)
		h.Options.HasTimestamps, h.Options.TSVal = true, tc.val
		if _, _, reopen := tw.Input(s.now, &h, 0); reopen != tc.reopen {
			t.Errorf("%s with timestamp %d opens: %v", tc.seq, tc.val, reopen)
		}
	}
}

// RFC 1337 §3
func TestRFC1337_RST(t *testing.T) {
	s := inState(t, TimeWaiting)
	tw := s.c.TimeWait(s.now)
	if _, send, reopen := s.late(&tw, "R 2"); send || reopen {
		t.Error("a reset was heard")
	}
	if _, send, _ := s.late(&tw, ". 2 ack 2"); send {
		t.Error("the last ACK was answered")
	}
	s.inject("R 2")
	s.state(TimeWaiting)
}
