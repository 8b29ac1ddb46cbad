package nic

// A Tee shows the traffic of a NIC to whoever wants to see it: the snoop file
// of an interface opens one Capture for each reader.

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"slashnet/stack/neterr"
)

const (
	// captureBytes is the most memory that waits for one slow writer.
	captureBytes = 4 << 20
	// capturesMax bounds the copies that are made of one frame.
	capturesMax = 16
)

// A Tee wraps a NIC. As long as nobody captures, it costs one atomic load a
// frame. Frames are shown as they pass: with offloads on, 64 KiB segments
// whose checksum is not yet made, as in a capture on Linux.
type Tee struct {
	NIC
	receiver sink

	mu       sync.Mutex
	captures atomic.Pointer[[]*Capture] // replaced, never changed
	closed   bool
}

// NewTee wraps n, which must not be started.
func NewTee(n NIC) *Tee {
	t := &Tee{NIC: n}
	t.captures.Store(new([]*Capture))
	return t
}

// Start begins to read.
func (t *Tee) Start(r Receiver) {
	if t.receiver.set(r) {
		t.NIC.Start(t)
	}
}

// Receive shows frames on their way in.
func (t *Tee) Receive(batch []*Frame) {
	for _, c := range *t.captures.Load() {
		for _, f := range batch {
			c.put(f, In)
		}
	}
	t.receiver.Receive(batch)
}

// Send shows a frame on its way out, whether the NIC takes it or not.
func (t *Tee) Send(f *Frame) error {
	for _, c := range *t.captures.Load() {
		c.put(f, Out)
	}
	return t.NIC.Send(f)
}

// Stats are those of the NIC inside, if it counts.
func (t *Tee) Stats() Stats {
	if c, ok := t.NIC.(Counted); ok {
		return c.Stats()
	}
	return Stats{}
}

// Close closes the NIC inside and tells the captures to end. It does not wait
// for their writers, who may be slow.
func (t *Tee) Close() error {
	err := t.NIC.Close()
	t.mu.Lock()
	t.closed = true
	captures := *t.captures.Swap(new([]*Capture))
	t.mu.Unlock()
	for _, c := range captures {
		c.end()
	}
	return err
}

// A Capture writes what passes to one writer, as a pcapng file. A writer that
// is too slow loses frames of its own copy, never of the traffic.
type Capture struct {
	tee  *Tee
	done chan struct{}

	mu     sync.Mutex
	some   sync.Cond
	queue  []seen
	held   int // bytes of the blocks that are queued or being written
	taken  int // of those, what is being written
	closed bool

	frames, dropped atomic.Uint64
	err             error // of the writer; read it after done
}

type seen struct {
	parcel
	way  Direction
	when time.Time
}

// Capture begins to write what passes to w, headed by a description of the
// interface at once. It ends with Close, or with the first error of w.
func (t *Tee) Capture(w io.Writer) (*Capture, error) {
	c := &Capture{tee: t, done: make(chan struct{})}
	c.some.L = &c.mu
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.captures.Load()
	switch {
	case t.closed:
		return nil, errClosed
	case len(old) >= capturesMax:
		return nil, neterr.NoMemory.With("%s has %d captures already", t.Name(), capturesMax)
	}
	captures := append(old[:len(old):len(old)], c)
	t.captures.Store(&captures)
	go c.run(w)
	return c, nil
}

// Close ends the capture when what is queued has been written, and returns the
// writer's error. It waits for the writer: to cut that short, close that first.
func (c *Capture) Close() error {
	c.tee.remove(c)
	c.end()
	<-c.done
	return c.err
}

// Done is closed when the last byte is written.
func (c *Capture) Done() <-chan struct{} { return c.done }

// Frames counts those written and those dropped because the writer was slow.
func (c *Capture) Frames() (written, dropped uint64) { return c.frames.Load(), c.dropped.Load() }

func (t *Tee) remove(c *Capture) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var captures []*Capture
	for _, other := range *t.captures.Load() {
		if other != c {
			captures = append(captures, other)
		}
	}
	t.captures.Store(&captures)
}

func (c *Capture) end() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.some.Signal()
}

// put queues a copy of a frame.
func (c *Capture) put(f *Frame, way Direction) {
	if f.Len() > MaxFrame {
		c.dropped.Add(1)
		return
	}
	p := pack(f)
	c.mu.Lock()
	if c.closed || c.held+len(p.buf.B) > captureBytes {
		c.mu.Unlock()
		p.buf.Release()
		c.dropped.Add(1)
		return
	}
	c.held += len(p.buf.B)
	c.queue = append(c.queue, seen{p, way, time.Now()})
	c.mu.Unlock()
	c.some.Signal()
}

// run is the writer. At its end nothing is queued.
func (c *Capture) run(w io.Writer) {
	defer close(c.done)
	c.err = c.write(w)
	c.tee.remove(c)
	c.end()
	for _, s := range c.take() {
		c.dropped.Add(1)
		s.buf.Release()
	}
}

func (c *Capture) write(w io.Writer) error {
	description := pcapgo.DefaultNgInterface
	description.Name = c.tee.Name()
	description.LinkType = layers.LinkTypeEthernet
	options := pcapgo.DefaultNgWriterOptions
	options.SectionInfo.Application = "slashnet"
	file, err := pcapgo.NewNgWriterInterface(w, description, options)
	if err != nil {
		return err
	}
	for {
		// Whoever watches live sees each frame as soon as there is no other to write.
		if err := file.Flush(); err != nil {
			return err
		}
		queue := c.take()
		if len(queue) == 0 {
			return nil
		}
		for i := range queue {
			if err == nil {
				err = c.writeFrame(file, &queue[i])
			} else {
				c.dropped.Add(1)
			}
			queue[i].buf.Release()
		}
		if err != nil {
			return err
		}
	}
}

func (c *Capture) writeFrame(file *pcapgo.NgWriter, s *seen) error {
	flags := pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionInbound}
	if s.way == Out {
		flags.Direction = pcapgo.NgEpbFlagDirectionOutbound
	}
	info := gopacket.CaptureInfo{Timestamp: s.when, CaptureLength: s.n, Length: s.n}
	err := file.WritePacketWithOptions(info, s.buf.B[:s.n], pcapgo.NgPacketOptions{Flags: &flags})
	if err == nil {
		c.frames.Add(1)
	}
	return err
}

// take says that what was taken before is written, and waits for frames. It
// returns none when the capture is to end.
func (c *Capture) take() []seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held -= c.taken
	c.taken = 0
	for len(c.queue) == 0 && !c.closed {
		c.some.Wait()
	}
	queue := c.queue
	c.queue, c.taken = nil, c.held
	return queue
}
