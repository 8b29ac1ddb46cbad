package fs

// Names that are not in the tree's table: what was looked up in dial/, accept/
// and by-*. A look-up only makes a node; the open that follows wants the name
// back. raw.go and open.go use it.

import "sync"

// maxNames is how many names are remembered. A look-up is followed by its open
// within microseconds, so it would take that many look-ups in between for a name
// to be forgotten; then the open gets ESTALE, upon which the kernel looks the
// name up again.
const maxNames = 4096

// A name is what was looked up where.
type name struct {
	view  int
	proto proto
	file  fileCode
	text  string
}

// names is a ring: ticket t lies at t modulo maxNames, until overwritten.
type names struct {
	mu   sync.Mutex
	ring [maxNames]struct {
		ticket uint64
		name   name
	}
	last   uint64
	shared map[name]uint64
}

// add gives a name a ticket of its own.
func (t *names) add(n name) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.issue(n)
}

func (t *names) issue(n name) uint64 {
	t.last = (t.last + 1) & (1<<ticketBits - 1)
	slot := &t.ring[t.last%maxNames]
	if t.shared[slot.name] == slot.ticket {
		delete(t.shared, slot.name)
	}
	slot.ticket, slot.name = t.last, n
	return t.last
}

// share gives a name the same ticket as long as it is remembered: directories
// keep their node, so that a working directory stays where it is.
func (t *names) share(n name) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ticket, ok := t.shared[n]; ok {
		return ticket
	}
	if t.shared == nil {
		t.shared = map[name]uint64{}
	}
	ticket := t.issue(n)
	t.shared[n] = ticket
	return ticket
}

// get finds a name by its ticket.
func (t *names) get(ticket uint64) (name, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slot := &t.ring[ticket%maxNames]
	return slot.name, slot.ticket == ticket && ticket != 0
}
