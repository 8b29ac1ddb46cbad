package tcp

import (
	"sort"

	"slashnet/wire"
)

// The receive queue: ready bytes that the user may take, in order, and behind
// them late ones, which wait for a hole to be filled. text.go fills it, user.go
// empties it.
//
// A payload stays in the buffer that it came in, if it fills half of it or
// more; else it is copied into a block shared with its neighbours. So the memory
// held is below twice the bytes queued, whatever the size of the segments.

// A run is bytes in the queue and the memory held beyond them.
type run struct {
	b     []byte
	buf   *wire.Buf
	extra int
	pack  *pack // that buf is the block of; nil: buf came with the segment
}

// A pack is a block that small payloads are copied into.
type pack struct {
	buf  *wire.Buf
	used int // bytes
	runs int // that lie in it
}

// extends reports whether r continues a in a shared block: there capacities
// reach to the end of the block, elsewhere they are cut to the length.
func (r *run) extends(a *run) bool {
	return r.buf == a.buf && len(r.b) > 0 && cap(a.b)-len(a.b) == cap(r.b)
}

// A late run knows its place.
type late struct {
	seq wire.Seq
	run
}

func (l *late) end() wire.Seq { return l.seq + wire.Seq(len(l.b)) }

type recvq struct {
	ready  fifo[run]
	late   fifo[late] // by seq, without overlap, all beyond what is ready
	unread int        // bytes ready
	behind int        // bytes late
	held   int        // memory of what is ready
	extra  int        // memory of what is late, beyond its bytes
	memory int        // of all blocks, whole

	pack  *pack // that the next small payload is copied into
	empty *pack // one without a block, for the next
}

// maxLate bounds the runs behind holes, so that one-byte segments cannot make
// the list long; it is beyond what a window of 4 MiB of full segments needs.
const maxLate = 4096

// lateCost is what a late run is charged beside its bytes: its place in the list.
const lateCost = 64

// keep makes a run of b, which lies in buf: taken as it is or copied. False: that
// takes more than spare bytes of memory.
func (q *recvq) keep(b []byte, buf *wire.Buf, spare int, alloc func(int) *wire.Buf) (run, bool) {
	if buf != nil && 2*len(b) >= cap(buf.B) && cap(buf.B) <= spare {
		buf.Hold()
		q.memory += cap(buf.B)
		return run{b: b[:len(b):len(b)], buf: buf, extra: cap(buf.B) - len(b)}, true
	}
	if q.pack == nil || len(q.pack.buf.B)-q.pack.used < len(b) {
		size := fitted(blockSize(len(b), q.unread+q.behind), len(b), spare)
		if size == 0 {
			return run{}, false
		}
		q.unpack()
		q.pack, q.empty = q.empty, nil
		if q.pack == nil {
			q.pack = new(pack)
		}
		q.pack.buf = alloc(size)
		q.memory += cap(q.pack.buf.B)
	}
	p := q.pack
	at := p.used
	p.used += copy(p.buf.B[at:], b)
	p.runs++
	p.buf.Hold()
	return run{b: p.buf.B[at:p.used], buf: p.buf, pack: p}, true
}

// unpack lets go of the block that small payloads are copied into. It stays until
// the last run in it has gone.
func (q *recvq) unpack() {
	if p := q.pack; p != nil {
		q.pack = nil
		p.buf.Release()
		q.spent(p)
	}
}

// gone notes that a run is no longer queued.
func (q *recvq) gone(r *run) {
	if r.pack == nil {
		q.memory -= cap(r.buf.B)
		return
	}
	r.pack.runs--
	q.spent(r.pack)
}

// spent notes a block that nothing lies in any more.
func (q *recvq) spent(p *pack) {
	if p.runs == 0 && p != q.pack {
		q.memory -= cap(p.buf.B)
		*p = pack{}
		q.empty = p
	}
}

// append adds a run to what is ready.
func (q *recvq) append(r run) {
	q.unread += len(r.b)
	q.held += len(r.b) + r.extra
	if q.ready.len() > 0 {
		if last := q.ready.last(); r.extends(last) {
			last.b = last.b[:len(last.b)+len(r.b)]
			last.extra += r.extra
			q.gone(&r)
			r.buf.Release()
			return
		}
	}
	q.ready.push(r)
}

