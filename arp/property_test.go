package arp

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"slashnet/wire"
)

// all is a list as a slice.
func (l *list[P]) all() (all []*entry[P]) {
	for e := l.head; e != nil; e = e.links[l.kind].next {
		all = append(all, e)
	}
	return all
}

// audit checks that a cache's lists, heap and counts agree with its entries.
func audit[P any](t interface{ Fatalf(string, ...any) }, c *Cache[P]) {
	packets, permanent := 0, 0
	for ip, e := range c.entries {
		packets += len(e.pending)
		inAsk := e.links[byAsk].in
		switch {
		case e.ip != ip:
			t.Fatalf("%v is filed as %v", e.ip, ip)
		case e.state == Permanent:
			permanent++
			if e.place != 0 || inAsk || e.links[byUse].in {
				t.Fatalf("%v is permanent, and in a list", ip)
			}
		case !e.links[byUse].in || (e.place != 0) == inAsk:
			t.Fatalf("%v in state %v: place %d, asks %v", ip, e.state, e.place, inAsk)
		case e.place != 0 && c.clock[e.place-1] != e:
			t.Fatalf("%v is at another place", ip)
		}
		if len(e.pending) > c.cfg.MaxPending || (len(e.pending) > 0) != e.links[byWait].in || e.usable() && len(e.pending) > 0 {
			t.Fatalf("%v in state %v: %d packets wait", ip, e.state, len(e.pending))
		}
	}
	if n := len(c.cold.all()) + len(c.warm.all()); n != len(c.entries)-permanent {
		t.Fatalf("%d by use, %d entries", n, len(c.entries)-permanent)
	}
	if n := len(c.ask.all()) + len(c.clock); n != len(c.entries)-permanent {
		t.Fatalf("%d wait for a time or for Output, %d entries", n, len(c.entries)-permanent)
	}
	if packets != c.packets || packets > c.cfg.MaxWaiting || len(c.entries) > c.cfg.MaxEntries {
		t.Fatalf("%d packets counted as %d, %d entries", packets, c.packets, len(c.entries))
	}
}

// Whatever happens, every packet comes out once, nobody is asked more than once a
// second, what is in use is right, and the bounds hold.
func TestAnything(t *testing.T) { rapid.Check(t, anything) }

func FuzzAnything(f *testing.F) {
	for seed := range byte(8) { // long ones, which mutation alone is slow to find
		b := make([]byte, 8<<10)
		rand.NewChaCha8([32]byte{seed}).Read(b)
		f.Add(b)
	}
	f.Fuzz(rapid.MakeFuzz(anything))
}

func anything(t *rapid.T) {
	cfg := DefaultConfig()
	cfg.MAC = ourMAC
	cfg.MaxEntries = rapid.IntRange(1, 6).Draw(t, "entries")
	cfg.MaxPending = rapid.IntRange(1, 3).Draw(t, "pending")
	cfg.MaxWaiting = rapid.IntRange(1, 6).Draw(t, "waiting")

	out := map[int]bool{} // packets that came out
	gone := func(packets ...int) {
		for _, p := range packets {
			if out[p] {
				t.Fatalf("packet %d came out twice", p)
			}
			out[p] = true
		}
	}
	c := New(&cfg, func(p int) { gone(p) })
	now, next := time.Duration(0), 0
	asked := map[*entry[int]]time.Duration{}
	claimed := map[netip.Addr]map[wire.MAC]bool{} // what was ever said about whom

	addr := rapid.Custom(func(t *rapid.T) netip.Addr { return host(rapid.IntRange(0, 9).Draw(t, "host")) })
	mac := rapid.Custom(func(t *rapid.T) wire.MAC { return wire.MAC{2, 0, 0, 0, 1, rapid.Byte().Draw(t, "mac")} })
	claim := func(ip netip.Addr, m wire.MAC) {
		if claimed[ip] == nil {
			claimed[ip] = map[wire.MAC]bool{}
		}
		claimed[ip][m] = true
	}
	check := func(ip netip.Addr, m wire.MAC, ok bool) {
		if ok && !claimed[ip][m] {
			t.Fatalf("%v is at %v, and nobody said so", ip, m)
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"resolve": func(t *rapid.T) {
			ip := addr.Draw(t, "ip")
			m, ok := c.Resolve(now, ip, next)
			check(ip, m, ok)
			if ok {
				gone(next)
			}
			next++
		},
		"lookup": func(t *rapid.T) {
			ip := addr.Draw(t, "ip")
			m, ok := c.Lookup(now, ip)
			check(ip, m, ok)
		},
		"input": func(t *rapid.T) {
			a := wire.ARP{
				Op:        uint16(rapid.IntRange(1, 3).Draw(t, "op")),
				SenderMAC: mac.Draw(t, "mac"),
				SenderIP:  rapid.OneOf(addr, rapid.Just(us), rapid.Just(netip.IPv4Unspecified())).Draw(t, "sender"),
				TargetIP:  rapid.OneOf(addr, rapid.Just(us)).Draw(t, "target"),
			}
			claim(a.SenderIP, a.SenderMAC)
			r := c.Input(now, &a, mine)
			gone(r.Ready...)
			if len(r.Ready) > 0 && (r.Conflict || r.MAC != a.SenderMAC) {
				t.Fatalf("result %+v", r)
			}
			if (r.Reply.Op != 0) != (a.Op == wire.ARPRequest && a.TargetIP == us && a.SenderIP != us) {
				t.Fatalf("reply %+v to %+v", r.Reply, a)
			}
		},
		"time": func(t *rapid.T) {
			now += time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond
			if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
				now += cfg.Timeout
			}
			gone(c.Tick(now)...)
			if len(c.clock) > 0 && c.clock[0].deadline <= now {
				t.Fatalf("something is due after Tick")
			}
		},
		"output": func(t *rapid.T) {
			for r, ok := c.Output(now); ok; r, ok = c.Output(now) {
				e := c.entries[r.IP]
				if last, ok := asked[e]; ok && now < last+cfg.RetryInterval {
					t.Fatalf("%v is asked for after %v", r.IP, now-last)
				}
				asked[e] = now
				if r.To != wire.Broadcast {
					check(r.IP, r.To, true)
				}
			}
		},
		"add": func(t *rapid.T) {
			ip, m := addr.Draw(t, "ip"), mac.Draw(t, "mac")
			claim(ip, m)
			ready, _ := c.Add(now, ip, m)
			gone(ready...)
		},
		"delete": func(t *rapid.T) { c.Delete(addr.Draw(t, "ip")) },
		"flush": func(t *rapid.T) {
			c.Flush()
			if len(out) != next {
				t.Fatalf("%d packets went in, %d came out", next, len(out))
			}
		},
		"": func(t *rapid.T) {
			audit(t, c)
			if len(out)+c.packets != next {
				t.Fatalf("%d packets went in, %d came out, %d wait", next, len(out), c.packets)
			}
		},
	})
}
