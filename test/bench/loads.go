package main

// What a station does when it is told to: each load is a method that times
// itself. The numbers of bytes are checked; the bytes are not, as other tests
// do that.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A job says what to do.
type job struct {
	Load  string
	Addr  string // of the peer
	To    bool   // bulk: towards the peer
	Bytes int64  // of all streams
	Size  int    // of a message
	Count int    // of round trips, connections
	Par   int    // at once
	Argv  []string
}

// An outcome is what came of it.
type outcome struct {
	Seconds  float64
	P50, P99 float64 // us
	Child    float64 // CPU seconds of a program that was run
	Memory   float64 // bytes in use
	Err      string
}

// loads are the jobs that a station knows.
var loads = map[string]func(*post, context.Context, *job) (outcome, error){
	"bulk":    (*post).bulk,
	"rtt":     (*post).rtt,
	"fdrtt":   (*post).fdrtt,
	"connect": (*post).connect,
	"program": (*post).program,
	"hold":    (*post).hold,
	"clones":  (*post).clones,
	"list":    (*post).list,
}

// bulk moves Bytes over Par connections that are open when the clock starts.
func (p *post) bulk(ctx context.Context, j *job) (o outcome, err error) {
	conns := make([]net.Conn, j.Par)
	for i := range conns {
		c, err := p.dial(ctx, j.Addr, servicePort)
		if err != nil {
			return o, err
		}
		defer c.Close()
		conns[i] = c
	}
	share := j.Bytes / int64(j.Par)
	begin := time.Now()
	err = together(j.Par, func(i int) error {
		if j.To {
			return upload(conns[i], share)
		}
		return download(conns[i], share)
	})
	o.Seconds = time.Since(begin).Seconds()
	return o, err
}

func upload(c io.ReadWriter, n int64) error {
	if _, err := c.Write(request(discard, n)); err != nil {
		return err
	}
	if err := give(c, n); err != nil {
		return err
	}
	return acknowledged(c, n)
}

func download(c io.ReadWriter, n int64) error {
	if _, err := c.Write(request(source, n)); err != nil {
		return err
	}
	got, err := take(c, n)
	if err == nil && got != n {
		err = fmt.Errorf("%d bytes were sent, %d arrived", n, got)
	}
	return err
}

// rtt sends a message and waits for its return, Count times.
func (p *post) rtt(ctx context.Context, j *job) (outcome, error) {
	c, err := p.dial(ctx, j.Addr, servicePort)
	if err != nil {
		return outcome{}, err
	}
	defer c.Close()
	return roundTrips(c, j)
}

// fdrtt does the same on a blocking descriptor and a thread of its own.
func (p *post) fdrtt(_ context.Context, j *job) (outcome, error) {
	fd, err := p.open(j.Addr)
	if err != nil {
		return outcome{}, err
	}
	defer fd.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return roundTrips(fd, j)
}

func roundTrips(c io.ReadWriter, j *job) (o outcome, err error) {
	if _, err := c.Write(request(echo, int64(j.Size))); err != nil {
		return o, err
	}
	message := make([]byte, j.Size)
	times := make([]time.Duration, j.Count)
	for i := range times {
		begin := time.Now()
		if _, err := c.Write(message); err != nil {
			return o, err
		}
		if _, err := io.ReadFull(c, message); err != nil {
			return o, err
		}
		times[i] = time.Since(begin)
	}
	slices.Sort(times)
	at := func(percent int) float64 {
		return float64(times[len(times)*percent/100]) / float64(time.Microsecond)
	}
	o.P50, o.P99 = at(50), at(99)
	return o, nil
}

// connect opens Count connections, Par at once; the peer closes each.
func (p *post) connect(ctx context.Context, j *job) (o outcome, err error) {
	begin := time.Now()
	err = together(j.Par, func(int) error {
		for range j.Count / j.Par {
			c, err := p.dial(ctx, j.Addr, closePort)
			if err != nil {
				return err
			}
			var b [1]byte
			_, err = c.Read(b[:])
			c.Close()
			if err != io.EOF {
				return fmt.Errorf("waiting for the peer's close: %v", err)
			}
		}
		return nil
	})
	o.Seconds = time.Since(begin).Seconds()
	return o, err
}

// program runs a command with a connection as its output, or input.
func (p *post) program(ctx context.Context, j *job) (o outcome, err error) {
	fd, err := p.open(j.Addr)
	if err != nil {
		return o, err
	}
	defer fd.Close()
	op := byte(source)
	if j.To {
		op = discard
	}
	if _, err := fd.Write(request(op, j.Bytes)); err != nil {
		return o, err
	}
	file, err := duplicate(fd)
	if err != nil {
		return o, err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, j.Argv[0], j.Argv[1:]...)
	var words strings.Builder
	cmd.Stderr = &words
	if j.To {
		cmd.Stdout = file
	} else {
		cmd.Stdin = file
	}
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return o, fmt.Errorf("%s: %w: %s", strings.Join(j.Argv, " "), err, words.String())
	}
	if j.To {
		err = acknowledged(fd, j.Bytes)
	} else if n, e := fd.Read(make([]byte, 1)); n > 0 || e != nil && e != io.EOF {
		err = fmt.Errorf("%s ended before the stream: %v", j.Argv[0], e)
	}
	o.Seconds = time.Since(begin).Seconds()
	o.Child = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return o, err
}

func duplicate(fd stream) (*os.File, error) {
	d, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(d), "stream"), nil
}

// hold opens Count connections and leaves them open; Memory is what the process
// has in use for each, ours and the stack's.
func (p *post) hold(ctx context.Context, j *job) (o outcome, err error) {
	before := inUse()
	for range j.Count {
		c, err := p.dial(ctx, j.Addr, servicePort)
		if err != nil {
			return o, err
		}
		c.SetDeadline(time.Time{})
		p.held = append(p.held, c)
	}
	o.Memory = (inUse() - before) / float64(j.Count)
	return o, nil
}

func inUse() float64 {
	runtime.GC()
	runtime.GC() // the first may have been under way
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

// clones makes Count connections as a shell would that keeps none open: the
// number from clone, connect to its ctl.
func (p *post) clones(_ context.Context, j *job) (o outcome, err error) {
	root := string(p.tree)
	line := []byte("connect " + net.JoinHostPort(j.Addr, servicePort) + "\n")
	for range j.Count {
		num, err := os.ReadFile(filepath.Join(root, "tcp/clone"))
		if err != nil {
			return o, err
		}
		ctl := filepath.Join(root, "tcp", strings.TrimSpace(string(num)), "ctl")
		if err := command(ctl, line); err != nil {
			return o, err
		}
	}
	return o, nil
}

// command writes to a ctl file. Package os would open it for its poller, with
// O_NONBLOCK, and would not wait for a connect.
func command(path string, line []byte) error {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err := stream(fd).Write(line); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// list runs Argv in the directory tcp of the tree; at least Count lines come.
func (p *post) list(ctx context.Context, j *job) (o outcome, err error) {
	cmd := exec.CommandContext(ctx, j.Argv[0], j.Argv[1:]...)
	cmd.Dir = filepath.Join(string(p.tree), "tcp")
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	begin := time.Now()
	out, err := cmd.Output()
	o.Seconds = time.Since(begin).Seconds()
	if err == nil && strings.Count(string(out), "\n") < j.Count {
		err = fmt.Errorf("%s: %d lines, %d conversations are open", strings.Join(j.Argv, " "), strings.Count(string(out), "\n"), j.Count)
	}
	return o, err
}

// together runs do(0) to do(n-1) at once.
func together(n int, do func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}
