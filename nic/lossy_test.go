package nic

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// A badCable is a Lossy around a fakeNIC, with a receiver that notes when.
type badCable struct {
	*Lossy
	inner *fakeNIC
	mu    sync.Mutex
	up    []arrival
}

type arrival struct {
	letter
	at time.Time
}

func newBadCable(t *testing.T, in, out Impair) *badCable {
	t.Helper()
	b := &badCable{inner: newFake(t, Options{MTU: MaxMTU})}
	l, err := NewLossy(b.inner, in, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	b.Lossy = l
	l.Start(b)
	return b
}

func (b *badCable) Receive(batch []*Frame) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range batch {
		b.up = append(b.up, arrival{letter{flatten(f), f.Hops, f.Offload}, time.Now()})
	}
}

// numbered are n frames of 100 bytes with their number in the payload, sent in
// a direction.
func (b *badCable) numbered(t *testing.T, d Direction, n int) {
	t.Helper()
	for i := range n {
		frame := plainFrame(stationMAC(1), stationMAC(2), 86, 9)
		binary.BigEndian.PutUint32(frame[14:], uint32(i))
		f := &Frame{Head: frame}
		if d == Out {
			if err := b.Send(f); err != nil {
				t.Fatal(err)
			}
			continue
		}
		f.Buf = wire.NewBuf(frame, nil)
		b.inner.up.Receive([]*Frame{f})
	}
}

// numbers are those of the frames that came through.
func (b *badCable) numbers(d Direction) (n []int) {
	number := func(l letter) { n = append(n, int(binary.BigEndian.Uint32(l.bytes[14:]))) }
	if d == Out {
		for _, l := range b.inner.take() {
			number(l)
		}
		return n
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.up {
		number(a.letter)
	}
	b.up = nil
	return n
}

// elapse lets time pass, and all happen that is due.
func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func bothWays(t *testing.T, test func(t *testing.T, d Direction)) {
	for name, d := range map[string]Direction{"in": In, "out": Out} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, d) })
		})
	}
}

// oneWay impairs one direction only.
func oneWay(t *testing.T, d Direction, p Impair) *badCable {
	t.Helper()
	if d == In {
		return newBadCable(t, p, Impair{})
	}
	return newBadCable(t, Impair{}, p)
}

func TestLossyClearPassesMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBadCable(t, Impair{Seed: 3}, Impair{Seed: 4})
		f := draft{gso: 1448, payload: make([]byte, 60000)}.frame(0, 4096)
		if err := b.Send(f); err != nil {
			t.Fatal(err)
		}
		b.inner.up.Receive([]*Frame{f})
		// At once: nothing was handed to another goroutine.
		if got := b.inner.take(); len(got) != 1 || got[0].Offload != f.Offload {
			t.Errorf("%d frames went out", len(got))
		}
		if len(b.up) != 1 || b.up[0].Offload != f.Offload {
			t.Errorf("%d frames came in", len(b.up))
		}
		if s := b.Stats(); s.FramesIn != 1 || s.FramesOut != 1 || s.Dropped() != 0 {
			t.Errorf("counters %+v", s)
		}
	})
}

func TestLossyLoss(t *testing.T) {
	bothWays(t, func(t *testing.T, d Direction) {
		const n = 10_000
		b := oneWay(t, d, Impair{Loss: 0.1, Seed: 42})
		b.numbered(t, d, n)
		synctest.Wait()
		got := b.numbers(d)
		lost := n - len(got)
		if math.Abs(float64(lost)-n*0.1) > 150 { // five standard deviations
			t.Errorf("%d of %d were lost, want about %d", lost, n, n/10)
		}
		if s := b.Stats(); s.Drops[DropLost] != uint64(lost) {
			t.Errorf("%d are counted as lost, %d are missing", s.Drops[DropLost], lost)
		}
		for i := 1; i < len(got); i++ {
			if got[i] <= got[i-1] {
				t.Fatalf("frame %d came after frame %d", got[i], got[i-1])
			}
		}
		if b.NIC.(*fakeNIC) != b.inner {
			t.Error("the NIC inside is another")
		}
	})
}

