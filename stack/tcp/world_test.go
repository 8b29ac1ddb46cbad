package tcp

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"slashnet/wire"
)

// Two connections, a link between them that may do anything with a segment, and
// one seed. Everything happens on one goroutine, in an order that the seed decides.

// blocks counts the holds of a test, so that it can tell that all were let go.
type blocks struct {
	live int
}

func (p *blocks) alloc(n int) *wire.Buf {
	p.live++
	return wire.NewBuf(make([]byte, n), func(b *wire.Buf) {
		p.live--
		for i := range b.B {
			b.B[i] = 0xdd // whoever reads it now reads nonsense
		}
	})
}

var dbg = func(string, ...any) {}

type impairment struct {
	delay, jitter time.Duration
	loss, dup     float64
	merge         float64 // chance that a GSO segment arrives whole
	early         float64 // chance to skip the delay
	rate          int     // bytes per second, 0: no limit
	queue         int     // bytes that the link queues
}

type packet struct {
	at      time.Duration
	order   int
	to      *end
	h       wire.TCPHeader
	payload []byte
}

type packets []packet

func (p packets) Len() int { return len(p) }
func (p packets) Less(i, j int) bool {
	return p[i].at < p[j].at || p[i].at == p[j].at && p[i].order < p[j].order
}
func (p packets) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *packets) Push(x any)   { *p = append(*p, x.(packet)) }
func (p *packets) Pop() any {
	x := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return x
}

// An end is a connection and its user.
type end struct {
	*Conn
	name     string
	w        *world
	peer     *end
	busyTill time.Duration // of the link out of it
	wrote    int           // bytes accepted by Write
	want     int           // bytes to write in all
	got      int           // bytes read, all of them checked
	closeAt  bool          // close the write half when all is written
	sawEOF   bool
	slow     bool // reads little at a time
	changes  int  // of the path's MTU, and of the sizes of buffers meanwhile
	edge     wire.Seq
	hasEdge  bool
	started  bool
}

type world struct {
	t      testing.TB
	rnd    *rand.Rand
	now    time.Duration
	net    packets
	order  int
	imp    impairment
	a, b   *end
	blocks blocks
	log    *bytes.Buffer
	sent   int
}

// stream is what end name writes at offset i.
func stream(name string, i int) byte {
	x := uint32(i)*2654435761 + uint32(name[0])
	return byte(x >> 24)
}

func newWorld(t testing.TB, seed uint64, imp impairment, cfg func(*Config)) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), imp: imp, log: new(bytes.Buffer)}
	w.now = time.Duration(w.rnd.IntN(5)) * time.Second
	mk := func(name string) *end {
		conf := DefaultConfig()
		conf.Alloc = w.blocks.alloc
		if cfg != nil {
			cfg(conf)
		}
		return &end{Conn: NewConn(conf, w.rnd.Uint64), name: name, w: w}
	}
	w.a, w.b = mk("a"), mk("b")
	w.a.peer, w.b.peer = w.b, w.a
	return w
}

func (w *world) setup(mtu int) Setup {
	iss := wire.Seq(w.rnd.Uint32())
	if w.rnd.IntN(2) == 0 {
		iss = -wire.Seq(w.rnd.IntN(1 << 20)) // the numbers will wrap
	}
	return Setup{ISS: iss, MTU: mtu, IPHeader: 20}
}

// drain sends what e has to say.
func (e *end) drain() {
	w := e.w
	var seg Segment
	for e.Output(w.now, &seg) {
		w.check(e)
		payload := make([]byte, 0, seg.Len)
		for i := range seg.Slices {
			payload = append(payload, seg.Payload[i]...)
		}
		if len(payload) != seg.Len {
			w.t.Fatalf("%s: segment says %d bytes and has %d", e.name, seg.Len, len(payload))
		}
		if seg.H.Flags&wire.ACK != 0 && seg.H.Flags&wire.RST == 0 {
			w.checkEdge(e, &seg.H)
		}
		h := seg.H
		seg.Release()
		fin := h.Flags & (wire.FIN | wire.PSH)
		if seg.Len > seg.MSS && w.rnd.Float64() >= w.imp.merge {
			for off := 0; off < len(payload); off += seg.MSS {
				p := h
				p.Flags &^= fin
				p.Seq += wire.Seq(off)
				n := min(seg.MSS, len(payload)-off)
				if off+n == len(payload) {
					p.Flags |= fin
				}
				w.carry(e, p, payload[off:off+n])
			}
			continue
		}
		w.carry(e, h, payload)
	}
	w.check(e)
}

