package stack

// UDP (RFC 768, RFC 1122 §4.1): the smallest whole protocol. A conversation is
// connected to one peer, or announced: then each new peer is a call, or, with
// headers, all peers share it.

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

func newUDP(s *Stack) *protocol {
	pr := newProtocol(s, wire.UDP, "udp")
	pr.input, pr.advise = s.udpInput, s.udpAdvise
	pr.connect, pr.announce = s.udpConnect, s.listenAt
	pr.read, pr.write = readDatagram, s.udpWrite
	pr.close, pr.hangup = s.udpHangup, s.udpHangup
	pr.control = udpControl
	pr.state, pr.status = datagramState, datagramStatus
	pr.unread = func(c *Conv) int { return c.datagrams.bytes }
	pr.ready = datagramReady
	pr.stats = func() string {
		n := &s.counts.UDP
		return fmt.Sprintf("InDatagrams: %d\nNoPorts: %d\nInErrors: %d\nOutDatagrams: %d\nQueueFull: %d\nEmpty: %d\n",
			n.InDatagrams, n.NoPorts, n.InErrors, n.OutDatagrams, n.QueueFull, n.Empty)
	}
	return pr
}

// A datagram is one that was received, with who sent it to which address.
type datagram struct {
	data     []byte
	from, to netip.AddrPort
	ifAddr   netip.Addr
}

// A datagramQueue holds what nobody has read yet.
type datagramQueue struct {
	items   []datagram
	bytes   int
	charged int // of memory, as the stack knows
}

// datagramCost is what an entry costs beside its bytes.
const datagramCost = 128

func (q *datagramQueue) memory() int { return q.bytes + len(q.items)*datagramCost }

// charge is by how much memory has changed since the last charge.
func (q *datagramQueue) charge() int {
	n := q.memory() - q.charged
	q.charged += n
	return n
}

// enqueue keeps a datagram for the readers of c; false: the queue is full, or has as
// much memory as it leaves to all others. An empty one takes any that there is
// memory for.
func (c *Conv) enqueue(d datagram, limit int) bool {
	spare, held, cost := c.stack.spare(), c.datagrams.memory(), datagramCost+len(d.data)
	if cost > spare || held > 0 && (held+len(d.data) > limit || cost > (spare-held)/2) {
		return false
	}
	c.datagrams.push(d)
	c.charge()
	return true
}

func (q *datagramQueue) push(d datagram) {
	q.items = append(q.items, d)
	q.bytes += len(d.data)
}

func (q *datagramQueue) pop() datagram {
	d := q.items[0]
	q.items[0] = datagram{}
	q.items = q.items[1:]
	q.bytes -= len(d.data)
	return d
}

func (s *Stack) udpInput(p *packet) {
	n := &s.counts.UDP
	h, payload, err := wire.ParseUDP(p.payload)
	if err != nil {
		n.InErrors++
		return
	}
	pr := s.proto(wire.UDP)
	ifAddr, _ := p.in.addrFor(p.ip.Src)
	asked := netip.AddrPortFrom(p.ip.Dst, h.DstPort)
	t := tuple{asked, netip.AddrPortFrom(p.ip.Src, h.SrcPort)}
	if p.in.loopback {
		ifAddr = p.ip.Src // our own
	}
	if p.toGroup && ifAddr.IsValid() {
		// RFC 1122 §3.2.1.3: who is called by a group answers with an address of his own.
		t.local = netip.AddrPortFrom(ifAddr, h.DstPort)
	}
	c := pr.flows[t]
	if c == nil {
		c = pr.listener(asked)
	}
	if c == nil {
		n.NoPorts++
		// RFC 1122 §4.1.3.1: port unreachable.
		if p.ip.Src.Is6() {
			s.sendError6(p, wire.ICMPv6Unreachable, wire.ICMPv6PortUnreachable, 0)
			return
		}
		s.sendError(p, wire.ICMPUnreachable, wire.ICMPPortUnreachable, 0)
		return
	}
	if c.phase == announced && !c.headers {
		if c = s.udpCall(c, t); c == nil {
			n.QueueFull++
			return
		}
	}
	if h.Checksum == 0 && c.checksum == sumInsisted {
		p.in.drops.add(dropUDPChecksum)
		return
	}
	if len(payload) == 0 && !c.headers {
		n.Empty++ // would read as the end of the file
		return
	}
	d := datagram{append([]byte(nil), payload...), t.remote, asked, ifAddr}
	limit := s.knobs.udpRcvBuf
	if c.listener != nil {
		limit = min(limit, untakenBytes)
	}
	if !c.enqueue(d, limit) {
		n.QueueFull++
		return
	}
	n.InDatagrams++
	c.hear(p)
	c.changed = s.now
	s.touch(c)
}

