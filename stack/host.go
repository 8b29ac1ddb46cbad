package stack

// Host is a stack and its views: further stacks, each with a tree of its own
// below view/NAME/net. fs makes and removes them by mkdir and rmdir; view.go says
// what one is told, uplink.go how it is connected. A Host has a lock of its own,
// taken before any stack's, for its tables alone: whatever a view does, its
// neighbours and its parent never wait for it.

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

const (
	// MaxViews is how many views there are at most, those that end among them. It
	// leaves many numbers over: none is soon used again, and none at all while
	// somebody stands in the tree of the view that had it, of which there may be
	// fifteen for each view.
	MaxViews = 4000
	// viewHandles is limit.handles of a new view: no container takes all that there
	// are.
	viewHandles = 50_000
	// RootView is the number of the root stack, and lastView the highest one: a
	// node of the tree has 16 bits for it, of which all ones are no number.
	RootView = 1
	lastView = 1<<16 - 2
)

// A Builder makes the stack of a view: with loopback, and with whatever else it
// is to have from the start. release is called when the stack has been closed.
type Builder func(name string) (s *Stack, release func(), err error)

// Host is the root stack and its views.
type Host struct {
	mu      sync.Mutex
	root    *View
	build   Builder
	views   map[string]*View
	numbers [lastView + 1]atomic.Pointer[View]
	last    int            // number given out
	count   int            // of views, those that end among them
	ending  sync.WaitGroup // views being made and views that end
	closing bool
	gone    GoneFunc
	known   func(view int) bool

	// wiring is held while uplinks change: before any other lock, and for no call
	// that waits for a user.
	wiring   sync.Mutex
	switches fixtures[*Switch]
	links    fixtures[*Link]
	bridge   *nic.Switch     // that the root's first NIC hangs on, once a view wanted it
	cables   map[*Iface]bool // the root's ends of uplinks, also of views that end
}

// A GoneFunc is told that the directory of a conversation of a view has vanished.
type GoneFunc func(view int, p wire.Proto, num int, name string)

// NewHost makes the host of a root stack. Without a builder it has no views.
func NewHost(root *Stack, build Builder) *Host {
	h := &Host{build: build, views: map[string]*View{}, last: RootView, cables: map[*Iface]bool{}}
	h.root = &View{host: h, id: RootView, stack: root}
	h.numbers[RootView].Store(h.root)
	root.plug = h.plugFor(h.root)
	return h
}

func (h *Host) lock()   { h.mu.Lock() }
func (h *Host) unlock() { h.mu.Unlock() }

// Root is the root stack.
func (h *Host) Root() *Stack { return h.root.stack }

// ByID finds a view by its number, the root's among them; nil: there is none.
func (h *Host) ByID(id int) *View {
	if id < RootView || id > lastView {
		return nil
	}
	return h.numbers[id].Load()
}

// View finds a view by its name; nil: there is none.
func (h *Host) View(name string) *View {
	h.lock()
	defer h.unlock()
	return h.find(name)
}

// find does not see a view that is still being made.
func (h *Host) find(name string) *View {
	if v := h.views[name]; v != nil && h.numbers[v.id].Load() == v {
		return v
	}
	return nil
}

// Views are the views by name, without the root.
func (h *Host) Views() []*View {
	h.lock()
	defer h.unlock()
	var all []*View
	for _, v := range h.views {
		if h.numbers[v.id].Load() == v {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b *View) int { return cmp.Compare(a.name, b.name) })
	return all
}

// OnConvGone sets what is called, without locks, when a conversation's directory
// vanishes, of whatever view; nil: nothing.
func (h *Host) OnConvGone(f GoneFunc) {
	h.lock()
	defer h.unlock()
	h.gone = f
	h.root.stack.OnConvGone(h.goneOf(h.root))
	for _, v := range h.views {
		if v.stack != nil {
			v.stack.OnConvGone(h.goneOf(v))
		}
	}
}

// OnNumber sets who is asked whether a number of a view that has ended is still
// known to somebody: a container that has its tree must never find that of
// another there. nil: nobody. It is called with the Host's lock held.
func (h *Host) OnNumber(known func(view int) bool) {
	h.lock()
	defer h.unlock()
	h.known = known
}

func (h *Host) goneOf(v *View) func(wire.Proto, int, string) {
	f := h.gone
	if f == nil {
		return nil
	}
	return func(p wire.Proto, num int, name string) { f(v.id, p, num, name) }
}

