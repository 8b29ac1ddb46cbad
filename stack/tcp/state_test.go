package tcp

import (
	"testing"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// The state machine of RFC 9293 §3.3.2: each edge, and what resets do to it.

func TestHalfClose(t *testing.T) {
	s := active(t, nil)
	s.c.CloseWrite(s.now)
	s.expect("F. 1 ack 1", "CLOSE")
	s.inject(". 1 ack 2")
	for i := range 3 {
		s.advance(time.Hour)
		s.inject("P. " + []string{"1:101", "101:201", "201:301"}[i] + " ack 2")
		s.read(1+100*i, 100, "the other half is open as long as the peer likes")
		s.advance(time.Second)
		s.expect([]string{". 2 ack 101", ". 2 ack 201", ". 2 ack 301"}[i], "delayed ACK")
	}
	s.state(FinWait2)
	if n := s.c.Write(s.now, []byte("x")); n != 0 {
		t.Error("Write after CloseWrite took bytes")
	}
}

func TestClosedBeforeOpen(t *testing.T) {
	s := newScript(t, nil)
	s.c.Open(s.now, s.setup())
	s.write(10)
	s.c.Close(s.now)
	s.expect("S 0", "there is something to deliver")
	s.inject("S. 0 ack 1 mss 1460")
	s.state(FinWait1)
	s.expect("FP. 1:11 ack 1", "all in one segment")

	s = newScript(t, nil)
	s.c.Open(s.now, s.setup())
	s.expect("S 0", "Open")
	s.c.Close(s.now)
	s.died(nil)
}

// RFC 5961 §3
func TestRFC5961_RST(t *testing.T) {
	for _, state := range []State{Established, FinWait1, FinWait2, CloseWait, Closing, LastAck} {
		t.Run(state.String(), func(t *testing.T) {
			s := inState(t, state)
			rcv := int(s.c.rcvNxt - s.irs)
			reset := func(at int) {
				s.raw(&wire.TCPHeader{Seq: s.irs + wire.Seq(at), Flags: wire.RST}, nil)
			}
			reset(rcv - 1)
			s.expectIdle("left of the window")
			reset(rcv + 1<<20)
			s.expectIdle("right of the window")
			s.state(state)
			reset(rcv + 10)
			var seg Segment
			if !s.c.Output(s.now, &seg) || seg.H.Flags != wire.ACK || seg.H.Ack != s.c.rcvNxt {
				t.Fatal("no challenge ACK for a reset in the window")
			}
			s.state(state)
			reset(rcv)
			want := error(neterr.Reset)
			if state == Closing || state == LastAck {
				want = nil
			}
			s.died(want)
			s.expectIdle("a reset is not answered")
		})
	}
}

// RFC 5961 §4
func TestRFC5961_SYN(t *testing.T) {
	for _, state := range []State{Established, FinWait1, FinWait2, CloseWait, Closing, LastAck} {
		s := inState(t, state)
		s.raw(&wire.TCPHeader{Seq: s.c.rcvNxt, Flags: wire.SYN, Window: 100}, nil)
		var seg Segment
		if !s.c.Output(s.now, &seg) || seg.H.Flags != wire.ACK || seg.H.Seq != s.c.nxt {
			t.Errorf("%v: no challenge ACK for a SYN", state)
		}
		s.state(state)
	}
}

// inState is a connection in a state, with nothing left to say.
func inState(t *testing.T, want State) *script {
	switch want {
	case SynSent:
		s := newScript(t, nil)
		s.c.Open(s.now, s.setup())
		s.expect("S 0", "Open")
		return s
	case SynReceived:
		s := newScript(t, nil)
		s.accept("S 0 mss 1460")
		s.expect("S. 0 ack 1", "SYN")
		return s
	}
	s := active(t, nil)
	switch want {
	case FinWait1, FinWait2, Closing, TimeWaiting:
		s.c.CloseWrite(s.now)
		s.expect("F. 1 ack 1", "CLOSE")
		if want == FinWait2 || want == TimeWaiting {
			s.inject(". 1 ack 2")
		}
		if want == Closing {
			s.inject("F. 1 ack 1")
			s.expect(". 2 ack 2", "FIN")
		}
		if want == TimeWaiting {
			s.inject("F. 1 ack 2")
			s.expect(". 2 ack 2", "FIN")
		}
	case CloseWait, LastAck:
		s.inject("F. 1 ack 1")
		s.expect(". 1 ack 2", "FIN")
		if want == LastAck {
			s.c.CloseWrite(s.now)
			s.expect("F. 1 ack 2", "CLOSE")
		}
	}
	s.expectIdle("in " + want.String())
	s.state(want)
	return s
}

func TestRFC5961_LIMIT(t *testing.T) {
	s := active(t, nil)
	n := 0
	for range 100 {
		s.raw(&wire.TCPHeader{Seq: s.c.rcvNxt + 5, Flags: wire.RST}, nil)
		var seg Segment
		if s.c.Output(s.now, &seg) {
			n++
		}
	}
	if n != s.cfg.ChallengeLimit || s.cfg.Counters.ChallengeHeld != 90 {
		t.Errorf("%d challenge ACKs, %d held back, want %d and 90", n, s.cfg.Counters.ChallengeHeld, s.cfg.ChallengeLimit)
	}
	s.advance(challengePeriod)
	s.raw(&wire.TCPHeader{Seq: s.c.rcvNxt + 5, Flags: wire.RST}, nil)
	s.expect(". 1 ack 1", "a new period")
}

// RFC 5961 §5
func TestRFC9293_MAY_12(t *testing.T) {
	s := active(t, nil)
	s.write(100)
	s.expect("P. 1:101 ack 1", "data")
	s.inject(". 1:11 ack 102")
	s.expect(". 101 ack 1", "acknowledges what was not sent")
	s.inject(". 1:11 ack -65600")
	s.expect(". 101 ack 1", "older than the largest window ever")
	if s.c.Unread() != 0 {
		t.Error("the payload of a segment with a wrong ACK was taken")
	}
	s.inject(". 1:11 ack -65000")
	s.read(1, 10, "old but possible")
	if s.cfg.Counters.BadAck != 2 {
		t.Errorf("counted %d", s.cfg.Counters.BadAck)
	}
	s.inject("- 11:21")
	if s.c.Unread() != 0 {
		t.Error("a segment without ACK was taken")
	}
}

func TestSoftErrorIsTheReason(t *testing.T) {
	s := newScript(t, nil)
	s.c.Open(s.now, s.setup())
	s.expect("S 0", "Open")
	s.c.SoftError(neterr.HostUnreachable)
	s.advance(time.Hour)
	s.died(neterr.HostUnreachable)
}

func TestUnreachable(t *testing.T) {
	s := newScript(t, nil)
	s.c.Open(s.now, s.setup())
	s.c.Unreachable(s.now, neterr.PortUnreachable)
	s.died(neterr.PortUnreachable)
	s = active(t, nil)
	s.c.Unreachable(s.now, neterr.PortUnreachable)
	s.state(Established)
	if s.c.SoftErr() != neterr.PortUnreachable {
		t.Error("the error is not noted")
	}
	s.write(10)
	for seq, want := range map[wire.Seq]bool{0: false, 1: true, 11: false} {
		if s.c.Quoted(s.iss+seq) != want {
			t.Errorf("Quoted(%d) before sending is %v", seq, !want)
		}
	}
	s.expect("P. 1:11 ack 1", "data")
	if !s.c.Quoted(s.iss+11) || s.c.Quoted(s.iss+12) {
		t.Error("Quoted is not una..nxt")
	}
}

func TestAbort(t *testing.T) {
	s := active(t, nil)
	s.inject(". 1:101 ack 1")
	s.write(10)
	s.c.Abort(s.now)
	s.died(neterr.Aborted)
	s.expect("R. 1 ack 101", "RST at SND.NXT")
	s.expectIdle("nothing more")
	if s.c.Unread() != 0 {
		t.Error("unread bytes after Abort")
	}
}

func TestFinWait2Timeout(t *testing.T) {
	s := active(t, nil)
	s.c.Close(s.now)
	s.expect("F. 1 ack 1", "close")
	s.inject(". 1 ack 2")
	s.until(60*time.Second, "FIN-WAIT-2 with nobody there ends")
	s.died(nil)
}

func TestLinger(t *testing.T) {
	s := active(t, nil)
	s.c.SetLinger(0, true)
	s.c.Close(s.now)
	s.expect("R. 1 ack 1", "linger 0 resets")

	s = active(t, nil)
	s.c.SetLinger(3*time.Second, true)
	s.write(100)
	s.c.Close(s.now)
	s.expect("FP. 1:101 ack 1", "data, FIN")
	s.advance(3 * time.Second)
	s.died(neterr.TimedOut)
	s.expect("R. 102 ack 1", "the peer took too long")
}

func TestCloseRead(t *testing.T) {
	s := active(t, nil)
	s.inject(". 1:101 ack 1")
	s.c.CloseRead(s.now)
	s.inject(". 101:201 ack 1")
	if s.c.Unread() != 0 || !s.c.EOF() {
		t.Error("there is something to read after CloseRead")
	}
	s.advance(time.Second)
	s.expect(". 1 ack 201", "the peer does not notice")
}

func TestRefuseSegment(t *testing.T) {
	for _, tc := range []struct {
		in   wire.TCPHeader
		n    int
		want wire.TCPHeader
		send bool
	}{
		{in: wire.TCPHeader{Flags: wire.RST}},
		{in: wire.TCPHeader{Flags: wire.RST | wire.ACK, Ack: 5}},
		{in: wire.TCPHeader{Flags: wire.ACK, Ack: 5, Seq: 9}, want: wire.TCPHeader{Seq: 5, Flags: wire.RST}, send: true},
		{in: wire.TCPHeader{Flags: wire.SYN, Seq: 9}, want: wire.TCPHeader{Ack: 10, Flags: wire.RST | wire.ACK}, send: true},
		{in: wire.TCPHeader{Flags: wire.SYN | wire.FIN, Seq: 9}, n: 10, want: wire.TCPHeader{Ack: 21, Flags: wire.RST | wire.ACK}, send: true},
		{in: wire.TCPHeader{Seq: 9, SrcPort: 1, DstPort: 2}, want: wire.TCPHeader{SrcPort: 2, DstPort: 1, Ack: 9, Flags: wire.RST | wire.ACK}, send: true},
	} {
		got, send := RefuseSegment(&tc.in, tc.n)
		if send != tc.send || send && got != tc.want {
			t.Errorf("%+v: %+v %v, want %+v %v", tc.in, got, send, tc.want, tc.send)
		}
	}
}

func TestListenSegment(t *testing.T) {
	for _, tc := range []struct {
		flags        wire.TCPFlags
		accept, send bool
	}{
		{wire.SYN, true, false},
		{wire.SYN | wire.ACK, false, true},
		{wire.ACK, false, true},
		{wire.RST, false, false},
		{wire.SYN | wire.RST, false, false},
		{wire.FIN, false, false},
		{wire.SYN | wire.FIN, false, false},
		{0, false, false},
	} {
		accept, _, send := ListenSegment(&wire.TCPHeader{Flags: tc.flags}, 0)
		if accept != tc.accept || send != tc.send {
			t.Errorf("%v: accept %v send %v", tc.flags, accept, send)
		}
	}
}
