// Package tcp is one end of one TCP connection, as a value: segments and calls
// of the user go in, segments to send come out, and the time is an argument.
//
// A Conn has three verbs for anything with time, Input, Tick and Deadline, and
// Output, where it has something to say. Nothing is sent from Input or from a
// call of the user: they change the control block, and Output looks at it and
// decides. So one acknowledgement answers a whole batch of frames, and data that
// was written in the meantime carries it.
//
//	input.go    a segment arrives: RFC 9293 §3.10.7, step by step
//	handshake.go, ack.go, text.go, close.go   what the steps do
//	flight.go, loss.go, frto.go, rtt.go   what is on its way
//	congestion.go, cubic.go, hystart.go, ecn.go   and how much of it may be
//	sendq.go, recvq.go   the bytes, in the blocks they came in
//	autotune.go  and how many of them there may be
//	output.go, transmit.go   the next segment to send
//	pmtu.go     how large it may be
//	timers.go   what happens when nothing happens
//	user.go     the calls of the user
//	timewait.go, refuse.go   segments for connections that are over, or never were
//	uto.go      how long the peer wants us to be patient
//	cookie.go   calls to a listener that is flooded
//
// RFC 9293, with 1122 and 5961; 6298 (timer); 7323 (window scale, timestamps,
// PAWS); 2018 and 2883 (SACK), 6675 (pipe), 8985 (RACK-TLP), 9937 (PRR), 6582
// (NewReno, without SACK), 3042; 5681, 6928, 9438 (CUBIC), 9406 (HyStart++); 3522, 4015
// and 5682 (needless timeouts); 1337 and 6191 (TIME-WAIT); 4987 (SYN cookies); 3168
// (ECN); 5482 (user timeout); 1191, 8201, 4821 and 8899 (path MTU).
//
// Left out on purpose: sending urgent data (RFC 6093), fast open (RFC 7413), TCP-MD5
// and TCP-AO. Data on a SYN is not taken; the peer sends it again. A window that was
// not in use does not grow, and falls to the initial one after a pause (RFC 5681
// §4.1); the experiment of RFC 7661, to keep it for minutes, is not made. A peer whose
// window stays shut is kept, as RFC 6429 §2 wants it of TCP: its user may hang up.
//
// Of what RFC 9293 lets us choose: there is no PUSH call, the end of what is queued
// is always pushed; no flush, but Abort; no byte of garbage in a keep-alive; and no
// IP options. test/requirements has each requirement, its test or its decision.
//
// # RFC 9293 §3.10 and its functions
//
//	§3.10.1    OPEN             Open, Accept
//	§3.10.2    SEND             Write, WriteBuf; transmit
//	§3.10.3    RECEIVE          Read, Take, Peek, Unread, EOF
//	§3.10.4    CLOSE            Close, CloseWrite, CloseRead
//	§3.10.5    ABORT            Abort
//	§3.10.6    STATUS           Stats, State, Err, SoftErr
//	§3.10.7    SEGMENT ARRIVES  Input
//	§3.10.7.1  CLOSED           RefuseSegment
//	§3.10.7.2  LISTEN           ListenSegment, Accept, peerSYN
//	§3.10.7.3  SYN-SENT         inputSynSent, peerSYN, establish
//	§3.10.7.4  other states     input, inputTimeWait
//	           first, sequence  fresh, inWindow, stray, challenge
//	           second, RST      inputRST
//	           third, security  there is none
//	           fourth, SYN      inputSYN
//	           fifth, ACK       checkAck, acceptAck, updateWindow, progressed
//	           sixth, URG       steps678
//	           seventh, text    text, inOrder, outOfOrder; ackDue
//	           eighth, FIN      inputFIN, enterTimeWait
//	§3.10.8    TIMEOUTS         Tick: giveUp (user), timedOut (retransmission), die (TIME-WAIT)
//
// Nothing here has a lock, a goroutine or a clock, knows an address or a port,
// or does I/O. The caller serialises the calls.
package tcp
