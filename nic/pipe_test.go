package nic

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"slashnet/wire"
)

func newPipe(t testing.TB, a, b Options) (x, y *end) {
	t.Helper()
	p, q, err := NewPipe(a, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); q.Close() })
	return p.(*end), q.(*end)
}

func TestPipeCarriesFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe(t, Options{Name: "left"}, Options{})
		inA, inB := newMailbox(), newMailbox()
		a.Start(inA)
		b.Start(inB)
		var want [][]byte
		for i := range 100 {
			f := draft{gso: 1000, payload: make([]byte, 500*i)}.frame(i, 777)
			f.Hops = uint8(i)
			want = append(want, flatten(f))
			if err := a.Send(f); err != nil {
				t.Fatal(err)
			}
			clear(f.Head) // the bytes are the sender's again
			if i%10 == 0 {
				synctest.Wait() // there is not room for all of them
			}
		}
		if err := b.Send(&Frame{Head: plainFrame(a.MAC(), b.MAC(), 99, 1)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got := inB.all()
		if len(got) != len(want) {
			t.Fatalf("%d frames of %d", len(got), len(want))
		}
		for i, l := range got {
			if !bytes.Equal(l.bytes, want[i]) || l.GSO != wire.GSOTCPv4 || !l.NeedsCsum || l.GSOSize != 1000 || int(l.hops) != i {
				t.Errorf("frame %d: %d bytes, hops %d, %+v", i, len(l.bytes), l.hops, l.Offload)
			}
		}
		if back := inA.all(); len(back) != 1 || !bytes.Equal(back[0].bytes, plainFrame(a.MAC(), b.MAC(), 99, 1)) {
			t.Errorf("back came %d frames", len(back))
		}
		sa, sb := a.Stats(), b.Stats()
		if sa.FramesOut != 100 || sb.FramesIn != 100 || sa.BytesOut != sb.BytesIn || sb.FramesOut != 1 || sa.FramesIn != 1 || sa.Dropped()+sb.Dropped() != 0 {
			t.Errorf("counters: %+v, %+v", sa, sb)
		}
	})
}

// What the other end does not take in time is dropped and counted, and what was
// accepted arrives in order.
func TestPipeIsBounded(t *testing.T) {
	for name, size := range map[string]int{"by frames": 60, "by bytes": 60000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newPipe(t, Options{MTU: MaxMTU}, Options{})
				frame := plainFrame(b.MAC(), a.MAC(), size, 1)
				accepted := 0
				for {
					frame[14], frame[15] = byte(accepted>>8), byte(accepted)
					err := a.Send(&Frame{Head: frame})
					if errors.Is(err, syscall.ENOBUFS) {
						break
					}
					if err != nil || accepted > inboxFrames {
						t.Fatalf("after %d frames: %v", accepted, err)
					}
					accepted++
				}
				want := inboxFrames
				if size > smallBlock {
					want = inboxBytes / largeBlock
				}
				if accepted != want || a.Stats().Drops[DropFull] != 1 {
					t.Errorf("%d frames were accepted, want %d; drops %+v", accepted, want, a.Stats().Drops)
				}
				in := newMailbox()
				b.Start(in)
				synctest.Wait()
				for i, l := range in.all() {
					if int(l.bytes[14])<<8|int(l.bytes[15]) != i {
						t.Fatalf("frame %d is not the one sent then", i)
					}
					accepted--
				}
				if accepted != 0 {
					t.Errorf("%d frames are missing", accepted)
				}
				if err := a.Send(&Frame{Head: frame}); err != nil {
					t.Errorf("after it was drained: %v", err)
				}
			})
		})
	}
}

func TestPipeRefuses(t *testing.T) {
	a, _ := newPipe(t, Options{MTU: 1000}, Options{})
	plain, _ := newPipe(t, Options{Plain: true}, Options{})
	big := draft{gso: 1400, payload: make([]byte, 5000)}.frame(0, 5000)
	for _, c := range []struct {
		nic  NIC
		f    *Frame
		want syscall.Errno
		drop Drop
	}{
		{a, &Frame{Head: make([]byte, 14+1000+tagRoom+1)}, syscall.EMSGSIZE, DropTooBig},
		{a, big, syscall.EMSGSIZE, DropTooBig}, // its segments are
		{a, &Frame{Head: make([]byte, MaxFrame+1), Offload: wire.Offload{GSO: wire.GSOTCPv4, GSOSize: 1}}, syscall.EMSGSIZE, DropTooBig},
		{plain, big, syscall.EINVAL, DropMarks},
	} {
		before := c.nic.(Counted).Stats().Drops[c.drop]
		if err := c.nic.Send(c.f); !errors.Is(err, c.want) {
			t.Errorf("%d bytes, %+v: %v, want %v", c.f.Len(), c.f.Offload, err, c.want)
		}
		if got := c.nic.(Counted).Stats().Drops[c.drop]; got != before+1 {
			t.Errorf("%v drops: %d, want %d", c.drop, got, before+1)
		}
	}
	// Transmit makes such a frame acceptable.
	if err := Transmit(plain, big); err != nil {
		t.Error(err)
	}
	if n := plain.Stats().FramesOut; n != 4 {
		t.Errorf("5000 bytes in segments of 1400 left as %d frames", n)
	}
}

