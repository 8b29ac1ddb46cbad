package nic

// A TAP is a network device of the kernel whose other end is this process. The
// stack's interface owns one; its reader goroutine runs frames up the stack,
// and whoever flushes the interface's queue runs them down in Send.
//
// Here is the traffic. tap_open.go makes and attaches the device, tap_offload.go
// knows the header before each frame, tap_host.go sets up the kernel's end.

import (
	"io"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// maxPieces is the longest vector of one write. A frame in more pieces is
// copied together first: each piece costs some 10 ns in the kernel, and the
// vector lies on the stack.
const maxPieces = 64

// A TAP is a NIC. Its descriptor is nonblocking and lives in Go's poller, so
// the reader costs no thread while it waits; the system calls in it do not tell
// Go's scheduler, because none of them waits.
type TAP struct {
	identity
	device io.Closer // owns fd
	conn   syscall.RawConn
	fd     int
	header int // bytes before each frame: vnetLen or none

	// Send holds closing for reading: the descriptor's number must not become
	// another file's between the check and the write.
	closing sync.RWMutex
	closed  bool

	receiver sink
	frames   [batchMax]Frame
	batch    [batchMax]*Frame
	done     chan struct{} // closed at the reader's end; nil before Start
	drainage drainage

	errDown, errGone error // made once: a link that is down refuses every frame
}

// Start begins to read.
func (t *TAP) Start(r Receiver) {
	t.closing.Lock()
	defer t.closing.Unlock()
	if t.closed || !t.receiver.set(r) {
		return
	}
	t.done = make(chan struct{})
	go t.run()
}

// run is the reader. It ends when the descriptor is closed, or when the kernel
// deletes the device: then the poller says that there is nothing to wait for.
func (t *TAP) run() {
	defer close(t.done)
	t.conn.Read(t.drain)
	t.drainage.end(true) // a last time: the device may have gone with frames in it
	for i := range t.frames {
		t.frames[i].Buf.Release()
		t.frames[i] = Frame{}
	}
}

// drain reads until nothing is left, and leaves the waiting to the poller. The
// poller remembers an arrival from the time of the last read on, so none is
// missed. An error is waited out in the same way: the next arrival ends it.
func (t *TAP) drain(fd uintptr) (done bool) {
	t.drainage.begin()
	defer t.drainage.end(false)
	for more := true; more; {
		var n int
		n, more = t.fill(fd)
		if n > 0 {
			t.lend(n)
		}
	}
	return false
}

// fill reads up to a batch, and says whether there may be more.
func (t *TAP) fill(fd uintptr) (n int, more bool) {
	for n < batchMax {
		f := &t.frames[n]
		if f.Buf == nil {
			f.Buf = large.Get()
		}
		b := f.Buf.B
		got, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return n, false
		case errno != 0:
			t.drops[DropIO].Add(1)
			return n, false
		}
		if t.accept(f, b[:got]) {
			n++
		}
	}
	return n, true
}

// accept makes f the frame that was read into b.
func (t *TAP) accept(f *Frame, b []byte) bool {
	if len(b) < t.header || len(b)-t.header > MaxFrame+tagRoom {
		t.drops[DropTooBig].Add(1)
		return false
	}
	f.Head, f.Body, f.Hops, f.Offload = b[t.header:], nil, 0, wire.Offload{}
	if t.header > 0 && !decodeVnet(b, &f.Offload) {
		t.drops[DropMarks].Add(1)
		return false
	}
	return true
}

// lend gives the first n frames to the receiver. The block of one that was
// taken is left to the taker; the others are read into again.
func (t *TAP) lend(n int) {
	var bufs [batchMax]*wire.Buf
	for i := range n {
		bufs[i] = t.frames[i].Buf
	}
	t.countIn(t.batch[:n])
	t.receiver.Receive(t.batch[:n])
	for i, buf := range bufs[:n] {
		reclaim(buf)
		if buf.Shared() {
			buf.Release()
			buf = nil
		}
		t.frames[i].Buf = buf
	}
	// The receiver may have used the batch up like a queue.
	for i := range n {
		t.batch[i] = &t.frames[i]
	}
}

// Send writes one frame, from where its pieces lie.
func (t *TAP) Send(f *Frame) error {
	if err := t.refuses(f); err != nil {
		return err
	}
	if len(f.Body) > maxPieces-2 {
		p := pack(f)
		var flat Frame
		p.unpack(&flat)
		defer p.buf.Release()
		f = &flat
	}
	var marks [vnetLen]byte
	var vector [maxPieces]unix.Iovec
	n := 0
	if t.header > 0 {
		encodeVnet(&marks, f)
		vector[0].Base = &marks[0]
		vector[0].SetLen(vnetLen)
		n = 1
	}
	if len(f.Head) > 0 {
		vector[n].Base = &f.Head[0]
		vector[n].SetLen(len(f.Head))
		n++
	}
	for _, b := range f.Body {
		if len(b) > 0 {
			vector[n].Base = &b[0]
			vector[n].SetLen(len(b))
			n++
		}
	}
	t.closing.RLock()
	if t.closed {
		t.closing.RUnlock()
		return t.drop(DropDown, errClosed)
	}
	_, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(t.fd), uintptr(unsafe.Pointer(&vector[0])), uintptr(n))
	t.closing.RUnlock()
	if errno != 0 {
		return t.writeError(errno)
	}
	t.countOut(f.Len())
	return nil
}

func (t *TAP) writeError(errno syscall.Errno) error {
	switch errno {
	case unix.EIO:
		return t.drop(DropDown, t.errDown)
	case unix.EBADFD:
		return t.drop(DropDown, t.errGone)
	case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
		return t.drop(DropFull, neterr.NoMemory)
	case unix.EINVAL:
		return t.drop(DropMarks, errMarks)
	}
	return t.drop(DropIO, errno)
}

// Close ends the reader and lets go of the device, which ends with it unless it
// is to persist.
func (t *TAP) Close() error {
	t.closing.Lock()
	already := t.closed
	t.closed = true
	done := t.done
	t.closing.Unlock()
	var err error
	if !already {
		err = t.device.Close()
	}
	if done != nil {
		<-done
	}
	return err
}
