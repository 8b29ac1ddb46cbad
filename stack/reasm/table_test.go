package reasm

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"slashnet/wire"
)

var (
	alice = netip.MustParseAddr("10.0.0.1")
	bob   = netip.MustParseAddr("10.0.0.2")
)

func udp(id uint32) Key { return Key{Src: alice, Dst: bob, Proto: wire.UDP, ID: id} }
func tcp(id uint32) Key { return Key{Src: alice, Dst: bob, Proto: wire.TCP, ID: id} }

// text gives n bytes that differ from one another and by salt.
func text(n int, salt byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ salt
	}
	return b
}

func newTable() (*Table, *Config) {
	cfg := DefaultConfig()
	return New(&cfg), &cfg
}

// A step is a fragment of one datagram and what is to become of it.
type step struct {
	offset, n int
	more      bool
	salt      byte
	want      Verdict
}

func TestVerdicts(t *testing.T) {
	big := 65515 // the most that fits behind an IPv4 header
	for _, test := range []struct {
		name  string
		key   Key
		steps []step
	}{
		{"in order", udp(1), []step{{0, 8, true, 0, Stored}, {8, 8, true, 0, Stored}, {16, 3, false, 0, Done}}},
		{"in reverse", udp(1), []step{{16, 3, false, 0, Stored}, {8, 8, true, 0, Stored}, {0, 8, true, 0, Done}}},
		{"hole filled last", udp(1), []step{{0, 8, true, 0, Stored}, {16, 1, false, 0, Stored}, {8, 8, true, 0, Done}}},
		{"unfragmented", udp(1), []step{{0, 5, false, 0, Done}}},
		{"unfragmented and empty", udp(1), []step{{0, 0, false, 0, Done}}},
		{"unfragmented beside fragments", udp(1), []step{{8, 8, false, 0, Stored}, {0, 4, false, 0, Done}, {0, 8, true, 0, Done}}},
		{"exact duplicates", udp(1), []step{{8, 1, false, 0, Stored}, {8, 1, false, 0, Duplicate}, {0, 8, true, 0, Done}}},
		{"duplicate with other bytes", udp(1), []step{{0, 8, true, 0, Stored}, {0, 8, true, 1, Overlap}, {8, 8, false, 0, Overlap}}},
		{"duplicate without more", udp(1), []step{{8, 8, true, 0, Stored}, {8, 8, false, 0, Overlap}}},
		{"duplicate of the last with more", udp(1), []step{{8, 8, false, 0, Stored}, {8, 8, true, 0, Overlap}}},
		{"teardrop", udp(1), []step{{0, 32, true, 0, Stored}, {24, 4, false, 0, Overlap}, {32, 4, false, 0, Overlap}}},
		{"overlap from below", udp(1), []step{{24, 8, true, 0, Stored}, {16, 16, true, 0, Overlap}}},
		{"overlap that contains", udp(1), []step{{16, 8, true, 0, Stored}, {8, 24, true, 0, Overlap}}},
		{"overlap that is contained", udp(1), []step{{8, 24, true, 0, Stored}, {16, 8, true, 0, Overlap}}},
		{"prefix of a piece", udp(1), []step{{0, 24, true, 0, Stored}, {0, 8, true, 0, Overlap}}},
		{"behind the end", udp(1), []step{{8, 8, false, 0, Stored}, {24, 8, true, 0, BadEnd}, {0, 8, true, 0, BadEnd}}},
		{"right behind the end", udp(1), []step{{8, 8, false, 0, Stored}, {16, 8, true, 0, BadEnd}}},
		{"end before what is here", udp(1), []step{{24, 8, true, 0, Stored}, {8, 8, false, 0, BadEnd}}},
		{"two ends", udp(1), []step{{24, 8, false, 0, Stored}, {8, 8, false, 0, BadEnd}}},
		{"more reaches the end", udp(1), []step{{24, 8, false, 0, Stored}, {8, 24, true, 0, Overlap}}},
		{"ping of death", udp(1), []step{{65528, 100, false, 0, TooBig}}},
		{"longest", udp(1), []step{{65512, 3, false, 0, Stored}}},
		{"longest and one", udp(1), []step{{65512, 4, false, 0, TooBig}}},
		{"whole and too long", udp(1), []step{{0, big + 1, false, 0, TooBig}}},
		{"negative", udp(1), []step{{-8, 8, true, 0, TooBig}}},
		{"odd length", udp(1), []step{{0, 9, true, 0, Misaligned}, {0, 8, true, 0, Stored}}},
		{"odd offset", udp(1), []step{{4, 8, true, 0, Misaligned}}},
		{"empty", udp(1), []step{{8, 0, true, 0, Misaligned}, {8, 0, false, 0, Misaligned}, {0, 0, true, 0, Misaligned}}},
		{"tiny first of TCP", tcp(1), []step{{0, 8, true, 0, Tiny}}},
		{"flags in the second of TCP", tcp(1), []step{{8, 24, false, 0, Tiny}}},
		{"small first of TCP", tcp(1), []step{{0, 16, true, 0, Stored}, {16, 4, false, 0, Done}}},
		{"last piece of TCP may be tiny", tcp(1), []step{{0, 24, true, 0, Stored}, {24, 1, false, 0, Done}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			table, _ := newTable()
			bytesOf := [2][]byte{text(1<<17, 0), text(1<<17, 1)}
			for i, s := range test.steps {
				lo := max(s.offset, 0)
				b, done, got := table.Add(0, test.key, s.offset, s.more, bytesOf[s.salt][lo:lo+s.n], nil)
				if got != s.want || done != (s.want == Done) {
					t.Fatalf("fragment %d: %v, %v; want %v", i, got, done, s.want)
				}
				if done && !bytes.Equal(b, bytesOf[0][:len(b)]) {
					t.Fatalf("fragment %d: wrong bytes", i)
				}
				if table.stats.Fragments[got] == 0 {
					t.Fatalf("%v is not counted", got)
				}
			}
			audit(t, table)
		})
	}
}

