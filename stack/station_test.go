package stack

// A station is a machine that the tests of RFC 1122 and 1812 speak for, frame by
// frame; what the stack under test sends it is kept for the test to look at. Run
// them in a synctest bubble.

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"slashnet/nic"
	"slashnet/wire"
)

// A station answers for any address that the stack asks for, unless it is mute.
type station struct {
	nic.NIC
	t     testing.TB
	iface *Iface // of the stack, on the same cable
	mac   wire.MAC
	ip    netip.Addr // what it is called in udp and echo
	mute  bool

	mu     sync.Mutex
	frames [][]byte
	asked  []wire.ARP // what the stack asked or answered
	told   []wire.ARP // its probes and announcements
}

// A seen is a datagram that the stack has sent.
type seen struct {
	eth     wire.Ethernet
	ip      wire.IP
	header  []byte
	payload []byte
}

// newStation puts a station on a cable with a new interface of s. It is called
// ip.
func newStation(t testing.TB, s *Stack, addr, ip string, mtu int) *station {
	t.Helper()
	x, y, err := nic.NewPipe(nic.Options{Plain: true, MTU: mtu}, nic.Options{Plain: true, MTU: 9000})
	must(t, err)
	st := &station{NIC: y, t: t, mac: wire.MAC{2, 0, 0, 0, 1, byte(len(s.Ifaces()))}, ip: netip.MustParseAddr(ip)}
	y.Start(st)
	t.Cleanup(func() { y.Close() })
	st.iface = plug(t, s, x, addr)
	return st
}

// newSite is a host, 10.0.0.2/24, and a station, 10.0.0.1.
func newSite(t testing.TB) (*Stack, *station) {
	t.Helper()
	s := newHost(t, Config{})
	return s, newStation(t, s, "10.0.0.2/24", "10.0.0.1", 0)
}

// newCrossing is a router and a station on either side of it: 10.0.1.1 behind
// 10.0.1.254, 10.0.2.1 behind 10.0.2.254.
func newCrossing(t testing.TB) (s *Stack, left, right *station) {
	t.Helper()
	s = newHost(t, Config{})
	must(t, s.WriteCtl("ip.forward on"))
	left = newStation(t, s, "10.0.1.254/24", "10.0.1.1", 0)
	right = newStation(t, s, "10.0.2.254/24", "10.0.2.1", 600)
	return s, left, right
}

// Receive keeps datagrams and answers requests of ARP.
func (st *station) Receive(batch []*nic.Frame) {
	for _, f := range batch {
		b := slices.Clone(f.Head)
		for _, part := range f.Body {
			b = append(b, part...)
		}
		eth, payload, err := wire.ParseEthernet(b)
		if err != nil {
			continue
		}
		if eth.Type != wire.EtherARP {
			st.mu.Lock()
			st.frames = append(st.frames, b)
			st.mu.Unlock()
			continue
		}
		a, err := wire.ParseARP(payload)
		if err != nil {
			continue
		}
		st.mu.Lock()
		claim := a.SenderIP == a.TargetIP || a.SenderIP.IsUnspecified()
		if claim {
			st.told = append(st.told, a)
		} else {
			st.asked = append(st.asked, a)
		}
		answer := !st.mute && !claim && a.Op == wire.ARPRequest
		st.mu.Unlock()
		if answer {
			st.arp(wire.ARP{Op: wire.ARPReply, SenderMAC: st.mac, SenderIP: a.TargetIP, TargetMAC: a.SenderMAC, TargetIP: a.SenderIP})
		}
	}
}

// hush makes the station answer no requests of ARP, or answer again.
func (st *station) hush(mute bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.mute = mute
}

// arp sends a packet of ARP, to everybody.
func (st *station) arp(a wire.ARP) {
	b := make([]byte, wire.ARPLen)
	a.Put(b)
	st.frame(wire.Broadcast, wire.EtherARP, b)
}

// asks are the packets of ARP from the stack since the last call.
func (st *station) asks() []wire.ARP {
	synctest.Wait()
	st.mu.Lock()
	defer st.mu.Unlock()
	asked := st.asked
	st.asked = nil
	return asked
}

// claims are the probes and announcements from the stack since the last call.
func (st *station) claims() []wire.ARP {
	synctest.Wait()
	st.mu.Lock()
	defer st.mu.Unlock()
	told := st.told
	st.told = nil
	return told
}

// frame sends an Ethernet frame.
func (st *station) frame(to wire.MAC, typ wire.EtherType, payload []byte) {
	head := make([]byte, wire.EthernetLen, wire.EthernetLen+len(payload))
	wire.Ethernet{Dst: to, Src: st.mac, Type: typ}.Put(head)
	if err := st.Send(&nic.Frame{Head: append(head, payload...)}); err != nil {
		st.t.Error(err)
	}
}

