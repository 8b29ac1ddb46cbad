// Command bridge is a bad cable between two kernels: what it reads from one of two
// TAPs it sends to the other, unless it loses, delays or damages it on the way. The
// tests start it through package netns and move b0 into a second namespace. One
// Lossy decides for both ways, in is what a0's kernel sends: as on an interface of
// slashnet with a TAP of that kernel, so the same seed is the same weather.
//
//	bridge SOCKET      makes a0 and b0, writes "ready" to descriptor 3
//
// A line to SOCKET is an impairment of both ways, in the words of the verb impair;
// the answer is "ok", or what is wrong. Left out on purpose: everything else.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"slashnet/nic"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: bridge SOCKET")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "bridge:", err)
		os.Exit(1)
	}
}

// across sends what one NIC received to another.
type across struct{ to nic.NIC }

func (a across) Receive(batch []*nic.Frame) {
	for _, f := range batch {
		a.to.Send(f) // the NIC counts what it cannot send
	}
}

func run(socket string) error {
	a, err := nic.OpenTAP(nic.Options{Name: "a0"})
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := nic.OpenTAP(nic.Options{Name: "b0"})
	if err != nil {
		return err
	}
	defer b.Close()
	lossy, err := nic.NewLossy(a, nic.Impair{}, nic.Impair{})
	if err != nil {
		return err
	}
	defer lossy.Close()
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer l.Close()
	ready := os.NewFile(3, "ready")
	if _, err := ready.WriteString("ready\n"); err != nil {
		return err
	}
	ready.Close()
	lossy.Start(across{b})
	b.Start(across{lossy})
	go serve(l, lossy)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
	return nil
}

// serve ends with the listener.
func serve(l net.Listener, lossy *nic.Lossy) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		for in := bufio.NewScanner(c); in.Scan(); {
			if err := impair(lossy, in.Text()); err != nil {
				fmt.Fprintln(c, err)
			} else {
				fmt.Fprintln(c, "ok")
			}
		}
		c.Close()
	}
}

func impair(lossy *nic.Lossy, line string) error {
	p, err := nic.ParseImpair(strings.Fields(line))
	if err != nil {
		return err
	}
	for _, d := range []nic.Direction{nic.In, nic.Out} {
		if err := lossy.Set(d, p); err != nil {
			return err
		}
	}
	return nil
}
