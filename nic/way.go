package nic

// A way is one direction of a bad cable: it decides what becomes of each frame,
// and holds those that are on their way. Lossy and Cable have two each.

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"slashnet/wire"
)

type way struct {
	number uint64 // of the direction: each has random values of its own
	mu     sync.Mutex
	p      Impair
	random *rand.Rand
	free   time.Time   // when the link has sent what it was given
	last   time.Time   // the latest deadline so far: jitter keeps the order
	queue  []time.Time // when each of the frames that wait for the rate is sent
	line   delayLine

	clear                                       atomic.Bool // no impairment: the lock is not needed
	lost, full, duplicated, corrupted, overtook atomic.Uint64
}

// begin gives a way its number, and who takes what has arrived.
func (w *way) begin(number uint64, deliver func(parcel)) {
	w.number, w.line.deliver = number, deliver
	w.clear.Store(true)
}

// set changes what happens to frames from now on, and begins the random sequence
// anew.
func (w *way) set(p Impair) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Queue == 0 && p.Rate > 0 {
		p.Queue = queueDefault
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.p = p
	w.random = rand.New(rand.NewPCG(p.Seed, w.number))
	w.clear.Store(p == Impair{Seed: p.Seed})
	return nil
}

func (w *way) impaired() Impair {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.p
}

// idle reports whether a frame may pass by: nothing happens to it, and it
// overtakes none.
func (w *way) idle() bool { return w.clear.Load() && w.line.empty() }

// Mischief counts what was done to the frames of one direction.
type Mischief struct {
	Lost, Full                       uint64 // gone: by chance, and for want of room in the queue
	Duplicated, Corrupted, Reordered uint64
}

func (w *way) mischief() Mischief {
	return Mischief{w.lost.Load(), w.full.Load(), w.duplicated.Load(), w.corrupted.Load(), w.overtook.Load()}
}

// carry decides about one wire frame. What survives is a copy, which waits its
// time. seen is told in words what is done, if anything, before anybody can
// receive the frame.
func (w *way) carry(f *Frame, seen func(f *Frame, fate string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fate := w.p.throw(w.random)
	var arrive [2]time.Time
	n := 0
	if !fate.lost {
		for range fate.copies() {
			if at, ok := w.schedule(f.Len(), fate); ok {
				arrive[n], n = at, n+1
			}
		}
	}
	if seen != nil {
		seen(f, fate.words(n))
	}
	w.count(fate, n)
	for _, at := range arrive[:n] {
		p := pack(f)
		p.Offload = wire.Offload{}
		if fate.corrupt && p.n > 0 {
			bit := int(fate.where * float64(8*p.n))
			p.buf.B[bit/8] ^= 1 << (bit % 8)
			w.corrupted.Add(1)
		}
		if !w.line.put(p, at) {
			w.full.Add(1)
			p.buf.Release()
		}
	}
}

// count counts the fate of a frame of which n arrive.
func (w *way) count(f fate, n int) {
	if f.lost {
		w.lost.Add(1)
		return
	}
	w.full.Add(uint64(f.copies() - n))
	if f.twice {
		w.duplicated.Add(1)
	}
	if f.early {
		w.overtook.Add(1)
	}
}

func (f fate) copies() int {
	if f.twice {
		return 2
	}
	return 1
}

// words are the remarks of a capture on a frame of which n arrive; none on one that
// is only delayed.
func (f fate) words(n int) string {
	var words []string
	for _, w := range []struct {
		is   bool
		word string
	}{
		{f.lost, "lost"},
		{!f.lost && n < f.copies(), "no room in the queue"},
		{!f.lost && f.twice, "duplicated"},
		{n > 0 && f.early, "reordered"},
		{n > 0 && f.corrupt, "corrupted"},
	} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
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
