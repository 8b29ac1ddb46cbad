package tcp

import (
	"testing"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// Closing, RFC 9293 §3.6. A test with the name of a row of test/requirements
// proves that row.

func TestRFC9293_SHLD_2(t *testing.T) {
	s := active(t, nil)
	s.inject("R 1:101")
	s.died(neterr.Reset)
	if s.c.Unread() != 0 {
		t.Error("what a reset carries is not for the user")
	}
}

// Close ends both directions: nothing can be written or read any more.
func TestRFC9293_MAY_1(t *testing.T) {
	s := active(t, nil)
	s.write(100)
	s.c.Close(s.now)
	s.expect("FP. 1:101 ack 1", "what was written before goes out")
	if s.c.Write(s.now, []byte("x")) != 0 || !s.c.EOF() {
		t.Error("it can still be used")
	}
	s.inject(". 1:101 ack 102")
	if s.c.Unread() != 0 {
		t.Error("there is something to read after Close")
	}
}

func TestRFC9293_SHLD_3(t *testing.T) {
	atOnce := func(c *Config) { c.CloseDrain = 0 }
	s := active(t, atOnce)
	s.inject(". 1:101 ack 1")
	s.c.Close(s.now)
	s.expect("R. 1 ack 101", "bytes that came are unread")
	s.state(Closed)

	s = active(t, atOnce)
	s.c.Close(s.now)
	s.expect("F. 1 ack 1", "nothing is unread")
	s.inject(". 1:101 ack 2")
	s.expect("R. 2 ack 1", "bytes come after")
	s.died(neterr.Hungup)

	// By default that is read and dropped for a while, so that the peer gets our
	// answer before it gets a reset: tree.md §4, a graceful end.
	s = active(t, nil)
	s.inject(". 1:101 ack 1")
	s.c.Close(s.now)
	s.expect("F. 1 ack 101", "unread bytes do not reset")
	s.inject(". 101:1101 ack 2")
	s.advance(time.Second)
	s.expect(". 2 ack 1101", "read and dropped")
	s.advance(s.cfg.CloseDrain)
	s.inject(". 1101:1201 ack 2")
	s.died(neterr.Hungup)
	s.expect("R. 2 ack 1101", "patience is over")
}

func TestRFC9293_MUST_13(t *testing.T) {
	s := inState(t, TimeWaiting)
	s.advance(30 * time.Second)
	s.inject("F. 1 ack 2")
	s.expect(". 2 ack 2", "the peer's FIN again: our ACK was lost")
	s.until(s.cfg.TimeWait, "2 MSL begin again")
	s.died(nil)

	// The same when only the record of it is left.
	s = inState(t, TimeWaiting)
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
