package tcp

import (
	"time"

	"slashnet/wire"
)

// A Conn is a transmission control block. The stack finds it for a segment, and
// calls Input; a user's call goes to one of user.go. After either the stack
// drains Output and reads Deadline.
type Conn struct {
	cfg     *Config
	state   State
	passive bool  // from LISTEN, RFC 9293 MUST-11
	err     error // why it died
	soft    error // what ICMP said that did not kill it

	sendSpace
	recvSpace
	agreed

	sendq    sendq
	recvq    recvq
	sizing   sizing // of recvq
	ahead    ahead  // of sendq
	flight   flight
	charged  int  // of Memory, as the view knows
	squeezed bool // the window is shut for want of memory

	// Loss and congestion: loss.go, ack.go.
	rtt      rtt
	timed    wire.Seq // an RTT sample is due when this is acknowledged
	rack     rack
	cc       congestion
	cwnd     int
	ssthresh int
	hystart  *hystart // in the first slow start only
	phase    phase
	full     wire.Seq // what was in flight when the window last held us back
	ecn      ecn
	partial  bool     // this recovery has seen a partial acknowledgement
	recover  wire.Seq // recovery ends when this is acknowledged, RFC 6582
	prr      prr
	undo     undo
	frto     frto
	tail     tail
	dups     int // duplicate acknowledgements in a row, without SACK
	dupBytes int // what they stand for

	timers     [timers]time.Duration
	retries    int // timeouts in a row
	probes     int // window probes in a row
	keepProbes int // keep-alives in a row

	// What Output is to say besides what the queues call for.
	say  say
	rst  rst
	user options

	patience time.Duration // that the peer has asked for; 0: none

	lastRecv, lastSend      time.Duration
	progress                time.Duration // of una, or when the flight began
	zeroSince, troubleSince time.Duration
	probedAt                time.Duration // by the last window probe
	challenges              int           // in the period that began at challengeFrom
	challengeFrom           time.Duration
	count                   traffic
}

// sendSpace is RFC 9293 §3.3.1, figure 3.
type sendSpace struct {
	iss, una, nxt wire.Seq
	wnd, maxWnd   int
	wl1, wl2      wire.Seq
	mss           int      // payload and options of a segment, RFC 6691
	peerMSS       int      // as the peer said
	ipHeader      int      // 20 or 40
	mtu           int      // of the path
	linkMTU       int      // of the interface
	search        *search  // for a larger path MTU
	capMSS        int      // the user's limit
	smallEnd      wire.Seq // of the last segment that was not full: Nagle
	shift         uint8    // of the peer's window
	finQueued     bool     // FIN after what is queued
}

// recvSpace is RFC 9293 §3.3.1, figure 4.
type recvSpace struct {
	irs, rcvNxt wire.Seq
	adv         wire.Seq // right edge of the window as advertised; it never moves left
	acked       wire.Seq // last acknowledgement that was sent: Last.ACK.sent
	fin         wire.Seq // of the peer's FIN, if finSeen
	urgent      wire.Seq // one beyond the urgent data, if urgentSeen
	rcvShift    uint8
	finSeen     bool
	finTaken    bool // rcvNxt is beyond it
	urgentSeen  bool
	noReader    bool // the user reads no more: drop what comes
	closed      bool // Close was called: nobody is there any more
	hasDSACK    bool
	ownMSS      int // as we said
	rcvMSS      int // largest segment seen: what two of are acknowledged at once
	quick       int // so many segments more are acknowledged at once
	drainUntil  time.Duration
	sacks       [4]wire.SACKBlock // RFC 2018 §4: most recent first
	nsacks      int
	dsack       wire.SACKBlock // RFC 2883: to be reported once
}

// agreed is what the SYNs have agreed on.
type agreed struct {
	sackOK, tsOK, wsOK bool
	tsOffset           uint32 // RFC 7323 §5.4
	tsRecent           uint32
	tsRecentAt         time.Duration
}

// say is what Output is asked for.
type say struct {
	syn   bool // the SYN has not been sent yet
	ack   bool // an acknowledgement, now
	keep  bool // a keep-alive
	force bool // one segment, whatever the window says
	tail  bool // a tail loss probe
	open  bool // the user took bytes: look whether the window is worth an update
}

// rst is a reset to send.
type rst struct {
	due, hasAck bool
	seq, ack    wire.Seq
}

// options are the user's, over those of the Config.
type options struct {
	noDelay, cork, quickAck, keepAlive bool
	lingers                            bool
	keepIdle, keepIntvl                time.Duration
	keepCnt, retries                   int // 0: the Config's
	userTimeout                        time.Duration
	sndBuf, rcvBuf                     int
	linger                             time.Duration // with lingers
}

// traffic is counted for Stats.
type traffic struct {
	bytesIn, bytesOut, segsIn, segsOut, retrans uint64
}

// minMSS keeps a segment larger than its options: 40 bytes of them and 8 of data.
const minMSS = 48

