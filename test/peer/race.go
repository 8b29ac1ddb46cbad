package main

// A race: a number of bytes one way, and how long they took. The runner is a client
// on a socket or on a file of the tree, the stadium a server on the kernel's TCP.

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
	"time"

	"golang.org/x/sys/unix"
)

// sink is asked for a number of bytes in a line, reads that many, and answers with
// their hash.
func sink(c *net.TCPConn) error {
	in := bufio.NewReader(c)
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
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

// race send|fetch WHERE N: N bytes of text to a sink, or from a source, and prints
// the nanoseconds from the call to the last byte. WHERE is HOST:PORT, or the path of
// a file that dials there.
func race(args []string) error {
	way, where := args[0], args[1]
	n, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	want := sha256.New()
	io.CopyN(want, &text{}, n)
	begin := time.Now()
	c, err := open(where)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%d\n", n); err != nil {
		return err
	}
	got := ""
	switch way {
	case "send":
		if _, err := io.CopyN(c, &text{}, n); err != nil {
			return err
		}
		got, err = bufio.NewReader(c).ReadString('\n')
	case "fetch":
		h := sha256.New()
		_, err = io.CopyN(h, c, n)
		got = fmt.Sprintf("%x\n", h.Sum(nil))
	default:
		return fmt.Errorf("race %s: send or fetch is wanted", way)
	}
	took := time.Since(begin)
	if err != nil {
		return err
	}
	if got != fmt.Sprintf("%x\n", want.Sum(nil)) {
		return fmt.Errorf("not the bytes that were sent: hash %q", got)
	}
	fmt.Println(took.Nanoseconds())
	return nil
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