// raw sends the bytes of a datagram to the stack, and waits until it is done with
// it.
func (st *station) raw(datagram []byte) {
	st.frame(st.iface.mac, wire.EtherIPv4, datagram)
	synctest.Wait()
}

// datagram is the bytes of one. A zero TTL is meant; a zero source is the station.
func (st *station) datagram(ip wire.IP, payload []byte) []byte {
	if !ip.Src.IsValid() {
		ip.Src = st.ip
	}
	b := make([]byte, wire.MaxIPv4Len+len(payload))
	n := ip.PutIPv4(b, len(payload))
	return append(b[:n], payload...)
}

// send sends a datagram; its TTL is 9 unless it says otherwise.
func (st *station) send(ip wire.IP, payload []byte) {
	if ip.TTL == 0 {
		ip.TTL = 9
	}
	st.raw(st.datagram(ip, payload))
}

// toGroup sends a datagram in a frame to everybody or to a group.
func (st *station) toGroup(mac wire.MAC, ip wire.IP, payload []byte) {
	ip.TTL = 9
	st.frame(mac, wire.EtherIPv4, st.datagram(ip, payload))
	synctest.Wait()
}

// seen are the datagrams from the stack since the last call.
func (st *station) seen() (all []seen) {
	st.t.Helper()
	synctest.Wait()
	st.mu.Lock()
	frames := st.frames
	st.frames = nil
	st.mu.Unlock()
	for _, b := range frames {
		eth, datagram, _ := wire.ParseEthernet(b)
		if eth.Type != wire.EtherIPv4 {
			continue
		}
		ip, payload, n, err := wire.ParseIPv4(datagram)
		if err != nil {
			st.t.Errorf("the stack has sent %x: %v", b, err)
			continue
		}
		all = append(all, seen{eth, ip, datagram[:n], payload})
	}
	return all
}

// one is the only datagram since the last call.
func (st *station) one() seen {
	st.t.Helper()
	all := st.seen()
	if len(all) != 1 {
		st.t.Fatalf("the stack has sent %d datagrams, want 1: %+v", len(all), all)
	}
	return all[0]
}

// none fails if the stack has sent a datagram since the last call.
func (st *station) none(when string) {
	st.t.Helper()
	for _, d := range st.seen() {
		st.t.Errorf("%s: the stack has sent %+v, %x", when, d.ip, d.payload)
	}
}

// icmp is a message of ICMP: its header, and what follows.
func (d seen) icmp(t testing.TB) (wire.ICMPHeader, []byte) {
	t.Helper()
	h, payload, err := wire.ParseICMP(d.payload)
	if d.ip.Proto != wire.ICMP || err != nil {
		t.Fatalf("no message of ICMP: %+v, %v", d.ip, err)
	}
	return h, payload
}

// isError checks that a datagram is an ICMP error of a type and code about what
// was sent.
func (d seen) isError(t testing.TB, typ, code uint8, about []byte) wire.ICMPHeader {
	t.Helper()
	h, quote := d.icmp(t)
	if h.Type != typ || h.Code != code {
		t.Errorf("ICMP type %d, code %d, want %d, %d", h.Type, h.Code, typ, code)
	}
	if len(quote) < wire.IPv4Len+8 || len(quote) > len(about) || !slices.Equal(quote, about[:len(quote)]) {
		t.Errorf("it quotes %x, of %x", quote, about)
	}
	return h
}

// icmpMessage is a message with its checksum.
func icmpMessage(typ, code uint8, rest uint32, data []byte) []byte {
	b := make([]byte, wire.ICMPLen)
	wire.ICMPHeader{Type: typ, Code: code, Rest: rest}.Put(b, data)
	return append(b, data...)
}

// ping is an echo request.
func ping(data string) []byte {
	return icmpMessage(wire.ICMPEchoRequest, 0, wire.EchoRest(7, 1), []byte(data))
}

// udpDatagram is a UDP datagram from src to dst with its checksum.
func udpDatagram(src, dst netip.Addr, from, to uint16, data string) []byte {
	b := make([]byte, wire.UDPLen)
	wire.UDPHeader{SrcPort: from, DstPort: to, Length: uint16(wire.UDPLen + len(data))}.Put(b)
	b = append(b, data...)
	binary.BigEndian.PutUint16(b[wire.UDPChecksumAt:], wire.ForUDP(wire.TransportChecksum(src, dst, wire.UDP, b)))
	return b
}

// udp sends a UDP datagram from the station's port 1000.
func (st *station) udp(dst string, port uint16, data string) []byte {
	to := netip.MustParseAddr(dst)
	b := st.datagram(wire.IP{Dst: to, Proto: wire.UDP, TTL: 9}, udpDatagram(st.ip, to, 1000, port, data))
	st.raw(b)
	return b
}

// drops is how often an interface has dropped something for a reason.
func drops(t testing.TB, i *Iface, reason string) string {
	t.Helper()
	return counter(t, i.StatsText(), "dropped "+reason)
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
