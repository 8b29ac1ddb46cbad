package main

// What is measured: one row each.

import (
	"fmt"
	"slices"
	"strings"
)

// A measure is a load and the paths that it is laid on, the kernel's first where
// there is something to compare with.
type measure struct {
	name  string
	paths []string
	// run is one round on one path.
	run func(p *path, s sizes) ([]reading, error)
	// fresh measures want processes that have done nothing before, and one round.
	fresh bool
}

// sizes are how much is done in a round.
type sizes struct {
	bytes       int64 // of bulk
	trips       int   // round trips
	connections int   // connect and close
}

// At the kernel's speed a round takes a fifth of a second to half of one.
var (
	fullSizes  = sizes{bytes: 1 << 30, trips: 10_000, connections: 4_000}
	quickSizes = sizes{bytes: 1 << 29, trips: 5_000, connections: 2_000}
)

// smaller is for the round before the first, which is not counted.
func (s sizes) smaller() sizes {
	return sizes{bytes: s.bytes / 4, trips: s.trips / 4, connections: s.connections / 4}
}

// idle is how many connections are open at once when memory is measured.
const idle = 10_000

// catPiece is the file that cat reads, several times over: in the page cache,
// and no burden to a small machine.
const catPiece = 64 << 20

// subject is set beside its rivals as well as beside the kernel.
const subject = "inproc"

var rivals = map[string]bool{"gvisor": true, "gvisor-nic": true}

// slow paths carry a part of the bytes, so that a round takes no longer.
var slow = map[string]int64{"gvisor": 16}

var (
	byGo    = []string{"kernel", "inproc", "gvisor", "gvisor-nic"}
	byFiles = []string{"kernel", "files"}
)

var measures = []measure{
	{name: "bulk-to-1", paths: byGo, run: bulk(true, 1)},
	{name: "bulk-from-1", paths: byGo, run: bulk(false, 1)},
	{name: "bulk-to-16", paths: byGo, run: bulk(true, 16)},
	{name: "bulk-from-16", paths: byGo, run: bulk(false, 16)},
	{name: "rtt-1", paths: byGo, run: rtt("rtt", 1)},
	{name: "rtt-1024", paths: byGo, run: rtt("rtt", 1024)},
	{name: "rtt-1-core", paths: byGo, run: oneCore(rtt("rtt", 1))},
	{name: "active-1", paths: byGo, run: connect(true, 1)},
	{name: "active-16", paths: byGo, run: connect(true, 16)},
	{name: "passive-1", paths: byGo, run: connect(false, 1)},
	{name: "passive-16", paths: byGo, run: connect(false, 16)},
	{name: "dd-1m-to", paths: byFiles, run: program(true, dd("if=/dev/zero", 1<<20))},
	{name: "dd-1m-from", paths: byFiles, run: program(false, dd("of=/dev/null", 1<<20))},
	{name: "dd-128k-to", paths: byFiles, run: program(true, dd("if=/dev/zero", 128<<10))},
	{name: "dd-128k-from", paths: byFiles, run: program(false, dd("of=/dev/null", 128<<10))},
	{name: "cat-to", paths: byFiles, run: program(true, catFile)},
	{name: "cat-from", paths: byFiles, run: program(false, catStream)},
	{name: "fdrtt-1", paths: byFiles, run: rtt("fdrtt", 1)},
	{name: "fdrtt-1-core", paths: byFiles, run: oneCore(rtt("fdrtt", 1))},
	{name: "idle", paths: []string{"inproc"}, run: idleHeap, fresh: true},
	{name: "idle", paths: []string{"files"}, run: idleTree, fresh: true},
}

// selected are the measures of that name, else those with it in their name; the
// name of a path may stand before, as in files/rtt.
func selected(only string) []measure {
	some := matching(func(name string) bool { return name == only })
	if some == nil {
		some = matching(func(name string) bool { return strings.Contains(name, only) })
	}
	return some
}

func matching(fits func(name string) bool) (some []measure) {
	for _, m := range measures {
		if fits(m.name) || slices.ContainsFunc(m.paths, func(p string) bool { return fits(p + "/" + m.name) }) {
			some = append(some, m)
		}
	}
	return some
}

func allNames() string {
	var names []string
	for _, m := range measures {
		names = append(names, m.paths[len(m.paths)-1]+"/"+m.name)
	}
	return strings.Join(names, " ")
}

// rate turns the seconds that bytes took into what is read off, with the CPU
// seconds for each GB of the two sides.
func rate(bytes int64, p *path, do func() (outcome, error)) ([]reading, error) {
	before := p.spent()
	o, err := do()
	if err != nil {
		return nil, err
	}
	after := p.spent()
	gb := float64(bytes) / 1e9
	readings := []reading{
		{"", "Gbit/s", gb * 8 / o.Seconds},
		{"cpu", "s/GB", (after.here - before.here + o.Child) / gb},
		{"cpu-peer", "s/GB", (after.peer - before.peer) / gb},
	}
	return readings, nil
}

