package ndp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"slashnet/wire"
)

var (
	routerA = netip.MustParseAddr("fe80::a")
	routerB = netip.MustParseAddr("fe80::b")
	prefix  = netip.MustParsePrefix("2001:db8:1::/64")
)

func newHost() (*Host, *Config) {
	cfg := DefaultConfig()
	return NewHost(Options{MAC: us, Name: "tap", Random: fixed, Probes: func() int { return 1 }, Cache: &cfg}), &cfg
}

func events(h *Host) (all []Event) {
	for e, ok := h.Event(); ok; e, ok = h.Event() {
		all = append(all, e)
	}
	return all
}

func kinds(all []Event) (k []Kind) {
	for _, e := range all {
		k = append(k, e.Kind)
	}
	return k
}

// run goes from deadline to deadline, and returns what was sent when.
func run(h *Host, from, until time.Duration) (sent map[time.Duration]Solicitation) {
	sent = map[time.Duration]Solicitation{}
	for now := from; ; {
		h.Tick(now)
		for m, ok := h.Output(); ok; m, ok = h.Output() {
			sent[now] = m
		}
		held := h.events
		h.events = nil
		at, ok := h.Deadline()
		h.events = held
		if !ok || at > until {
			return sent
		}
		now = at
	}
}

func TestRFC7217_IDENTIFIERS(t *testing.T) {
	h, _ := newHost()
	h.Start(0)
	all := h.TentativeAddrs()
	if len(all) != 1 || all[0].Masked() != linkLocal {
		t.Fatalf("tentative %v", all)
	}
	sent := run(h, 0, 10*time.Second)
	up := events(h)
	if len(sent) != 1 || len(up) != 1 || up[0].Kind != AddressUp || up[0].Prefix != all[0] || up[0].Valid != Forever {
		t.Fatalf("sent %v, %+v", sent, up)
	}
	// RFC 7217: the same again, another one for another prefix, secret or name.
	again, _ := newHost()
	if a := again.address(linkLocal, 0); a != all[0].Addr() {
		t.Errorf("%v, then %v", all[0], a)
	}
	seen := map[netip.Addr]bool{h.address(linkLocal, 0): true, h.address(linkLocal, 1): true}
	again.o.Secret[3] = 1
	seen[again.address(linkLocal, 0)] = true
	for _, p := range []string{"2001:db8:1::/64", "2001:db8:2::/64", "2001:db8:1:1::/64"} {
		b := h.address(netip.MustParsePrefix(p), 0).As16()
		copy(b[:8], linkLocal.Addr().AsSlice())
		seen[netip.AddrFrom16(b)] = true // the identifier alone
	}
	id := h.address(prefix, 0).As16()
	if ll := all[0].Addr().As16(); len(seen) != 6 || slices.Equal(id[8:], ll[8:]) {
		t.Errorf("identifiers repeat: %v, %v", seen, h.address(prefix, 0))
	}
}

func TestDuplicates(t *testing.T) {
	h, _ := newHost()
	h.Start(0)
	seen := map[netip.Addr]bool{}
	for n := range idRetries + 1 {
		all := h.TentativeAddrs()
		if len(all) != 1 || seen[all[0].Addr()] {
			t.Fatalf("try %d: %v", n, all)
		}
		seen[all[0].Addr()] = true
		h.Claimed(0, all[0].Addr())
		if e := events(h); len(e) != 1 || e[0].Kind != Duplicate || e[0].Prefix != all[0] {
			t.Fatalf("try %d: %+v", n, e)
		}
	}
	if run(h, 0, time.Minute); len(h.TentativeAddrs()) != 0 || len(events(h)) != 0 {
		t.Error("it does not give up")
	}
	// An address by hand is not replaced, and one that nobody claims is ours.
	p := netip.MustParsePrefix("2001:db8::5/64")
	h.Try(0, p)
	h.Claimed(0, p.Addr())
	if k := kinds(events(h)); !slices.Equal(k, []Kind{Duplicate}) || len(h.TentativeAddrs()) != 0 {
		t.Error(k, h.TentativeAddrs())
	}
	h.Try(0, p)
	run(h, 0, time.Minute)
	h.Claimed(time.Minute, p.Addr())
	if k := kinds(events(h)); !slices.Equal(k, []Kind{AddressUp}) {
		t.Error(k)
	}
}

func TestRFC4861_SOLICITATIONS(t *testing.T) {
	h, _ := newHost()
	h.Listen(0)
	var when []time.Duration
	for at := range run(h, 0, time.Minute) {
		when = append(when, at)
	}
	slices.Sort(when)
	if len(when) != 3 || when[0] > time.Second || when[1]-when[0] != 4*time.Second || when[2]-when[1] != 4*time.Second {
		t.Errorf("sent at %v", when)
	}
	h.Listen(0)
	h.Advertised(0, routerA, &wire.RouterMessage{Lifetime: time.Hour})
	if sent := run(h, 0, time.Minute); len(sent) != 0 {
		t.Error("a router has answered, and is asked:", sent)
	}
}

func advertise(valid, preferred time.Duration) *wire.RouterMessage {
	return &wire.RouterMessage{HopLimit: 61, Lifetime: 1800 * time.Second, Reachable: 10 * time.Second, Retrans: 2 * time.Second, NDOptions: wire.NDOptions{
		MTU:      1400,
		Prefixes: []wire.NDPrefix{{Prefix: prefix, OnLink: true, Auto: true, Valid: valid, Preferred: preferred}},
		Servers:  []wire.NDServer{{Addr: host, Lifetime: 100 * time.Second}}}}
}