// untakenBytes bounds what a call holds that nobody has taken yet.
const untakenBytes = 16 << 10

// udpCall makes the conversation of a peer that a listener has not heard of.
func (s *Stack) udpCall(l *Conv, t tuple) *Conv {
	if len(l.calls) >= l.backlog {
		// Whoever invents senders must not shut a listener: the oldest makes room.
		oldest := l.calls[0]
		oldest.hangup(neterr.ListenHungup)
		oldest.closing = true
		s.counts.UDP.QueueFull++
	}
	c, err := s.newConv(l.proto, l.owner)
	if err != nil {
		return nil
	}
	c.local, c.remote, c.phase = t.local, t.remote, connected
	c.listener, c.ttl, c.tos, c.readTimeout = l, l.ttl, l.tos, l.readTimeout
	c.checksum, c.ipOptions = l.checksum, l.ipOptions
	c.proto.flows[t] = c
	l.calls = append(l.calls, c)
	s.touch(l)
	return c
}

// udpAdvise hangs a connected conversation up (RFC 1122 §4.1.3.3), unless it
// ignores advice.
func (s *Stack) udpAdvise(q *quoted, err error, _ bool) {
	src, dst := binary.BigEndian.Uint16(q.payload), binary.BigEndian.Uint16(q.payload[2:])
	c := s.proto(wire.UDP).flows[tuple{netip.AddrPortFrom(q.ip.Src, src), netip.AddrPortFrom(q.ip.Dst, dst)}]
	if c == nil || c.ignoreAdvice {
		return
	}
	c.fail(err)
	c.hangup(err)
}

func (s *Stack) udpConnect(c *Conv, remote netip.AddrPort) error {
	if remote.Addr().IsUnspecified() || remote.Port() == 0 {
		return neterr.BadAddress.With("%v: an address and a port of 1-65535 are wanted", bang(remote))
	}
	local, _, err := s.localPort(c, remote)
	if err != nil {
		return err
	}
	c.local, c.remote = local, remote
	c.proto.flows[tuple{local, remote}] = c
	c.setPhase(connected)
	return nil
}

func (s *Stack) udpHangup(c *Conv) {
	c.leaveIf(func(membership) bool { return true })
	c.proto.unflow(c)
	s.unannounce(c)
}

// readDatagram gives one datagram, whole; with headers Plan 9's 52 bytes come
// first.
func readDatagram(c *Conv, op *Op) (done bool, err error) {
	switch {
	case len(c.datagrams.items) > 0:
		d := c.datagrams.pop()
		c.charge()
		if c.headers {
			d.data = append(udpHeader(d), d.data...)
		}
		op.Chunks = append(op.Chunks[:0], wire.Chunk{B: d.data})
		op.N = len(d.data)
		return true, nil
	case c.phase == hungup:
		return true, readError(c.cause)
	case c.phase == idle || c.phase == announced && !c.headers:
		return true, neterr.NotConnected.With("%s/%d is not connected: write `connect HOST:PORT` to its ctl, or open its listen", c.proto.name, c.num)
	}
	return false, nil
}

// udpHeaderLen is Plan 9's struct Udphdr: remote, local and interface address of
// 16 bytes each, remote and local port.
const udpHeaderLen = 52