// mayConfigure: views are for the owner of the tree and root.
func (h *Host) mayConfigure(u User) error {
	if u.UID == 0 || u.UID == h.root.stack.cfg.Owner.UID {
		return nil
	}
	return neterr.NotOwner.With("views, switches and links are for the owner of the tree and root")
}

// Mkdir makes a view.
func (h *Host) Mkdir(name string, u User) (*View, error) {
	h.lock()
	v, err := h.reserve(name, u)
	h.unlock()
	if err != nil {
		return nil, err
	}
	defer h.ending.Done()
	s, release, err := h.build(name) // outside of the lock: it may read files
	if err == nil {
		s.lock()
		s.knobs.maxHandles = viewHandles
		s.unlock()
	}

	h.lock()
	defer h.unlock()
	if err != nil {
		delete(h.views, name)
		h.count--
		return nil, err
	}
	v.stack, v.release = s, release
	s.plug = h.plugFor(v)
	h.numbers[v.id].Store(v)
	s.OnConvGone(h.goneOf(v))
	if h.closing {
		h.end(v)
		return nil, neterr.ShuttingDown
	}
	return v, nil
}

// reserve gives a view that is to be made its name and number.
func (h *Host) reserve(name string, u User) (*View, error) {
	if err := h.mayConfigure(u); err != nil {
		return nil, err
	}
	if err := checkPart(name); err != nil {
		return nil, err
	}
	switch {
	case h.closing:
		return nil, neterr.ShuttingDown
	case h.build == nil:
		return nil, neterr.Permission.With("this program has no views")
	case h.views[name] != nil:
		return nil, neterr.Exists.With("%s", name)
	case h.count >= MaxViews:
		return nil, neterr.NoConvs.With("%d views exist, the limit", h.count)
	}
	id, ok := h.number()
	if !ok {
		return nil, neterr.NoConvs.With("all numbers of views are in use, those of trees of ended views that are still bound somewhere too")
	}
	v := &View{host: h, id: id, name: name, mode: viewMode}
	h.views[name] = v
	h.count++
	h.ending.Add(1) // Close waits until it is made, and then ends it
	return v, nil
}

// number is the next one that is free.
func (h *Host) number() (id int, ok bool) {
	taken := map[int]bool{}
	for _, v := range h.views {
		taken[v.id] = true
	}
	for range lastView {
		h.last++
		if h.last > lastView {
			h.last = RootView + 1
		}
		if !taken[h.last] && (h.known == nil || !h.known(h.last)) {
			return h.last, true
		}
	}
	return 0, false
}

// Rmdir ends a view. Its directory is gone at once; its users are answered and
// its connections reset in the background.
func (h *Host) Rmdir(name string, u User) error {
	h.lock()
	defer h.unlock()
	if err := h.mayConfigure(u); err != nil {
		return err
	}
	v := h.find(name)
	if v == nil {
		return neterr.NotFound.With("%s", name)
	}
	h.end(v)
	return nil
}

// end takes a view out of the tables and closes it on a goroutine of its own, of
// which there are never more than MaxViews, as an ending view counts.
func (h *Host) end(v *View) {
	delete(h.views, v.name)
	h.numbers[v.id].Store(nil)
	h.ending.Go(func() {
		hurry, cancel := context.WithCancel(context.Background())
		cancel()
		v.shut(hurry)
		h.lock()
		h.count--
		h.unlock()
	})
}

// unwire takes the switches and links away, which nothing lives on any more.
func (h *Host) unwire() {
	for _, w := range h.switches.byName {
		w.sw.Close()
	}
	for _, l := range h.links.byName {
		l.cable.Close()
	}
	h.switches, h.links = fixtures[*Switch]{}, fixtures[*Link]{}
}

// Close closes the root and every view politely, and gives all their peers until
// ctx ends to agree. The root forwards for its views until they have ended.
func (h *Host) Close(ctx context.Context) error {
	h.lock()
	h.closing = true
	all := make([]*View, 0, len(h.views))
	for _, v := range h.views {
		if v.stack != nil {
			all = append(all, v)
		}
	}
	h.unlock()
	var parting sync.WaitGroup
	for _, v := range all {
		parting.Go(func() { v.stack.Part(ctx) })
	}
	err := h.root.stack.Part(ctx)
	parting.Wait()
	for _, v := range all {
		h.Rmdir(v.name, User{}) // unless somebody was faster
	}
	h.ending.Wait()
	if err == nil {
		h.root.stack.End()
	}
	h.lock()
	h.unwire()
	h.unlock()
	h.wiring.Lock()
	defer h.wiring.Unlock()
	if h.bridge != nil {
		h.bridge.Close()
	}
	return err
}
