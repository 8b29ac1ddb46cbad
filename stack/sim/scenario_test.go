package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"slashnet/stack"
	"slashnet/wire"
)

// A scenario is two hosts, a link and some talks, drawn from a seed. What it is
// drawn to be can be cut down without changing the rest, to find the smallest
// that still fails.
type scenario struct {
	seed    uint64
	users   int    // at most
	bytes   int    // that each writes, at most
	without string // what is left out, joined by commas
}

// parts are what without may name.
var parts = []string{"loss", "dup", "reorder", "corrupt", "rate", "jitter", "delay", "blackout", "mtu", "knobs", "fickle", "pause", "endings",
	"ip6", "router", "swallow", "memory", "suspend", "ecn", "cookies", "alive", "late"}

func drawn(seed uint64) scenario { return scenario{seed: seed, users: 4, bytes: 200_000} }

// String is how a scenario is written in testdata/seeds and in SIM_REPLAY.
func (s scenario) String() string {
	text := fmt.Sprintf("%d %d %d", s.seed, s.users, s.bytes)
	if s.without != "" {
		text += " " + s.without
	}
	return text
}

func parseScenario(text string) (s scenario, err error) {
	n, err := fmt.Sscan(text, &s.seed, &s.users, &s.bytes, &s.without)
	if n >= 3 {
		err = nil
	}
	return s, err
}

func (s scenario) has(part string) bool {
	return !strings.Contains(","+s.without+",", ","+part+",")
}

// some is one of the choices, or the first if the part is left out; the dice are
// thrown either way.
func some[T any](s scenario, r *rand.Rand, part string, choices ...T) T {
	n := r.IntN(len(choices))
	if !s.has(part) {
		n = 0
	}
	return choices[n]
}

func (s scenario) cable(r *rand.Rand) Cable {
	c := Cable{
		Impair: Impair{
			Loss:    some(s, r, "loss", 0., 0, 0.01, 0.05, 0.1, 0.3),
			Dup:     some(s, r, "dup", 0., 0, 0.01, 0.1),
			Reorder: some(s, r, "reorder", 0., 0, 0.01, 0.1, 0.3),
			Corrupt: some(s, r, "corrupt", 0., 0, 0.01, 0.1),
			Delay:   some(s, r, "delay", 0, time.Millisecond, 20*time.Millisecond, 150*time.Millisecond),
			Rate:    some[int64](s, r, "rate", 0, 0, 300_000, 10_000_000),
		},
		MTU: some(s, r, "mtu", 1500, 1500, 576, 9000, 65535-14),
	}
	c.Jitter = some(s, r, "jitter", 0, 0, c.Delay/4, c.Delay)
	if queue := some(s, r, "rate", 5, 20, 100); c.Rate > 0 {
		c.Queue = queue
	}
	return c
}

// ctl are the settings of a host; those that came later are drawn from more.
func (s scenario) ctl(r, more *rand.Rand) []string {
	one := func(name string, values ...string) string {
		return name + " " + some(s, r, "knobs", values...)
	}
	return []string{
		// A call whose handshake is given up is an error of the link, not of a stack.
		"tcp.syn.retries 20", "tcp.synack.retries 20",
		one("tcp.sack", "on", "on", "off"),
		one("tcp.timestamps", "on", "on", "off"),
		one("tcp.wscale", "on", "on", "off"),
		one("tcp.cc", "cubic", "newreno"),
		one("tcp.initcwnd", "10", "1", "2", "100"),
		one("tcp.delack", "40ms", "0", "200ms", "499ms"),
		one("tcp.quickack", "16", "0"),
		one("tcp.rto.min", "200ms", "1s", "10ms"),
		one("tcp.rcvbuf", "1m", "4k", "16k", "100k"),
		one("tcp.sndbuf", "4m", "4k", "16k", "100k"),
		one("tcp.close.drain", "2s", "0", "20s"),
		one("tcp.timewait", "60s", "0", "1s"),
		"tcp.ecn " + some(s, more, "ecn", "passive", "on", "off"),
		"tcp.syncookies " + some(s, more, "cookies", "auto", "always", "off"),
	}
}

