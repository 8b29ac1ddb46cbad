package tcp

import (
	"sort"

	"slashnet/wire"
)

// The send queue holds what the user has written until the peer acknowledges
// it; so it is the retransmission queue too. Output takes slices of it, write.go
// adds to it, and an acknowledgement lets blocks go.

// A block is a run of bytes in the queue. Its spare capacity, if any, is ours
// to append to.
type block struct {
	seq   wire.Seq // of b[0]
	b     []byte
	buf   *wire.Buf
	waste int // bytes of buf, beyond b as it was handed over, that wait with it
}

type sendq struct {
	blocks     fifo[block]
	start, end wire.Seq // of the first byte kept and of the next one written
	waste      int      // of all blocks
	memory     int      // of all blocks, whole
}

// Copied writes share blocks: the first of them small, since most messages
// are, and larger ones when a queue builds up.
const (
	minBlock = 4 << 10
	maxBlock = 64 << 10
)

func (q *sendq) len() int { return int(q.end - q.start) }

// blockSize is how large a block should be that takes n bytes beside those that
// wait already.
func blockSize(n, waiting int) int {
	size := minBlock
	for size < maxBlock && size < n+waiting {
		size *= 2
	}
	return size
}

// fitted is a block size that spare bytes of memory have room for, 0 if no block
// of at least n bytes has.
func fitted(size, n, spare int) int {
	for size > spare && size/2 >= max(n, minBlock) {
		size /= 2
	}
	if size > spare {
		return 0
	}
	return size
}

// slack is what the last block still takes.
func (q *sendq) slack() int {
	if q.blocks.len() == 0 {
		return 0
	}
	last := q.blocks.last()
	return cap(last.b) - len(last.b)
}

// copy appends a copy of b, as much of it as there is memory for, and returns how
// much.
func (q *sendq) copy(b []byte, spare int, alloc func(int) *wire.Buf) int {
	all := len(b)
	for len(b) > 0 {
		if q.slack() == 0 {
			size := fitted(blockSize(len(b), q.len()), 0, spare)
			if size == 0 {
				break
			}
			buf := alloc(size)
			q.blocks.push(block{seq: q.end, b: buf.B[:0], buf: buf})
			q.memory += cap(buf.B)
			spare -= cap(buf.B)
		}
		last, n := q.blocks.last(), min(q.slack(), len(b))
		last.b = append(last.b, b[:n]...)
		q.end += wire.Seq(n)
		b = b[n:]
	}
	return all - len(b)
}

// hand appends b itself and holds the block it lies in.
func (q *sendq) hand(b []byte, buf *wire.Buf) {
	buf.Hold()
	waste := cap(buf.B) - len(b)
	q.blocks.push(block{seq: q.end, b: b[:len(b):len(b)], buf: buf, waste: waste})
	q.waste += waste
	q.memory += cap(buf.B)
	q.end += wire.Seq(len(b))
}

// release lets go of all before seq.
func (q *sendq) release(seq wire.Seq) {
	if !q.start.Less(seq) {
		return
	}
	if q.end.Less(seq) {
		seq = q.end // the rest is our FIN
	}
	q.start = seq
	for q.blocks.len() > 0 {
		b := q.blocks.at(0)
		n := int(seq - b.seq)
		if n < len(b.b) {
			b.b = b.b[n:]
			b.seq = seq
			return
		}
		q.waste -= b.waste
		q.memory -= cap(b.buf.B)
		b.buf.Release()
		q.blocks.pop()
	}
}

// slices fills seg with up to n bytes from seq on, and holds their blocks. It
// returns how many bytes MaxSlices slices could take.
func (q *sendq) slices(seq wire.Seq, n int, seg *Segment) int {
	blocks := q.blocks.all()
	i := sort.Search(len(blocks), func(i int) bool {
		return seq.Less(blocks[i].seq + wire.Seq(len(blocks[i].b)))
	})
	got := 0
	for ; got < n && seg.Slices < MaxSlices; i++ {
		b := &blocks[i]
		from := int(seq - b.seq)
		part := b.b[from:min(len(b.b), from+n-got)]
		b.buf.Hold()
		seg.Payload[seg.Slices], seg.Pins[seg.Slices] = part, b.buf
		seg.Slices++
		got += len(part)
		seq += wire.Seq(len(part))
	}
	return got
}

// shorten cuts the payload of seg to n bytes.
func (seg *Segment) shorten(n int) {
	for i := 0; i < seg.Slices; i++ {
		if n >= len(seg.Payload[i]) {
			n -= len(seg.Payload[i])
			continue
		}
		seg.Payload[i] = seg.Payload[i][:n]
		if n = 0; len(seg.Payload[i]) > 0 {
			continue
		}
		for j := i; j < seg.Slices; j++ {
			seg.Pins[j].Release()
			seg.Payload[j], seg.Pins[j] = nil, nil
		}
		seg.Slices = i
	}
}

func (q *sendq) free() {
	for q.blocks.len() > 0 {
		q.blocks.at(0).buf.Release()
		q.blocks.pop()
	}
	q.start, q.waste, q.memory = q.end, 0, 0
}
