package nic

// A Switch is a learning bridge (IEEE 802.1Q §8) of this process. Stacks plug
// into its ports, which are NICs; cables to other switches and TAPs are
// attached. Host makes one for each directory of switch/.

import (
	"errors"
	"slices"
	"sync"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

const (
	// hopsMax is the most switches between two stations (IEEE 802.1D §8.8.3
	// recommends a diameter of 7). A frame that has crossed more is in a loop.
	hopsMax = 7

	// portsMax bounds what one broadcast frame costs.
	portsMax = 1024
)

// SwitchOptions describe a switch. The zero value of each field means its
// default.
type SwitchOptions struct {
	MTU      int           // of its ports; default: DefaultMTU
	Age      time.Duration // after which a silent station is forgotten; default: 300 s
	Stations int           // that are remembered at most; default: 4096
}

// A Switch forwards frames between its ports.
type Switch struct {
	mtu     int
	started time.Time

	mu     sync.Mutex
	table  *table
	ports  []*outlet       // replaced, never changed: a flood walks it without the lock
	at     map[int]*outlet // the same by number
	next   int             // number of the next port: none is used twice
	closed bool
}

// An outlet is a port as the switch sees it. Of a stack's port the counters are
// those of its NIC; of an attached NIC they are what happened to its frames
// here.
type outlet struct {
	name     string
	number   int
	attached NIC // nil: the port is a stack's
	forward  func(*Frame) error
	counters *counters
}

// NewSwitch makes a switch without ports.
func NewSwitch(o SwitchOptions) (*Switch, error) {
	if o.MTU == 0 {
		o.MTU = DefaultMTU
	}
	if o.Age == 0 {
		o.Age = stationAge
	}
	if o.Stations == 0 {
		o.Stations = stationsMax
	}
	if o.MTU < MinMTU || o.MTU > MaxMTU {
		return nil, neterr.BadArg.With("MTU %d: want %d to %d", o.MTU, MinMTU, MaxMTU)
	}
	// IEEE 802.1Q §8.8.3: 10 s to 1,000,000 s.
	if o.Age < 10*time.Second || o.Age > 1_000_000*time.Second {
		return nil, neterr.BadArg.With("ageing time %v: want 10s to 1000000s", o.Age)
	}
	if o.Stations < 1 || o.Stations > 1<<20 {
		return nil, neterr.BadArg.With("%d stations: want 1 to %d", o.Stations, 1<<20)
	}
	return &Switch{
		mtu: o.MTU, started: time.Now(),
		table: newTable(o.Age, o.Stations), at: make(map[int]*outlet),
	}, nil
}

// A switchPort is the NIC that a stack gets. What it sends goes into the
// switch; what the switch has for it waits in its inbox.
type switchPort struct {
	port
	sw     *Switch
	outlet *outlet
}

// Port adds a port for a stack. Closing it takes it away again.
func (s *Switch) Port(name string) (NIC, error) {
	p := &switchPort{sw: s}
	if err := p.assume(Options{Name: name, MTU: s.mtu}, "port", MaxMTU); err != nil {
		return nil, err
	}
	p.outlet = &outlet{name: p.name, forward: p.queue, counters: &p.counters}
	if err := s.plug(p.outlet); err != nil {
		return nil, err
	}
	return p, nil
}

// queue takes a frame from the switch.
func (p *switchPort) queue(f *Frame) error {
	if err := p.refuses(f); err != nil {
		return err
	}
	if why, ok := p.in.put(f); !ok {
		return p.drop(why, errFull)
	}
	return nil
}

// Send gives a frame to the switch.
func (p *switchPort) Send(f *Frame) error {
	if err := p.refuses(f); err != nil {
		return err
	}
	length := f.Len()
	if err := p.sw.input(p.outlet, f); err != nil {
		return err
	}
	p.countOut(length)
	return nil
}

// Close takes the port out of the switch.
func (p *switchPort) Close() error {
	p.sw.unplug(p.outlet)
	return p.port.Close()
}

// An uplink receives for the switch what an attached NIC reads.
type uplink struct {
	sw     *Switch
	outlet outlet
	counters
}

// Attach makes a port of n, a TAP, a cable's end or another NIC, and starts it.
// The switch closes it when the port is removed.
func (s *Switch) Attach(n NIC) error {
	u := &uplink{sw: s}
	u.outlet = outlet{
		name: n.Name(), attached: n, counters: &u.counters,
		forward: func(f *Frame) error { return Transmit(n, f) },
	}
	if err := s.plug(&u.outlet); err != nil {
		return err
	}
	n.Start(u)
	return nil
}

func (u *uplink) Receive(batch []*Frame) {
	for _, f := range batch {
		u.sw.input(&u.outlet, f) // counts what it drops
	}
}

func (s *Switch) plug(o *outlet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return neterr.ShuttingDown
	case len(s.ports) >= portsMax:
		return neterr.NoMemory.With("a switch has at most %d ports", portsMax)
	case s.named(o.name) != nil:
		return neterr.Exists.With("the switch has a port %s already", o.name)
	}
	o.number = s.next
	s.next++
	s.ports = append(slices.Clip(s.ports), o)
	s.at[o.number] = o
	return nil
}

