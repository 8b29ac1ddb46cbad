// Package reasm puts datagrams together again from the fragments they arrive in.
//
// RFC 791 §3.2 and RFC 815 (reassembly), RFC 1122 §3.3.2 (time-out), RFC 5722
// (overlapping fragments), RFC 1858 and 3128 (attacks by tiny fragments). It
// serves both families of IP; offsets and lengths are in bytes.
//
// No fragment that overlaps another is ever kept, so a datagram is complete as
// soon as it holds as many bytes as its last fragment says it has: RFC 815's
// list of holes is not needed, only the pieces in order.
//
// Memory is bounded in all and for each source; the oldest datagrams make room.
//
// Left out on purpose: the ICMP messages (the caller sends them, from what Tick
// returns), and the header of the whole datagram (the caller makes it of First).
package reasm
