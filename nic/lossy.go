package nic

// A Lossy makes a bad cable of a good one, in either direction: what `impair`
// on an interface does, and what tests of TCP run over.

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"slashnet/wire"
)

// A Direction of a NIC, seen from the stack.
type Direction int

// The directions.
const (
	In Direction = iota
	Out
)

// A Lossy wraps a NIC. It acts on wire frames: a frame with marks is cut and
// summed first, since damage to one whose checksum is still to be made would be
// covered up. A direction without impairment passes frames on as they are.
type Lossy struct {
	NIC
	counters
	ways     [2]way
	receiver sink
	// up is held while the receiver has frames: from the NIC inside or from the
	// delay line, whose frame is arrival.
	up      sync.Mutex
	arrival Frame
	batch   [1]*Frame
}

// A way is one direction.
type way struct {
	mu     sync.Mutex
	p      Impair
	random *rand.Rand
	free   time.Time   // when the link has sent what it was given
	last   time.Time   // the latest deadline so far: jitter keeps the order
	queue  []time.Time // when each of the frames that wait for the rate is sent
	line   delayLine

	clear                           atomic.Bool // no impairment: the lock is not needed
	duplicated, corrupted, overtook atomic.Uint64
}

// NewLossy wraps n, which must not be started.
func NewLossy(n NIC, in, out Impair) (*Lossy, error) {
	l := &Lossy{NIC: n}
	l.ways[In].line.deliver = l.deliverIn
	l.ways[Out].line.deliver = l.deliverOut
	for d, p := range map[Direction]Impair{In: in, Out: out} {
		if err := l.Set(d, p); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Set changes what happens to one direction from now on, and begins its random
// sequence anew. Frames on their way arrive as they would have.
func (l *Lossy) Set(d Direction, p Impair) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Queue == 0 {
		p.Queue = queueDefault
	}
	w := &l.ways[d]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.p = p
	w.random = rand.New(rand.NewPCG(p.Seed, uint64(d)))
	w.clear.Store(p == Impair{Seed: p.Seed, Queue: p.Queue})
	return nil
}

// Impaired are the parameters of one direction.
func (l *Lossy) Impaired(d Direction) Impair {
	w := &l.ways[d]
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.p
}

// Mischief counts what was done to frames that were carried.
type Mischief struct{ Duplicated, Corrupted, Reordered uint64 }

// Mischief is what has been done to one direction so far.
func (l *Lossy) Mischief(d Direction) Mischief {
	w := &l.ways[d]
	return Mischief{w.duplicated.Load(), w.corrupted.Load(), w.overtook.Load()}
}

// Offload is true: what the NIC inside cannot do is done here.
func (l *Lossy) Offload() bool { return true }

// Start begins to read.
func (l *Lossy) Start(r Receiver) {
	if l.receiver.set(r) {
		l.NIC.Start(l)
	}
}

// Close closes the NIC inside, and drops what is on its way.
func (l *Lossy) Close() error {
	err := l.NIC.Close()
	for d := range l.ways {
		l.ways[d].line.close()
	}
	return err
}

// Send impairs a frame on its way out.
func (l *Lossy) Send(f *Frame) error {
	w := &l.ways[Out]
	if w.clear.Load() && w.line.empty() {
		length := f.Len()
		if err := Transmit(l.NIC, f); err != nil {
			return err
		}
		l.countOut(length)
		return nil
	}
	// A sender on a real cable does not learn what becomes of its frames.
	err := Finish(f, func(f *Frame) { l.impair(w, f) })
	if err != nil {
		return l.drop(DropMarks, err)
	}
	return nil
}

// Receive impairs frames on their way in.
func (l *Lossy) Receive(batch []*Frame) {
	w := &l.ways[In]
	if w.clear.Load() && w.line.empty() {
		l.up.Lock()
		defer l.up.Unlock()
		l.countIn(batch)
		l.receiver.Receive(batch)
		return
	}
	for _, f := range batch {
		if err := Finish(f, func(f *Frame) { l.impair(w, f) }); err != nil {
			l.drops[DropMarks].Add(1)
		}
	}
}

// impair decides about one wire frame. What survives is a copy, which waits its
// time.
func (l *Lossy) impair(w *way, f *Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fate := w.p.throw(w.random)
	if fate.lost {
		l.drops[DropLost].Add(1)
		return
	}
	copies := 1
	if fate.twice {
		copies = 2
		w.duplicated.Add(1)
	}
	if fate.early {
		w.overtook.Add(1)
	}
	for range copies {
		at, ok := w.schedule(f.Len(), fate)
		if !ok {
			l.drops[DropFull].Add(1)
			continue
		}
		p := pack(f)
		p.Offload = wire.Offload{}
		if fate.corrupt && p.n > 0 {
			bit := int(fate.where * float64(8*p.n))
			p.buf.B[bit/8] ^= 1 << (bit % 8)
			w.corrupted.Add(1)
		}
		if !w.line.put(p, at) {
			l.drops[DropFull].Add(1)
			p.buf.Release()
		}
	}
}

// schedule is when a frame of n bytes arrives, if there is room for it.
func (w *way) schedule(n int, f fate) (at time.Time, ok bool) {
	now := time.Now()
	at = now
	if w.p.Rate > 0 {
		for len(w.queue) > 0 && !w.queue[0].After(now) {
			w.queue = w.queue[1:]
		}
		if len(w.queue) >= w.p.Queue {
			return at, false
		}
		if w.free.Before(now) {
			w.free = now
		}
		w.free = w.free.Add(time.Duration(int64(n) * 8 * int64(time.Second) / w.p.Rate))
		w.queue = append(w.queue, w.free)
		at = w.free
	}
	at = at.Add(f.delay)
	if !f.early {
		if at.Before(w.last) {
			at = w.last
		}
		w.last = at
	}
	return at, true
}

// deliverIn hands up a frame whose time has come.
func (l *Lossy) deliverIn(p parcel) {
	l.up.Lock()
	defer l.up.Unlock()
	p.unpack(&l.arrival)
	l.batch[0] = &l.arrival
	lend(&l.receiver, l.batch[:], &l.counters)
}

// deliverOut sends a frame whose time has come.
func (l *Lossy) deliverOut(p parcel) {
	var f Frame
	p.unpack(&f)
	if l.NIC.Send(&f) == nil { // the NIC inside counts what it drops
		l.countOut(p.n)
	}
	p.buf.Release()
}
