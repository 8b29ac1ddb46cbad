// Command lossyd is slashnet up on a bad cable: between the stack and its TAP,
// frames are lost, doubled, damaged, delayed and overtaken, in both directions.
// The tests start it through package netns. Left out on purpose: all other flags.
//
//	lossyd [flags] MOUNTPOINT      writes "ready" to descriptor 3
package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"slashnet/fs"
	"slashnet/nic"
	"slashnet/stack"
)

// parting is how long peers have to agree to the end at the end.
const parting = time.Second

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "lossyd:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := pflag.String("addr", "10.114.0.2/24", "address of the stack")
	host := pflag.String("host-addr", "10.114.0.1/24", "address of the kernel's end")
	var cable nic.Impair
	pflag.Float64Var(&cable.Loss, "loss", 0, "chance of a frame to be lost; the others likewise")
	pflag.Float64Var(&cable.Duplicate, "duplicate", 0, "… to come twice")
	pflag.Float64Var(&cable.Corrupt, "corrupt", 0, "… to have one bit turned round")
	pflag.Float64Var(&cable.Reorder, "reorder", 0, "… to overtake the others")
	pflag.DurationVar(&cable.Delay, "delay", 0, "of each direction")
	pflag.Uint64Var(&cable.Seed, "seed", 1, "of the dice")
	pflag.Parse()
	if pflag.NArg() != 1 {
		return errors.New("one MOUNTPOINT is wanted")
	}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	tap, err := nic.OpenTAP(nic.Options{Name: "slash0"})
	if err != nil {
		return err
	}
	lossy, err := nic.NewLossy(tap, cable, cable)
	if err != nil {
		return err
	}
	s := stack.New(stack.Config{Log: func(line string) { fmt.Fprintln(os.Stderr, line) }})
	ifc, err := s.AddInterface(lossy)
	if err != nil {
		return err
	}
	defer closeStack(s)
	if err := tap.ConfigureHost(netip.MustParsePrefix(*host)); err != nil {
		return err
	}
	if err := ifc.Ctl("add " + *addr); err != nil {
		return err
	}
	server, err := fs.Mount(pflag.Arg(0), stack.NewHost(s, nil), fs.Options{AllowOther: true})
	if err != nil {
		return err
	}
	ready := os.NewFile(3, "ready")
	if _, err := ready.WriteString("ready\n"); err != nil {
		return err
	}
	ready.Close()
	select {
	case <-ended.Done():
	case <-server.Done():
	}
	closeStack(s)
	for _, d := range []nic.Direction{nic.In, nic.Out} {
		fmt.Fprintf(os.Stderr, "lossyd: %v: %+v\n", d, lossy.Mischief(d))
	}
	return server.Close()
}

func closeStack(s *stack.Stack) {
	ctx, cancel := context.WithTimeout(context.Background(), parting)
	defer cancel()
	s.Close(ctx)
}
