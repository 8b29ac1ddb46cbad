package wire

import "sync/atomic"

// Buf is a block of memory and the count of those who hold it. A frame is read
// into one; whoever keeps a part of the frame holds the block, and the last to
// let go gives it back to where it came from. All methods accept a nil Buf,
// which stands for memory that the garbage collector looks after.
type Buf struct {
	B       []byte
	holders atomic.Int32
	recycle func(*Buf)
}

// NewBuf makes a block with one holder. recycle, which may be nil, is called by
// the Release of the last holder, on its goroutine.
func NewBuf(b []byte, recycle func(*Buf)) *Buf {
	buf := &Buf{B: b, recycle: recycle}
	buf.holders.Store(1)
	return buf
}

// Hold adds a holder.
func (b *Buf) Hold() {
	if b != nil {
		b.holders.Add(1)
	}
}

// Release takes one holder away.
func (b *Buf) Release() {
	if b == nil {
		return
	}
	switch n := b.holders.Add(-1); {
	case n == 0 && b.recycle != nil:
		b.recycle(b)
	case n < 0:
		panic("wire: block released more often than held")
	}
}

// Reuse makes the caller the one holder of a block that nobody holds: what a
// pool does before it hands a recycled block out again.
func (b *Buf) Reuse() { b.holders.Store(1) }

// Shared reports whether somebody besides the caller holds the block.
func (b *Buf) Shared() bool { return b != nil && b.holders.Load() > 1 }

// A Chunk is a run of bytes and the block that it lies in. Who owns a chunk
// owns one hold on its block.
type Chunk struct {
	B   []byte
	Buf *Buf
}
