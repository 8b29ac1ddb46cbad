package ndp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"slashnet/wire"
)

var (
	us    = wire.MAC{2, 0, 0, 0, 0, 1}
	peer  = wire.MAC{2, 0, 0, 0, 0, 2}
	other = wire.MAC{2, 0, 0, 0, 0, 3}
	host  = netip.MustParseAddr("2001:db8::2")
)

// fixed is randomness that says the middle of everything: the reachable time is
// its base.
func fixed() uint64 { return 15e9 }

func newCache(t *testing.T) (*Cache[int], *Config, *[]int) {
	cfg, dropped := DefaultConfig(), &[]int{}
	return NewCache(&cfg, fixed, func(p int) { *dropped = append(*dropped, p) }), &cfg, dropped
}

// requests are all that is due.
func requests(c *Cache[int]) (all []Request) {
	for r, ok := c.Output(); ok; r, ok = c.Output() {
		all = append(all, r)
	}
	return all
}

func (c *Cache[P]) want(t *testing.T, s State) {
	t.Helper()
	if got, ok := c.State(host); !ok || got != s {
		t.Fatalf("%v, %v; want %v", got, ok, s)
	}
}

func advert(mac wire.MAC, router, solicited, override bool) *wire.NeighbourMessage {
	return &wire.NeighbourMessage{Target: host, Router: router, Solicited: solicited, Override: override, NDOptions: wire.NDOptions{TargetMAC: mac}}
}

// The life of a neighbour: asked, known, stale, used, probed, gone (RFC 4861
// §7.3.3).
func TestRFC4861_UNREACHABILITY(t *testing.T) {
	c, _, _ := newCache(t)
	now := time.Duration(0)
	if _, ok := c.Resolve(now, host, 1); ok {
		t.Fatal("resolved before it was asked")
	}
	c.want(t, Incomplete)
	for n := range 3 { // RFC 4861 §7.2.2: three, a second apart
		if r := requests(c); len(r) != 1 || r[0] != (Request{IP: host}) {
			t.Fatalf("solicitation %d: %v", n, r)
		}
		now += 999 * time.Millisecond
		if c.Tick(now); len(requests(c)) != 0 {
			t.Fatal("asked again within a second")
		}
		now += time.Millisecond
		if n < 2 {
			c.Tick(now)
		}
	}
	failed, lost := c.Tick(now)
	if len(failed) != 1 || failed[0] != 1 || len(lost) != 1 {
		t.Fatalf("failed %v, lost %v", failed, lost)
	}
	c.want(t, Failed)
	c.Resolve(now, host, 2)
	if failed, _ := c.Tick(now); len(failed) != 1 || failed[0] != 2 {
		t.Fatalf("a packet to who has just failed: %v", failed)
	}
	c.Tick(now + 3*time.Second)
	c.Resolve(now, host, 3)
	c.want(t, Incomplete)
	requests(c)
	r := c.Advertised(now, host, advert(peer, false, true, true))
	if len(r.Ready) != 1 || r.Ready[0] != 3 || r.MAC != peer {
		t.Fatalf("%+v", r)
	}
	c.want(t, Reachable)

	now += 30 * time.Second
	c.Tick(now)
	c.want(t, Stale)
	if len(requests(c)) != 0 {
		t.Fatal("nobody uses it, and it is asked")
	}
	if mac, ok := c.Lookup(now, host); !ok || mac != peer {
		t.Fatal("stale, and not used")
	}
	c.want(t, Delay)
	now += 5 * time.Second
	c.Tick(now)
	c.want(t, Probe)
	if r := requests(c); len(r) != 1 || r[0] != (Request{host, peer}) {
		t.Fatalf("the probe is %v", r)
	}
	// A conversation that moves on is as good as an answer.
	c.Confirm(now, host)
	c.want(t, Reachable)
	now += 20 * time.Second
	c.Confirm(now, host)
	now += 20 * time.Second
	c.Tick(now)
	c.want(t, Reachable)
	now += 20 * time.Second
	c.Tick(now)
	c.want(t, Stale)
	c.Lookup(now, host)
	lost = nil
	for range 5 {
		now += 5 * time.Second
		_, more := c.Tick(now)
		lost = append(lost, more...)
	}
	if _, ok := c.State(host); ok || len(lost) != 1 {
		t.Fatalf("three probes without answer, and it is there; lost %v", lost)
	}
}

