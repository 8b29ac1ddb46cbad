package stack

// What users do to TCP conversations: op.go's operations and ctl.go's verbs come
// here through the protocol's row.

import (
	"net/netip"
	"time"

	"slashnet/stack/neterr"
	"slashnet/stack/tcp"
	"slashnet/wire"
)

// tcpOptions are the settings of a conversation that its engine will have; they
// can be made before there is one.
type tcpOptions struct {
	noDelay, cork, quickAck bool
	keepAlive               bool
	keepIdle, keepIntvl     time.Duration
	keepCount               int
	userTimeout             time.Duration
	retries                 int // 0: the knob's; below 0: for ever
	sndBuf, rcvBuf, mss     int
	linger                  time.Duration
	lingerOn                bool
	cc                      string
	writeShut               bool // shutdown wr
}

// apply sets what is not the default.
func (o *tcpOptions) apply(t *tcp.Conn, now time.Duration) {
	t.SetNoDelay(o.noDelay)
	t.SetCork(o.cork)
	if o.quickAck {
		t.SetQuickAck(true)
	}
	if o.keepIdle > 0 {
		t.SetKeepIdle(now, o.keepIdle)
	}
	if o.keepIntvl > 0 {
		t.SetKeepIntvl(o.keepIntvl)
	}
	if o.keepCount > 0 {
		t.SetKeepCount(o.keepCount)
	}
	t.SetKeepAlive(now, o.keepAlive)
	if o.userTimeout > 0 {
		t.SetUserTimeout(o.userTimeout)
	}
	if o.retries != 0 {
		t.SetRetries(o.retries)
	}
	if o.sndBuf > 0 {
		t.SetSendBuffer(o.sndBuf)
	}
	if o.rcvBuf > 0 {
		t.SetReceiveBuffer(o.rcvBuf)
	}
	t.SetLinger(o.linger, o.lingerOn)
	if o.cc != "" {
		t.SetCC(o.cc)
	}
}

// tcpConnect begins the handshake; tcpSettle sees its end.
func (s *Stack) tcpConnect(c *Conv, remote netip.AddrPort) error {
	a := remote.Addr()
	// RFC 9293 §3.9.1.1: not to a group.
	if a.IsMulticast() || s.isBroadcast(a) || a.IsUnspecified() || remote.Port() == 0 {
		return neterr.BadAddress.With("%v: one host and a port of 1-65535 are wanted", bang(remote))
	}
	local, to, err := s.localPort(c, remote)
	if err != nil {
		return err
	}
	c.local, c.remote = local, remote
	c.opts.writeShut = false
	t := tuple{local, remote}
	s.tcpStart(c, s.engine(t, &c.opts))
	c.tcb.Open(s.now, s.setup(t, &c.opts, to))
	c.setPhase(connecting)
	return nil
}

// tcpRead gives what has arrived, at most op.Max bytes of it.
func (s *Stack) tcpRead(c *Conv, op *Op) (done bool, err error) {
	switch {
	case c.phase == announced:
		return true, neterr.NotConnected.With("tcp/%d is announced: open its listen to take a call", c.num)
	case c.phase == idle && c.connectErr != nil:
		return true, c.connectErr
	case c.tcb == nil && c.phase == idle:
		return true, neterr.NotConnected.With("write `connect HOST:PORT` to the ctl of tcp/%d first", c.num)
	case c.tcb == nil && c.phase == connecting:
		return false, nil
	case c.tcb == nil:
		return true, readError(c.cause)
	}
	if c.tcb.Unread() > 0 {
		op.Chunks = c.tcb.Take(op.Max, op.Chunks[:0])
		for _, ch := range op.Chunks {
			op.N += len(ch.B)
		}
		c.changed = s.now
		s.touch(c)
		return true, nil
	}
	switch {
	case c.tcb.EOF():
		return true, nil
	case c.phase == hungup:
		return true, readError(c.cause)
	}
	return false, nil
}

// readError is what a reader gets of a conversation that is over: an end by our
// own hand is just the end.
func readError(cause error) error {
	if cause == neterr.Aborted || cause == neterr.Interrupted {
		return nil
	}
	return cause
}

// handOver is from which length a write's block goes into the send queue itself
// instead of being copied: a byte must not hold a megabyte.
const handOver = 8 << 10

// answerFirst is from which length a write is answered before its segments
// leave.
const answerFirst = 64 << 10

