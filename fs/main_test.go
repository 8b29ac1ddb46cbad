package fs

// The ground of the tests. The tree is mounted for real; whoever uses it is
// another process, as a process must not use its own mount: shells, and this
// binary run again as a client. Everything has a deadline, after which the
// connection is cut through fusectl, so that a failure leaves nothing behind.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"slashnet/nic"
	"slashnet/stack"
)

// clientEnv names the client that this process is to be.
const clientEnv = "SLASHNET_FS_TEST_CLIENT"

func TestMain(m *testing.M) {
	if name := os.Getenv(clientEnv); name != "" {
		client, ok := clients[name]
		if !ok {
			fmt.Fprintln(os.Stderr, "no client", name)
			os.Exit(2)
		}
		if err := client(os.Getenv("NET"), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getuid() != 0 {
		fmt.Fprintln(os.Stderr, "the tests of fs mount: run them as root")
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a script may take.
const patience = 20 * time.Second

// A world is a mounted stack that talks to itself.
type world struct {
	t     testing.TB
	host  *stack.Host
	stack *stack.Stack // the root
	srv   *Server
	net   string
}

func newStack(t testing.TB) *stack.Stack {
	s := stack.New(stack.Config{Names: book{}})
	lo, err := nic.NewLoop(nic.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddLoopback(lo); err != nil {
		t.Fatal(err)
	}
	// A cable to nowhere: 10.9.9.2 is a station that never says a word.
	ours, theirs, err := nic.NewPipe(nic.Options{}, nic.Options{})
	if err != nil {
		t.Fatal(err)
	}
	theirs.Start(deaf{})
	i, err := s.AddInterface(ours)
	if err == nil {
		err = i.Ctl("add 10.9.9.1/24")
	}
	if err == nil {
		err = s.WriteARP("add 10.9.9.2 02:00:00:00:00:09")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return s
}

// newHost is a host on such a stack, whose views have loopback.
func newHost(t testing.TB) *stack.Host {
	root := newStack(t)
	h := stack.NewHost(root, func(string) (*stack.Stack, func(), error) {
		s := stack.New(stack.Config{})
		lo, err := nic.NewLoop(nic.Options{})
		if err == nil {
			_, err = s.AddLoopback(lo)
		}
		return s, func() {}, err
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		h.Close(ctx)
	})
	return h
}

// nowhere is an address that a connect waits for.
const nowhere = "10.9.9.2:9"

type deaf struct{}

func (deaf) Receive([]*nic.Frame) {}

func newWorld(t testing.TB) *world { return newWorldWith(t, Options{AllowOther: true}) }

func newWorldWith(t testing.TB, opts Options) *world {
	t.Helper()
	h := newHost(t)
	w := &world{t: t, host: h, stack: h.Root(), net: mountPoint(t)}
	opts.Log = func(line string) { t.Log("go-fuse:", line) }
	srv, err := Mount(w.net, w.host, opts)
	if err != nil {
		t.Fatal(err)
	}
	w.srv = srv
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() {
			srv.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(5 * time.Second):
			abort(t, w.net)
			t.Error("Close took over 5 s")
			<-closed
		}
	})
	return w
}

// mountPoint is a directory outside of the test's own, which the testing package
// would walk through.
func mountPoint(t testing.TB) string {
	dir, err := os.MkdirTemp("", "slashnet-fs-")
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o755)
	t.Cleanup(func() {
		unix.Unmount(dir, unix.MNT_DETACH)
		os.Remove(dir)
	})
	return dir
}

// abort cuts a FUSE connection: every client gets an error.
func abort(t testing.TB, path string) {
	t.Helper()
	minor := connection(t, path)
	dir, err := os.MkdirTemp("", "fusectl-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if err := unix.Mount("none", dir, "fusectl", 0, ""); err != nil {
		t.Fatal("fusectl:", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := os.WriteFile(filepath.Join(dir, minor, "abort"), []byte("1"), 0); err != nil {
		t.Error("abort:", err)
	}
}

// connection is the number of the FUSE connection that is mounted at path, from
// mountinfo: asking the file would ask the daemon.
func connection(t testing.TB, path string) string {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(info)) {
		f := strings.Fields(line)
		if len(f) > 4 && f[4] == path {
			_, minor, _ := strings.Cut(f[2], ":")
			return minor
		}
	}
	t.Fatal(path, "is not mounted")
	return ""
}

// A result is how a program ended.
type result struct {
	out, err string
	code     int
}

// run starts a program and waits for it, as user uid.
func (w *world) run(uid int, env []string, name string, args ...string) result {
	w.t.Helper()
	cmd, out, errs := w.command(uid, env, name, args...)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.wait(cmd, name, args)
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

func (w *world) command(uid int, env []string, name string, args ...string) (cmd *exec.Cmd, out, errs *bytes.Buffer) {
	cmd = exec.Command(name, args...)
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.Env = append(append(os.Environ(), "NET="+w.net, "LC_ALL=C", "GORACE=atexit_sleep_ms=0"), env...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	}
	return cmd, out, errs
}

// wait waits for a started program, but not for ever.
func (w *world) wait(cmd *exec.Cmd, name string, args []string) {
	w.t.Helper()
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stack", cmd.Process.Pid))
		w.t.Errorf("%s %q did not end in %v; it sits in\n%s", name, args, patience, state)
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		select {
		case <-done:
		case <-time.After(time.Second):
			abort(w.t, w.net)
			<-done
		}
		w.t.FailNow()
	}
}

// sh runs a script in bash.
func (w *world) sh(script string) result {
	w.t.Helper()
	return w.run(0, nil, "bash", "-c", script)
}

// ok runs a script that must not fail, and returns what it printed.
func (w *world) ok(script string) string {
	w.t.Helper()
	r := w.sh("set -e; " + script)
	if r.code != 0 {
		w.t.Fatalf("%s\nexit %d\n%s%s", script, r.code, r.out, r.err)
	}
	return r.out
}

// want compares what a script prints.
func (w *world) want(script, out string) {
	w.t.Helper()
	if got := w.ok(script); got != out {
		w.t.Errorf("%s\nprinted %q, want %q", script, got, out)
	}
}

// client runs one of clients in a process of its own.
func (w *world) client(name string, args ...string) result {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.run(0, []string{clientEnv + "=" + name}, self, args...)
}

// clients are what this binary can be when run again. They are given the tree.
var clients = map[string]func(net string, args []string) error{}

// until waits for a condition to hold, which something under way will bring
// about; there is no event to wait for on the other side of the kernel.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never came true:", what)
		}
	}
}

// waiting waits until n requests are parked.
func (w *world) waiting(n int) {
	w.t.Helper()
	until(w.t, fmt.Sprintf("%d requests wait", n), func() bool { return len(w.srv.calls.all()) == n })
}

// A job is a script that runs beside the test.
type job struct {
	*exec.Cmd
	w     *world
	in    io.WriteCloser
	out   *bytes.Buffer
	errs  *bytes.Buffer
	ended bool
}

// background starts a script.
func (w *world) background(script string) *job {
	w.t.Helper()
	cmd, out, errs := w.command(0, nil, "bash", "-c", script)
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	j := &job{Cmd: cmd, w: w, in: in, out: out, errs: errs}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if !j.ended {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			cmd.Wait()
		}
	})
	return j
}

// end waits for a job.
func (j *job) end() result {
	j.w.t.Helper()
	j.ended = true
	j.w.wait(j.Cmd, "bash", j.Args[2:])
	return result{j.out.String(), j.errs.String(), j.ProcessState.ExitCode()}
}

// pair is a connection of the stack to itself, made through the tree: the
// numbers of both ends. Nobody has them open.
func (w *world) pair() (a, b int) {
	w.t.Helper()
	out := w.ok(`cd $NET/tcp
		l=$(cat clone); echo announce 0 >$l/ctl; port=$(sed 's/.*!//' $l/local)
		c=$(cat clone); echo connect 127.0.0.1:$port >$c/ctl
		s=$(cat $l/listen); echo hangup >$l/ctl; echo $c $s`)
	if _, err := fmt.Sscan(out, &a, &b); err != nil {
		w.t.Fatal(out, err)
	}
	return a, b
}
