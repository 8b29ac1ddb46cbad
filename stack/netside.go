package stack

// One direction of a connection of the Go API: net.go and netpacket.go read and
// write through it. Its exported methods are those that take the stack's lock.

import (
	"net"
	"os"
	"sync"
	"time"
)

// A side does one call after another, each as the same Op, so that none
// allocates. A deadline and Close reach the call under way.
type side struct {
	// turn is empty while a call has op. It is a channel since a mutex is nothing
	// to wait on for long: testing/synctest would not let the time pass.
	turn chan struct{}
	op   Op
	done chan struct{} // op is answered

	mu       sync.Mutex // held for no wait, and before the stack's lock
	deadline time.Duration
	timed    bool // there is a deadline
	pending  bool
	closed   bool
}

func (d *side) init(kind OpKind, c *Conv) {
	d.turn, d.done = make(chan struct{}, 1), make(chan struct{}, 1)
	d.turn <- struct{}{}
	d.op = Op{Kind: kind, Conv: c, stack: c.stack, User: c.stack.cfg.Owner, Done: func(*Op) { d.done <- struct{}{} }}
}

// take waits until op is the caller's, who gives it back with give.
func (d *side) take() *Op {
	<-d.turn
	return &d.op
}

func (d *side) give() { d.turn <- struct{}{} }

// Do carries op out and waits for its answer. The caller has the turn and has
// set what is wanted.
func (d *side) Do() error {
	if err := d.Begin(); err != nil {
		return err
	}
	<-d.done
	d.mu.Lock()
	d.pending = false
	d.mu.Unlock()
	d.op.Data = nil
	if d.op.Err != nil && d.op.late {
		return os.ErrDeadlineExceeded
	}
	return d.op.Err
}

// Closed is net.ErrClosed after Close.
func (d *side) Closed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return net.ErrClosed
	}
	return nil
}

// Begin submits op. That never waits, so mu may be held: Close and SetDeadline
// find op either not begun or where they can reach it.
func (d *side) Begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	op := &d.op
	op.N, op.Err, op.Call, op.late, op.Deadline = 0, nil, nil, false, 0
	op.Chunks = op.Chunks[:0]
	if d.closed {
		return net.ErrClosed
	}
	if d.timed {
		// A deadline that has passed fails what could be done, too.
		if d.deadline <= op.stack.clock() {
			return os.ErrDeadlineExceeded
		}
		op.Deadline = d.deadline
	}
	d.pending = true
	op.stack.Submit(op)
	return nil
}

// SetDeadline sets when calls are given up, the one under way among them; the
// zero time means never.
func (d *side) SetDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return net.ErrClosed
	}
	s := d.op.stack
	d.timed, d.deadline = !t.IsZero(), 0
	if d.timed {
		d.deadline = max(1, t.Sub(s.start)) // zero is never
	}
	if d.pending {
		s.SetDeadline(&d.op, d.deadline)
	}
	return nil
}

// Close fails the call under way and all later ones. It reports false if that
// was done before.
func (d *side) Close() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.closed = true
	if d.pending {
		d.op.stack.Cancel(&d.op, net.ErrClosed)
	}
	return true
}
