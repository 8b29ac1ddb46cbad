package main

// Many conversations of one process: it makes them, and blocks in all of them.

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
)

// catSize is how much cat asks for in a read.
const catSize = 128 << 10

// manyFiles lets the process have n files open, and a thread for each.
func manyFiles(n int) error {
	const ours = 1000 // that are not of the crowd
	limit := uint64(n + ours)
	debug.SetMaxThreads(n + ours)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return fmt.Errorf("open files: %d: %w", limit, err)
	}
	return nil
}

// again repeats a call that a signal has ended: Go's scheduler sends some.
func again(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); err != syscall.EINTR {
			return n, err
		}
	}
}

// hold TCP ADDR N: N conversations are connected to ADDR, through the directory
// TCP, and stay until the process ends.
func hold(args []string) error {
	dir, addr := args[0], args[1]
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if err := manyFiles(n); err != nil {
		return err
	}
	for i := range n {
		// Not through package os, which would poll for each of them.
		ctl, err := again(func() (int, error) { return syscall.Open(filepath.Join(dir, "clone"), syscall.O_RDWR, 0) })
		if err == nil {
			_, err = again(func() (int, error) { return syscall.Write(ctl, []byte("connect "+addr+"\n")) })
		}
		if err != nil {
			return fmt.Errorf("conversation %d of %d: %w", i+1, n, err)
		}
	}
	fmt.Println("held", n)
	select {}
}

// hoard FILE N opens FILE N times, and keeps what it got until the process ends.
func hoard(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := manyFiles(n); err != nil {
		return err
	}
	got := 0
	var last error
	for range n {
		if _, err := again(func() (int, error) { return syscall.Open(args[0], syscall.O_RDWR, 0) }); err != nil {
			last = err
			continue
		}
		got++
	}
	fmt.Println("hoarded", got, last)
	return syscall.Pause()
}

// readers TCP: reads as cat does, from every established conversation at once.
func readers(args []string) error {
	entries, err := os.ReadDir(filepath.Join(args[0], "by-state/Established"))
	if err != nil {
		return err
	}
	if err := manyFiles(len(entries)); err != nil {
		return err
	}
	// Go counts a blocked thread as running for a while; with more of those allowed,
	// the next need not wait for it.
	runtime.GOMAXPROCS(256)
	ended := make(chan error)
	b := make([]byte, catSize) // nothing is to come
	for _, e := range entries {
		data, err := again(func() (int, error) {
			return syscall.Open(filepath.Join(args[0], e.Name(), "data"), syscall.O_RDONLY, 0)
		})
		if err != nil {
			return err
		}
		go func() {
			n, err := again(func() (int, error) { return syscall.Read(data, b) })
			ended <- fmt.Errorf("read of %s ended: %d bytes, %v", e.Name(), n, err)
		}()
	}
	return <-ended
}
