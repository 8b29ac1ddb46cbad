package nic

// A Lossy makes a bad cable of a good one, in either direction: what `impair`
// on an interface does, and what tests of TCP run over. way.go has what becomes of
// a frame.

import "sync"

// A Direction of a NIC, seen from the stack.
type Direction int

// The directions.
const (
	In Direction = iota
	Out
)

// A Lossy wraps a NIC. It acts on wire frames: a frame with marks is cut and
// summed first, since damage to one whose checksum is still to be made would be
// covered up. A direction without impairment passes frames on as they are.
type Lossy struct {
	NIC
	counters
	ways     [2]way
	receiver sink
	// up is held while the receiver has frames: from the NIC inside or from the
	// delay line, whose frame is arrival.
	up      sync.Mutex
	arrival Frame
	batch   [1]*Frame
}

// NewLossy wraps n, which must not be started.
func NewLossy(n NIC, in, out Impair) (*Lossy, error) {
	l := &Lossy{NIC: n}
	l.ways[In].begin(uint64(In), l.deliverIn)
	l.ways[Out].begin(uint64(Out), l.deliverOut)
	for d, p := range map[Direction]Impair{In: in, Out: out} {
		if err := l.Set(d, p); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Set changes what happens to one direction from now on, and begins its random
// sequence anew. Frames on their way arrive as they would have.
func (l *Lossy) Set(d Direction, p Impair) error { return l.ways[d].set(p) }

// Impaired are the parameters of one direction.
func (l *Lossy) Impaired(d Direction) Impair { return l.ways[d].impaired() }

// Mischief is what has been done to one direction so far.
func (l *Lossy) Mischief(d Direction) Mischief { return l.ways[d].mischief() }

// Stats are those of the frames that were carried; what was dropped here is among
// the drops.
func (l *Lossy) Stats() Stats {
	s := l.counters.Stats()
	for d := range l.ways {
		m := l.ways[d].mischief()
		s.Drops[DropLost] += m.Lost
		s.Drops[DropFull] += m.Full
	}
	return s
}

// Start begins to read.
func (l *Lossy) Start(r Receiver) {
	if l.receiver.set(r) {
		l.NIC.Start(l)
	}
}

// Close closes the NIC inside, and drops what is on its way.
func (l *Lossy) Close() error {
	err := l.NIC.Close()
	l.Leave()
	return err
}

// Leave drops what is on its way, and leaves the NIC inside to somebody else.
func (l *Lossy) Leave() {
	for d := range l.ways {
		l.ways[d].line.close()
	}
}

// Send impairs a frame on its way out.
func (l *Lossy) Send(f *Frame) error {
	w := &l.ways[Out]
	if w.idle() {
		length := f.Len()
		if err := Transmit(l.NIC, f); err != nil {
			return err
		}
		l.countOut(length)
		return nil
	}
	// A sender on a real cable does not learn what becomes of its frames.
	err := Finish(f, func(f *Frame) { w.carry(f, nil) })
	if err != nil {
		return l.drop(DropMarks, err)
	}
	return nil
}

// Receive impairs frames on their way in.
func (l *Lossy) Receive(batch []*Frame) {
	w := &l.ways[In]
	if w.idle() {
		l.up.Lock()
		defer l.up.Unlock()
		l.countIn(batch)
		l.receiver.Receive(batch)
		return
	}
	for _, f := range batch {
		if err := Finish(f, func(f *Frame) { w.carry(f, nil) }); err != nil {
			l.drops[DropMarks].Add(1)
		}
	}
}

// deliverIn hands up a frame whose time has come.
func (l *Lossy) deliverIn(p parcel) {
	l.up.Lock()
	defer l.up.Unlock()
	p.unpack(&l.arrival)
	l.batch[0] = &l.arrival
	lend(&l.receiver, l.batch[:], &l.counters)
}

// deliverOut sends a frame whose time has come.
func (l *Lossy) deliverOut(p parcel) {
	var f Frame
	p.unpack(&f)
	if l.NIC.Send(&f) == nil { // the NIC inside counts what it drops
		l.countOut(p.n)
	}
	p.buf.Release()
}
