package stack

// The conversations of the icmp directory: Plan 9's, which read and write whole
// packets with room for their IP header, and pings, which dial/HOST makes and
// which read as a line a second. icmpInput calls icmpToConv.

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// newICMP makes the protocol of one family.
func newICMP(s *Stack, num wire.Proto) *protocol {
	name, input := "icmp", s.icmpInput
	if num == wire.ICMPv6 {
		name, input = "icmpv6", s.icmp6Input
	}
	pr := newProtocol(s, num, name)
	pr.input = input
	pr.advise = s.icmpAdvise
	pr.connect = s.icmpConnect
	pr.announce = func(*Conv) error { return neterr.NotSupported.With("%s has nothing to announce", name) }
	pr.read, pr.write = readDatagram, s.icmpWrite
	pr.close, pr.hangup = s.icmpHangup, s.icmpHangup
	pr.control = func(*Conv, string, []string) (bool, error) { return false, nil }
	pr.state = func(c *Conv) string { return "Datagram" }
	pr.status = func(c *Conv) string { return fmt.Sprintf("Datagram qin %d qout 0\n", c.datagrams.bytes) }
	pr.unread = func(c *Conv) int { return c.datagrams.bytes }
	pr.ready = datagramReady
	pr.stats = func() string { return icmpStats(s.icmpCounters(num), num) }
	pr.due = func(c *Conv) (time.Duration, bool) {
		if c.ping == nil || c.phase != connected {
			return 0, false
		}
		return c.ping.next, true
	}
	pr.tick = s.pingTick
	return pr
}

// The local port of an icmp conversation is its identifier; the remote port says
// nothing, so flows are found by it being zero.
func icmpFlow(local netip.AddrPort, remote netip.Addr) tuple {
	return tuple{netip.AddrPortFrom(anyOf(remote), local.Port()), netip.AddrPortFrom(remote, 0)}
}

func (s *Stack) icmpConnect(c *Conv, remote netip.AddrPort) error {
	if remote.Addr().Is6() != (c.proto.num == wire.ICMPv6) {
		return neterr.BadAddress.With("%v: icmp is for IPv4, icmpv6 for IPv6", remote.Addr())
	}
	local, _, err := s.localFor(c, remote)
	if err != nil {
		return err
	}
	id := local.Port()
	if id == 0 {
		id = uint16(s.random.Uint32())
		for n := 0; c.proto.flows[icmpFlow(netip.AddrPortFrom(local.Addr(), id), remote.Addr())] != nil || id == 0; n++ {
			if n > maxProbes {
				return neterr.NoPorts.With("all identifiers are in use towards %v", remote.Addr())
			}
			id++
		}
		local = netip.AddrPortFrom(local.Addr(), id)
	}
	t := icmpFlow(local, remote.Addr())
	if c.proto.flows[t] != nil {
		return neterr.AddrInUse.With("identifier %d towards %v", id, remote.Addr())
	}
	c.local, c.remote = local, remote
	c.proto.flows[t] = c
	c.setPhase(connected)
	return nil
}

func (s *Stack) icmpHangup(c *Conv) {
	if t := icmpFlow(c.local, c.remote.Addr()); c.remote.IsValid() && c.proto.flows[t] == c {
		delete(c.proto.flows, t)
	}
	c.ping = nil
}

// icmpToConv gives an echo reply to the conversation with its identifier.
func (s *Stack) icmpToConv(p *packet, h wire.ICMPHeader) {
	id, seq := h.Echo()
	c := s.proto(p.ip.Proto).flows[icmpFlow(netip.AddrPortFrom(p.ip.Dst, id), p.ip.Src)]
	if c == nil {
		p.in.drops.add(dropNoPing)
		return
	}
	c.hear(p)
	if c.ping != nil {
		s.pong(c, p, seq)
		return
	}
	whole := append(append(make([]byte, 0, len(p.header)+len(p.payload)), p.header...), p.payload...)
	if !c.enqueue(datagram{data: whole}, s.knobs.udpRcvBuf) {
		p.in.drops.add(dropPingQueue)
		return
	}
	c.changed = s.now
	s.touch(c)
}

