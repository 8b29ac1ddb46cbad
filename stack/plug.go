package stack

// What the owner of a tree builds a network of: switches and links, the
// directories switch/NAME and link/NAME. fs makes and removes them by mkdir and
// rmdir; the verb bind of an interface, the verb nic of a view and the verb plug
// of a switch plug into them. switch.go and link.go say what one is told.

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"slashnet/nic"
	"slashnet/stack/neterr"
)

const (
	// MaxSwitches and MaxLinks are how many there are at most: more than any lesson or
	// test has hosts, and the switch with most ports takes 1024.
	MaxSwitches = 1000
	MaxLinks    = 8000

	nicSpecs = "tap:NAME, switch:NAME or link:NAME"

	switchSpec = "switch:"
	linkSpec   = "link:"
)

// fixtures are the switches or the links of a Host, by name. Their numbers grow and
// are not soon used again.
type fixtures[T interface{ ID() int }] struct {
	byName map[string]T
	byID   map[int]T
	last   int
}

// add makes one of a new name.
func (f *fixtures[T]) add(name string, max int, make func(id int) (T, error)) (made T, err error) {
	if err := checkPart(name); err != nil {
		return made, err
	}
	if _, ok := f.byName[name]; ok {
		return made, neterr.Exists.With("%s", name)
	}
	if len(f.byName) >= max {
		return made, neterr.NoConvs.With("%d exist, the limit", max)
	}
	if f.last++; f.last > MaxConvNum {
		return made, neterr.NoConvs.With("all %d numbers have been used", MaxConvNum)
	}
	if made, err = make(f.last); err != nil {
		return made, err
	}
	if f.byName == nil {
		f.byName, f.byID = map[string]T{}, map[int]T{}
	}
	f.byName[name], f.byID[f.last] = made, made
	return made, nil
}

func (f *fixtures[T]) remove(name string) {
	delete(f.byID, f.byName[name].ID())
	delete(f.byName, name)
}

func (f *fixtures[T]) all() []T {
	return slices.SortedFunc(maps.Values(f.byName), func(a, b T) int { return cmp.Compare(a.ID(), b.ID()) })
}

// checkPart checks the name of a view, switch or link. In PATH: MESSAGE a colon
// would end it, as in the volumes of Docker.
func checkPart(name string) error {
	if strings.Contains(name, ":") {
		return neterr.BadArg.With("%q as a name: no colons", clip(name))
	}
	return checkName(name)
}

// A plugFunc plugs an interface into what spec names. The canonical spec names the
// end of a link, too.
type plugFunc func(spec string, i *Iface) (n nic.NIC, canonical string, err error)

// isPlug reports whether spec names a place to plug in.
func isPlug(spec string) bool {
	return strings.HasPrefix(spec, switchSpec) || strings.HasPrefix(spec, linkSpec)
}

// open opens a NIC for an interface.
func (s *Stack) open(spec string, i *Iface) (nic.NIC, string, error) {
	switch {
	case isPlug(spec):
		if s.plug != nil {
			return s.plug(spec, i)
		}
	case s.cfg.OpenNIC != nil:
		n, err := s.cfg.OpenNIC(spec)
		return n, spec, err
	}
	return nil, "", neterr.BadBind.With("%q: this program has no such NICs", clip(spec))
}

// plugFor is how the interfaces of a view find what they are plugged into.
func (h *Host) plugFor(v *View) plugFunc {
	return func(spec string, i *Iface) (nic.NIC, string, error) {
		p := plugger{view: v, path: i.String()}
		if v != h.root {
			p.path = "view/" + v.name + "/net/" + p.path
		}
		h.lock()
		defer h.unlock()
		return h.plug(spec, p)
	}
}

// A plugger is who plugs in: an interface, or a switch by a link.
type plugger struct {
	view *View
	sw   *Switch
	path string // in the tree of the owner
}

// plug plugs in whoever by is, at a free place.
func (h *Host) plug(spec string, by plugger) (nic.NIC, string, error) {
	if name, ok := strings.CutPrefix(spec, switchSpec); ok {
		sw := h.switches.byName[name]
		if sw == nil {
			return nil, "", neterr.NotFound.With("%s: mkdir switch/%s makes it", clip(spec), clip(name))
		}
		n, err := sw.plug(by)
		return n, spec, err
	}
	name, end, _ := strings.Cut(strings.TrimPrefix(spec, linkSpec), "/")
	l := h.links.byName[name]
	if l == nil {
		return nil, "", neterr.NotFound.With("%s: mkdir link/%s makes it", clip(spec), clip(name))
	}
	e, err := l.freeEnd(end)
	if err != nil {
		return nil, "", err
	}
	if by.sw != nil {
		if err := h.wouldLoop(by.sw, l, e); err != nil {
			return nil, "", err
		}
	}
	n, err := l.plug(e, by)
	return n, l.spec(e), err
}

// lives reports whether what is plugged in belongs to a view that has not been
// removed: one that ends leaves its places soon, and holds nothing back.
func (h *Host) lives(p plugger) bool {
	return p.sw != nil || p.view != nil && h.numbers[p.view.id].Load() == p.view
}

// wouldLoop refuses to join two switches twice. They speak no spanning tree: frames
// would go round until the hop mark ends them, doubled by each further link.
func (h *Host) wouldLoop(from *Switch, l *Link, e nic.CableEnd) error {
	to := l.at(1 - e)
	if to == nil || to.sw == nil {
		return nil
	}
	seen := map[*Switch]bool{to.sw: true}
	for next := []*Switch{to.sw}; len(next) > 0; next = next[1:] {
		if next[0] == from {
			return neterr.Busy.With("link/%s would close a loop: switch/%s and switch/%s are joined already", l.name, from.name, to.sw.name)
		}
		for _, l := range h.links.byName {
			a, b := l.at(nic.EndA), l.at(nic.EndB)
			if a == nil || b == nil || a.sw == nil || b.sw == nil {
				continue
			}
			for _, s := range [][2]*Switch{{a.sw, b.sw}, {b.sw, a.sw}} {
				if s[0] == next[0] && !seen[s[1]] {
					seen[s[1]] = true
					next = append(next, s[1])
				}
			}
		}
	}
	return nil
}
