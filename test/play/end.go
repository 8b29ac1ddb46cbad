package main

// One performance in real time: the segments of one peer, and one user's files.

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slashnet/test/dialogue"
)

// Times of a machine that is busy.
const (
	patience = 3 * time.Second        // for what should come at once
	hush     = 20 * time.Millisecond  // for what should not come
	glance   = 5 * time.Millisecond   // between two looks at a file
	sloppy   = 400 * time.Millisecond // how late a timer may be
)

// The ports: ours that nobody has, the first of those that are announced, each
// by one script, and the peer's.
const (
	nobodys   = 8
	announced = 1000
	peerPort  = 40000
)

// An end is a dialogue.End: a conversation of the daemon's.
type end struct {
	line       *cable
	ours, peer netip.Addr
	number     int
	port       uint16 // ours
	from       chan arrival
	begin      time.Time

	listener string // directory
	conv     string
	clone    *os.File // keeps listener, or conv
	call     *os.File // keeps a call that was taken
	dialled  chan error
	bad      error // of a frame that came
	data     int   // descriptor, -1 if it is not open
}

func newEnd(line *cable, family, n int) *end {
	e := &end{line: line, number: n, begin: time.Now(), port: nobodys, data: -1}
	e.ours, e.peer = addresses(family, n)
	e.from = line.plug(e.peer)
	return e
}

// hangUp lets go of everything.
func (e *end) hangUp() {
	if e.conv != "" {
		write(filepath.Join(e.conv, "ctl"), "hangup")
	}
	e.letGo()
	if e.clone != nil {
		e.clone.Close()
	}
}

// letGo closes what a user of the conversation has open.
func (e *end) letGo() {
	if e.listener == "" && e.clone != nil {
		e.clone.Close()
		e.clone = nil
	}
	if e.data >= 0 {
		unix.Close(e.data)
		e.data = -1
	}
	if e.call != nil {
		e.call.Close()
		e.call = nil
	}
}

func (e *end) Now() time.Duration { return time.Since(e.begin) }

func (e *end) MSS() int {
	if e.peer.Is6() {
		return mtu - ip6Len - 20
	}
	return mtu - ip4Len - 20
}

func (e *end) Tolerance(wait time.Duration) (early, late time.Duration) {
	return 50*time.Millisecond + wait/10, sloppy + wait/4
}

func (e *end) Advance(until time.Duration) { time.Sleep(until - e.Now()) }

func (e *end) Inject(s *dialogue.Segment) error {
	b := s.Bytes(peerPort, e.port)
	putSum(b[16:], b, pseudo(e.peer, e.ours, 6, len(b)))
	var tos byte
	if s.Marked {
		tos = 3
	}
	return errors.Join(e.line.sendIP(e.peer, e.ours, 6, 64, tos, b), settle())
}

// settle waits until the daemon has worked off what was sent.
func settle() error { return write(filepath.Join(root(), "ctl"), "sync") }