func (s *Switch) named(name string) *outlet {
	for _, o := range s.ports {
		if o.name == name {
			return o
		}
	}
	return nil
}

func (s *Switch) unplug(o *outlet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ports = slices.DeleteFunc(slices.Clone(s.ports), func(other *outlet) bool { return other == o })
	delete(s.at, o.number)
	s.table.forgetPort(o.number)
}

// Remove takes a port away, and closes the NIC that was attached there. A
// stack's own port is closed by the stack.
func (s *Switch) Remove(name string) error {
	s.mu.Lock()
	o := s.named(name)
	s.mu.Unlock()
	if o == nil {
		return neterr.NotFound.With("the switch has no port %q", name)
	}
	s.unplug(o)
	if o.attached == nil {
		return nil
	}
	return o.attached.Close()
}

// Close removes every port.
func (s *Switch) Close() error {
	s.mu.Lock()
	s.closed = true
	ports := s.ports
	s.mu.Unlock()
	var errs []error
	for _, o := range ports {
		s.unplug(o)
		if o.attached != nil {
			errs = append(errs, o.attached.Close())
		}
	}
	return errors.Join(errs...)
}

// input forwards a frame that came in at a port (IEEE 802.1Q §8.6), and says
// why if it does not.
func (s *Switch) input(from *outlet, f *Frame) error {
	if f.Hops >= hopsMax {
		return from.counters.drop(DropLoop, errLoop)
	}
	h, _, err := wire.ParseEthernet(f.Head)
	if err != nil || h.Src.IsMulticast() || h.Src == (wire.MAC{}) || reserved(h.Dst) {
		return from.counters.drop(DropFiltered, errFiltered)
	}
	to, ports, err := s.route(from, h)
	if err != nil {
		return from.counters.drop(DropDown, err)
	}
	// The frame is ours while it is lent to us; its mark is put back for its owner.
	f.Hops++
	defer func() { f.Hops-- }()
	if to != nil {
		if to != from {
			to.forward(f) // counts at to what is dropped there
		}
		return nil
	}
	for _, o := range ports {
		if o != from {
			o.forward(f)
		}
	}
	return nil
}

// route learns where a frame came from, and finds the one port where it is to
// go, or all of them.
func (s *Switch) route(from *outlet, h wire.Ethernet) (to *outlet, all []*outlet, err error) {
	now := time.Since(s.started)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at[from.number] != from {
		return nil, nil, errUnplugged
	}
	s.table.learn(h.Src, from.number, now)
	if !h.Dst.IsMulticast() {
		if number, ok := s.table.find(h.Dst, now); ok {
			return s.at[number], nil, nil
		}
	}
	return nil, s.ports, nil
}

// reserved reports whether an address is for the neighbour at the other end of
// the cable only (IEEE 802.1Q §8.6.3): spanning tree, pause, LLDP.
func reserved(m wire.MAC) bool {
	return m[0] == 0x01 && m[1] == 0x80 && m[2] == 0xc2 && m[3] == 0 && m[4] == 0 && m[5] < 0x10
}

var (
	errLoop      = neterr.TTLExceeded.With("crossed more than %d switches", hopsMax)
	errFiltered  = neterr.BadArg.With("no bridge forwards a frame from or to such an address")
	errUnplugged = neterr.LinkDown.With("the port is not in the switch any more")
)
