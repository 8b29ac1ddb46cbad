package main

// Calls, from both ends: answer takes them through a file of the tree, call makes
// them from the kernel's side.

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// answer FILE opens FILE, of accept/, again and again, and gives each caller his
// line back. Signals interrupt it, and are ignored.
func answer(args []string) error {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	fmt.Println("answering")
	for {
		f, err := os.OpenFile(args[0], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		line, err := bufio.NewReader(f).ReadString('\n')
		if err == nil {
			_, err = f.WriteString(line)
		}
		f.Close()
		if err != nil && err != io.EOF {
			fmt.Fprintln(os.Stderr, "peer:", err) // the caller's trouble
		}
	}
}

// call ADDR N calls N times, some at once, and prints how many were answered and
// how many ended without.
func call(args []string) error {
	const (
		atOnce   = 16
		patience = 20 * time.Second
	)
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	calls := make(chan int)
	var all sync.WaitGroup
	var mu sync.Mutex
	answered, cut := 0, 0
	for range atOnce {
		all.Go(func() {
			for i := range calls {
				line := fmt.Sprintf("call %d\n", i)
				c, err := net.Dial("tcp", args[0])
				if err != nil {
					fatal(err)
				}
				c.SetDeadline(time.Now().Add(patience))
				io.WriteString(c, line)
				got, err := io.ReadAll(c)
				c.Close()
				if e, ok := err.(net.Error); ok && e.Timeout() {
					fatal(fmt.Errorf("call %d is lost: neither answered nor ended within %v", i, patience))
				}
				mu.Lock()
				if string(got) == line {
					answered++
				} else {
					cut++
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		calls <- i
	}
	close(calls)
	all.Wait()
	fmt.Printf("%d answered, %d ended\n", answered, cut)
	return nil
}
