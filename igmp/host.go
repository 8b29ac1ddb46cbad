// Package igmp tells routers which multicast groups an interface is in: the host's
// half of RFC 3376 (IGMP version 3), for groups from any source, and of versions 2
// and 1 (RFC 2236, RFC 1112) where a router speaks only those.
//
// Left out on purpose: lists of sources, and the half of a router.
package igmp

import (
	"net/netip"
	"slices"
	"time"

	"slashnet/wire"
)

const (
	// robustness is how often a change is reported (RFC 3376 §8.1).
	robustness = 2
	// changeEvery and changeEvery2 are the longest times between, in version 3 and
	// before (RFC 3376 §8.11, RFC 2236 §8.10).
	changeEvery  = time.Second
	changeEvery2 = 10 * time.Second
	// olderFor is how long a router of an older version is believed to be there
	// after its query (RFC 3376 §8.12, with the intervals of §8.2 and §8.3).
	olderFor = robustness*125*time.Second + 10*time.Second
	// maxRecords is how many groups a report names: they fit any MTU.
	maxRecords = 60
)

// A group that somebody is in, or that was left a moment ago.
type group struct {
	addr    netip.Addr
	members int
	changes int           // reports of the last change that are still to be sent
	next    time.Duration // when
	answer  time.Duration // when a query is to be answered; 0: none is
}

// A Host is that of one interface. Its memory is what the caller joins.
type Host struct {
	random   func() uint64
	groups   []*group
	version  int           // that the routers speak: 1, 2 or 3
	oldUntil time.Duration // when it is 3 again
}

// New makes one that is in no group but that of all hosts, which is never
// reported (RFC 3376 §5).
func New(random func() uint64) *Host { return &Host{random: random, version: 3} }

var (
	allHosts   = netip.AddrFrom4([4]byte{224, 0, 0, 1})
	allRouters = netip.AddrFrom4([4]byte{224, 0, 0, 2})
	reportsTo  = netip.AddrFrom4([4]byte{224, 0, 0, 22}) // of version 3
)

// Join enters a group; each Join wants a Leave.
func (h *Host) Join(now time.Duration, a netip.Addr) {
	if a == allHosts {
		return
	}
	h.age(now)
	g := h.find(a)
	if g == nil {
		g = &group{addr: a}
		h.groups = append(h.groups, g)
	}
	if g.members++; g.members == 1 {
		g.changes, g.next = robustness, now
	}
}

// Leave ends a Join.
func (h *Host) Leave(now time.Duration, a netip.Addr) {
	g := h.find(a)
	if g == nil || g.members == 0 {
		return
	}
	h.age(now)
	if g.members--; g.members > 0 {
		return
	}
	g.changes, g.next, g.answer = robustness, now, 0
	switch h.version {
	case 1: // RFC 1112 has no word for it
		g.changes = 0
	case 2: // RFC 2236 §6: once
		g.changes = 1
	}
	h.prune()
}

// In reports whether the interface is in a group.
func (h *Host) In(a netip.Addr) bool {
	g := h.find(a)
	return a == allHosts || g != nil && g.members > 0
}

// Groups lists what is joined, in the order in which it was.
func (h *Host) Groups() (all []netip.Addr) {
	for _, g := range h.groups {
		if g.members > 0 {
			all = append(all, g.addr)
		}
	}
	return all
}

func (h *Host) find(a netip.Addr) *group {
	if at := slices.IndexFunc(h.groups, func(g *group) bool { return g.addr == a }); at >= 0 {
		return h.groups[at]
	}
	return nil
}

// prune forgets what was left and needs no report any more.
func (h *Host) prune() {
	h.groups = slices.DeleteFunc(h.groups, func(g *group) bool { return g.members == 0 && g.changes == 0 })
}

