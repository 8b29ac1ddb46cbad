package wire

// The options of an IPv4 header (RFC 791 §3.1): stack inspects those that came,
// records itself in those that ask for it, and copies into fragments those that
// say so.

import (
	"encoding/binary"
	"net/netip"
)

// The kinds of IPv4 options that mean something here.
const (
	ipOptEnd    = 0
	ipOptNop    = 1
	ipOptRecord = 7
	ipOptStamp  = 68
	ipOptLoose  = 131
	ipOptStrict = 137
	ipOptCopied = 0x80 // the bit of those that every fragment has

	// ipOptPointer is where the pointer of a route or a timestamp is. It counts
	// from 1, and from the option's own beginning.
	ipOptPointer = 2
	ipOptRoute   = 3 // where the addresses of a route begin
	ipOptStamps  = 4 // where those of a timestamp begin
)

// The flags of a timestamp option.
const (
	stampsOnly   = 0
	stampsAndIPs = 1
	stampsAsked  = 3 // the sender has named who is to put his stamp
)

// RouterAlert is the option of packets that every router is to look at
// (RFC 2113).
var RouterAlert = []byte{148, 4, 0, 0}

// IPv4Options is what the options of a header ask for.
type IPv4Options struct {
	SourceRoute bool // loose or strict
	Record      bool // record route, timestamp
	// Bad is where in the header, from its beginning, an option makes no sense: the
	// pointer of an ICMP parameter problem; 0: nowhere.
	Bad int
}

// InspectIPv4Options reads the options of a header. Unknown kinds are passed over
// (RFC 1122 §3.2.1.8).
func InspectIPv4Options(options []byte) (o IPv4Options) {
	for at := 0; at < len(options) && o.Bad == 0; {
		opt, n := optionAt(options[at:])
		if opt == nil {
			if n == 0 {
				break // the end of the list
			}
			if n < 0 {
				// The length, or the kind if there is none.
				o.Bad = IPv4Len + min(at+1, len(options)-1)
				break
			}
			at += n
			continue
		}
		var bad int
		switch opt[0] {
		case ipOptRecord, ipOptLoose, ipOptStrict:
			bad = badRoute(opt)
			// RFC 1122 §3.2.1.8 (c): one source route at most.
			if opt[0] != ipOptRecord && o.SourceRoute {
				o.Bad = IPv4Len + at
			}
			o.SourceRoute = o.SourceRoute || opt[0] != ipOptRecord
			o.Record = o.Record || opt[0] == ipOptRecord
		case ipOptStamp:
			bad = badStamp(opt)
			o.Record = true
		}
		if bad != 0 && o.Bad == 0 {
			o.Bad = IPv4Len + at + bad
		}
		at += n
	}
	return o
}

// optionAt is the option that b begins with and its length. Without one: 1 for
// padding, 0 for the end of the list, -1 for a length that cannot be.
func optionAt(b []byte) (opt []byte, n int) {
	switch {
	case b[0] == ipOptEnd:
		return nil, 0
	case b[0] == ipOptNop:
		return nil, 1
	case len(b) < 2 || b[1] < 2 || int(b[1]) > len(b):
		return nil, -1
	}
	return b[:b[1]], int(b[1])
}

// badRoute is where a route is wrong, 0 if it is right: it has room for whole
// addresses, and its pointer is at one of them or past the end.
func badRoute(opt []byte) int {
	if len(opt) < ipOptRoute {
		return 1
	}
	p := int(opt[ipOptPointer]) - 1
	if p < ipOptRoute || p < len(opt) && p+4 > len(opt) {
		return ipOptPointer
	}
	return 0
}

func badStamp(opt []byte) int {
	if len(opt) < ipOptStamps {
		return 1
	}
	p, size := int(opt[ipOptPointer])-1, stampSize(opt)
	switch {
	case size == 0:
		return ipOptStamps - 1
	case p < ipOptStamps || p < len(opt) && p+size > len(opt):
		return ipOptPointer
	case p >= len(opt) && opt[3]>>4 == 0xf && opt[3]&0xf != stampsAsked:
		return ipOptStamps - 1 // RFC 791: the count of those without room is full
	}
	return 0
}

// stampSize is the length of an entry, 0 if the flag is unknown.
func stampSize(opt []byte) int {
	switch opt[3] & 0xf {
	case stampsOnly:
		return 4
	case stampsAndIPs, stampsAsked:
		return 8
	}
	return 0
}

