package sim

// A Host is a stack in the world. Its exported methods are the stack's; what is
// here adds it to the world and looks into it.

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"slashnet/nic"
	"slashnet/stack"
	"slashnet/wire"
)

// A Host is a whole stack with the world's clock.
type Host struct {
	*stack.Stack
	Name string

	world *World
	addrs map[netip.Addr]bool
	wakes time.Duration // when its machine runs again; see Suspend
	told  time.Duration // when it last heard what is no TCP, perhaps of a neighbour
	ticks int           // at this instant
	seen  int           // conversations up to this number were inspected in this round
}

// Host adds a host; ctl are lines for its ctl, as in "tcp.cc newreno".
func (w *World) Host(name string, ctl ...string) *Host {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], w.Seed)
	binary.BigEndian.PutUint64(seed[8:], uint64(len(w.hosts)+1))
	h := &Host{Name: name, world: w, addrs: map[netip.Addr]bool{}, seen: -1, told: -1}
	h.Stack = stack.New(stack.Config{Seed: seed, Now: w.Now})
	w.hosts = append(w.hosts, h)
	for _, line := range ctl {
		if err := h.WriteCtl(line); err != nil {
			w.fail("%s: %v", name, err)
		}
	}
	return h
}

// Close ends every stack: those who wait are answered, connections reset.
func (w *World) Close() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for _, h := range w.hosts {
		h.Stack.Close(now)
	}
	w.hosts = nil
}

// A Station is what a link may be plugged into: a Host with an address, or a
// Switch.
type Station interface {
	plug(p *port) error
}

type socket struct {
	host     *Host
	prefixes []netip.Prefix
}

// At is a new interface of h with addresses, for Link.
func (h *Host) At(cidrs ...string) Station {
	s := socket{host: h}
	for _, cidr := range cidrs {
		s.prefixes = append(s.prefixes, netip.MustParsePrefix(cidr))
	}
	return s
}

func (s socket) plug(p *port) error {
	p.host = s.host
	i, err := s.host.AddInterface(p)
	if err != nil {
		return err
	}
	for _, prefix := range s.prefixes {
		s.host.addrs[prefix.Addr()] = true
		if err := i.Ctl("add " + prefix.String()); err != nil {
			return err
		}
	}
	return nil
}

// Suspend stops the host's machine for d: frames that come are lost, no timer and
// no user runs, and when it wakes the clock has jumped.
func (h *Host) Suspend(d time.Duration) { h.wakes = max(h.wakes, h.world.now+d) }

func (h *Host) asleep() bool { return h.world.now < h.wakes }

// After calls do when d has passed and the host is awake.
func (h *Host) After(d time.Duration, do func()) {
	h.world.After(d, func() {
		if h.asleep() {
			h.After(h.wakes-h.world.now, do)
			return
		}
		do()
	})
}

// A Switch is a learning switch.
type Switch struct{ ports *nic.Switch }

// Switch adds a switch.
func (w *World) Switch() *Switch {
	s, err := nic.NewSwitch(nic.SwitchOptions{})
	if err != nil {
		w.fail("switch: %v", err)
	}
	return &Switch{s}
}

func (s *Switch) plug(p *port) error { return s.ports.Attach(p) }

// Route adds a line to the host's iproute, as in "add 10.1.0.0/16 10.0.0.1".
func (h *Host) Route(line string) {
	tag := "none"
	if err := h.WriteRoute(line, &tag); err != nil {
		h.world.fail("%s: %v", h.Name, err)
	}
}

// Stat is a number of the host's stats.
func (h *Host) Stat(name string) int { return number(h.StackStatsText(), name+": ") }

// TCPStat is a number of the stats of the host's TCP.
func (h *Host) TCPStat(name string) int { return number(h.StatsText(wire.TCP), name+": ") }

// number finds the number behind a name at the beginning of a line.
func number(text, name string) int {
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name); ok {
			n, err := strconv.Atoi(value)
			if err == nil {
				return n
			}
		}
	}
	panic("sim: no number named " + name)
}

// glance is how many conversations inspect looks at: a thousand take their turns.
const glance = 8

// inspect looks for what no stack may be like, at any time.
func (w *World) inspect() {
	for _, h := range w.hosts {
		at, armed := h.Deadline()
		some := h.Convs(wire.TCP, h.seen, glance)
		h.seen = -1
		if len(some) == glance {
			h.seen = some[glance-1].Num
		}
		for _, info := range some {
			r, ok := h.Record(wire.TCP, info.Num)
			if !ok || r.TCPRecord == nil {
				continue // listens, or in TIME-WAIT
			}
			if broken := odd(&r); broken != "" {
				w.fail("%s: tcp/%d: %s:\n%s", h.Name, info.Num, broken, h.left())
			}
			if t := r.Timer.Rexmit; t != nil && (!armed || at > w.now+time.Duration(*t)) {
				w.fail("%s: tcp/%d: its timer is due in %v, and the stack sleeps longer", h.Name, info.Num, time.Duration(*t))
			}
		}
	}
}

// odd says what is wrong with a connection, whatever has happened to it.
func odd(r *stack.Record) string {
	sent, timer := r.InFlight+r.Lost+r.SACKed, r.Timer.Rexmit != nil
	connected := r.State == "Established" || r.State == "Close_wait"
	switch {
	case r.Lost < 0 || r.SACKed < 0:
		return "less than nothing is lost, or has arrived"
	case r.Cwnd < r.MSS:
		return "less than a segment may be sent"
	// RFC 6298 §5.1: whatever is not acknowledged has a timer; so has a shut window
	// (RFC 9293 §3.8.6.1).
	case sent > 0 && !timer:
		return "data is under way and no timer set"
	case connected && r.QOut > 0 && r.SndWnd == 0 && !timer:
		return "the window is shut and nobody probes it"
	// §5.2: and it is off when all is acknowledged.
	case connected && r.QOut == 0 && sent == 0 && timer:
		return "a timer is set and nothing is outstanding"
	}
	return ""
}

// Empty reports what is left in the stacks once all conversations are over and
// the world is quiet: nothing may be.
func (w *World) Empty() error {
	for _, h := range w.hosts {
		for _, name := range []string{"conversations", "operations", "memory", "timers"} {
			if n := h.Stat(name); n != 0 {
				return fmt.Errorf("%s: %d %s are left:\n%s", h.Name, n, name, h.left())
			}
		}
	}
	if w.blocks != 0 {
		return fmt.Errorf("%d blocks of memory are held by nobody who lives", w.blocks)
	}
	return nil
}

// left lists the conversations of a host.
func (h *Host) left() string {
	var b strings.Builder
	for _, proto := range []wire.Proto{wire.TCP, wire.UDP, wire.ICMP} {
		for _, info := range h.Convs(proto, -1, 10) {
			fmt.Fprintf(&b, "%d: %v %v %s", info.Num, info.Local, info.Remote, info.State)
			if c := h.Conv(proto, info.Num); c != nil && info.State != "Listen" {
				fmt.Fprintf(&b, "\n%s%s", c.WhyText(), c.StatusText())
			}
			b.WriteByte('\n')
		}
	}
	return b.String() + h.ARPText()
}
