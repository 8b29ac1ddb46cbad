// Package netns gives a test a network namespace with a slashnet daemon on one
// end of a TAP, the kernel on the other, and the daemon's tree mounted in a
// temporary directory. The tests of package test use it.
//
// The test process itself never touches the tree: Run does, in a child with a
// deadline, so that a daemon that hangs fails a test and not the machine. What a
// test began is ended with it: processes by their id, the mount, which is aborted
// if it is stuck, and the namespace.
//
// Left out on purpose: more than one machine. Other hosts are processes on the
// kernel's side, in the same namespace.
package netns

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The addresses of a Net: the daemon's and the kernel's.
const (
	Addr     = "10.114.0.2"
	HostAddr = "10.114.0.1"
)

// patience is how long a command may take, unless the test says otherwise. It is
// long beside the milliseconds that a command needs, and short beside a person.
const patience = 20 * time.Second

// A Net is a namespace, with a daemon once Up was called.
type Net struct {
	t    testing.TB
	Name string
	Root string // where the tree is mounted; SLASHNET_ROOT of every command
	Dir  string // a temporary directory

	daemon *Process
	device string // number of the mount, to abort it
}

// New makes a namespace with its loopback up.
func New(t testing.TB) *Net {
	t.Helper()
	if testing.Short() {
		t.Skip("needs root and a kernel; -short leaves that out")
	}
	if os.Getuid() != 0 {
		t.Fatal("needs root, for a network namespace: run scripts/test, or go test -short for what does not")
	}
	var id [4]byte
	rand.Read(id[:])
	n := &Net{t: t, Name: fmt.Sprintf("slashnet-%x", id), Dir: t.TempDir()}
	n.Root = filepath.Join(n.Dir, "net")
	host(t, "ip", "netns", "add", n.Name)
	t.Cleanup(func() { host(t, "ip", "netns", "delete", n.Name) })
	host(t, "ip", "-n", n.Name, "link", "set", "lo", "up")
	return n
}

// Start makes a namespace and a daemon in it, with more flags if given.
func Start(t testing.TB, flags ...string) *Net {
	t.Helper()
	n := New(t)
	n.Up(flags...)
	return n
}

// For is the same namespace for a subtest: what it starts ends with it.
func (n *Net) For(t testing.TB) *Net {
	sub := *n
	sub.t = t
	return &sub
}

// host runs a command outside of the namespace.
func host(t testing.TB, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Up starts a daemon in the namespace and waits until its tree answers.
func (n *Net) Up(flags ...string) {
	n.t.Helper()
	args := []string{Binary(n.t, "./cmd/slashnet"), "up", "--ready-fd", "3", "--nic", "tap:slash0",
		"--addr", Addr + "/24", "--host-addr", HostAddr + "/24"}
	n.UpAs(append(args, flags...)...)
}

// UpAs is Up with a daemon of another kind: it mounts at the last argument, which
// is added here, and writes the line "ready" to descriptor 3.
func (n *Net) UpAs(args ...string) {
	n.t.Helper()
	// It is there, and cannot even be looked at, when a daemon has died.
	if err := os.Mkdir(n.Root, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		n.t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		n.t.Fatal(err)
	}
	n.daemon = n.start(&Process{files: []*os.File{w}, dump: true}, append(args, n.Root)...)
	w.Close()
	n.t.Cleanup(n.unmount)
	n.await(r)
	n.device = deviceOf(n.Root)
	if n.device == "" {
		n.t.Fatalf("the daemon is ready, and nothing is mounted at %s", n.Root)
	}
}

// await waits for the line that says ready.
func (n *Net) await(r *os.File) {
	n.t.Helper()
	defer r.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	line, err := io.ReadAll(io.LimitReader(r, int64(len("ready\n"))))
	if string(line) != "ready\n" {
		n.t.Fatalf("the daemon did not say ready: %q, %v\n%s", line, err, n.daemon.Output())
	}
}

// Daemon is the daemon's process.
func (n *Net) Daemon() *Process { return n.daemon }

// unmount ends the daemon, the mount, and whoever is stuck in it.
func (n *Net) unmount() {
	if n.daemon.hung {
		n.daemon.Dump()
	}
	n.daemon.Signal(syscall.SIGTERM)
	if !n.daemon.wait(10 * time.Second) {
		n.t.Errorf("the daemon does not end on SIGTERM")
		abort(n.t, n.device)
		n.daemon.Dump()
	}
	if deviceOf(n.Root) != "" {
		abort(n.t, n.device)
		host(n.t, "umount", "-l", n.Root)
	}
	if strings.Contains(n.daemon.Output(), "WARNING: DATA RACE") {
		n.t.Error("the daemon has a data race")
	}
	if n.t.Failed() {
		n.t.Logf("the daemon said:\n%s", n.daemon.Output())
	}
}

// deviceOf is the number of the file system mounted at a path, "" for none. It
// reads a table, and does not touch the mount.
func deviceOf(path string) string {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	device := ""
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == path {
			_, device, _ = strings.Cut(f[2], ":")
		}
	}
	return device
}

