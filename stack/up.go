package stack

// The road up: a NIC's goroutine calls Receive; each frame is parsed without the
// lock, then run under it to the end: arp, or IP's checks, and from there
// deliver (to icmp.go, udp.go, tcp.go) or forward.go.

import (
	"slices"
	"time"

	"slashnet/nic"
	"slashnet/stack/reasm"
	"slashnet/wire"
)

// A packet is a frame on its way up, parsed.
type packet struct {
	in      *Iface
	frame   *nic.Frame
	eth     wire.Ethernet
	arp     wire.ARP
	ip      wire.IP
	header  []byte // of IP, as received
	options wire.IPv4Options
	payload []byte // of IP
	buf     *wire.Buf
	summed  bool // the transport checksum needs no look
	toGroup bool // came in a link-level broadcast or multicast
	bad     dropReason

	chain   wire.Chain   // of IPv6's extension headers
	problem wire.Problem // with them
	pieced  bool         // put together from fragments
}

// An intake is the way in from one NIC to its interface.
type intake struct {
	iface  *Iface
	nic    nic.NIC
	parsed []packet // of the batch that is being received
}

// Receive runs a batch of frames up. A NIC lends them until it returns.
func (in *intake) Receive(batch []*nic.Frame) {
	i := in.iface
	in.parsed = in.parsed[:0]
	for _, f := range batch {
		in.parsed = append(in.parsed, packet{in: i, frame: f})
		in.parsed[len(in.parsed)-1].parse()
	}
	s := i.stack
	s.lock()
	defer s.unlock()
	if i.nic != in.nic {
		return // it is being unbound
	}
	for n := range in.parsed {
		p := &in.parsed[n]
		i.in.frames++
		i.in.bytes += uint64(len(p.frame.Head))
		if !i.police.admit(s.now, len(p.frame.Head)) {
			i.drops.add(dropOverRate)
			s.counts.RxDone++
			continue
		}
		if p.frame.GSO == wire.GSOUDP {
			s.upSplit(p)
		} else {
			s.up(p)
		}
		s.counts.RxDone++
	}
}

// upSplit takes in datagrams that the kernel left merged (USO): TCP can use a
// merged segment, but a datagram is one datagram.
func (s *Stack) upSplit(p *packet) {
	err := nic.Finish(p.frame, func(cut *nic.Frame) {
		flat := nic.Frame{Head: slices.Concat(append([][]byte{cut.Head}, cut.Body...)...)}
		one := packet{in: p.in, frame: &flat}
		one.parse()
		s.up(&one)
	})
	if err != nil {
		p.in.drops.add(dropBadHeader)
	}
}

// parse reads the headers up to IP's and verifies what can be without state.
func (p *packet) parse() {
	if len(p.frame.Head) > nic.MaxFrame {
		p.bad = dropGiant
		return
	}
	eth, payload, err := wire.ParseEthernet(p.frame.Head)
	if err != nil {
		p.bad = dropRunt
		return
	}
	p.eth = eth
	p.toGroup = eth.Dst.IsMulticast()
	switch eth.Type {
	case wire.EtherARP:
		if p.arp, err = wire.ParseARP(payload); err != nil {
			p.bad = dropBadARP
		}
	case wire.EtherIPv4:
		var headerLen int
		p.ip, p.payload, headerLen, err = wire.ParseIPv4(payload)
		if err != nil {
			p.bad = dropBadHeader
			return
		}
		p.header = payload[:headerLen]
		p.options = wire.InspectIPv4Options(p.ip.Options)
		p.buf = p.frame.Buf
		p.summed = p.frame.NeedsCsum || p.frame.CsumValid
		p.bad = p.verify()
	case wire.EtherIPv6:
		p.parse6(payload)
	default:
		p.bad = dropEtherType
	}
}

// verify checks the transport checksum of a whole datagram.
func (p *packet) verify() dropReason {
	if p.summed || p.ip.More || p.ip.Offset != 0 {
		return 0
	}
	switch p.ip.Proto {
	case wire.TCP:
		if wire.TransportChecksum(p.ip.Src, p.ip.Dst, wire.TCP, p.payload) != 0 {
			return dropTCPChecksum
		}
	case wire.UDP:
		h, _, err := wire.ParseUDP(p.payload)
		// RFC 1122 §4.1.3.4: zero means that the sender made none. RFC 8200 §8.1: in
		// IPv6 he has to.
		if err == nil && h.Checksum == 0 && p.ip.Src.Is6() {
			return dropUDPChecksum
		}
		if err == nil && h.Checksum != 0 && wire.TransportChecksum(p.ip.Src, p.ip.Dst, wire.UDP, p.payload[:h.Length]) != 0 {
			return dropUDPChecksum
		}
	default:
		return 0
	}
	p.summed = true
	return 0
}

// up takes a parsed frame in.
func (s *Stack) up(p *packet) {
	i := p.in
	switch {
	case p.bad == dropTCPChecksum || p.bad == dropUDPChecksum:
		// Somebody else's bad checksum is his to find: a router passes it on.
	case p.bad == dropBadHeader:
		s.counts.IP.InReceives++
		s.counts.IP.InHdrErrors++
		i.drops.add(p.bad)
		return
	case p.bad != 0:
		i.drops.add(p.bad)
		return
	}
	if p.eth.Dst != i.mac && !p.toGroup {
		i.drops.add(dropForeignMAC)
		return
	}
	if i.down {
		i.drops.add(dropLinkDown)
		return
	}
	switch p.eth.Type {
	case wire.EtherARP:
		i.arpInput(&p.arp)
	case wire.EtherIPv4:
		s.ipInput(p)
	case wire.EtherIPv6:
		s.ip6Input(p)
	}
}

