package fs

// The words of the FUSE protocol (linux/fuse.h) that go-fuse keeps to itself:
// operation codes, the messages of POLL, and the shape of a reply. loop.go reads
// and writes them.

import (
	"syscall"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/stack/neterr"
)

// The operations that the loop tells apart.
const (
	opLookup      = 1
	opForget      = 2
	opOpen        = 14
	opRead        = 15
	opWrite       = 16
	opRelease     = 18
	opInit        = 26
	opOpendir     = 27
	opInterrupt   = 36
	opPoll        = 40
	opNotifyReply = 41
	opBatchForget = 42
	opIoctl       = 39
	opBmap        = 37
	opTmpfile     = 51
)

type forgetOne struct{ NodeID, Nlookup uint64 }

type batchForgetIn struct {
	fuse.InHeader
	Count uint32
	Dummy uint32
}

type pollIn struct {
	fuse.InHeader
	Fh     uint64
	Kh     uint64
	Flags  uint32
	Events uint32
}

// pollScheduleNotify in pollIn.Flags: a process sleeps until NOTIFY_POLL.
const pollScheduleNotify = 1

type pollOut struct {
	Revents uint32
	Padding uint32
}

type notifyPollOut struct{ Kh uint64 }

const (
	inHeaderLen  = int(unsafe.Sizeof(fuse.InHeader{}))
	outHeaderLen = int(unsafe.Sizeof(fuse.OutHeader{}))
	writeInLen   = int(unsafe.Sizeof(fuse.WriteIn{}))
)

// message reads a request as a T; nil when it is too short for one. Requests
// lie at the beginning of their blocks, so they are aligned.
func message[T any](req []byte) *T {
	var t T
	if len(req) < int(unsafe.Sizeof(t)) {
		return nil
	}
	return (*T)(unsafe.Pointer(&req[0]))
}

// bytesOf is a message as bytes.
func bytesOf[T any](t *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(t)), unsafe.Sizeof(*t))
}

// maxErrno is the first errno that the kernel does not take in a reply: it
// refuses the reply, and the client hangs for ever.
const maxErrno = 512

// status is the errno of err for a reply. ENOSYS would switch the operation off
// for the whole mount, and ENOTCONN reads like a daemon that is gone, so neither
// leaves by this way.
func status(err error) fuse.Status {
	switch no := neterr.Errno(err); {
	case no == syscall.ENOSYS:
		return fuse.Status(syscall.EOPNOTSUPP)
	case no == syscall.ENOTCONN:
		return fuse.Status(syscall.EDESTADDRREQ)
	case no >= maxErrno || no == 0 && err != nil:
		return fuse.EIO
	default:
		return fuse.Status(no)
	}
}
