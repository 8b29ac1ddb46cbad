// What a line written to iproute does to the table: called by the stack with what
// Parse returned.

package route

import (
	"cmp"
	"strconv"

	"slashnet/stack/neterr"
)

const (
	// MaxRoutes bounds what can be added by hand: a view is no backbone router.
	MaxRoutes = 1 << 16
	// DefaultTag marks routes until somebody chooses another tag.
	DefaultTag = "none"
)

// Do carries out a command. tag is what routes are marked with that come
// through the open file that the line was written to.
func (t *Table) Do(c Command, tag *string) error {
	switch c.Verb {
	case Add:
		return t.addGateway(c.Route, *tag)
	case Remove:
		return t.removeGateway(c.Route)
	case Flush:
		t.Flush(c.Tag)
	case Tag:
		*tag = c.Tag
	}
	return nil
}

// addGateway adds a route through a neighbour. It takes the place of the one
// with the same prefix and metric, as on Plan 9.
func (t *Table) addGateway(r Route, tag string) error {
	hop, ok := t.Lookup(r.Via)
	if r.Via.Is6() && r.Via.IsLinkLocalUnicast() {
		// It is on the link that its zone names.
		n, err := strconv.Atoi(r.Via.Zone())
		if err != nil {
			return neterr.BadAddress.With("next hop %v is on a link: say which, as in fe80::1%%1", r.Via)
		}
		hop, ok = Route{Iface: n, Kind: OnLink}, true
	}
	switch {
	case !ok || hop.Kind == Gateway && hop.Via.IsValid():
		return neterr.NetUnreachable.With("next hop %v is on the network of no interface", r.Via)
	case hop.Kind == Local:
		return neterr.BadAddress.With("next hop %v is our own address: want a neighbour's", r.Via)
	case hop.Kind != OnLink && hop.Kind != Gateway:
		return neterr.BadAddress.With("next hop %v is not the address of one host", r.Via)
	}
	old := func(q Route) bool { return q.Kind == Gateway && q.Metric == r.Metric }
	if !t.remove(r.Prefix, old) && t.size >= MaxRoutes {
		return neterr.NoMemory.With("the table has %d routes already", t.size)
	}
	r.Kind, r.Iface, r.Tag = Gateway, hop.Iface, cmp.Or(tag, DefaultTag)
	t.Add(r)
	return nil
}

func (t *Table) removeGateway(r Route) error {
	fits := func(q Route) bool {
		return q.Kind == Gateway && (!r.Via.IsValid() || q.Via == r.Via)
	}
	if t.remove(r.Prefix, fits) {
		return nil
	}
	routes, ok := t.tree.Get(r.Prefix)
	switch {
	case !ok:
		return neterr.NoRoute.With("%v is not in the table", r.Prefix)
	case routes[0].Kind == Gateway:
		return neterr.NoRoute.With("%v goes through %v, not %v", r.Prefix, routes[0].Via, r.Via)
	}
	return neterr.BadArg.With("%v belongs to interface %d: remove its address instead", r.Prefix, routes[0].Iface)
}
