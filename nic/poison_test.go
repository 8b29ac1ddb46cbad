//go:build poison

package nic

import (
	"bytes"
	"testing"
	"testing/synctest"

	"slashnet/wire"
)

// A receiver that keeps bytes without holding the block finds nonsense, one
// that holds it finds its bytes.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe(t, Options{}, Options{})
		var kept [][]byte
		var block *wire.Buf
		b.Start(receiverFunc(func(batch []*Frame) {
			for _, f := range batch {
				if len(kept) == 1 {
					f.Buf.Hold()
				}
				kept = append(kept, f.Head)
				block = f.Buf
			}
		}))
		frame := plainFrame(b.MAC(), a.MAC(), 100, 1)
		a.Send(&Frame{Head: frame})
		synctest.Wait()
		if !bytes.Equal(kept[0], bytes.Repeat([]byte{poisonByte}, len(frame))) {
			t.Errorf("what nobody took is % x", kept[0][:20])
		}
		a.Send(&Frame{Head: frame})
		synctest.Wait()
		if !bytes.Equal(kept[1], frame) {
			t.Errorf("what was taken is % x", kept[1][:20])
		}
		block.Release()
	})
}

func TestPoisonTAP(t *testing.T) {
	namespace(t)
	tap := openTAP(t, Options{Name: "tap0"})
	configure(t, tap)
	kept := make(chan []byte, 100)
	tap.Start(receiverFunc(func(batch []*Frame) {
		for _, f := range batch {
			kept <- f.Head
		}
	}))
	frame := plainFrame(tap.MAC(), hostMAC(t, tap), 100, 1)
	if err := tap.Send(&Frame{Head: frame}); err != nil {
		t.Fatal(err)
	}
	<-kept // the kernel says something unasked: a router solicitation or the like
	if err := tap.Close(); err != nil {
		t.Fatal(err)
	}
	for len(kept) > 0 {
		if head := <-kept; !bytes.Equal(head, bytes.Repeat([]byte{poisonByte}, len(head))) {
			t.Errorf("what nobody took is % x", head)
		}
	}
}
