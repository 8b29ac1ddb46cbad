package reasm

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"slashnet/wire"
)

type fragment struct {
	key    Key
	offset int
	more   bool
	data   []byte
}

// cut draws a way to fragment a datagram.
func cut(t *rapid.T, key Key, b []byte) (all []fragment) {
	for offset := 0; offset < len(b); {
		n := 8 * rapid.IntRange(2, 1+len(b)/16).Draw(t, "eighths")
		end := min(offset+n, len(b))
		all = append(all, fragment{key, offset, end < len(b), b[offset:end]})
		offset = end
	}
	return all
}

// However the fragments of some datagrams are cut, repeated and mixed, the same
// bytes come out, once for each datagram.
func TestAnyOrder(t *testing.T) { rapid.Check(t, anyOrder) }

func anyOrder(t *rapid.T) {
	var sent []fragment
	want := map[Key][]byte{}
	for id := range uint32(rapid.IntRange(1, 4).Draw(t, "datagrams")) {
		key := rapid.SampledFrom([]Key{udp(id), tcp(id)}).Draw(t, "key")
		b := rapid.SliceOfN(rapid.Byte(), 17, 600).Draw(t, "payload")
		want[key] = b
		sent = append(sent, cut(t, key, b)...)
	}
	sent = rapid.Permutation(sent).Draw(t, "order")

	table, _ := newTable()
	got := map[Key][]byte{}
	for i, f := range sent {
		// Repeat some that came before, of datagrams that are not done yet.
		if again := sent[rapid.IntRange(0, i).Draw(t, "again")]; again.offset != f.offset && got[again.key] == nil {
			if _, _, v := table.Add(0, again.key, again.offset, again.more, again.data, nil); v != Duplicate {
				t.Fatalf("duplicate of %d+%d: %v", again.offset, len(again.data), v)
			}
		}
		payload := bytes.Clone(f.data)
		b, done, v := table.Add(0, f.key, f.offset, f.more, payload, nil)
		clear(payload) // it was copied
		if v != Stored && v != Done {
			t.Fatalf("%d+%d: %v", f.offset, len(f.data), v)
		}
		if done {
			if got[f.key] != nil {
				t.Fatalf("%v is done twice", f.key)
			}
			got[f.key] = b
		}
		audit(t, table)
	}
	for key, b := range want {
		if !bytes.Equal(got[key], b) {
			t.Fatalf("%v: got %x, want %x", key, got[key], b)
		}
	}
	if len(table.datagrams) != 0 {
		t.Fatalf("%d datagrams left", len(table.datagrams))
	}
}

// Under a flood of random fragments memory stays within its bounds, and what a
// table believes about itself is true.
func TestFlood(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	cfg := DefaultConfig()
	cfg.MaxMemory, cfg.MaxPerSource, cfg.MaxFragments = 200_000, 80_000, 16
	table := New(&cfg)
	now := time.Duration(0)
	for i := range 30_000 {
		now += time.Duration(r.IntN(int(20 * time.Millisecond)))
		if i%5000 == 0 {
			now += cfg.Timeout // silence
		}
		key := Key{
			Src:   netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(6))}),
			Proto: []wire.Proto{wire.UDP, wire.TCP}[r.IntN(2)],
			ID:    uint32(r.IntN(100)),
		}
		n := 8 * r.IntN(180)
		if r.IntN(10) == 0 {
			n = r.IntN(9000)
		}
		table.Add(now, key, 8*r.IntN(1+r.IntN(8192)), r.IntN(4) > 0, make([]byte, n), make([]byte, 28))
		table.Tick(now)
		if m := table.stats.Memory; m > cfg.MaxMemory {
			t.Fatalf("%d bytes held", m)
		}
		if i%100 == 0 {
			audit(t, table)
		}
	}
	for _, v := range []Verdict{Stored, Done, Overlap, BadEnd, TooBig, Misaligned, Tiny} {
		if table.stats.Fragments[v] == 0 {
			t.Errorf("the flood had no %v", v)
		}
	}
	if table.stats.Evicted == 0 || table.stats.Expired == 0 {
		t.Errorf("the flood was too small: %+v", table.stats)
	}
	table.Tick(now + cfg.Timeout)
	if s := table.Stats(); s.Memory != 0 || s.Datagrams != 0 || len(table.sources) != 0 {
		t.Errorf("left over: %+v", s)
	}
}

