package fs

// The protocol without a mount: the test plays the kernel on the other end of a
// socket pair that keeps messages apart, as /dev/fuse does.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"slashnet/stack"
)

// A kernel is the other side of the loop.
type kernel struct {
	t      testing.TB
	fd     int
	srv    *Server
	unique uint64
}

func newKernel(t testing.TB, h *stack.Host) *kernel {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4*blockLen)
	}
	unix.SetNonblock(fds[0], true)
	unix.SetsockoptTimeval(fds[1], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
	srv, err := newServer(fds[0], h, Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv.start()
	k := &kernel{t: t, fd: fds[1], srv: srv}
	t.Cleanup(func() {
		unix.Close(k.fd) // the loop reads nothing, as after an unmount
		select {
		case <-srv.Done():
		case <-time.After(5 * time.Second):
			t.Error("the loop did not end with its descriptor")
		}
	})
	k.ask(opInit, 0, fuse.InitIn{Major: 7, Minor: 45, MaxReadAhead: 1 << 17, Flags: ^uint32(0), Flags2: ^uint32(0)})
	return k
}

// send sends a request: a message whose header is filled in, and what follows.
func (k *kernel) send(op uint32, n node, msg any, tail ...byte) uint64 {
	k.t.Helper()
	k.unique += 2
	body := slices.Concat(encode(k.t, msg), tail)
	h := fuse.InHeader{Length: uint32(len(body)), Opcode: op, Unique: k.unique, NodeId: uint64(n)}
	copy(body, bytesOf(&h))
	k.write(body)
	return k.unique
}

func (k *kernel) write(b []byte) {
	k.t.Helper()
	_, err := unix.Write(k.fd, b)
	for err == unix.EINTR {
		_, err = unix.Write(k.fd, b)
	}
	if err != nil {
		k.t.Fatal(err)
	}
}

// encode is a message as bytes; every message begins with an InHeader.
func encode(t testing.TB, msg any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.NativeEndian, msg); err != nil {
		t.Fatalf("%T: %v", msg, err)
	}
	return b.Bytes()
}

// An answer is a reply, or a notice if unique is 0.
type answer struct {
	unique uint64
	status int32
	body   []byte
}

func (a answer) errno() syscall.Errno { return syscall.Errno(-a.status) }

var errSilence = errors.New("no answer")

func (k *kernel) recv() (answer, error) {
	b := make([]byte, 2*blockLen)
	n, err := unix.Read(k.fd, b)
	for err == unix.EINTR { // Go's scheduler, when it wants the thread
		n, err = unix.Read(k.fd, b)
	}
	if err == unix.EAGAIN {
		return answer{}, errSilence
	}
	if err != nil {
		return answer{}, err
	}
	h := *message[fuse.OutHeader](b[:n])
	if int(h.Length) != n {
		k.t.Errorf("a reply of %d bytes says it has %d", n, h.Length)
	}
	return answer{h.Unique, h.Status, b[outHeaderLen:n]}, nil
}

// ask sends a request and waits for its answer.
func (k *kernel) ask(op uint32, n node, msg any, tail ...byte) answer {
	k.t.Helper()
	unique := k.send(op, n, msg, tail...)
	a, err := k.recv()
	if err != nil {
		k.t.Fatalf("operation %d: %v", op, err)
	}
	if a.unique != unique {
		k.t.Fatalf("operation %d: the answer is to %d, not %d", op, a.unique, unique)
	}
	return a
}

// silent checks that nothing more comes.
func (k *kernel) silent() {
	k.t.Helper()
	if k.pending(50) {
		a, err := k.recv()
		k.t.Errorf("an answer that nobody asked for: %+v %v", a, err)
	}
}

// walk looks a path up.
func (k *kernel) walk(path ...string) node {
	k.t.Helper()
	n := rootNode
	for _, name := range path {
		a := k.ask(opLookup, n, fuse.InHeader{}, append([]byte(name), 0)...)
		if a.status != 0 {
			k.t.Fatalf("%q of %q: %v", name, path, a.errno())
		}
		n = node(message[fuse.EntryOut](a.body).NodeId)
	}
	return n
}

// open opens a node.
func (k *kernel) open(n node, flags uint32) (fh uint64, how uint32) {
	k.t.Helper()
	a := k.ask(opOpen, n, fuse.OpenIn{Flags: flags})
	if a.status != 0 {
		k.t.Fatal("open:", a.errno())
	}
	out := message[fuse.OpenOut](a.body)
	return out.Fh, out.OpenFlags
}

func (k *kernel) read(n node, fh uint64, size uint32) answer {
	k.t.Helper()
	return k.ask(opRead, n, fuse.ReadIn{Fh: fh, Size: size, ReadFlags: fuse.READ_LOCKOWNER})
}

func (k *kernel) writeTo(n node, fh uint64, text string) answer {
	k.t.Helper()
	return k.ask(opWrite, n, fuse.WriteIn{Fh: fh, Size: uint32(len(text))}, []byte(text)...)
}

// pending reports whether a message comes within msec.
func (k *kernel) pending(msec int) bool {
	p := []unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}}
	n, _ := unix.Poll(p, msec)
	return n > 0
}
