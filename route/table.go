// Package route is the routing table of a host or router: longest prefix, then
// metric; and the language of the iproute file in which it is read and written.
//
// RFC 1122 §3.3.1 (a host's choice of the next hop), RFC 1812 §5.2.4 (a
// router's), RFC 4632 (prefixes). Finding the longest prefix is bart's work.
//
// Left out on purpose: choice by type of service or source, several next hops
// that share load, and next hops that are behind another gateway.
package route

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// Kind is why a route is there.
type Kind uint8

// The kinds. All but the first belong to an interface and its addresses.
const (
	Gateway   Kind = iota // somebody added it: through Via or, without one, on link
	OnLink                // the network of an interface
	Local                 // an address of ours
	Broadcast             // a broadcast address of a network of ours
	Multicast             // a group that we are in
)

// A Route says where datagrams for the addresses in Prefix go.
type Route struct {
	Prefix netip.Prefix
	Via    netip.Addr // the next hop; invalid: the destination itself
	Iface  int
	Metric int
	Tag    string
	Kind   Kind
}

// before reports whether r is to be preferred to q, of the same prefix, whatever
// their age. What is ours comes first at any metric: nobody can route our own
// address away from us.
func (r Route) before(q Route) bool {
	if r.ours() != q.ours() {
		return r.ours()
	}
	return r.Metric < q.Metric
}

func (r Route) ours() bool { return r.Kind >= Local }

// same reports whether r and q are one route, perhaps with another metric or tag.
func (r Route) same(q Route) bool {
	return r.Via == q.Via && r.Iface == q.Iface && r.Kind == q.Kind
}

// A Table is a set of routes. The zero value is an empty one.
type Table struct {
	// For each prefix its routes, the best first.
	tree bart.Fast[[]Route]
	size int
}

// Len is the number of routes.
func (t *Table) Len() int { return t.size }

// Add adds a route. One of the same prefix, next hop, interface and kind is
// replaced. Bits of the prefix beyond its length do not count; an invalid prefix
// adds nothing.
func (t *Table) Add(r Route) {
	r.Prefix = r.Prefix.Masked()
	if !r.Prefix.IsValid() {
		return
	}
	t.remove(r.Prefix, r.same)
	routes, _ := t.tree.Get(r.Prefix)
	i := slices.IndexFunc(routes, r.before)
	if i < 0 {
		i = len(routes)
	}
	t.tree.Insert(r.Prefix, slices.Insert(routes, i, r))
	t.size++
}

// AnyIface stands for all interfaces in Remove.
const AnyIface = -1

// Remove removes the routes of a prefix, of any kind, that go through via and
// iface; an invalid via and AnyIface fit all. It reports whether there was one.
func (t *Table) Remove(prefix netip.Prefix, via netip.Addr, iface int) bool {
	return t.remove(prefix, func(r Route) bool {
		return (!via.IsValid() || r.Via == via) && (iface == AnyIface || r.Iface == iface)
	})
}

func (t *Table) remove(prefix netip.Prefix, del func(Route) bool) bool {
	routes, ok := t.tree.Get(prefix)
	if !ok || !slices.ContainsFunc(routes, del) {
		return false
	}
	kept := slices.DeleteFunc(slices.Clone(routes), del)
	if len(kept) == 0 {
		t.tree.Delete(prefix)
	} else {
		t.tree.Insert(prefix, kept)
	}
	t.size -= len(routes) - len(kept)
	return true
}

// RemoveTagged removes the routes of a prefix that were added with a tag.
func (t *Table) RemoveTagged(prefix netip.Prefix, tag string) bool {
	return t.remove(prefix, func(r Route) bool { return r.Kind == Gateway && r.Tag == tag })
}

// RemoveIface removes all routes of an interface.
func (t *Table) RemoveIface(n int) {
	t.removeAll(func(r Route) bool { return r.Iface == n })
}

// Flush removes the routes that were added with a tag, or with any if tag is
// empty. Those of the interfaces stay.
func (t *Table) Flush(tag string) {
	t.removeAll(func(r Route) bool { return r.Kind == Gateway && (tag == "" || r.Tag == tag) })
}

func (t *Table) removeAll(del func(Route) bool) {
	var prefixes []netip.Prefix // the tree must not change under its iterator
	for p, routes := range t.tree.All() {
		if slices.ContainsFunc(routes, del) {
			prefixes = append(prefixes, p)
		}
	}
	for _, p := range prefixes {
		t.remove(p, del)
	}
}

// Lookup finds the route to an address: that of the longest prefix, then of the
// lowest metric, then the oldest.
func (t *Table) Lookup(dst netip.Addr) (Route, bool) {
	routes, ok := t.tree.Lookup(dst.Unmap())
	if !ok {
		return Route{}, false
	}
	return routes[0], true
}

// LookupIf is Lookup among the routes that can be used: of each prefix, the
// longest first, its best one.
func (t *Table) LookupIf(dst netip.Addr, usable func(Route) bool) (Route, bool) {
	dst = dst.Unmap()
	for _, routes := range t.tree.Supernets(netip.PrefixFrom(dst, dst.BitLen())) {
		if i := slices.IndexFunc(routes, usable); i >= 0 {
			return routes[i], true
		}
	}
	return Route{}, false
}

// All lists the routes: IPv4 before IPv6, then by prefix, the best first.
func (t *Table) All() []Route {
	all := make([]Route, 0, t.size)
	for _, routes := range t.tree.AllSorted() {
		all = append(all, routes...)
	}
	return all
}