func (w *world) carry(from *end, h wire.TCPHeader, payload []byte) {
	w.sent++
	dbg("%v %s> %v seq %d ack %d len %d wnd %d sack %v | %v una %d nxt %d cwnd %d pipe %d lost %d", w.now, from.name, h.Flags, h.Seq-from.iss, h.Ack-from.irs, len(payload), h.Window, h.Options.SACK[:h.Options.SACKs], from.state, from.una-from.iss, from.nxt-from.iss, from.cwnd, from.pipe(), from.flight.lost)
	n := 1
	if w.rnd.Float64() < w.imp.loss {
		n = 0
	} else if w.rnd.Float64() < w.imp.dup {
		n = 2
	}
	size := len(payload) + 60
	if w.imp.rate > 0 {
		from.busyTill = max(from.busyTill, w.now)
		took := time.Duration(float64(size) / float64(w.imp.rate) * 1e9)
		if w.imp.queue > 0 && float64(from.busyTill-w.now)/1e9*float64(w.imp.rate) > float64(w.imp.queue) {
			return
		}
		from.busyTill += took
	}
	for range n {
		at := max(w.now, from.busyTill) + w.imp.delay
		if w.imp.jitter > 0 {
			at += time.Duration(w.rnd.Int64N(int64(w.imp.jitter)))
		}
		if w.rnd.Float64() < w.imp.early {
			at = w.now
		}
		w.order++
		heap.Push(&w.net, packet{at: at, order: w.order, to: from.peer, h: h, payload: payload})
	}
}

// check looks at what must always hold.
func (w *world) check(e *end) {
	c := e.Conn
	if c.state == Closed {
		return
	}
	fail := func(format string, args ...any) {
		w.t.Helper()
		w.t.Fatalf("%s at %v in %v: %s", e.name, w.now, c.state, fmt.Sprintf(format, args...))
	}
	if c.nxt.Less(c.una) {
		fail("una %d beyond nxt %d", c.una, c.nxt)
	}
	sacked, lost, seq := 0, 0, c.una
	for i, l := range c.flight.legs.all() {
		if l.seq != seq || !l.seq.Less(l.end) {
			fail("leg %d is [%d,%d), want it at %d", i, l.seq, l.end, seq)
		}
		seq = l.end
		if l.sacked {
			sacked += l.len()
		}
		if l.lost {
			lost += l.len()
		}
		if l.lost && l.sacked {
			fail("leg %d is lost and has arrived", i)
		}
	}
	if seq != c.nxt {
		fail("flight ends at %d, nxt is %d", seq, c.nxt)
	}
	if sacked != c.flight.sacked || lost != c.flight.lost {
		fail("sacked %d lost %d, counted %d and %d", c.flight.sacked, c.flight.lost, sacked, lost)
	}
	if c.state != TimeWaiting && c.una != c.nxt && c.timers[tRexmit] == never {
		fail("bytes in flight and no timer")
	}
	if c.una == c.nxt && c.timers[tRexmit] != never && (c.sendq.end == c.nxt && !c.finQueued || c.finSent()) {
		fail("timer without anything outstanding")
	}
	unread := 0
	for _, r := range c.recvq.ready.all() {
		unread += len(r.b)
	}
	held := unread
	for _, r := range c.recvq.ready.all() {
		held += r.extra
	}
	if held != c.recvq.held {
		fail("held %d, counted %d", c.recvq.held, held)
	}
	if unread != c.recvq.unread {
		fail("unread %d, counted %d", c.recvq.unread, unread)
	}
	behind := 0
	for i, l := range c.recvq.late.all() {
		behind += len(l.b)
		if !c.rcvNxt.Less(l.seq) {
			fail("late run %d at %d, rcvNxt is %d", i, l.seq, c.rcvNxt)
		}
		if i > 0 && l.seq.Less(c.recvq.late.at(i-1).end()) {
			fail("late runs overlap")
		}
	}
	if behind != c.recvq.behind {
		fail("late %d, counted %d", c.recvq.behind, behind)
	}
	if held := heldBy(c); held != c.Memory() {
		fail("holds %d bytes of memory, counted %d", held, c.Memory())
	}
}

