package stack

// Iface is a network interface of the stack: a NIC, its addresses (ifaddr.go), its
// neighbours (neighbour.go) and its way out (queue.go). up.go and down.go pass
// through; ifctl.go is its language.

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"slashnet/arp"
	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// An address of an interface.
type address struct {
	prefix           netip.Prefix  // the address itself and its subnet's length
	valid, preferred time.Duration // until when; ndp.Forever: for ever
	formed           bool          // of what a router said (RFC 4862)
}

// Iface is an interface. Its number is its name in the tree.
type Iface struct {
	stack  *Stack
	num    int
	zone   string // the number, which link-local addresses have behind a %
	cloned time.Duration

	nic       nic.NIC // nil: not bound
	spec      string  // what named the NIC in a line of control; empty: it was given to AddInterface
	captures  *nic.Captures
	lossy     *nic.Lossy
	outside   nic.NIC // what leads out of the switch, if nic is a port of one
	device    string
	loopback  bool
	mac       wire.MAC
	mtu       int
	down      bool
	addrs     []address
	arp       *arp.Cache[*outFrame]
	arpConfig arp.Config
	groups    *groups
	claims    *claims
	timer     timer
	ip6       *ip6 // nil: it does not speak IPv6

	queue   *queue    // of the last NIC, closed while there is none
	police  pace      // of what comes in
	scratch *outFrame // an empty one, for whoever asks an engine next
	starved []*Conv

	pathCheck  pathCheck     // instead of the knob ip.rpfilter; or empty
	complained time.Duration // when the log was told of an address conflict
	martian    time.Duration // when it was told of an address that cannot be
	in         ifCounters
	sent       struct{ frames, bytes, errors atomic.Uint64 }
	drops      dropCounters
}

type ifCounters struct{ frames, bytes uint64 }

// MaxIfaces is how many interfaces a stack has at most: its own, and the parent's
// end of each view's cable.
const MaxIfaces = 4096

// CloneIface makes an interface that is not bound yet.
func (s *Stack) CloneIface() (*Iface, error) {
	s.lock()
	defer s.unlock()
	for _, n := range s.ifnums() {
		// One that somebody cloned and never bound is used again.
		if i := s.ifaces[n]; i.nic == nil && s.now-i.cloned >= lifeUnused {
			i.cloned = s.now
			return i, nil
		}
	}
	return s.newIface()
}

func (s *Stack) newIface() (*Iface, error) {
	for n := range MaxIfaces {
		if s.ifaces[n] == nil {
			i := &Iface{stack: s, num: n, zone: strconv.Itoa(n), cloned: s.now, complained: -complainEvery, martian: -complainEvery}
			i.timer.what = i
			s.ifaces[n] = i
			return i, nil
		}
	}
	return nil, neterr.NoConvs.With("%d interfaces exist, the limit", MaxIfaces)
}

// AddInterface makes an interface of a NIC and begins to read it.
func (s *Stack) AddInterface(n nic.NIC) (*Iface, error) {
	s.lock()
	var begin func()
	i, err := s.newIface()
	if err == nil {
		begin = i.bind(n, false)
	}
	s.unlock()
	if err != nil {
		return nil, err
	}
	begin()
	return i, nil
}

// AddLoopback makes the interface 127.0.0.1/8 and ::1 of a NIC that gives back what it
// is sent. Traffic of the stack with its own addresses goes through it.
func (s *Stack) AddLoopback(n nic.NIC) (*Iface, error) {
	s.lock()
	var begin func()
	i, err := s.newIface()
	if err == nil {
		begin = i.bind(n, true)
		err = i.add(netip.MustParsePrefix("127.0.0.1/8"))
		if err == nil {
			err = i.add(netip.MustParsePrefix("::1/128"))
		}
	}
	s.unlock()
	if err != nil {
		return nil, err
	}
	begin()
	return i, nil
}

// bind joins an interface and its NIC; the caller calls begin, which starts the
// NIC, after unlocking.
func (i *Iface) bind(n nic.NIC, loopback bool) (begin func()) {
	i.nic, i.device, i.mac, i.mtu, i.loopback = n, n.Name(), n.MAC(), n.MTU(), loopback
	i.arpConfig = i.stack.knobs.arp
	i.arpConfig.MAC = i.mac
	i.arp = arp.New(&i.arpConfig, func(f *outFrame) {
		i.drops.add(dropNoNeighbour)
		i.queue.drop(f)
	})
	i.groups = newGroups(i)
	i.claims = newClaims(i)
	i.captures = nic.NewCaptures(i.String())
	return i.wire(n)
}

// wire puts between the interface and its NIC what snoop shows and what impair
// spoils; a cable that was bad before is again.
func (i *Iface) wire(n nic.NIC) (begin func()) {
	var in, out nic.Impair
	if i.lossy != nil {
		in, out = i.lossy.Impaired(nic.In), i.lossy.Impaired(nic.Out)
	}
	i.lossy, _ = nic.NewLossy(n, in, out) // what another Lossy had makes sense
	tee := nic.NewTee(i.lossy, i.captures)
	i.queue = newQueue(i, tee)
	i.setRate()
	return func() { tee.Start(&intake{iface: i, nic: n}) }
}

