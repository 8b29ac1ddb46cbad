package tcp

import (
	"time"

	"slashnet/wire"
)

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
	MTU                 int // of the path, as far as is known
	SndWnd, RcvWnd      int
	SndBuf, RcvBuf      int // limits of the queues, as they are now
	SndScale, RcvScale  int
	SACK, Timestamps    bool
	WScale, ECN         bool
	Patience            time.Duration // that the peer has asked for, RFC 5482
	CC                  string
	BytesIn, BytesOut   uint64 // in order and acknowledged
	SegsIn, SegsOut     uint64
	Retrans             uint64        // segments sent again
	Backoff             int           // timeouts in a row without progress
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

// Stats is a picture of the connection.
func (c *Conn) Stats() Stats {
	s := Stats{
		State: c.state, QIn: c.recvq.unread, QOut: c.sendq.len(),
		InFlight: c.pipe(), Lost: c.flight.lost, SACKed: c.flight.sacked, OutOfOrder: c.recvq.behind,
		Cwnd: c.cwnd, SRTT: c.rtt.srtt, RTTVar: c.rtt.rttvar, RTO: c.rtt.rto, MinRTT: c.rack.minRTT,
		MSS: c.mss - c.optionBytes(), PeerMSS: c.peerMSS, OwnMSS: c.ownMSS, MTU: c.mtu,
		SndWnd: c.wnd, RcvWnd: int(c.adv - c.rcvNxt), SndBuf: c.sndBuf(), RcvBuf: c.rcvBuf(), SndScale: int(c.shift), RcvScale: int(c.rcvShift),
		SACK: c.sackOK, Timestamps: c.tsOK, WScale: c.wsOK, ECN: c.ecn.ok, Patience: c.patience, CC: c.cc.name(),
		BytesIn: c.count.bytesIn, BytesOut: c.count.bytesOut,
		SegsIn: c.count.segsIn, SegsOut: c.count.segsOut, Retrans: c.count.retrans,
		Backoff: c.retries, KeepProbes: c.keepProbes,
		LastRecv: c.lastRecv, LastSend: c.lastSend,
		RetransmittingSince: c.troubleSince, ZeroWindowSince: c.zeroSince,
		RexmitAt: c.at(tRexmit), DelAckAt: c.at(tDelAck), KeepAt: c.at(tKeep), WaitAt: c.at(tWait),
		FinSent: c.finSent(), FinAcked: c.finAcked(), FinReceived: c.finTaken,
		Recovery: c.phase.String(),
	}
	if c.ssthresh < maxWindow {
		s.SSThresh = c.ssthresh
	}
	if unread := c.rcvNxt - wire.Seq(c.recvq.unread); c.urgentSeen && unread.Less(c.urgent) {
		s.Urgent = int(c.urgent - unread) // RFC 9293 MUST-33
	}
	return s
}

func (c *Conn) at(t timer) time.Duration {
	if c.timers[t] == never {
		return 0
	}
	return c.timers[t]
}