// Close waits for the receiver, and nothing arrives after it.
func TestPipeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe(t, Options{}, Options{})
		release := make(chan bool)
		received := 0
		b.Start(receiverFunc(func(batch []*Frame) {
			received += len(batch)
			<-release
		}))
		f := &Frame{Head: plainFrame(b.MAC(), a.MAC(), 100, 1)}
		for range 100 {
			go a.Send(f) // one of them delivers, and waits
		}
		synctest.Wait()
		var closed atomic.Int32
		var closers sync.WaitGroup
		for range 2 {
			closers.Go(func() { b.Close(); closed.Add(1) })
		}
		synctest.Wait()
		if closed.Load() > 0 {
			t.Error("Close returned while Receive was running")
		}
		close(release)
		closers.Wait()
		if before := received; before > batchMax {
			t.Errorf("%d frames were delivered after Close", before-batchMax)
		}
		if err := a.Send(f); !errors.Is(err, syscall.ENETDOWN) || a.Stats().Drops[DropDown] != 1 {
			t.Errorf("into a cable with nobody at its end: %v", err)
		}
		b.Start(newMailbox()) // too late, and harmless
	})
}

func TestPipeCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe(t, Options{}, Options{})
		defer a.Close()
		defer b.Close()
		const answers = 10_000
		var got [2]atomic.Int32
		for i, ends := range [][2]NIC{{a, b}, {b, a}} {
			answer := &Frame{Head: plainFrame(ends[1].MAC(), ends[0].MAC(), 100, 1)}
			ends[0].Start(receiverFunc(func(batch []*Frame) {
				for range batch {
					if got[i].Add(1) < answers {
						ends[0].Send(answer)
					}
				}
			}))
		}
		synctest.Wait() // their goroutines sleep
		a.Send(&Frame{Head: plainFrame(b.MAC(), a.MAC(), 100, 1)})
		if got[1].Load() == 0 {
			t.Error("Send did not deliver a small frame that was alone")
		}
		synctest.Wait()
		if n := got[1].Load(); n != answers {
			t.Errorf("%d frames came back, want %d: one was left lying", n, answers)
		}
	})
}

func TestPipeTakenBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe(t, Options{}, Options{})
		var taken []*wire.Buf
		var heads [][]byte
		b.Start(receiverFunc(func(batch []*Frame) {
			for _, f := range batch {
				f.Buf.Hold()
				taken, heads = append(taken, f.Buf), append(heads, f.Head)
			}
		}))
		for i := range uint64(300) {
			if err := a.Send(&Frame{Head: plainFrame(b.MAC(), a.MAC(), 1000, i)}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for i, head := range heads {
			if !bytes.Equal(head, plainFrame(b.MAC(), a.MAC(), 1000, uint64(i))) {
				t.Fatalf("frame %d was overwritten while it was held", i)
			}
			if taken[i].Shared() {
				t.Fatalf("frame %d is still held by the cable", i)
			}
			taken[i].Release()
		}
	})
}

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLoop(Options{Name: "lo0"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		in := newMailbox()
		l.Start(in)
		f := draft{gso: 1448, payload: make([]byte, 60000)}.frame(0, 4096)
		if err := l.Send(f); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := in.all(); len(got) != 1 || !bytes.Equal(got[0].bytes, flatten(f)) || got[0].Offload != f.Offload {
			t.Errorf("%d frames came back", len(got))
		}
	})
}

// A stack answers from inside Receive: that must neither recurse nor wait.
func TestLoopAnswersItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLoop(Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		depth, rounds := 0, 0
		l.Start(receiverFunc(func(batch []*Frame) {
			if depth++; depth > 1 {
				t.Error("Receive was called from within Receive")
			}
			for _, f := range batch {
				if rounds++; rounds < 1000 {
					l.Send(f)
				}
			}
			depth--
		}))
		l.Send(&Frame{Head: plainFrame(l.MAC(), l.MAC(), 100, 1)})
		synctest.Wait()
		if rounds != 1000 {
			t.Errorf("%d rounds, want 1000", rounds)
		}
	})
}

func TestPoolIsLIFOAndBounded(t *testing.T) {
	p := NewPool(100, 3)
	var out []*wire.Buf
	for range 5 {
		out = append(out, p.Get())
	}
	for _, b := range out {
		b.Release()
	}
	if len(p.free) != 3 {
		t.Errorf("the pool keeps %d blocks, want 3", len(p.free))
	}
	for i := 2; i >= 0; i-- {
		b := p.Get()
		if b != out[i] || b.Shared() {
			t.Errorf("not the block that came back last")
		}
		b.Hold() // and it can be held and released again
		b.Release()
	}
}

func TestPipeAllocs(t *testing.T) {
	for name, f := range map[string]*Frame{
		"wire frame": {Head: make([]byte, 64), Body: split(make([]byte, 1400), 700)},
		"GSO frame":  draft{gso: 1400, payload: make([]byte, 60000)}.frame(0, 16384),
	} {
		a, b := newPipe(t, Options{}, Options{})
		arrived := make(chan int, 1)
		b.Start(receiverFunc(func(batch []*Frame) { arrived <- len(batch) }))
		n := testing.AllocsPerRun(1000, func() {
			if err := a.Send(f); err != nil {
				t.Fatal(err)
			}
			<-arrived
		})
		if n != 0 {
			t.Errorf("%s: %v allocations on its way through a cable", name, n)
		}
	}
}

func BenchmarkPipe(b *testing.B) {
	for name, f := range map[string]*Frame{
		"1514": {Head: make([]byte, 54), Body: [][]byte{make([]byte, 1460)}},
		"64K":  draft{gso: 1448, payload: make([]byte, 64000)}.frame(0, 16384),
	} {
		b.Run(name, func(b *testing.B) {
			x, y := newPipe(b, Options{}, Options{})
			arrived := make(chan bool, 1)
			y.Start(receiverFunc(func(batch []*Frame) { arrived <- true }))
			b.SetBytes(int64(f.Len()))
			b.ReportAllocs()
			for b.Loop() {
				x.Send(f)
				<-arrived
			}
		})
	}
}
