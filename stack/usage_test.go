package stack

// limit.memory is true: whatever a stack is made to hold, it is never more; what
// was acknowledged is never lost for it, and nothing is charged in the end.

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

// watchMemory has t fail as soon as s holds more than it may. most is the most that was
// seen.
func watchMemory(t *testing.T, s *Stack, convs ...*Conv) (most func() int) {
	seen := 0
	look := func() int {
		s.lock()
		defer s.unlock()
		held, limit := s.held(), s.knobs.maxMemory
		if held > limit {
			t.Errorf("%d bytes are held, the limit is %d", held, limit)
		}
		seen = max(seen, held)
		return seen
	}
	for _, c := range convs {
		c.Watch(&Watch{Notify: func() { look() }})
	}
	return look
}

// holdsNothing is how it has to end.
func holdsNothing(t *testing.T, s *Stack) {
	t.Helper()
	s.lock()
	defer s.unlock()
	if s.held() != 0 || s.usage.ops != 0 {
		t.Errorf("%d bytes are charged and %d operations, want none", s.held(), s.usage.ops)
	}
}

func TestMemoryOfReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		must(t, b.WriteCtl("limit.memory 1m"))
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		const conns, size = 20, 300_000
		var from, to []*Conv
		for range conns {
			c := clone(t, a, wire.TCP)
			command(t, c, "connect 10.0.0.2:80")
			from, to = append(from, c), append(to, listen(t, l))
		}
		most := watchMemory(t, b, to...)
		data := bytes.Repeat([]byte("all of it, in order "), size/20)
		var writes []running
		for _, c := range from {
			writes = append(writes, start(a, &Op{Kind: OpWrite, Conv: c, Data: data}))
		}
		sink := clone(t, b, wire.UDP)
		command(t, sink, "announce 9\nheaders")
		flood := clone(t, a, wire.UDP)
		command(t, flood, "connect 10.0.0.2:9")
		for i := range 1000 {
			size := 1000
			if i%10 == 0 {
				size = 9000 // in fragments
			}
			write(t, flood, make([]byte, size))
			synctest.Wait()
		}
		time.Sleep(10 * time.Second) // nobody reads
		synctest.Wait()
		if n := most(); n < 512<<10 {
			t.Errorf("%d bytes were held at most: the test does not fill it", n)
		}
		for i, c := range to {
			var got []byte
			for len(got) < len(data) {
				got = append(got, read(t, c)...)
				most()
			}
			if !bytes.Equal(got, data) {
				t.Errorf("connection %d has delivered something else", i)
			}
		}
		for _, w := range writes {
			if op := wait(t, w); op.Err != nil || op.N != len(data) {
				t.Errorf("a write: %d, %v", op.N, op.Err)
			}
		}
		for sink.Info().Unread > 0 {
			read(t, sink)
		}
		if n := counter(t, b.StatsText(wire.UDP), "QueueFull"); n == "0" {
			t.Error("no datagram was dropped")
		}
		time.Sleep(2 * time.Minute) // fragments of lost datagrams
		holdsNothing(t, b)
	})
}

func TestMemoryOfWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		must(t, a.WriteCtl("limit.memory 1m"))
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		const conns = 10
		var from, to []*Conv
		for range conns {
			c := clone(t, a, wire.TCP)
			command(t, c, "connect 10.0.0.2:80")
			peer := listen(t, l)
			command(t, peer, "rcvbuf 4k")
			from, to = append(from, c), append(to, peer)
		}
		most := watchMemory(t, a, from...)
		written := make([]int, conns)
		refused := 0
		for range 3 {
			for i, c := range from {
				op := do(t, a, &Op{Kind: OpWrite, Conv: c, Data: make([]byte, 100_000), NonBlock: true})
				written[i] += op.N
				switch {
				case errors.Is(op.Err, syscall.ENOBUFS):
					refused++
				case op.Err != nil && !errors.Is(op.Err, syscall.EAGAIN):
					t.Fatal(op.Err)
				}
				most()
			}
			synctest.Wait()
		}
		for i, n := range written {
			if n == 0 {
				t.Errorf("connection %d has got nothing of the memory", i)
			}
		}
		// Blocked ones hold their bytes, too.
		var parked []running
		for _, c := range from {
			parked = append(parked, start(a, &Op{Kind: OpWrite, Conv: c, Data: make([]byte, 200_000)}))
		}
		most()
		for _, r := range parked {
			a.Cancel(r.op, syscall.EINTR)
		}
		for i, r := range parked {
			op := wait(t, r)
			written[i] += op.N
			if errors.Is(op.Err, syscall.ENOBUFS) {
				refused++
			}
		}
		if refused == 0 {
			t.Error("nobody was refused")
		}
		for i, c := range to {
			command(t, from[i], "shutdown wr")
			got := 0
			for b := read(t, c); len(b) > 0; b = read(t, c) {
				got += len(b)
			}
			if got != written[i] {
				t.Errorf("connection %d: %d bytes arrived, %d were written", i, got, written[i])
			}
		}
		time.Sleep(time.Second) // the last acknowledgements
		holdsNothing(t, a)
	})
}

// stats says of each limit what is used of it.
func TestUsageIsTold(t *testing.T) {
	s := newHost(t, Config{})
	must(t, s.WriteCtl("limit.handles 2"))
	cloneAs(t, s, wire.TCP, bob, true)
	must(t, s.OpenHandle())
	must(t, s.OpenHandle())
	if err := s.OpenHandle(); !errors.Is(err, syscall.ENFILE) {
		t.Errorf("a third handle: %v", err)
	}
	for name, want := range map[string]string{"conversations": "1/200000", "detached": "1/50000", "operations": "0/100000", "handles": "2/2", "memory": fmt.Sprintf("0/%d", 256<<20)} {
		if got := counter(t, s.StackStatsText(), "limit."+name); got != want {
			t.Errorf("limit.%s: %s, want %s", name, got, want)
		}
	}
	if text := s.MetricsText(); !strings.Contains(text, `slashnet_limit{limit="handles"} 2`+"\n") || !strings.Contains(text, `slashnet_used{limit="handles"} 2`+"\n") {
		t.Error(text)
	}
	s.CloseHandle()
	must(t, s.OpenHandle())
}
