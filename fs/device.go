package fs

// The descriptor of /dev/fuse: one message per read, one per write. The loop
// reads; whoever has an answer writes it, on his own goroutine.

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"slashnet/wire"
)

// device is nonblocking and in Go's poller: a blocking read of /dev/fuse costs a
// third of the latency, as each holds a P until sysmon takes it away.
type device struct {
	file *os.File
	conn syscall.RawConn

	mu     sync.RWMutex // held shared around a write, so that Close does not pull fd away
	fd     int
	closed bool
}

// newDevice takes over a nonblocking descriptor. Before mount(2) /dev/fuse
// signals an error to the poller, so it is to be mounted already.
func newDevice(fd int) (*device, error) {
	d := &device{file: os.NewFile(uintptr(fd), "/dev/fuse"), fd: fd}
	conn, err := d.file.SyscallConn()
	if err != nil {
		d.file.Close()
		return nil, err
	}
	d.conn = conn
	return d, nil
}

func (d *device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.file.Close()
}

// errUnmounted ends the loop: nobody has the tree mounted any more.
var errUnmounted = errors.New("unmounted")

// errNothing: no request is there.
var errNothing = errors.New("no request")

// read waits for a request, or sees whether there is one.
func (d *device) read(b []byte, wait bool) (int, error) {
	for {
		var n int
		var errno syscall.Errno
		err := d.conn.Read(func(fd uintptr) bool {
			r, _, e := syscall.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
			n, errno = int(r), e
			return e != syscall.EAGAIN || !wait
		})
		switch {
		case err != nil:
			// After an unmount the poller reports an error without asking us, and
			// after Close it reports that.
			return 0, errUnmounted
		case errno == syscall.EINTR, errno == syscall.ENOENT:
			// ENOENT: the request was taken back while we read it.
		case errno == syscall.EAGAIN:
			return 0, errNothing
		case errno == syscall.ENODEV, errno == 0 && n == 0:
			return 0, errUnmounted
		case errno != 0:
			return 0, errno
		default:
			return n, nil
		}
	}
}

// maxIovecs is UIO_MAXIOV, the most slices that writev takes.
const maxIovecs = 1024

// An envelope is what one write needs, kept from one to the next.
type envelope struct {
	head fuse.OutHeader
	iov  []unix.Iovec
}

var envelopes = sync.Pool{New: func() any { return new(envelope) }}

func (e *envelope) add(b []byte) {
	if len(b) > 0 {
		e.iov = append(e.iov, unix.Iovec{Base: &b[0], Len: uint64(len(b))})
		e.head.Length += uint32(len(b))
	}
}

// reply answers a request. It reports false if the kernel did not want the
// answer any more, as of an open whose caller has gone.
func (d *device) reply(unique uint64, st fuse.Status, body []byte, chunks []wire.Chunk) bool {
	e := envelopes.Get().(*envelope)
	e.head = fuse.OutHeader{Unique: unique, Status: -int32(st)}
	e.iov = e.iov[:0]
	e.add(bytesOf(&e.head))
	e.add(body)
	if len(chunks) > maxIovecs-len(e.iov) {
		chunks = []wire.Chunk{{B: flatten(chunks)}}
	}
	for _, c := range chunks {
		e.add(c.B)
	}
	errno := d.writev(e.iov, true)
	if errno == syscall.EINVAL && st == fuse.OK {
		// Malformed, so nobody would ever answer: better an error than a hang.
		e.head = fuse.OutHeader{Unique: unique, Status: -int32(fuse.EIO), Length: uint32(outHeaderLen)}
		d.writev(e.iov[:1], true)
	}
	clear(e.iov)
	envelopes.Put(e)
	return errno == 0
}

// send writes a message that is whole.
func (d *device) send(msg []byte) {
	e := envelopes.Get().(*envelope)
	e.iov = append(e.iov[:0], unix.Iovec{Base: &msg[0], Len: uint64(len(msg))})
	d.writev(e.iov, true)
	clear(e.iov)
	envelopes.Put(e)
}

func flatten(chunks []wire.Chunk) []byte {
	var b []byte
	for _, c := range chunks {
		b = append(b, c.B...)
	}
	return b
}

// notify sends an unasked message. Unlike a reply it may sleep in the kernel,
// for a directory that a request holds which waits for us; so whoever notifies
// has ended before Close is called.
func (d *device) notify(code int32, parts ...[]byte) syscall.Errno {
	// The kernel counts these codes upwards, go-fuse downwards.
	e := &envelope{head: fuse.OutHeader{Status: -code}}
	e.add(bytesOf(&e.head))
	for _, p := range parts {
		e.add(p)
	}
	return d.writev(e.iov, false)
}

// writev writes one message. RawSyscall saves the scheduler's part, up to a
// fifth of a reply, and is only for messages that do not sleep.
func (d *device) writev(iov []unix.Iovec, quick bool) syscall.Errno {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return syscall.EBADF
	}
	for {
		var errno syscall.Errno
		if quick {
			_, _, errno = syscall.RawSyscall(unix.SYS_WRITEV, uintptr(d.fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
		} else {
			_, _, errno = syscall.Syscall(unix.SYS_WRITEV, uintptr(d.fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
		}
		if errno != syscall.EINTR {
			return errno
		}
	}
}
