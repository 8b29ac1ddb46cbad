package nic

// The blocks that frames lie in while they are between a NIC and a stack. TAP
// reads into them, inboxes and delay lines copy into them; whoever releases a
// block last brings it back.

import (
	"sync"

	"slashnet/wire"
)

const (
	// smallBlock holds a wire frame of an ordinary Ethernet.
	smallBlock = 2 << 10
	// largeBlock holds any frame, with a virtio-net header in front and room to
	// see that one was longer.
	largeBlock = vnetLen + MaxFrame + tagRoom + 1

	// What a pool keeps when nobody uses it: 2 MiB of small blocks and 4 MiB of
	// large ones, about the frames of one full inbox each.
	smallKept = 1024
	largeKept = 64
)

var (
	small = NewPool(smallBlock, smallKept)
	large = NewPool(largeBlock, largeKept)
)

// A Pool hands out blocks of one size, the one that came back last first: its
// memory is still in the cache, and cold memory costs more than the frame. It
// may be used from any goroutine.
type Pool struct {
	mu      sync.Mutex
	free    []*wire.Buf
	size    int
	recycle func(*wire.Buf)
}

// NewPool makes a pool that keeps up to kept blocks which nobody uses.
func NewPool(size, kept int) *Pool {
	p := &Pool{size: size, free: make([]*wire.Buf, 0, kept)}
	p.recycle = p.put
	return p
}

// Get returns a block that the caller holds; its last holder brings it back.
func (p *Pool) Get() *wire.Buf {
	p.mu.Lock()
	last := len(p.free) - 1
	if last < 0 {
		p.mu.Unlock()
		return wire.NewBuf(make([]byte, p.size), p.recycle)
	}
	b := p.free[last]
	p.free[last] = nil
	p.free = p.free[:last]
	p.mu.Unlock()
	b.Reuse()
	return b
}

func (p *Pool) put(b *wire.Buf) {
	p.mu.Lock()
	if len(p.free) < cap(p.free) {
		p.free = append(p.free, b)
	}
	p.mu.Unlock()
}

// A parcel is a copy of a frame in a block of its own, with its marks.
type parcel struct {
	buf  *wire.Buf
	n    int
	hops uint8
	wire.Offload
}

// pack copies a frame, which is no longer than MaxFrame.
func pack(f *Frame) parcel {
	n := f.Len()
	p := small
	if n > smallBlock {
		p = large
	}
	buf := p.Get()
	at := copy(buf.B, f.Head)
	for _, b := range f.Body {
		at += copy(buf.B[at:], b)
	}
	return parcel{buf: buf, n: n, hops: f.Hops, Offload: f.Offload}
}

// unpack makes f a flat frame of the parcel's bytes.
func (p *parcel) unpack(f *Frame) {
	*f = Frame{Head: p.buf.B[:p.n], Buf: p.buf, Hops: p.hops, Offload: p.Offload}
}

// reclaim takes back what was lent to a Receiver. Whoever keeps a frame without
// holding its block finds nonsense there in a build with the tag poison.
func reclaim(buf *wire.Buf) {
	if poison && !buf.Shared() {
		for i := range buf.B {
			buf.B[i] = poisonByte
		}
	}
}

// poisonByte makes a length, an address and a checksum that are all wrong.
const poisonByte = 0xdb
