package main

// Races: numbers of bytes one way, whether they came as they were, and how long they
// took. A runner is a client, on a socket or on a file of the tree; what answers is
// source or sink, on the kernel's TCP or as a service on standard input and output.

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// service NAME is a service on standard input and output, for servers that run a
// command for each call.
func service(args []string) error {
	stdio := struct {
		io.Reader
		io.Writer
	}{os.Stdin, os.Stdout}
	switch args[0] {
	case "source":
		return give(stdio)
	case "sink":
		return sink(stdio)
	}
	return fmt.Errorf("service %s: source or sink is wanted", args[0])
}

// request is the number in the line that source and sink are asked with.
func request(in *bufio.Reader) (int64, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(line), 10, 64)
}

// give sends as many bytes as it is asked for.
func give(c io.ReadWriter) error {
	n, err := request(bufio.NewReader(c))
	if err != nil {
		return err
	}
	_, err = io.CopyN(c, &text{}, n)
	return err
}

// sink reads as many bytes as it is told, and answers with their hash.
func sink(c io.ReadWriter) error {
	in := bufio.NewReader(c)
	n, err := request(in)
	if err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.CopyN(h, in, n); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "%x\n", h.Sum(nil))
	return err
}

// race send|fetch N WHERE… runs N bytes of text to a sink, or from a source, at each
// WHERE, all at once. It prints the nanoseconds of the slowest, from the call to the
// last byte. WHERE is HOST:PORT, or the path of a file that dials there.
func race(args []string) error {
	if len(args) < 3 {
		return errors.New("race: send or fetch, a number of bytes and where are wanted")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	h := sha256.New()
	io.CopyN(h, &text{}, n)
	want := fmt.Sprintf("%x", h.Sum(nil))
	runners := args[2:]
	if err := manyFiles(len(runners)); err != nil {
		return err
	}
	begin := time.Now()
	failures := make([]error, len(runners))
	var all sync.WaitGroup
	for i, where := range runners {
		all.Go(func() {
			if got, err := run(args[0], where, n); err != nil {
				failures[i] = fmt.Errorf("runner %d: %w", i, err)
			} else if got != want {
				failures[i] = fmt.Errorf("runner %d: hash %s, want %s", i, got, want)
			}
		})
	}
	all.Wait()
	fmt.Println(time.Since(begin).Nanoseconds())
	return errors.Join(failures...)
}

// run is one runner; it returns the hash of what came to the end.
func run(way, where string, n int64) (hash string, err error) {
	c, err := open(where)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%d\n", n); err != nil {
		return "", err
	}
	if way == "fetch" {
		h := sha256.New()
		_, err = io.CopyN(h, c, n)
		return fmt.Sprintf("%x", h.Sum(nil)), err
	}
	if _, err := io.CopyN(c, &text{}, n); err != nil {
		return "", err
	}
	hash, err = bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(hash), err
}

// open is a connection: of the tree if where is a path.
func open(where string) (io.ReadWriteCloser, error) {
	if strings.HasPrefix(where, "/") {
		return os.OpenFile(where, os.O_RDWR, 0)
	}
	c, err := net.Dial("tcp4", where)
	if err != nil {
		return nil, err
	}
	return c, cubic(c.(*net.TCPConn))
}

// cubic sets the congestion control, which is a machine's own choice otherwise.
func cubic(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err = raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
	})
	return errors.Join(err, refused)
}