// maxWindow keeps sequence arithmetic far from half its range, RFC 7323 §2.3.
const maxWindow = 1 << 30

// windowHeadroom is how far a receive buffer may be raised after the SYN fixed the scale.
const windowHeadroom = 4 << 20

// Setup is what the stack knows about the path of a new connection.
type Setup struct {
	ISS      wire.Seq // RFC 6528
	MTU      int      // of the route's interface
	IPHeader int      // 20 or 40
	MSS      int      // the user's limit, 0 for none
}

// NewConn makes a connection in CLOSED. rnd is a source of randomness, asked
// once.
func NewConn(cfg *Config, rnd func() uint64) *Conn {
	c := &Conn{cfg: cfg}
	c.tsOffset = uint32(rnd())
	c.rtt.rto = cfg.RTOInit
	c.ssthresh = maxWindow
	cc, err := newCongestion(cfg.CC)
	if err != nil {
		cc = new(cubic) // the stack checks the knob with ValidCC
	}
	c.cc = cc
	for t := range c.timers {
		c.timers[t] = never
	}
	return c
}

// Open begins to connect: CLOSED to SYN-SENT. RFC 9293 §3.10.1.
func (c *Conn) Open(now time.Duration, s Setup) {
	c.cfg.Counters.ActiveOpens++
	c.setUp(now, s)
	c.state = SynSent
}

// Accept answers a SYN that came to a listener: LISTEN to SYN-RECEIVED. RFC 9293
// §3.10.7.2, third.
func (c *Conn) Accept(now time.Duration, s Setup, syn *wire.TCPHeader) {
	c.cfg.Counters.PassiveOpens++
	c.called(now, s, syn)
}

// called is Accept without its being counted.
func (c *Conn) called(now time.Duration, s Setup, syn *wire.TCPHeader) {
	c.setUp(now, s)
	c.passive = true
	c.lastRecv = now
	c.peerSYN(now, syn)
	c.state = SynReceived
}

func (c *Conn) setUp(now time.Duration, s Setup) {
	c.iss, c.una, c.nxt = s.ISS, s.ISS, s.ISS
	c.recover, c.smallEnd, c.timed, c.rack.high, c.full = s.ISS, s.ISS, s.ISS, s.ISS, s.ISS
	c.sendq.start, c.sendq.end = s.ISS+1, s.ISS+1
	c.mtu, c.linkMTU, c.ipHeader, c.capMSS = s.MTU, s.MTU, s.IPHeader, s.MSS
	c.ownMSS = c.fit(s.MTU)
	c.peerMSS = c.defaultMSS()
	c.mss = min(c.peerMSS, c.ownMSS)
	c.rcvMSS = min(c.ownMSS, 536)
	c.quick = c.cfg.QuickAck
	c.sackOK, c.tsOK, c.wsOK = c.cfg.SACK, c.cfg.Timestamps, c.cfg.WScale
	c.cwnd = initialWindow(c.cfg.InitCwnd, c.mss)
	if c.cfg.WScale {
		for want := max(c.rcvLimit(), windowHeadroom); 65535<<c.rcvShift < want && c.rcvShift < 14; {
			c.rcvShift++ // RFC 7323 §2.3: 14 at most
		}
	}
	c.say.syn = true
	c.lastSend, c.progress = now, now
}

// fit is the MSS for an MTU, within the user's limit.
func (c *Conn) fit(mtu int) int {
	n := mtu - c.ipHeader - wire.TCPLen
	if c.capMSS > 0 {
		n = min(n, c.capMSS)
	}
	return min(max(n, minMSS), 65535-c.ipHeader-wire.TCPLen)
}

// defaultMSS is for a peer that does not say: RFC 9293 §3.7.1, MUST-15.
func (c *Conn) defaultMSS() int {
	if c.ipHeader == 40 {
		return 1220
	}
	return 536
}

// State is the state of the connection.
func (c *Conn) State() State { return c.state }

// Err says why the connection died; nil while it lives and after a graceful end.
func (c *Conn) Err() error { return c.err }

// die ends the connection. What the user has not read yet stays readable.
func (c *Conn) die(err error) {
	switch c.state {
	case Closed:
		return
	case SynSent, SynReceived:
		c.cfg.Counters.AttemptFails++
	case Established, CloseWait:
		if err != nil {
			c.cfg.Counters.EstabResets++
		}
	}
	c.state, c.err = Closed, err
	for t := range c.timers {
		c.timers[t] = never
	}
	c.say = say{}
	c.flight, c.una = flight{}, c.nxt
	c.sendq.free()
	c.recvq.forget()
	c.nsacks = 0
	if c.noReader {
		c.recvq.free()
	}
}

// Free lets go of every block that the connection holds. The connection must be
// CLOSED, or replaced by its TimeWait record.
func (c *Conn) Free() {
	c.sendq.free()
	c.recvq.free()
	c.flight = flight{}
	c.state = Closed
	for t := range c.timers {
		c.timers[t] = never
	}
}
