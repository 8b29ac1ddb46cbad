package stack

// The blocks that TCP's queues copy bytes into. Those who write take them, and
// whoever lets go of the last byte, a reader or an acknowledgement, gives them
// back: without the stack's lock, perhaps.

import (
	"math/bits"

	"slashnet/nic"
	"slashnet/wire"
)

const (
	// smallBlock is what the queues ask for at least, largeBlock at most: powers of
	// two, so that a few pools serve all.
	smallBlock = 4 << 10
	largeBlock = 64 << 10
	// blocksKept is how many bytes of each size wait for their next use: the queues
	// of one fast connection.
	blocksKept = 4 << 20
)

const blockSizes = 5 // 4, 8, 16, 32 and 64 KiB

// A blockPool has a pool for each size.
type blockPool [blockSizes]*nic.Pool

func newBlockPool() *blockPool {
	p := &blockPool{}
	for i := range p {
		size := smallBlock << i
		p[i] = nic.NewPool(size, blocksKept/size)
	}
	return p
}

// get gives a block of at least n bytes, with one holder.
func (p *blockPool) get(n int) *wire.Buf {
	if n > largeBlock {
		return wire.NewBuf(make([]byte, n), nil)
	}
	// The number of doublings that make smallBlock reach n.
	return p[bits.Len(uint(max(n, 1)-1)/smallBlock)].Get()
}