// RecordIPv4 puts us, as addr, into the options that record a route or a time, if
// they have room. InspectIPv4Options has found them right; own says which
// addresses are ours, ms is the time since midnight UT in milliseconds.
func RecordIPv4(options []byte, addr netip.Addr, own func(netip.Addr) bool, ms uint32) {
	for at := 0; at < len(options); {
		opt, n := optionAt(options[at:])
		switch {
		case n <= 0:
			return
		case opt == nil:
		case opt[0] == ipOptRecord:
			if p := int(opt[ipOptPointer]) - 1; p+4 <= len(opt) {
				a := addr.As4()
				copy(opt[p:], a[:])
				opt[ipOptPointer] += 4
			}
		case opt[0] == ipOptStamp:
			stamp(opt, addr, own, ms)
		}
		at += n
	}
}

func stamp(opt []byte, addr netip.Addr, own func(netip.Addr) bool, ms uint32) {
	p, size, flag := int(opt[ipOptPointer])-1, stampSize(opt), opt[3]&0xf
	switch {
	case p+size > len(opt):
		if flag != stampsAsked {
			opt[3] += 1 << 4 // one more without room
		}
		return
	case flag == stampsAsked && !own(netip.AddrFrom4([4]byte(opt[p:]))):
		return
	case flag == stampsAndIPs:
		a := addr.As4()
		copy(opt[p:], a[:])
	}
	binary.BigEndian.PutUint32(opt[p+size-4:], ms)
	opt[ipOptPointer] += byte(size)
}

// CopiedOptions are the options that every fragment has, not only the first
// (RFC 791 §3.1).
func CopiedOptions(options []byte) (copied []byte) {
	return keepOptions(options, func(kind byte) bool { return kind&ipOptCopied != 0 })
}

// RecordOptions are those that record a route or a time: an echo's answer has
// them too (RFC 1122 §3.2.2.6).
func RecordOptions(options []byte) []byte {
	return keepOptions(options, func(kind byte) bool { return kind == ipOptRecord || kind == ipOptStamp })
}

// NextOnRoute is where the source route of a header leads to from here; strict:
// that must be a neighbour. Not ok: there is none, or its end is reached.
func NextOnRoute(options []byte) (next netip.Addr, strict, ok bool) {
	opt := sourceRoute(options)
	if opt == nil || int(opt[ipOptPointer]) > len(opt) {
		return next, false, false
	}
	p := int(opt[ipOptPointer]) - 1
	return netip.AddrFrom4([4]byte(opt[p:])), opt[0] == ipOptStrict, true
}

// TakeFromRoute puts us, as we are called at the next hop, in the place of the
// address that NextOnRoute has read.
func TakeFromRoute(options []byte, us netip.Addr) {
	opt, a := sourceRoute(options), us.As4()
	copy(opt[opt[ipOptPointer]-1:], a[:])
	opt[ipOptPointer] += 4
}

// ReverseRoute is the way back along a source route that has reached its end: the
// option to send, and its first hop (RFC 1122 §3.2.1.8 (c)). Without a route that
// is src, and no option.
func ReverseRoute(options []byte, src netip.Addr) (option []byte, first netip.Addr) {
	opt := sourceRoute(options)
	if opt == nil || len(opt) < ipOptRoute+4 {
		return nil, src
	}
	back := append([]byte{opt[0], opt[1]}, ipOptRoute+1)
	for at := len(opt) - 8; at >= ipOptRoute; at -= 4 {
		back = append(back, opt[at:at+4]...)
	}
	a := src.As4()
	return append(back, a[:]...), netip.AddrFrom4([4]byte(opt[len(opt)-4:]))
}

// sourceRoute is the source route among options that InspectIPv4Options has found
// right, in place.
func sourceRoute(options []byte) []byte {
	for len(options) > 0 {
		opt, n := optionAt(options)
		if n <= 0 {
			break
		}
		if opt != nil && (opt[0] == ipOptLoose || opt[0] == ipOptStrict) {
			return opt
		}
		options = options[n:]
	}
	return nil
}

func keepOptions(options []byte, keep func(kind byte) bool) (kept []byte) {
	for at := 0; at < len(options); {
		opt, n := optionAt(options[at:])
		if n <= 0 {
			break
		}
		if opt != nil && keep(opt[0]) {
			kept = append(kept, opt...)
		}
		at += n
	}
	return kept
}
