package wire

import (
	"sync"
	"testing"
)

func TestBufRecyclesOnceAfterTheLastRelease(t *testing.T) {
	recycled := 0
	buf := NewBuf(make([]byte, 8), func(*Buf) { recycled++ })
	if buf.Shared() {
		t.Error("a new block is shared")
	}
	var holders sync.WaitGroup
	for range 100 {
		buf.Hold()
		holders.Go(buf.Release)
	}
	holders.Wait()
	if recycled != 0 || buf.Shared() {
		t.Fatalf("one holder left: recycled %d times, shared %v", recycled, buf.Shared())
	}
	buf.Hold()
	if !buf.Shared() {
		t.Error("two holders, and not shared")
	}
	buf.Release()
	buf.Release()
	if recycled != 1 {
		t.Fatalf("recycled %d times, want once", recycled)
	}

	buf.Reuse()
	buf.Release()
	if recycled != 2 {
		t.Errorf("recycled %d times in two lives", recycled)
	}
	defer func() {
		if recover() == nil {
			t.Error("a release too many passed")
		}
	}()
	buf.Release()
}

func TestNilBuf(t *testing.T) {
	var buf *Buf
	buf.Hold()
	buf.Release()
	if buf.Shared() {
		t.Error("nil is shared")
	}
}