// icmpAdvise is told of an error about a packet of ours.
func (s *Stack) icmpAdvise(q *quoted, err error, _ bool) {
	h := wire.ICMPHeader{Type: q.payload[0], Rest: uint32(q.payload[4])<<24 | uint32(q.payload[5])<<16 | uint32(q.payload[6])<<8 | uint32(q.payload[7])}
	id, seq := h.Echo()
	c := s.proto(q.ip.Proto).flows[icmpFlow(netip.AddrPortFrom(q.ip.Src, id), q.ip.Dst)]
	if c == nil || c.ignoreAdvice {
		return
	}
	if c.ping != nil {
		if c.ping.answered(seq) != nil {
			c.pingLine(fmt.Sprintf("%d %v\n", seq, err))
		}
		return
	}
	c.fail(err)
	c.hangup(err)
}

// icmpWrite sends one packet: 20 or 40 bytes for the IP header, which we fill in,
// and the message.
func (s *Stack) icmpWrite(c *Conv, op *Op) (done bool, err error) {
	ipLen, echo := wire.BaseLen(c.remote.Addr()), echoRequest(c.proto.num)
	least := ipLen + wire.ICMPLen
	switch {
	case c.phase == hungup:
		return true, neterr.Hungup
	case c.phase == connecting:
		return false, nil // its name is being looked up
	case c.phase != connected || c.ping != nil:
		return true, neterr.NotConnected.With("write `connect HOST` to the ctl of icmp/%d first", c.num)
	case len(op.Data) < least:
		return true, neterr.BadArg.With("%d bytes: a write is %d bytes for the IP header and at least 8 of ICMP", len(op.Data), ipLen)
	}
	m := op.Data[ipLen:]
	if m[0] != echo && op.User.UID != 0 && op.User.UID != s.cfg.Owner.UID {
		return true, neterr.Permission.With("ICMP type %d: only echo requests, type %d, are for everybody; the rest could speak for the network", m[0], echo)
	}
	h := wire.ICMPHeader{Type: m[0], Code: m[1], Rest: wire.EchoRest(c.local.Port(), uint16(m[6])<<8|uint16(m[7]))}
	if err := s.icmpSend(c, h, m[wire.ICMPLen:]); err != nil {
		c.fail(err)
		return true, err
	}
	op.N = len(op.Data)
	return true, nil
}

func (s *Stack) icmpSend(c *Conv, h wire.ICMPHeader, data []byte) error {
	to, err := s.pathTo(c.remote.Addr())
	if err != nil {
		return err
	}
	f := to.out.queue.newFrame()
	f.carry(append([]byte(nil), data...))
	ip := &wire.IP{Src: c.local.Addr(), Dst: c.remote.Addr(), Proto: c.proto.num, TTL: c.ttl, TOS: c.tos, Options: c.ipOptions}
	if at := f.head[transportAt(ip.Src):]; ip.Proto == wire.ICMPv6 {
		h.PutICMPv6(at, ip.Src, ip.Dst, data)
	} else {
		h.Put(at, data)
	}
	s.icmpCounters(ip.Proto).out(h.Type)
	return s.send(f, to, ip, wire.ICMPLen)
}

func (s *Stack) icmpCounters(p wire.Proto) *ICMPCounters {
	if p == wire.ICMPv6 {
		return &s.counts.ICMPv6
	}
	return &s.counts.ICMP
}

// isICMP reports whether conversations of a protocol have identifiers for ports.
func isICMP(p wire.Proto) bool { return p == wire.ICMP || p == wire.ICMPv6 }

func echoRequest(p wire.Proto) uint8 {
	if p == wire.ICMPv6 {
		return wire.ICMPv6EchoRequest
	}
	return wire.ICMPEchoRequest
}

// --- pings

const (
	pingEvery = time.Second
	// pingKeep is how many echoes are waited for at once; older ones are lost.
	pingKeep = 64
	// pingSize is the payload of an echo: the usual 56 bytes.
	pingSize = 56
)

