// One incomplete datagram: its pieces in order, and its place in the lists of age.

package reasm

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// unknown is the length of a datagram whose last fragment has not come.
const unknown = -1

type datagram struct {
	key    Key
	source *source
	born   time.Duration
	pieces []piece // by offset, none overlaps another
	have   int     // bytes in pieces
	total  int     // length of the whole, or unknown
	first  []byte  // of fragment 0; nil: it has not come
	memory int     // charged
	fate   Verdict // not Stored: dropped for this reason, holds nothing
	links  [lists]link
}

// A piece is the payload of one fragment.
type piece struct {
	offset int
	data   []byte
}

func (p piece) end() int { return p.offset + len(p.data) }

// place finds the index at which a fragment belongs, or what is wrong with it
// beside the others.
func (d *datagram) place(offset int, more bool, payload []byte) (int, Verdict) {
	i, found := slices.BinarySearchFunc(d.pieces, offset, func(p piece, offset int) int {
		return cmp.Compare(p.offset, offset)
	})
	end := offset + len(payload)
	// RFC 8200 §4.5: an exact duplicate may be ignored, any other overlap is fatal.
	if found && bytes.Equal(d.pieces[i].data, payload) && more == (end != d.total) {
		return 0, Duplicate
	}
	if i > 0 && d.pieces[i-1].end() > offset || i < len(d.pieces) && d.pieces[i].offset < end {
		return 0, Overlap
	}
	past := len(d.pieces) > 0 && d.pieces[len(d.pieces)-1].end() > end
	if d.total != unknown && (!more || end > d.total) || !more && past {
		return 0, BadEnd
	}
	return i, Stored
}

// insert adds a fragment at the index that place found.
func (d *datagram) insert(i, offset int, more bool, payload, first []byte) {
	d.pieces = slices.Insert(d.pieces, i, piece{offset, slices.Clone(payload)})
	d.have += len(payload)
	if !more {
		d.total = offset + len(payload)
	}
	if offset == 0 {
		d.first = append(make([]byte, 0, len(first)), first...)
	}
}

// whole joins the pieces of a complete datagram.
func (d *datagram) whole() []byte {
	b := make([]byte, 0, d.total)
	for _, p := range d.pieces {
		b = append(b, p.data...)
	}
	return b
}

// The lists a datagram is in.
const (
	ofAll = iota
	ofSource
	lists
)

type link struct{ prev, next *datagram }

// A list is doubly linked through the datagrams' links of its kind, in order of
// birth.
type list struct {
	kind       int
	head, tail *datagram
}

func (l *list) pushBack(d *datagram) {
	d.links[l.kind] = link{prev: l.tail}
	if l.tail == nil {
		l.head = d
	} else {
		l.tail.links[l.kind].next = d
	}
	l.tail = d
}

func (l *list) remove(d *datagram) {
	k := d.links[l.kind]
	if k.prev == nil {
		l.head = k.next
	} else {
		k.prev.links[l.kind].next = k.next
	}
	if k.next == nil {
		l.tail = k.prev
	} else {
		k.next.links[l.kind].prev = k.prev
	}
}
