// Command bench measures slashnet beside the kernel's own TCP: in one run, in
// turns, on the same machine. scripts/bench builds and starts it.
//
// It is one binary in three roles. Started by hand it makes namespaces (network,
// mounts, processes) and starts itself in them; that second one is their first
// process, so that all it began ends with it, whatever happens. The second one
// starts stations, itself once more, a process on each end of each cable:
//
//	main.go      the roles, the flags
//	run.go       rounds and turns; measures.go says what is measured
//	figures.go   medians, ratios, the table, the bars
//	path.go      the cables to measure over: veth, a TAP, a TAP and a mount
//	station.go   one end of a cable: loads.go asks, services.go answers
//	network.go   dial and listen: the kernel's, and the same through files
//	inprocess.go the same of our stack, without files
//
// Left out on purpose: a statistic beyond median, minimum and maximum.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

type options struct {
	bin     string // directory of the binary slashnet; temporary files go there too
	rounds  int
	quick   bool
	only    string
	json    bool
	check   bool
	profile string
}

// inside and atStation are the first argument of the other two roles.
const (
	inside    = "inside"
	atStation = "station"
)

func main() {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	var err error
	switch role {
	case atStation:
		err = station(os.Args[2:])
	case inside:
		err = measureAll(os.Args[2:])
	default:
		err = enclose(os.Args[1:])
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		os.Exit(max(exit.ExitCode(), 1))
	case errors.Is(err, errMissed):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

func parse(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("scripts/bench", flag.ContinueOnError)
	flags.StringVar(&o.bin, "bin", "", "directory of the binary slashnet (set by scripts/bench)")
	flags.IntVar(&o.rounds, "rounds", 7, "turns of each measure")
	flags.BoolVar(&o.quick, "quick", false, "half the load and five rounds: under four minutes")
	flags.StringVar(&o.only, "only", "", "only the measures with this in their name, as files/dd or bulk-to-1")
	flags.BoolVar(&o.json, "json", false, "one line of JSON for each figure")
	flags.BoolVar(&o.check, "check", false, "exit 1 when a ratio misses half of its bar")
	flags.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of the process with our stack in it to `file`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(0)
		}
		os.Exit(2) // the package has said why
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if o.quick && !given["rounds"] {
		o.rounds = 5
	}
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("%q: only flags are understood; --help lists them", flags.Arg(0))
	case o.rounds < 1:
		return nil, fmt.Errorf("--rounds %d: at least one is wanted", o.rounds)
	case o.bin == "":
		return nil, errors.New("run scripts/bench: it builds what is measured")
	case len(selected(o.only)) == 0:
		return nil, fmt.Errorf("--only %s: no measure has that in its name; there are: %s", o.only, allNames())
	}
	return o, nil
}

// enclose starts this binary again in namespaces of its own, and ends it, and so
// all of them, with the first signal.
func enclose(args []string) error {
	if _, err := parse(args); err != nil {
		return err
	}
	// The child is killed when the thread that started it ends.
	runtime.LockOSThread()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	// The end of the script is ours too, if it could not say so.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0); err != nil {
		return err
	}
	child := exec.Command("/proc/self/exe", append([]string{inside}, args...)...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		Unshareflags: unix.CLONE_NEWNS, // and makes mounts private
		Pdeathsig:    unix.SIGKILL,
		Setpgid:      true, // the signals of the keyboard are ours
	}
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case err := <-ended:
		return err
	case s := <-signals:
		child.Process.Kill()
		<-ended
		os.Exit(128 + int(s.(syscall.Signal)))
		return nil
	}
}
