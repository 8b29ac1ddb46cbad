// Package neterr holds the errors of the stack: one value with two faces. The
// text is what Plan 9 says, for `err` and `log`; the errno is what a Linux
// program gets from its system call, and what a shell prints.
//
// Two rules choose an errno: its strerror should read as the reason, and it is
// never ENOTCONN, whose text is that of a FUSE mount whose daemon is gone.
package neterr

import (
	"errors"
	"fmt"
	"syscall"
)

// An Error is a reason for failure. Errors that came from With wrap the bare
// one, so errors.Is finds it.
type Error struct {
	Text  string
	Errno syscall.Errno
}

func (e *Error) Error() string { return e.Text }

// Is makes errors.Is(err, syscall.ECONNREFUSED) and os.IsTimeout's kin work.
func (e *Error) Is(target error) bool { return target == e.Errno }

// Timeout makes an Error a net.Error.
func (e *Error) Timeout() bool { return e.Errno == syscall.ETIMEDOUT }

// Temporary is the other half of net.Error.
func (e *Error) Temporary() bool { return e.Errno.Temporary() }

// With adds words to an error, usually the offending value and what would be
// right. Text and errno stay.
func (e *Error) With(format string, args ...any) error {
	return fmt.Errorf("%w: %s", e, fmt.Sprintf(format, args...))
}

// Errno is the errno of an error: that of the Error in its chain, of a bare
// errno, or EIO.
func Errno(err error) syscall.Errno {
	var e *Error
	var no syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Errno
	case errors.As(err, &no):
		return no
	}
	return syscall.EIO
}

// The errors, by what went wrong.
var (
	// Permissions and limits.
	Permission   = &Error{"permission denied", syscall.EACCES}
	NotOwner     = &Error{"not owner", syscall.EPERM}
	NoConvs      = &Error{"no free devices", syscall.ENFILE}
	NoMemory     = &Error{"no memory for this request", syscall.ENOBUFS}
	TryAgain     = &Error{"would block", syscall.EAGAIN}
	Interrupted  = &Error{"interrupted", syscall.EINTR}
	NotFound     = &Error{"file does not exist", syscall.ENOENT}
	Exists       = &Error{"file already exists", syscall.EEXIST}
	Busy         = &Error{"device or object already in use", syscall.EBUSY}
	ShuttingDown = &Error{"the stack is shutting down", syscall.ESHUTDOWN}
	NotSupported = &Error{"not supported by this protocol", syscall.EINVAL}
	NotBound     = &Error{"ipifc not yet bound to device", syscall.ENXIO}
	AlreadyBound = &Error{"interface already bound", syscall.EBUSY}
	NoInterface  = &Error{"interface not found", syscall.ENODEV}
	MessageSize  = &Error{"message too long", syscall.EMSGSIZE}
	LinkDown     = &Error{"interface is down", syscall.ENETDOWN}

	// What the user wrote.
	ShortControl   = &Error{"short control request", syscall.EINVAL}
	UnknownControl = &Error{"unknown control request", syscall.EINVAL}
	BadControl     = &Error{"bad process or channel control request", syscall.EINVAL}
	BadArg         = &Error{"bad arg in system call", syscall.EINVAL}
	BadAddress     = &Error{"bad ip address syntax", syscall.EINVAL}
	Malformed      = &Error{"malformed address", syscall.EINVAL}
	BadPort        = &Error{"bad numeric port", syscall.EINVAL}
	BadConnect     = &Error{"bad args to connect", syscall.EINVAL}
	BadAnnounce    = &Error{"bad args to announce", syscall.EINVAL}
	BadBind        = &Error{"bad args to bind", syscall.EINVAL}
	BadQuery       = &Error{"bad query", syscall.EINVAL}
	LongQuery      = &Error{"request too long", syscall.EMSGSIZE}

	// Names: what the servers said, or that they did not.
	UnknownName = &Error{"no such host name", syscall.EHOSTUNREACH}
	NoRecord    = &Error{"resource does not exist", syscall.EHOSTUNREACH}
	NoMatch     = &Error{"no match", syscall.EHOSTUNREACH}
	NameFailure = &Error{"dns failure", syscall.EREMOTEIO}
	NameTimeout = &Error{"no answer from the name servers", syscall.ETIMEDOUT}
	BadName     = &Error{"bad host name", syscall.EINVAL}

	// The life of a conversation.
	InUse        = &Error{"connection in use", syscall.EISCONN}
	Connecting   = &Error{"connection in progress", syscall.EALREADY}
	AddrInUse    = &Error{"address in use", syscall.EADDRINUSE}
	NoPorts      = &Error{"no ports available", syscall.EADDRINUSE}
	NotLocal     = &Error{"not a local IP address", syscall.EADDRNOTAVAIL}
	NotAnnounced = &Error{"not announced", syscall.EINVAL}
	NotConnected = &Error{"not connected", syscall.EDESTADDRREQ}
	ListenHungup = &Error{"listen hungup", syscall.ECONNABORTED}
	Hungup       = &Error{"i/o on hungup channel", syscall.EPIPE}
	Refused      = &Error{"connection refused", syscall.ECONNREFUSED}
	Reset        = &Error{"connection reset", syscall.ECONNRESET}
	Aborted      = &Error{"connection hung up", syscall.ECONNABORTED}
	TimedOut     = &Error{"connection timed out", syscall.ETIMEDOUT}

	// The network.
	NoRoute             = &Error{"no route", syscall.ENETUNREACH}
	NetUnreachable      = &Error{"network unreachable", syscall.ENETUNREACH}
	HostUnreachable     = &Error{"host unreachable", syscall.EHOSTUNREACH}
	ProtocolUnreachable = &Error{"protocol unreachable", syscall.ENOPROTOOPT}
	PortUnreachable     = &Error{"port unreachable", syscall.ECONNREFUSED}
	TTLExceeded         = &Error{"ttl exceeded", syscall.EHOSTUNREACH}
	ParameterProblem    = &Error{"parameter problem", syscall.EPROTO}
)
