package nic

import (
	"sync/atomic"
	"testing"

	"slashnet/wire"
)

type countReceiver struct{ frames atomic.Int64 }

func (c *countReceiver) Receive(batch []*Frame) { c.frames.Add(int64(len(batch))) }

// What was sent before Drained was asked for has been received when it answers.
func TestDrainedAnswersAfterAllThatHadArrived(t *testing.T) {
	a, b, err := NewPipe(Options{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	var got countReceiver
	b.Start(&got)
	sent := int64(0)
	for range 200 {
		for range 3 {
			head := make([]byte, 60)
			wire.Ethernet{Dst: b.MAC(), Src: a.MAC(), Type: wire.EtherIPv4}.Put(head)
			if err := a.Send(&Frame{Head: head}); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		done := make(chan struct{})
		b.(Drainer).Drained(func() { close(done) })
		<-done
		if n := got.frames.Load(); n != sent {
			t.Fatalf("%d of %d frames were received when the NIC said it was drained", n, sent)
		}
	}
}

// A NIC that nobody reads, or that is closed, is drained.
func TestDrainedAnswersWithoutAReader(t *testing.T) {
	a, b, err := NewPipe(Options{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	b.(Drainer).Drained(func() { close(done) })
	<-done
	a.Close()
	b.Close()
	again := make(chan struct{})
	b.(Drainer).Drained(func() { close(again) })
	<-again
}

// A NIC that is started again delivers to the new receiver, and no more to the
// old one.
func TestStartAgainMovesWhatIsRead(t *testing.T) {
	a, b, err := NewPipe(Options{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	lossy, err := NewLossy(b, Impair{}, Impair{})
	if err != nil {
		t.Fatal(err)
	}
	tee := NewTee(lossy, NewCaptures("tee"))
	var got [2]countReceiver
	for n := range got {
		tee.Start(&got[n])
		head := make([]byte, 60)
		wire.Ethernet{Dst: b.MAC(), Src: a.MAC(), Type: wire.EtherIPv4}.Put(head)
		if err := a.Send(&Frame{Head: head}); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		b.(Drainer).Drained(func() { close(done) })
		<-done
	}
	if got[0].frames.Load() != 1 || got[1].frames.Load() != 1 {
		t.Fatalf("the first receiver got %d frames, the second %d; want one each", got[0].frames.Load(), got[1].frames.Load())
	}
}
