package stack

// Stack is a whole host. cmd/slashnet makes one and gives it interfaces; fs and
// the Go API (net.go) call its exported methods.

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"slashnet/nic"
	"slashnet/route"
	"slashnet/stack/neterr"
	"slashnet/stack/reasm"
	"slashnet/wire"
)

// A User is who asks: the owner of a conversation.
type User struct{ UID, GID uint32 }

// Config is what a Stack needs to know from outside. The zero value works.
type Config struct {
	Owner User     // of the tree; besides root the one who may configure it
	Seed  [32]byte // of all randomness; zero: drawn from the system
	// Now is the clock, the time since the stack began. With one, the stack arms
	// no timer of its own: the caller reads Deadline and calls Tick. Nil: the
	// system's monotonic clock.
	Now func() time.Duration
	// Log is called with each line of the log as it is written, after unlocking.
	Log   func(line string)
	Names Names // who knows names; nil: nobody, addresses are wanted
	// OpenNIC opens what the verb bind of an interface names, as in tap:slash0.
	OpenNIC func(spec string) (nic.NIC, error)
}

// Stack is a TCP/IP host.
type Stack struct {
	mu  sync.Mutex
	cfg Config
	now time.Duration // when the lock was taken

	start  time.Time // what now counts from
	random *rand.Rand
	secret [32]byte // of sequence numbers and ports (RFC 6528, 6056)

	knobs  Knobs
	protos []*protocol

	ifaces     map[int]*Iface
	routes     route.Table
	own        map[netip.Addr]*Iface // our unicast addresses
	reasm      *reasm.Table
	reasmTimer timer
	portStep   int                // moves the choice of ephemeral ports
	ids        [idCounters]uint16 // of datagrams that may be cut up
	limits     icmpLimit
	gateways   *gateways
	pathMTUs   map[netip.Addr]pathMTU
	// ACKs to listeners may bring SYN cookies until then.
	cookiesUntil time.Duration
	challenges   challengeBudget

	timers timerHeap
	wakeup *time.Timer
	armed  time.Duration

	dirty      []*Conv // to be settled before the lock is released
	squeezed   []*Conv // whose windows are shut for want of memory
	effects    *effects
	usage      usage
	log        logRing
	events     eventRing
	snoops     []*Snoop
	plug       plugFunc // into the switches and links of the Host; nil: there is none
	counts     Counters
	ctx        context.Context // of the look-ups; cancelled by Close
	endLookups context.CancelFunc
	lookups    int
	lookupsOf  map[uint32]int // by user
	resolving  sync.WaitGroup
	queries    opList // of the files cs and dns, under way

	convGone func(p wire.Proto, num int, name string)
	closing  bool
	quiet    opList // Close, waiting for the last conversation
}

// New makes a stack without interfaces: AddInterface gives it its NICs,
// AddLoopback 127.0.0.1. Close ends it.
func New(cfg Config) *Stack {
	s := &Stack{cfg: cfg, start: time.Now(), ifaces: map[int]*Iface{}, own: map[netip.Addr]*Iface{}, pathMTUs: map[netip.Addr]pathMTU{}, effects: &effects{}, armed: never,
		usage: usage{detached: map[uint32]int{}}, lookupsOf: map[uint32]int{}}
	s.ctx, s.endLookups = context.WithCancel(context.Background())
	seed := cfg.Seed
	if seed == ([32]byte{}) {
		crand.Read(seed[:])
	}
	s.random = rand.New(rand.NewChaCha8(seed))
	for i := range s.secret {
		s.secret[i] = byte(s.random.Uint32())
	}
	s.limits.tokens = icmpBurst
	s.gateways = newGateways(s)
	s.knobs = defaultKnobs()
	s.knobs.tcp.Alloc = newBlockPool().get
	s.knobs.tcp.Counters = &s.counts.TCP
	s.knobs.tcp.Challenge = s.mayChallenge
	s.knobs.tcp.Spare = s.spare
	s.reasm = reasm.New(&s.knobs.reasm)
	s.reasmTimer.what = reassembly{s}
	for i := range s.ids {
		s.ids[i] = uint16(s.random.Uint32())
	}
	s.protos = []*protocol{newTCP(s), newUDP(s), newICMP(s, wire.ICMP), newICMP(s, wire.ICMPv6)}
	warmServices()
	return s
}

