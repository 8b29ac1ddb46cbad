// The orders that entries stand in: lists whose links lie in the entries, and a
// heap by deadline. Neither allocates once an entry exists.

package arp

import "container/heap"

// The lists an entry can be in, one of each kind at a time.
const (
	byUse = iota
	byAsk
	byWait
	lists
)

type link[P any] struct {
	prev, next *entry[P]
	in         bool
}

// A list is doubly linked through the entries' links of its kind.
type list[P any] struct {
	kind       int
	head, tail *entry[P]
}

// pushBack appends an entry that is in no list of this kind.
func (l *list[P]) pushBack(e *entry[P]) {
	e.links[l.kind] = link[P]{prev: l.tail, in: true}
	if l.tail == nil {
		l.head = e
	} else {
		l.tail.links[l.kind].next = e
	}
	l.tail = e
}

// remove takes an entry out, if it is in.
func (l *list[P]) remove(e *entry[P]) {
	k := e.links[l.kind]
	if !k.in {
		return
	}
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
	e.links[l.kind] = link[P]{}
}

// A clock is a heap of entries, the earliest deadline first.
type clock[P any] []*entry[P]

// fix puts an entry where its deadline belongs.
func (c *clock[P]) fix(e *entry[P]) {
	if e.place == 0 {
		heap.Push(c, e)
	} else {
		heap.Fix(c, e.place-1)
	}
}

// remove takes an entry out, if it is in.
func (c *clock[P]) remove(e *entry[P]) {
	if e.place != 0 {
		heap.Remove(c, e.place-1)
	}
}

// Len, Less, Swap, Push and Pop are heap.Interface.

func (c clock[P]) Len() int           { return len(c) }
func (c clock[P]) Less(i, j int) bool { return c[i].deadline < c[j].deadline }

func (c clock[P]) Swap(i, j int) {
	c[i], c[j] = c[j], c[i]
	c[i].place, c[j].place = i+1, j+1
}

func (c *clock[P]) Push(x any) {
	e := x.(*entry[P])
	*c = append(*c, e)
	e.place = len(*c)
}

func (c *clock[P]) Pop() any {
	old := *c
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*c = old[:len(old)-1]
	e.place = 0
	return e
}