// RFC 4861 §7.2.5, appendix C: what an advertisement does in each state.
func TestRFC4861_ADVERTISEMENTS(t *testing.T) {
	for _, test := range []struct {
		from                State
		mac                 wire.MAC
		solicited, override bool
		to                  State
		want                wire.MAC
	}{
		{Incomplete, peer, false, false, Delay, peer}, // stale, and what waited leaves
		{Incomplete, peer, true, false, Reachable, peer},
		{Incomplete, wire.MAC{}, true, true, Incomplete, wire.MAC{}},
		{Reachable, peer, false, false, Reachable, peer},
		{Reachable, peer, true, true, Reachable, peer},
		{Reachable, other, false, false, Stale, peer},
		{Reachable, other, true, false, Stale, peer},
		{Reachable, other, false, true, Stale, other},
		{Reachable, other, true, true, Reachable, other},
		{Reachable, wire.MAC{}, false, true, Reachable, peer},
		{Stale, peer, true, false, Reachable, peer},
		{Stale, peer, false, true, Stale, peer},
		{Stale, other, true, false, Stale, peer},
		{Stale, other, false, true, Stale, other},
		{Stale, other, true, true, Reachable, other},
		{Stale, wire.MAC{}, true, true, Reachable, peer},
		{Delay, peer, true, false, Reachable, peer},
		{Delay, other, false, true, Stale, other},
		{Probe, peer, true, false, Reachable, peer},
		{Probe, other, true, false, Probe, peer},
		{Permanent, other, true, true, Permanent, peer},
	} {
		t.Run(fmt.Sprintf("%v/%v/S%v/O%v", test.from, test.mac, test.solicited, test.override), func(t *testing.T) {
			c, _, _ := newCache(t)
			c.bring(t, test.from)
			c.Advertised(time.Minute, host, advert(test.mac, false, test.solicited, test.override))
			e := c.entries[host]
			if e.state != test.to || e.mac != test.want {
				t.Errorf("%v at %v, want %v at %v", e.state, e.mac, test.to, test.want)
			}
		})
	}
	c, _, _ := newCache(t)
	c.Advertised(0, host, advert(peer, false, true, true))
	if len(c.entries) != 0 {
		t.Error("an advertisement that nobody asked for has made an entry")
	}
	c.Learn(0, host, peer, true)
	if r := c.Advertised(0, host, advert(peer, false, true, true)); !r.NoRouter {
		t.Error("a router became a host, and nobody is told")
	}
}

// bring makes host's entry, at peer, be in a state.
func (c *Cache[P]) bring(t *testing.T, s State) {
	t.Helper()
	var p P
	switch s {
	case Incomplete:
		c.Resolve(0, host, p)
	case Permanent:
		c.Add(0, host, peer)
	default:
		c.Learn(0, host, peer, false)
		if s == Reachable {
			c.Confirm(0, host)
		}
		if s == Delay || s == Probe {
			c.Lookup(0, host)
		}
		if s == Probe {
			c.Tick(5 * time.Second)
		}
	}
	c.want(t, s)
}

func TestLearn(t *testing.T) {
	c, _, dropped := newCache(t)
	c.Resolve(0, host, 1)
	c.Resolve(0, host, 2)
	if ready := c.Learn(0, host, peer, false); len(ready) != 2 {
		t.Fatalf("%v can leave", ready)
	}
	c.want(t, Delay) // something was sent to it at once
	c.Learn(0, host, other, false)
	c.want(t, Stale)
	if mac, _ := c.Lookup(0, host); mac != other {
		t.Error("who speaks of himself is not believed")
	}
	if c.Learn(0, netip.MustParseAddr("2001:db8::7"), wire.MAC{0x33, 0x33}, false); len(c.entries) != 1 {
		t.Error("a group is taken for a station")
	}
	c.Flush()
	if len(*dropped) != 0 || len(c.clock) != 0 {
		t.Error("flush dropped", *dropped)
	}
}

// Whatever happens, every packet comes out once, and the bounds hold.
func TestAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	cfg := DefaultConfig()
	cfg.MaxEntries, cfg.MaxPending, cfg.MaxWaiting = 6, 3, 8
	out, in := map[int]int{}, 0
	c := NewCache(&cfg, r.Uint64, func(p int) { out[p]++ })
	all := func(ps []int) {
		for _, p := range ps {
			out[p]++
		}
	}
	now := time.Duration(0)
	for range 200_000 {
		ip := netip.AddrFrom16([16]byte{0x20, 1, 15: byte(r.IntN(10))})
		mac := wire.MAC{2, 5: byte(r.IntN(3))}
		switch r.IntN(9) {
		case 0, 1, 2:
			if _, ok := c.Resolve(now, ip, in); ok {
				out[in]++
			}
			in++
		case 3:
			all(c.Learn(now, ip, mac, r.IntN(2) == 0))
		case 4:
			all(c.Advertised(now, ip, advert(mac, r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0)).Ready)
		case 5:
			c.Confirm(now, ip)
		case 6:
			now += time.Duration(r.IntN(int(4 * time.Second)))
			failed, _ := c.Tick(now)
			all(failed)
			requests(c)
			if at, ok := c.Deadline(); ok && at <= now {
				t.Fatalf("after Tick something is due at %v, now %v", at, now)
			}
		case 7:
			if r.IntN(50) == 0 {
				c.Flush()
			}
		case 8:
			c.Delete(ip)
		}
		waiting := 0
		for _, e := range c.entries {
			waiting += len(e.pending)
			if len(e.pending) > cfg.MaxPending || e.usable() && len(e.pending) > 0 || (e.place == 0) != (e.state == Permanent) {
				t.Fatalf("%v: %v, %d wait, place %d", e.ip, e.state, len(e.pending), e.place)
			}
		}
		if waiting != c.packets || waiting > cfg.MaxWaiting || len(c.entries) > cfg.MaxEntries || len(c.clock) > len(c.entries) {
			t.Fatalf("%d wait, counted as %d; %d entries", waiting, c.packets, len(c.entries))
		}
	}
	c.Flush()
	for p := range in {
		if out[p] != 1 {
			t.Fatalf("packet %d came out %d times", p, out[p])
		}
	}
}