// Input takes a message from the cable that was sent to dst.
func (h *Host) Input(now time.Duration, m wire.IGMPMessage, dst netip.Addr) {
	switch m.Type {
	case wire.IGMPQuery:
		h.query(now, m, dst)
	case wire.IGMPv1Report, wire.IGMPv2Report:
		// RFC 2236 §3: somebody else has answered for us. Version 3 has no use for it.
		if g := h.find(m.Group); g != nil && h.version < 3 {
			g.answer = 0
		}
	}
}

// query is a router's question: each group is answered for within the time it
// gives.
func (h *Host) query(now time.Duration, m wire.IGMPMessage, dst netip.Addr) {
	general := m.Group.IsUnspecified()
	// RFC 3376 §9.1: one about all groups goes to all hosts.
	if general && dst.IsMulticast() && dst != allHosts {
		return
	}
	h.age(now)
	if general && m.Version <= h.version && m.Version < 3 { // an older one stays
		h.speak(m.Version)
		h.oldUntil = now + olderFor
	}
	for _, g := range h.groups {
		if g.members == 0 || !general && m.Group != g.addr {
			continue
		}
		// RFC 3376 §5.2: what is already on its way, if sooner.
		if at := now + 1 + h.within(m.MaxResp); g.answer == 0 || at < g.answer {
			g.answer = at
		}
	}
}

// age forgets routers of older versions that have not been heard for long.
func (h *Host) age(now time.Duration) {
	if h.version < 3 && now >= h.oldUntil {
		h.speak(3)
	}
}

// speak changes the version; what was to be said in another is not (RFC 3376
// §7.2.1).
func (h *Host) speak(version int) {
	if version == h.version {
		return
	}
	h.version = version
	for _, g := range h.groups {
		g.changes, g.answer = 0, 0
	}
	h.prune()
}

// within is a time of up to most.
func (h *Host) within(most time.Duration) time.Duration {
	return time.Duration(h.random() % uint64(most+1))
}

// A Report is what there is to send: records, in version 3, or a message.
type Report struct {
	To      netip.Addr
	Records []wire.IGMPRecord
	Message wire.IGMPMessage
}

// Output returns a report that is due by now; call it until it returns none.
func (h *Host) Output(now time.Duration) (r Report, ok bool) {
	h.age(now)
	defer h.prune()
	for _, g := range h.groups {
		change := g.changes > 0 && g.next <= now
		answer := g.answer != 0 && g.answer <= now
		switch {
		case change:
			g.changes--
			g.next = now + 1 + h.within(changeEvery)
			if h.version < 3 {
				g.next = now + 1 + h.within(changeEvery2)
			}
		case answer:
			g.answer = 0
		default:
			continue
		}
		if h.version < 3 {
			return h.older(g), true
		}
		r.To = reportsTo
		r.Records = append(r.Records, wire.IGMPRecord{Type: recordType(g, change), Group: g.addr})
		if len(r.Records) == maxRecords {
			break
		}
	}
	return r, len(r.Records) > 0
}

func recordType(g *group, change bool) uint8 {
	switch {
	case !change:
		return wire.IGMPIsExclude
	case g.members > 0:
		return wire.IGMPToExclude
	}
	return wire.IGMPToInclude
}

// older is a report of version 2 or 1.
func (h *Host) older(g *group) Report {
	switch {
	case g.members == 0:
		return Report{To: allRouters, Message: wire.IGMPMessage{Type: wire.IGMPv2Leave, Group: g.addr}}
	case h.version == 2:
		return Report{To: g.addr, Message: wire.IGMPMessage{Type: wire.IGMPv2Report, Group: g.addr}}
	}
	return Report{To: g.addr, Message: wire.IGMPMessage{Type: wire.IGMPv1Report, Group: g.addr}}
}

// Deadline is when Output next has something to say.
func (h *Host) Deadline() (at time.Duration, ok bool) {
	for _, g := range h.groups {
		if g.changes > 0 && (!ok || g.next < at) {
			at, ok = g.next, true
		}
		if g.answer != 0 && (!ok || g.answer < at) {
			at, ok = g.answer, true
		}
	}
	return at, ok
}
