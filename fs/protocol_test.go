package fs

// The protocol, message by message; no mount is needed.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"slashnet/nic"
	"slashnet/stack"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// Rule 1: INTERRUPT answers what waits, once, and is itself never answered.
func TestRule1Interrupt(t *testing.T) {
	k := newKernel(t, newHost(t))
	n := k.walk("tcp", "dial", nowhere)
	unique := k.send(opOpen, n, fuse.OpenIn{Flags: syscall.O_RDWR})
	until(t, "the open waits", func() bool { return len(k.srv.calls.all()) == 1 })
	k.send(opInterrupt, 0, fuse.InterruptIn{Unique: unique})
	if a, err := k.recv(); err != nil || a.unique != unique || a.errno() != syscall.EINTR {
		t.Error(a, err)
	}
	k.send(opInterrupt, 0, fuse.InterruptIn{Unique: unique})
	k.send(opInterrupt, 0, fuse.InterruptIn{Unique: 4711})
	k.silent()
	if len(k.srv.calls.all()) != 0 || len(k.srv.handles.all()) != 0 {
		t.Error("an interrupted open leaves something")
	}
}

// A stuck device: what it has received is never processed.
type stuck struct {
	nic.NIC
	asked chan struct{}
}

func (s stuck) Drained(func()) { close(s.asked) }

