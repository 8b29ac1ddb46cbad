package tcp

import "time"

// Stats is all that `status` and `why` want to know of a connection. Times are
// on the view's clock; those of events that never came are 0.
type Stats struct {
	State               State
	QIn, QOut           int // unread, and unsent or unacknowledged bytes
	InFlight            int // sent and neither acknowledged nor known to be lost or arrived
	Lost, SACKed        int // bytes
	OutOfOrder          int // bytes kept behind a hole
	Cwnd, SSThresh      int // bytes; SSThresh is 0 before the first loss
	SRTT, RTTVar, RTO   time.Duration
	MinRTT              time.Duration
	MSS                 int // payload of a full segment
	PeerMSS, OwnMSS     int // as said in the SYNs
	SndWnd, RcvWnd      int
	SndScale, RcvScale  int
	SACK, Timestamps    bool
	WScale              bool
	CC                  string
	BytesIn, BytesOut   uint64 // in order and acknowledged
	SegsIn, SegsOut     uint64
	Retrans             uint64        // segments sent again
	Backoff             int           // timeouts in a row without progress: R1 is 3
	KeepProbes          int           // keep-alives without an answer
	Urgent              int           // unread bytes up to the urgent pointer
	LastRecv, LastSend  time.Duration // any segment
	RetransmittingSince time.Duration // start of the present trouble
	ZeroWindowSince     time.Duration // the peer's window has been shut since
	RexmitAt, DelAckAt  time.Duration // timers
	KeepAt, WaitAt      time.Duration
	FinSent, FinAcked   bool
	FinReceived         bool
	Recovery            string // "open", "recovery", "loss"
}
