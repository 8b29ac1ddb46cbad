// Command play plays segment scripts (test/dialogue) against a mounted daemon: it
// is the peer at the other end of the TAP, by a packet socket on the kernel's
// side, and the user, through the files. The kernel's own TCP takes no part: its
// end of the TAP has no address, and ARP and neighbour solicitations are
// answered here. Package test starts it in a namespace.
//
//	play [--span TIME] [--wrong] DIRECTORY
//
// It prints, for each script and family, ok and its name, or FAIL,
// its name and, quoted, what was wrong. Scripts that take longer than the span are
// left out. $SLASHNET_ROOT is the tree.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
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

// tries is how often a script may be disturbed by a busy machine, and one more.
const tries = 3

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
	p := performance{line: line, tries: tries}
	if wrong {
		p.tries = 1
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		for _, knob := range append(slices.Clone(dialogue.Base), groups[key][0].Knobs...) {
			if err := write(filepath.Join(root(), "ctl"), knob); err != nil {
				return fmt.Errorf("knob %q: %w", knob, err)
			}
		}
		p.playAll(groups[key])
	}
	return nil
}

func root() string { return os.Getenv("SLASHNET_ROOT") }

// A performance is all that is played.
type performance struct {
	line  *cable
	tries int
	peers int // so far: each script has one of its own
}

// A role is a script for one family.
type role struct {
	script *dialogue.Script
	family int
	err    error
}

// playAll plays scripts at the same time. Those that fail are played again, one by
// one: a machine that is busy sleeps longer than it was told to, and what is wrong
// with the daemon stays wrong.
func (p *performance) playAll(group []*dialogue.Script) {
	var all sync.WaitGroup
	places := make(chan struct{}, together)
	var roles []*role
	for _, s := range group {
		for _, family := range []int{4, 6} {
			if s.Family != 0 && s.Family != family {
				continue
			}
			r := &role{script: s, family: family}
			roles = append(roles, r)
			p.peers++
			number := p.peers
			all.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				p.play(r, number)
			})
		}
	}
	all.Wait()
	for _, r := range roles {
		for n := 1; n < p.tries && r.err != nil; n++ {
			p.peers++
			p.play(r, p.peers)
		}
		if r.err != nil {
			fmt.Printf("FAIL %s/ipv%d %q\n", r.script.Name, r.family, r.err.Error())
		} else {
			fmt.Printf("ok %s/ipv%d\n", r.script.Name, r.family)
		}
	}
}

func (p *performance) play(r *role, number int) {
	e := newEnd(p.line, r.family, number)
	defer e.hangUp()
	r.err = errors.Join(r.script.Play(e), e.bad)
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