// A naive is the oracle: it keeps whole fragments in a row and looks at all of
// them each time.
type naive map[Key]*heap

type heap struct {
	fragments []fragment
	doomed    Verdict
}

func (n naive) add(f fragment) ([]byte, Verdict) {
	if !f.more && f.offset == 0 {
		return f.data, Done
	}
	h := n[f.key]
	if h == nil {
		h = &heap{}
		n[f.key] = h
	}
	if h.doomed != Stored {
		return nil, h.doomed
	}
	end := f.offset + len(f.data)
	for _, g := range h.fragments {
		if g.offset == f.offset && g.more == f.more && bytes.Equal(g.data, f.data) {
			return nil, Duplicate
		}
	}
	for _, g := range h.fragments {
		if g.offset < end && f.offset < g.offset+len(g.data) {
			h.doomed = Overlap
			return nil, Overlap
		}
	}
	for _, g := range h.fragments {
		if !g.more && (!f.more || end > g.offset) || !f.more && g.offset > f.offset {
			h.doomed = BadEnd
			return nil, BadEnd
		}
	}
	h.fragments = append(h.fragments, f)
	// Walk from the front as long as there is a fragment that goes on.
	var whole []byte
	for i := 0; i < len(h.fragments); i++ {
		if g := h.fragments[i]; g.offset == len(whole) {
			whole = append(whole, g.data...)
			if !g.more {
				delete(n, f.key)
				return whole, Done
			}
			i = -1
		}
	}
	return nil, Stored
}

// FuzzAgainstNaive reads its input as fragments of four bytes: which datagram and
// which variant of its bytes, offset, length, whether more follow.
func FuzzAgainstNaive(f *testing.F) {
	f.Add([]byte{0, 0, 1, 1, 0, 1, 1, 1, 0, 2, 5, 0})                 // in order
	f.Add([]byte{0, 2, 5, 0, 0, 1, 1, 1, 0, 0, 1, 1})                 // in reverse
	f.Add([]byte{0, 0, 4, 1, 0, 3, 4, 0, 0, 4, 4, 0})                 // teardrop
	f.Add([]byte{0, 0, 1, 1, 4, 0, 1, 1, 0, 1, 1, 0})                 // rewritten
	f.Add([]byte{1, 3, 1, 0, 1, 5, 1, 1})                             // behind the end
	f.Add([]byte{0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0})     // two datagrams
	f.Add([]byte{2, 1, 1, 0, 2, 1, 1, 0, 2, 0, 1, 1, 2, 0, 255, 0})   // duplicate; whole
	f.Add([]byte{0, 255, 255, 1, 0, 254, 1, 1, 0, 253, 1, 1, 0, 252}) // far out
	texts := [2][]byte{text(4096, 0), text(4096, 1)}
	f.Fuzz(func(t *testing.T, input []byte) {
		table, cfg := newTable()
		cfg.MaxFragments = 1 << 16 // the oracle has no limits
		cfg.MaxMemory, cfg.MaxPerSource = 1<<30, 1<<30
		oracle := naive{}
		input = input[:min(len(input), 400)]
		for ; len(input) >= 4; input = input[4:] {
			offset, n, more := int(input[1])*8, int(input[2]%32)*8, input[3]&1 == 1
			if !more {
				n += int(input[3] >> 1 & 7)
			}
			frag := fragment{udp(uint32(input[0] % 4)), offset, more, texts[input[0]>>2&1][offset:][:n]}
			got, done, verdict := table.Add(0, frag.key, offset, more, frag.data, nil)
			if verdict == Misaligned && n == 0 {
				continue
			}
			want, wantVerdict := oracle.add(frag)
			if verdict != wantVerdict || !bytes.Equal(got, want) || done != (verdict == Done) {
				t.Fatalf("%d+%d more %v: %v %x, want %v %x", offset, n, more, verdict, got, wantVerdict, want)
			}
			audit(t, table)
		}
	})
}
