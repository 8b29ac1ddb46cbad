// The datagrams that are incomplete: up calls Add for every fragment for us, and
// Tick when Deadline has come.

package reasm

import (
	"net/netip"
	"slices"
	"time"

	"slashnet/wire"
)

// A Key is what the fragments of one datagram have in common (RFC 791 §3.2).
type Key struct {
	Src, Dst netip.Addr
	Proto    wire.Proto
	ID       uint32
}

// Config are the knobs. A Table keeps the pointer: changes work from then on.
type Config struct {
	// Timeout is how long after its first fragment a datagram is given up.
	// RFC 1122 §3.3.2: between 60 and 120 s.
	Timeout time.Duration
	// MaxMemory bounds what all datagrams hold, MaxPerSource those of one source,
	// so that no single liar can keep the others out.
	MaxMemory, MaxPerSource int
	// MaxFragments bounds the pieces of one datagram, which are kept in order.
	MaxFragments int
}

// DefaultConfig are the values a host starts with.
func DefaultConfig() Config {
	return Config{
		Timeout:      60 * time.Second,
		MaxMemory:    4 << 20, // some 60 datagrams of the largest size
		MaxPerSource: 1 << 20,
		MaxFragments: 128, // 64 KiB over links of 576 bytes take 119
	}
}

const (
	// maxTotal is the most that the length field of a datagram can say: in IPv4
	// with its header, in IPv6 without (RFC 791 §3.1, RFC 8200 §3).
	maxTotal = 65535
	// maxFirst is how much of fragment 0 an ICMP error quotes: it is to have 576
	// bytes at most, IP and ICMP header included (RFC 1812 §4.3.2.3).
	maxFirst = 576 - wire.IPv4Len - 8
	// minTCP is how much of a TCP header the first fragment must have, so that
	// ports and flags are in it (RFC 1858 §3.2.1).
	minTCP = 16
	// What a datagram and a piece cost beside their bytes: the structures, their
	// share of maps and slices, the rounding of the allocator.
	datagramCost = 512
	pieceCost    = 96
)

// A Table holds the datagrams of one view that are incomplete.
type Table struct {
	cfg       *Config
	stats     Stats
	datagrams map[Key]*datagram
	sources   map[netip.Addr]*source
	age       list // all datagrams, the oldest first
	first     []byte
}

// A source is who sends fragments, and what they hold.
type source struct {
	memory int
	age    list
}

// New makes an empty table.
func New(cfg *Config) *Table {
	return &Table{
		cfg:       cfg,
		datagrams: make(map[Key]*datagram),
		sources:   make(map[netip.Addr]*source),
		age:       list{kind: ofAll},
	}
}

// Add takes a fragment: its offset, whether more follow, and its payload, which
// is copied. first, looked at if offset is 0, is its datagram from the IP header
// on, at least header and 8 bytes, for an ICMP error. When the last missing
// fragment has come, done is true and whole the payload of the datagram, the
// caller's to keep.
func (t *Table) Add(now time.Duration, key Key, offset int, more bool, payload, first []byte) (whole []byte, done bool, verdict Verdict) {
	whole, verdict = t.add(now, key, offset, more, payload, first)
	t.stats.Fragments[verdict]++
	return whole, verdict == Done, verdict
}

// First is what Add was given as first for the datagram that it has completed last:
// the header of the whole is that of fragment 0 (RFC 791 §3.2).
func (t *Table) First() []byte { return t.first }

func (t *Table) add(now time.Duration, key Key, offset int, more bool, payload, first []byte) ([]byte, Verdict) {
	if v := check(key, offset, more, payload); v != Stored {
		return nil, v
	}
	// RFC 6946 §4: a fragment that is a whole datagram has nothing to do with others.
	if offset == 0 && !more {
		t.first = first
		return slices.Clone(payload), Done
	}
	d := t.datagrams[key]
	if d == nil {
		d = t.create(now, key)
	}
	if d.fate != Stored {
		return nil, d.fate
	}
	i, v := d.place(offset, more, payload)
	switch {
	case v == Duplicate:
		return nil, v
	case v != Stored:
		t.spoil(d, v)
		return nil, v
	case len(d.pieces) >= max(t.cfg.MaxFragments, 1):
		t.spoil(d, TooMany)
		return nil, TooMany
	}
	if offset != 0 {
		first = nil
	}
	first = first[:min(len(first), maxFirst)]
	cost := pieceCost + len(payload) + len(first)
	if len(d.pieces) == 0 {
		cost += datagramCost
	}
	if !t.charge(d, cost) {
		t.remove(d)
		return nil, NoRoom
	}
	d.insert(i, offset, more, payload, first)
	if d.have != d.total {
		return nil, Stored
	}
	t.remove(d)
	t.first = d.first
	// What the header of fragment 0 has of options must fit as well.
	if headerLen(d.first)+d.total > maxTotal {
		return nil, TooBig
	}
	return d.whole(), Done
}

