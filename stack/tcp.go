package stack

// TCP between the roads and the engine (package stack/tcp): up calls tcpInput,
// settle calls tcpSettle and tcpFlush. embryo.go and tcplisten.go have calls and
// TIME-WAIT, tcpconv.go what users do.

import (
	"encoding/binary"
	"net/netip"
	"time"

	"slashnet/stack/tcp"
	"slashnet/wire"
)

func newTCP(s *Stack) *protocol {
	pr := newProtocol(s, wire.TCP, "tcp")
	pr.input, pr.advise = s.tcpInput, s.tcpAdvise
	pr.connect, pr.announce = s.tcpConnect, s.listenAt
	pr.read, pr.write = s.tcpRead, s.tcpWrite
	pr.close, pr.hangup, pr.free = s.tcpClose, s.tcpHangup, s.tcpFree
	pr.control = s.tcpControl
	pr.state, pr.status, pr.unread, pr.ready, pr.stats = tcpState, s.tcpStatus, tcpUnread, tcpReady, s.tcpStats
	pr.settle, pr.flush, pr.over, pr.ended = s.tcpSettle, s.tcpFlush, tcpOver, tcpEnded
	pr.due = func(c *Conv) (time.Duration, bool) {
		if c.tcb == nil {
			return 0, false
		}
		return c.tcb.Deadline()
	}
	pr.tick = s.tcpTick
	return pr
}

// r1 is how many retransmissions in a row make us doubt the way to the peer: 3 at
// least, RFC 9293 §3.8.3.
const r1 = 3

func (s *Stack) tcpTick(c *Conv) {
	before := c.tcb.Retries()
	c.tcb.Tick(s.now)
	if n := c.tcb.Retries(); n > before && n >= r1 {
		s.doubt(c.remote.Addr())
	}
}

// The two ECN bits of IP's TOS, RFC 3168 §5.
const (
	ecnMask = 3
	ecnECT0 = 2
	ecnCE   = 3
)

// tcpInput finds the connection of a segment (RFC 9293 §3.10.7).
func (s *Stack) tcpInput(p *packet) {
	h, payload, err := wire.ParseTCP(p.payload)
	if err != nil {
		p.in.drops.add(dropBadSegment)
		return
	}
	s.counts.TCP.InSegs++
	// RFC 9293 §3.9.2.3: nothing to or from a group, silently.
	if p.toGroup || h.SrcPort == 0 || h.DstPort == 0 {
		p.in.drops.add(dropBadSegment)
		return
	}
	pr := s.proto(wire.TCP)
	t := tuple{netip.AddrPortFrom(p.ip.Dst, h.DstPort), netip.AddrPortFrom(p.ip.Src, h.SrcPort)}
	if c := pr.flows[t]; c != nil {
		room := c.tcb.Room()
		if p.ip.TOS&ecnMask == ecnCE {
			c.tcb.Marked()
		}
		c.tcb.Input(s.now, &h, payload, p.buf)
		c.charge() // now, as the next segment of a batch needs to know
		c.hear(p)
		// Answers to keep-alives are no traffic: they would keep it for ever.
		if len(payload) > 0 || c.tcb.Room() != room {
			c.changed = s.now
		}
		if c.tcb.Room() > room {
			s.confirm(p.ip.Src) // what we sent has arrived
		}
		// Told now, as the next segment of a batch may move it on.
		if state := c.tcb.State(); state != c.settled && state != tcp.Closed {
			c.note()
		}
		s.touch(c)
		return
	}
	if w := pr.waits.byTuple[t]; w != nil && !pr.waits.input(w, &h, len(payload)) {
		return
	}
	if l := pr.listener(t.local); l != nil {
		s.tcpListen(l, t, &h, payload, p.buf)
		return
	}
	s.counts.Tables.NoConv++
	if rst, send := tcp.RefuseSegment(&h, len(payload)); send {
		s.tcpReply(t, &rst)
	}
}

// listener finds who takes calls to an address: the specific announcement first.
func (pr *protocol) listener(local netip.AddrPort) *Conv {
	if l := pr.listeners[local]; l != nil {
		return l
	}
	if l := pr.listeners[netip.AddrPortFrom(anyOf(local.Addr()), local.Port())]; l != nil {
		return l
	}
	return pr.listeners[netip.AddrPortFrom(netip.IPv6Unspecified(), local.Port())] // of both families
}

