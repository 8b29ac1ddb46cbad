package tcp

import (
	"testing"
	"time"

	"slashnet/wire"
)

func ecnUse(use string) func(*Config) { return func(c *Config) { c.ECN = use } }

// RFC 3168 §6.1.1: who asks, who agrees, and who is not believed.
func TestRFC3168_SETUP(t *testing.T) {
	for _, tc := range []struct{ use, syn, answer string }{
		{ECNOff, "SEC", "S."}, {ECNPassive, "SEC", "S.E"}, {ECNOn, "SEC", "S.E"},
		{ECNOn, "S", "S."}, {ECNOn, "SE", "S."}, {ECNOn, "SC", "S."},
	} {
		s := newScript(t, ecnUse(tc.use))
		s.accept(tc.syn + " 0 win 65535 mss 1460")
		s.expect(tc.answer+" 0 ack 1", tc.use+" answers "+tc.syn)
		if s.c.ecn.ok != (tc.answer == "S.E") {
			t.Errorf("%s after %s: agreed %v", tc.use, tc.syn, s.c.ecn.ok)
		}
	}
	for _, tc := range []struct {
		use, syn, answer string
		ok               bool
	}{
		{ECNOff, "S", "S.E", false}, {ECNPassive, "S", "S.E", false}, {ECNOn, "SEC", "S.E", true},
		{ECNOn, "SEC", "S.", false}, {ECNOn, "SEC", "S.EC", false}, // reflected by somebody who does not know
	} {
		s := newScript(t, ecnUse(tc.use))
		s.c.Open(s.now, s.setup())
		s.expect(tc.syn+" 0", tc.use)
		s.inject(tc.answer + " 0 ack 1 win 65535 mss 1460")
		s.expect(". 1 ack 1", "no bits on the third segment")
		if s.c.ecn.ok != tc.ok {
			t.Errorf("%s, answered by %s: agreed %v", tc.use, tc.answer, s.c.ecn.ok)
		}
	}
}

// RFC 3168 §6.1.1.1: a SYN that brought no answer may have been dropped for its bits.
func TestRFC3168_FALLBACK(t *testing.T) {
	s := newScript(t, ecnUse(ECNOn))
	s.c.Open(s.now, s.setup())
	s.expect("SEC 0", "an ECN-setup SYN")
	s.until(time.Second, "RTO")
	s.expect("S 0", "without the bits")
	s = newScript(t, nil)
	s.accept("SEC 0 win 65535 mss 1460")
	s.expect("S.E 0 ack 1", "agreed")
	s.inject("S 0 win 65535 mss 1460")
	s.expect("S. 0 ack 1", "the peer has fallen back, so do we")
}

// withECN is an established connection that has agreed on it.
func withECN(t *testing.T) *script {
	s := newScript(t, ecnUse(ECNOn))
	s.c.Open(s.now, s.setup())
	s.expect("SEC 0", "Open")
	s.advance(10 * time.Millisecond)
	s.inject("S.E 0 ack 1 win 65535 mss 1460 sackok")
	s.expect(". 1 ack 1", "handshake")
	return s
}

// RFC 3168 §6.1.3: ECE from the first mark to the CWR.
func TestRFC3168_ECHO(t *testing.T) {
	s := withECN(t)
	s.inject("P. 1:101 ack 1")
	s.expectIdle("an ACK may wait")
	s.c.Marked()
	s.inject("P. 101:201 ack 1")
	s.expect(".E 1 ack 201", "a mark is told at once")
	s.inject("P. 201:301 ack 1")
	s.advance(time.Second)
	s.expect(".E 1 ack 301", "and again, until it was heard")
	s.inject("P.C 301:401 ack 1")
	s.advance(time.Second)
	s.expect(". 1 ack 401", "it was")
	s.c.Marked()
	s.inject("P.C 401:501 ack 1")
	s.expect(".E 1 ack 501", "a mark on the segment that says so counts")
	s.c.Marked()
	s.inject(". 99999:99999 ack 1")
	s.drain()
	s.inject("P.C 501:601 ack 1")
	s.advance(time.Second)
	s.expect(". 1 ack 601", "the mark of a segment outside of the window is not the next one's")
}

// The sender's half, RFC 3168 §6.1.2: one reduction in a round trip, and CWR on the
// next new data.
func TestRFC9293_SHLD_8(t *testing.T) {
	s := withECN(t)
	s.write(100_000)
	ect := func(want bool, why string) {
		t.Helper()
		if s.last.ECT != want {
			t.Errorf("at %v ECT is %v: %s", s.now, s.last.ECT, why)
		}
	}
	s.expect(". 1:14601 ack 1", "the initial window")
	ect(true, "new data")
	s.advance(10 * time.Millisecond)
	s.inject(".E 1 ack 1461")
	if cwnd := s.c.cwnd; cwnd != 10220 || s.c.ssthresh != cwnd {
		t.Errorf("cwnd %d ssthresh %d, want 0.7 of 14600", cwnd, s.c.ssthresh)
	}
	s.inject(".E 1 ack 2921")
	s.inject(".E 1 ack 11681")
	if s.cfg.Counters.ECNReductions != 1 {
		t.Errorf("%d reductions in one round trip", s.cfg.Counters.ECNReductions)
	}
	s.expect(".C 14601:16061 ack 1", "CWR, on one segment")
	ect(true, "new data")
	s.expect(". 16061:21901 ack 1", "and not on the next")
	s.inject(". 1 ack 14601")
	s.drain()
	s.inject(".E 1 ack 16061")
	if s.cfg.Counters.ECNReductions != 2 {
		t.Errorf("%d reductions in two round trips", s.cfg.Counters.ECNReductions)
	}
	s.drain()
	s.advance(time.Millisecond)
	s.inject(". 1 ack 16061 sack 17521-21901")
	s.expect(". 16061:17521 ack 1", "retransmission")
	ect(false, "it is never marked")
}

// A connection that has not agreed takes the bits for nothing.
func TestECNNotAgreed(t *testing.T) {
	s := active(t, nil)
	s.write(100_000)
	s.expect(". 1:14601 ack 1", "the initial window")
	if s.last.ECT {
		t.Error("markable")
	}
	s.inject(".E 1 ack 1461")
	s.c.Marked()
	s.inject("P.E 1:101 ack 14601")
	s.expect(". 14601:43801 ack 101", "no ECE, no CWR")
	if n := s.cfg.Counters; n.ECNReductions+n.CEMarks > 0 {
		t.Errorf("%d reductions for %d marks", n.ECNReductions, n.CEMarks)
	}
}

func TestCookieKeepsECN(t *testing.T) {
	b := baked{cfg: DefaultConfig(), setup: Setup{MTU: 1500, IPHeader: 20}, bakedAt: time.Hour}
	syn := wire.TCPHeader{Seq: scriptIRS, Flags: wire.SYN | ecnSetup, Window: 65535, Options: wire.TCPOptions{MSS: 1460, HasTimestamps: true}}
	b.reply = b.engine().Cookie(b.bakedAt, b.setup, &syn, testMAC(1))
	b.ack = wire.TCPHeader{Seq: scriptIRS + 1, Ack: b.reply.Seq + 1, Flags: wire.ACK, Window: 1000}
	b.ack.Options.HasTimestamps, b.ack.Options.TSEcr = true, b.reply.Options.TSVal
	if b.reply.Flags != wire.SYN|wire.ACK|wire.ECE {
		t.Errorf("the answer has %v", b.reply.Flags)
	}
	if c := b.redeem(0, 1); c == nil || !c.ecn.ok {
		t.Error("it is forgotten")
	}
}
