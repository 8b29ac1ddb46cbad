package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
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
var parts = []string{"loss", "dup", "reorder", "corrupt", "rate", "jitter", "delay", "blackout", "mtu", "knobs", "fickle", "pause", "endings"}

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

// ctl are the settings of a host.
func (s scenario) ctl(r *rand.Rand) []string {
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
	}
}

func (s scenario) plan(r *rand.Rand) Plan {
	p := Plan{
		Bytes:  []int{0, r.IntN(10), r.IntN(3000), r.IntN(30_000), r.IntN(200_000)}[r.IntN(5)],
		End:    some(s, r, "endings", Finish, Finish, Finish, Finish, Close, Drop, Hangup),
		Pause:  some(s, r, "pause", 0, 0, time.Millisecond, 100*time.Millisecond, 5*time.Second),
		Fickle: some(s, r, "fickle", false, true),
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

// run plays a scenario; the digest tells two runs apart.
func (s scenario) run() (digest uint32, err error) {
	r := rand.New(rand.NewPCG(s.seed, 1<<40))
	w := New(s.seed)
	w.Budget = budget
	defer w.Close()
	defer func() {
		if err == nil {
			err = w.Err()
		}
	}()
	cable := s.cable(r)
	a, b := w.Host("a", s.ctl(r)...), w.Host("b", s.ctl(r)...)
	link := w.Link(a.At("10.0.0.1/24"), b.At("10.0.0.2/24"), cable)
	w.After(healed, func() { link.Impair(Impair{Delay: cable.Delay}) })
	dark, light := time.Duration(r.Int64N(int64(20*time.Second))), time.Duration(r.Int64N(int64(20*time.Second)))
	if some(s, r, "blackout", false, false, true) {
		w.After(dark, func() { link.Impair(Impair{Loss: 1}) })
		w.After(dark+light, func() { link.Impair(cable.Impair) })
	}
	users := min(1+r.IntN(4), s.users)
	var talks []*Talk
	for n := range users {
		from, to, addr := a, b, "10.0.0.2"
		if r.IntN(2) == 0 {
			from, to, addr = b, a, "10.0.0.1"
		}
		talks = append(talks, w.Talk(from, to, fmt.Sprintf("%s:%d", addr, 5000+n), [2]Plan{s.plan(r), s.plan(r)}))
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

// shrink makes a failing scenario smaller as long as it fails.
func (s scenario) shrink() scenario {
	fails := func(s scenario) bool {
		_, err := s.run()
		return err != nil
	}
	for _, part := range parts {
		t := s
		t.without = strings.TrimPrefix(t.without+","+part, ",")
		if fails(t) {
			s = t
		}
	}
	for s.users > 1 {
		t := s
		t.users--
		if !fails(t) {
			break
		}
		s = t
	}
	for s.bytes > 0 {
		t := s
		t.bytes /= 2
		if !fails(t) {
			break
		}
		s = t
	}
	return s
}
