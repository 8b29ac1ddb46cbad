package fs

// Large writes stand aside. Each keeps the loop for as long as it takes to send a
// megabyte, so one who waits for a byte would wait for all those of his neighbours.
// loop.go leaves them here until no small request is there.

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/wire"
)

const (
	// bulkWrite is how long a write that stands aside is at least.
	bulkWrite = 64 << 10
	// maxBulk of them do; each holds a block.
	maxBulk = 8
	// maxPassing is how many small requests pass the first of them by.
	maxPassing = 32
)

// bulk are writes that stand aside, in the order in which they came. It is the
// loop's.
type bulk struct {
	writes  []bulkRequest
	passing int // requests that passed the first one by
}

type bulkRequest struct {
	block *wire.Buf
	n     int
}

func isBulk(req []byte) bool {
	h := message[fuse.InHeader](req)
	return len(req) >= bulkWrite && h != nil && h.Opcode == opWrite
}

func (b *bulk) empty() bool { return len(b.writes) == 0 }
func (b *bulk) full() bool  { return len(b.writes) == maxBulk }

// add takes over a block.
func (b *bulk) add(block *wire.Buf, n int) {
	b.writes = append(b.writes, bulkRequest{block, n})
}

// passed notes that a small request was served first. True: that is enough.
func (b *bulk) passed() bool {
	if b.empty() {
		return false
	}
	b.passing++
	return b.passing >= maxPassing
}

// take gives the first write, and its block.
func (b *bulk) take() bulkRequest {
	first := b.writes[0]
	b.writes = append(b.writes[:0], b.writes[1:]...)
	b.passing = 0
	return first
}

// withdraw takes out the write of that number.
func (b *bulk) withdraw(unique uint64) (w bulkRequest, ok bool) {
	for i, w := range b.writes {
		if message[fuse.InHeader](w.block.B).Unique == unique {
			b.writes = append(b.writes[:i], b.writes[i+1:]...)
			return w, true
		}
	}
	return w, false
}

// drop lets go of all, when nobody waits for an answer any more.
func (b *bulk) drop() {
	for !b.empty() {
		b.take().block.Release()
	}
}

// handleBulk serves the first write that stands aside.
func (s *Server) handleBulk(out []byte) { s.serveBulk(s.bulk.take(), out) }

func (s *Server) serveBulk(w bulkRequest, out []byte) {
	s.handle(w.block.B[:w.n], w.block, out)
	w.block.Release()
}