// stash keeps the bytes b, which begin at seq, behind a hole. Bytes that are
// there already stay as they are. It reports whether there was room for all;
// limit is what late runs may hold, spare how much memory may be added.
func (q *recvq) stash(seq wire.Seq, b []byte, buf *wire.Buf, limit, spare int, alloc func(int) *wire.Buf) bool {
	spare += q.memory
	for len(b) > 0 {
		n, i := len(b), q.find(seq)
		if i < q.late.len() {
			next := q.late.at(i)
			if !seq.Less(next.seq) {
				skip := min(n, int(next.end()-seq))
				b, seq = b[skip:], seq+wire.Seq(skip)
				continue
			}
			n = min(n, int(next.seq-seq))
		}
		if q.late.len() >= maxLate || q.behind+q.extra+n+lateCost > limit {
			return false
		}
		r, ok := q.keep(b[:n], buf, spare-q.memory, alloc)
		if !ok {
			return false
		}
		q.place(i, late{seq, r})
		b, seq = b[n:], seq+wire.Seq(n)
	}
	return true
}

// find is the index of the first late run that ends after seq.
func (q *recvq) find(seq wire.Seq) int {
	all := q.late.all()
	if n := len(all); n > 0 && !seq.Less(all[n-1].end()) {
		return n // the usual case: beyond all that came before
	}
	return sort.Search(len(all), func(i int) bool { return seq.Less(all[i].end()) })
}

func (q *recvq) place(i int, l late) {
	q.behind += len(l.b)
	q.extra += l.extra
	if i > 0 {
		if prev := q.late.at(i - 1); prev.end() == l.seq && l.extends(&prev.run) {
			prev.b = prev.b[:len(prev.b)+len(l.b)]
			prev.run.extra += l.run.extra
			q.gone(&l.run)
			l.buf.Release()
			return
		}
	}
	q.extra += lateCost
	q.late.insert(i, l)
}

// join moves the late runs that nxt has reached to what is ready, and returns
// the new nxt.
func (q *recvq) join(nxt wire.Seq) wire.Seq {
	for q.late.len() > 0 && !nxt.Less(q.late.at(0).seq) {
		l := q.late.pop()
		q.behind -= len(l.b)
		q.extra -= l.extra + lateCost
		if !nxt.Less(l.end()) {
			q.gone(&l.run)
			l.buf.Release()
			continue
		}
		skip := int(nxt - l.seq)
		l.b, l.seq = l.b[skip:], nxt
		l.run.extra += skip
		nxt = l.end()
		q.append(l.run)
	}
	return nxt
}

// span is the whole run of late sequence space that [left, right) is part of.
func (q *recvq) span(left, right wire.Seq) (wire.Seq, wire.Seq) {
	for i := q.find(left); i > 0 && q.late.at(i-1).end() == left; i-- {
		left = q.late.at(i - 1).seq
	}
	for i := q.find(right); i < q.late.len() && q.late.at(i).seq == right; i++ {
		right = q.late.at(i).end()
	}
	return left, right
}

// take moves up to max bytes out, with their holds.
func (q *recvq) take(max int, into []wire.Chunk) []wire.Chunk {
	for max > 0 && q.ready.len() > 0 {
		r := q.ready.at(0)
		n := min(max, len(r.b))
		into = append(into, wire.Chunk{B: r.b[:n:n], Buf: r.buf})
		q.unread -= n
		q.held -= n
		max -= n
		if n < len(r.b) {
			r.buf.Hold()
			r.b = r.b[n:]
			break
		}
		q.held -= r.extra
		q.gone(r)
		q.ready.pop()
	}
	q.settle()
	return into
}

// read copies bytes out; with keep they stay.
func (q *recvq) read(b []byte, keep bool) int {
	n := 0
	if keep {
		for _, r := range q.ready.all() {
			if n += copy(b[n:], r.b); n == len(b) {
				break
			}
		}
		return n
	}
	for n < len(b) && q.ready.len() > 0 {
		r := q.ready.at(0)
		m := copy(b[n:], r.b)
		n += m
		q.drop(m)
	}
	return n
}

// drop throws the first n bytes away.
func (q *recvq) drop(n int) {
	for n > 0 && q.ready.len() > 0 {
		r := q.ready.at(0)
		m := min(n, len(r.b))
		r.b = r.b[m:]
		q.unread -= m
		q.held -= m
		n -= m
		if len(r.b) == 0 {
			q.held -= r.extra
			q.gone(r)
			r.buf.Release()
			q.ready.pop()
		}
	}
	q.settle()
}

// settle lets the shared block go when nothing is queued.
func (q *recvq) settle() {
	if q.unread == 0 && q.behind == 0 {
		q.unpack()
	}
}

// forget drops what is late.
func (q *recvq) forget() {
	for q.late.len() > 0 {
		l := q.late.pop()
		q.gone(&l.run)
		l.buf.Release()
	}
	q.behind, q.extra = 0, 0
	q.settle()
}

func (q *recvq) free() {
	q.forget()
	q.drop(q.unread)
}