func (e *end) TooBig(mtu int, seq uint32) error {
	quote := []byte{byte(e.port >> 8), byte(e.port), peerPort >> 8, peerPort & 0xff, byte(seq >> 24), byte(seq >> 16), byte(seq >> 8), byte(seq)}
	var body []byte
	proto := byte(1)
	if e.peer.Is6() {
		proto = 58
		body = append([]byte{2, 0, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, 0x60, 0, 0, 0, 0x05, 0xb4, 6, 64)
		body = append(append(append(body, e.ours.AsSlice()...), e.peer.AsSlice()...), quote...)
		putSum(body[2:], body, pseudo(e.peer, e.ours, proto, len(body)))
	} else {
		inner := append(append([]byte{0x45, 0, 0x05, 0xdc, 0, 0, 0x40, 0, 64, 6, 0, 0}, e.ours.AsSlice()...), e.peer.AsSlice()...)
		putSum(inner[10:], inner, 0)
		body = append(append([]byte{3, 4, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, inner...), quote...)
		putSum(body[2:], body, 0)
	}
	return errors.Join(e.line.sendIP(e.peer, e.ours, proto, 64, 0, body), settle())
}

func (e *end) Next(until time.Duration) (*dialogue.Segment, time.Duration) {
	wait := max(until-e.Now(), 0)
	return e.within(wait + wait/4 + patience)
}

func (e *end) Quiet(until time.Duration) *dialogue.Segment {
	seg, _ := e.within(max(until-e.Now(), hush))
	return seg
}

func (e *end) within(wait time.Duration) (*dialogue.Segment, time.Duration) {
	select {
	case a := <-e.from:
		if a.bad != nil {
			e.bad = a.bad
		}
		e.port = a.src
		return a.seg, a.at.Sub(e.begin)
	case <-time.After(wait):
		return nil, 0
	}
}

// write writes a line to a file, and waits for what it does: os.WriteFile would
// not, as it has every file that can be polled not block.
func write(file, line string) error {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		if _, err = unix.Write(fd, []byte(line)); err != unix.EINTR {
			return err
		}
	}
}

// newConv opens clone, if that was not done.
func (e *end) newConv() (string, error) {
	if e.clone != nil {
		if e.conv == "" {
			return e.listener, nil
		}
		return e.conv, nil
	}
	var err error
	if e.clone, err = os.OpenFile(filepath.Join(root(), "tcp/clone"), os.O_RDWR, 0); err != nil {
		return "", err
	}
	e.conv, err = conversation(e.clone)
	return e.conv, err
}

// conversation is the directory of an open ctl.
func conversation(ctl *os.File) (string, error) {
	b := make([]byte, 32)
	n, err := ctl.Read(b)
	return filepath.Join(root(), "tcp", strings.TrimSpace(string(b[:n]))), err
}

func (e *end) Call(verb string, args []string) error {
	conv, err := e.newConv()
	if err != nil {
		return err
	}
	ctl := filepath.Join(conv, "ctl")
	switch verb {
	case "open":
		e.dialled = make(chan error, 1)
		go func() { e.dialled <- write(ctl, "connect "+netip.AddrPortFrom(e.peer, peerPort).String()) }()
		return nil
	case "listen":
		e.port, e.listener, e.conv = uint16(announced+e.number), conv, ""
		return write(ctl, "announce "+netip.AddrPortFrom(e.ours, e.port).String())
	case "accept":
		return e.accept()
	case "ctl":
		return write(ctl, strings.Join(args, " "))
	case "shutdown":
		return write(ctl, "shutdown wr")
	case "close", "abort":
		if verb == "abort" {
			verb = "hangup"
		}
		err := write(ctl, verb)
		e.letGo()
		return err
	}
	return fmt.Errorf("no call %q", verb)
}

// accept takes the call.
func (e *end) accept() error {
	var fd int
	err := e.retry(func() (err error) {
		fd, err = unix.Open(filepath.Join(e.listener, "listen"), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return err
	}
	e.call = os.NewFile(uintptr(fd), "ctl")
	e.conv, err = conversation(e.call)
	return err
}

// retry does something until it is done, fails, or takes too long.
func (e *end) retry(do func() error) error {
	for begin := time.Now(); ; time.Sleep(glance) {
		err := do()
		if err == unix.EINTR {
			continue
		}
		if err != unix.EAGAIN || time.Since(begin) > patience {
			return err
		}
	}
}

// openData opens the file data, once.
func (e *end) openData() (err error) {
	if e.data < 0 {
		e.data, err = unix.Open(filepath.Join(e.conv, "data"), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	return err
}

func (e *end) Write(b []byte) error {
	if err := e.openData(); err != nil {
		return err
	}
	return e.retry(func() error {
		n, err := unix.Write(e.data, b)
		if err == nil && n < len(b) {
			b, err = b[n:], unix.EAGAIN
		}
		return err
	})
}

func (e *end) Read(n int) ([]byte, error) {
	if err := e.openData(); err != nil {
		return nil, err
	}
	if n <= 0 {
		return nil, e.readEnd(n == 0)
	}
	b := make([]byte, n)
	got := 0
	err := e.retry(func() error {
		m, err := unix.Read(e.data, b[got:])
		switch {
		case err == nil && m == 0:
			return errors.New("end of file")
		case err == nil:
			if got += m; got < n {
				return unix.EAGAIN
			}
		}
		return err
	})
	if err == unix.EAGAIN {
		err = fmt.Errorf("%d bytes are unread", got)
	}
	return b[:got], err
}

// readEnd sees that there is nothing to read, for good or for now.
func (e *end) readEnd(eof bool) error {
	var n int
	err := e.retry(func() (err error) {
		n, err = unix.Read(e.data, make([]byte, 1))
		if !eof && err == unix.EAGAIN {
			n, err = -1, nil
		}
		return err
	})
	switch {
	case err == unix.EAGAIN:
		return errors.New("no end of file")
	case err == nil && n > 0:
		return errors.New("bytes are unread")
	case err == nil && n == 0 && !eof:
		return errors.New("end of file")
	}
	return err
}

// State is the first word of status of the conversation with the peer, wherever
// that is.
func (e *end) State(want string) (got string) {
	for begin := time.Now(); ; time.Sleep(glance) {
		if got = e.state(); got == want || time.Since(begin) > patience {
			return got
		}
	}
}

func (e *end) state() string {
	group := filepath.Join(root(), "tcp/by-remote", netip.AddrPortFrom(e.peer, peerPort).String())
	entries, _ := os.ReadDir(group)
	var dirs []string
	for _, entry := range entries {
		dirs = append(dirs, filepath.Join(group, entry.Name()))
	}
	if e.listener != "" {
		dirs = append(dirs, e.listener)
	}
	for _, dir := range dirs {
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		if word, _, _ := strings.Cut(string(status), " "); err == nil && word != "Closed" {
			return word
		}
	}
	return "Closed"
}

// Fate is the errno of the attempt to connect, or of a read once all was read.
func (e *end) Fate(want string) string {
	if e.dialled != nil {
		select {
		case err := <-e.dialled:
			if e.dialled = nil; err != nil {
				return errno(err)
			}
		case <-time.After(patience):
			return ""
		}
	}
	if err := e.openData(); err != nil {
		return errno(err)
	}
	err := e.retry(func() error {
		n, err := unix.Read(e.data, make([]byte, 4096))
		if err == nil && n > 0 {
			return unix.EAGAIN
		}
		return err
	})
	if err == nil || err == unix.EAGAIN {
		return ""
	}
	return errno(err)
}

func errno(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return unix.ErrnoName(no)
	}
	return err.Error()
}
