package wire

// The extension headers of IPv6: stack walks those of every datagram that is for
// us, once when it comes and once more when it has been put together from
// fragments. Routers do not look at them (RFC 8200 §4).

import "encoding/binary"

// The extension headers that are known (RFC 8200 §4).
const (
	HopByHop           Proto = 0
	headerRouting      Proto = 43
	headerFragment     Proto = 44
	NoNext             Proto = 59 // nothing follows
	DestinationOptions Proto = 60
)

// maxExtensions bounds a walk: RFC 8200 §4.1 gives a datagram seven at most, and
// RFC 8504 §5.3 lets a host stop earlier.
const maxExtensions = 8

// maxOptions bounds the options of one header, padding not counted (RFC 8504
// §5.3).
const maxOptions = 8

// A Chain is where a walk has come to: the payload, or what of it is in a
// fragment.
type Chain struct {
	Proto    Proto
	Payload  []byte
	NextAt   int  // where in the datagram Proto stands: what Parameter problem points at
	Fragment bool // a part of a datagram: the IP header has its ID, Offset and More
}

// A Problem is why a datagram is dropped during the walk.
type Problem struct {
	Drop    bool  // it is; the zero Problem is none
	Report  bool  // its source is told: ICMPv6ParameterProblem with Code and Pointer
	ToGroup bool  // even if the datagram went to a group
	Code    uint8 // one of the codes of ICMPv6ParameterProblem
	Pointer int
}

// Walk goes over the extension headers of a datagram, of which h is the header,
// and payload what follows it. It sets ID, Offset and More of h.
func (h *IP) Walk(payload []byte) (Chain, Problem) {
	c := Chain{Proto: h.Proto, Payload: payload, NextAt: nextAt}
	at := IPv6Len // of c.Payload in the datagram
	for n := 0; ; n++ {
		switch c.Proto {
		case HopByHop, headerRouting, headerFragment, DestinationOptions:
		default:
			return c, Problem{}
		}
		if c.Proto == HopByHop && n > 0 {
			// RFC 8200 §4.1: only right behind the IPv6 header.
			return c, Problem{Drop: true, Report: true, Code: ICMPv6UnknownHeader, Pointer: c.NextAt}
		}
		length := fragmentLen
		if c.Proto != headerFragment && len(c.Payload) > 1 {
			length = 8 + 8*int(c.Payload[1])
		}
		if n == maxExtensions || len(c.Payload) < length {
			return c, Problem{Drop: true}
		}
		if p := h.extension(&c, at, length); p.Drop {
			return c, p
		}
		c.Proto, c.NextAt = Proto(c.Payload[0]), at
		c.Payload, at = c.Payload[length:], at+length
		if c.Fragment {
			return c, h.fragmented(&c)
		}
	}
}

// extension looks at one header.
func (h *IP) extension(c *Chain, at, length int) Problem {
	b := c.Payload[:length]
	switch c.Proto {
	case headerRouting:
		// RFC 5095 §3, RFC 8200 §4.4: of no type that we know.
		if b[3] != 0 {
			return Problem{Drop: true, Report: true, Code: ICMPv6ErroneousField, Pointer: at + 2}
		}
	case headerFragment:
		offset := binary.BigEndian.Uint16(b[2:])
		h.ID = binary.BigEndian.Uint32(b[4:])
		h.Offset, h.More = int(offset&^7), offset&1 != 0
		// RFC 6946 §4: a fragment that is a whole datagram is as good as none.
		c.Fragment = h.Offset != 0 || h.More
		if rest := len(c.Payload) - length; h.More && rest%8 != 0 {
			// RFC 8200 §4.5: pointing at the payload length.
			return Problem{Drop: true, Report: true, Code: ICMPv6ErroneousField, Pointer: 4}
		} else if h.Offset+rest > 0xffff {
			return Problem{Drop: true, Report: true, Code: ICMPv6ErroneousField, Pointer: at + 2}
		}
	default:
		return options(b, at)
	}
	return Problem{}
}

// headerCutOff is that a first fragment does not reach to the end of the headers
// (RFC 7112 §5, RFC 8200 §4.5).
var headerCutOff = Problem{Drop: true, Report: true, Code: ICMPv6IncompleteChain}

// fragmented checks that a first fragment has all headers, up to the payload's.
func (h *IP) fragmented(c *Chain) Problem {
	if h.Offset != 0 {
		return Problem{}
	}
	rest := IP{Proto: c.Proto}
	end, p := rest.Walk(c.Payload)
	least := 0
	switch end.Proto {
	case TCP:
		least = TCPLen
	case UDP:
		least = UDPLen
	case ICMPv6:
		least = ICMPLen
	}
	if p.Drop && !p.Report || len(end.Payload) < least {
		return headerCutOff
	}
	return Problem{} // what else there is will be found in the whole
}

// The kinds of options that are padding, and the bits of all others that say what
// is to be done by who does not know them (RFC 8200 §4.2).
const (
	optPad1        = 0
	optPadN        = 1
	optRouterAlert = 5 // RFC 2711: nothing to do for a host

	actionMask   = 3 << 6
	actionSkip   = 0 << 6
	actionDrop   = 1 << 6
	actionReport = 2 << 6 // and 3: unless it went to a group
)

// options goes over the options of a header, which begins at that place of the
// datagram.
func options(b []byte, at int) Problem {
	for i, known := 2, 0; i < len(b); {
		if b[i] == optPad1 {
			i++
			continue
		}
		if i+2 > len(b) || i+2+int(b[i+1]) > len(b) {
			return Problem{Drop: true, Report: true, Code: ICMPv6ErroneousField, Pointer: at + i}
		}
		if b[i] != optPadN {
			if known++; known > maxOptions {
				return Problem{Drop: true}
			}
			switch b[i] & actionMask {
			case actionSkip:
			case actionDrop:
				return Problem{Drop: true}
			default:
				return Problem{Drop: true, Report: true, ToGroup: b[i]&actionMask == actionReport, Code: ICMPv6UnknownOption, Pointer: at + i}
			}
		}
		i += 2 + int(b[i+1])
	}
	return Problem{}
}
