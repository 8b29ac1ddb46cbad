package nic

// Segmentation and checksums in software, for what is below has no offload or
// must see wire frames: a plain TAP, a lossy link. Transmit and Lossy call it.

import (
	"encoding/binary"
	"sync"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// maxHeader holds every header that is changed per segment: Ethernet with two
// tags (22), IPv4 with options (60) or IPv6 (40) with extensions, TCP with
// options (60).
const maxHeader = 256

// Where the fields are that a cut changes.
const (
	ipv4Total, ipv4ID, ipv4Sum = 2, 4, 10
	ipv6Payload                = 4
	ipv6Len                    = 40
	tcpSeq, tcpOffset          = 4, 12
	tcpFlags, tcpSum           = 13, 16
	udpLength, udpSum, udpLen  = 4, 6, 8

	etherTag, etherServiceTag = 0x8100, 0x88a8 // IEEE 802.1Q §9.6
)

var errMarks = neterr.BadArg.With("offload marks that do not fit the frame's headers")

// Finish does what the marks of f ask for, and hands the frames that result to
// emit, in order, each lent until emit returns. f is not changed. A frame whose
// marks contradict its headers is an error, and nothing is emitted.
func Finish(f *Frame, emit func(*Frame)) error {
	if f.Finished() {
		emit(f)
		return nil
	}
	c := newCutter()
	defer c.free()
	if !c.load(f) {
		return errMarks
	}
	if f.GSO == wire.GSONone {
		c.complete(emit)
		return nil
	}
	if !c.plan() {
		return errMarks
	}
	c.cut(emit)
	return nil
}

// A cutter is the state of one Finish, kept for the next one.
type cutter struct {
	in     *Frame
	out    Frame
	head   [maxHeader]byte
	pieces [][]byte // the first is what of head is summed, the rest the payload

	start, field int // of the transport header and of its checksum, in head
	network      int // start of the network header
	ipv4         bool
	header       int // length of all headers
	payload      int // length of what is to be cut

	piece, taken int // how far the payload is used up: -1 is the end of in.Head
}

// cutters are those that nobody uses now.
var cutters struct {
	mu   sync.Mutex
	free []*cutter
}

const (
	// cuttersKept is about how many goroutines finish frames at once.
	cuttersKept = 16
	// piecesKept is more than a 64 KiB frame is usually in.
	piecesKept = 1024
)

func newCutter() *cutter {
	cutters.mu.Lock()
	defer cutters.mu.Unlock()
	last := len(cutters.free) - 1
	if last < 0 {
		return new(cutter)
	}
	c := cutters.free[last]
	cutters.free = cutters.free[:last]
	return c
}

func (c *cutter) free() {
	// What is kept for the next time must not keep the last frame alive.
	clear(c.pieces[:cap(c.pieces)])
	if cap(c.pieces) > piecesKept {
		c.pieces = nil
	}
	c.in, c.out = nil, Frame{}
	cutters.mu.Lock()
	defer cutters.mu.Unlock()
	if len(cutters.free) < cuttersKept {
		cutters.free = append(cutters.free, c)
	}
}

// load copies the headers of f.
func (c *cutter) load(f *Frame) bool {
	c.in = f
	c.start = int(f.CsumStart)
	c.field = c.start + int(f.CsumOffset)
	n := copy(c.head[:], f.Head)
	c.out = Frame{Head: c.head[:n], Hops: f.Hops}
	c.pieces = append(c.pieces[:0], nil)
	c.piece, c.taken = -1, n
	// A frame is only ever cut where its checksum is left to do as well.
	return f.NeedsCsum && c.start >= wire.EthernetLen && c.field+2 <= n && f.Len() <= MaxFrame
}

// complete writes the checksum of a frame that is not cut.
func (c *cutter) complete(emit func(*Frame)) {
	c.take(c.in.Len() - c.taken)
	c.pieces[0] = c.out.Head[c.start:]
	// The field holds the sum of the pseudo header, and is summed with the rest.
	c.putSum(wire.SumSlices(c.pieces, 0))
	c.out.Body = c.pieces[1:]
	emit(&c.out)
}

// plan finds the headers of a frame that is to be cut.
func (c *cutter) plan() bool {
	h := c.out.Head
	c.network = wire.EthernetLen
	kind := binary.BigEndian.Uint16(h[c.network-2:])
	for range 2 {
		if (kind == etherTag || kind == etherServiceTag) && len(h) >= c.network+4 {
			kind = binary.BigEndian.Uint16(h[c.network+2:])
			c.network += 4
		}
	}
	c.ipv4 = kind == uint16(wire.EtherIPv4)
	switch {
	case c.ipv4:
		if len(h) < c.network+wire.IPv4Len || h[c.network]>>4 != 4 ||
			c.start != c.network+int(h[c.network]&15)*4 || c.start < c.network+wire.IPv4Len {
			return false
		}
	case kind == uint16(wire.EtherIPv6):
		if c.start < c.network+ipv6Len {
			return false
		}
	default:
		return false
	}
	if !c.planTransport(h) {
		return false
	}
	c.payload = c.in.Len() - c.header
	c.out.Head = h[:c.header]
	c.taken = c.header
	return c.in.GSOSize > 0 && c.header-c.start+c.payload <= 0xffff
}

func (c *cutter) planTransport(h []byte) bool {
	switch c.in.GSO {
	case wire.GSOTCPv4, wire.GSOTCPv6:
		if c.ipv4 != (c.in.GSO == wire.GSOTCPv4) || c.field != c.start+tcpSum || len(h) < c.start+wire.TCPLen {
			return false
		}
		c.header = c.start + int(h[c.start+tcpOffset]>>4)*4
		return c.header >= c.start+wire.TCPLen && c.header <= len(h)
	case wire.GSOUDP:
		c.header = c.start + udpLen
		return c.field == c.start+udpSum && c.header <= len(h)
	}
	return false
}

// cut emits segments of at most GSOSize bytes of payload.
func (c *cutter) cut(emit func(*Frame)) {
	h := c.out.Head
	tcp := c.in.GSO != wire.GSOUDP
	id := binary.BigEndian.Uint16(h[c.network+ipv4ID:])
	seq := binary.BigEndian.Uint32(h[c.start+tcpSeq:])
	flags := wire.TCPFlags(0)
	if tcp {
		flags = wire.TCPFlags(h[c.start+tcpFlags])
	}
	// The field has the sum of the pseudo header with the length of the whole:
	// take that away, and every segment adds its own. Unlike the addresses this
	// is right whatever extension headers there are.
	transport := c.header - c.start
	pseudo := uint64(binary.BigEndian.Uint16(h[c.field:])) + uint64(^uint16(transport+c.payload))

	for at, i := 0, 0; ; i++ {
		n := min(int(c.in.GSOSize), c.payload-at)
		last := at+n == c.payload
		c.putNetwork(transport+n, id+uint16(i))
		if tcp {
			binary.BigEndian.PutUint32(h[c.start+tcpSeq:], seq+uint32(at))
			h[c.start+tcpFlags] = byte(flagsOf(flags, i == 0, last))
		} else {
			binary.BigEndian.PutUint16(h[c.start+udpLength:], uint16(transport+n))
		}
		c.pieces = c.pieces[:1]
		c.take(n)
		c.pieces[0] = h[c.start:]
		h[c.field], h[c.field+1] = 0, 0
		c.putSum(wire.SumSlices(c.pieces, pseudo+uint64(transport+n)))
		c.out.Body = c.pieces[1:]
		emit(&c.out)
		if at += n; last {
			return
		}
	}
}

// flagsOf is what of the flags of the whole belongs to one segment.
func flagsOf(whole wire.TCPFlags, first, last bool) wire.TCPFlags {
	if !last {
		// RFC 9293 §3.10.4: the push, and the end, are after the last byte.
		whole &^= wire.FIN | wire.PSH
	}
	if !first {
		// RFC 3168 §6.1.2: the first new data packet says that the window was cut.
		whole &^= wire.CWR
	}
	return whole
}

// putNetwork writes the length, and for IPv4 the rest that depends on it.
func (c *cutter) putNetwork(transport int, id uint16) {
	h := c.out.Head[c.network:c.start]
	if !c.ipv4 {
		// RFC 8200 §3: extension headers count as payload.
		binary.BigEndian.PutUint16(h[ipv6Payload:], uint16(len(h)-ipv6Len+transport))
		return
	}
	binary.BigEndian.PutUint16(h[ipv4Total:], uint16(len(h)+transport))
	// RFC 6864 §4.2: distinct where a segment may be fragmented again.
	binary.BigEndian.PutUint16(h[ipv4ID:], id)
	h[ipv4Sum], h[ipv4Sum+1] = 0, 0
	binary.BigEndian.PutUint16(h[ipv4Sum:], wire.Checksum(h))
}

func (c *cutter) putSum(sum uint64) {
	check := ^wire.Fold(sum)
	if c.in.CsumOffset == udpSum {
		check = wire.ForUDP(check)
	}
	binary.BigEndian.PutUint16(c.head[c.field:], check)
}

// take appends the next n bytes of the payload to pieces.
func (c *cutter) take(n int) {
	for n > 0 {
		from := c.in.Head
		if c.piece >= 0 {
			from = c.in.Body[c.piece]
		}
		from = from[c.taken:]
		if len(from) > n {
			from = from[:n]
			c.taken += n
		} else {
			c.piece++
			c.taken = 0
		}
		if len(from) > 0 {
			c.pieces = append(c.pieces, from)
		}
		n -= len(from)
	}
}
