package dialogue

// Segments, as a script writes them and as the wire has them. This codec is not
// package wire's: it must not share its mistakes.

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The control bits.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
	urg
	ece
	cwr
)

const flagLetters = "FSRP.UEC"

// A Segment is one on the wire. Ports and checksums are the carrier's.
type Segment struct {
	Flags       byte
	Seq, Ack    uint32
	Window      uint16
	Urgent      uint16
	Options     []byte
	Payload     []byte
	Marked, ECT bool // CE, and ECT(0), of the IP header
}

const headerLen = 20

// Bytes is the segment with its ports, and a checksum of zero.
func (s *Segment) Bytes(src, dst uint16) []byte {
	options := s.Options
	for len(options)%4 != 0 {
		options = append(slices.Clip(options), 0)
	}
	b := make([]byte, headerLen, headerLen+len(options)+len(s.Payload))
	binary.BigEndian.PutUint16(b[0:], src)
	binary.BigEndian.PutUint16(b[2:], dst)
	binary.BigEndian.PutUint32(b[4:], s.Seq)
	binary.BigEndian.PutUint32(b[8:], s.Ack)
	b[12], b[13] = byte((headerLen+len(options))/4)<<4, s.Flags
	binary.BigEndian.PutUint16(b[14:], s.Window)
	binary.BigEndian.PutUint16(b[18:], s.Urgent)
	return append(append(b, options...), s.Payload...)
}

// FromBytes reads a segment and its ports.
func FromBytes(b []byte) (s *Segment, src, dst uint16, err error) {
	if len(b) < headerLen || int(b[12]>>4)*4 < headerLen || int(b[12]>>4)*4 > len(b) {
		return nil, 0, 0, fmt.Errorf("%d bytes are no segment", len(b))
	}
	n := int(b[12]>>4) * 4
	return &Segment{
		Flags: b[13], Seq: binary.BigEndian.Uint32(b[4:]), Ack: binary.BigEndian.Uint32(b[8:]),
		Window: binary.BigEndian.Uint16(b[14:]), Urgent: binary.BigEndian.Uint16(b[18:]),
		Options: b[headerLen:n], Payload: b[n:],
	}, binary.BigEndian.Uint16(b[0:]), binary.BigEndian.Uint16(b[2:]), nil
}

// The kinds of options.
const (
	optMSS    = 2
	optScale  = 3
	optSACKOK = 4
	optSACK   = 5
	optStamps = 8
)

// Cut is the segment in pieces of at most n bytes of payload, as a NIC cuts it.
func (s *Segment) Cut(n int) (pieces []*Segment) {
	if n <= 0 || len(s.Payload) <= n {
		return []*Segment{s}
	}
	for off := 0; off < len(s.Payload); off += n {
		p := *s
		p.Payload = s.Payload[off:min(off+n, len(s.Payload))]
		p.Seq += uint32(off)
		if off > 0 {
			p.Flags &^= cwr
		}
		if off+n < len(s.Payload) {
			p.Flags &^= fin | psh
		}
		pieces = append(pieces, &p)
	}
	return pieces
}

// option is the body of an option, nil if it is absent.
func (s *Segment) option(kind byte) []byte {
	for b := s.Options; len(b) > 0 && b[0] != 0; {
		if b[0] == 1 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || int(b[1]) < 2 || int(b[1]) > len(b) {
			return nil
		}
		if b[0] == kind {
			return b[2:b[1]:b[1]]
		}
		b = b[b[1]:]
	}
	return nil
}

// A wording is a segment as a script writes it; fields that are not mentioned are
// absent from has.
type wording struct {
	flags    byte
	from, to int
	has      map[string]int
	sack     [][2]int
	options  []byte
}

// numbered are the words that a number follows.
var numbered = map[string]bool{"ack": true, "win": true, "urg": true, "mss": true, "ws": true, "ecr": true}

var bare = map[string]bool{"sackok": true, "ce": true, "ect": true, "noect": true, "nomss": true, "nows": true, "nosackok": true, "nosack": true, "nots": true}

func parseSegment(words []string, mss int) (*wording, error) {
	if len(words) < 2 {
		return nil, fmt.Errorf("%q: flags and sequence numbers are wanted", words)
	}
	w := &wording{has: map[string]int{}}
	for _, x := range strings.Trim(words[0], "-") {
		i := strings.IndexRune(flagLetters, x)
		if i < 0 {
			return nil, fmt.Errorf("flag %q: one of %s is wanted", x, flagLetters)
		}
		w.flags |= 1 << i
	}
	var err error
	if w.from, w.to, err = span(words[1], mss); err != nil {
		return nil, err
	}
	for rest := words[2:]; len(rest) > 0; {
		word := rest[0]
		rest = rest[1:]
		switch {
		case bare[word]:
			w.has[word] = 1
		case word == "ts":
			w.has["ts"] = 1
			if len(rest) > 0 {
				if n, err := number(rest[0], mss); err == nil {
					w.has["tsval"] = n
					rest = rest[1:]
				}
			}
		case len(rest) == 0:
			return nil, fmt.Errorf("what is %q?", word)
		case numbered[word]:
			if w.has[word], err = number(rest[0], mss); err != nil {
				return nil, err
			}
			rest = rest[1:]
		case word == "sack":
			w.has["sack"] = 1
			for _, block := range strings.Split(rest[0], ",") {
				from, to, err := span(block, mss)
				if err != nil {
					return nil, err
				}
				w.sack = append(w.sack, [2]int{from, to})
			}
			rest = rest[1:]
		case word == "options":
			if w.options, err = hex.DecodeString(rest[0]); err != nil {
				return nil, err
			}
			rest = rest[1:]
		default:
			return nil, fmt.Errorf("what is %q?", word)
		}
	}
	if _, said := w.has["ack"]; said != (w.flags&ack != 0) {
		return nil, fmt.Errorf("%q: ack and the flag . go together", strings.Join(words, " "))
	}
	return w, nil
}

// span is FROM:TO, or FROM alone.
func span(text string, mss int) (from, to int, err error) {
	a, b, wide := strings.Cut(text, ":")
	if from, err = number(a, mss); err != nil || !wide {
		return from, from, err
	}
	to, err = number(b, mss)
	return from, to, err
}

// number is a sum of products of numbers and $mss.
func number(text string, mss int) (int, error) {
	total := 0
	for _, term := range strings.Split(strings.ReplaceAll(text, "-", "+-"), "+") {
		if term == "" && strings.HasPrefix(text, "-") && total == 0 {
			continue
		}
		product := 1
		if rest, negative := strings.CutPrefix(term, "-"); negative {
			product, term = -1, rest
		}
		for _, factor := range strings.Split(term, "*") {
			n := mss
			if factor != "$mss" {
				var err error
				if n, err = strconv.Atoi(factor); err != nil {
					return 0, fmt.Errorf("%q is no number", text)
				}
			}
			product *= n
		}
		total += product
	}
	return total, nil
}
