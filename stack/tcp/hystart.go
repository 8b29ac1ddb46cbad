package tcp

import (
	"time"

	"slashnet/wire"
)

// hystart is RFC 9406, HyStart++: the first slow start ends when the round trip
// begins to grow, before the queue in the network overflows. loss.go makes one
// when the window is in full use for the first time, and drops it when there is a
// threshold.
type hystart struct {
	end        wire.Seq      // this round ends when it is acknowledged
	last, this time.Duration // least round trip of the last round and of this one; 0: none
	samples    int           // in this round
	slow       bool          // in conservative slow start
	base       time.Duration // least round trip when that began
	rounds     int           // of it
}

// RFC 9406 §4.3.
const (
	hystartMinThresh = 4 * time.Millisecond
	hystartMaxThresh = 16 * time.Millisecond
	hystartDivisor   = 8
	hystartSamples   = 8
	hystartGrowth    = 4
	hystartRounds    = 5
)

// step is by how much the window may open for n acknowledged bytes; done says
// that slow start is over. sample is the round trip of the acknowledgement, or 0.
func (h *hystart) step(n int, sample time.Duration, una, nxt wire.Seq) (step int, done bool) {
	if !una.Less(h.end) {
		h.last, h.this, h.samples, h.end = h.this, 0, 0, nxt
		if h.slow {
			h.rounds++
		}
	}
	if sample > 0 {
		h.samples++
		if h.this == 0 || sample < h.this {
			h.this = sample
		}
	}
	if h.samples >= hystartSamples {
		switch thresh := min(max(h.last/hystartDivisor, hystartMinThresh), hystartMaxThresh); {
		case !h.slow && h.last > 0 && h.this >= h.last+thresh:
			h.slow, h.base, h.rounds = true, h.this, 0
		case h.slow && h.this < h.base:
			h.slow = false
		}
	}
	if !h.slow {
		return n, false
	}
	return n / hystartGrowth, h.rounds >= hystartRounds
}