// anyOf is the unspecified address of a's family.
func anyOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// tcpSettle follows the engine's state.
func (s *Stack) tcpSettle(c *Conv) {
	if c.tcb == nil {
		return
	}
	state := c.tcb.State()
	if state == c.settled {
		return
	}
	c.settleAs(state)
	c.changed = s.now
	switch {
	case state == tcp.Closed:
		s.tcpClosed(c)
	case c.phase == connecting && state != tcp.SynSent && state != tcp.SynReceived:
		if c.runsFor != nil {
			c = c.takenOver()
		}
		c.phase = connected
		c.endAttempt()
		if c.listener != nil {
			s.tcpArrived(c)
		} else {
			c.probe()
		}
	}
}

// settleAs notes the state that c is in, and counts it.
func (c *Conv) settleAs(state tcp.State) {
	up := func(st tcp.State) bool { return st == tcp.Established || st == tcp.CloseWait } // RFC 4022: tcpCurrEstab
	switch {
	case up(state) && !up(c.settled):
		c.stack.counts.Tables.CurrEstab++
	case !up(state) && up(c.settled):
		c.stack.counts.Tables.CurrEstab--
	}
	c.settled = state
}

// probe has the peer of a detached connection probed, unless the user has said
// when.
func (c *Conv) probe() {
	if c.detached && c.name == "" && c.tcb != nil && !c.opts.keepAlive {
		c.opts.keepAlive, c.opts.keepIdle = true, probeAfter
		c.opts.apply(c.tcb, c.stack.now)
	}
}

// tcpClosed is told that the engine is done with a connection.
func (s *Stack) tcpClosed(c *Conv) {
	c.proto.unflow(c)
	err := c.tcb.Err()
	switch {
	case c.listener != nil: // a call that died before it was taken
		s.tcpCallDied(c)
	case c.runsFor != nil:
		c.runsFor.rivalFailed(c, err)
	case c.phase == connecting && !c.closing && !c.unlinked:
		// A failed connect leaves the conversation as it was.
		s.tcpForget(c)
		c.attemptFailed(err)
	case c.phase != hungup:
		c.setPhase(hungup)
		c.cause = err
		if err != nil {
			c.fail(err)
		}
	}
}

// tcpFlush sends what the engine has to say, as long as the interface has room.
func (s *Stack) tcpFlush(c *Conv) {
	if c.tcb == nil || c.starved {
		return
	}
	to, err := s.pathTo(c.remote.Addr())
	if err != nil {
		c.tcb.SoftError(err)
		s.discard(c)
		return
	}
	for to.out.queue.room() {
		if !s.tcpOutput(c, to) {
			break
		}
	}
	if !to.out.queue.room() {
		to.out.starve(c)
	}
	if c.tcb.State() != c.settled {
		s.touch(c)
	}
}

// tcpOutput sends one segment; false: the engine has nothing to say.
func (s *Stack) tcpOutput(c *Conv, to path) bool {
	i := to.out
	if i.scratch == nil {
		i.scratch = i.queue.newFrame()
	}
	f := i.scratch
	if !c.tcb.Output(s.now, &f.seg) {
		return false
	}
	i.scratch = nil
	s.tcpSend(c, f, to)
	return true
}

// discard loses what the engine has to say: there is no way to send it, and its
// timers are to find out.
func (s *Stack) discard(c *Conv) {
	var f outFrame
	for c.tcb.Output(s.now, &f.seg) {
		s.counts.IP.OutNoRoutes++
		f.release()
	}
}

