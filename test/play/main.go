// Command play plays segment scripts (test/dialogue) against a mounted daemon: it
// is the peer at the other end of the TAP, by a packet socket on the kernel's
// side, and the user, through the files. The kernel's own TCP takes no part: its
// end of the TAP has no address, and ARP and neighbour solicitations are
// answered here. Package test starts it in a namespace.
//
//	play [--span TIME] [--wrong] DIRECTORY
//
// It prints "ready" and then, for each script and family, ok and its name, or FAIL,
// its name and, quoted, what was wrong. Scripts that take longer than the span are
// left out. $SLASHNET_ROOT is the tree.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"slashnet/test/dialogue"
)

// What the daemon is started with.
const (
	device = "slash0"
	addr4  = "10.114.0.2"
	addr6  = "fd00:114::2"
	mtu    = 1500
)

// together is how many scripts are played at a time: they mostly wait.
const together = 48

func main() {
	longest := flag.Duration("span", 5*time.Second, "leave out scripts that take longer")
	wrong := flag.Bool("wrong", false, "play those that have to fail instead")
	flag.Parse()
	if err := run(flag.Arg(0), *longest, *wrong); err != nil {
		fmt.Fprintln(os.Stderr, "play:", err)
		os.Exit(1)
	}
}

func run(dir string, longest time.Duration, wrong bool) error {
	scripts, err := dialogue.ReadDir(dir)
	if wrong {
		scripts, err = dialogue.WrongOnes()
	}
	if err != nil {
		return err
	}
	scripts = slices.DeleteFunc(scripts, func(s *dialogue.Script) bool { return s.Span() > longest })
	line, err := newCable()
	if err != nil {
		return err
	}
	// Knobs are the view's, so those that want the same ones are played together.
	groups := map[string][]*dialogue.Script{}
	for _, s := range scripts {
		key := strings.Join(s.Knobs, "\n")
		groups[key] = append(groups[key], s)
	}
	n := 0
	for _, group := range groups {
		for _, knob := range append(slices.Clone(dialogue.Base), group[0].Knobs...) {
			if err := write(filepath.Join(root(), "ctl"), knob); err != nil {
				return fmt.Errorf("knob %q: %w", knob, err)
			}
		}
		n += playAll(line, group, n)
	}
	return nil
}

func root() string { return os.Getenv("SLASHNET_ROOT") }

// playAll plays scripts at the same time, each with a peer of its own, and returns
// how many peers there were; before is how many there have been.
func playAll(line *cable, group []*dialogue.Script, before int) int {
	var all sync.WaitGroup
	var print sync.Mutex
	places := make(chan struct{}, together)
	n := 0
	for _, s := range group {
		for _, family := range []int{4, 6} {
			if s.Family != 0 && s.Family != family {
				continue
			}
			n++
			number := before + n
			all.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				e := newEnd(line, family, number)
				err := errors.Join(s.Play(e), e.bad)
				e.hangUp()
				print.Lock()
				defer print.Unlock()
				if err != nil {
					fmt.Printf("FAIL %s/ipv%d %q\n", s.Name, family, err.Error())
				} else {
					fmt.Printf("ok %s/ipv%d\n", s.Name, family)
				}
			})
		}
	}
	all.Wait()
	return n
}

// addresses are the daemon's and the nth peer's.
func addresses(family, n int) (ours, peer netip.Addr) {
	if family == 6 {
		a := netip.MustParseAddr("fd00:114::1:0").As16()
		a[14], a[15] = byte(n>>8), byte(n)
		return netip.MustParseAddr(addr6), netip.AddrFrom16(a)
	}
	return netip.MustParseAddr(addr4), netip.AddrFrom4([4]byte{10, 114, byte(1 + n/250), byte(1 + n%250)})
}