// A sync that has to wait ends at once when it is interrupted, before it was begun
// and after.
func TestSyncInterrupted(t *testing.T) {
	h := newHost(t)
	end, far, err := nic.NewPipe(nic.Options{}, nic.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	dev := stuck{end, make(chan struct{})}
	if _, err := h.Root().AddInterface(dev); err != nil {
		t.Fatal(err)
	}
	k := newKernel(t, h)
	ctl := k.walk("ctl")
	fh, _ := k.open(ctl, syscall.O_WRONLY)
	unique := k.send(opWrite, ctl, fuse.WriteIn{Fh: fh, Size: 5}, []byte("sync\n")...)
	<-dev.asked
	k.send(opInterrupt, 0, fuse.InterruptIn{Unique: unique})
	if a, err := k.recv(); err != nil || a.unique != unique || a.errno() != syscall.EINTR {
		t.Error(a, err)
	}
	hold := make(chan struct{})
	var held sync.WaitGroup
	for range workersOfEach {
		held.Add(1)
		k.srv.jobs.add(task{taker: taker{view: stack.RootView}, do: func() { held.Done(); <-hold }})
	}
	held.Wait()
	unique = k.send(opWrite, ctl, fuse.WriteIn{Fh: fh, Size: 5}, []byte("sync\n")...)
	k.send(opInterrupt, 0, fuse.InterruptIn{Unique: unique})
	if a, err := k.recv(); err != nil || a.unique != unique || a.errno() != syscall.EINTR {
		t.Error(a, err)
	}
	close(hold)
	k.silent()
}

// Rule 2: one errno per operation. ENOSYS switches an operation off for the
// whole mount, so it stands only where that is meant.
func TestRule2OneErrnoPerOperation(t *testing.T) {
	k := newKernel(t, newHost(t))
	tcpDir, file := k.walk("tcp"), k.walk("version")
	fh, _ := k.open(file, 0)
	const size = 3
	name, names := []byte("x\x00"), []byte("x\x00y\x00")
	const ok = syscall.Errno(0)
	for _, c := range []struct {
		name string
		op   uint32
		node node
		msg  any
		tail []byte
		want syscall.Errno
	}{
		{"LOOKUP", opLookup, tcpDir, fuse.InHeader{}, name, syscall.ENOENT},
		{"LOOKUP of a long name", opLookup, tcpDir, fuse.InHeader{}, append(bytes.Repeat([]byte{'x'}, 300), 0), syscall.ENAMETOOLONG},
		{"LOOKUP in a file", opLookup, file, fuse.InHeader{}, name, syscall.ENOTDIR},
		{"LOOKUP of go-fuse's file", opLookup, rootNode, fuse.InHeader{}, []byte(pollHackName + "\x00"), syscall.ENOENT},
		{"GETATTR", 3, file, fuse.GetAttrIn{}, nil, ok},
		{"GETATTR of nothing", 3, 12345, fuse.GetAttrIn{}, nil, syscall.ESTALE},
		{"SETATTR size", 4, file, fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE}}, nil, ok},
		{"SETATTR times", 4, file, fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME}}, nil, ok},
		{"SETATTR mode", 4, file, fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE}}, nil, syscall.EPERM},
		{"READLINK", 5, file, fuse.InHeader{}, nil, syscall.EINVAL},
		{"SYMLINK", 6, tcpDir, fuse.InHeader{}, names, syscall.EPERM},
		{"MKNOD", 8, tcpDir, fuse.MknodIn{}, name, syscall.EACCES},
		{"MKDIR", 9, file, fuse.MkdirIn{}, name, syscall.EPERM},
		{"UNLINK", 10, tcpDir, fuse.InHeader{}, name, syscall.EPERM},
		{"RMDIR", 11, rootNode, fuse.InHeader{}, name, syscall.EPERM},
		{"RMDIR of nothing", 11, tcpDir, fuse.InHeader{}, name, syscall.ENOENT},
		{"RENAME", 12, tcpDir, struct {
			fuse.InHeader
			Newdir uint64
		}{}, append(make([]byte, 8), names...), syscall.EPERM},
		{"LINK", 13, tcpDir, fuse.LinkIn{}, name, syscall.EPERM},
		{"OPEN of a directory", opOpen, tcpDir, fuse.OpenIn{}, nil, syscall.ESTALE},
		{"READ", opRead, file, fuse.ReadIn{Fh: fh, Size: size, ReadFlags: fuse.READ_LOCKOWNER}, nil, ok},
		{"READ for the page cache", opRead, file, fuse.ReadIn{Fh: fh, Size: size}, nil, syscall.EINVAL},
		{"READ of nothing", opRead, file, fuse.ReadIn{Fh: 99, Size: size, ReadFlags: fuse.READ_LOCKOWNER}, nil, syscall.EBADF},
		{"WRITE", opWrite, file, fuse.WriteIn{Fh: fh, Size: 1}, []byte("x"), syscall.EACCES},
		{"STATFS", 17, rootNode, fuse.InHeader{}, nil, ok},
		{"FSYNC", 20, file, fuse.FsyncIn{}, nil, syscall.ENOSYS},
		{"SETXATTR", 21, file, struct {
			fuse.InHeader
			Size, Flags uint32
		}{}, append(name, 'v'), syscall.ENOSYS},
		{"GETXATTR", 22, file, fuse.GetXAttrIn{}, name, syscall.ENOSYS},
		{"LISTXATTR", 23, file, fuse.GetXAttrIn{}, nil, syscall.ENOSYS},
		{"REMOVEXATTR", 24, file, fuse.InHeader{}, name, syscall.ENOSYS},
		{"FLUSH", 25, file, fuse.FlushIn{}, nil, ok},
		{"OPENDIR", opOpendir, tcpDir, fuse.OpenIn{}, nil, ok},
		{"OPENDIR of a file", opOpendir, file, fuse.OpenIn{}, nil, syscall.ENOTDIR},
		{"READDIR of nothing", 28, tcpDir, fuse.ReadIn{Fh: 99, Size: 4096}, nil, syscall.EBADF},
		{"RELEASEDIR", 29, tcpDir, fuse.ReleaseIn{Fh: 99}, nil, ok},
		{"FSYNCDIR", 30, tcpDir, fuse.FsyncIn{}, nil, ok},
		{"GETLK", 31, file, fuse.LkIn{}, nil, syscall.EINVAL},
		{"SETLK", 32, file, fuse.LkIn{}, nil, syscall.EINVAL},
		{"SETLKW", 33, file, fuse.LkIn{}, nil, syscall.EINVAL},
		{"ACCESS", 34, file, fuse.AccessIn{}, nil, ok},
		{"CREATE", 35, tcpDir, fuse.CreateIn{}, name, syscall.EACCES},
		{"BMAP", opBmap, file, fuse.InHeader{}, make([]byte, 16), syscall.ENOSYS},
		{"IOCTL", opIoctl, file, fuse.IoctlIn{}, nil, syscall.ENOTTY},
		{"POLL", opPoll, file, pollIn{Fh: fh}, nil, ok},
		{"POLL of nothing", opPoll, file, pollIn{Fh: 99}, nil, syscall.EBADF},
		{"FALLOCATE", 43, file, fuse.FallocateIn{}, nil, syscall.ENOSYS},
		{"READDIRPLUS", 44, tcpDir, fuse.ReadIn{Fh: 99, Size: 4096}, nil, syscall.ENOTSUP},
		{"RENAME2", 45, tcpDir, fuse.RenameIn{}, names, syscall.EPERM},
		{"LSEEK", 46, file, fuse.LseekIn{}, nil, syscall.EINVAL},
		{"COPY_FILE_RANGE", 47, file, fuse.CopyFileRangeIn{}, nil, syscall.ENOSYS},
		{"SYNCFS", 50, rootNode, fuse.InHeader{}, make([]byte, 8), syscall.ENOSYS},
		{"TMPFILE", opTmpfile, tcpDir, fuse.CreateIn{}, name, syscall.ENOTSUP},
		{"STATX", 52, file, fuse.StatxIn{}, nil, syscall.ENOSYS},
		{"COPY_FILE_RANGE_64", 53, file, fuse.CopyFileRangeIn{}, nil, syscall.ENOSYS},
		{"RELEASE", opRelease, file, fuse.ReleaseIn{Fh: fh}, nil, ok},
	} {
		a := k.ask(c.op, c.node, c.msg, c.tail...)
		if a.errno() != c.want {
			t.Errorf("%s: %v, want %v", c.name, a.errno(), c.want)
		}
		if a.status != 0 && len(a.body) != 0 {
			t.Errorf("%s: an error with %d bytes", c.name, len(a.body))
		}
		if c.op == opRead && len(a.body) > size {
			t.Errorf("%s: %d bytes for %d", c.name, len(a.body), size)
		}
	}
}

