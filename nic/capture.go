package nic

// Captures are the copies of a traffic that are being written as pcapng: a Tee's,
// a Cable's. Each is for one reader of a file snoop.

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"slashnet/stack/neterr"
)

const (
	// captureBytes is the most memory that waits for one slow writer, and
	// allCaptureBytes for all of the process together. Those of one traffic have at
	// most one part in captureShare of what they leave over: however many a container
	// opens and does not read, there is room for its neighbours'.
	captureBytes    = 4 << 20
	allCaptureBytes = 64 << 20
	captureShare    = 4
	// capturesMax bounds the copies that are made of one frame.
	capturesMax = 16
)

// captureHeld is the memory that waits for writers.
var captureHeld atomic.Int64

// Captures show one traffic to as many writers as there are.
type Captures struct {
	name   string
	mu     sync.Mutex
	list   atomic.Pointer[[]*Capture] // replaced, never changed
	closed bool
	missed atomic.Uint64
	held   atomic.Int64 // bytes that wait for their writers
}

// NewCaptures begins without any; name is what each calls its interface.
func NewCaptures(name string) *Captures {
	t := &Captures{name: name}
	t.list.Store(new([]*Capture))
	return t
}

// watched reports whether somebody captures.
func (t *Captures) watched() bool { return len(*t.list.Load()) > 0 }

// show gives everybody a copy of a frame, with a remark or none.
func (t *Captures) show(f *Frame, way Direction, remark string) {
	for _, c := range *t.list.Load() {
		c.put(f, way, remark)
	}
}

// Missed counts the frames that are not in a copy since its writer was slow.
func (t *Captures) Missed() uint64 { return t.missed.Load() }

// End tells the captures to end. It does not wait for their writers, who may be
// slow. There will be no more.
func (t *Captures) End() {
	t.mu.Lock()
	t.closed = true
	captures := *t.list.Swap(new([]*Capture))
	t.mu.Unlock()
	for _, c := range captures {
		c.end()
	}
}

// A Capture writes what passes to one writer, as a pcapng file. A writer that
// is too slow loses frames of its own copy, never of the traffic; the next one that
// it gets says how many.
type Capture struct {
	of   *Captures
	done chan struct{}

	mu     sync.Mutex
	some   sync.Cond
	queue  []seen
	lost   uint64 // since the last that was queued
	held   int    // bytes of the blocks that are queued or being written
	taken  int    // of those, what is being written
	closed bool

	frames, dropped atomic.Uint64
	err             error // of the writer; read it after done
}

type seen struct {
	parcel
	way    Direction
	when   time.Time
	remark string
	lost   uint64 // before it
}

// Capture begins to write what passes to w, headed by a description of the
// interface at once. It ends with Close, or with the first error of w, which is
// closed then if it is an io.Closer.
func (t *Captures) Capture(w io.Writer) (*Capture, error) {
	c := &Capture{of: t, done: make(chan struct{})}
	c.some.L = &c.mu
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.list.Load()
	switch {
	case t.closed:
		return nil, errClosed
	case len(old) >= capturesMax:
		return nil, neterr.NoMemory.With("%s has %d captures already", t.name, capturesMax)
	}
	captures := append(old[:len(old):len(old)], c)
	t.list.Store(&captures)
	go c.run(w)
	return c, nil
}

// Close ends the capture when what is queued has been written, and returns the
// writer's error. It waits for the writer: to cut that short, close that first.
func (c *Capture) Close() error {
	c.of.remove(c)
	c.end()
	<-c.done
	return c.err
}

// Done is closed when the last byte is written.
func (c *Capture) Done() <-chan struct{} { return c.done }

// Frames counts those written and those dropped because the writer was slow.
func (c *Capture) Frames() (written, dropped uint64) { return c.frames.Load(), c.dropped.Load() }

func (t *Captures) remove(c *Capture) {
	t.mu.Lock()
	defer t.mu.Unlock()
	captures := slices.DeleteFunc(slices.Clone(*t.list.Load()), func(other *Capture) bool { return other == c })
	t.list.Store(&captures)
}

func (c *Capture) end() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.some.Signal()
}

// put queues a copy of a frame.
func (c *Capture) put(f *Frame, way Direction, remark string) {
	if f.Len() > MaxFrame {
		c.miss()
		return
	}
	p := pack(f)
	size := len(p.buf.B)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		p.buf.Release()
	case c.held+size > captureBytes || !c.of.reserve(size):
		p.buf.Release()
		c.lost++
		c.miss()
	default:
		c.held += size
		c.queue = append(c.queue, seen{p, way, time.Now(), remark, c.lost})
		c.lost = 0
		c.some.Signal()
	}
}

// reserve takes memory from what all captures may have together.
func (t *Captures) reserve(size int) bool {
	free := allCaptureBytes - captureHeld.Add(int64(size))
	if free < captureShare*t.held.Add(int64(size)) {
		t.release(size)
		return false
	}
	return true
}

func (t *Captures) release(size int) {
	captureHeld.Add(-int64(size))
	t.held.Add(-int64(size))
}

func (c *Capture) miss() {
	c.dropped.Add(1)
	c.of.missed.Add(1)
}

// run is the writer. At its end nothing is queued.
func (c *Capture) run(w io.Writer) {
	defer close(c.done)
	c.err = c.write(w)
	c.of.remove(c)
	c.end()
	for _, s := range c.take() {
		c.dropped.Add(1)
		s.buf.Release()
	}
	c.take() // gives their memory back
	if w, ok := w.(io.Closer); ok {
		w.Close()
	}
}

func (c *Capture) write(w io.Writer) error {
	description := pcapgo.DefaultNgInterface
	description.Name = c.of.name
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
	options := pcapgo.NgPacketOptions{Flags: &flags}
	if s.remark != "" {
		options.Comments = []string{s.remark}
	}
	if s.lost > 0 {
		options.DropCount = &s.lost
	}
	err := file.WritePacketWithOptions(info, s.buf.B[:s.n], options)
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
	c.of.release(c.taken)
	c.held -= c.taken
	c.taken = 0
	for len(c.queue) == 0 && !c.closed {
		c.some.Wait()
	}
	queue := c.queue
	c.queue, c.taken = nil, c.held
	return queue
}
