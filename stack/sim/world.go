package sim

// The world's clock. Tests call New, Run, Until and Quiet; links and users file
// events; the stacks' own deadlines are read before every step.

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"slashnet/wire"
)

const (
	// stuckAfter is how many steps may be made while the clock stands: far more
	// than all frames of a burst, far less than a test's patience.
	stuckAfter = 200_000
	// ticksAtOnce is how often one stack may have something to do at one instant:
	// a deadline that Tick leaves in the past would be read for ever.
	ticksAtOnce = 100
	// batchFrames is how many frames that arrive together a stack is lent at once,
	// as by a TAP.
	batchFrames = 8
	// inspectEvery is how many steps lie between two looks into the stacks.
	inspectEvery = 256
	// remembered is how many of the last segments an error shows.
	remembered = 30
)

// A World is hosts, links and the time. It is for one goroutine.
type World struct {
	Seed uint64
	// Steps are the events so far, Budget how many there may be; 0: no bound.
	Steps, Budget int

	now     time.Duration
	random  *rand.Rand
	agenda  agenda
	filed   uint64 // events so far, to keep those of one instant in order
	hosts   []*Host
	ports   int
	standby int // steps since the clock moved
	blocks  int // blocks that somebody holds
	digest  uint32
	witness witness
	recent  [remembered]seen // a ring, noted counts
	noted   int
	wrong   error
}

// New makes an empty world.
func New(seed uint64) *World {
	w := &World{Seed: seed, random: rand.New(rand.NewPCG(seed, 0))}
	w.witness = witness{world: w, flows: map[flow]*stream{}}
	return w
}

// Now is the time in the world.
func (w *World) Now() time.Duration { return w.now }

// Digest names everything that was sent so far, and when.
func (w *World) Digest() uint32 { return w.digest }

// fork is a source of chance of its own, so that one user more or less does not
// change the luck of the others.
func (w *World) fork(of uint64) *rand.Rand { return rand.New(rand.NewPCG(w.Seed, of+1)) }

// An event is something that will happen: a frame arrives, or do is called.
type event struct {
	at    time.Duration
	order uint64
	do    func()
	frame *arrival
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = event{}
	*a = (*a)[:last]
	return e
}

func (w *World) file(e event) {
	w.filed++
	e.order = w.filed
	heap.Push(&w.agenda, e)
}

// After calls do when d has passed.
func (w *World) After(d time.Duration, do func()) { w.file(event{at: w.now + d, do: do}) }

// Run lets d pass.
func (w *World) Run(d time.Duration) error {
	end := w.now + d
	for w.wrong == nil && w.step(end) {
	}
	w.now = end
	return w.wrong
}

// Until runs until cond holds, which is looked at after every step, at most for
// the time given: not to see it by then is an error.
func (w *World) Until(cond func() bool, within time.Duration) error {
	end := w.now + within
	for w.wrong == nil && !cond() {
		if !w.step(end) {
			w.fail("%v have passed, or nothing happens any more, and it is not so yet", within)
		}
	}
	return w.wrong
}

// Quiet runs until nothing will ever happen again by itself.
func (w *World) Quiet(within time.Duration) error {
	end := w.now + within
	for w.wrong == nil && w.step(end) {
	}
	if at, _, ok := w.next(); ok && w.wrong == nil {
		w.fail("not quiet after %v: the next thing happens in %v", within, at-w.now)
	}
	return w.wrong
}

// Err is what went wrong first.
func (w *World) Err() error { return w.wrong }

// next is the earliest event or deadline; host is nil for an event.
func (w *World) next() (at time.Duration, host *Host, ok bool) {
	if len(w.agenda) > 0 {
		at, ok = w.agenda[0].at, true
	}
	for _, h := range w.hosts {
		if t, has := h.Deadline(); has && (!ok || max(t, h.wakes) < at) {
			at, host, ok = max(t, h.wakes), h, true
		}
	}
	return at, host, ok
}

// step does the next thing that is due by end; false: there is none.
func (w *World) step(end time.Duration) bool {
	at, host, ok := w.next()
	if !ok || at > end {
		return false
	}
	if at > w.now {
		w.now = at
		w.standby = 0
		for _, h := range w.hosts {
			h.ticks = 0
		}
	}
	w.Steps++
	w.standby++
	switch {
	case w.standby > stuckAfter:
		w.fail("the clock stands still: %d steps at one instant", stuckAfter)
	case w.Budget > 0 && w.Steps > w.Budget:
		w.fail("more than %d steps", w.Budget)
	}
	switch {
	case host != nil:
		if host.ticks++; host.ticks > ticksAtOnce {
			w.fail("%s: Tick was called %d times at one instant and Deadline stays in the past", host.Name, ticksAtOnce)
		}
		host.Tick()
	default:
		e := heap.Pop(&w.agenda).(event)
		if e.frame != nil {
			w.arrive(e)
		} else {
			e.do()
		}
	}
	if w.Steps%inspectEvery == 0 {
		w.inspect()
	}
	return true
}

// arrive hands a frame, and those that come with it, to where they go.
func (w *World) arrive(e event) {
	batch := []*arrival{e.frame}
	for len(w.agenda) > 0 && len(batch) < batchFrames {
		next := w.agenda[0]
		if next.at != e.at || next.frame == nil || next.frame.to != e.frame.to {
			break
		}
		heap.Pop(&w.agenda)
		batch = append(batch, next.frame)
	}
	e.frame.to.receive(batch)
}

// block makes a block of memory that the world keeps account of. Whoever uses it
// after its last release finds nonsense there.
func (w *World) block(n int) *wire.Buf {
	w.blocks++
	return wire.NewBuf(make([]byte, n), func(b *wire.Buf) {
		w.blocks--
		for i := range b.B {
			b.B[i] = 0xdb
		}
	})
}

// A seen is a segment or another frame that was sent, and when.
type seen struct {
	at   time.Duration
	host *Host
	segment
	isSegment bool
	length    int
}

func (e *seen) String() string {
	if !e.isSegment {
		return fmt.Sprintf("%v %s: a frame of %d bytes", e.at, e.host.Name, e.length)
	}
	h := &e.h
	return fmt.Sprintf("%v %s: %v > %v %v seq %d ack %d len %d win %d sack %v", e.at, e.host.Name, e.flow.from, e.flow.to,
		h.Flags, h.Seq, h.Ack, e.length, h.Window, h.Options.SACK[:h.Options.SACKs])
}

// note adds what was sent to the digest and to the memory of the last segments.
func (w *World) note(h *Host, frame []byte, s segment, isSegment bool) {
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(w.now))
	w.digest = crc32.Update(w.digest, castagnoli, at[:])
	w.digest = crc32.Update(w.digest, castagnoli, frame)
	length := len(frame)
	if isSegment {
		length = len(s.payload)
	}
	s.payload = nil
	w.recent[w.noted%remembered] = seen{w.now, h, s, isSegment, length}
	w.noted++
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fail notes what is wrong; only the first counts.
func (w *World) fail(format string, args ...any) {
	if w.wrong != nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	for n := max(0, w.noted-remembered); n < w.noted; n++ {
		text += "\n\t" + w.recent[n%remembered].String()
	}
	w.wrong = fmt.Errorf("at %v, step %d: %s", w.now, w.Steps, text)
}
