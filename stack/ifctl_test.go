package stack

// What happens to connections when their interface changes under them.

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// An interface that takes less than it did: what is under way goes again, in
// smaller pieces.
func TestMTUIsLowered(t *testing.T) {
	for _, mtu := range []int{600, 576, 100} {
		for _, size := range []int{1400, 50_000} { // one segment; more than a frame holds
			synctest.Test(t, func(t *testing.T) { lowerMTU(t, mtu, size) })
		}
	}
}

func lowerMTU(t *testing.T, mtu, size int) {
	a, b := pair(t)
	l := clone(t, b, wire.TCP)
	command(t, l, "announce 80")
	c := clone(t, a, wire.TCP)
	command(t, c, "connect 10.0.0.2:80")
	s := listen(t, l)
	synctest.Wait()
	must(t, a.Iface(1).Ctl(fmt.Sprintf("mtu %d", mtu)))
	began := time.Now()
	sent := bytes.Repeat([]byte("slash"), size/5)
	write(t, c, sent)
	var got []byte
	for len(got) < len(sent) {
		op := do(t, b, &Op{Kind: OpRead, Conv: s, Max: 1 << 16, Deadline: b.clock() + 10*time.Second})
		if op.Err != nil {
			t.Fatalf("mtu %d: %d of %d bytes came: %v; %s", mtu, len(got), size, op.Err, c.WhyText())
		}
		got = append(got, bytesOf(op)...)
	}
	if took := time.Since(began); !bytes.Equal(got, sent) || took > 3*time.Second {
		t.Errorf("mtu %d: %d bytes read of %d, after %v", mtu, len(got), size, took)
	}
	a.lock()
	defer a.unlock()
	if mss := c.tcb.Stats().MSS; mss > mtu-wire.IPv4Len-wire.TCPLen {
		t.Errorf("mtu %d: the segments hold %d bytes", mtu, mss)
	}
}

// A writer that waits for room in the queue of an interface is told when there
// is no interface any more.
func TestUnbindWakesStarvedWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		c := clone(t, a, wire.TCP)
		command(t, c, "connect 10.0.0.2:80\nusertimeout 2000")
		listen(t, l)
		synctest.Wait()

		// The queue is full of others' frames, and somebody is at it.
		i := a.Iface(1)
		i.queue.mu.Lock()
		was := i.queue.bytes
		i.queue.bytes, i.queue.flushing = queueBytes, true
		i.queue.mu.Unlock()
		r := start(a, &Op{Kind: OpWrite, Conv: c, Data: make([]byte, 8<<20)})
		synctest.Wait()
		a.lock()
		starved := c.starved
		a.unlock()
		if !starved {
			t.Fatal("the connection does not wait for room: the test tests nothing")
		}
		i.queue.mu.Lock()
		i.queue.bytes, i.queue.flushing = was, false
		i.queue.mu.Unlock()

		began := time.Now()
		must(t, i.Ctl("unbind"))
		op := wait(t, r)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the writer was told after %v", took)
		}
		if op.Err == nil && (op.N == 0 || op.N == len(op.Data)) {
			t.Errorf("the write: %d bytes, no error", op.N)
		}
		if got := c.Info().State; got != "Closed" {
			t.Errorf("the connection is in %s", got)
		}
	})
}
