package ndp

// What an interface does for itself (RFC 4862): a link-local address, and an
// address for each prefix that routers tell of. The stack calls Start and Listen,
// gives it what comes from the cable, sends what Output says, and does what Event
// tells.

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"slashnet/wire"
)

// Forever is a lifetime that does not end, as a point in time.
const Forever = time.Duration(1<<63 - 1)

const (
	// RFC 4861 §10.
	routerSolicitations = 3
	solicitationEvery   = 4 * time.Second
	maxDelay            = time.Second
	// idRetries is how often another identifier is tried (RFC 7217 §5: three).
	idRetries = 3
	// What routers can make us hold.
	maxRouters, maxPrefixes, maxServers = 8, 16, 8
	// twoHours is RFC 4862 §5.5.3 e: no message ends a lifetime sooner.
	twoHours = 2 * time.Hour
	// prefixLen is that of RFC 4291 §2.5.1: identifiers have 64 bits.
	prefixLen = 64
)

var linkLocal = netip.MustParsePrefix("fe80::/64")

// A Kind is what has happened.
type Kind uint8

// The kinds of events.
const (
	AddressUp   Kind = iota // Prefix can be used: an address with its subnet's length
	AddressLife             // its Valid and Preferred have changed
	AddressGone             // its time is over
	Duplicate               // somebody has it: it cannot be used
	PrefixUp                // Prefix is on the link
	PrefixGone
	RouterUp // Addr is a default router
	RouterGone
	Servers // the list of name servers has changed
)

// An Event is something that the stack has to do.
type Event struct {
	Kind             Kind
	Prefix           netip.Prefix
	Addr             netip.Addr
	Valid, Preferred time.Duration // points in time, or Forever
	Auto             bool          // of AddressUp: formed from what a router said
}

// A Solicitation is a message to send: for a router if Target is not valid, else
// of duplicate address detection (RFC 4862 §5.4.2).
type Solicitation struct{ Target netip.Addr }

// An address that is tentative, or our own making.
type address struct {
	prefix           netip.Prefix
	auto             bool // formed from a prefix
	tentative        bool
	probes           int // still to be sent
	retries          int // identifiers tried before
	next             time.Duration
	valid, preferred time.Duration
}

type router struct {
	addr  netip.Addr
	until time.Duration
	lost  bool // does not answer
}

type onLink struct {
	prefix netip.Prefix
	until  time.Duration
}

type server struct {
	addr  netip.Addr
	until time.Duration
}

// Options are what a Host needs to know.
type Options struct {
	MAC    wire.MAC
	Secret [32]byte // of the identifiers (RFC 7217 §5)
	Name   string   // of the interface, for them
	Random func() uint64
	// Probes is how many duplicate address detection sends; 0 switches it off.
	Probes func() int
	Cache  *Config // whose times routers may set
}

// A Host is the configuration of one interface.
type Host struct {
	o        Options
	addrs    []*address
	routers  []*router // the default routers, in the order in which they are preferred
	prefixes []*onLink
	servers  []server
	events   []Event
	out      []Solicitation

	hopLimit   uint8
	mtu        uint32
	soliciting int // router solicitations to be sent still
	nextRS     time.Duration
}

// NewHost makes one that does nothing yet.
func NewHost(o Options) *Host { return &Host{o: o} }

// Start forms the link-local address (RFC 4862 §5.3).
func (h *Host) Start(now time.Duration) { h.form(now, linkLocal, 0, Forever, Forever) }

// Listen begins to ask for routers and to hear them.
func (h *Host) Listen(now time.Duration) {
	h.soliciting = routerSolicitations
	h.nextRS = now + h.delay()
}

// Try begins to find out whether an address is free (RFC 4862 §5.4).
func (h *Host) Try(now time.Duration, p netip.Prefix) {
	h.probe(now, &address{prefix: p, valid: Forever, preferred: Forever}, now)
}

// Lend counts the time of an address down that somebody else has given us.
func (h *Host) Lend(p netip.Prefix, valid, preferred time.Duration) {
	h.addrs = append(h.addrs, &address{prefix: p, valid: valid, preferred: preferred})
}

// form makes the address of a prefix, with an identifier of RFC 7217.
func (h *Host) form(now time.Duration, p netip.Prefix, retries int, valid, preferred time.Duration) {
	a := &address{prefix: netip.PrefixFrom(h.address(p, retries), p.Bits()), auto: true, retries: retries, valid: valid, preferred: preferred}
	h.probe(now, a, now+h.delay())
}

// address is RFC 7217 §5: a hash of the prefix, the interface, the tries so far
// and a secret.
func (h *Host) address(p netip.Prefix, retries int) netip.Addr {
	hash := sha256.New()
	b := p.Masked().Addr().As16()
	hash.Write(b[:8])
	hash.Write([]byte(h.o.Name))
	hash.Write(h.o.MAC[:])
	hash.Write([]byte{byte(retries)})
	hash.Write(h.o.Secret[:])
	copy(b[8:], hash.Sum(nil))
	if id := binary.BigEndian.Uint64(b[8:]); id == 0 || id>>8 == 0xfdffffffffffff {
		b[15] ^= 0xff // RFC 5453: some identifiers are reserved
		b[8] ^= 1
	}
	return netip.AddrFrom16(b)
}