func TestTooManyFragments(t *testing.T) {
	table, cfg := newTable()
	cfg.MaxFragments = 3
	for i := range 4 {
		want := Stored
		if i == 3 {
			want = TooMany
		}
		if _, _, v := table.Add(0, udp(1), i*16, true, text(8, 0), nil); v != want {
			t.Fatalf("fragment %d: %v, want %v", i, v, want)
		}
	}
	if m := table.Stats().Memory; m > datagramCost {
		t.Fatalf("a dropped datagram holds %d bytes", m)
	}
	audit(t, table)
}

// The header of fragment 0 may have options, which count too.
func TestTooBigWithOptions(t *testing.T) {
	const size = 65512
	for _, test := range []struct {
		header byte
		want   Verdict
	}{{0x45, Done}, {0x46, TooBig}} {
		table, _ := newTable()
		b := text(size, 0)
		table.Add(0, udp(1), 32768, false, b[32768:], nil)
		first := append(make([]byte, 20), b[:8]...)
		first[0] = test.header
		if _, _, v := table.Add(0, udp(1), 0, true, b[:32768], first); v != test.want {
			t.Errorf("header %#x: %v, want %v", test.header, v, test.want)
		}
		audit(t, table)
	}
}

func TestKeysAreApart(t *testing.T) {
	table, _ := newTable()
	keys := []Key{udp(1), udp(2), {alice, bob, wire.ICMP, 1}, {bob, alice, wire.UDP, 1}, {alice, alice, wire.UDP, 1}}
	for i, k := range keys {
		table.Add(0, k, 0, true, text(8, byte(i)), nil)
	}
	for i, k := range keys {
		b, done, _ := table.Add(0, k, 8, false, []byte{1}, nil)
		if !done || !bytes.Equal(b, append(text(8, byte(i)), 1)) {
			t.Errorf("%v: %v %x", k, done, b)
		}
	}
	if s := table.Stats(); s.Datagrams != 0 || s.Memory != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestExpiry(t *testing.T) {
	table, _ := newTable()
	if _, ok := table.Deadline(); ok {
		t.Error("an empty table has a deadline")
	}
	first := text(1000, 7)
	table.Add(time.Second, udp(1), 0, true, text(8, 0), first)
	table.Add(2*time.Second, udp(2), 8, true, text(8, 0), first)
	table.Add(3*time.Second, udp(3), 0, true, text(8, 0), first)
	table.Add(3*time.Second, udp(3), 0, true, text(8, 1), first) // overlap
	table.Add(50*time.Second, udp(1), 16, true, text(8, 0), nil) // does not extend the time
	first[0]++                                                   // it was copied
	if at, ok := table.Deadline(); !ok || at != 61*time.Second {
		t.Fatalf("deadline %v %v", at, ok)
	}
	if e := table.Tick(61*time.Second - 1); e != nil {
		t.Fatalf("too early: %v", e)
	}
	e := table.Tick(61 * time.Second)
	if len(e) != 1 || e[0].Key != udp(1) || !bytes.Equal(e[0].First, text(1000, 7)[:maxFirst]) {
		t.Fatalf("expired %v", e)
	}
	// RFC 1122 §3.3.2: nothing to quote if fragment 0 never came. RFC 5722: and
	// silence about the third.
	e = table.Tick(100 * time.Second)
	if len(e) != 1 || e[0].Key != udp(2) || e[0].First != nil {
		t.Fatalf("expired %v", e)
	}
	if s := table.Stats(); s.Expired != 3 || s.Memory != 0 || s.Datagrams != 0 {
		t.Fatalf("stats %+v", s)
	}
	audit(t, table)
}

func TestOldestMakesRoom(t *testing.T) {
	table, cfg := newTable()
	cfg.MaxMemory = 4 * (datagramCost + pieceCost + 1000)
	cfg.MaxPerSource = cfg.MaxMemory
	for id := range uint32(5) {
		table.Add(time.Duration(id), udp(id), 1000, true, text(1000, 0), nil)
	}
	if table.datagrams[udp(0)] != nil || len(table.datagrams) != 4 || table.stats.Evicted != 1 {
		t.Fatalf("%d datagrams, %+v", len(table.datagrams), table.stats)
	}
	// A datagram that alone needs more than there is goes itself, in the end.
	cfg.MaxMemory = 3000
	for offset := 0; ; offset += 1000 {
		if _, _, v := table.Add(9, udp(9), offset, true, text(1000, 0), nil); v == NoRoom {
			break
		} else if v != Stored {
			t.Fatalf("at %d: %v", offset, v)
		}
	}
	if table.stats.Memory != 0 {
		t.Fatalf("%d bytes held", table.stats.Memory)
	}
	audit(t, table)
}

// The oldest itself grows at the cost of the next.
func TestOldestGrows(t *testing.T) {
	table, cfg := newTable()
	cfg.MaxMemory = 3 * (datagramCost + pieceCost + 1000)
	for id := range uint32(3) {
		table.Add(time.Duration(id), udp(id), 1000, true, text(1000, 0), nil)
	}
	_, _, v := table.Add(3, udp(0), 2000, true, text(1000, 0), nil)
	if v != Stored || table.datagrams[udp(0)] == nil || table.datagrams[udp(1)] != nil || table.datagrams[udp(2)] == nil {
		t.Fatalf("%v, %d datagrams, %+v", v, len(table.datagrams), table.stats)
	}
	audit(t, table)
}

// One source that sends without end takes the place of its own datagrams only.
func TestSourceBound(t *testing.T) {
	table, cfg := newTable()
	quiet := Key{bob, alice, wire.UDP, 1}
	table.Add(0, quiet, 0, true, text(8, 0), nil)
	for id := range uint32(3000) {
		table.Add(1, udp(id), 0, true, text(1000, 0), nil)
		if m := table.sources[alice].memory; m > cfg.MaxPerSource {
			t.Fatalf("the source holds %d bytes", m)
		}
	}
	if _, done, _ := table.Add(2, quiet, 8, false, text(8, 0), nil); !done {
		t.Fatal("the other source's datagram is lost")
	}
	audit(t, table)
}

func TestVerdictNames(t *testing.T) {
	seen := map[string]bool{}
	for v := range verdicts {
		if v.String() == "" || seen[v.String()] {
			t.Errorf("verdict %d has no name of its own", v)
		}
		seen[v.String()] = true
	}
}

// audit checks that the sums and lists of a table agree with its datagrams.
func audit(t interface{ Fatalf(string, ...any) }, table *Table) {
	memory, perSource := 0, map[netip.Addr]int{}
	for k, d := range table.datagrams {
		cost, have := 0, 0
		if len(d.pieces) > 0 || d.fate != Stored {
			cost = datagramCost + len(d.first)
		}
		for i, p := range d.pieces {
			cost += pieceCost + len(p.data)
			have += len(p.data)
			if i > 0 && d.pieces[i-1].end() > p.offset {
				t.Fatalf("%v: pieces overlap", k)
			}
		}
		if cost != d.memory || have != d.have || k != d.key || cost == 0 {
			t.Fatalf("%v: charged %d for %d, has %d of %d bytes", k, d.memory, cost, d.have, have)
		}
		memory += cost
		perSource[k.Src] += cost
	}
	if memory != table.stats.Memory || memory > table.cfg.MaxMemory {
		t.Fatalf("memory %d counted as %d, bound %d", memory, table.stats.Memory, table.cfg.MaxMemory)
	}
	if len(perSource) != len(table.sources) {
		t.Fatalf("%d sources, not %d", len(table.sources), len(perSource))
	}
	n := 0
	for src, s := range table.sources {
		if s.memory != perSource[src] || s.memory > table.cfg.MaxPerSource {
			t.Fatalf("%v: memory %d counted as %d", src, perSource[src], s.memory)
		}
		for d := s.age.head; d != nil; d = d.links[ofSource].next {
			n++
		}
	}
	for d := table.age.head; d != nil; d = d.links[ofAll].next {
		n++
		if next := d.links[ofAll].next; next != nil && next.born < d.born {
			t.Fatalf("the list of age is not in order")
		}
	}
	if n != 2*len(table.datagrams) {
		t.Fatalf("%d in the lists, want twice %d", n, len(table.datagrams))
	}
}
