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
