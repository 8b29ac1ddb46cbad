package netns

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Commands in a namespace: started, watched, ended.

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