func (s scenario) plan(r, more *rand.Rand) Plan {
	p := Plan{
		Bytes:  []int{0, r.IntN(10), r.IntN(3000), r.IntN(30_000), r.IntN(200_000)}[r.IntN(5)],
		End:    some(s, r, "endings", Finish, Finish, Finish, Finish, Close, Drop, Hangup),
		Pause:  some(s, r, "pause", 0, 0, time.Millisecond, 100*time.Millisecond, 5*time.Second),
		Fickle: some(s, r, "fickle", false, true),
		Alive:  some(s, more, "alive", false, true),
		Late:   some(s, more, "late", 0, 0, time.Second, 30*time.Second),
	}
	p.Bytes = min(p.Bytes, s.bytes)
	return p
}

// How long a scenario may take, in its own time.
const (
	// healed is when the link becomes perfect: from then on it delivers.
	healed = time.Minute
	// patience is ten times what the slowest plan takes with the longest timeout.
	patience = 2 * time.Hour
	// budget is ten times the steps of the longest scenario seen.
	budget = 1_000_000
)

// A path is the way between two hosts.
type path struct {
	hosts  []*Host // the ends, and perhaps a router between
	link   *Link   // the one with impairments
	cable  Cable   // what they are
	narrow []*stack.Iface
	a, b   []netip.Addr // of the ends
}

// path is a cable, or a cable, a router and a cable that has nothing wrong.
func (s scenario) path(w *World, a, b *Host, cable Cable, more *rand.Rand) *path {
	p := &path{hosts: []*Host{a, b}, cable: cable}
	families := 1
	if cable.MTU >= wire.MinIPv6MTU && s.has("ip6") {
		families = 2
	}
	at := func(h *Host, cidrs ...string) Station { return h.At(cidrs[:families]...) }
	addrs := func(texts ...string) (out []netip.Addr) {
		for _, text := range texts[:families] {
			out = append(out, netip.MustParseAddr(text))
		}
		return out
	}
	mark, routed := some(s, more, "ecn", 0, 3), some(s, more, "router", false, false, true)
	if cable.Rate > 0 {
		p.cable.Mark = mark
	}
	p.a = addrs("10.0.0.1", "fd00::1")
	if !routed {
		p.b = addrs("10.0.0.2", "fd00::2")
		p.link = w.Link(at(a, "10.0.0.1/24", "fd00::1/64"), at(b, "10.0.0.2/24", "fd00::2/64"), p.cable)
		return p
	}
	p.b = addrs("10.0.1.2", "fd00:1::2")
	router := w.Host("router", "ip.forward on")
	p.hosts = append(p.hosts, router)
	p.link = w.Link(at(a, "10.0.0.1/24", "fd00::1/64"), at(router, "10.0.0.254/24", "fd00::fe/64"), p.cable)
	w.Link(at(router, "10.0.1.254/24", "fd00:1::fe/64"), at(b, "10.0.1.2/24", "fd00:1::2/64"), Cable{MTU: cable.MTU})
	a.Route("add 0.0.0.0 0.0.0.0 10.0.0.254")
	b.Route("add 0.0.0.0 0.0.0.0 10.0.1.254")
	if families == 2 {
		a.Route("add ::/0 fd00::fe")
		b.Route("add ::/0 fd00:1::fe")
	}
	p.narrow = []*stack.Iface{router.Iface(1), b.Iface(0)}
	return p
}

// heal has the link deliver from now on. What it is too narrow for it never
// delivers: who sends has to find that out.
func (p *path) heal() {
	p.cable.Impair = Impair{Delay: p.cable.Delay, Swallow: p.cable.Swallow}
	p.link.Impair(p.cable.Impair)
}