// A pinger is the ping part of a conversation.
type pinger struct {
	seq  uint16
	next time.Duration
	sent [pingKeep]echoed
}

// An echoed is an echo on its way.
type echoed struct {
	at      time.Duration
	waiting bool // for its answer
}

// answered ends the wait for an echo; nil: nobody waits for it.
func (p *pinger) answered(seq uint16) *echoed {
	sent := &p.sent[seq%pingKeep]
	if !sent.waiting || p.seq-seq >= pingKeep {
		return nil
	}
	sent.waiting = false
	return sent
}

// pingTick sends the next echo. One that was not answered until then says so.
func (s *Stack) pingTick(c *Conv) {
	p := c.ping
	if p == nil {
		return
	}
	p.next = s.now + pingEvery
	if p.answered(p.seq) != nil {
		c.pingLine(fmt.Sprintf("%d no answer\n", p.seq))
	}
	p.seq++
	p.sent[p.seq%pingKeep] = echoed{s.now, true}
	h := wire.ICMPHeader{Type: echoRequest(c.proto.num), Rest: wire.EchoRest(c.local.Port(), p.seq)}
	if err := s.icmpSend(c, h, make([]byte, pingSize)); err != nil {
		p.answered(p.seq)
		c.pingLine(fmt.Sprintf("%d %v\n", p.seq, err))
	}
	s.touch(c)
}

// pong is the answer to an echo.
func (s *Stack) pong(c *Conv, p *packet, seq uint16) {
	sent := c.ping.answered(seq)
	if sent == nil {
		p.in.drops.add(dropNoPing)
		return
	}
	rtt := s.now - sent.at
	c.pingLine(fmt.Sprintf("%d %d %.3f ms\n", seq, p.ip.TTL, float64(rtt)/float64(time.Millisecond)))
}

// pingLine gives the reader a line, seq ttl time, or seq and what went wrong.
func (c *Conv) pingLine(text string) {
	c.enqueue(datagram{data: []byte(text)}, c.stack.knobs.udpRcvBuf)
	c.changed = c.stack.now
	c.stack.touch(c)
}

func icmpStats(n *ICMPCounters, num wire.Proto) string {
	var b strings.Builder
	fmt.Fprintf(&b, "InMsgs: %d\nInErrors: %d\nOutMsgs: %d\nCsumErrs: %d\nLenErrs: %d\nRateLimited: %d\n",
		n.InMsgs, n.InErrors, n.OutMsgs, n.CsumErrs, n.LenErrs, n.RateLimited)
	for t := range n.In {
		if n.In[t] != 0 || n.Out[t] != 0 {
			fmt.Fprintf(&b, "%s: %d %d\n", icmpName(num, uint8(t)), n.In[t], n.Out[t])
		}
	}
	return b.String()
}

var icmpNames = map[wire.Proto]map[uint8]string{
	wire.ICMP: {wire.ICMPEchoReply: "EchoReply", wire.ICMPUnreachable: "Unreachable", wire.ICMPEchoRequest: "EchoRequest", wire.ICMPTimeExceeded: "TimeExceeded"},
	wire.ICMPv6: {wire.ICMPv6Unreachable: "UnreachableV6", wire.ICMPv6PacketTooBig: "PacketTooBigV6", wire.ICMPv6TimeExceeded: "TimeExceededV6",
		wire.ICMPv6ParameterProblem: "ParamProblemV6", wire.ICMPv6EchoRequest: "EchoRequestV6", wire.ICMPv6EchoReply: "EchoReplyV6",
		wire.RouterSolicitation: "RouterSolicit", wire.RouterAdvertisement: "RouterAdvert", wire.NeighbourSolicitation: "NbrSolicit",
		wire.NeighbourAdvertisement: "NbrAdvert", wire.Redirect: "RedirectV6", wire.MLDQuery: "MldQuery", wire.MLDReport: "MldReport"},
}

func icmpName(num wire.Proto, t uint8) string {
	if name, ok := icmpNames[num][t]; ok {
		return name
	}
	return fmt.Sprint(t)
}
