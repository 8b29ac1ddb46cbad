package nic

// An inbox is how frames get from one stack to another without waiting: Pipe,
// Loop, Switch and Cable give each port one. Send copies into it, and its own
// goroutine delivers; but of a Pipe whoever sends a small frame that would be the
// only one delivers it himself.

import (
	"sync"

	"slashnet/wire"
)

const (
	// batchMax is how many frames a Receiver is lent at once. Eight 64 KiB frames
	// are half a second-level cache; more wait longer than they save.
	batchMax = 8

	// inboxFrames is the most that wait for one port: a burst of small frames.
	inboxFrames = 1024
	// inboxBytes is the most memory that they hold: the windows of a few fast TCP
	// connections. Beyond that a queue is only delay.
	inboxBytes = 4 << 20
)

type inbox struct {
	mu     sync.Mutex
	some   sync.Cond // parcels have come, or closed was set
	ring   []parcel  // of inboxFrames, made when the first parcel comes
	first  int
	n      int
	held   int // bytes of the blocks in ring
	closed bool
	done   chan struct{} // closed at the end of run; nil before Start

	to       sink
	drainage drainage

	delivering bool            // somebody is; frames and batch are his
	frames     [batchMax]Frame // that are being delivered
	batch      [batchMax]*Frame
}

// put queues a copy of a frame. The reason for refusing one is DropFull or
// DropDown.
func (q *inbox) put(f *Frame) (Drop, bool) { return q.accept(pack(f)) }

// accept takes over a copy that has been made.
func (q *inbox) accept(p parcel) (Drop, bool) {
	q.mu.Lock()
	why, ok := q.enter(p)
	if ok && q.idle() {
		q.some.Signal()
	}
	q.mu.Unlock()
	if !ok {
		p.buf.Release()
	}
	return why, ok
}

// carry is put, and delivers a small frame that finds nobody at work: waking
// another goroutine takes longer, and where all cores have work, much longer. What is
// large is better carried on while the sender makes the next.
func (q *inbox) carry(f *Frame, c *counters) (Drop, bool) {
	p := pack(f)
	q.mu.Lock()
	why, ok := q.enter(p)
	mine := false
	if ok && q.idle() {
		if mine = p.n <= smallBlock; mine {
			q.delivering = true
		} else {
			q.some.Signal()
		}
	}
	q.mu.Unlock()
	if !ok {
		p.buf.Release()
	}
	if mine {
		q.deliver(c)
	}
	return why, ok
}

// enter puts a parcel behind the others, if there is room.
func (q *inbox) enter(p parcel) (Drop, bool) {
	switch {
	case q.closed:
		return DropDown, false
	case q.n == inboxFrames || q.held+len(p.buf.B) > inboxBytes:
		return DropFull, false
	}
	if q.ring == nil {
		q.ring = make([]parcel, inboxFrames)
	}
	q.ring[(q.first+q.n)%inboxFrames] = p
	q.n++
	q.held += len(p.buf.B)
	return 0, true
}

// idle reports whether the one frame that is there is nobody's business yet.
func (q *inbox) idle() bool { return q.n == 1 && !q.delivering && q.done != nil }

// start delivers what is there and what comes to r, until close.
func (q *inbox) start(r Receiver, c *counters) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || !q.to.set(r) {
		return
	}
	q.some.L = &q.mu
	q.done = make(chan struct{})
	go q.run(c)
}

func (q *inbox) run(c *counters) {
	defer close(q.done)
	defer q.drainage.end(true)
	for q.wait() {
		q.deliver(c)
	}
}

// deliver delivers a batch. The caller has set delivering.
func (q *inbox) deliver(c *counters) {
	q.drainage.begin() // before the frames are out of sight
	n := q.take(&q.frames)
	for i := range n {
		q.batch[i] = &q.frames[i] // the receiver may have used the last one up like a queue
	}
	lend(&q.to, q.batch[:n], c)
	if !q.someToDeliver() {
		q.drainage.end(false)
	}
	q.mu.Lock()
	q.delivering = false
	if q.n > 0 || q.closed {
		q.some.Broadcast()
	}
	q.mu.Unlock()
}

// wait waits for frames that nobody else delivers; false: the inbox is closed.
func (q *inbox) wait() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for (q.n == 0 || q.delivering) && !q.closed {
		q.some.Wait()
	}
	if q.closed {
		for q.delivering {
			q.some.Wait()
		}
		return false
	}
	q.delivering = true
	return true
}

// take takes frames out, none when the inbox was closed meanwhile.
func (q *inbox) take(frames *[batchMax]Frame) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n < batchMax && q.n > 0 && !q.closed {
		p := q.pop()
		p.unpack(&frames[n])
		n++
	}
	return n
}

// someToDeliver reports whether frames wait for a reader that will come.
func (q *inbox) someToDeliver() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n > 0 && q.done != nil && !q.closed
}

func (q *inbox) pop() (p parcel) {
	p, q.ring[q.first] = q.ring[q.first], parcel{}
	q.first = (q.first + 1) % inboxFrames
	q.n--
	q.held -= len(p.buf.B)
	return p
}

// close drops what waits, and returns when nothing is being delivered any more.
func (q *inbox) close() {
	q.mu.Lock()
	q.closed = true
	for q.n > 0 {
		q.pop().buf.Release()
	}
	done := q.done
	if done != nil {
		q.some.Broadcast()
	}
	q.mu.Unlock()
	if done != nil {
		<-done
	}
}

// lend gives a batch to r and takes it back.
func lend(r Receiver, batch []*Frame, c *counters) {
	var bufs [batchMax]*wire.Buf
	for i, f := range batch {
		bufs[i] = f.Buf
	}
	c.countIn(batch)
	r.Receive(batch)
	for _, buf := range bufs[:len(batch)] {
		reclaim(buf)
		buf.Release()
	}
}
