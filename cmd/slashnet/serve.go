package main

// slashnet serve: a command for each call, as ucspi-tcp's tcpserver.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// defaultCalls is how many commands run at once: as many as a small machine
// bears. Further calls wait in the listener's queue.
const defaultCalls = 64

var serveFlags struct {
	calls   int
	verbose bool
}

var serve = command{
	name:    "serve",
	args:    "ADDR [-- COMMAND [ARG...]]",
	summary: "answer calls, with a command for each",
	help: `
Announces ADDR, PORT or :PORT or HOST:PORT, and runs COMMAND for each call, with
the call as its standard input and output and the ends of the call in its
environment: PROTO=TCP TCPREMOTEIP TCPREMOTEPORT TCPLOCALIP TCPLOCALPORT. When
COMMAND ends, the call does. Without COMMAND it takes one call and connects
standard input and output to it.

  slashnet serve :8080 -- sh -c 'read -r request; printf "HTTP/1.0 200 OK\r\n\r\nhello $TCPREMOTEIP\n"'
`,
	flags: func(flags *pflag.FlagSet) {
		flags.IntVarP(&serveFlags.calls, "calls", "c", defaultCalls, "run at most this many commands at once")
		flags.BoolVarP(&serveFlags.verbose, "verbose", "v", false, "print the address and each call on standard error")
	},
	run: func(_ *pflag.FlagSet, args []string) error {
		if len(args) == 0 {
			return usageError("an ADDR is wanted, such as :8080")
		}
		if serveFlags.calls < 1 {
			return usageError(fmt.Sprintf("--calls %d: at least 1", serveFlags.calls))
		}
		addr, command := args[0], args[1:]
		if len(command) > 0 && command[0] == "--" {
			command = command[1:]
		}
		l, err := clone("tcp")
		if err != nil {
			return err
		}
		defer l.ctl.Close()
		if err := l.send("announce " + addr); err != nil {
			return err
		}
		if serveFlags.verbose {
			local, _ := l.text("local")
			fmt.Fprintln(os.Stderr, "serving", local)
		}
		if len(command) == 0 {
			call, err := l.accept()
			if err != nil {
				return err
			}
			defer call.ctl.Close()
			return call.join(os.Stdin, os.Stdout)
		}
		return l.serve(command)
	},
}

// breath is how long serve waits before it tries again what there was no room for,
// unless a call ends before that.
const breath = time.Second

// serve runs a command for each call.
func (c *conversation) serve(command []string) error {
	free, ended := make(chan struct{}, serveFlags.calls), make(chan struct{}, 1)
	for {
		free <- struct{}{}
		call, err := c.accept()
		if err != nil && !transient(err) {
			return err
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "slashnet: serve: %v: trying again\n", err)
			<-free
			select {
			case <-ended:
			case <-time.After(breath):
			}
			continue
		}
		go func() {
			if err := call.handle(command); err != nil && serveFlags.verbose {
				fmt.Fprintf(os.Stderr, "call %s: %v\n", call.num, err)
			}
			call.ctl.Close()
			<-free
			select {
			case ended <- struct{}{}:
			default:
			}
		}()
	}
}

// transient reports whether what failed may succeed later: there was no room for
// it, of ours, the tree's or the machine's, or a signal came.
func transient(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// accept waits for the next call of a listener.
func (c *conversation) accept() (*conversation, error) {
	ctl, err := open(filepath.Join(c.dir, "listen"))
	if err != nil {
		return nil, err
	}
	return held(filepath.Dir(c.dir), ctl)
}

// handle runs a command with the conversation as its input and output.
func (c *conversation) handle(command []string) error {
	data, err := c.data()
	if err != nil {
		return err
	}
	defer data.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = data, data, os.Stderr
	cmd.Env = append(os.Environ(), "PROTO=TCP")
	for _, end := range []string{"local", "remote"} {
		text, err := c.text(end)
		if err != nil {
			return err
		}
		ip, port, _ := strings.Cut(text, "!")
		name := "TCP" + strings.ToUpper(end)
		cmd.Env = append(cmd.Env, name+"IP="+ip, name+"PORT="+port)
	}
	if serveFlags.verbose {
		remote, _ := c.text("remote")
		fmt.Fprintf(os.Stderr, "call %s from %s\n", c.num, remote)
	}
	return cmd.Run()
}
