package fs

// Programs that are not shells: this binary, run again, uses the tree as an event
// loop or a Go program does.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	clients["nonblock"] = clientNonblock
	clients["poll"] = clientPoll
	clients["calls"] = clientCalls
	clients["deadline"] = clientDeadline
	clients["stats"] = clientInode
	clients["many"] = clientMany
}

// Rule 7: O_NONBLOCK at open and set later, poll, select, edge-triggered epoll,
// and what Go makes of them.
func TestRule7NonblockAndPoll(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"nonblock", "poll", "calls", "deadline"} {
		a, b := w.pair()
		if r := w.client(name, fmt.Sprint(a), fmt.Sprint(b)); r.code != 0 {
			t.Errorf("%s: %s", name, r.err)
		}
	}
	until(t, "all files are closed", func() bool { return len(w.srv.handles.all()) == 0 })
}

func dataOf(net, conv string) string { return filepath.Join(net, "tcp", conv, "data") }

func clientNonblock(net string, args []string) error {
	fd, err := unix.Open(dataOf(net, args[0]), unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	peer, err := unix.Open(dataOf(net, args[1]), unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	b := make([]byte, 100)
	if _, err := unix.Read(fd, b); err != unix.EAGAIN {
		return fmt.Errorf("an empty read gave %v", err)
	}
	// Set later: the flags come with every request.
	unix.SetNonblock(peer, true)
	if _, err := unix.Read(peer, b); err != unix.EAGAIN {
		return fmt.Errorf("after fcntl an empty read gave %v", err)
	}
	big := make([]byte, 1<<20)
	for written := 0; ; {
		n, err := unix.Write(fd, big)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			return fmt.Errorf("after %d bytes a write gave %v", written, err)
		}
		if written += n; written > 1<<30 {
			return errors.New("a write never finds the queue full")
		}
	}
	// connect that cannot wait says so, and its end is seen by poll.
	clone, err := unix.Open(filepath.Join(net, "tcp", "clone"), unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if _, err := unix.Write(clone, []byte("connect "+nowhere)); err != unix.EAGAIN {
		return fmt.Errorf("connect gave %v", err)
	}
	p := []unix.PollFd{{Fd: int32(clone), Events: unix.POLLOUT}}
	if n, err := pollAgain(p, 50); n != 0 || err != nil {
		return fmt.Errorf("a connect under way is writable: %#x %v", p[0].Revents, err)
	}
	// A dial that cannot wait is open at once, and the attempt goes on.
	dialled, err := unix.Open(filepath.Join(net, "tcp", "dial", nowhere), unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if _, err := unix.Write(dialled, b); err != unix.EAGAIN {
		return fmt.Errorf("a write to what is not connected yet gave %v", err)
	}
	p[0] = unix.PollFd{Fd: int32(dialled), Events: unix.POLLOUT}
	if n, err := pollAgain(p, 50); n != 0 || err != nil {
		return fmt.Errorf("a dial under way is writable: %#x %v", p[0].Revents, err)
	}
	return nil
}

// clientCalls is a server that never waits in an open: it polls its listener.
func clientCalls(net string, _ []string) error {
	tcp := filepath.Join(net, "tcp")
	l, err := unix.Open(filepath.Join(tcp, "clone"), unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	b := make([]byte, 100)
	n, err := unix.Read(l, b)
	if err != nil {
		return err
	}
	if _, err := unix.Write(l, []byte("announce 127.0.0.1:7070")); err != nil {
		return err
	}
	unix.Read(l, b) // the number again, so that only a call makes it readable
	listen := filepath.Join(tcp, strings.TrimSpace(string(b[:n])), "listen")
	if _, err := unix.Open(listen, unix.O_RDWR|unix.O_NONBLOCK, 0); err != unix.EAGAIN {
		return fmt.Errorf("without a call listen opens with %v", err)
	}
	p := []unix.PollFd{{Fd: int32(l), Events: unix.POLLIN}}
	if n, _ := pollAgain(p, 20); n != 0 {
		return fmt.Errorf("without a call the listener polls as %#x", p[0].Revents)
	}
	c, err := unix.Open(filepath.Join(tcp, "clone"), unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if _, err := unix.Write(c, []byte("connect 127.0.0.1:7070")); err != nil && err != unix.EAGAIN {
		return err
	}
	if n, err := pollAgain(p, 2000); n != 1 || err != nil {
		return fmt.Errorf("nobody says that a call is there: %v", err)
	}
	if _, err := unix.Open(listen, unix.O_RDWR|unix.O_NONBLOCK, 0); err != nil {
		return fmt.Errorf("with a call listen opens with %w", err)
	}
	p[0] = unix.PollFd{Fd: int32(c), Events: unix.POLLOUT}
	if n, err := pollAgain(p, 2000); n != 1 || err != nil || p[0].Revents != unix.POLLOUT {
		return fmt.Errorf("the caller polls as %#x %v", p[0].Revents, err)
	}
	return nil
}

func clientPoll(net string, args []string) error {
	fd, err := unix.Open(dataOf(net, args[0]), unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	peer, err := unix.Open(dataOf(net, args[1]), unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
	if _, err := pollAgain(p, 0); err != nil || p[0].Revents != unix.POLLOUT {
		return fmt.Errorf("an idle connection polls as %#x %v", p[0].Revents, err)
	}
	e, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&0xffffffff, Fd: int32(fd)}
	if err := unix.EpollCtl(e, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 4)
	b := make([]byte, 100)
	for i := range 5 {
		if n, err := unix.EpollWait(e, events, 20); n != 0 || err != nil {
			return fmt.Errorf("round %d: an event of nothing: %d %v", i, n, err)
		}
		sent := make(chan error, 1)
		go func() {
			_, err := unix.Write(peer, []byte("x"))
			sent <- err
		}()
		if n, err := epollWait(e, events, 2000); n != 1 || err != nil {
			return fmt.Errorf("round %d: edge-triggered epoll slept over a byte: %d %v", i, n, err)
		}
		if n, err := unix.Read(fd, b); n != 1 || err != nil {
			return fmt.Errorf("round %d: %d %v", i, n, err)
		}
		if err := <-sent; err != nil {
			return err
		}
	}
	unix.Close(peer)
	if err := os.WriteFile(filepath.Join(net, "tcp", args[1], "ctl"), []byte("hangup"), 0); err != nil {
		return err
	}
	p[0].Events = unix.POLLIN
	if n, err := pollAgain(p, 2000); n != 1 || err != nil || p[0].Revents&unix.POLLHUP == 0 {
		return fmt.Errorf("a reset connection polls as %#x %v", p[0].Revents, err)
	}
	return nil
}

// epollWait goes on after the signals of Go's scheduler.
func epollWait(e int, events []unix.EpollEvent, msec int) (int, error) {
	for {
		n, err := unix.EpollWait(e, events, msec)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func clientDeadline(net string, args []string) error {
	f, err := os.OpenFile(dataOf(net, args[0]), os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := f.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		return fmt.Errorf("Go cannot poll it: %w", err)
	}
	b := make([]byte, 100)
	if _, err := f.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the read ended with %v", err)
	}
	f.SetReadDeadline(time.Time{})
	closed := make(chan error, 1)
	go func() {
		_, err := f.Read(b)
		closed <- err
	}()
	time.Sleep(20 * time.Millisecond) // the read is to be blocked, or it proves less
	f.Close()
	select {
	case err := <-closed:
		if !errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("the read ended with %v", err)
		}
	case <-time.After(2 * time.Second):
		return errors.New("Close does not end a read")
	}
	return nil
}

// The inode number of a file of dial tells its conversation.
func TestDialInode(t *testing.T) {
	w := newWorld(t)
	l := strings.Fields(w.ok("cd $NET/tcp; l=$(cat clone); echo announce 0 >$l/ctl; cat $l/local"))[0]
	addr := "127.0.0.1" + l[strings.LastIndex(l, "!"):]
	if r := w.client("stats", addr); r.code != 0 {
		t.Error(r.err)
	}
}

func clientInode(net string, args []string) error {
	f, err := os.OpenFile(filepath.Join(net, "tcp", "dial", args[0]), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(net, "tcp", fmt.Sprint(st.Ino), "status"))
	if err != nil {
		return fmt.Errorf("inode %d: %w", st.Ino, err)
	}
	if !strings.HasPrefix(string(text), "Established") {
		return fmt.Errorf("conversation %d: %s", st.Ino, text)
	}
	return nil
}

// Hundreds of blocked readers cost neither goroutines nor much memory, and are in
// nobody's way.
func TestManyBlockedReaders(t *testing.T) {
	w := newWorld(t)
	a, _ := w.pair()
	before := heap()
	cmd, out, errs := w.command(0, []string{clientEnv + "=many"}, "/proc/self/exe", dataOf(w.net, fmt.Sprint(a)))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.waiting(blockedReaders)
	if each := (heap() - before) / blockedReaders; each > 4<<10 {
		t.Errorf("a blocked reader costs %d bytes", each)
	}
	began := time.Now()
	w.ok("cat $NET/version")
	if took := time.Since(began); took > time.Second {
		t.Error("cat beside them took", took)
	}
	in.Close() // the client leaves without a word
	w.wait(cmd, "many", nil)
	_, _ = out, errs
	w.waiting(0)
}

const blockedReaders = 500

func clientMany(_ string, args []string) error {
	runtime.GOMAXPROCS(2 * blockedReaders) // or each reader waits until the scheduler misses the last
	for range blockedReaders {
		go func() {
			fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
			if err != nil {
				return
			}
			b := make([]byte, 128<<10) // as much as cat asks for
			for err = unix.EINTR; err == unix.EINTR; {
				_, err = unix.Read(fd, b) // Go's scheduler sends signals
			}
		}()
	}
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// pollAgain is poll(2), begun again when the runtime's own signal ends it.
func pollAgain(p []unix.PollFd, ms int) (int, error) {
	for {
		n, err := unix.Poll(p, ms)
		if err != unix.EINTR {
			return n, err
		}
	}
}
