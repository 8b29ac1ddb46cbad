package nic

// A TAP is a network device of the kernel whose other end is this process. The
// stack's interface owns one; its reader goroutine runs frames up the stack,
// and whoever flushes the interface's queue runs them down in Send.
//
// There are two paths. The plain one is songgao/water's descriptor as it is.
// The offload one has a virtio-net header before each frame: see tap_offload.go.

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/songgao/water"
	"golang.org/x/sys/unix"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

const (
	// maxTAPMTU is the kernel's limit for a TAP: a frame of 65535 bytes.
	maxTAPMTU = 65535 - wire.EthernetLen

	// maxPieces is the longest vector of one write. A frame in more pieces is
	// copied together first: each piece costs some 10 ns in the kernel, and the
	// vector lies on the stack.
	maxPieces = 64
)

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

	receiver Receiver
	frames   [batchMax]Frame
	batch    [batchMax]*Frame
	done     chan struct{} // closed at the reader's end; nil before Start

	errDown, errGone error // made once: a link that is down refuses every frame
}

// OpenTAP attaches to the TAP device o.Name, which is made if there is none.
// A device that was there before, and that nobody uses, stays when it is closed.
func OpenTAP(o Options) (*TAP, error) {
	if err := checkDeviceName(o.Name); err != nil {
		return nil, err
	}
	t := &TAP{}
	if err := t.assume(o, "", maxTAPMTU); err != nil {
		return nil, err
	}
	existed := false
	if o.Name != "" {
		_, err := net.InterfaceByName(o.Name)
		existed = err == nil
	}
	if err := t.open(o, existed); err != nil {
		return nil, openError(o.Name, existed, err)
	}
	t.errDown = neterr.LinkDown.With("the kernel's end of %s is down: ip link set %s up", t.name, t.name)
	t.errGone = neterr.NoInterface.With("the kernel's end of %s was deleted", t.name)
	for i := range t.batch {
		t.batch[i] = &t.frames[i]
	}
	return t, nil
}

// open makes the device and leaves it open in t.
func (t *TAP) open(o Options, existed bool) error {
	keep := o.Persist || existed
	config := water.Config{DeviceType: water.TAP}
	config.Name = o.Name
	// The offload path closes this descriptor and attaches anew: the device has to
	// live through that. Without Persist water clears the flag, which would end an
	// administrator's device.
	config.Persist = keep || !o.Plain
	if o.Owner != nil {
		config.Permissions = &water.DevicePermissions{Owner: uint(o.Owner.UID), Group: uint(o.Owner.GID)}
	}
	// water opens without O_CLOEXEC; nobody may fork until that is mended.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	// And it leaves the descriptor open when the kernel refuses: ask first.
	if err := probe(o.Name); err != nil {
		return err
	}
	device, err := water.New(config)
	if err != nil {
		return err
	}
	t.name = device.Name()
	if o.Plain {
		return t.adopt(device.ReadWriteCloser.(descriptor), t.preparePlain)
	}
	if err := device.Close(); err != nil {
		return err
	}
	file, err := attachOffload(t.name, keep)
	if err != nil {
		return err
	}
	t.header = vnetLen
	return t.adopt(file, func(fd int) error { return nil })
}

// probe attaches to a device and lets go of it at once. Whatever persists is as
// it was.
func probe(name string) error {
	fd, err := attach(name, unix.IFF_TAP|unix.IFF_NO_PI)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// attach opens a descriptor of a TAP device.
func attach(name string, flags uint16) (fd int, err error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	request.SetUint16(flags)
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

type descriptor interface {
	io.Closer
	syscall.Conn
}

// adopt makes d the descriptor of t, after prepare.
func (t *TAP) adopt(d descriptor, prepare func(fd int) error) error {
	conn, err := d.SyscallConn()
	if err == nil {
		var inner error
		err = conn.Control(func(fd uintptr) {
			t.fd = int(fd)
			inner = prepare(t.fd)
		})
		err = errors.Join(err, inner)
	}
	if err != nil {
		d.Close()
		return err
	}
	t.device, t.conn = d, conn
	return nil
}

// preparePlain mends what water leaves undone.
func (t *TAP) preparePlain(fd int) error {
	unix.CloseOnExec(fd)
	// A device that existed may still have the offloads of its last user, and
	// would give us frames that only make sense with a virtio-net header.
	return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, 0)
}

func checkDeviceName(name string) error {
	// The rules of Linux for the names of interfaces, and no pattern such as tap%d.
	if len(name) >= unix.IFNAMSIZ || name == "." || name == ".." || strings.ContainsAny(name, "/:% \t\n\v\f\r\x00") {
		return neterr.BadArg.With("device name %q: want at most %d characters, no blank, slash, colon or percent sign", name, unix.IFNAMSIZ-1)
	}
	return nil
}

// openError puts the kernel's number into words.
func openError(name string, existed bool, err error) error {
	if name == "" {
		name = "(any name)"
	}
	switch {
	case errors.Is(err, unix.EBUSY):
		return neterr.Busy.With("TAP %s is in use by another process: end that one, or choose another name", name)
	case errors.Is(err, unix.EINVAL) && existed:
		return neterr.Exists.With("interface %s is not a TAP device with one queue: choose another name", name)
	case errors.Is(err, unix.EPERM):
		return neterr.NotOwner.With("TAP %s needs CAP_NET_ADMIN; or let an administrator make it: ip tuntap add %s mode tap user %d", name, name, os.Getuid())
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return neterr.NotFound.With("no /dev/net/tun: modprobe tun, or pass the device into the container")
	case errors.Is(err, unix.EACCES):
		return neterr.Permission.With("/dev/net/tun may not be opened for reading and writing")
	}
	return neterr.BadArg.With("TAP %s: %v", name, err)
}

// Start begins to read.
func (t *TAP) Start(r Receiver) {
	t.closing.Lock()
	defer t.closing.Unlock()
	if t.closed || t.done != nil {
		return
	}
	t.receiver = r
	t.done = make(chan struct{})
	go t.run()
}

// run is the reader. It ends when the descriptor is closed, or when the kernel
// deletes the device: then the poller says that there is nothing to wait for.
func (t *TAP) run() {
	defer close(t.done)
	t.conn.Read(t.drain)
	for i := range t.frames {
		t.frames[i].Buf.Release()
		t.frames[i] = Frame{}
	}
}

// drain reads until nothing is left, and leaves the waiting to the poller. The
// poller remembers an arrival from the time of the last read on, so none is
// missed. An error is waited out in the same way: the next arrival ends it.
func (t *TAP) drain(fd uintptr) (done bool) {
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
			f.Buf = large.get()
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