// tcpWrite queues bytes; it ends when all are queued and the queue is under its
// limit.
func (s *Stack) tcpWrite(c *Conv, op *Op) (done bool, err error) {
	switch {
	case c.phase == idle && c.connectErr != nil:
		return true, c.connectErr
	case c.phase == idle:
		return true, neterr.NotConnected.With("write `connect HOST:PORT` to the ctl of tcp/%d first", c.num)
	case c.phase == announced:
		return true, neterr.NotConnected.With("tcp/%d is announced: open its listen to take a call", c.num)
	case c.phase == connecting:
		return false, nil // whether anybody takes it is not known yet
	case c.phase == hungup || c.opts.writeShut || c.tcb == nil:
		if op.N > 0 {
			return true, nil
		}
		return true, neterr.Hungup
	}
	rest := op.Data[op.N:]
	n := 0
	switch {
	case len(rest) == 0:
	case op.Buf != nil && len(rest) >= handOver:
		n = c.tcb.WriteBuf(s.now, rest, op.Buf)
	default:
		n = c.tcb.Write(s.now, rest)
	}
	switch {
	case n > 0:
		op.N += n
		c.changed = s.now
		c.charge()
		s.touch(c)
	case len(rest) > 0 && c.tcb.Queued() == 0 && c.tcb.Cramped():
		// Nothing of ours is under way whose end would bring memory.
		if op.N == 0 {
			err = neterr.NoMemory.With("%d bytes are held, of limit.memory %d", s.held(), s.knobs.maxMemory)
		}
		return true, err
	}
	done = op.N == len(op.Data) && c.tcb.Room() > 0
	if done && len(op.Data) >= answerFirst {
		s.effects.answerFirst = true
	}
	return done, nil
}

func (s *Stack) tcpClose(c *Conv) {
	if c.phase == announced {
		s.unannounce(c)
	}
	if c.tcb != nil {
		c.tcb.Close(s.now)
	}
}

func (s *Stack) tcpHangup(c *Conv) {
	if c.phase == announced {
		s.unannounce(c)
	}
	if c.tcb == nil {
		return
	}
	c.tcb.Abort(s.now)
	// The one RST leaves whether or not there is room.
	if to, err := s.pathTo(c.remote.Addr()); err == nil {
		s.tcpOutput(c, to)
	}
	c.proto.unflow(c)
	c.settleAs(tcp.Closed)
}

// tcpFree lets go of the engine; true: the number lives on in TIME-WAIT.
func (s *Stack) tcpFree(c *Conv) (lingers bool) {
	if c.tcb == nil {
		return false
	}
	c.proto.unflow(c)
	if c.tcb.State() == tcp.TimeWaiting && !c.unlinked {
		c.proto.waits.add(c)
		lingers = true
	}
	c.settleAs(tcp.Closed)
	s.tcpForget(c)
	return lingers
}

// tcpForget lets go of what the engine holds, and of the engine.
func (s *Stack) tcpForget(c *Conv) {
	c.tcb.Free()
	c.charge()
	c.tcb = nil
}

func tcpOver(c *Conv) bool {
	return c.tcb == nil || c.tcb.State() == tcp.Closed || c.tcb.State() == tcp.TimeWaiting
}

func tcpEnded(c *Conv) bool {
	if c.tcb == nil {
		return false
	}
	switch c.tcb.State() {
	case tcp.CloseWait, tcp.LastAck, tcp.Closing, tcp.TimeWaiting, tcp.Closed:
		return true
	}
	return false
}

func tcpState(c *Conv) string {
	switch {
	case c.phase == announced:
		return "Listen"
	case c.tcb != nil:
		return c.tcb.State().String()
	}
	return "Closed"
}

func tcpUnread(c *Conv) int {
	if c.tcb == nil {
		return 0
	}
	return c.tcb.Unread()
}

func tcpReady(c *Conv) (r Ready) {
	if c.tcb == nil || c.phase == connecting {
		return 0
	}
	if c.tcb.Unread() > 0 || c.tcb.EOF() {
		r |= ReadyIn
	}
	if c.tcb.Room() > 0 && (!c.tcb.Cramped() || c.tcb.Queued() == 0) {
		r |= ReadyOut
	}
	return r
}

// iss is the initial sequence number of a connection: a clock of 4 µs and a keyed
// hash (RFC 6528).
func (s *Stack) iss(t tuple) wire.Seq {
	return wire.Seq(uint32(s.now/(4*time.Microsecond)) + uint32(s.hash('i', t)))
}
