package stack

// The blocks that TCP's queues copy bytes into. Those who write take them, and
// whoever lets go of the last byte, a reader or an acknowledgement, gives them
// back: without the stack's lock, perhaps.

import (
	"math/bits"
	"sync"

	"slashnet/wire"
)

const (
	// smallBlock is what the queues ask for at least, largeBlock at most: powers of
	// two, so that a few lists serve all.
	smallBlock = 4 << 10
	largeBlock = 64 << 10
	// blocksKept is how many bytes of each size wait for their next use: the queues
	// of one fast connection.
	blocksKept = 4 << 20
)

const blockSizes = 5 // 4, 8, 16, 32 and 64 KiB

// A blockPool has a list for each size. The block that came back last goes out
// first: its memory is still in the cache.
type blockPool struct{ lists [blockSizes]blockList }

type blockList struct {
	mu      sync.Mutex
	free    []*wire.Buf
	size    int
	recycle func(*wire.Buf)
}

func newBlockPool() *blockPool {
	p := &blockPool{}
	for i := range p.lists {
		l := &p.lists[i]
		l.size = smallBlock << i
		l.recycle = l.put
	}
	return p
}

// get gives a block of at least n bytes, with one holder.
func (p *blockPool) get(n int) *wire.Buf {
	if n > largeBlock {
		return wire.NewBuf(make([]byte, n), nil)
	}
	// The number of doublings that make smallBlock reach n.
	return p.lists[bits.Len(uint(max(n, 1)-1)/smallBlock)].get()
}

func (l *blockList) get() *wire.Buf {
	l.mu.Lock()
	last := len(l.free) - 1
	if last < 0 {
		l.mu.Unlock()
		return wire.NewBuf(make([]byte, l.size), l.recycle)
	}
	b := l.free[last]
	l.free[last] = nil
	l.free = l.free[:last]
	l.mu.Unlock()
	b.Reuse()
	return b
}

func (l *blockList) put(b *wire.Buf) {
	l.mu.Lock()
	if len(l.free)*l.size < blocksKept {
		l.free = append(l.free, b)
	}
	l.mu.Unlock()
}