// spent is the CPU time that both sides have used: the client's program, and
// with it the stack or the daemon.
type spent struct{ here, peer float64 }

func (p *path) spent() spent {
	s := spent{here: p.client.cpu().Seconds(), peer: p.peer.cpu().Seconds()}
	if p.daemon != nil {
		s.here += p.daemon.cpu().Seconds()
	}
	return s
}

// bulk moves bytes with Go's Read and Write.
func bulk(to bool, streams int) func(*path, sizes) ([]reading, error) {
	return func(p *path, s sizes) ([]reading, error) {
		bytes := s.bytes / max(1, slow[p.name])
		return rate(bytes, p, func() (outcome, error) {
			return p.client.do(job{Load: "bulk", Addr: peerAddr, To: to, Bytes: bytes, Par: streams})
		})
	}
}

// program moves bytes with a program whose input or output is the connection.
func program(to bool, argv func(sizes) []string) func(*path, sizes) ([]reading, error) {
	return func(p *path, s sizes) ([]reading, error) {
		return rate(s.bytes, p, func() (outcome, error) {
			return p.client.do(job{Load: "program", Addr: peerAddr, To: to, Bytes: s.bytes, Argv: argv(s)})
		})
	}
}

// dd copies blocks of a size; input ends by itself.
func dd(file string, block int64) func(sizes) []string {
	return func(s sizes) []string {
		argv := []string{"dd", "status=none", file, fmt.Sprintf("bs=%d", block)}
		if strings.HasPrefix(file, "if=") {
			argv = append(argv, fmt.Sprintf("count=%d", s.bytes/block))
		}
		return argv
	}
}

// catFile is cat of a file to the connection.
func catFile(s sizes) []string {
	argv := []string{"cat"}
	for range s.bytes / catPiece {
		argv = append(argv, catPath)
	}
	return argv
}

// catStream is cat of the connection. Its output is nobody's: /dev/null.
func catStream(sizes) []string { return []string{"cat"} }

// rtt measures round trips.
func rtt(load string, size int) func(*path, sizes) ([]reading, error) {
	return func(p *path, s sizes) ([]reading, error) {
		o, err := p.client.do(job{Load: load, Addr: peerAddr, Size: size, Count: s.trips})
		return []reading{{"p50", "us", o.P50}, {"p99", "us", o.P99}}, err
	}
}

// oneCore has all processes of a path share one core: no wake-up crosses cores,
// so what is measured is work alone, and hardly moves from run to run.
func oneCore(run func(*path, sizes) ([]reading, error)) func(*path, sizes) ([]reading, error) {
	return func(p *path, s sizes) ([]reading, error) {
		free, err := p.confine()
		if err != nil {
			return nil, err
		}
		defer free()
		return run(p, s)
	}
}

// connect measures how many connections a second are opened and closed, by our
// side or towards it.
func connect(active bool, par int) func(*path, sizes) ([]reading, error) {
	return func(p *path, s sizes) ([]reading, error) {
		from, addr := p.client, peerAddr
		if !active {
			from, addr = p.peer, ourAddr
		}
		o, err := from.do(job{Load: "connect", Addr: addr, Count: s.connections, Par: par})
		return []reading{{"", "/s", float64(s.connections) / o.Seconds}}, err
	}
}

// idleHeap is what a connection costs in Go's heap, with its net.Conn.
func idleHeap(p *path, _ sizes) ([]reading, error) {
	o, err := p.client.do(job{Load: "hold", Addr: peerAddr, Count: idle})
	return []reading{{"heap", "KiB", o.Memory / 1024}}, err
}

// idleTree is what a connection costs the daemon, and how long it takes to list
// them all: once, and then again.
func idleTree(p *path, _ sizes) ([]reading, error) {
	before, err := p.daemon.resident()
	if err != nil {
		return nil, err
	}
	if _, err := p.client.do(job{Load: "clones", Addr: peerAddr, Count: idle}); err != nil {
		return nil, err
	}
	after, err := p.daemon.resident()
	if err != nil {
		return nil, err
	}
	readings := []reading{{"rss", "KiB", (after - before) / idle / 1024}}
	ls := func() (float64, error) {
		o, err := p.client.do(job{Load: "list", Count: idle, Argv: []string{"ls"}})
		return o.Seconds * 1e3, err
	}
	cold, err := ls()
	if err != nil {
		return nil, err
	}
	var warm []float64
	for range 7 {
		ms, err := ls()
		if err != nil {
			return nil, err
		}
		warm = append(warm, ms)
	}
	median, _, _ := middle(warm)
	return append(readings, reading{"ls-cold", "ms", cold}, reading{"ls-warm", "ms", median}), nil
}