// unbind takes the NIC away; the caller stops it after unlocking.
func (i *Iface) unbind() *stopped {
	for len(i.addrs) > 0 {
		i.remove(i.addrs[0].prefix)
	}
	i.loseGroups()
	i.silence6()
	i.stack.unfile(&i.claims.timer)
	i.stack.routes.RemoveIface(i.num)
	i.stack.unfile(&i.timer)
	i.stack.unfile(&i.queue.timer)
	for _, c := range i.starved {
		c.starved = false
		i.stack.touch(c)
	}
	i.starved = nil
	n := &stopped{nic: i.lossy, queue: i.queue, captures: i.captures}
	i.nic, i.outside, i.lossy, i.spec = nil, nil, nil, ""
	return n
}

// RemoveInterface takes an interface away, NIC and number.
func (s *Stack) RemoveInterface(i *Iface) {
	s.lock()
	var end *stopped
	if i.nic != nil {
		end = i.unbind()
	}
	if s.ifaces[i.num] == i {
		delete(s.ifaces, i.num)
	}
	s.unlock()
	if end != nil {
		end.stop()
	}
}

// Replug moves an interface from its NIC to a port of a switch to which that NIC
// has been attached. The interface keeps its MAC, its name and its addresses;
// nothing that waits in it is lost.
func (i *Iface) Replug(was, port nic.NIC) error {
	s := i.stack
	s.lock()
	if i.nic != was || s.closing {
		s.unlock()
		return neterr.Busy.With("%v has left %s meanwhile", i, was.Name())
	}
	old, line := i.queue, i.lossy
	s.unfile(&old.timer)
	i.nic, i.outside = port, was
	begin := i.wire(port)
	if len(i.starved) > 0 {
		i.queue.starving.Store(true)
		s.effects.flush = append(s.effects.flush, i.queue)
	}
	s.unlock()
	old.empty()
	old.close()
	line.Leave()
	begin()
	return nil
}

// NIC is what an interface is bound to; nil: nothing, or loopback.
func (i *Iface) NIC() nic.NIC {
	i.stack.lock()
	defer i.stack.unlock()
	if i.loopback {
		return nil
	}
	return i.nic
}

// Networks are the addresses of a stack with their subnets, those of loopback
// too.
func (s *Stack) Networks() []netip.Prefix {
	s.lock()
	defer s.unlock()
	var all []netip.Prefix
	for _, n := range s.ifnums() {
		for _, a := range s.ifaces[n].addrs {
			all = append(all, a.prefix)
		}
	}
	return all
}

// stopped is what is to be ended, without the lock, of an interface.
type stopped struct {
	nic      nic.NIC
	queue    *queue
	captures *nic.Captures
}

func (n *stopped) stop() {
	n.nic.Close()
	n.queue.close()
	n.captures.End()
}

// stop ends all that is left, for Close.
func (s *Stack) stop() (nics []*stopped) {
	s.lock()
	defer s.unlock()
	for _, pr := range s.protos {
		for _, c := range pr.all() {
			c.proto.free(c)
		}
	}
	for _, i := range s.ifaces {
		if i.nic != nil {
			nics = append(nics, i.unbind())
		}
	}
	for _, t := range s.timers {
		t.pos = 0
	}
	s.timers = nil
	s.armed = 0 // nothing arms it any more
	if s.wakeup != nil {
		s.wakeup.Stop()
	}
	return nics
}

// Iface finds an interface by its number; nil: there is none.
func (s *Stack) Iface(num int) *Iface {
	s.lock()
	defer s.unlock()
	return s.ifaces[num]
}

// Ifaces are the numbers of the interfaces, ascending.
func (s *Stack) Ifaces() []int {
	s.lock()
	defer s.unlock()
	return s.ifnums()
}

func (s *Stack) ifnums() []int {
	nums := make([]int, 0, len(s.ifaces))
	for n := range s.ifaces {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	return nums
}

// Num is the number of an interface.
func (i *Iface) Num() int { return i.num }

// enqueue puts a frame, headers complete, into the queue.
func (i *Iface) enqueue(f *outFrame) {
	if i.nic == nil || i.down {
		i.drops.add(dropLinkDown)
		i.queue.drop(f)
		return
	}
	if !i.queue.put(f) {
		i.drops.add(dropQueueFull)
		i.queue.drop(f)
		return
	}
	fx := i.stack.effects
	if !slices.Contains(fx.flush, i.queue) {
		fx.flush = append(fx.flush, i.queue)
	}
}

// starve notes that c has more to send than there is room.
func (i *Iface) starve(c *Conv) {
	if !c.starved {
		c.starved = true
		i.starved = append(i.starved, c)
		i.queue.starving.Store(true)
	}
	fx := i.stack.effects
	if !slices.Contains(fx.flush, i.queue) {
		fx.flush = append(fx.flush, i.queue)
	}
}

// resume lets those that found no room go on. The flusher calls it, without a
// lock.
func (i *Iface) resume(q *queue) {
	i.stack.lock()
	defer i.stack.unlock()
	q.starving.Store(false)
	waiting := i.starved
	i.starved = nil
	for _, c := range waiting {
		c.starved = false
		i.stack.touch(c)
	}
}

// String names an interface in messages.
func (i *Iface) String() string { return fmt.Sprintf("ipifc/%d", i.num) }
