// What Add says about a fragment; the caller counts nothing itself.

package reasm

// A Verdict is what became of a fragment.
type Verdict uint8

// The verdicts.
const (
	Stored     Verdict = iota // kept: others are missing
	Done                      // the last one missing
	Duplicate                 // exactly as one that is here: ignored
	Overlap                   // it overlaps another: the datagram is dropped, with what is still to come of it
	BadEnd                    // it disagrees with others about where the datagram ends: dropped likewise
	TooBig                    // the datagram would be larger than IP allows
	Misaligned                // not a multiple of 8 bytes, though more is to follow; or no bytes at all
	Tiny                      // so small that it hides the TCP header from a filter
	TooMany                   // the datagram has too many fragments: it is dropped
	NoRoom                    // no memory, even without all older datagrams
	verdicts
)

// String names a verdict as a counter is named.
func (v Verdict) String() string {
	return [...]string{"stored", "done", "duplicate", "overlap", "badend", "toobig",
		"misaligned", "tiny", "toomany", "noroom"}[v]
}

// Stats counts fragments by verdict and datagrams that ended otherwise.
type Stats struct {
	Fragments [verdicts]uint64
	Expired   uint64 // datagrams whose time was over
	Evicted   uint64 // datagrams that made room
	Memory    int    // held now, in bytes
	Datagrams int    // held now
}
