package tcp

import (
	"testing"
	"time"

	"slashnet/stack/neterr"
)

// RFC 5482: what the peer says counts if the knob is on and the user has not chosen.
func TestRFC5482_PATIENCE(t *testing.T) {
	for name, tc := range map[string]struct {
		on   bool
		said string // by the peer
		own  time.Duration
		want time.Duration // when the connection is given up, or later by a retransmission
	}{
		"off":                 {false, "uto 120", 0, 15 * time.Minute},
		"on":                  {true, "uto 120", 0, 2 * time.Minute},
		"the least":           {true, "uto 1", 0, leastPatience},
		"more than R2":        {true, "uto 2400", 0, 40 * time.Minute},
		"the most":            {true, "uto 36000", 0, mostPatience},
		"our own comes first": {true, "uto 2400", 30 * time.Second, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := active(t, func(c *Config) { c.UserTimeout = tc.on })
			s.c.SetUserTimeout(tc.own)
			s.inject(". 1 ack 1 " + tc.said)
			s.write(1000)
			begin := s.now
			for s.c.State() != Closed && s.now < begin+2*time.Hour {
				s.drain()
				at, _ := s.c.Deadline()
				s.advance(at - s.now)
			}
			s.died(neterr.TimedOut)
			if took := s.now - begin; took < tc.want || took > tc.want+2*s.cfg.RTOMax {
				t.Errorf("given up after %v, want %v", took, tc.want)
			}
		})
	}
}

func TestRFC5482_SAID(t *testing.T) {
	s := newScript(t, func(c *Config) { c.UserTimeout = true })
	s.c.SetUserTimeout(5 * time.Minute)
	s.c.Open(s.now, s.setup())
	s.expect("S 0 uto 300", "in the SYN")
	s.inject("S. 0 ack 1 win 65535 mss 1460 uto 600")
	s.expect(". 1 ack 1", "handshake")
	if s.last.H.Options.UserTimeout != 0 || s.c.Stats().Patience != 10*time.Minute {
		t.Errorf("%+v, patience %v", s.last.H.Options, s.c.Stats().Patience)
	}
}
