package nic

// A delay line holds frames until their time: the waiting half of Lossy. It
// has one heap of deadlines, one timer and one goroutine.

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"
)

// heldMax bounds the memory of the frames in flight on one delay line: 100 ms
// of 5 Gbit/s.
const heldMax = 64 << 20

type delayLine struct {
	deliver func(parcel) // called by the goroutine, in the order of deadlines

	mu     sync.Mutex
	afloat atomic.Int64 // waiting, or being delivered
	wait   deadlines
	held   int
	count  uint64 // breaks ties: first in, first out
	closed bool
	wake   chan struct{} // an earlier deadline has come, or closed was set
	done   chan struct{} // nil until there is something to wait for
}

type waiting struct {
	parcel
	at    time.Time
	count uint64
}

// put takes over a parcel until at. It says no when there is no room.
func (d *delayLine) put(p parcel, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.held+len(p.buf.B) > heldMax {
		return false
	}
	d.held += len(p.buf.B)
	d.count++
	d.afloat.Add(1)
	heap.Push(&d.wait, waiting{p, at, d.count})
	if d.done == nil {
		d.wake = make(chan struct{}, 1)
		d.done = make(chan struct{})
		go d.run()
	} else if d.wait[0].count == d.count {
		d.nudge()
	}
	return true
}

func (d *delayLine) nudge() {
	select {
	case d.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// empty reports whether nothing is waiting or being delivered: then a frame may
// pass by without overtaking.
func (d *delayLine) empty() bool { return d.afloat.Load() == 0 }

func (d *delayLine) run() {
	defer close(d.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p, wait, ok := d.due()
		switch {
		case !ok:
			return
		case wait == 0:
			d.deliver(p)
			d.afloat.Add(-1)
		case wait < 0:
			<-d.wake
		default:
			timer.Reset(wait)
			select {
			case <-d.wake:
			case <-timer.C:
			}
		}
	}
}

// due is the parcel whose time has come. Otherwise wait is how long to wait for
// one, negative for ever.
func (d *delayLine) due() (p parcel, wait time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return p, 0, false
	case len(d.wait) == 0:
		return p, -1, true
	}
	if wait = time.Until(d.wait[0].at); wait > 0 {
		return p, wait, true
	}
	p = heap.Pop(&d.wait).(waiting).parcel
	d.held -= len(p.buf.B)
	return p, 0, true
}

// close drops what waits, and returns when nothing is being delivered any more.
func (d *delayLine) close() {
	d.mu.Lock()
	d.closed = true
	for _, w := range d.wait {
		w.buf.Release()
	}
	d.afloat.Add(-int64(len(d.wait)))
	d.wait, d.held = nil, 0
	done := d.done
	if done != nil {
		d.nudge()
	}
	d.mu.Unlock()
	if done != nil {
		<-done
	}
}

// deadlines is a heap, the earliest first.
type deadlines []waiting

func (h deadlines) Len() int      { return len(h) }
func (h deadlines) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h deadlines) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].count < h[j].count
	}
	return h[i].at.Before(h[j].at)
}
func (h *deadlines) Push(x any) { *h = append(*h, x.(waiting)) }
func (h *deadlines) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = waiting{}
	*h = old[:len(old)-1]
	return w
}
