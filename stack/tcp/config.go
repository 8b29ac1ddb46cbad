package tcp

import (
	"time"

	"slashnet/wire"
)

// Config holds every constant of the protocol that may be turned, with the
// RFC's value as default. One Config serves all connections of a view and may
// change under them: each reads it when it needs it.
type Config struct {
	RcvBuf   int // bytes that a receive queue may grow to, 4 KiB..1 GiB; RFC 7323 §2.2 bounds the window
	SndBuf   int // bytes that a send queue may grow to, 4 KiB..1 GiB
	InitCwnd int // segments of the initial window, 1..100; RFC 6928: 10

	RTOMin  time.Duration // floor of the retransmission timeout; RFC 6298 §2.4 says 1 s, everybody 200 ms
	RTOInit time.Duration // before the first sample; RFC 6298 §2.1: 1 s
	RTOMax  time.Duration // ceiling of the back-off, 60 s at least; RFC 6298 §2.5

	DelAck   time.Duration // longest wait of an acknowledgement, below 500 ms; RFC 9293 §3.8.6.3
	QuickAck int           // so many first segments are acknowledged at once, for the peer's slow start

	SACK       bool   // RFC 2018
	Timestamps bool   // RFC 7323 §3
	WScale     bool   // RFC 7323 §2
	MTUProbe   bool   // find paths that swallow what is too large, and larger ones: RFC 4821, 8899
	CC         string // "cubic" (RFC 9438) or "newreno" (RFC 5681)
	// UserTimeout says ours to the peer, and heeds his: RFC 5482, off by default as §3.1
	// wants it.
	UserTimeout bool
	ECN         string // ECNOff, ECNPassive or ECNOn; RFC 3168

	SynRetries    int // SYNs after the first: R2 of at least 3 minutes; RFC 9293 §3.8.3
	SynAckRetries int // the same for a call that nobody confirms
	Retries2      int // timeouts in a row before a connection is given up: R2, at least 100 s

	FinWait2       time.Duration // how long a closed connection waits for the peer's FIN
	TimeWait       time.Duration // 2 MSL; RFC 9293 §3.4.2 says 4 minutes, everybody 60 s
	CloseDrain     time.Duration // input after Close is read and dropped so long; 0: RST at once, RFC 9293 §3.6.1
	ChallengeLimit int           // challenge ACKs per connection in 5 s; RFC 5961 §7

	KeepIdle  time.Duration // silence before the first keep-alive; RFC 9293 §3.8.4: 2 h
	KeepIntvl time.Duration // between keep-alives
	KeepCnt   int           // unanswered keep-alives that end a connection

	// Alloc gives a block of at least n bytes, with one holder, for bytes that are
	// copied into a queue. The stack puts its pool here.
	Alloc func(n int) *wire.Buf

	// Spare is how much more memory the connections of the view may hold together;
	// nil: as much as they like. Each tells by Charge what it holds.
	Spare func() int

	// Challenge reports whether one more challenge ACK may leave the view; nil: each
	// connection has its own limit alone.
	Challenge func() bool

	// Counters are those of the view.
	Counters *Counters
}

// DefaultConfig is a Config as the RFCs, or where they are old the running
// Internet, would have it.
func DefaultConfig() *Config {
	return &Config{
		RcvBuf:         6 << 20,
		SndBuf:         6 << 20,
		InitCwnd:       10,
		RTOMin:         200 * time.Millisecond,
		RTOInit:        time.Second,
		RTOMax:         120 * time.Second,
		DelAck:         40 * time.Millisecond,
		QuickAck:       16,
		SACK:           true,
		Timestamps:     true,
		WScale:         true,
		MTUProbe:       true,
		CC:             "cubic",
		ECN:            ECNPassive,
		SynRetries:     7,
		SynAckRetries:  5,
		Retries2:       15,
		FinWait2:       60 * time.Second,
		TimeWait:       60 * time.Second,
		CloseDrain:     2 * time.Second,
		ChallengeLimit: 10,
		KeepIdle:       2 * time.Hour,
		KeepIntvl:      75 * time.Second,
		KeepCnt:        9,
		Alloc:          func(n int) *wire.Buf { return wire.NewBuf(make([]byte, n), nil) },
		Counters:       new(Counters),
	}
}

// Counters count, for a whole view, what went wrong on the wire and what was
// done about it. Each segment that is dropped is counted by its reason.
type Counters struct {
	ActiveOpens, PassiveOpens, AttemptFails, EstabResets uint64
	InSegs                                               uint64 // counted by the stack: some find no connection
	OutSegs, OutRsts                                     uint64 // as on the wire, so a GSO segment is many

	CookiesSent    uint64 // SYNs answered with a cookie, RFC 4987
	CookiesTaken   uint64 // connections made of one that came back
	CookiesRefused uint64 // ACKs whose cookie was wrong or old

	RetransSegs     uint64 // segments sent again, as on the wire
	RetransTimeouts uint64 // expiries of the retransmission timer
	FastRecovery    uint64 // times that loss was found without the timer
	TailProbes      uint64 // RFC 8985 §7
	SpuriousUndone  uint64 // retransmissions that proved needless, RFC 3522
	WindowProbes    uint64
	KeepAlives      uint64
	TimedOut        uint64 // connections given up

	DupAcks       uint64 // duplicate acknowledgements received
	SACKReneges   uint64 // SACKed data that a timeout made us forget
	BadSACK       uint64 // SACK blocks outside of what was sent
	DSACKs        uint64 // duplicates that the peer reported
	CEMarks       uint64 // segments that a router had marked, RFC 3168
	ECNReductions uint64 // times that we slowed down for such marks
	MTUProbes     uint64 // segments larger than was known to pass, RFC 4821
	BlackHoles    uint64 // paths that seemed to swallow segments of full size
	DelayedAcks   uint64 // acknowledgements sent by their timer
	ChallengeAcks uint64 // RFC 5961
	ChallengeHeld uint64 // challenge ACKs that the limit withheld

	OutOfOrder      uint64 // segments kept for later
	OutOfOrderDrops uint64 // those that found no room
	NoMemory        uint64 // segments in order that the view had no memory for: the peer sends them again
	Duplicates      uint64 // segments dropped: all of it was there already
	OutsideWindow   uint64 // dropped: beyond the window
	TrimmedBytes    uint64 // bytes cut off segments that reached beyond the window
	PAWSDropped     uint64 // dropped: old timestamp, RFC 7323 §5
	NoTimestamp     uint64 // dropped: timestamp missing, RFC 7323 §3.2
	BadAck          uint64 // dropped: acknowledges what is out of range, RFC 5961 §5
	BadSyn          uint64 // SYN on a live connection, RFC 5961 §4
	BadRst          uint64 // RST not exactly in place, RFC 5961 §3
	NoAck           uint64 // dropped: no ACK bit
	AfterClose      uint64 // data for nobody: read and dropped, or answered by RST
	DeadSegments    uint64 // dropped: the connection is over
}
