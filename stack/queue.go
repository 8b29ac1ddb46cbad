package stack

// The way out of an interface: a bounded queue that whoever finds it unattended
// drains, in order, without the stack's lock. down.go puts frames in, the
// effects flush.

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"slashnet/nic"
	"slashnet/stack/tcp"
	"slashnet/wire"
)

const (
	// queueBytes bounds what an interface's queue holds: 32 frames of 64 KiB, so
	// that the wire never runs dry while the next are made.
	queueBytes = 2 << 20
	// queueFrames bounds it for small frames.
	queueFrames = 2048
	// flushBudget is how many frames one flusher sends before the queue's own
	// goroutine takes over: neither a reader of files nor of frames is captured.
	flushBudget = 64
	// spareFrames is how many used frames are kept for the next.
	spareFrames = 256
)

// An outFrame is a frame on its way down, with room for its headers and what
// pins its payload.
type outFrame struct {
	nic.Frame
	seg   tcp.Segment
	head  [wire.EthernetLen + maxHeaders]byte
	via   *Iface
	hop   netip.Addr // the neighbour that it goes to
	bytes int
}

// maxHeaders is the longest IP header and the longest TCP header.
const maxHeaders = 60 + wire.MaxTCPLen

// release lets go of the payload.
func (f *outFrame) release() {
	for i := range f.seg.Slices {
		f.seg.Pins[i].Release()
		f.seg.Pins[i], f.seg.Payload[i] = nil, nil
	}
	f.seg.Slices = 0
	f.Head, f.Body, f.Offload = nil, nil, wire.Offload{}
}

// A queue is an interface's way out. Its fields are under its own lock, which is
// taken last of all and held for no call.
type queue struct {
	mu       sync.Mutex
	ring     []*outFrame
	head, n  int
	bytes    int
	flushing bool
	spare    []*outFrame
	closed   bool
	iface    *Iface
	out      nic.NIC     // where frames leave
	starving atomic.Bool // connections wait for room
	stepped  bool        // there is no sender: a flusher goes on until nothing is left
	pace     pace        // of what leaves

	resumeAt time.Duration // when a flush that had to wait goes on; under the stack's lock, as timer
	timer    timer

	wake   chan struct{} // for the sender; holds one
	stop   chan struct{}
	sender sync.WaitGroup
}

// newQueue makes the way out of an interface through a NIC, and starts its
// sender. A NIC has a queue of its own: a flusher of the last one may still run.
func newQueue(i *Iface, n nic.NIC) *queue {
	q := &queue{iface: i, out: n, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	// A stack that is stepped has one goroutine, its caller's.
	q.stepped = i.stack.cfg.Now != nil
	q.timer.what = q
	if !i.loopback {
		q.pace.rate = i.stack.knobs.rateOut
	}
	if !q.stepped {
		q.sender.Go(q.serve)
	}
	return q
}

// newFrame is an empty frame.
func (q *queue) newFrame() *outFrame {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.spare); n > 0 {
		f := q.spare[n-1]
		q.spare = q.spare[:n-1]
		return f
	}
	return &outFrame{}
}

// drop gives a frame back unsent.
func (q *queue) drop(f *outFrame) {
	f.release()
	q.mu.Lock()
	q.keep(f)
	q.mu.Unlock()
}

func (q *queue) keep(f *outFrame) {
	if len(q.spare) < spareFrames {
		q.spare = append(q.spare, f)
	}
}

// room reports whether the queue takes another frame of a connection.
func (q *queue) room() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.hasRoom()
}

func (q *queue) hasRoom() bool { return q.bytes < q.pace.queued() && q.n < queueFrames && !q.closed }

// put appends a frame; false: there is no room.
func (q *queue) put(f *outFrame) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.n >= queueFrames || q.bytes >= q.pace.queued()+nic.MaxFrame {
		return false
	}
	if q.n == len(q.ring) {
		grown := make([]*outFrame, max(16, 2*q.n))
		for i := range q.n {
			grown[i] = q.ring[(q.head+i)%len(q.ring)]
		}
		q.ring, q.head = grown, 0
	}
	q.ring[(q.head+q.n)%len(q.ring)] = f
	q.n++
	f.bytes = f.Len()
	q.bytes += f.bytes
	return true
}

func (q *queue) take() *outFrame {
	f := q.ring[q.head]
	q.ring[q.head] = nil
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	q.bytes -= f.bytes
	return f
}

// flush drains the queue unless somebody is at it already. Connections that
// found no room are resumed on the way.
func (q *queue) flush() {
	q.mu.Lock()
	if q.flushing {
		q.mu.Unlock()
		return
	}
	q.flushing = true
	budget := flushBudget
	wait := time.Duration(0)
	for {
		for q.n > 0 && budget > 0 {
			if q.pace.rate > 0 {
				now := q.iface.stack.clock()
				if wait = q.pace.wait(now); wait > 0 {
					break
				}
				q.pace.pass(now, q.ring[q.head].bytes)
			}
			f := q.take()
			q.mu.Unlock()
			q.iface.send(q.out, f)
			q.mu.Lock()
			q.keep(f)
			if !q.stepped {
				budget--
			}
		}
		if budget == 0 || q.closed || !q.starving.Load() || wait > 0 && !q.hasRoom() {
			break
		}
		q.mu.Unlock()
		q.iface.resume(q)
		q.mu.Lock()
	}
	q.flushing = false
	more := q.n > 0 || q.starving.Load()
	q.mu.Unlock()
	switch {
	case wait > 0:
		q.iface.rest(q, wait)
	case more:
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// empty sends what is queued, whatever it takes, before the queue is closed.
func (q *queue) empty() {
	for {
		q.mu.Lock()
		if q.n == 0 {
			q.mu.Unlock()
			return
		}
		f := q.take()
		q.mu.Unlock()
		q.iface.send(q.out, f)
	}
}

// send puts a frame on the wire, cut up first where the NIC cannot do it.
func (i *Iface) send(out nic.NIC, f *outFrame) {
	if out.Offload() {
		i.count(out.Send(&f.Frame), &f.Frame)
	} else {
		if nic.Finish(&f.Frame, func(cut *nic.Frame) { i.count(out.Send(cut), cut) }) != nil {
			i.sent.errors.Add(1)
		}
	}
	f.release()
}

func (i *Iface) count(err error, f *nic.Frame) {
	if err != nil {
		i.sent.errors.Add(1)
		return
	}
	i.sent.frames.Add(1)
	i.sent.bytes.Add(uint64(f.Len()))
}

// serve is the queue's sender: it sleeps until a flusher ran out of budget.
func (q *queue) serve() {
	for {
		select {
		case <-q.wake:
			q.flush()
		case <-q.stop:
			return
		}
	}
}

// close drops what is queued and ends the sender.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	for q.n > 0 {
		q.take().release()
	}
	q.mu.Unlock()
	close(q.stop)
	q.sender.Wait()
}

// carry makes b the payload. It may not change until the frame has left.
func (f *outFrame) carry(b []byte) {
	f.seg.Payload[0], f.seg.Pins[0], f.seg.Slices = b, nil, 1
	f.Body = f.seg.Payload[:1]
}
