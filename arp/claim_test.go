package arp

import (
	"net/netip"
	"testing"
	"time"

	"slashnet/wire"
)

var (
	claimed  = netip.MustParseAddr("10.0.0.2")
	claimMAC = wire.MAC{2, 0, 0, 0, 0, 2}
	rivalMAC = wire.MAC{2, 0, 0, 0, 0, 9}
	theirs   = &wire.ARP{Op: wire.ARPReply, SenderMAC: rivalMAC, SenderIP: claimed, TargetMAC: claimMAC, TargetIP: claimed}
)

// A said is a packet and when it was sent.
type said struct {
	at time.Duration
	a  wire.ARP
}

// until runs claims to a time.
func (c *Claims) until(end time.Duration) (out []said, won []netip.Addr) {
	for at, ok := c.Deadline(); ok && at <= end; at, ok = c.Deadline() {
		won = append(won, c.Tick(at)...)
		for a, ok := c.Output(at); ok; a, ok = c.Output(at) {
			out = append(out, said{at, a})
		}
	}
	return out, won
}

func newClaims() *Claims {
	n := uint64(0)
	return NewClaims(claimMAC, func() uint64 { n += 0x9e3779b97f4a7c15; return n })
}

// RFC 5227 §2.1.1 and §2.3: three probes a second or two apart, two seconds of
// silence, two announcements two seconds apart.
func TestTry(t *testing.T) {
	c := newClaims()
	c.Try(0, claimed)
	out, won := c.until(time.Hour)
	if len(out) != 5 || len(won) != 1 || won[0] != claimed {
		t.Fatalf("%d packets, won %v", len(out), won)
	}
	for n, s := range out {
		want, lo, hi := Probe(claimMAC, claimed), probeMin, probeMax
		switch n {
		case 0:
			lo, hi = 0, probeWait
		case 3:
			want, lo, hi = Announcement(claimMAC, claimed), announceWait, announceWait
		case 4:
			want, lo, hi = Announcement(claimMAC, claimed), announceInterval, announceInterval
		}
		since := s.at
		if n > 0 {
			since -= out[n-1].at
		}
		if s.a != want || since < lo || since > hi {
			t.Errorf("packet %d: %+v after %v, want %+v after %v to %v", n, s.a, since, want, lo, hi)
		}
	}
}

// Whoever has the address, or wants it too, ends the attempt; after ten of them
// there is a minute between.
func TestTryLost(t *testing.T) {
	c := newClaims()
	rival := Probe(rivalMAC, claimed)
	request := wire.ARP{Op: wire.ARPRequest, SenderMAC: rivalMAC, SenderIP: claimed, TargetIP: netip.MustParseAddr("10.0.0.7")}
	for n := range 12 {
		now := time.Duration(n) * time.Hour
		c.Try(now, claimed)
		out, _ := c.until(now + 2*time.Second)
		if slow := n >= maxConflicts; slow != (len(out) == 0) {
			t.Errorf("attempt %d: %d probes in two seconds", n, len(out))
		}
		packet := []*wire.ARP{theirs, &rival, &request}[n%3]
		if ip, v := c.Hear(now+2*time.Second, packet, DefendAlways); ip != claimed || v != Lost {
			t.Errorf("attempt %d: %v, verdict %d", n, ip, v)
		}
		if _, ok := c.Deadline(); ok {
			t.Errorf("attempt %d goes on", n)
		}
	}
	c = newClaims()
	c.Try(0, claimed)
	for _, harmless := range []wire.ARP{
		Probe(claimMAC, claimed), // our own, come back
		Probe(rivalMAC, netip.MustParseAddr("10.0.0.3")),
		{Op: wire.ARPRequest, SenderMAC: rivalMAC, SenderIP: netip.MustParseAddr("10.0.0.3"), TargetIP: claimed},
	} {
		if ip, v := c.Hear(0, &harmless, DefendOnce); v != NoConflict {
			t.Errorf("%+v: %v, verdict %d", harmless, ip, v)
		}
	}
}

// RFC 5227 §2.4: the three ways of defending an address.
func TestDefence(t *testing.T) {
	for _, test := range []struct {
		how  Defence
		want []Verdict // to conflicts at 0, 5, 11 and 12 s
		told int       // announcements
	}{
		{DefendOnce, []Verdict{Defended, Lost}, 1},
		{DefendAlways, []Verdict{Defended, Defended, Defended, Defended}, 2},
		{DefendNever, []Verdict{Lost}, 0},
	} {
		c := newClaims()
		c.Take(0, claimed)
		c.until(time.Minute)
		told := 0
		for n, want := range test.want {
			now := time.Minute + []time.Duration{0, 5, 11, 12}[n]*time.Second
			if ip, v := c.Hear(now, theirs, test.how); ip != claimed || v != want {
				t.Errorf("defence %d, conflict %d: %v, verdict %d, want %d", test.how, n, ip, v, want)
			}
			out, _ := c.until(now)
			told += len(out)
		}
		if told != test.told {
			t.Errorf("defence %d: announced %d times, want %d", test.how, told, test.told)
		}
	}
	// Conflicts far apart are not one.
	c := newClaims()
	c.Take(0, claimed)
	for n := range 5 {
		now := time.Duration(n+1) * time.Minute
		if _, v := c.Hear(now, theirs, DefendOnce); v != Defended {
			t.Errorf("conflict %d, a minute after the last: verdict %d", n, v)
		}
	}
}

// What is taken without asking is announced at once and again; then nothing is
// due.
func TestTake(t *testing.T) {
	c := newClaims()
	c.Take(time.Second, claimed)
	out, won := c.until(time.Hour)
	if len(out) != 2 || out[0] != (said{time.Second, Announcement(claimMAC, claimed)}) || out[1].at != 3*time.Second || won != nil {
		t.Errorf("%+v, won %v", out, won)
	}
	c.Release(claimed)
	if _, v := c.Hear(time.Hour, theirs, DefendOnce); v != NoConflict {
		t.Errorf("after its release: verdict %d", v)
	}
}
