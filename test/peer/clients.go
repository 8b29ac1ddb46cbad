package main

// The clients. Those that take a FILE are Go programs on files of the tree; get
// is a client on the kernel's TCP.

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

var clients = map[string]func(args []string) error{
	"advertise":    advertise, // IFACE PREFIX
	"get":          get,
	"garbage":      garbage,
	"text":         printText,
	"deadline":     deadline,
	"close":        closeElsewhere,
	"both-at-once": bothAtOnce,
	"answer":       answer,
	"call":         call,
	"hold":         hold,
	"hoard":        hoard,
	"race":         race,
	"readers":      readers,
	"service":      service,
	"states":       states,
	"callers":      callers,
	"pose":         pose,
	"turns":        turns,
	"views":        views,
	"write":        write,
	"vandal":       vandal,
}

func clientNames() []string { return slices.Sorted(maps.Keys(clients)) }

// views DIR N makes N directories, v0 and so on, and prints how long each took, in
// nanoseconds.
func views(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range n {
		begin := time.Now()
		if err := syscall.Mkdir(fmt.Sprintf("%s/v%d", args[0], i), 0o755); err != nil {
			return err
		}
		fmt.Println(time.Since(begin).Nanoseconds())
	}
	return nil
}

// turns N: N times 64 bytes and their echo; prints how long each took, in
// nanoseconds. Standard input leads to an echo server.
func turns(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	const fd = 0
	var b [64]byte
	for range n {
		begin := time.Now()
		if _, err := again(func() (int, error) { return syscall.Write(fd, b[:]) }); err != nil {
			return err
		}
		for got := 0; got < len(b); {
			n, err := again(func() (int, error) { return syscall.Read(fd, b[got:]) })
			if err != nil || n == 0 {
				return fmt.Errorf("%d bytes came back, and %v", got, err)
			}
			got += n
		}
		fmt.Println(time.Since(begin).Nanoseconds())
	}
	return nil
}

// get ADDR sends an HTTP request and prints the whole answer.
func get(args []string) error {
	c, err := net.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", args[0])
	_, err = io.Copy(os.Stdout, c)
	return err
}

// text N prints the first N bytes of what the source server sends.
func printText(args []string) error {
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	_, err = io.CopyN(os.Stdout, &text{}, n)
	return err
}

// deadline FILE: a read with a deadline ends at it, and the file still works: it
// must lead to an echo server.
func deadline(args []string) error {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	begin := time.Now()
	if err := f.SetReadDeadline(begin.Add(200 * time.Millisecond)); err != nil {
		return fmt.Errorf("SetReadDeadline: %w", err)
	}
	b := make([]byte, 100)
	n, err := f.Read(b)
	if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took < 190*time.Millisecond || took > 2*time.Second {
		return fmt.Errorf("a read without data: %d bytes, error %v after %v; want a deadline after 200 ms", n, err, took)
	}
	if err := f.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := f.WriteString("after the deadline"); err != nil {
		return err
	}
	n, err = f.Read(b)
	if err != nil || string(b[:n]) != "after the deadline" {
		return fmt.Errorf("echo: %q, %v", b[:n], err)
	}
	fmt.Println("ok")
	return nil
}

// close FILE: Close in another goroutine ends a read that waits.
func closeElsewhere(args []string) error {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	ended := make(chan error)
	go func() {
		_, err := f.Read(make([]byte, 1))
		ended <- err
	}()
	// The read should wait by now; if it does not yet, it must fail all the same.
	time.Sleep(50 * time.Millisecond)
	if err := f.Close(); err != nil {
		return err
	}
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("the read ended with %v, want %v", err, os.ErrClosed)
		}
	case <-time.After(5 * time.Second):
		return errors.New("the read still waits though its file was closed")
	}
	fmt.Println("ok")
	return nil
}

// both-at-once FILE N: N bytes go out and come back through one descriptor, read
// and written at once; it must lead to an echo server.
func bothAtOnce(args []string) error {
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	sent := make(chan error, 1)
	go func() {
		_, err := io.CopyN(struct{ io.Writer }{f}, &text{}, n)
		sent <- err
	}()
	want := &text{}
	got, expected := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); at < n; {
		k, err := f.Read(got[:min(n-at, int64(len(got)))])
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", at, err)
		}
		want.Read(expected[:k])
		if string(got[:k]) != string(expected[:k]) {
			return fmt.Errorf("other bytes than were sent, between %d and %d", at, at+int64(k))
		}
		at += int64(k)
	}
	if err := <-sent; err != nil {
		return err
	}
	fmt.Println("ok")
	return nil
}