// lock begins a critical section. Only exported methods call it.
func (s *Stack) lock() {
	s.mu.Lock()
	s.now = s.clock()
}

func (s *Stack) clock() time.Duration {
	if s.cfg.Now != nil {
		return s.cfg.Now()
	}
	return time.Since(s.start)
}

// unlock settles what the critical section touched, ends it, and carries out
// its effects.
func (s *Stack) unlock() {
	s.settle()
	s.arm()
	fx := s.effects
	fx.convGone = s.convGone
	if fx.empty() {
		s.mu.Unlock()
		return
	}
	s.effects = newEffects()
	s.mu.Unlock()
	fx.run(s)
}

// proto finds a protocol by its number.
func (s *Stack) proto(p wire.Proto) *protocol {
	for _, pr := range s.protos {
		if pr.num == p {
			return pr
		}
	}
	return nil
}

// wall turns a time of the stack's clock into one for people.
func (s *Stack) wall(at time.Duration) time.Time { return s.start.Add(at) }

// OnConvGone sets what is called, without locks, when a conversation's directory
// vanishes; nil: nothing.
func (s *Stack) OnConvGone(f func(p wire.Proto, num int, name string)) {
	s.lock()
	defer s.unlock()
	s.convGone = f
}

// Deadline is when Tick has something to do; for a stack whose Config has a
// clock.
func (s *Stack) Deadline() (at time.Duration, ok bool) {
	s.lock()
	defer s.unlock()
	return s.timers.top()
}

// Tick does what is due. A stack with the system's clock calls it by itself.
func (s *Stack) Tick() {
	s.lock()
	defer s.unlock()
	s.armed = never
	s.expire()
}

// Close answers every waiter, closes every conversation politely and gives the
// peers until ctx ends to agree; then it resets what is left and closes the
// interfaces.
func (s *Stack) Close(ctx context.Context) error {
	if err := s.Part(ctx); err != nil {
		return err
	}
	s.End()
	return nil
}

// Part is the first half of Close: every waiter is answered, every conversation
// closed politely. Frames are still forwarded.
func (s *Stack) Part(ctx context.Context) error {
	done := make(chan struct{})
	s.lock()
	if s.closing {
		s.unlock()
		return neterr.ShuttingDown
	}
	s.closing = true
	s.answerAll(neterr.ShuttingDown)
	for _, pr := range s.protos {
		for _, c := range pr.all() {
			c.closeGracefully()
		}
	}
	wait := &Op{Kind: opQuiet, Done: func(*Op) { close(done) }}
	s.quiet.push(wait)
	s.checkQuiet()
	s.unlock()

	select {
	case <-done:
	case <-ctx.Done():
	}
	return nil
}

// End is the second half, after Part: what is left is reset, the interfaces close.
func (s *Stack) End() {
	s.lock()
	for _, pr := range s.protos {
		for _, c := range pr.all() {
			if !pr.over(c) {
				pr.hangup(c)
			}
		}
	}
	s.unlock()
	s.endLookups()
	s.resolving.Wait()
	nics := s.stop()
	for _, n := range nics {
		n.stop()
	}
}

// checkQuiet answers Close once no connection lingers.
func (s *Stack) checkQuiet() {
	if s.quiet.empty() {
		return
	}
	for _, pr := range s.protos {
		if !pr.idle() {
			return
		}
	}
	for op := s.quiet.pop(); op != nil; op = s.quiet.pop() {
		s.effects.finish = append(s.effects.finish, op)
	}
}
