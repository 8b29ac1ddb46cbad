// Package mld tells routers which multicast groups an interface listens to: the
// listener's half of RFC 3810 (MLD version 2), for groups from any source, which
// is all that the stack has.
//
// Left out on purpose: lists of sources, and version 1 (RFC 3810 §8.2.1): a router
// that only speaks that one floods what it does not know.
package mld

import (
	"net/netip"
	"slices"
	"time"

	"slashnet/wire"
)

const (
	// robustness is how often a change is reported, changeEvery the longest time
	// between (RFC 3810 §9.1, §9.11).
	robustness  = 2
	changeEvery = time.Second
)

// A group that somebody listens to, or that was left a moment ago.
type group struct {
	addr    netip.Addr
	members int
	kind    uint8 // of the change to report
	changes int   // reports of it still to be sent
	next    time.Duration
	answer  time.Duration // to a query; 0: none is owed
}

// A Listener is that of one interface. Its memory is what the caller joins.
type Listener struct {
	random func() uint64
	groups []*group
}

// New makes one that listens to nothing.
func New(random func() uint64) *Listener { return &Listener{random: random} }

// reported says which groups are: not that of all nodes, nor those that stay in
// the machine (RFC 3810 §6).
func reported(a netip.Addr) bool {
	return a != netip.IPv6LinkLocalAllNodes() && !a.IsInterfaceLocalMulticast()
}

// Join listens to a group; each Join wants a Leave.
func (l *Listener) Join(now time.Duration, a netip.Addr) {
	g := l.find(a)
	if g == nil {
		g = &group{addr: a}
		l.groups = append(l.groups, g)
	}
	if g.members++; g.members == 1 {
		l.change(now, g, wire.MLDToExclude)
	}
}

// Leave ends a Join; false: there was none.
func (l *Listener) Leave(now time.Duration, a netip.Addr) bool {
	g := l.find(a)
	if g == nil || g.members == 0 {
		return false
	}
	if g.members--; g.members == 0 {
		l.change(now, g, wire.MLDToInclude)
	}
	return true
}

// Listens reports whether somebody has joined a group.
func (l *Listener) Listens(a netip.Addr) bool {
	g := l.find(a)
	return g != nil && g.members > 0
}

// Groups lists what is joined, in the order in which it was.
func (l *Listener) Groups() (all []netip.Addr) {
	for _, g := range l.groups {
		if g.members > 0 {
			all = append(all, g.addr)
		}
	}
	return all
}

func (l *Listener) find(a netip.Addr) *group {
	if at := slices.IndexFunc(l.groups, func(g *group) bool { return g.addr == a }); at >= 0 {
		return l.groups[at]
	}
	return nil
}

// change is RFC 3810 §6.1: reported at once, and again.
func (l *Listener) change(now time.Duration, g *group, kind uint8) {
	g.kind, g.changes, g.next = kind, robustness, now
	if !reported(g.addr) {
		g.changes = 0
		l.prune()
	}
}

// prune forgets what was left and needs no report any more.
func (l *Listener) prune() {
	l.groups = slices.DeleteFunc(l.groups, func(g *group) bool { return g.members == 0 && g.changes == 0 })
}

// Query is a router's question (RFC 3810 §6.2): each group is answered for
// within the time it gives.
func (l *Listener) Query(now time.Duration, m wire.MLDQueryMessage) {
	for _, g := range l.groups {
		if g.members == 0 || !reported(g.addr) || !m.Group.IsUnspecified() && m.Group != g.addr {
			continue
		}
		at := now + 1 + time.Duration(l.random()%uint64(m.MaxDelay+1))
		if g.answer == 0 || at < g.answer {
			g.answer = at
		}
	}
}

// Output returns the records of a report that is due by now, at most max of them;
// call it until it returns none.
func (l *Listener) Output(now time.Duration, max int) (records []wire.MLDRecord) {
	for _, g := range l.groups {
		if len(records) >= max {
			break
		}
		switch {
		case g.changes > 0 && g.next <= now:
			records = append(records, wire.MLDRecord{Kind: g.kind, Group: g.addr})
			g.changes--
			g.next = now + 1 + time.Duration(l.random()%uint64(changeEvery))
		case g.answer != 0 && g.answer <= now:
			records = append(records, wire.MLDRecord{Kind: wire.MLDIsExclude, Group: g.addr})
			g.answer = 0
		}
	}
	l.prune()
	return records
}

// Deadline is when Output next has something to say.
func (l *Listener) Deadline() (at time.Duration, ok bool) {
	earlier := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	for _, g := range l.groups {
		if g.changes > 0 {
			earlier(g.next)
		}
		if g.answer != 0 {
			earlier(g.answer)
		}
	}
	return at, ok
}