// heldBy adds up the blocks in the queues of c.
func heldBy(c *Conn) int {
	held := c.recvq.late.len() * lateCost
	for _, b := range c.sendq.blocks.all() {
		held += cap(b.buf.B)
	}
	packs := map[*pack]bool{}
	count := func(r *run) {
		if r.pack == nil {
			held += cap(r.buf.B)
		} else {
			packs[r.pack] = true
		}
	}
	for i := range c.recvq.ready.all() {
		count(c.recvq.ready.at(i))
	}
	for i := range c.recvq.late.all() {
		count(&c.recvq.late.at(i).run)
	}
	if c.recvq.pack != nil {
		packs[c.recvq.pack] = true
	}
	for p := range packs {
		held += cap(p.buf.B)
	}
	return held
}

// checkEdge sees that the right edge that e advertises never moves left.
func (w *world) checkEdge(e *end, h *wire.TCPHeader) {
	if h.Flags&wire.SYN != 0 {
		return // says 65535 at most, whatever an ACK before it said
	}
	edge := h.Ack + wire.Seq(int(h.Window)<<e.rcvShift)
	if e.hasEdge && edge.Less(e.edge) {
		w.t.Fatalf("%s at %v: right edge moved left by %d", e.name, w.now, e.edge-edge)
	}
	e.edge, e.hasEdge = edge, true
}

// use is the user of e: writes and reads as he pleases.
func (e *end) use() {
	w := e.w
	for e.wrote < e.want {
		n := min(e.want-e.wrote, 1+w.rnd.IntN(1<<(1+w.rnd.IntN(18))))
		b := make([]byte, n)
		for i := range b {
			b[i] = stream(e.name, e.wrote+i)
		}
		var took int
		if n >= 2048 && w.rnd.IntN(2) == 0 {
			buf := w.blocks.alloc(n + w.rnd.IntN(n))
			copy(buf.B, b)
			took = e.WriteBuf(w.now, buf.B[:n], buf)
			buf.Release()
		} else {
			took = e.Write(w.now, b)
		}
		if e.wrote += took; took < n || w.rnd.IntN(4) == 0 {
			break
		}
	}
	fickle := 1000
	if e.changes > 0 {
		fickle = w.rnd.IntN(300)
	}
	switch fickle {
	case 0:
		e.changes--
		e.SetMTU(w.now, 300+w.rnd.IntN(1400))
		e.TooBig(w.now, 300+w.rnd.IntN(1400))
	case 1:
		e.SetReceiveBuffer(4096 << w.rnd.IntN(8))
	case 2:
		e.SetSendBuffer(4096 << w.rnd.IntN(8))
	}
	if e.wrote == e.want && e.closeAt {
		e.CloseWrite(w.now)
	}
	if e.slow && w.rnd.IntN(3) != 0 {
		return
	}
	for e.Unread() > 0 {
		e.readSome()
		if e.slow {
			break
		}
	}
	if e.EOF() {
		e.sawEOF = true
	}
}

// writes reports whether the user could write more; else an event will let him.
func (e *end) writes() bool { return e.wrote < e.want && e.Room() > 0 }

func (e *end) readSome() {
	w := e.w
	most := 1 + w.rnd.IntN(100000)
	var chunks []wire.Chunk
	if w.rnd.IntN(3) == 0 {
		b := make([]byte, most)
		if w.rnd.IntN(2) == 0 {
			n := e.Peek(b)
			e.verify(b[:n], e.got)
		}
		n := e.Read(b)
		e.verify(b[:n], e.got)
		e.got += n
		return
	}
	chunks = e.Take(most, chunks)
	for _, ch := range chunks {
		e.verify(ch.B, e.got)
		e.got += len(ch.B)
		ch.Buf.Release()
	}
}

func (e *end) verify(b []byte, at int) {
	for i, x := range b {
		if want := stream(e.peer.name, at+i); x != want {
			e.w.t.Fatalf("%s at %v: byte %d is %#x, want %#x", e.name, e.w.now, at+i, x, want)
		}
	}
}

// step goes on to the next event. It returns false when there is none.
func (w *world) step(userEvery time.Duration) bool {
	next := never
	if len(w.net) > 0 {
		next = w.net[0].at
	}
	for _, e := range []*end{w.a, w.b} {
		if at, ok := e.Deadline(); ok {
			next = min(next, at)
		}
	}
	if userEvery > 0 {
		next = min(next, w.now+userEvery)
	}
	if next == never {
		return false
	}
	w.now = max(w.now, next)
	for len(w.net) > 0 && w.net[0].at <= w.now {
		p := heap.Pop(&w.net).(packet)
		w.deliver(&p)
	}
	for _, e := range []*end{w.a, w.b} {
		if at, ok := e.Deadline(); ok && at <= w.now {
			e.Tick(w.now)
		}
		e.use()
		e.drain()
	}
	return true
}

