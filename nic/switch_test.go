package nic

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

func stationMAC(i int) wire.MAC { return wire.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)} }

func TestTable(t *testing.T) {
	const age = 300 * time.Second
	tb := newTable(age, 3)
	a, b, c, d := stationMAC(1), stationMAC(2), stationMAC(3), stationMAC(4)
	expect := func(mac wire.MAC, now time.Duration, port int, ok bool) {
		t.Helper()
		if p, found := tb.find(mac, now); found != ok || ok && p != port {
			t.Errorf("%v at %v: port %d, %v; want %d, %v", mac, now, p, found, port, ok)
		}
	}
	expect(a, 0, 0, false)
	tb.learn(a, 7, 0)
	expect(a, 0, 7, true)
	expect(a, age-1, 7, true)
	expect(a, age, 0, false) // IEEE 802.1Q §8.8.3

	tb.learn(a, 7, 100*time.Second) // heard again: younger
	expect(a, 100*time.Second+age-1, 7, true)
	tb.learn(a, 8, 150*time.Second) // moved
	expect(a, 150*time.Second, 8, true)
	if tb.moves != 1 {
		t.Errorf("%d moves, want 1", tb.moves)
	}

	tb.learn(b, 1, 160*time.Second)
	tb.learn(c, 1, 170*time.Second)
	tb.learn(d, 2, 180*time.Second) // no place
	expect(d, 180*time.Second, 0, false)
	expect(a, 180*time.Second, 8, true)
	if tb.full != 1 || len(tb.stations) != 3 {
		t.Errorf("%d stations, %d refused; want 3 and 1", len(tb.stations), tb.full)
	}
	tb.learn(d, 2, 150*time.Second+age) // a is forgotten: there is one
	expect(d, 150*time.Second+age, 2, true)
	expect(a, 150*time.Second+age, 0, false)
	expect(b, 150*time.Second+age, 1, true)

	tb.forgetPort(1)
	expect(b, 150*time.Second+age, 0, false)
	expect(c, 150*time.Second+age, 0, false)
	expect(d, 150*time.Second+age, 2, true)
	tb.expire(time.Hour)
	if len(tb.stations) != 0 || tb.heard.next != &tb.heard || tb.heard.prev != &tb.heard {
		t.Errorf("%d stations are left, or the ring is torn", len(tb.stations))
	}
}

// A lab is a switch and some stacks on it.
type lab struct {
	sw    *Switch
	ports []*switchPort
	in    []mailbox
}

func newLab(t *testing.T, o SwitchOptions, n int) *lab {
	t.Helper()
	sw, err := NewSwitch(o)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{sw: sw}
	t.Cleanup(func() { sw.Close() })
	for i := range n {
		p, err := sw.Port(fmt.Sprint("port", i))
		if err != nil {
			t.Fatal(err)
		}
		in := newMailbox()
		p.Start(in)
		t.Cleanup(func() { p.Close() })
		l.ports, l.in = append(l.ports, p.(*switchPort)), append(l.in, in)
	}
	return l
}

// send sends from one port, and returns the ports where the frame came out.
func (l *lab) send(t *testing.T, from int, dst, src wire.MAC) (at string) {
	t.Helper()
	frame := plainFrame(dst, src, 100, uint64(from))
	if err := l.ports[from].Send(&Frame{Head: frame}); err != nil {
		return err.Error()
	}
	synctest.Wait()
	for i, in := range l.in {
		for _, got := range in.all() {
			if !bytes.Equal(got.bytes, frame) || got.hops != 1 {
				t.Errorf("port %d got another frame, or one with %d hops", i, got.hops)
			}
			at += fmt.Sprint(i)
		}
	}
	return at
}

func TestSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, SwitchOptions{}, 4)
		a, b, c := stationMAC(1), stationMAC(2), stationMAC(3)
		expect := func(from int, dst, src wire.MAC, want string) {
			t.Helper()
			if got := l.send(t, from, dst, src); got != want {
				t.Errorf("%v to %v from port %d: came out at %q, want %q", src, dst, from, got, want)
			}
		}
		expect(0, b, a, "123")              // unknown: flooded
		expect(1, a, b, "0")                // known
		expect(0, b, a, "1")                // learnt from the answer
		expect(0, wire.Broadcast, a, "123") // everybody
		expect(0, wire.MAC{0x01, 0, 0x5e, 0, 0, 1}, a, "123")
		expect(1, b, c, "")  // on the same side already
		expect(2, a, b, "0") // moved
		expect(0, b, a, "2")
		time.Sleep(stationAge - time.Second)
		expect(0, b, a, "2")
		time.Sleep(time.Second)
		expect(0, b, a, "123") // too old, and a still known
		expect(3, a, c, "0")

		if got := l.sw.Stations(); len(got) != 2 || got[0] != (Station{a, "port0", 0}) || got[1] != (Station{c, "port3", 0}) {
			t.Errorf("stations %v", got)
		}
		if s := l.sw.Stats(); s.Stations != 2 || s.Moves != 1 {
			t.Errorf("the table counts %+v", s)
		}
		p := l.sw.Ports()
		if len(p) != 4 || p[0].Name != "port0" || p[0].FramesOut != 7 || p[0].FramesIn != 3 || p[0].Dropped() != 0 {
			t.Errorf("ports %+v", p)
		}
	})
}

func TestSwitchFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, SwitchOptions{}, 2)
		for _, f := range [][]byte{
			plainFrame(stationMAC(2), wire.Broadcast, 100, 1),
			plainFrame(stationMAC(2), wire.MAC{}, 100, 1),
			plainFrame(wire.MAC{0x01, 0x80, 0xc2, 0, 0, 0}, stationMAC(1), 100, 1),
			plainFrame(wire.MAC{0x01, 0x80, 0xc2, 0, 0, 0xf}, stationMAC(1), 100, 1),
			make([]byte, 13), nil,
		} {
			if err := l.ports[0].Send(&Frame{Head: f}); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("% .12x: %v", f, err)
			}
		}
		looped := &Frame{Head: plainFrame(stationMAC(2), stationMAC(1), 100, 1), Hops: hopsMax}
		if err := l.ports[0].Send(looped); err == nil || looped.Hops != hopsMax {
			t.Errorf("after %d switches: %v", hopsMax, err)
		}
		synctest.Wait()
		if n := len(l.in[1].all()); n != 0 {
			t.Errorf("%d frames came through", n)
		}
		s := l.ports[0].Stats()
		if s.Drops[DropFiltered] != 6 || s.Drops[DropLoop] != 1 || s.FramesOut != 0 {
			t.Errorf("counters %+v", s)
		}
		if got := l.send(t, 0, wire.MAC{0x01, 0x80, 0xc2, 0, 0, 0x10}, stationMAC(1)); got != "1" {
			t.Errorf("the address after the reserved ones came out at %q", got)
		}
	})
}

// Two switches and three cables between them: a broadcast storm that ends.
func TestSwitchLoopEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLab(t, SwitchOptions{}, 1), newLab(t, SwitchOptions{}, 1)
		for i := range 3 {
			x, y, err := NewPipe(Options{Name: fmt.Sprint("cable", i)}, Options{Name: fmt.Sprint("cable", i)})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(a.sw.Attach(x), b.sw.Attach(y)); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.ports[0].Send(&Frame{Head: plainFrame(wire.Broadcast, stationMAC(1), 100, 1)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // returns: the storm is over
		if n := len(b.in[0].all()); n < 3 {
			t.Errorf("the other side heard it %d times, want each cable's at least", n)
		}
		loops := uint64(0)
		for _, p := range append(a.sw.Ports(), b.sw.Ports()...) {
			loops += p.Drops[DropLoop]
		}
		if loops == 0 {
			t.Error("no frame was dropped as looping")
		}
	})
}

