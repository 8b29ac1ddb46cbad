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
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