// abort makes the kernel give up a FUSE connection: every call in it ends with
// an error.
func abort(t testing.TB, device string) {
	if device == "" {
		return
	}
	const control = "/sys/fs/fuse/connections"
	file := filepath.Join(control, device, "abort")
	if _, err := os.Stat(file); err != nil {
		host(t, "mount", "-t", "fusectl", "fusectl", control)
		defer host(t, "umount", control)
	}
	if err := os.WriteFile(file, []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("abort of the mount: %v", err)
	}
}

// A Process is a command in the namespace, in a process group of its own.
type Process struct {
	t     testing.TB
	net   *Net
	args  []string
	cmd   *exec.Cmd
	out   output
	files []*os.File
	stdin io.Reader
	env   []string
	dump  bool // a Go program: SIGQUIT prints its goroutines
	hung  bool // the daemon, when a command did not end: its goroutines are of interest
	ended chan struct{}
	err   error
}

// output is a buffer that may be read while a process writes it.
type output struct {
	sync.Mutex
	b     bytes.Buffer
	grown chan struct{} // has one element when there is news
}

func (o *output) Write(p []byte) (int, error) {
	o.Lock()
	defer o.Unlock()
	select {
	case o.grown <- struct{}{}:
	default:
	}
	return o.b.Write(p)
}

func (o *output) String() string {
	o.Lock()
	defer o.Unlock()
	return o.b.String()
}

// Start starts a command in the namespace; it is killed at the test's end.
func (n *Net) Start(args ...string) *Process {
	n.t.Helper()
	return n.start(&Process{}, args...)
}

func (n *Net) start(p *Process, args ...string) *Process {
	n.t.Helper()
	p.t, p.net, p.args, p.ended = n.t, n, args, make(chan struct{})
	p.out.grown = make(chan struct{}, 1)
	// nsenter becomes the command, so the process id is the command's. Unlike
	// "ip netns exec" it stays where it is among the mounts.
	p.cmd = exec.Command("nsenter", append([]string{"--net=/run/netns/" + n.Name, "--"}, args...)...)
	p.cmd.Dir = n.Dir
	p.cmd.Env = append(append(os.Environ(), "SLASHNET_ROOT="+n.Root, "LC_ALL=C"), p.env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = p.stdin, &p.out, &p.out
	p.cmd.ExtraFiles = p.files
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild that keeps the pipe open does not keep us.
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		n.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	n.t.Cleanup(p.Kill)
	return p
}

// Pid is the id of the process, and of its group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Output is what the process printed so far, on both outputs.
func (p *Process) Output() string { return p.out.String() }

// Expect waits until the process has printed some words.
func (p *Process) Expect(words string) {
	p.t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(p.Output(), words) {
		select {
		case <-p.out.grown:
		case <-p.ended:
			if !strings.Contains(p.Output(), words) {
				p.t.Fatalf("%s ended (%v) and did not print %q, but:\n%s", strings.Join(p.args, " "), p.err, words, p.Output())
			}
		case <-deadline:
			p.t.Fatalf("%s did not print %q within %v, but:\n%s", strings.Join(p.args, " "), words, patience, p.Output())
		}
	}
}

// Blocked waits until the process waits for an answer of the tree, as the kernel
// tells of it.
func (p *Process) Blocked() {
	p.t.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(5 * time.Millisecond) {
		if where, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", p.Pid())); strings.Contains(string(where), "request_wait_answer") {
			return
		}
	}
	p.t.Fatalf("%s does not wait for the tree; it printed:\n%s", strings.Join(p.args, " "), p.Output())
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Signal sends a signal to the process alone.
func (p *Process) Signal(s syscall.Signal) {
	select {
	case <-p.ended: // the id may be another's by now
	default:
		syscall.Kill(p.Pid(), s)
	}
}

// Wait waits for the end of the process, at most a time, and returns its error.
func (p *Process) Wait(max time.Duration) error {
	p.t.Helper()
	if !p.wait(max) {
		if d := p.net.daemon; d != nil {
			d.hung = true
		}
		p.t.Fatalf("%s did not end within %v; it printed:\n%s", strings.Join(p.args, " "), max, p.Output())
	}
	return p.err
}

func (p *Process) wait(max time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(max):
		return false
	}
}

