package main

// A path is a cable and what is on its ends: stations, and the daemon of the
// path through files. run.go builds each once, and anew after a failure. All of
// them are children of the first process of the namespaces and end with it.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The addresses are the same on each cable.
const (
	ourAddr  = "10.114.0.2"
	peerAddr = "10.114.0.1"
)

// A path's client is what is measured; its peer is always the kernel's TCP.
type path struct {
	name         string
	client, peer *process
	daemon       *process // nil: the stack is in the client, or the kernel
}

// builders make each path, by its name.
var builders = map[string]func(*options) (*path, error){
	"kernel": kernelPath,
	"files":  filesPath,

	"inproc":     linked("inproc"),
	"gvisor":     linked("gvisor"),
	"gvisor-nic": linked("gvisor-nic"),
}

// kernelPath is the kernel's TCP on both ends of a veth, with its defaults: MTU
// 1500, TSO on.
func kernelPath(o *options) (*path, error) {
	ours, err := newSpace()
	if err != nil {
		return nil, err
	}
	theirs, err := newSpace()
	if err != nil {
		return nil, err
	}
	err = ours.ip("link add veth0 type veth peer name veth0 netns " + theirs.String())
	for _, end := range []struct {
		space *space
		addr  string
	}{{ours, ourAddr}, {theirs, peerAddr}} {
		err = errors.Join(err, end.space.ip("addr add "+end.addr+"/24 dev veth0"), end.space.ip("link set veth0 up"))
	}
	if err != nil {
		return nil, err
	}
	p := &path{name: "kernel"}
	if p.peer, err = theirs.station("kernel", "-addr", peerAddr); err == nil {
		p.client, err = ours.station("kernel", "-addr", ourAddr)
	}
	return p.or(err)
}

// linked is a stack in a Go program, on a TAP whose other end is the kernel's.
func linked(kind string) func(*options) (*path, error) {
	return func(o *options) (*path, error) {
		s, err := newSpace()
		if err != nil {
			return nil, err
		}
		p := &path{name: kind}
		var profile string
		if kind == subject {
			profile = o.profile
		}
		// The client makes the TAP and its addresses: it comes first.
		if p.client, err = s.station(kind, "-addr", ourAddr, "-cpuprofile", profile); err == nil {
			p.peer, err = s.station("kernel", "-addr", peerAddr)
		}
		return p.or(err)
	}
}

// filesPath is the daemon on a TAP, and its tree, mounted.
func filesPath(o *options) (*path, error) {
	s, err := newSpace()
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp(scratch(o), "net")
	if err != nil {
		return nil, err
	}
	p := &path{name: "files"}
	if p.daemon, err = s.daemon(filepath.Join(o.bin, "slashnet"), root); err == nil {
		if p.peer, err = s.station("kernel", "-addr", peerAddr); err == nil {
			p.client, err = s.station("files", "-tree", root)
		}
	}
	return p.or(err)
}

// or gives up what was built of a path when something went wrong.
func (p *path) or(err error) (*path, error) {
	if err != nil {
		p.end()
		return nil, fmt.Errorf("path %s: %w", p.name, err)
	}
	return p, nil
}

// end ends the processes of a path; the cable goes with them. The client is the
// first: nobody is to wait for a tree whose daemon is gone.
func (p *path) end() {
	for _, q := range []*process{p.client, p.daemon, p.peer} {
		if q != nil {
			q.end()
		}
	}
}

// confine puts all processes of a path on the first core that we may use, until
// free is called.
func (p *path) confine() (free func(), err error) {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, err
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	return func() { p.allow(&all) }, p.allow(&one)
}

func (p *path) allow(cores *unix.CPUSet) error {
	for _, q := range []*process{p.client, p.daemon, p.peer} {
		if q == nil {
			continue
		}
		if err := q.allow(cores); err != nil {
			return err
		}
	}
	return nil
}

// A space is a network namespace. It lives as long as its processes.
type space struct{ fd int }

// newSpace makes one with loopback up.
func newSpace() (*space, error) {
	s := &space{}
	err := elsewhere(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("a network namespace: %w", err)
		}
		s.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, s.ip("link set lo up")
}

// elsewhere calls do on a thread that ends with it, as its namespace is not that
// of the others.
func elsewhere(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- do()
	}()
	return <-done
}

// String is a path to the namespace, for ip.
func (s *space) String() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.fd) }

