package fs

// The memory that requests are read into. The loop takes a block, the kernel
// fills it, and a large WRITE hands it on to the stack's send queue.

import (
	"sync"

	"slashnet/wire"
)

const (
	// maxWrite is the most bytes of one WRITE and READ: the kernel's limit without
	// a change to fs.fuse.max_pages_limit. It doubles the speed of `dd bs=1M`
	// against 128 KiB.
	maxWrite = 1 << 20
	// blockLen leaves a page for the headers of a WRITE.
	blockLen = maxWrite + 4096
	// maxIdleBlocks are kept for reuse, the hot ones on top. In a busy daemon's
	// life about ten are ever in use at a time.
	maxIdleBlocks = 16
	// maxLentBlocks may be held by the stack at a time. Beyond that the bytes of a
	// WRITE are copied, as a block holds 1 MiB whatever lies in it.
	maxLentBlocks = 64
	// handOver is the size from which a WRITE's block is worth handing to the
	// stack; below, the copy is cheaper than a block that does not come back.
	handOver = 8 << 10
)

// blockPool gives the block that was used last: its pages are in the cache.
type blockPool struct {
	mu   sync.Mutex
	idle []*wire.Buf
	out  int // blocks in use
}

func (p *blockPool) get() *wire.Buf {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out++
	if n := len(p.idle); n > 0 {
		b := p.idle[n-1]
		p.idle = p.idle[:n-1]
		b.Reuse()
		return b
	}
	return wire.NewBuf(make([]byte, blockLen), p.put)
}

func (p *blockPool) put(b *wire.Buf) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out--
	if len(p.idle) < maxIdleBlocks {
		p.idle = append(p.idle, b)
	}
}

// scarce reports whether so many blocks are in use that one more should not be
// kept.
func (p *blockPool) scarce() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out > maxLentBlocks
}
