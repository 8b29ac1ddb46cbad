// Package dialogue reads segment scripts and plays them: a scripted peer, its
// segments and ours, the calls of our user, and time. A script asks for one
// behaviour of one clause of an RFC; it knows of the stack only what the wire and
// the user can see, so it is played against the bare engine in virtual time
// (stack/tcp, TestSegmentScripts) and against a mounted daemon over a TAP in real
// time (package test, TestSegmentScripts, by test/play; those that take longer than
// seconds by scripts/soak). The scripts are stack/tcp/testdata/scripts/*.txtar.
//
// # Notation
//
// A file is a text archive: what is asked, in words; then, if the defaults of Base
// are not what it wants, knobs as the file ctl takes them; then the script, line
// by line. It is named after its clause.
//
//	The RST is in the window, but not exactly in place: it is not believed.
//	-- knobs --
//	tcp.delack 200ms
//	-- script --
//	open
//	expect S 0
//	inject S. 0 ack 1 mss $mss
//	expect . 1 ack 1
//	inject R 5
//	expect . 1 ack 1             # challenge ACK
//	state Established
//
// A segment begins with its flags, S F R P . (ACK) U E C, or - for none, and its
// sequence numbers: from each side's ISN, as FROM:TO when there is payload. Then
// come, in any order:
//
//	ack N           win N          urg N          mss N          ws N
//	sackok          sack N:N,N:N   ts             ts N           ecr N
//	ce              ect            options HEX
//
// An expectation compares what it mentions, and always flags (but P, unless it is
// there), sequence numbers and payload; nomss, nows, nosackok, nosack, nots and
// noect want the absence. A segment of the peer has a window of 65535, and no
// option that is not mentioned. ts is the time of the peer's clock with our last
// timestamp for an echo; ts N counts from the peer's base, ecr N from our first
// timestamp or, expected, from the peer's base. ce is the router's mark and ect
// our leave to mark, both of the IP header; options are bytes behind all others.
//
// Numbers are sums and products: $mss is what our MTU of 1500 allows, 1460 or 1440.
//
//	inject SEGMENT           a segment of the peer arrives
//	toobig MTU N             a router's message about our segment at N
//	expect SEGMENT           our next one, now
//	expect in TIME SEGMENT   so long after the last event, and nothing before
//	expect data FROM:TO      segments, none larger than $mss, of all these bytes in order
//	expect nothing           we have said nothing more
//	expect nothing for TIME  and go on saying nothing
//	advance TIME             time goes by
//	open, listen, accept     the user's calls; only passive scripts listen and accept
//	write N, read N          bytes of the streams, the right ones
//	read eof, read nothing
//	close, shutdown, abort   both directions, ours alone, by RST
//	ctl VERB ARGUMENTS       a verb of the file ctl
//	fails ERRNO              the connection, or the attempt, has ended for this reason
//	state NAME               as the file status spells it
//	family 4                 this script is for IPv4 alone (or 6)
//
// Left out on purpose: more than one connection at a time, and anything below or
// beside TCP but these two bits and one message.
package dialogue