func (w *world) deliver(p *packet) {
	// a frame has its headers in the block, and the block may be much larger
	size := len(p.payload) + 66
	if w.rnd.IntN(2) == 0 {
		size += w.rnd.IntN(4 * size)
	}
	buf := w.blocks.alloc(size)
	n := copy(buf.B[66:], p.payload)
	h := p.h
	e := p.to
	if e.started && e.state == Closed {
		if rst, send := RefuseSegment(&h, n); send {
			w.carry(e, rst, nil)
		}
	} else if !e.started {
		if accept, _, _ := ListenSegment(&h, n); accept {
			e.started = true
			e.Accept(w.now, w.setup(1500), &h)
		}
	} else {
		e.Input(w.now, &h, buf.B[66:66+n], buf)
	}
	buf.Release()
	w.check(e)
	if w.rnd.IntN(3) > 0 {
		e.drain() // else a batch
	}
}

// seeds is how many worlds to try: more with SLASHNET_SEEDS.
func seeds() int {
	if n, err := strconv.Atoi(os.Getenv("SLASHNET_SEEDS")); err == nil {
		return n
	}
	return 300
}

func TestTransferOverBadLinks(t *testing.T) {
	n := seeds()
	if testing.Short() {
		n = 40
	}
	for seed := range uint64(n) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runTransfer(t, seed) })
	}
}

func runTransfer(t testing.TB, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	imp := impairment{
		delay: time.Duration(r.IntN(1<<r.IntN(27)) + 1),
		merge: r.Float64(),
	}
	if r.IntN(2) == 0 {
		imp.jitter = imp.delay
	}
	if r.IntN(3) == 0 {
		imp.early = r.Float64() * 0.1
	}
	if r.IntN(3) > 0 {
		imp.loss = r.Float64() * 0.2
		imp.dup = r.Float64() * 0.1
	}
	if r.IntN(3) == 0 {
		imp.rate, imp.queue = 100000<<r.IntN(10), 5000<<r.IntN(6)
	}
	sack, ts, ws := r.IntN(4) > 0, r.IntN(4) > 0, r.IntN(4) > 0
	cc := congestionNames[r.IntN(2)]
	buf := 4096 << r.IntN(9)
	w := newWorld(t, seed, imp, func(c *Config) {
		c.SACK, c.Timestamps, c.WScale, c.CC = sack, ts, ws, cc
		c.RcvBuf = buf
		c.SynRetries, c.SynAckRetries, c.Retries2 = 100, 100, 100
	})
	a, b := w.a, w.b
	a.want, b.want = 1+r.IntN(1<<(1+r.IntN(21))), 1+r.IntN(1<<(1+r.IntN(16)))
	a.closeAt, b.closeAt = true, true
	a.slow, b.slow = r.IntN(3) == 0, r.IntN(3) == 0
	a.changes, b.changes = r.IntN(5), r.IntN(5)
	a.SetNoDelay(r.IntN(2) == 0)
	a.SetCork(r.IntN(5) == 0)
	a.Open(w.now, w.setup(1500))
	a.started = true
	if r.IntN(4) == 0 { // simultaneous open
		b.Open(w.now, w.setup(9000))
		b.started = true
	}
	a.drain()
	b.drain()
	limit := w.now + 10*time.Hour
	for steps := 0; ; steps++ {
		every := time.Duration(0)
		if a.writes() || b.writes() || a.Unread()+b.Unread() > 0 {
			every = max(imp.delay, 100*time.Microsecond)
		}
		if !w.step(every) {
			break
		}
		if w.now > limit || steps > 3000000 {
			t.Fatalf("not done after %v, %d steps: a %v wrote %d/%d got %d, b %v wrote %d/%d got %d\na %+v\nb %+v", w.now, steps,
				a.state, a.wrote, a.want, a.got, b.state, b.wrote, b.want, b.got, a.Stats(), b.Stats())
		}
	}
	for _, e := range []*end{a, b} {
		if e.Err() != nil {
			t.Errorf("%s died: %v", e.name, e.Err())
		}
		if e.got != e.peer.want || !e.sawEOF {
			t.Errorf("%s got %d of %d bytes, end %v", e.name, e.got, e.peer.want, e.sawEOF)
		}
		if e.state != Closed {
			t.Errorf("%s ends in %v", e.name, e.state)
		}
		e.Free()
	}
	if w.blocks.live != 0 {
		t.Errorf("%d blocks are still held", w.blocks.live)
	}
}
