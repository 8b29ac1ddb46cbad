package nic

// Drained is how somebody learns that all that had arrived was delivered; the
// stack's `sync` asks each NIC.

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A Drainer is a NIC that frames wait in.
type Drainer interface {
	// Drained calls f once no frame is left that had arrived before, perhaps at
	// once, from any goroutine. It is called when the NIC closes, too.
	Drained(f func())
}

// drainage knows whether a reader is at work, and who waits for him to finish.
// Its lock is taken before an inbox's.
type drainage struct {
	mu      sync.Mutex
	busy    bool
	waiting []waiter
}

// A waiter is who asked, and how to see whether frames are left.
type waiter struct {
	f    func()
	left func() bool
}

func (d *drainage) begin() {
	d.mu.Lock()
	d.busy = true
	d.mu.Unlock()
}

// end tells those who wait, but for those whose frames have come since the reader
// looked for the last time: he will be back. At the very end there is nobody to
// wait for.
func (d *drainage) end(last bool) {
	d.mu.Lock()
	d.busy = false
	var stay, told []waiter
	for _, w := range d.waiting {
		if !last && w.left() {
			stay = append(stay, w)
		} else {
			told = append(told, w)
		}
	}
	d.waiting = stay
	d.mu.Unlock()
	for _, w := range told {
		w.f()
	}
}

// later has f called by end; false: nothing is under way, and nothing is left. No
// reader can begin between the two looks.
func (d *drainage) later(f func(), left func() bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy || left() {
		d.waiting = append(d.waiting, waiter{f, left})
		return true
	}
	return false
}

// Drained is for Drainer.
func (t *TAP) Drained(f func()) {
	left := func() (left bool) {
		t.conn.Control(func(fd uintptr) {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(p, 0)
			left = err == nil && n > 0 && p[0].Revents == unix.POLLIN
		})
		return left
	}
	t.closing.RLock()
	started := t.done != nil
	t.closing.RUnlock()
	if !started || !t.drainage.later(f, left) {
		f() // without a reader nobody will ever drain it
	}
}

// Drained is for Drainer.
func (p *port) Drained(f func()) {
	if !p.in.drainage.later(f, p.in.someToDeliver) {
		f()
	}
}

// drained passes a question on to the NIC that a Tee or a Lossy wraps.
func drained(n NIC, f func()) {
	if d, ok := n.(Drainer); ok {
		d.Drained(f)
		return
	}
	f()
}

// Drained is for Drainer.
func (t *Tee) Drained(f func()) { drained(t.NIC, f) }

// Drained is for Drainer. What is still on its way has not arrived.
func (l *Lossy) Drained(f func()) { drained(l.NIC, f) }