// ipInput decides whether a datagram is for us (RFC 1122 §3.2.1, RFC 1812 §5.2.1).
func (s *Stack) ipInput(p *packet) {
	i, dst := p.in, p.ip.Dst
	s.counts.IP.InReceives++
	if bad := s.badSource(p); bad != 0 {
		i.drops.add(bad)
		s.tellMartian(p, bad)
		return
	}
	switch {
	case s.own[dst] != nil:
		// RFC 1122 §3.3.6: a unicast address in a link-level broadcast.
		if p.toGroup {
			i.drops.add(dropGroupUnicast)
			return
		}
		if s.onItsRoute(p) {
			return
		}
		s.deliver(p)
	case s.isBroadcast(dst), dst.IsMulticast() && i.hears(dst):
		s.forwardBroadcast(p)
		p.toGroup = true
		s.deliver(p)
	case dst.IsMulticast():
		i.drops.add(dropNotJoined)
	case s.knobs.forward && !p.toGroup:
		s.forward(p)
	default:
		s.counts.IP.InAddrErrors++
		i.drops.add(dropNotForUs)
	}
}

// deliver gives a datagram of ours to its protocol, whole.
func (s *Stack) deliver(p *packet) {
	if p.bad != 0 {
		p.in.drops.add(p.bad)
		return
	}
	if len(p.ip.Options) > 0 && !s.admitOptions(p) {
		return
	}
	if p.ip.More || p.ip.Offset != 0 {
		if !s.reassemble(p) {
			return
		}
	}
	s.counts.IP.InDelivers++
	if p.ip.Proto == wire.IGMP && p.ip.Src.Is4() {
		s.igmpInput(p)
		return
	}
	pr := s.protoOf(&p.ip)
	if pr == nil {
		s.counts.IP.InUnknownProtos++
		// RFC 1122 §3.2.2.1: code 2, protocol unreachable.
		s.sendError(p, wire.ICMPUnreachable, wire.ICMPProtocolUnreachable, 0)
		return
	}
	pr.input(p)
}

// reasmCost is what a fragment may cost beside its bytes.
const reasmCost = 1 << 10

// reassemble adds a fragment; true: p has become the whole datagram.
func (s *Stack) reassemble(p *packet) bool {
	s.counts.IP.ReasmReqds++
	key := reasm.Key{Src: p.ip.Src, Dst: p.ip.Dst, Proto: p.ip.Proto, ID: p.ip.ID}
	var first []byte
	if p.ip.Offset == 0 {
		first = p.quote()
	}
	if len(p.payload)+len(first)+reasmCost > s.spare() {
		s.counts.IP.ReasmFails++
		s.counts.IP.InDiscards++
		return false
	}
	whole, done, _ := s.reasm.Add(s.now, key, p.ip.Offset, p.ip.More, p.payload, first)
	s.file(&s.reasmTimer)
	if !done {
		return false
	}
	s.counts.IP.ReasmOKs++
	p.payload, p.buf, p.summed = whole, nil, false
	if ip, _, err := wire.ParseIPv4Quote(s.reasm.First()); err == nil {
		p.ip = ip
		p.options = wire.InspectIPv4Options(ip.Options)
	}
	p.ip.More, p.ip.Offset = false, 0
	// Of the whole, as if it had never been cut up: users of icmp read it, errors
	// quote it.
	p.header = make([]byte, p.ip.HeaderLen())
	p.ip.PutIPv4(p.header, len(whole))
	if bad := p.verify(); bad != 0 {
		p.in.drops.add(bad)
		return false
	}
	return true
}

// quote is what an ICMP error says of a datagram: its header and as much as fits
// in 576 bytes (RFC 1812 §4.3.2.3), or in what every link of IPv6 carries (RFC 4443
// §2.4 c).
func (p *packet) quote() []byte {
	most := 576 - wire.IPv4Len - wire.ICMPLen
	if p.ip.Src.Is6() {
		most = wire.MinIPv6MTU - wire.IPv6Len - wire.ICMPLen
	}
	q := make([]byte, 0, most)
	q = append(q, p.header[:min(len(p.header), most)]...)
	return append(q, p.payload[:min(len(p.payload), most-len(q))]...)
}

// reassembly is the timed part of reassembly.
type reassembly struct{ s *Stack }

func (r reassembly) deadline() (t time.Duration, ok bool) { return r.s.reasm.Deadline() }

func (r reassembly) tick() {
	s := r.s
	for _, e := range s.reasm.Tick(s.now) {
		s.counts.IP.ReasmFails++
		// RFC 1122 §3.3.2, RFC 8200 §4.5: time exceeded, code 1, if fragment 0 is there.
		switch {
		case e.First == nil:
		case e.Key.Src.Is6():
			if to, err := s.pathTo(e.Key.Src); err == nil {
				s.sendErrorFrom6(to.out, e.Key.Dst, e.First, wire.ICMPv6TimeExceeded, wire.ICMPReassemblyExceeded, 0)
			}
		default:
			s.sendErrorAbout(e.First, wire.ICMPTimeExceeded, wire.ICMPReassemblyExceeded, 0)
		}
	}
}
