package wire

// The messages of neighbour discovery (RFC 4861): package ndp decides what they
// do, stack sends them. A message is the Rest of an ICMPv6 header and what
// follows it.

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// The kinds of options (RFC 4861 §4.6, RFC 8106 §5).
const (
	ndSourceMAC = 1
	ndTargetMAC = 2
	ndPrefix    = 3
	ndMTU       = 5
	ndRDNSS     = 25

	lenNDMAC    = 8
	lenNDPrefix = 32
)

// maxND bounds each kind of what a router may list: more is not looked at.
const maxND = 16

// NDOptions are the options of a message that the stack knows.
type NDOptions struct {
	SourceMAC, TargetMAC MAC // zero: absent
	Prefixes             []NDPrefix
	MTU                  uint32 // 0: absent
	Servers              []NDServer
}

// An NDPrefix is what a router says of a prefix (RFC 4861 §4.6.2).
type NDPrefix struct {
	Prefix           netip.Prefix
	OnLink, Auto     bool
	Valid, Preferred time.Duration // NDForever: for ever
}

// An NDServer is a name server that a router knows (RFC 8106 §5.1).
type NDServer struct {
	Addr     netip.Addr
	Lifetime time.Duration
}

// NDForever is the lifetime of all ones.
const NDForever = time.Duration(0xffffffff) * time.Second

// A NeighbourMessage is a solicitation or an advertisement of one address.
type NeighbourMessage struct {
	Target                      netip.Addr
	Router, Solicited, Override bool // of an advertisement
	NDOptions
}

const (
	flagRouter    = 1 << 31
	flagSolicited = 1 << 30
	flagOverride  = 1 << 29
)

// ParseNeighbour reads a solicitation, an advertisement, or the target of a
// redirect. b is what follows the header.
func ParseNeighbour(h ICMPHeader, b []byte) (m NeighbourMessage, err error) {
	if len(b) < 16 {
		return m, ErrShort
	}
	m.Target = netip.AddrFrom16([16]byte(b))
	m.Router, m.Solicited, m.Override = h.Rest&flagRouter != 0, h.Rest&flagSolicited != 0, h.Rest&flagOverride != 0
	return m, m.NDOptions.get(b[16:])
}

// Put writes the message without its ICMPv6 header, whose Rest it returns, and
// with one MAC: of the target if it is an advertisement, else of the source, if
// there is any. b has room for LenNeighbour bytes.
func (m *NeighbourMessage) Put(b []byte) (rest uint32, length int) {
	a := m.Target.As16()
	copy(b[:16], a[:])
	if m.Router {
		rest |= flagRouter
	}
	if m.Solicited {
		rest |= flagSolicited
	}
	if m.Override {
		rest |= flagOverride
	}
	switch {
	case m.TargetMAC != MAC{}:
		return rest, 16 + putMAC(b[16:], ndTargetMAC, m.TargetMAC)
	case m.SourceMAC != MAC{}:
		return rest, 16 + putMAC(b[16:], ndSourceMAC, m.SourceMAC)
	}
	return rest, 16
}

// LenNeighbour is the length of what NeighbourMessage.Put writes, at most.
const LenNeighbour = 16 + lenNDMAC

// PutRouterSolicitation writes what follows the header of one.
func PutRouterSolicitation(b []byte, source MAC) (length int) {
	if source == (MAC{}) {
		return 0
	}
	return putMAC(b, ndSourceMAC, source)
}

func putMAC(b []byte, kind byte, m MAC) int {
	b = b[:lenNDMAC]
	b[0], b[1] = kind, lenNDMAC/8
	copy(b[2:], m[:])
	return lenNDMAC
}

// A RouterMessage is a router advertisement (RFC 4861 §4.2).
type RouterMessage struct {
	HopLimit           uint8 // 0: it does not say; so for all that follow
	Managed, Other     bool  // ask DHCPv6
	Lifetime           time.Duration
	Reachable, Retrans time.Duration
	NDOptions
}

// ParseRouter reads a router advertisement.
func ParseRouter(h ICMPHeader, b []byte) (m RouterMessage, err error) {
	if len(b) < 8 {
		return m, ErrShort
	}
	m.HopLimit = uint8(h.Rest >> 24)
	m.Managed, m.Other = h.Rest&(1<<23) != 0, h.Rest&(1<<22) != 0
	m.Lifetime = time.Duration(uint16(h.Rest)) * time.Second
	m.Reachable = time.Duration(binary.BigEndian.Uint32(b)) * time.Millisecond
	m.Retrans = time.Duration(binary.BigEndian.Uint32(b[4:])) * time.Millisecond
	return m, m.NDOptions.get(b[8:])
}

// ParseRouterSolicitation reads what follows the header of one.
func ParseRouterSolicitation(b []byte) (o NDOptions, err error) { return o, o.get(b) }

// A RedirectMessage says that a destination has a better first hop (RFC 4861
// §4.5).
type RedirectMessage struct {
	Target, Destination netip.Addr
	NDOptions
}

// ParseRedirect reads a redirect.
func ParseRedirect(b []byte) (m RedirectMessage, err error) {
	if len(b) < 32 {
		return m, ErrShort
	}
	m.Target, m.Destination = netip.AddrFrom16([16]byte(b)), netip.AddrFrom16([16]byte(b[16:]))
	return m, m.NDOptions.get(b[32:])
}

// get reads the options. RFC 4861 §6.1.2, §7.1: one of length zero spoils the
// message; unknown kinds, and known ones of another length, are passed over.
func (o *NDOptions) get(b []byte) error {
	for len(b) > 0 {
		if len(b) < 2 || b[1] == 0 || 8*int(b[1]) > len(b) {
			return ErrLength
		}
		o.getOne(b[0], b[:8*int(b[1])])
		b = b[8*int(b[1]):]
	}
	return nil
}

func (o *NDOptions) getOne(kind byte, b []byte) {
	seconds := func(at int) time.Duration { return time.Duration(binary.BigEndian.Uint32(b[at:])) * time.Second }
	switch {
	case kind == ndSourceMAC && len(b) == lenNDMAC:
		o.SourceMAC = MAC(b[2:])
	case kind == ndTargetMAC && len(b) == lenNDMAC:
		o.TargetMAC = MAC(b[2:])
	case kind == ndMTU && len(b) == 8:
		o.MTU = binary.BigEndian.Uint32(b[4:])
	case kind == ndPrefix && len(b) == lenNDPrefix && len(o.Prefixes) < maxND:
		p, err := netip.AddrFrom16([16]byte(b[16:])).Prefix(int(b[2]))
		if err == nil {
			o.Prefixes = append(o.Prefixes, NDPrefix{p, b[3]&(1<<7) != 0, b[3]&(1<<6) != 0, seconds(4), seconds(8)})
		}
	case kind == ndRDNSS && len(b) >= 24:
		// RFC 8106 §5.1: addresses behind eight bytes.
		for rest := b[8:]; len(rest) >= 16 && len(o.Servers) < maxND; rest = rest[16:] {
			o.Servers = append(o.Servers, NDServer{netip.AddrFrom16([16]byte(rest)), seconds(4)})
		}
	}
}
