package stack

// The keyed hash behind sequence numbers and ports.

import (
	"crypto/sha256"
	"encoding/binary"
)

// hash is a keyed hash of a connection's name (RFC 6528 §3). use keeps the hashes
// for different purposes apart; some have numbers beside the name.
func (s *Stack) hash(use byte, t tuple, numbers ...uint64) uint64 {
	b := make([]byte, 0, 192)
	b = append(b, s.secret[:]...)
	b = append(b, use)
	l, r := t.local.Addr().As16(), t.remote.Addr().As16()
	b = append(b, l[:]...)
	b = append(b, r[:]...)
	b = binary.BigEndian.AppendUint16(b, t.local.Port())
	b = binary.BigEndian.AppendUint16(b, t.remote.Port())
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}