// check says what is wrong with a fragment on its own; Stored: nothing.
func check(key Key, offset int, more bool, payload []byte) Verdict {
	limit := maxTotal
	if key.Src.Is4() {
		limit -= wire.IPv4Len
	}
	switch {
	case offset < 0 || offset+len(payload) > limit:
		return TooBig
	case offset%8 != 0 || more && len(payload)%8 != 0 || len(payload) == 0 && (more || offset != 0):
		return Misaligned
	case key.Proto == wire.TCP && more && offset == 0 && len(payload) < minTCP:
		return Tiny // RFC 1858 §3.2.1
	case key.Proto == wire.TCP && offset > 0 && offset < minTCP:
		return Tiny // RFC 1858 §3.2.2, RFC 3128
	}
	return Stored
}

// headerLen is the length of the IPv4 header that a datagram begins with.
func headerLen(b []byte) int {
	if len(b) == 0 || b[0]>>4 != 4 {
		return 0
	}
	return int(b[0]&15) * 4
}

// create makes a datagram without pieces; it is charged with the first.
func (t *Table) create(now time.Duration, key Key) *datagram {
	s := t.sources[key.Src]
	if s == nil {
		s = &source{age: list{kind: ofSource}}
		t.sources[key.Src] = s
	}
	d := &datagram{key: key, source: s, born: now, total: unknown}
	t.datagrams[key] = d
	t.age.pushBack(d)
	s.age.pushBack(d)
	return d
}

// charge makes room for n more bytes of a datagram, at the cost of the oldest
// others, first those of its source.
func (t *Table) charge(d *datagram, n int) bool {
	for d.source.memory+n > t.cfg.MaxPerSource {
		if !t.evict(&d.source.age, d) {
			return false
		}
	}
	for t.stats.Memory+n > t.cfg.MaxMemory {
		if !t.evict(&t.age, d) {
			return false
		}
	}
	t.grow(d, n)
	return true
}

// evict removes the oldest datagram of a list but one.
func (t *Table) evict(l *list, but *datagram) bool {
	victim := l.head
	if victim == but {
		victim = but.links[l.kind].next
	}
	if victim == nil {
		return false
	}
	t.stats.Evicted++
	t.remove(victim)
	return true
}

func (t *Table) grow(d *datagram, n int) {
	d.memory += n
	d.source.memory += n
	t.stats.Memory += n
}

// spoil drops what a datagram holds and remembers, until its time is over, to
// drop the rest of it (RFC 5722 §4).
func (t *Table) spoil(d *datagram, why Verdict) {
	d.fate, d.pieces, d.have, d.first = why, nil, 0, nil
	t.grow(d, min(d.memory, datagramCost)-d.memory)
}

func (t *Table) remove(d *datagram) {
	t.grow(d, -d.memory)
	t.age.remove(d)
	d.source.age.remove(d)
	if d.source.age.head == nil {
		delete(t.sources, d.key.Src)
	}
	delete(t.datagrams, d.key)
}

// An Expired datagram was not completed in time. Its source is owed an ICMP time
// exceeded, quoting First; none if that is nil, because fragment 0 never came
// (RFC 1122 §3.3.2).
type Expired struct {
	Key   Key
	First []byte
}

// Tick gives up the datagrams whose time is over by now.
func (t *Table) Tick(now time.Duration) (expired []Expired) {
	for d := t.age.head; d != nil && d.born+t.cfg.Timeout <= now; d = t.age.head {
		t.remove(d)
		t.stats.Expired++
		// RFC 5722 §4: what was dropped on purpose is dropped silently.
		if d.fate == Stored {
			expired = append(expired, Expired{d.key, d.first})
		}
	}
	return expired
}

// Deadline is when Tick next has something to do.
func (t *Table) Deadline() (time.Duration, bool) {
	if t.age.head == nil {
		return 0, false
	}
	return t.age.head.born + t.cfg.Timeout, true
}

// Memory is what all incomplete datagrams hold.
func (t *Table) Memory() int { return t.stats.Memory }

// Stats returns the counters.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Datagrams = len(t.datagrams)
	return s
}