// The same seed has the same effect, and one kind of mischief does not change
// another.
func TestLossySeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func(p Impair) []int {
			b := oneWay(t, Out, p)
			b.numbered(t, Out, 500)
			elapse(time.Minute)
			return b.numbers(Out)
		}
		first := run(Impair{Loss: 0.3, Seed: 1})
		if !slices.Equal(first, run(Impair{Loss: 0.3, Seed: 1})) {
			t.Error("the same seed lost other frames")
		}
		if slices.Equal(first, run(Impair{Loss: 0.3, Seed: 2})) {
			t.Error("another seed lost the same frames")
		}
		much := run(Impair{Loss: 0.3, Duplicate: 0.1, Delay: time.Second, Jitter: time.Second, Seed: 1})
		if !slices.Equal(first, slices.Compact(much)) {
			t.Error("delaying and doubling changed which frames are lost")
		}
	})
}

func TestLossyDuplicate(t *testing.T) {
	bothWays(t, func(t *testing.T, d Direction) {
		b := oneWay(t, d, Impair{Duplicate: 0.5, Seed: 42})
		b.numbered(t, d, 1000)
		synctest.Wait()
		times := map[int]int{}
		for _, n := range b.numbers(d) {
			times[n]++
		}
		twice := 0
		for n, count := range times {
			if count > 2 {
				t.Errorf("frame %d came %d times", n, count)
			}
			twice += count - 1
		}
		if len(times) != 1000 || twice < 400 || twice > 600 || b.Mischief(d).Duplicated != uint64(twice) {
			t.Errorf("%d frames, %d of them twice; counted %+v", len(times), twice, b.Mischief(d))
		}
	})
}

// Damage is to wire frames whose checksums are complete: so it can be seen.
func TestLossyCorrupt(t *testing.T) {
	bothWays(t, func(t *testing.T, d Direction) {
		b := oneWay(t, d, Impair{Corrupt: 1, Seed: 42})
		payload := make([]byte, 60000)
		fillRandom(payload, 1)
		f := draft{gso: 1448, payload: payload}.frame(1<<20, 1)
		want := finish(t, f)
		if d == Out {
			if err := b.Send(f); err != nil {
				t.Fatal(err)
			}
		} else {
			b.inner.up.Receive([]*Frame{f})
		}
		synctest.Wait()
		var got []letter
		for _, a := range b.up {
			got = append(got, a.letter)
		}
		got = append(got, b.inner.take()...)
		if len(got) != len(want) || b.Mischief(d).Corrupted != uint64(len(want)) {
			t.Fatalf("%d wire frames of %d, %+v", len(got), len(want), b.Mischief(d))
		}
		for i, l := range got {
			turned := 0
			for j := range l.bytes {
				turned += bits.OnesCount8(l.bytes[j] ^ want[i][j])
			}
			if turned != 1 || l.Offload != (wire.Offload{}) {
				t.Errorf("frame %d: %d bits turned, marks %+v", i, turned, l.Offload)
			}
		}
	})
}

func TestLossyDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneWay(t, In, Impair{Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond, Seed: 1})
		begin := time.Now()
		const n = 200
		for range n {
			b.numbered(t, In, 1)
			elapse(time.Millisecond)
		}
		elapse(time.Second)
		if len(b.up) != n {
			t.Fatalf("%d frames of %d", len(b.up), n)
		}
		least, most := time.Hour, time.Duration(0)
		for i, a := range b.up {
			late := a.at.Sub(begin) - time.Duration(i)*time.Millisecond
			least, most = min(least, late), max(most, late)
		}
		if least < 40*time.Millisecond || most > 60*time.Millisecond || most-least < 10*time.Millisecond {
			t.Errorf("delays from %v to %v, want 50ms and up to 10ms more or less", least, most)
		}
		b.numbers(In)
		b.numbered(t, In, n) // all at once: jitter keeps their order
		elapse(time.Second)
		for i, number := range b.numbers(In) {
			if number != i {
				t.Fatalf("frame %d came in place %d", number, i)
			}
		}
	})
}