func udpHeader(d datagram) []byte {
	b := make([]byte, 0, udpHeaderLen+len(d.data))
	for _, a := range []netip.Addr{d.from.Addr(), d.to.Addr(), d.ifAddr} {
		a16 := a.As16()
		b = append(b, a16[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, d.from.Port())
	return binary.BigEndian.AppendUint16(b, d.to.Port())
}

// udpWrite sends one datagram. It never waits.
func (s *Stack) udpWrite(c *Conv, op *Op) (done bool, err error) {
	local, remote, data := c.local, c.remote, op.Data
	switch {
	case c.phase == hungup:
		return true, neterr.Hungup
	case c.headers && c.phase == announced:
		if len(data) < udpHeaderLen {
			return true, neterr.BadArg.With("%d bytes: with headers a write begins with 52 bytes of addresses", len(data))
		}
		remote = netip.AddrPortFrom(s.named(netip.AddrFrom16([16]byte(data[0:16])).Unmap()), binary.BigEndian.Uint16(data[48:]))
		asked := s.named(netip.AddrFrom16([16]byte(data[16:32])).Unmap())
		data = data[udpHeaderLen:]
		src, _, err := s.source(remote.Addr())
		if err != nil {
			return true, err
		}
		if s.own[asked] != nil && asked.Is4() == remote.Addr().Is4() {
			src = asked
		}
		local = netip.AddrPortFrom(src, local.Port())
	case c.phase == connecting:
		return false, nil // its name is being looked up
	case c.phase != connected:
		return true, neterr.NotConnected.With("%s/%d is not connected: write `connect HOST:PORT` to its ctl first", c.proto.name, c.num)
	}
	if err := s.udpSend(c, local, remote, data); err != nil {
		c.fail(err)
		return true, err
	}
	op.N = len(op.Data)
	c.changed = s.now
	return true, nil
}

func (s *Stack) udpSend(c *Conv, local, remote netip.AddrPort, data []byte) error {
	if most := maxUDP(remote.Addr()); len(data) > most {
		return neterr.MessageSize.With("%d bytes: a UDP datagram holds %d", len(data), most)
	}
	to, err := s.pathFrom(local.Addr(), remote.Addr())
	if err != nil {
		return err
	}
	ip := wire.IP{Src: local.Addr(), Dst: remote.Addr(), Proto: wire.UDP, TTL: c.ttl, TOS: c.tos, Options: c.ipOptions, Flow: s.flowLabel(tuple{local, remote})}
	if remote.Addr().IsMulticast() {
		if !c.ttlSet {
			ip.TTL = groupTTL
		}
		if lo := s.loopback(); lo != nil && !to.out.loopback && to.out.hears(remote.Addr()) {
			// RFC 1112 §6.1: who is in the group hears himself.
			if err := s.udpFrame(c, path{lo, remote.Addr(), true}, ip, local, remote, data); err != nil {
				return err
			}
		}
	}
	return s.udpFrame(c, to, ip, local, remote, data)
}

func (s *Stack) udpFrame(c *Conv, to path, ip wire.IP, local, remote netip.AddrPort, data []byte) error {
	f := to.out.queue.newFrame()
	f.carry(append([]byte(nil), data...))
	h := wire.UDPHeader{SrcPort: local.Port(), DstPort: remote.Port(), Length: uint16(wire.UDPLen + len(data))}
	at := f.head[transportAt(local.Addr()):]
	h.Put(at)
	// RFC 8200 §8.1: in IPv6 there is no going without.
	if c.checksum != sumOff || remote.Addr().Is6() {
		sum := wire.PseudoHeader(local.Addr(), remote.Addr(), wire.UDP, int(h.Length))
		// RFC 768: a sum of zero is sent as all ones.
		h.Checksum = wire.ForUDP(^wire.Fold(wire.Sum(data, wire.Sum(at[:wire.UDPLen], sum))))
		h.Put(at)
	}
	s.counts.UDP.OutDatagrams++
	return s.send(f, to, &ip, wire.UDPLen)
}

// A checksumUse is what a conversation of udp does about checksums (RFC 1122
// §4.1.3.4).
type checksumUse uint8

const (
	sumOn       checksumUse = iota // made; whoever sends none is believed
	sumOff                         // not made
	sumInsisted                    // made, and whoever sends none is not heard
)

// udpControl are the verbs that only udp has.
func udpControl(c *Conv, verb string, args []string) (known bool, err error) {
	switch verb {
	case "addmulti":
		return true, c.join(args)
	case "remmulti", "delmulti":
		return true, c.leave(args)
	case "checksum":
		return true, c.checksumVerb(args)
	}
	return false, nil
}

func (c *Conv) checksumVerb(args []string) error {
	word := ""
	if len(args) == 1 {
		word = args[0]
	}
	on, ok := parseOnOff(word)
	switch {
	case word == "insist":
		c.checksum = sumInsisted
	case !ok:
		return neterr.BadArg.With("checksum %q: on, off or insist is wanted", clip(word))
	case on:
		c.checksum = sumOn
	default:
		c.checksum = sumOff
	}
	return nil
}

// maxUDP is what the length field of IP leaves for data: that of IPv4 counts its
// header.
func maxUDP(a netip.Addr) int {
	if a.Is4() {
		return 0xffff - wire.IPv4Len - wire.UDPLen
	}
	return 0xffff - wire.UDPLen
}

func datagramState(c *Conv) string {
	if c.phase == idle || c.phase == hungup {
		return "Closed"
	}
	return "Open"
}

func datagramStatus(c *Conv) string {
	return fmt.Sprintf("%s qin %d qout 0\n", datagramState(c), c.datagrams.bytes)
}

func datagramReady(c *Conv) (r Ready) {
	if len(c.datagrams.items) > 0 {
		r |= ReadyIn
	}
	if c.phase == connected || c.phase == announced {
		r |= ReadyOut
	}
	return r
}
