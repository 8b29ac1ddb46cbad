package wire

// The arithmetic of sequence numbers, for stack/tcp.

// A Seq is a TCP sequence number; it wraps, so compare with Less.
type Seq uint32

// Less reports whether s comes before t, modulo 2³² (RFC 9293 §3.4).
func (s Seq) Less(t Seq) bool { return int32(s-t) < 0 }

// LessEq reports whether s comes before t or is t.
func (s Seq) LessEq(t Seq) bool { return int32(s-t) <= 0 }

// Add is the sequence number n further on.
func (s Seq) Add(n int) Seq { return s + Seq(n) }

// Sub is how far s is past t; negative if it comes before.
func (s Seq) Sub(t Seq) int { return int(int32(s - t)) }