func TestRule2StatusFitsTheKernel(t *testing.T) {
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{nil, 0},
		{neterr.Refused, syscall.ECONNREFUSED},
		{neterr.BadAddress.With("x"), syscall.EINVAL},
		{syscall.ESTALE, syscall.ESTALE},
		{syscall.Errno(511), 511},
		{syscall.Errno(512), syscall.EIO}, // ERESTARTSYS: the client would hang
		{syscall.Errno(1 << 20), syscall.EIO},
		{syscall.ENOSYS, syscall.EOPNOTSUPP},
		{syscall.ENOTCONN, syscall.EDESTADDRREQ},
		{errors.New("whatever"), syscall.EIO},
	} {
		if got := syscall.Errno(status(c.err)); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

// Rule 3: how files are opened.
func TestRule3OpenFlags(t *testing.T) {
	k := newKernel(t, newHost(t))
	_, how := k.open(k.walk("tcp", "clone"), syscall.O_RDWR)
	if want := uint32(fuse.FOPEN_DIRECT_IO | fuse.FOPEN_STREAM); how&want != want {
		t.Errorf("clone is opened with %#x", how)
	}
	_, how = k.open(k.walk("stats"), 0)
	if how&(fuse.FOPEN_DIRECT_IO|fuse.FOPEN_STREAM|fuse.FOPEN_NONSEEKABLE|fuse.FOPEN_KEEP_CACHE) != fuse.FOPEN_DIRECT_IO {
		t.Errorf("stats is opened with %#x", how)
	}
}

// Rule 5: every look-up of a file that waits makes an inode of its own, which
// says it is the same file, and is not to be cached.
func TestRule5FreshNodes(t *testing.T) {
	k := newKernel(t, newHost(t))
	tcpDir := k.walk("tcp")
	k.open(k.walk("tcp", "clone"), syscall.O_RDWR)
	look := func(name string) fuse.EntryOut {
		a := k.ask(opLookup, tcpDir, fuse.InHeader{}, append([]byte(name), 0)...)
		return *message[fuse.EntryOut](a.body)
	}
	a, b := look("clone"), look("clone")
	if a.NodeId == b.NodeId || a.Ino != b.Ino || a.EntryValid != 0 {
		t.Errorf("clone: %+v %+v", a, b)
	}
	a, b = look("stats"), look("stats")
	if a.NodeId != b.NodeId || a.EntryValid == 0 {
		t.Errorf("stats: %+v %+v", a, b)
	}
	c := look("0")
	if c.EntryValid == 0 || c.AttrTimeout() > time.Millisecond {
		t.Errorf("a conversation: %+v", c)
	}
	clones := map[node]bool{}
	for range 2 << serialBits {
		n := k.srv.serials.fresh(makeNode(1<<16-2, icmp, 1<<convBits-1, fileCode(len(files)-1)))
		if n == 0 || n == rootNode || uint64(n) == ^uint64(0) {
			t.Fatalf("node %#x", n)
		}
		n = k.srv.serials.fresh(makeNode(1<<16-2, tcp, 0, code("/PROTO/clone")))
		if clones[n] || n.view() != 1<<16-2 || n.proto() != tcp || n.ino() != uint64(makeNode(1<<16-2, tcp, 0, code("/PROTO/clone"))) {
			t.Fatalf("clone is node %#x, of inode %#x", n, n.ino())
		}
		clones[n] = true
	}
	// However many have been looked up, a file that waits is that of its number.
	for i := range files {
		if f := &files[i]; f.kind.waits() && (f.ofConv || f.ofIface || f.ofFixture) {
			if n := k.srv.serials.fresh(makeNode(1, links, 8, fileCode(i))); n.conv() != 8 || node(n.ino()).conv() != 8 {
				t.Errorf("%s of 8 is of %d", f.path, n.conv())
			}
		}
	}
	k.send(opForget, tcpDir, fuse.ForgetIn{Nlookup: 3})
	k.send(opBatchForget, tcpDir, fuse.InHeader{}, make([]byte, 8)...)
	k.silent()
}

// Rule 7: POLL, and NOTIFY_POLL on every change until RELEASE.
func TestRule7PollNotices(t *testing.T) {
	h := newHost(t)
	s := h.Root()
	k := newKernel(t, h)
	fh, _ := k.open(k.walk("udp", "clone"), syscall.O_RDWR)
	ctl := k.walk("udp", "0", "ctl")
	if a := k.writeTo(ctl, fh, "connect 127.0.0.1:5002 5000"); a.status != 0 {
		t.Fatal(a.errno())
	}
	n := k.walk("udp", "0", "data")
	data, _ := k.open(n, syscall.O_RDWR)
	ask := func() uint32 {
		a := k.ask(opPoll, n, pollIn{Fh: data, Kh: 77, Flags: pollScheduleNotify})
		return message[pollOut](a.body).Revents
	}
	if r := ask(); r&unix.POLLIN != 0 {
		t.Errorf("%#x before anything came", r)
	}
	peer, err := s.Clone(wire.UDP, stack.User{}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Drop()
	do := func(kind stack.OpKind, text string) {
		done := make(chan error, 1)
		s.Submit(&stack.Op{Kind: kind, Conv: peer, Data: []byte(text), Done: func(op *stack.Op) { done <- op.Err }})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	do(stack.OpCtl, "connect 127.0.0.1:5000 5002")
	for range 3 {
		do(stack.OpWrite, "x")
		a, err := k.recv()
		if err != nil || a.unique != 0 || a.status != 1 || message[notifyPollOut](a.body).Kh != 77 {
			t.Fatalf("%+v %v: no NOTIFY_POLL", a, err)
		}
	}
	for k.pending(50) {
		k.recv() // several for one arrival are as good
	}
	if r := ask(); r&unix.POLLIN == 0 {
		t.Errorf("%#x after a datagram came", r)
	}
	k.ask(opRelease, n, fuse.ReleaseIn{Fh: data})
	do(stack.OpWrite, "x")
	k.silent()
}

// A datagram that is read in pieces, and with headers.
func TestDatagramRests(t *testing.T) {
	k := newKernel(t, newHost(t))
	fh, _ := k.open(k.walk("udp", "clone"), syscall.O_RDWR)
	ctl := k.walk("udp", "0", "ctl")
	k.writeTo(ctl, fh, "connect 127.0.0.1:5001 5001")
	n := k.walk("udp", "0", "data")
	data, _ := k.open(n, syscall.O_RDWR)
	k.writeTo(n, data, "hello world")
	k.writeTo(n, data, "again")
	for _, want := range []string{"hello", " worl", "d", "again"} {
		if a := k.read(n, data, 5); string(a.body) != want {
			t.Errorf("read %q, want %q", a.body, want)
		}
	}
}

// Nothing that the kernel, or somebody in its place, may say makes the loop fall.
func FuzzRequest(f *testing.F) {
	for op := uint32(0); op < 60; op++ {
		h := fuse.InHeader{Opcode: op, NodeId: uint64(makeNode(stack.RootView, tcp, 0, fileProto))}
		f.Add(append(bytesOf(&h), make([]byte, 40)...))
	}
	log.SetOutput(io.Discard) // go-fuse complains of what is too short
	k := newKernel(f, newHost(f))
	f.Fuzz(func(t *testing.T, req []byte) {
		k.t = t
		if len(req) < inHeaderLen || len(req) > maxWrite || binary.NativeEndian.Uint32(req[4:]) == opInit {
			return // what is said once only, and no message at all
		}
		req = bytes.Clone(req)
		binary.NativeEndian.PutUint32(req, uint32(len(req)))
		binary.NativeEndian.PutUint64(req[8:], 1) // the number of no request of ours
		k.write(req)
		// The loop still answers, sooner or later than what a worker has to say.
		unique := k.send(3, rootNode, fuse.GetAttrIn{})
		for {
			a, err := k.recv()
			if err != nil {
				t.Fatal(err)
			}
			if a.unique == unique {
				return
			}
		}
	})
}

func TestMessagesHaveTheKernelsSize(t *testing.T) {
	for name, sizes := range map[string][2]int{
		"poll in":  {int(unsafe.Sizeof(pollIn{})), 64},
		"poll out": {int(unsafe.Sizeof(pollOut{})), 8},
		"kh":       {int(unsafe.Sizeof(notifyPollOut{})), 8},
	} {
		if sizes[0] != sizes[1] {
			t.Errorf("%s: %d bytes, want %d", name, sizes[0], sizes[1])
		}
	}
}

// The table: every row is within the bits of a node id, and has a parent, a kind
// and a way to be read.
func TestTable(t *testing.T) {
	if len(files) > 1<<fileBits {
		t.Errorf("%d rows do not fit %d bits", len(files), fileBits)
	}
	seen := map[string]bool{}
	for i := range files {
		f := &files[i]
		if seen[f.path] {
			t.Error("twice:", f.path)
		}
		seen[f.path] = true
		if f.kind == text && f.read == nil {
			t.Error("no text:", f.path)
		}
		if f.write != nil && f.mode&0o222 == 0 {
			t.Error("written but not writable:", f.path)
		}
		n := makeNode(stack.RootView, tcp, 5, fileCode(i))
		if n.file() != fileCode(i) || n.proto() != tcp || n.conv() != 5 || !n.valid() {
			t.Errorf("%s: node %#x", f.path, n)
		}
	}
	if n := ticketNode(stack.RootView, udp, 3, 1<<ticketBits-2); n.ticket() != 1<<ticketBits-2 {
		t.Errorf("ticket %#x", n.ticket())
	}
}

func TestNames(t *testing.T) {
	var r names
	a := r.share(name{stack.RootView, tcp, 1, "a"})
	if r.share(name{stack.RootView, tcp, 1, "a"}) != a {
		t.Error("a shared name has two tickets")
	}
	b := r.add(name{stack.RootView, tcp, 2, "b"})
	if b == r.add(name{stack.RootView, tcp, 2, "b"}) {
		t.Error("a name of its own is shared")
	}
	if n, ok := r.get(b); !ok || n.text != "b" {
		t.Error(n, ok)
	}
	for i := range maxNames {
		r.add(name{stack.RootView, tcp, 2, fmt.Sprint(i)})
	}
	if _, ok := r.get(b); ok {
		t.Error("remembered for ever")
	}
	if again := r.share(name{stack.RootView, tcp, 1, "a"}); again == a {
		t.Error("a forgotten name has its old ticket")
	}
	if len(r.shared) != 1 {
		t.Error(len(r.shared), "shared names")
	}
}

func TestGroupNames(t *testing.T) {
	for _, c := range [][2]string{
		{"10.0.0.1!80", "10.0.0.1:80"}, {"10.0.0.1:80", "10.0.0.1:80"}, {"*!80", "*:80"}, {":80", "*:80"}, {"0.0.0.0:80", "*:80"},
		{"::1!80", "[::1]:80"}, {"[::1]:80", "[::1]:80"}, {"::ffff:10.0.0.1!80", "10.0.0.1:80"}, {"Established", "Established"}, {"x:y", "x:y"}, {"::!0", ""},
	} {
		if got := sameGroup(c[0]); got != c[1] {
			t.Errorf("%q is %q, want %q", c[0], got, c[1])
		}
	}
}