// Dump makes a Go program print its goroutines and end.
func (p *Process) Dump() {
	if p.dump {
		p.Signal(syscall.SIGQUIT)
		p.wait(5 * time.Second)
	}
}

// Kill ends the process and its group.
func (p *Process) Kill() {
	syscall.Kill(-p.Pid(), syscall.SIGKILL)
	p.wait(5 * time.Second)
}

// Run runs a command to its end, and returns what it printed. One that fails, or
// takes longer than is reasonable, fails the test.
func (n *Net) Run(args ...string) string {
	n.t.Helper()
	out, err := n.Try(args...)
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Try is Run for a command that may fail.
func (n *Net) Try(args ...string) (string, error) {
	n.t.Helper()
	return n.TryFor(patience, args...)
}

// TryFor is Try with another deadline. A command that passes it fails the test
// with the daemon's goroutines.
func (n *Net) TryFor(max time.Duration, args ...string) (string, error) {
	n.t.Helper()
	p := n.Start(args...)
	err := p.Wait(max)
	return p.Output(), err
}

// Shell runs a script in a shell, given as a command such as dash or
// "busybox ash", with the addresses in its environment.
func (n *Net) Shell(shell, script string) string {
	n.t.Helper()
	return n.Run(append(strings.Fields(shell), "-eu", "-c", "cd \"$SLASHNET_ROOT\"\n"+script)...)
}

// Serve starts a server that prints "ready" when it listens.
func (n *Net) Serve(args ...string) *Process {
	n.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		n.t.Fatal(err)
	}
	p := n.start(&Process{files: []*os.File{w}}, args...)
	w.Close()
	n.awaitServer(p, r)
	return p
}

func (n *Net) awaitServer(p *Process, r *os.File) {
	n.t.Helper()
	defer r.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	if line, err := io.ReadAll(io.LimitReader(r, int64(len("ready\n")))); string(line) != "ready\n" {
		n.t.Fatalf("%s did not say ready: %q, %v\n%s", strings.Join(p.args, " "), line, err, p.Output())
	}
}

// binaries are built once in a run of the tests.
var binaries struct {
	sync.Mutex
	dir   string
	built map[string]string
}

// Binary builds a command of this module and returns its path. SLASHNET_RACE=1
// builds it with the race detector.
func Binary(t testing.TB, pkg string) string {
	t.Helper()
	if os.Getenv("SLASHNET_RACE") != "" {
		return build(t, pkg, filepath.Base(pkg), os.Environ(), "-race")
	}
	return build(t, pkg, filepath.Base(pkg), os.Environ())
}

// Static is Binary for a root directory that has no libraries.
func Static(t testing.TB, pkg string) string {
	t.Helper()
	return build(t, pkg, filepath.Base(pkg)+"-static", append(os.Environ(), "CGO_ENABLED=0"))
}

func build(t testing.TB, pkg, name string, env []string, flags ...string) string {
	t.Helper()
	binaries.Lock()
	defer binaries.Unlock()
	if path := binaries.built[name]; path != "" {
		return path
	}
	if binaries.dir == "" {
		dir, err := os.MkdirTemp("", "slashnet-test-")
		if err != nil {
			t.Fatal(err)
		}
		binaries.dir, binaries.built = dir, map[string]string{}
	}
	path := filepath.Join(binaries.dir, name)
	build := exec.Command("go", slices.Concat([]string{"build", "-o", path}, flags, []string{pkg})...)
	build.Dir, build.Env = moduleDir(t), env
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	binaries.built[name] = path
	return path
}

// Clean removes what Binary built; TestMain calls it last.
func Clean() {
	if binaries.dir != "" {
		os.RemoveAll(binaries.dir)
	}
}

func moduleDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}
