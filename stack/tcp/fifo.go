package tcp

import "slices"

// A fifo is a queue in a slice: pushed at the end, popped at the front, and
// addressed by index from the front. The send queue, the receive queue and the
// list of what is in flight are made of it.
type fifo[T any] struct {
	s    []T
	head int
}

// fifoKeep is the capacity that an empty fifo keeps, so that an exchange of
// small messages does not allocate and an idle connection holds little.
const fifoKeep = 8

func (f *fifo[T]) len() int    { return len(f.s) - f.head }
func (f *fifo[T]) at(i int) *T { return &f.s[f.head+i] }
func (f *fifo[T]) last() *T    { return &f.s[len(f.s)-1] }

// all is the queue as a slice, valid until the next change.
func (f *fifo[T]) all() []T { return f.s[f.head:] }

func (f *fifo[T]) push(v T) {
	f.slide()
	f.s = append(f.s, v)
}

// insert puts v before element i.
func (f *fifo[T]) insert(i int, v T) {
	f.slide()
	f.s = slices.Insert(f.s, f.head+i, v)
}

// remove takes elements i up to j out.
func (f *fifo[T]) remove(i, j int) { f.s = slices.Delete(f.s, f.head+i, f.head+j) }

// slide reuses the front of a full slice when half of it is free: each element
// is moved once on average.
func (f *fifo[T]) slide() {
	if f.s == nil {
		f.s = make([]T, 0, fifoKeep)
	}
	if len(f.s) == cap(f.s) && f.head > len(f.s)/2 {
		n := copy(f.s, f.s[f.head:])
		clear(f.s[n:])
		f.s, f.head = f.s[:n], 0
	}
}

func (f *fifo[T]) pop() T {
	var zero T
	v := f.s[f.head]
	f.s[f.head] = zero
	f.head++
	if f.head == len(f.s) {
		f.s, f.head = f.s[:0], 0
		if cap(f.s) > fifoKeep {
			f.s = nil
		}
	}
	return v
}
