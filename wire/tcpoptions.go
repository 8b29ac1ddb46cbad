package wire

// The options of TCP: ParseTCP and TCPHeader.Put work through them.

import "encoding/binary"

// TCPOptions are the options that the stack knows. The zero value has none.
type TCPOptions struct {
	MSS           uint16 // 0: absent
	HasWScale     bool
	WScale        uint8
	SACKPermitted bool
	HasTimestamps bool
	TSVal, TSEcr  uint32
	SACK          [4]SACKBlock
	SACKs         int // how many of SACK are there
	UserTimeout   int // seconds (RFC 5482); 0: absent. Beyond 9 hours it is whole minutes
}

// A SACKBlock is a run of sequence space that has arrived (RFC 2018 §3).
type SACKBlock struct{ Left, Right Seq }

// MaxWScale is the largest shift of the window (RFC 7323 §2.3).
const MaxWScale = 14

// The kinds of options (RFC 9293 §3.1, RFC 7323 §2.2 and §3.2, RFC 2018 §2 and
// §3), and the lengths that they have.
const (
	optEnd           = 0
	optNop           = 1
	optMSS           = 2
	optWScale        = 3
	optSACKPermitted = 4
	optSACK          = 5
	optTimestamps    = 8
	optUserTimeout   = 28 // RFC 5482 §3

	lenMSS           = 4
	lenWScale        = 3
	lenSACKPermitted = 2
	lenSACK          = 2 // and 8 for each block
	lenSACKBlock     = 8
	lenTimestamps    = 10
	lenUserTimeout   = 4

	// userTimeoutMinutes is the bit that makes minutes of the seconds.
	userTimeoutMinutes = 1 << 15
)

// get decodes what stands between header and payload. It goes forward by at
// least a byte a turn, and stops at the first length that cannot be: what was
// understood till then counts (RFC 9293 §3.1, MUST-7).
func (o *TCPOptions) get(b []byte) {
	for len(b) > 0 && b[0] != optEnd {
		if b[0] == optNop {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return
		}
		o.getOne(b[0], b[2:b[1]])
		b = b[b[1]:]
	}
}

// getOne decodes one option. A kind that is unknown, or known with another
// length, is passed over (RFC 9293 §3.1, MUST-6).
func (o *TCPOptions) getOne(kind byte, b []byte) {
	switch n := len(b) + 2; {
	case kind == optMSS && n == lenMSS:
		o.MSS = binary.BigEndian.Uint16(b)
	case kind == optWScale && n == lenWScale:
		// RFC 7323 §2.3: a larger shift is taken for 14.
		o.HasWScale, o.WScale = true, min(b[0], MaxWScale)
	case kind == optSACKPermitted && n == lenSACKPermitted:
		o.SACKPermitted = true
	case kind == optTimestamps && n == lenTimestamps:
		o.HasTimestamps = true
		o.TSVal = binary.BigEndian.Uint32(b[0:])
		o.TSEcr = binary.BigEndian.Uint32(b[4:])
	case kind == optUserTimeout && n == lenUserTimeout:
		v := int(binary.BigEndian.Uint16(b))
		if o.UserTimeout = v &^ userTimeoutMinutes; v&userTimeoutMinutes != 0 {
			o.UserTimeout *= 60
		}
	case kind == optSACK && len(b)%lenSACKBlock == 0:
		// 40 bytes of options have no room for a fifth block.
		o.SACKs, o.SACK = len(b)/lenSACKBlock, [4]SACKBlock{}
		for i := range o.SACKs {
			o.SACK[i].Left = Seq(binary.BigEndian.Uint32(b[lenSACKBlock*i:]))
			o.SACK[i].Right = Seq(binary.BigEndian.Uint32(b[lenSACKBlock*i+4:]))
		}
	}
}

// Every option is put so that it ends at a multiple of 4, with NOPs before it:
// the layout of RFC 7323 appendix A, which receivers have a fast path for.
// A SYN's SACK-permitted takes the place of the NOPs before the timestamps.
const (
	padded4Bytes = 4 // MSS; UserTimeout; NOP and WScale; NOP, NOP and SACKPermitted
	paddedStamps = 2 + lenTimestamps
	paddedSACK   = 2 + lenSACK
)

// room is what the fixed options take, and how many SACK blocks fit beside
// them. The last ones are left out: the first is the newest (RFC 2018 §4).
func (o *TCPOptions) room() (fixed, blocks int) {
	if o.MSS != 0 {
		fixed += padded4Bytes
	}
	if o.HasWScale {
		fixed += padded4Bytes
	}
	if o.UserTimeout != 0 {
		fixed += padded4Bytes
	}
	switch {
	case o.HasTimestamps:
		fixed += paddedStamps
	case o.SACKPermitted:
		fixed += padded4Bytes
	}
	free := MaxTCPLen - TCPLen - fixed - paddedSACK
	return fixed, max(0, min(o.SACKs, len(o.SACK), free/lenSACKBlock))
}

func (o *TCPOptions) len() int {
	n, blocks := o.room()
	if blocks > 0 {
		n += paddedSACK + lenSACKBlock*blocks
	}
	return n
}

// put fills b, which has the length that len said.
func (o *TCPOptions) put(b []byte) {
	if o.MSS != 0 {
		b[0], b[1] = optMSS, lenMSS
		binary.BigEndian.PutUint16(b[2:], o.MSS)
		b = b[padded4Bytes:]
	}
	switch {
	case o.HasTimestamps:
		b[0], b[1] = optNop, optNop
		if o.SACKPermitted {
			b[0], b[1] = optSACKPermitted, lenSACKPermitted
		}
		b[2], b[3] = optTimestamps, lenTimestamps
		binary.BigEndian.PutUint32(b[4:], o.TSVal)
		binary.BigEndian.PutUint32(b[8:], o.TSEcr)
		b = b[paddedStamps:]
	case o.SACKPermitted:
		b[0], b[1], b[2], b[3] = optNop, optNop, optSACKPermitted, lenSACKPermitted
		b = b[padded4Bytes:]
	}
	if o.HasWScale {
		b[0], b[1], b[2], b[3] = optNop, optWScale, lenWScale, o.WScale
		b = b[padded4Bytes:]
	}
	if v := o.UserTimeout; v != 0 {
		if v >= userTimeoutMinutes {
			v = min(v/60, userTimeoutMinutes-1) | userTimeoutMinutes
		}
		b[0], b[1] = optUserTimeout, lenUserTimeout
		binary.BigEndian.PutUint16(b[2:], uint16(v))
		b = b[padded4Bytes:]
	}
	if _, blocks := o.room(); blocks > 0 {
		b[0], b[1], b[2] = optNop, optNop, optSACK
		b[3] = byte(lenSACK + lenSACKBlock*blocks)
		for i, block := range o.SACK[:blocks] {
			binary.BigEndian.PutUint32(b[paddedSACK+lenSACKBlock*i:], uint32(block.Left))
			binary.BigEndian.PutUint32(b[paddedSACK+lenSACKBlock*i+4:], uint32(block.Right))
		}
	}
}
