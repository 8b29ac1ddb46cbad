package tcp

import (
	"fmt"
	"testing"

	"slashnet/wire"
)

// The maximum segment size, RFC 9293 §3.7.1. A test with the name of a row of
// test/requirements proves that row.

// opened is a connection that we have opened with s, and that the peer has
// answered with these words on its SYN. It returns the MSS that we have said.
func opened(t *testing.T, setup Setup, syn string, cfg func(*Config)) (s *script, said int) {
	t.Helper()
	s = newScript(t, cfg)
	setup.ISS = s.iss
	s.c.Open(s.now, setup)
	s.expect("S 0", "Open")
	said = int(s.last.H.Options.MSS)
	s.inject("S. 0 ack 1 " + syn)
	s.expect(". 1 ack 1", "handshake")
	return s, said
}

// sends checks the size of full segments.
func (s *script) sends(want int) {
	s.t.Helper()
	s.write(100000)
	for _, seg := range s.sent() {
		if seg.MSS != want || seg.Len%want != 0 {
			s.t.Errorf("%d bytes in segments of %d, want %d", seg.Len, seg.MSS, want)
		}
	}
}

func TestRFC9293_MUST_14(t *testing.T) {
	for _, tc := range []struct{ peer, want int }{{1000, 1000}, {1460, 1460}, {9000, 1460}, {536, 536}, {1, minMSS}} {
		s, said := opened(t, Setup{MTU: 1500, IPHeader: 20}, fmt.Sprintf("mss %d", tc.peer), nil)
		if said != 1460 {
			t.Errorf("our SYN says %d", said)
		}
		s.sends(tc.want)
	}
	s := newScript(t, nil)
	s.accept("S 0 mss 700")
	s.expect("S. 0 ack 1 mss 1460", "said in the answer, too")
	s.inject(". 1 ack 1")
	s.sends(700)
}

// Every SYN: the first, one that goes again, an answer, and that of a
// simultaneous open.
func TestRFC9293_SHLD_5(t *testing.T) {
	s := newScript(t, nil)
	s.c.Open(s.now, s.setup())
	s.expect("S 0 mss 1460", "Open")
	s.until(s.deadline(), "timeout")
	s.expect("S 0 mss 1460", "again")
	s.inject("S 0 mss 1460")
	s.expect("S. 0 ack 1 mss 1460", "simultaneous open")

	s = newScript(t, nil)
	s.accept("S 0")
	s.expect("S. 0 ack 1 mss 1460", "an answer, to a peer that said nothing")
	s.until(s.deadline(), "timeout")
	s.expect("S. 0 ack 1 mss 1460", "again")
}

func TestRFC9293_MAY_3(t *testing.T) {
	for ipHeader, mss := range map[int]int{20: 536, 40: 1220} {
		_, said := opened(t, Setup{MTU: mss + ipHeader + wire.TCPLen, IPHeader: ipHeader}, "mss 1460", nil)
		if said != mss {
			t.Errorf("the SYN says %d, want %d, though it is the default", said, mss)
		}
	}
}

func TestRFC9293_MUST_15(t *testing.T) {
	for ipHeader, want := range map[int]int{20: 536, 40: 1220} {
		s, _ := opened(t, Setup{MTU: 1500, IPHeader: ipHeader}, "", nil)
		s.sends(want)
	}
}

// The options of this very segment count: RFC 6691 §3.
func TestRFC9293_MUST_16(t *testing.T) {
	s := active(t, func(c *Config) { c.Timestamps = true })
	s.write(5000)
	s.inject(". 101:201 ack 1")
	s.expect(". 1:5001 ack 1 sack 101-201", "12 bytes of timestamps and 12 of SACK")
	if s.last.MSS != 1460-12-12 {
		t.Errorf("segments of %d", s.last.MSS)
	}
	s.inject(". 1:101 ack 5001")
	s.write(5000)
	s.expect("P. 5001:10001 ack 201", "timestamps only")
	if s.last.MSS != 1460-12 {
		t.Errorf("segments of %d", s.last.MSS)
	}
}

func TestRFC9293_MUST_65(t *testing.T) {
	s := newScript(t, func(c *Config) { c.Timestamps, c.WScale = true, true })
	seen := 0
	look := func() {
		for _, seg := range s.sent() {
			seen++
			if h := &seg.H; (h.Options.MSS != 0) != (h.Flags&wire.SYN != 0) {
				t.Errorf("%s: an MSS belongs on a SYN, and nowhere else", s.show(&seg))
			}
		}
	}
	s.c.Open(s.now, s.setup())
	look()
	s.inject("S. 0 ack 1 mss 1460 sackok ws 7 ts")
	look()
	s.write(5000)
	s.inject(". 1:101 ack 1")
	s.inject(". 201:301 ack 1")
	look()
	s.until(s.deadline(), "timeout or probe")
	look()
	s.c.CloseWrite(s.now)
	s.inject(". 301 ack 5001")
	look()
	s.c.Abort(s.now)
	look()
	if seen < 6 {
		t.Errorf("only %d segments were seen", seen)
	}
}

func TestRFC9293_MUST_67(t *testing.T) {
	for _, tc := range []struct{ mtu, ip, limit, want int }{
		{1500, 20, 0, 1460}, {1500, 40, 0, 1440}, {9000, 20, 0, 8960}, {65535, 20, 0, 65495}, {65536, 20, 0, 65495},
		{1500, 20, 900, 900}, {1500, 20, 9000, 1460},
	} {
		_, said := opened(t, Setup{MTU: tc.mtu, IPHeader: tc.ip, MSS: tc.limit}, "mss 1460", nil)
		if said != tc.want {
			t.Errorf("MTU %d, IP header of %d, limit %d: the SYN says %d, want %d", tc.mtu, tc.ip, tc.limit, said, tc.want)
		}
	}
}
