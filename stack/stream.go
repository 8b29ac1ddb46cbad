package stack

// Streams: files that only tell, as things happen. Events are lines, a Snoop is a
// capture. fs opens them and reads by OpStream.

import (
	"slices"

	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// A Stream is one open file's place in what is told.
type Stream interface {
	Ready() Ready
	Watch(*Watch)
	Unwatch(*Watch)
	Close()

	of() *Conv               // whose file it is; nil: no conversation's
	read(op *Op) (done bool) // gives what there is, or its end
	waiting() *opList        // those who found nothing, in a stream of no conversation
}

const (
	// maxSnoops is how many captures of a stack's interfaces, and the root's links,
	// are read at a time: each has a goroutine, and costs a copy of each frame.
	maxSnoops = 32
	// snoopBytes may be written ahead of the reader; more waits as frames.
	snoopBytes = 64 << 10
)

// A Snoop is the reader of a capture. The capture's own goroutine writes into it,
// and waits while it is full.
type Snoop struct {
	stack   *Stack
	capture *nic.Capture
	text    []byte        // written, and not yet read
	room    chan struct{} // holds one token when some was read
	gone    chan struct{} // closed by Close
	closed  bool
	over    bool // nothing more will be written
	parked  opList
	watches []*Watch
}

// Snoop begins to read what passes an interface, as pcapng.
func (i *Iface) Snoop() (*Snoop, error) {
	i.stack.lock()
	captures, bound := i.captures, i.nic != nil
	i.stack.unlock()
	if !bound {
		return nil, neterr.NotBound.With("%v: nothing passes it", i)
	}
	return i.stack.Snoop(captures)
}

// Snoop begins to read a capture by operations of this stack.
func (s *Stack) Snoop(of *nic.Captures) (*Snoop, error) {
	s.lock()
	defer s.unlock()
	switch {
	case s.closing:
		return nil, neterr.ShuttingDown
	case len(s.snoops) >= maxSnoops:
		return nil, neterr.NoConvs.With("%d captures are being read, the limit", maxSnoops)
	}
	r := &Snoop{stack: s, room: make(chan struct{}, 1), gone: make(chan struct{})}
	var err error
	if r.capture, err = of.Capture(&snoopWriter{r}); err != nil {
		return nil, err
	}
	s.snoops = append(s.snoops, r)
	return r, nil
}

// Close ends the capture.
func (r *Snoop) Close() {
	r.stack.lock()
	was := r.closed
	r.closed = true
	r.stack.snoops = slices.DeleteFunc(r.stack.snoops, func(other *Snoop) bool { return other == r })
	r.stack.unlock()
	if !was {
		close(r.gone)
		r.capture.Close() // at once: its writer waits for nobody any more
	}
}

// Ready says what poll would find.
func (r *Snoop) Ready() Ready {
	r.stack.lock()
	defer r.stack.unlock()
	switch {
	case len(r.text) > 0:
		return ReadyIn
	case r.over:
		return ReadyIn | ReadyHup
	}
	return 0
}

// Watch adds w, which is told when there may be something to read.
func (r *Snoop) Watch(w *Watch) {
	r.stack.lock()
	defer r.stack.unlock()
	r.watches = append(r.watches, w)
}

// Unwatch takes w away.
func (r *Snoop) Unwatch(w *Watch) {
	r.stack.lock()
	defer r.stack.unlock()
	r.watches = slices.DeleteFunc(r.watches, func(other *Watch) bool { return other == w })
}

func (r *Snoop) of() *Conv { return nil }

func (r *Snoop) waiting() *opList { return &r.parked }

func (r *Snoop) read(op *Op) (done bool) {
	if len(r.text) == 0 {
		return r.over
	}
	n := min(len(r.text), op.Max)
	op.Chunks, op.N = append(op.Chunks[:0], wire.Chunk{B: r.text[:n:n]}), n
	if r.text = r.text[n:]; len(r.text) == 0 {
		r.text = nil // the reader has the bytes
	}
	select {
	case r.room <- struct{}{}:
	default:
	}
	return true
}

// told lets those who wait find what is new.
func (r *Snoop) told() {
	r.stack.retry(&r.parked)
	r.stack.effects.notify = append(r.stack.effects.notify, r.watches...)
}

// retry tries the operations of a list.
func (s *Stack) retry(list *opList) {
	for op := list.head; op != nil; {
		next := op.next
		if s.try(op) {
			s.unpark(op)
		}
		op = next
	}
}

// A snoopWriter is the capture's side of a Snoop.
type snoopWriter struct{ to *Snoop }

// Write waits for room.
func (w *snoopWriter) Write(b []byte) (int, error) {
	r := w.to
	for {
		r.stack.lock()
		closed, room := r.closed, len(r.text) < snoopBytes
		if !closed && room {
			r.text = append(r.text, b...)
			r.told()
		}
		r.stack.unlock()
		switch {
		case closed:
			return 0, neterr.Hungup
		case room:
			return len(b), nil
		}
		select {
		case <-r.room:
		case <-r.gone:
		}
	}
}

// Close is the end of the file.
func (w *snoopWriter) Close() error {
	w.to.stack.lock()
	defer w.to.stack.unlock()
	w.to.over = true
	w.to.told()
	return nil
}
