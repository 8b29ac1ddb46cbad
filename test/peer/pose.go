package main

// The other end of states: services that bring a connection of theirs into a state and
// stay, on the kernel's TCP or on files of a tree, and calls.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// halves is a connection of which one half can be shut.
type halves interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// stay is how long a service keeps a connection for no reason: longer than a test
// looks at it.
const stay = time.Minute

// poses are the services that bring a connection of theirs into a state and stay.
var poses = map[int]func(c halves) error{
	// Reads, and keeps the connection at the end.
	portHold: func(c halves) error {
		_, err := io.Copy(io.Discard, c)
		if err == nil {
			time.Sleep(stay) // staying is the service
		}
		return err
	},
	// Shuts its half after a line, and goes on reading.
	portHalf: func(c halves) error {
		if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
			return err
		}
		if err := c.CloseWrite(); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, c)
		if err == nil {
			time.Sleep(stay)
		}
		return err
	},
	// Ends at the end.
	portLast: func(c halves) error {
		_, err := io.Copy(io.Discard, c)
		return err
	},
}

// callers HOST-OR-DIRECTORY makes the calls that states answers in SYN-SENT: to a
// host, or through the dial directory of a tree.
func callers(args []string) error {
	var all sync.WaitGroup
	for i := range stimuli {
		all.Go(func() {
			c, err := open(fmt.Sprintf("%s:%d", args[0], portCalled+i))
			if err != nil {
				return // many are reset
			}
			defer c.Close()
			io.Copy(io.Discard, c)
			time.Sleep(stay) // staying is the service
		})
	}
	all.Wait()
	return nil
}

// pose DIRECTORY takes calls through a tcp directory of a tree, and pose IP on the
// kernel's TCP. It prints "posing" when all listen.
func pose(args []string) error {
	for port, strike := range poses {
		accept, err := listener(args[0], port)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := accept()
				if err != nil {
					fatal(err)
				}
				go func() {
					defer c.Close()
					strike(c) // its end may be of any kind
				}()
			}
		}()
	}
	fmt.Println("posing")
	select {}
}

// listener announces a port and returns what waits for the next call.
func listener(where string, port int) (accept func() (halves, error), err error) {
	if !strings.HasPrefix(where, "/") {
		l, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", where, port))
		if err != nil {
			return nil, err
		}
		return func() (halves, error) {
			c, err := l.Accept()
			if err != nil {
				return nil, err
			}
			return c.(*net.TCPConn), nil
		}, nil
	}
	l, err := converse(where, "clone")
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(l.ctl, "announce %d", port); err != nil {
		return nil, err
	}
	return func() (halves, error) {
		c, err := converse(where, l.number+"/listen")
		if err != nil {
			return nil, err
		}
		c.data, err = os.OpenFile(filepath.Join(where, c.number, "data"), os.O_RDWR, 0)
		return c, err
	}, nil
}

// A conversation is a directory of a tree.
type conversation struct {
	number    string
	ctl, data *os.File
}

// converse opens what yields the ctl file of a new conversation: clone or listen.
func converse(dir, file string) (*conversation, error) {
	ctl, err := os.OpenFile(filepath.Join(dir, file), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	number := make([]byte, 20)
	n, err := ctl.Read(number)
	if err != nil {
		return nil, err
	}
	return &conversation{number: strings.TrimSpace(string(number[:n])), ctl: ctl}, nil
}

func (c *conversation) Read(b []byte) (int, error)  { return c.data.Read(b) }
func (c *conversation) Write(b []byte) (int, error) { return c.data.Write(b) }

func (c *conversation) CloseWrite() error {
	_, err := c.ctl.WriteString("shutdown wr")
	return err
}

func (c *conversation) Close() error { return errors.Join(c.data.Close(), c.ctl.Close()) }
