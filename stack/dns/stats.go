package dns

// Counters of a resolver. stats of the view prints them.

import (
	"fmt"
	"sync/atomic"
)

// Stats count what a resolver did, and each thing that it did not believe.
type Stats struct {
	Queries, TCP  atomic.Uint64 // sent; of them over TCP
	Hits, Shared  atomic.Uint64 // answered from what was known; by somebody else's flight
	Silent        atomic.Uint64 // no answer in time
	Refused       atomic.Uint64 // SERVFAIL, REFUSED and their kin
	Busy          atomic.Uint64 // too many look-ups at once
	Evicted       atomic.Uint64 // forgotten before their time
	Truncated     atomic.Uint64 // to be asked again over TCP
	WrongID       atomic.Uint64 // not believed, from here on
	WrongQuestion atomic.Uint64
	WrongSpelling atomic.Uint64
	Malformed     atomic.Uint64
	TooBig        atomic.Uint64
}

// note counts a datagram that was not the answer; nil is one cut short.
func (s *Stats) note(err error) {
	switch err {
	case nil:
		s.Truncated.Add(1)
	case errID:
		s.WrongID.Add(1)
	case errQuestion:
		s.WrongQuestion.Add(1)
	case errSpelling:
		s.WrongSpelling.Add(1)
	case errTooBig:
		s.TooBig.Add(1)
	default:
		s.Malformed.Add(1)
	}
}

// Stats are the counters, `Name: value` lines.
func (r *Resolver) Stats() string {
	s := &r.stats
	return fmt.Sprintf("Queries: %d\nTCP: %d\nHits: %d\nShared: %d\nSilent: %d\nRefused: %d\nBusy: %d\nEvicted: %d\nTruncated: %d\n"+
		"WrongID: %d\nWrongQuestion: %d\nWrongSpelling: %d\nMalformed: %d\nTooBig: %d\n",
		s.Queries.Load(), s.TCP.Load(), s.Hits.Load(), s.Shared.Load(), s.Silent.Load(), s.Refused.Load(), s.Busy.Load(), s.Evicted.Load(), s.Truncated.Load(),
		s.WrongID.Load(), s.WrongQuestion.Load(), s.WrongSpelling.Load(), s.Malformed.Load(), s.TooBig.Load())
}
