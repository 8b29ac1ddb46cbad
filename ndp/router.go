package ndp

// What routers say (RFC 4861 §6.3.4, RFC 4862 §5.5.3): the stack calls Advertised
// for every router advertisement that it believes to be from the link.

import (
	"net/netip"
	"slices"
	"time"

	"slashnet/wire"
)

// Advertised takes a router advertisement in.
func (h *Host) Advertised(now time.Duration, from netip.Addr, m *wire.RouterMessage) {
	if m.Lifetime > 0 {
		h.soliciting = 0 // RFC 4861 §6.3.7
	}
	h.router(now, from, m.Lifetime)
	if m.HopLimit != 0 {
		h.hopLimit = m.HopLimit
	}
	// RFC 4861 §6.3.4: sane values only, and zero says nothing.
	if m.Reachable > 0 && m.Reachable <= time.Hour {
		h.o.Cache.ReachableTime = m.Reachable
	}
	if m.Retrans >= minRetrans && m.Retrans <= time.Minute {
		h.o.Cache.Retrans = m.Retrans
	}
	if m.MTU >= wire.MinIPv6MTU {
		h.mtu = m.MTU
	}
	for _, p := range m.Prefixes {
		h.prefix(now, p)
	}
	for _, s := range m.Servers {
		h.server(now, s)
	}
}

// minRetrans keeps a router from having us solicit all the time.
const minRetrans = 100 * time.Millisecond

// HopLimit is what routers say of it, MTU what of the link; 0: nothing.
func (h *Host) HopLimit() uint8 { return h.hopLimit }

// MTU is the link's, as routers say; 0: nothing.
func (h *Host) MTU() int { return int(h.mtu) }

// Servers are the name servers, as routers say.
func (h *Host) Servers() (all []netip.Addr) {
	for _, s := range h.servers {
		all = append(all, s.addr)
	}
	return all
}

// router adds, prolongs or drops a default router.
func (h *Host) router(now time.Duration, from netip.Addr, lifetime time.Duration) {
	at := slices.IndexFunc(h.routers, func(r *router) bool { return r.addr == from })
	switch {
	case at >= 0 && lifetime == 0:
		h.dropRouter(h.routers[at])
	case at >= 0:
		h.routers[at].until, h.routers[at].lost = now+lifetime, false
	case lifetime > 0 && len(h.routers) < maxRouters:
		h.routers = append(h.routers, &router{addr: from, until: now + lifetime})
		h.tell(Event{Kind: RouterUp, Addr: from})
	}
}

// NoRouter is told that one has become a host (RFC 4861 §7.2.5).
func (h *Host) NoRouter(addr netip.Addr) {
	if at := slices.IndexFunc(h.routers, func(r *router) bool { return r.addr == addr }); at >= 0 {
		h.dropRouter(h.routers[at])
	}
}

func (h *Host) dropRouter(r *router) {
	h.routers = slices.DeleteFunc(h.routers, func(x *router) bool { return x == r })
	h.tell(Event{Kind: RouterGone, Addr: r.addr})
}

// Lost is told that a neighbour does not answer. If it is the router in use, the
// next one is tried (RFC 4861 §6.3.6): its event is told again, so that its route
// comes first.
func (h *Host) Lost(addr netip.Addr) {
	at := slices.IndexFunc(h.routers, func(r *router) bool { return r.addr == addr })
	if at < 0 || len(h.routers) < 2 {
		return
	}
	r := h.routers[at]
	r.lost = true
	h.routers = append(slices.Delete(h.routers, at, at+1), r)
	h.tell(Event{Kind: RouterGone, Addr: r.addr})
	h.tell(Event{Kind: RouterUp, Addr: r.addr}) // behind the others
}

// prefix is what a router says of one (RFC 4861 §6.3.4, RFC 4862 §5.5.3).
func (h *Host) prefix(now time.Duration, p wire.NDPrefix) {
	if p.Prefix.Addr().IsLinkLocalUnicast() || p.Prefix.Addr().IsMulticast() || p.Prefix.Addr().IsLoopback() || p.Prefix.Bits() == 0 {
		return
	}
	if p.OnLink {
		h.onLink(now, p)
	}
	// §5.5.3 c, d: not /64 has no room for our identifiers.
	if p.Auto && p.Preferred <= p.Valid && p.Prefix.Bits() == prefixLen {
		h.auto(now, p)
	}
}

func until(now, lifetime time.Duration) time.Duration {
	if lifetime == wire.NDForever {
		return Forever
	}
	return now + lifetime
}

func (h *Host) onLink(now time.Duration, p wire.NDPrefix) {
	at := slices.IndexFunc(h.prefixes, func(x *onLink) bool { return x.prefix == p.Prefix })
	switch {
	case at >= 0 && p.Valid == 0:
		h.dropPrefix(h.prefixes[at])
	case at >= 0:
		h.prefixes[at].until = until(now, p.Valid)
	case p.Valid > 0 && len(h.prefixes) < maxPrefixes:
		h.prefixes = append(h.prefixes, &onLink{p.Prefix, until(now, p.Valid)})
		h.tell(Event{Kind: PrefixUp, Prefix: p.Prefix})
	}
}

// OnLink reports whether a router says that a prefix is on the link.
func (h *Host) OnLink(p netip.Prefix) bool {
	return slices.ContainsFunc(h.prefixes, func(x *onLink) bool { return x.prefix == p })
}

func (h *Host) dropPrefix(p *onLink) {
	h.prefixes = slices.DeleteFunc(h.prefixes, func(x *onLink) bool { return x == p })
	h.tell(Event{Kind: PrefixGone, Prefix: p.prefix})
}

// auto forms the address of a prefix, or changes how long it lives.
func (h *Host) auto(now time.Duration, p wire.NDPrefix) {
	formed := 0
	for _, a := range h.addrs {
		if !a.auto {
			continue
		}
		if formed++; a.prefix.Masked() != p.Prefix {
			continue
		}
		a.preferred = until(now, p.Preferred)
		// RFC 4862 §5.5.3 e: whoever forges a message cannot end an address soon.
		switch valid := until(now, p.Valid); {
		case p.Valid > twoHours || valid > a.valid:
			a.valid = valid
		case a.valid > now+twoHours:
			a.valid = now + twoHours
		}
		if !a.tentative {
			h.tell(Event{Kind: AddressLife, Prefix: a.prefix, Valid: a.valid, Preferred: a.preferred})
		}
		return
	}
	if p.Valid > 0 && formed < maxPrefixes {
		h.form(now, p.Prefix, 0, until(now, p.Valid), until(now, p.Preferred))
	}
}

// server adds, prolongs or drops a name server (RFC 8106 §5.1).
func (h *Host) server(now time.Duration, s wire.NDServer) {
	at := slices.IndexFunc(h.servers, func(x server) bool { return x.addr == s.Addr })
	switch {
	case at >= 0 && s.Lifetime == 0:
		h.servers = slices.Delete(h.servers, at, at+1)
	case at >= 0:
		h.servers[at].until = until(now, s.Lifetime)
		return
	case s.Lifetime == 0 || len(h.servers) >= maxServers || s.Addr.IsMulticast() || s.Addr.IsUnspecified():
		return
	default:
		h.servers = append(h.servers, server{s.Addr, until(now, s.Lifetime)})
	}
	h.tell(Event{Kind: Servers})
}