func TestLossyReorder(t *testing.T) {
	bothWays(t, func(t *testing.T, d Direction) {
		b := oneWay(t, d, Impair{Delay: 10 * time.Millisecond, Reorder: 0.25, Seed: 7})
		b.numbered(t, d, 1000)
		synctest.Wait()
		early := b.numbers(d)
		if len(early) < 200 || len(early) > 300 || b.Mischief(d).Reordered != uint64(len(early)) {
			t.Errorf("%d frames came without delay; %+v", len(early), b.Mischief(d))
		}
		elapse(10 * time.Millisecond)
		late := b.numbers(d)
		if len(early)+len(late) != 1000 {
			t.Errorf("%d frames in all", len(early)+len(late))
		}
		for _, numbers := range [][]int{early, late} {
			for i := 1; i < len(numbers); i++ {
				if numbers[i] < numbers[i-1] {
					t.Fatal("frames of one delay changed places")
				}
			}
		}
	})
}

func TestLossyRateAndQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// 100 bytes at 80 kbit/s take 10 ms.
		b := oneWay(t, In, Impair{Rate: 80_000, Queue: 5, Delay: time.Second})
		begin := time.Now()
		b.numbered(t, In, 8)
		if s := b.Stats(); s.Drops[DropFull] != 3 {
			t.Errorf("%d were dropped of 8 for a queue of 5", s.Drops[DropFull])
		}
		elapse(30 * time.Millisecond) // three have left the queue, and are on their way
		b.numbered(t, In, 4)
		if s := b.Stats(); s.Drops[DropFull] != 4 {
			t.Errorf("%d were dropped, want one more", s.Drops[DropFull])
		}
		elapse(2 * time.Second)
		if len(b.up) != 8 {
			t.Fatalf("%d frames came", len(b.up))
		}
		for i, a := range b.up {
			if want := time.Second + time.Duration(i+1)*10*time.Millisecond; a.at.Sub(begin) != want {
				t.Errorf("frame %d came after %v, want %v", i, a.at.Sub(begin), want)
			}
		}
		b.numbers(In)
		begin = time.Now() // the link has been idle: it has no credit
		b.numbered(t, In, 2)
		elapse(2 * time.Second)
		if at := b.up[1].at.Sub(begin); at != time.Second+20*time.Millisecond {
			t.Errorf("after a pause, the second frame came after %v", at)
		}
	})
}

func TestLossyHeldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneWay(t, Out, Impair{Delay: time.Second})
		frame := &Frame{Head: make([]byte, 60000)}
		const n = heldMax/largeBlock + 10
		for range n {
			if err := b.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
		if s := b.Stats(); s.Drops[DropFull] != 10 {
			t.Errorf("%d were dropped, want 10", s.Drops[DropFull])
		}
		elapse(time.Second)
		if got := len(b.inner.take()); got != n-10 {
			t.Errorf("%d came through, want %d", got, n-10)
		}
		if s := b.Stats(); s.FramesOut != n-10 {
			t.Errorf("%d are counted", s.FramesOut)
		}
	})
}

// What was sent before a change arrives as it would have, and what is sent
// after it does not overtake.
func TestLossySet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneWay(t, Out, Impair{Delay: time.Second})
		b.numbered(t, Out, 1)
		if err := b.Set(Out, Impair{Loss: 2}); err == nil {
			t.Error("a loss of 200% was accepted")
		}
		if got := b.Impaired(Out); got.Delay != time.Second {
			t.Errorf("a refused change had an effect: %+v", got)
		}
		if err := b.Set(Out, Impair{}); err != nil {
			t.Fatal(err)
		}
		b.numbered(t, Out, 2)
		synctest.Wait()
		if n := len(b.inner.take()); n != 0 {
			t.Errorf("%d frames overtook", n)
		}
		elapse(time.Second)
		if got := b.numbers(Out); len(got) != 3 {
			t.Errorf("after a second: %v", got)
		}
		b.numbered(t, Out, 1)
		if got := b.numbers(Out); len(got) != 1 {
			t.Errorf("with nothing on its way: %v", got)
		}
	})
}

func TestLossyClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBadCable(t, Impair{Delay: time.Second}, Impair{Delay: time.Second})
		b.numbered(t, In, 10)
		b.numbered(t, Out, 10)
		elapse(time.Second / 2)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b.numbered(t, Out, 1)
		elapse(2 * time.Second)
		if len(b.up)+len(b.inner.take()) != 0 {
			t.Error("frames came after Close")
		}
		if s := b.Stats(); s.Drops[DropFull] != 1 {
			t.Errorf("drops %+v: want the one that came too late", s.Drops)
		}
	})
}

func TestImpairValidate(t *testing.T) {
	for _, p := range []Impair{
		{Loss: -0.1}, {Loss: 1.1}, {Duplicate: math.NaN()}, {Corrupt: 2}, {Reorder: -1},
		{Delay: -1}, {Delay: 2 * time.Minute}, {Jitter: 1}, {Delay: 5, Jitter: 6}, {Delay: 5, Jitter: -1},
		{Reorder: 0.1}, {Rate: -1}, {Rate: 999}, {Rate: 1000, Queue: -1}, {Rate: 1000, Queue: 1_000_000}, {Queue: 1},
	} {
		err := p.Validate()
		if err == nil {
			t.Errorf("%+v was accepted", p)
			continue
		}
		if _, err := NewLossy(newFake(t, Options{}), Impair{}, p); err == nil {
			t.Errorf("%+v was accepted for a link", p)
		}
	}
	good := Impair{
		Loss: 1, Duplicate: 1, Corrupt: 1, Reorder: 1, Delay: time.Minute, Jitter: time.Minute,
		Rate: 1000, Queue: queueMax, Seed: 1,
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

// A TCP frame whose marks are wrong is dropped, not sent half done.
func TestLossyRefusesBadMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBadCable(t, Impair{Loss: 0.1}, Impair{Loss: 0.1})
		f := draft{gso: 1000, payload: make([]byte, 5000)}.frame(0, 1000)
		f.GSOSize = 0
		if err := b.Send(f); err == nil {
			t.Error("it was sent")
		}
		b.inner.up.Receive([]*Frame{f})
		synctest.Wait()
		if s := b.Stats(); s.Drops[DropMarks] != 2 || len(b.up)+len(b.inner.take()) != 0 {
			t.Errorf("drops %+v", s.Drops)
		}
	})
}

// The blocks of delayed frames can be taken like any other.
func TestLossyTakenBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newFake(t, Options{})
		l, err := NewLossy(inner, Impair{Delay: time.Millisecond}, Impair{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var heads [][]byte
		var bufs []*wire.Buf
		l.Start(receiverFunc(func(batch []*Frame) {
			for _, f := range batch {
				f.Buf.Hold()
				heads, bufs = append(heads, f.Head), append(bufs, f.Buf)
			}
		}))
		for i := range uint64(50) {
			inner.up.Receive([]*Frame{{Head: plainFrame(stationMAC(1), stationMAC(2), 100, i)}})
		}
		elapse(time.Second)
		if len(heads) != 50 {
			t.Fatalf("%d frames", len(heads))
		}
		for i, head := range heads {
			if !bytes.Equal(head, plainFrame(stationMAC(1), stationMAC(2), 100, uint64(i))) || bufs[i].Shared() {
				t.Errorf("frame %d was not the taker's alone", i)
			}
			bufs[i].Release()
		}
	})
}