func (h *Host) probe(now time.Duration, a *address, first time.Duration) {
	h.addrs = append(h.addrs, a)
	a.probes = h.o.Probes()
	a.tentative, a.next = true, first
	if a.probes == 0 {
		h.free(a)
	}
}

// delay is RFC 4861 §6.3.7 and RFC 4862 §5.4.2: not all at once.
func (h *Host) delay() time.Duration { return time.Duration(h.o.Random() % uint64(maxDelay)) }

// free ends the detection: nobody has it.
func (h *Host) free(a *address) {
	a.tentative = false
	h.tell(Event{Kind: AddressUp, Prefix: a.prefix, Valid: a.valid, Preferred: a.preferred, Auto: a.auto})
}

func (h *Host) tell(e Event) { h.events = append(h.events, e) }

// Event returns what the stack has to do next; call it until it returns false.
func (h *Host) Event() (Event, bool) {
	if len(h.events) == 0 {
		return Event{}, false
	}
	e := h.events[0]
	h.events = h.events[1:]
	return e, true
}

// Tentative reports whether an address is one of which we do not know yet that
// it is ours.
func (h *Host) Tentative(a netip.Addr) bool { return h.find(a, true) != nil }

func (h *Host) find(a netip.Addr, tentative bool) *address {
	for _, x := range h.addrs {
		if x.prefix.Addr() == a && x.tentative == tentative {
			return x
		}
	}
	return nil
}

// TentativeAddrs are the addresses that are being tried.
func (h *Host) TentativeAddrs() (all []netip.Prefix) {
	for _, a := range h.addrs {
		if a.tentative {
			all = append(all, a.prefix)
		}
	}
	return all
}

// Claimed is told that somebody else uses or wants a tentative address: he asks
// for it from the unspecified address, or says that it is his (RFC 4862 §5.4.3,
// §5.4.4).
func (h *Host) Claimed(now time.Duration, ip netip.Addr) {
	a := h.find(ip, true)
	if a == nil {
		return
	}
	h.remove(a)
	h.tell(Event{Kind: Duplicate, Prefix: a.prefix})
	// RFC 7217 §6: another identifier, a few times.
	if a.auto && a.retries < idRetries {
		h.form(now, a.prefix.Masked(), a.retries+1, a.valid, a.preferred)
	}
}

// Remove forgets an address, tentative or ours; false: it is none of them.
func (h *Host) Remove(ip netip.Addr) bool {
	for _, tentative := range []bool{true, false} {
		if a := h.find(ip, tentative); a != nil {
			h.remove(a)
			return true
		}
	}
	return false
}

func (h *Host) remove(a *address) {
	h.addrs = slices.DeleteFunc(h.addrs, func(x *address) bool { return x == a })
}

// Output returns a message that is due; call it until it returns false.
func (h *Host) Output() (Solicitation, bool) {
	if len(h.out) == 0 {
		h.out = nil
		return Solicitation{}, false
	}
	m := h.out[0]
	h.out = h.out[1:]
	return m, true
}

// Tick does what is due by now.
func (h *Host) Tick(now time.Duration) {
	if h.soliciting > 0 && h.nextRS <= now {
		h.soliciting--
		h.nextRS = now + solicitationEvery
		h.out = append(h.out, Solicitation{})
	}
	for _, a := range slices.Clone(h.addrs) {
		switch {
		case a.tentative && a.next <= now && a.probes > 0:
			a.probes--
			a.next = now + h.o.Cache.Retrans
			h.out = append(h.out, Solicitation{Target: a.prefix.Addr()})
		case a.tentative && a.next <= now:
			h.free(a)
		case a.valid <= now:
			h.remove(a)
			h.tell(Event{Kind: AddressGone, Prefix: a.prefix})
		}
	}
	h.expire(now)
}

// expire drops what routers have said and its time is over.
func (h *Host) expire(now time.Duration) {
	for _, p := range slices.Clone(h.prefixes) {
		if p.until <= now {
			h.dropPrefix(p)
		}
	}
	for _, r := range slices.Clone(h.routers) {
		if r.until <= now {
			h.dropRouter(r)
		}
	}
	before := len(h.servers)
	h.servers = slices.DeleteFunc(h.servers, func(s server) bool { return s.until <= now })
	if len(h.servers) != before {
		h.tell(Event{Kind: Servers})
	}
}

// Deadline is when Tick or Output next has something to do.
func (h *Host) Deadline() (at time.Duration, ok bool) {
	if len(h.out) > 0 || len(h.events) > 0 {
		return 0, true
	}
	at = Forever
	if h.soliciting > 0 {
		at = h.nextRS
	}
	for _, a := range h.addrs {
		if a.tentative {
			at = min(at, a.next)
		} else {
			at = min(at, a.valid)
		}
	}
	for _, p := range h.prefixes {
		at = min(at, p.until)
	}
	for _, r := range h.routers {
		at = min(at, r.until)
	}
	for _, s := range h.servers {
		at = min(at, s.until)
	}
	return at, at != Forever
}