// weather is what happens to a path and to its hosts while they talk.
func (s scenario) weather(w *World, p *path, more *rand.Rand) {
	soon := func() time.Duration {
		return time.Duration(more.Float64() * more.Float64() * float64(30*time.Second))
	}
	least := wire.MinIPv6MTU
	if len(p.a) == 1 {
		least = 576
	}
	change := func(i *stack.Iface, mtu int) {
		if err := i.Ctl(fmt.Sprint("mtu ", min(mtu, p.cable.MTU))); err != nil {
			w.fail("%v", err)
		}
	}
	// The router's second cable becomes narrow, and it says so; later it is wide again.
	at, mtu := soon(), max(least, 500+more.IntN(1000))
	for _, i := range p.narrow {
		w.After(at, func() { change(i, mtu) })
		w.After(at+time.Minute, func() { change(i, p.cable.MTU) })
	}
	// The cable becomes narrow, and nobody says so.
	at, mtu = soon(), max(least, 500+more.IntN(1000))
	if some(s, more, "swallow", false, false, false, true) && !p.cable.whole() {
		w.After(at, func() {
			p.cable.Swallow = wire.EthernetLen + mtu
			p.link.Impair(p.cable.Impair)
		})
	}
	host, at, long := p.hosts[more.IntN(len(p.hosts))], soon(), soon()
	if some(s, more, "suspend", false, false, true) {
		w.After(at, func() { host.Suspend(long) })
	}
	host, at, long = p.hosts[more.IntN(2)], soon(), soon()
	if some(s, more, "memory", false, false, true) {
		for _, size := range []struct {
			at    time.Duration
			limit string
		}{{at, "1m"}, {at + long, "1g"}} {
			w.After(size.at, func() {
				if err := host.WriteCtl("limit.memory " + size.limit); err != nil {
					w.fail("%v", err)
				}
			})
		}
	}
}

// run plays a scenario; the digest tells two runs apart.
func (s scenario) run() (digest uint32, err error) { return s.play(nil) }

// play runs a scenario with one more rule, which is looked at in its end.
func (s scenario) play(rule func(w *World) error) (digest uint32, err error) {
	// Two sources of chance: what the first decides stays as it is for seeds that
	// were kept before there was the second.
	r, more := rand.New(rand.NewPCG(s.seed, 1<<40)), rand.New(rand.NewPCG(s.seed, 1<<41))
	w := New(s.seed)
	w.Budget = budget
	defer w.Close()
	defer func() {
		if err == nil {
			err = w.Err()
		}
		if err == nil && rule != nil {
			err = rule(w)
		}
	}()
	cable := s.cable(r)
	a, b := w.Host("a", s.ctl(r, more)...), w.Host("b", s.ctl(r, more)...)
	p := s.path(w, a, b, cable, more)
	link := p.link
	w.After(healed, func() { p.heal() })
	dark, light := time.Duration(r.Int64N(int64(20*time.Second))), time.Duration(r.Int64N(int64(20*time.Second)))
	if some(s, r, "blackout", false, false, true) {
		w.After(dark, func() { link.Impair(Impair{Loss: 1}) })
		w.After(dark+light, func() { link.Impair(p.cable.Impair) })
	}
	s.weather(w, p, more)
	users := min(1+r.IntN(4), s.users)
	var talks []*Talk
	for n := range users {
		from, to, at := a, b, p.b
		if r.IntN(2) == 0 {
			from, to, at = b, a, p.a
		}
		addr := at[0]
		if len(at) > 1 && some(s, more, "ip6", false, true) {
			addr = at[1]
		}
		talks = append(talks, w.Talk(from, to, netip.AddrPortFrom(addr, uint16(5000+n)).String(), [2]Plan{s.plan(r, more), s.plan(r, more)}))
	}
	err = w.Until(func() bool {
		for _, t := range talks {
			if !t.Done() {
				return false
			}
		}
		return true
	}, patience)
	if err != nil {
		return w.Digest(), fmt.Errorf("%w\na:\n%sb:\n%s", err, a.left(), b.left())
	}
	for _, t := range talks {
		if err := t.Err(); err != nil {
			return w.Digest(), fmt.Errorf("%w (at %v, step %d)", err, w.Now(), w.Steps)
		}
		t.End()
	}
	if err := w.Quiet(patience); err != nil {
		return w.Digest(), err
	}
	return w.Digest(), w.Empty()
}

// leaving is s without one part more.
func (s scenario) leaving(part string) scenario {
	s.without = strings.TrimPrefix(s.without+","+part, ",")
	return s
}

// shrink makes a failing scenario smaller as long as it fails: fewer users, fewer
// bytes, and whatever can be left out, until nothing can.
func (s scenario) shrink(rule func(w *World) error) scenario {
	for again := true; again; {
		again = false
		try := func(t scenario) bool {
			_, err := t.play(rule)
			if err != nil {
				s, again = t, true
			}
			return err != nil
		}
		for s.users > 1 && try(scenario{s.seed, s.users - 1, s.bytes, s.without}) {
		}
		for s.bytes > 0 && try(scenario{s.seed, s.users, s.bytes / 2, s.without}) {
		}
		for _, part := range parts {
			if s.has(part) {
				try(s.leaving(part))
			}
		}
	}
	return s
}
