package fs

// poll, select and epoll. The kernel asks with POLL and a handle kh of its own;
// from then on until RELEASE every change is told it with NOTIFY_POLL, as
// edge-triggered epoll asks only once.

import (
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"slashnet/stack"
)

// poll is a handle's part in it.
type poll struct {
	kh     uint64
	watch  *stack.Watch // nil: never asked
	queued atomic.Bool  // a notice is on its way already
}

const (
	readable = unix.POLLIN | pollRdNorm
	writable = unix.POLLOUT | pollWrNorm

	pollRdNorm = 0x40 // as in poll(2), on all of Linux but two old machines
	pollWrNorm = 0x100
)

var pollEvents = [...]struct {
	ready  stack.Ready
	events uint32
}{
	{stack.ReadyIn, readable},
	{stack.ReadyOut, writable},
	{stack.ReadyHup, unix.POLLHUP},
	{stack.ReadyErr, unix.POLLERR},
}

func (s *Server) servePoll(h *fuse.InHeader, in *pollIn) {
	if in == nil {
		s.dev.reply(h.Unique, fuse.EINVAL, nil, nil)
		return
	}
	hd := s.handles.get(in.Fh)
	if hd == nil {
		s.dev.reply(h.Unique, fuse.EBADF, nil, nil)
		return
	}
	// Watched before looked at, so that nothing falls in between.
	if w := hd.watched(); w != nil && in.Flags&pollScheduleNotify != 0 && hd.poll.watch == nil {
		hd.poll.kh = in.Kh
		hd.poll.watch = &stack.Watch{Notify: func() { s.notes.poll(&hd.poll) }}
		w.Watch(hd.poll.watch)
	}
	s.dev.reply(h.Unique, fuse.OK, bytesOf(&pollOut{Revents: hd.revents()}), nil)
}

// A watched tells when it may be ready.
type watched interface {
	Watch(*stack.Watch)
	Unwatch(*stack.Watch)
}

// watched is what a handle waits for; nil: it is always ready.
func (h *handle) watched() watched {
	switch {
	case h.stream != nil:
		return h.stream
	case h.conv != nil && h.file.kind.waits():
		return h.conv
	}
	return nil
}

// unpoll ends the watch of a handle that is closed.
func (h *handle) unpoll() {
	if h.poll.watch != nil {
		h.watched().Unwatch(h.poll.watch)
	}
}

// revents is what poll(2) says of a handle.
func (h *handle) revents() uint32 {
	if h.watched() == nil {
		return readable | writable
	}
	if h.stream != nil {
		r := h.stream.Ready()
		if h.hasRest() {
			r |= stack.ReadyIn
		}
		return pollBits(r)
	}
	r := h.conv.Ready()
	if h.conv.ReadyListen()&stack.ReadyIn != 0 {
		r |= stack.ReadyIn // a call waits: so a server polls its listener's ctl or data
	}
	if h.isStream() {
		if h.hasRest() {
			r |= stack.ReadyIn
		}
	} else {
		r = h.readyControl(r)
	}
	return pollBits(r)
}

func pollBits(r stack.Ready) (bits uint32) {
	for _, e := range pollEvents {
		if r&e.ready != 0 {
			bits |= e.events
		}
	}
	return bits
}

// readyControl makes of what is true for data what is true for ctl: there is a
// number, the end or a call to be had, and commands are taken unless a connect is
// under way.
func (h *handle) readyControl(r stack.Ready) stack.Ready {
	r &^= stack.ReadyIn | stack.ReadyOut
	// Once the number was read a read finds the end at once. That of a listener says
	// rather whether there are calls.
	if h.unread() || !h.conv.Announced() || h.conv.ReadyListen()&stack.ReadyIn != 0 {
		r |= stack.ReadyIn
	}
	return r | h.conv.ReadyControl()
}