// Frames with marks are finished for a NIC without offload, and only for it.
func TestSwitchFinishesForPlainNICs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, SwitchOptions{}, 2)
		plain := newFake(t, Options{Name: "plain", Plain: true})
		if err := l.sw.Attach(plain); err != nil {
			t.Fatal(err)
		}
		d := draft{gso: 1448, payload: make([]byte, 20000)}
		if err := l.ports[0].Send(d.frame(0, 5000)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := l.in[1].all(); len(got) != 1 || got[0].GSO != wire.GSOTCPv4 {
			t.Errorf("the stack got %d frames", len(got))
		}
		var frames [][]byte
		for _, s := range plain.take() {
			frames = append(frames, s.bytes)
		}
		checkFinished(t, d, frames)
	})
}

func TestSwitchPortIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, SwitchOptions{}, 1)
		slow, err := l.sw.Port("slow")
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		for range inboxFrames + 10 {
			if err := l.ports[0].Send(&Frame{Head: plainFrame(wire.Broadcast, stationMAC(1), 60, 1)}); err != nil {
				t.Fatal(err) // the sender is not at fault
			}
		}
		if s := slow.(Counted).Stats(); s.Drops[DropFull] != 10 {
			t.Errorf("the slow port dropped %d, want 10", s.Drops[DropFull])
		}
	})
}

func TestSwitchPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, SwitchOptions{MTU: 9000}, 3)
		if l.ports[0].MTU() != 9000 {
			t.Errorf("MTU %d", l.ports[0].MTU())
		}
		if _, err := l.sw.Port("port1"); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("the same name twice: %v", err)
		}
		if err := l.sw.Remove("none"); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("remove of nothing: %v", err)
		}
		l.send(t, 1, wire.Broadcast, stationMAC(1))
		if err := l.ports[1].Close(); err != nil {
			t.Fatal(err)
		}
		// The station is forgotten with its port.
		if got := l.send(t, 0, stationMAC(1), stationMAC(2)); got != "2" {
			t.Errorf("after the port was closed: %q", got)
		}
		if got := l.send(t, 1, wire.Broadcast, stationMAC(1)); !strings.Contains(got, "not in the switch") {
			t.Errorf("from a closed port: %q", got)
		}
		if _, err := l.sw.Port("port1"); err != nil {
			t.Errorf("the name is not free again: %v", err)
		}
		fake := newFake(t, Options{Name: "up"})
		if err := l.sw.Attach(fake); err != nil {
			t.Fatal(err)
		}
		if err := l.sw.Remove("up"); err != nil {
			t.Error(err)
		}
		l.send(t, 0, wire.Broadcast, stationMAC(2))
		if n := len(fake.take()); n != 0 {
			t.Errorf("a removed NIC was sent %d frames", n)
		}
		if err := l.sw.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.sw.Port("late"); err == nil {
			t.Error("a port in a closed switch")
		}
	})
	for _, o := range []SwitchOptions{{MTU: 67}, {MTU: 70000}, {Age: time.Second}, {Age: -1}, {Stations: -1}, {Stations: 1<<20 + 1}} {
		if _, err := NewSwitch(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestSwitchAllocs(t *testing.T) {
	sw, err := NewSwitch(SwitchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer sw.Close()
	var ports [3]NIC
	arrived := make(chan int, 3)
	for i := range ports {
		if ports[i], err = sw.Port(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		defer ports[i].Close()
		ports[i].Start(receiverFunc(func(batch []*Frame) { arrived <- len(batch) }))
	}
	known := &Frame{Head: plainFrame(ports[1].MAC(), ports[0].MAC(), 1000, 1)}
	back := &Frame{Head: plainFrame(ports[0].MAC(), ports[1].MAC(), 1000, 1)}
	flood := &Frame{Head: plainFrame(wire.Broadcast, ports[0].MAC(), 1000, 1)}
	n := testing.AllocsPerRun(500, func() {
		ports[0].Send(flood)
		<-arrived
		<-arrived
		ports[1].Send(back)
		<-arrived
		ports[0].Send(known)
		<-arrived
	})
	if n != 0 {
		t.Errorf("%v allocations for three frames", n)
	}
}