// tcpSend gives a segment of a connection its headers.
func (s *Stack) tcpSend(c *Conv, f *outFrame, to path) {
	seg := &f.seg
	seg.H.SrcPort, seg.H.DstPort = c.local.Port(), c.remote.Port()
	f.Body = seg.Payload[:seg.Slices]
	headerLen := s.tcpHeader(f, &seg.H, c.local.Addr(), c.remote.Addr(), seg.Len)
	at := transportAt(c.local.Addr())
	if mtu := s.mtuTo(to, c.remote.Addr()); at-wire.EthernetLen+headerLen+min(seg.Len, seg.MSS) > mtu {
		to.out.drops.add(dropTooLong)
		to.out.queue.drop(f)
		if mtu < to.out.mtu {
			c.tcb.TooBig(s.now, mtu) // another connection has heard of it
		} else {
			c.tcb.SetMTU(s.now, mtu) // the interface takes less than it did
		}
		return
	}
	if seg.Len > seg.MSS {
		f.GSO, f.GSOSize, f.HeaderLen = wire.GSOTCPv4, uint16(seg.MSS), uint16(at+headerLen)
		if c.local.Addr().Is6() {
			f.GSO = wire.GSOTCPv6
		}
	}
	tos := c.tos &^ ecnMask // of these two bits the protocol decides
	if seg.ECT {
		tos |= ecnECT0
	}
	if err := s.send(f, to, &wire.IP{Src: c.local.Addr(), Dst: c.remote.Addr(), Proto: wire.TCP, TTL: c.ttl, TOS: tos, DF: true, Flow: c.flow}, headerLen); err != nil {
		c.tcb.SoftError(err)
	}
}

// tcpHeader writes a TCP header whose checksum the NIC completes.
func (s *Stack) tcpHeader(f *outFrame, h *wire.TCPHeader, src, dst netip.Addr, payload int) int {
	start := transportAt(src)
	at := f.head[start:]
	n := h.Put(at)
	sum := wire.Fold(wire.PseudoHeader(src, dst, wire.TCP, n+payload))
	binary.BigEndian.PutUint16(at[wire.TCPChecksumAt:], sum)
	f.NeedsCsum, f.CsumStart, f.CsumOffset = true, uint16(start), wire.TCPChecksumAt
	return n
}

// tcpReply sends a segment that belongs to no connection. t is from our side.
func (s *Stack) tcpReply(t tuple, h *wire.TCPHeader) {
	to, err := s.pathTo(t.remote.Addr())
	if err != nil {
		return
	}
	h.SrcPort, h.DstPort = t.local.Port(), t.remote.Port()
	f := to.out.queue.newFrame()
	n := s.tcpHeader(f, h, t.local.Addr(), t.remote.Addr(), 0)
	s.counts.TCP.OutSegs++
	if h.Flags&wire.RST != 0 {
		s.counts.TCP.OutRsts++
	}
	s.send(f, to, &wire.IP{Src: t.local.Addr(), Dst: t.remote.Addr(), Proto: wire.TCP, TTL: s.knobs.ttl, DF: true, Flow: s.flowLabel(t)}, n)
}

// quotedFlow finds the connection that an ICMP error is about; one whose sequence
// number is not under way is a forgery (RFC 5927 §4.1).
func (s *Stack) quotedFlow(q *quoted) *Conv {
	src, dst := binary.BigEndian.Uint16(q.payload), binary.BigEndian.Uint16(q.payload[2:])
	c := s.proto(wire.TCP).flows[tuple{netip.AddrPortFrom(q.ip.Src, src), netip.AddrPortFrom(q.ip.Dst, dst)}]
	if c == nil || !c.tcb.Quoted(wire.Seq(binary.BigEndian.Uint32(q.payload[4:]))) {
		s.counts.ICMP.InErrors++
		return nil
	}
	return c
}

// tcpAdvise is RFC 9293 §3.9.2.2: hard errors end an attempt to connect, all
// others are noted.
func (s *Stack) tcpAdvise(q *quoted, err error, hard bool) {
	c := s.quotedFlow(q)
	if c == nil || c.ignoreAdvice {
		return
	}
	if hard {
		c.tcb.Unreachable(s.now, err)
	} else {
		c.tcb.SoftError(err)
	}
	s.touch(c)
}

// tcpTooBig is RFC 1191: the path takes less than we sent. Old routers say 0.
func (s *Stack) tcpTooBig(q *quoted, mtu int) {
	if c := s.quotedFlow(q); c != nil {
		c.tcb.TooBig(s.now, mtu)
		s.touch(c)
	}
}
