package sim

// A Link is a cable between two stations, in virtual time. Its ports are NICs:
// stacks and switches send into them, the world's clock delivers.

import (
	"fmt"
	"math/rand/v2"
	"time"

	"slashnet/nic"
	"slashnet/wire"
)

// Impair is what a link does to the frames of each direction. The chances are
// between 0 and 1; the zero value does nothing.
type Impair struct {
	Loss    float64 // a frame is gone
	Dup     float64 // it comes twice
	Corrupt float64 // one bit of its datagram is turned round
	Reorder float64 // it takes no delay, and overtakes those that do
	Swallow int     // longer frames vanish; 0: none do

	Delay  time.Duration
	Jitter time.Duration // the delay varies by as much, up and down; order is kept

	Rate  int64 // bits a second; 0: unlimited
	Queue int   // frames that may wait for the rate; 0: 1000
	Mark  int   // beyond so many that wait, a frame that says it may be is marked (RFC 3168); 0: never
}

// Cable is how a link is made.
type Cable struct {
	Impair
	MTU int // 0: 1500
}

// queueDefault is Linux's length of an Ethernet's queue.
const queueDefault = 1000

// whole reports whether a link carries frames of 64 KiB as they are. What is
// lost or waits for a rate on a cable is a wire frame.
func (i *Impair) whole() bool {
	return i.Loss == 0 && i.Dup == 0 && i.Corrupt == 0 && i.Swallow == 0 && i.Reorder == 0 && i.Rate == 0
}

// A Link joins two stations.
type Link struct {
	Lost int // frames that chance or a full queue took

	world *World
	cable Cable
	ends  [2]port
}

// Link plugs a cable into two stations.
func (w *World) Link(a, b Station, c Cable) *Link {
	if c.MTU == 0 {
		c.MTU = nic.DefaultMTU
	}
	l := &Link{world: w, cable: c}
	for side, at := range []Station{a, b} {
		w.ports++
		l.ends[side] = port{link: l, peer: &l.ends[1-side], number: w.ports, dice: w.fork(uint64(w.ports) << 32)}
		if err := at.plug(&l.ends[side]); err != nil {
			w.fail("link: %v", err)
		}
	}
	return l
}

// Impair changes what is wrong with the link, from now on.
func (l *Link) Impair(i Impair) { l.cable.Impair = i }

// A port is one end of a link.
type port struct {
	link   *Link
	peer   *port
	host   *Host // nil: a switch's
	number int
	to     nic.Receiver
	closed bool
	dice   *rand.Rand

	busy    time.Duration   // when the last frame will have left, for the rate
	leaving []time.Duration // when each of those that wait will
	last    time.Duration   // when the last one arrives that takes its turn
}

// An arrival is a frame on its way.
type arrival struct {
	to   *port
	data []byte
	hops uint8
	wire.Offload
}

func (p *port) Name() string { return fmt.Sprintf("port%d", p.number) }
func (p *port) MAC() wire.MAC {
	return wire.MAC{2, 0, 0, 0, byte(p.number >> 8), byte(p.number)}
}
func (p *port) MTU() int             { return p.link.cable.MTU }
func (p *port) Offload() bool        { return p.link.cable.whole() }
func (p *port) Start(r nic.Receiver) { p.to = r }

func (p *port) Close() error {
	p.closed = true
	return nil
}

// Send copies a frame and decides its fate.
func (p *port) Send(f *nic.Frame) error {
	data := make([]byte, 0, f.Len())
	data = append(data, f.Head...)
	for _, b := range f.Body {
		data = append(data, b...)
	}
	l, w := p.link, p.link.world
	if p.host != nil {
		w.witness.sent(p.host, data, f.Offload)
	}
	leaves, room := p.queue(len(data))
	fate := p.throw()
	if most := l.cable.Swallow; !room || fate.lost || most > 0 && len(data) > most {
		l.Lost++
		return nil
	}
	if most := l.cable.Mark; most > 0 && len(p.leaving) > most {
		mark(data)
	}
	at := leaves + fate.delay
	if !fate.early {
		at = max(at, p.last)
		p.last = at
	}
	a := &arrival{to: p.peer, data: data, hops: f.Hops, Offload: f.Offload}
	if fate.twice {
		again := *a
		again.data = append([]byte(nil), data...)
		w.file(event{at: at, frame: &again})
	}
	if fate.corrupt {
		a.damage(fate.where)
	}
	w.file(event{at: at, frame: a})
	return nil
}

