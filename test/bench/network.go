package main

// What a load runs over. A network gives connections of the Go kind; a
// descriptors gives them as a descriptor that blocks, for dd, cat and a client
// that knows no more than read and write. Stations choose one by its name.

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

type network interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	Listen(network, addr string) (net.Listener, error)
}

type descriptors interface {
	Open(addr string) (fd int, err error)
}

// kernel is the kernel's own TCP.
type kernel struct{}

func (kernel) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Control: cubic}
	return d.DialContext(ctx, network, addr)
}

func (kernel) Listen(network, addr string) (net.Listener, error) {
	l := net.ListenConfig{Control: cubic} // what is accepted inherits it
	return l.Listen(context.Background(), network, addr)
}

// cubic gives a socket the congestion control that our stack has. A namespace's
// sysctl would, if the kernel allowed that for a module of restricted use.
func cubic(_, _ string, c syscall.RawConn) (err error) {
	c.Control(func(fd uintptr) { err = setCubic(int(fd)) })
	return err
}

func setCubic(fd int) error {
	err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
	if err != nil {
		return fmt.Errorf("congestion control cubic: %w (modprobe tcp_cubic)", err)
	}
	return nil
}

func (kernel) Open(addr string) (int, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := setCubic(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	err = again(func() error {
		return unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	})
	if err == nil {
		// As Go, and our stack's dial files, do.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

// tree is the mounted tree at a directory.
type tree string

func (t tree) Open(addr string) (fd int, err error) {
	path := fmt.Sprintf("%s/tcp/dial/%s", t, addr)
	err = again(func() error {
		fd, err = unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// again repeats what a signal interrupted: Go's scheduler sends some.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// A stream reads and writes a blocking descriptor, with nothing in between.
type stream int

func (s stream) Read(b []byte) (n int, err error) {
	err = again(func() error {
		n, err = unix.Read(int(s), b)
		return err
	})
	return n, err
}

func (s stream) Write(b []byte) (n int, err error) {
	err = again(func() error {
		n, err = unix.Write(int(s), b)
		return err
	})
	return n, err
}

func (s stream) Close() error { return unix.Close(int(s)) }
