package fs

import (
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/wire"
)

// Small requests pass large writes by, but not for ever, and no block is lost.
func TestBulkStandsAside(t *testing.T) {
	var b bulk
	blocks := 0
	add := func(unique uint64) {
		blocks++
		block := wire.NewBuf(make([]byte, bulkWrite), func(*wire.Buf) { blocks-- })
		*message[fuse.InHeader](block.B) = fuse.InHeader{Length: bulkWrite, Opcode: opWrite, Unique: unique}
		if !isBulk(block.B) || isBulk(block.B[:bulkWrite-1]) {
			t.Fatal("what is a large write?")
		}
		b.add(block, bulkWrite)
	}
	if b.passed() {
		t.Error("nobody was passed by")
	}
	for unique := range uint64(maxBulk) {
		if b.full() {
			t.Errorf("full with %d", unique)
		}
		add(unique)
	}
	if !b.full() {
		t.Error("not full")
	}
	for n := range maxPassing {
		if got := b.passed(); got != (n == maxPassing-1) {
			t.Errorf("after %d requests: %v", n+1, got)
		}
	}
	if w, ok := b.withdraw(3); !ok || message[fuse.InHeader](w.block.B).Unique != 3 {
		t.Error("the fourth is not there")
	} else {
		w.block.Release()
	}
	if _, ok := b.withdraw(3); ok {
		t.Error("the fourth is there twice")
	}
	for _, want := range []uint64{0, 1, 2, 4} {
		w := b.take()
		if got := message[fuse.InHeader](w.block.B).Unique; got != want {
			t.Errorf("%d comes where %d should", got, want)
		}
		w.block.Release()
	}
	if b.passed() {
		t.Error("the next one begins anew")
	}
	b.drop()
	if blocks != 0 || !b.empty() {
		t.Errorf("%d blocks are left", blocks)
	}
}