// queue waits for the rate: it says when a frame of n bytes has left, or that
// there is no room for it.
func (p *port) queue(n int) (leaves time.Duration, room bool) {
	i, now := &p.link.cable.Impair, p.link.world.Now()
	if i.Rate == 0 {
		return now, true
	}
	for len(p.leaving) > 0 && p.leaving[0] <= now {
		p.leaving = p.leaving[1:]
	}
	most := i.Queue
	if most == 0 {
		most = queueDefault
	}
	if len(p.leaving) >= most {
		return 0, false
	}
	p.busy = max(p.busy, now) + time.Duration(int64(n)*8*int64(time.Second)/i.Rate)
	p.leaving = append(p.leaving, p.busy)
	return p.busy, true
}

// A fate is what happens to one frame.
type fate struct {
	lost, twice, corrupt, early bool
	where                       float64
	delay                       time.Duration
}

// throw takes as many random numbers whatever the link is like: more loss does
// not change which frames come twice.
func (p *port) throw() fate {
	i, r := &p.link.cable.Impair, p.dice
	f := fate{
		lost:    r.Float64() < i.Loss,
		twice:   r.Float64() < i.Dup,
		corrupt: r.Float64() < i.Corrupt,
		where:   r.Float64(),
		early:   r.Float64() < i.Reorder,
	}
	f.delay = max(0, i.Delay+time.Duration((2*r.Float64()-1)*float64(i.Jitter)))
	if f.early {
		f.delay = 0
	}
	return f
}

// mark sets CE in a datagram that is ECN-capable.
func mark(frame []byte) {
	const tos, checksum = 1, 10
	eth, ip, err := wire.ParseEthernet(frame)
	if err == nil && eth.Type == wire.EtherIPv6 && ip[1]>>4&3 != 0 {
		ip[1] |= 3 << 4 // the traffic class lies across two bytes
		return
	}
	if err != nil || eth.Type != wire.EtherIPv4 || ip[tos]&3 == 0 {
		return
	}
	ip[tos] |= 3
	ip[checksum], ip[checksum+1] = 0, 0
	sum := wire.Checksum(ip[:wire.IPv4Len])
	ip[checksum], ip[checksum+1] = byte(sum>>8), byte(sum)
}

// damage turns a bit of the datagram round: one that a checksum of ours guards.
// Those of the Ethernet header and of ARP the hardware's FCS would find, so such
// a frame is as good as lost, and arrives as a runt.
func (a *arrival) damage(where float64) {
	eth, datagram, err := wire.ParseEthernet(a.data)
	// Not the padding of a short frame: nothing guards it, and nothing reads it.
	var from, to int
	switch {
	case err == nil && eth.Type == wire.EtherIPv4:
		to = int(datagram[2])<<8 | int(datagram[3])
	case err == nil && eth.Type == wire.EtherIPv6:
		const addresses = 8 // what stands before them has no checksum (RFC 8200 §8.1)
		from, to = addresses, wire.IPv6Len+(int(datagram[4])<<8|int(datagram[5]))
	default:
		a.data = a.data[:0]
		return
	}
	bit := 8*from + int(where*float64(8*(min(to, len(datagram))-from)))
	datagram[bit/8] ^= 1 << (bit % 8)
}

// receive lends a batch to whatever the port is in.
func (p *port) receive(batch []*arrival) {
	if p.closed || p.to == nil || p.host != nil && p.host.asleep() {
		return
	}
	w := p.link.world
	frames := make([]*nic.Frame, len(batch))
	for i, a := range batch {
		buf := w.block(len(a.data))
		copy(buf.B, a.data)
		frames[i] = &nic.Frame{Head: buf.B, Buf: buf, Hops: a.hops, Offload: a.Offload}
		if p.host != nil {
			w.witness.heard(p.host, a.data, a.Offload)
		}
	}
	p.to.Receive(frames)
	for _, f := range frames {
		f.Buf.Release()
	}
}