// start starts a command in the namespace. No signal tells a child that the
// thread of its start has ended, as that one does at once.
func (s *space) start(cmd *exec.Cmd) error {
	return elsewhere(func() error {
		if err := unix.Setns(s.fd, unix.CLONE_NEWNET); err != nil {
			return err
		}
		return cmd.Start()
	})
}

// ip runs the command of that name with words.
func (s *space) ip(words string) error {
	cmd := exec.Command("ip", strings.Fields(words)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := s.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", words, err, strings.TrimSpace(out.String()))
	}
	return nil
}

// A process is a station or a daemon.
type process struct {
	cmd   *exec.Cmd
	input io.Closer // of a station: its end is the station's
	in    *json.Encoder
	out   *json.Decoder
	pipe  *os.File
	gone  chan struct{}
}

// begin starts cmd with the end of a pipe, which attach puts in its place; ours is
// read.
func (s *space) begin(cmd *exec.Cmd, attach func(w *os.File)) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	attach(w)
	p := &process{cmd: cmd, pipe: r, gone: make(chan struct{})}
	cmd.Stderr = os.Stderr
	if err := s.start(cmd); err != nil {
		r.Close()
		return nil, err
	}
	go func() {
		cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

// station starts this binary in that role and waits until it is ready.
func (s *space) station(kind string, args ...string) (*process, error) {
	cmd := exec.Command("/proc/self/exe", append([]string{atStation, "-kind", kind}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p, err := s.begin(cmd, func(w *os.File) { cmd.Stdout = w })
	if err != nil {
		return nil, err
	}
	p.input, p.in, p.out = in, json.NewEncoder(in), json.NewDecoder(p.pipe)
	if _, err := p.answer(); err != nil {
		p.end()
		return nil, fmt.Errorf("starting a station of kind %s: %w", kind, err)
	}
	return p, nil
}

// daemon starts slashnet with its defaults and waits until its tree answers.
func (s *space) daemon(binary, root string) (*process, error) {
	cmd := exec.Command(binary, "up", "--addr", ourAddr+"/24", "--host-addr", peerAddr+"/24",
		"--log-level", "warn", "--ready-fd", "3", root)
	p, err := s.begin(cmd, func(w *os.File) { cmd.ExtraFiles = []*os.File{w} })
	if err != nil {
		return nil, err
	}
	p.pipe.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(p.pipe, make([]byte, len("ready\n"))); err != nil {
		p.end()
		return nil, fmt.Errorf("slashnet up did not say ready: %w", err)
	}
	return p, nil
}

// do gives a station a job and waits for the outcome.
func (p *process) do(j job) (outcome, error) {
	if err := p.in.Encode(j); err != nil {
		return outcome{}, err
	}
	return p.answer()
}

func (p *process) answer() (o outcome, err error) {
	// The station has its own patience and gives up first, if it can.
	p.pipe.SetReadDeadline(time.Now().Add(patience + 5*time.Second))
	if err := p.out.Decode(&o); err != nil {
		return o, fmt.Errorf("no answer: %w", err)
	}
	if o.Err != "" {
		err = errors.New(o.Err)
	}
	return o, err
}

// courtesy is how long a process may take to end by itself: a daemon closes its
// connections for 2 s, and a profile wants to be written.
const courtesy = 5 * time.Second

func (p *process) end() {
	if p.input != nil {
		p.input.Close()
	} else {
		p.cmd.Process.Signal(unix.SIGTERM)
	}
	select {
	case <-p.gone:
	case <-time.After(courtesy):
		p.cmd.Process.Kill()
		<-p.gone
	}
	p.pipe.Close()
}

// cpu is the CPU time that a process has used, to the nanosecond.
func (p *process) cpu() time.Duration {
	// The clock of a process: its number inverted, and CPUCLOCK_SCHED
	// (clock_getcpuclockid(3)).
	clock := int32(^p.cmd.Process.Pid<<3 | 2)
	var t unix.Timespec
	if unix.ClockGettime(clock, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// allow sets on which cores the threads of a process may run. Those that come
// later do as the thread that starts them.
func (p *process) allow(cores *unix.CPUSet) error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.cmd.Process.Pid))
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(filepath.Base(t))
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, cores); err != nil && err != unix.ESRCH {
			return fmt.Errorf("the cores of thread %d: %w", id, err)
		}
	}
	return nil
}

// resident is the memory of a process, in bytes.
func (p *process) resident() (n float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "\nVmRSS:")
	var kib float64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		return 0, err
	}
	return kib * 1024, nil
}
