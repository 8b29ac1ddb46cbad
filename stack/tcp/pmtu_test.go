package tcp

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// RFC 1191: what a router says lowers the size, sends again at once, and is no
// congestion; it never raises it.
func TestRFC1191_TOO_BIG(t *testing.T) {
	s := active(t, nil)
	s.write(4000)
	s.expect("P. 1:4001 ack 1", "data")
	cwnd := s.c.cwnd
	s.c.TooBig(s.now, 2000)
	s.expectIdle("not lower")
	s.c.TooBig(s.now, 1040)
	s.expect("P. 1:4001 ack 1", "again at once")
	if s.last.MSS != 1000 || s.c.cwnd != cwnd || s.c.phase != open {
		t.Errorf("segments of %d, cwnd %d of %d, %v", s.last.MSS, s.c.cwnd, cwnd, s.c.phase)
	}
	s.c.TooBig(s.now, 1500)
	s.c.TooBig(s.now, 68)
	if s.c.mtu != leastPMTU {
		t.Errorf("MTU %d, want the least that is believed", s.c.mtu)
	}
}

// RFC 1191 §7: a router that does not say its MTU.
func TestRFC1191_PLATEAUS(t *testing.T) {
	s := active(t, nil)
	for _, want := range []int{1492, 1400, 1280, 1006, leastPMTU, leastPMTU} {
		if s.c.TooBig(s.now, 0); s.c.mtu != want {
			t.Errorf("MTU %d, want %d", s.c.mtu, want)
		}
	}
}

// over has the user write some segments ten times a second, and lets all that we say
// arrive but for segments over an MTU.
func (s *script) over(mtu int, d time.Duration) {
	end := s.now + d
	for s.now < end {
		if s.c.sendq.len() < 50_000 {
			s.write(8000)
		}
		var seg Segment
		for s.c.Output(s.now, &seg) {
			h := seg.H
			seg.Release()
			for off := 0; off < seg.Len; off += seg.MSS {
				n := min(seg.MSS, seg.Len-off)
				if n+40 <= mtu {
					s.arrived(int(int32(h.Seq-s.iss))+off, n)
				}
			}
		}
		s.advance(100 * time.Millisecond)
		if s.acks != "" {
			s.inject(s.acks)
			s.acks = ""
		}
		if d > time.Minute && s.c.una == s.c.nxt && s.c.sendq.len() == 0 {
			s.advance(900 * time.Millisecond) // in the long run once a second will do
		}
	}
}

// arrived is a receiver with SACK: it acknowledges what is in order.
func (s *script) arrived(seq, n int) {
	if s.got == nil {
		s.got, s.upTo = map[int]int{}, 1
	}
	s.got[seq] = max(s.got[seq], n)
	for again := true; again; {
		again = false
		for at, n := range s.got {
			if at <= s.upTo {
				delete(s.got, at)
				if at+n > s.upTo {
					s.upTo, again = at+n, true
				}
			}
		}
	}
	s.acks = ". 1 ack " + strconv.Itoa(s.upTo)
	var runs []string
	starts := slices.Sorted(maps.Keys(s.got))
	for i := 0; i < len(starts) && len(runs) < 4; {
		at, end := starts[i], starts[i]
		for ; i < len(starts) && starts[i] <= end; i++ {
			end = max(end, starts[i]+s.got[starts[i]])
		}
		runs = append(runs, fmt.Sprintf("%d-%d", at, end))
	}
	if len(runs) > 0 {
		s.acks += " sack " + strings.Join(runs, ",")
	}
}

// RFC 4821 §7.7: full segments vanish without a word; RFC 8899: what passes is
// found again by probing, and probes that are lost cost nothing.
func TestRFC4821_BLACK_HOLE(t *testing.T) {
	s := active(t, nil)
	s.over(1300, 5*time.Second)
	if s.cfg.Counters.BlackHoles != 1 || s.c.mtu != basePMTU || s.upTo < 100_000 {
		t.Fatalf("after 5 s %d bytes have passed in segments for an MTU of %d; %d black holes were found", s.upTo, s.c.mtu, s.cfg.Counters.BlackHoles)
	}
	timeouts, recoveries := s.cfg.Counters.RetransTimeouts, s.cfg.Counters.FastRecovery
	s.over(1300, 10*time.Minute)
	if s.c.mtu < 1300-searchedWell || s.c.mtu > 1300 {
		t.Errorf("MTU %d was found, 1300 pass; %+v", s.c.mtu, s.c.search)
	}
	if n := s.cfg.Counters; n.RetransTimeouts != timeouts || n.FastRecovery != recoveries || n.MTUProbes < 5 || n.MTUProbes > 40 {
		t.Errorf("%d probes have cost %d timeouts and %d recoveries", n.MTUProbes, n.RetransTimeouts-timeouts, n.FastRecovery-recoveries)
	}
	// The path becomes what it was.
	s.over(1500, 21*time.Minute)
	if s.c.mtu != 1500 || s.c.search != nil && s.c.candidate() != 0 {
		t.Errorf("MTU %d, 1500 pass", s.c.mtu)
	}
}

// RFC 1191 §6.3: after a router's word nothing larger is tried for ten minutes.
func TestRFC1191_RAISE(t *testing.T) {
	s := active(t, nil)
	s.c.TooBig(s.now, 1000)
	s.over(1500, raiseInterval-time.Second)
	if s.cfg.Counters.MTUProbes != 0 || s.c.mtu != 1000 {
		t.Errorf("%d probes within ten minutes, MTU %d", s.cfg.Counters.MTUProbes, s.c.mtu)
	}
	s.over(1500, 5*time.Second)
	if s.cfg.Counters.MTUProbes != 1 || s.c.mtu != 1500 {
		t.Errorf("%d probes after ten minutes, MTU %d", s.cfg.Counters.MTUProbes, s.c.mtu)
	}
}

// A path that is down is not a small one: small segments lower nothing, and the
// knob keeps all as it is.
func TestRFC4821_DOWN(t *testing.T) {
	for name, tc := range map[string]struct {
		write int
		cfg   func(*Config)
	}{
		"small": {write: 1000}, "off": {write: 20_000, cfg: func(c *Config) { c.MTUProbe = false }},
	} {
		t.Run(name, func(t *testing.T) {
			s := active(t, tc.cfg)
			s.write(tc.write)
			for range 60 {
				s.drain()
				s.advance(time.Second)
			}
			if s.c.mtu != 1500 || s.cfg.Counters.BlackHoles != 0 || s.c.retries < blackHole {
				t.Errorf("MTU %d after %d timeouts", s.c.mtu, s.c.retries)
			}
		})
	}
}