func TestRFC4862_LIFETIMES(t *testing.T) {
	h, cfg := newHost()
	h.Advertised(0, routerA, advertise(24*time.Hour, 12*time.Hour))
	if k := kinds(events(h)); !slices.Equal(k, []Kind{RouterUp, PrefixUp, Servers}) {
		t.Fatal(k)
	}
	if h.HopLimit() != 61 || h.MTU() != 1400 || cfg.ReachableTime != 10*time.Second || cfg.Retrans != 2*time.Second || !slices.Equal(h.Servers(), []netip.Addr{host}) || !h.OnLink(prefix) {
		t.Errorf("%+v, %+v", h, cfg)
	}
	run(h, 0, 10*time.Second)
	up := events(h)
	if len(up) != 1 || up[0].Kind != AddressUp || !prefix.Contains(up[0].Prefix.Addr()) || !up[0].Auto || up[0].Valid != 24*time.Hour || up[0].Preferred != 12*time.Hour {
		t.Fatalf("%+v", up)
	}
	// RFC 4862 §5.5.3 e: what is left is cut to two hours at most, and not at all
	// once it is less.
	life := func(now, valid, want time.Duration) {
		t.Helper()
		h.Advertised(now, routerA, advertise(valid, 0))
		e := events(h)
		e = slices.DeleteFunc(e, func(e Event) bool { return e.Kind != AddressLife })
		if len(e) != 1 || e[0].Valid != want || e[0].Preferred != now {
			t.Errorf("at %v, %v more: %+v, want %v", now, valid, e, want)
		}
	}
	life(10*time.Second, 0, 10*time.Second+2*time.Hour)
	life(20*time.Second, time.Second, 10*time.Second+2*time.Hour)
	life(30*time.Second, 2*time.Hour, 30*time.Second+2*time.Hour)
	life(40*time.Second, 3*time.Hour, 40*time.Second+3*time.Hour)
	life(50*time.Second, wire.NDForever, Forever)
	life(60*time.Second, 0, 60*time.Second+2*time.Hour)
	run(h, 60*time.Second, 3*time.Hour)
	k := kinds(events(h))
	slices.Sort(k)
	if !slices.Equal(k, []Kind{AddressGone, RouterGone, Servers}) || len(h.addrs)+len(h.routers)+len(h.prefixes)+len(h.servers) != 0 && !h.OnLink(prefix) {
		t.Errorf("in the end %v", k)
	}
}

func TestRFC4862_PREFIXES(t *testing.T) {
	h, _ := newHost()
	for _, p := range []wire.NDPrefix{
		{Prefix: netip.MustParsePrefix("fe80::/64"), OnLink: true, Auto: true, Valid: time.Hour, Preferred: time.Hour},
		{Prefix: netip.MustParsePrefix("ff00::/64"), OnLink: true, Auto: true, Valid: time.Hour, Preferred: time.Hour},
		{Prefix: netip.MustParsePrefix("2001:db8::/63"), Auto: true, Valid: time.Hour, Preferred: time.Hour},
		{Prefix: netip.MustParsePrefix("2001:db8::/65"), Auto: true, Valid: time.Hour, Preferred: time.Hour},
		{Prefix: prefix, Auto: true, Valid: time.Hour, Preferred: 2 * time.Hour},
		{Prefix: prefix, OnLink: true, Auto: true},
		{Prefix: prefix, Valid: time.Hour, Preferred: time.Hour},
	} {
		h.Advertised(0, routerA, &wire.RouterMessage{NDOptions: wire.NDOptions{Prefixes: []wire.NDPrefix{p}}})
		if e := events(h); len(e) != 0 || len(h.addrs) != 0 {
			t.Errorf("%+v: %+v", p, e)
		}
	}
}

func TestRFC4861_ROUTERS(t *testing.T) {
	h, _ := newHost()
	life := &wire.RouterMessage{Lifetime: time.Hour}
	h.Advertised(0, routerA, life)
	h.Advertised(0, routerB, life)
	h.Advertised(0, routerB, life)
	if k := kinds(events(h)); !slices.Equal(k, []Kind{RouterUp, RouterUp}) {
		t.Fatal(k)
	}
	h.Lost(routerA) // it goes behind the other
	if e := events(h); len(e) != 2 || e[0] != (Event{Kind: RouterGone, Addr: routerA}) || e[1] != (Event{Kind: RouterUp, Addr: routerA}) {
		t.Errorf("%+v", e)
	}
	h.Lost(host)
	h.NoRouter(routerA)
	h.Advertised(0, routerB, &wire.RouterMessage{})
	if e := events(h); len(e) != 2 || e[0] != (Event{Kind: RouterGone, Addr: routerA}) || e[1] != (Event{Kind: RouterGone, Addr: routerB}) {
		t.Errorf("%+v", e)
	}
	h.Lost(routerB)
	if e := events(h); len(e) != 0 {
		t.Errorf("%+v", e)
	}
}

// A router that says as much as it can does not make us grow.
func TestFlood(t *testing.T) {
	h, _ := newHost()
	for n := range 1000 {
		m := advertise(time.Hour, time.Hour)
		b := prefix.Addr().As16()
		b[6], b[7] = byte(n>>8), byte(n)
		m.Prefixes[0].Prefix = netip.PrefixFrom(netip.AddrFrom16(b), 64)
		b[15] = 1
		m.Servers[0].Addr = netip.AddrFrom16(b)
		h.Advertised(0, netip.AddrFrom16([16]byte{0xfe, 0x80, 14: byte(n >> 8), 15: byte(n)}), m)
		events(h)
	}
	if len(h.routers) != maxRouters || len(h.prefixes) != maxPrefixes || len(h.addrs) != maxPrefixes || len(h.servers) != maxServers {
		t.Errorf("%d routers, %d prefixes, %d addresses, %d servers", len(h.routers), len(h.prefixes), len(h.addrs), len(h.servers))
	}
}
