package nic

// Offload as the kernel understands it: its own TCP and UDP sockets at the
// other end of the TAP.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slashnet/wire"
)

// A kernelPeer speaks just enough TCP and UDP for these tests.
type kernelPeer struct {
	t             testing.TB
	tap           *TAP
	in            mailbox
	mac           wire.MAC
	local, remote netip.AddrPort
	seq, ack      wire.Seq
}

func newKernelPeer(t testing.TB, tap *TAP, v6 bool, port uint16) *kernelPeer {
	p := &kernelPeer{t: t, tap: tap, in: newMailbox(), mac: hostMAC(t, tap), seq: 0xfffffff0}
	p.local, p.remote = netip.AddrPortFrom(peer4, 4242), netip.AddrPortFrom(host4, port)
	if v6 {
		p.local, p.remote = netip.AddrPortFrom(peer6, 4242), netip.AddrPortFrom(host6, port)
	}
	return p
}

// send sends a transport header and payload with the checksum left to do, and
// to be cut into segments of gso bytes if that is not zero.
func (p *kernelPeer) send(proto wire.Proto, transport []byte, gso int, payload ...[]byte) {
	p.t.Helper()
	f := &Frame{Body: payload}
	total := len(transport) + f.Len()
	h := make([]byte, wire.EthernetLen, 128)
	e := wire.Ethernet{Dst: p.mac, Src: p.tap.MAC(), Type: wire.EtherIPv4}
	if p.local.Addr().Is4() {
		ip := wire.IP{Src: p.local.Addr(), Dst: p.remote.Addr(), Proto: proto, TTL: 64, DF: true, ID: 7}
		h = h[:wire.EthernetLen+wire.IPv4Len]
		ip.PutIPv4(h[wire.EthernetLen:], total)
	} else {
		e.Type = wire.EtherIPv6
		h = append(h, 0x60, 0, 0, 0, byte(total>>8), byte(total), byte(proto), 64)
		h = append(h, p.local.Addr().AsSlice()...)
		h = append(h, p.remote.Addr().AsSlice()...)
	}
	e.Put(h)
	f.NeedsCsum, f.CsumStart, f.CsumOffset = true, uint16(len(h)), tcpSum
	if proto == wire.UDP {
		f.CsumOffset = udpSum
	}
	binary.BigEndian.PutUint16(transport[f.CsumOffset:], wire.Fold(wire.PseudoHeader(p.local.Addr(), p.remote.Addr(), proto, total)))
	f.Head = append(h, transport...)
	if gso > 0 {
		f.GSOSize, f.HeaderLen = uint16(gso), uint16(len(f.Head))
		switch {
		case proto == wire.UDP:
			f.GSO = wire.GSOUDP
		case p.local.Addr().Is4():
			f.GSO = wire.GSOTCPv4
		default:
			f.GSO = wire.GSOTCPv6
		}
	}
	if err := Transmit(p.tap, f); err != nil {
		p.t.Fatal(err)
	}
}

func (p *kernelPeer) sendTCP(flags wire.TCPFlags, gso int, payload ...[]byte) {
	p.t.Helper()
	h := wire.TCPHeader{
		SrcPort: p.local.Port(), DstPort: p.remote.Port(),
		Seq: p.seq, Ack: p.ack, Flags: flags, Window: 0xffff,
	}
	if flags&wire.SYN != 0 {
		h.Options = wire.TCPOptions{MSS: 1400, HasWScale: true, WScale: 8}
	}
	b := make([]byte, h.Len())
	h.Put(b)
	p.send(wire.TCP, b, gso, payload...)
	for _, b := range payload {
		p.seq = p.seq.Add(len(b))
	}
	if flags&wire.SYN != 0 {
		p.seq = p.seq.Add(1)
	}
}

// transport is where the transport header of a frame begins.
func (p *kernelPeer) transport(l letter) int {
	if p.local.Addr().Is4() {
		return wire.EthernetLen + wire.IPv4Len
	}
	return wire.EthernetLen + ipv6Len
}

// nextOf is the next frame of our conversation. Checked is that its marks are
// enough to finish it.
func (p *kernelPeer) nextOf(proto wire.Proto) (l letter, segment []byte) {
	p.t.Helper()
	l = p.in.next(p.t, "segment from the kernel", func(l letter) bool {
		at := p.transport(l)
		return len(l.bytes) >= at+udpLen && binary.BigEndian.Uint16(l.bytes[at:]) == p.remote.Port() &&
			binary.BigEndian.Uint16(l.bytes[at+2:]) == p.local.Port()
	})
	f := &Frame{Head: l.bytes, Offload: l.Offload}
	var again []byte
	for _, w := range finish(p.t, f) {
		if len(w) > wire.EthernetLen+1500 {
			p.t.Fatalf("a wire frame of %d bytes", len(w))
		}
		again = append(again, parse(p.t, w).payload...)
	}
	segment = l.bytes[p.transport(l):]
	header := udpLen
	if proto == wire.TCP {
		header = int(segment[tcpOffset]>>4) * 4
	}
	if l.GSO != wire.GSONone && int(l.HeaderLen) != p.transport(l)+header {
		p.t.Fatalf("headers are %d bytes, the marks say %d", p.transport(l)+header, l.HeaderLen)
	}
	if !bytes.Equal(again, segment[header:]) {
		p.t.Fatal("cutting changed the payload")
	}
	return l, segment
}

func bothFamilies(t *testing.T, test func(t *testing.T, v6 bool, o Options)) {
	for _, v6 := range []bool{false, true} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("v6=%v,plain=%v", v6, plain), func(t *testing.T) {
				test(t, v6, Options{Name: "tap0", Plain: plain})
			})
		}
	}
}

func TestTAPKernelTCP(t *testing.T) {
	bothFamilies(t, func(t *testing.T, v6 bool, o Options) {
		namespace(t)
		tap := openTAP(t, o)
		configure(t, tap)
		address := "10.99.0.1:0"
		if v6 {
			address = "[fd99::1]:0"
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		p := newKernelPeer(t, tap, v6, uint16(listener.Addr().(*net.TCPAddr).Port))
		tap.Start(p.in)

		p.sendTCP(wire.SYN, 0)
		_, segment := p.nextOf(wire.TCP)
		synack, _, err := wire.ParseTCP(segment)
		if err != nil || synack.Flags != wire.SYN|wire.ACK {
			t.Fatalf("answer to SYN: %+v, %v", synack, err)
		}
		p.ack = synack.Seq.Add(1)
		p.sendTCP(wire.ACK, 0)
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))

		payload := make([]byte, 60000)
		fillRandom(payload, 1)
		p.sendTCP(wire.ACK|wire.PSH|wire.CWR, 1400, split(payload, 17000)...)
		got := make([]byte, len(payload))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("the kernel's socket read something else: %v", err)
		}
		p.receive(conn.(*net.TCPConn), o.Plain)
	})
}

// receive lets the kernel send, and acknowledges.
func (p *kernelPeer) receive(conn *net.TCPConn, plain bool) {
	p.t.Helper()
	payload := make([]byte, 500_000)
	fillRandom(payload, 2)
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(payload)
		written <- err
	}()
	var got []byte
	large := 0
	for len(got) < len(payload) {
		l, segment := p.nextOf(wire.TCP)
		h, data, err := wire.ParseTCP(segment)
		if err != nil {
			p.t.Fatal(err)
		}
		if h.Seq != p.ack || len(data) == 0 {
			continue // a pure ACK, or a repetition
		}
		if l.GSO != wire.GSONone {
			large = max(large, len(data))
		}
		got = append(got, data...)
		p.ack = p.ack.Add(len(data))
		p.sendTCP(wire.ACK, 0)
	}
	if !bytes.Equal(got, payload) {
		p.t.Fatal("other bytes came from the kernel")
	}
	if err := <-written; err != nil {
		p.t.Fatal(err)
	}
	if plain && large > 0 || !plain && large < 20000 {
		p.t.Errorf("the largest merged segment has %d bytes; plain is %v", large, plain)
	}
}

func TestTAPKernelUDP(t *testing.T) {
	bothFamilies(t, func(t *testing.T, v6 bool, o Options) {
		namespace(t)
		tap := openTAP(t, o)
		configure(t, tap)
		host, peer := host4, peer4
		if v6 {
			host, peer = host6, peer6
		}
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, 0)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		p := newKernelPeer(t, tap, v6, uint16(conn.LocalAddr().(*net.UDPAddr).Port))
		tap.Start(p.in)

		payload := make([]byte, 9500)
		fillRandom(payload, 3)
		want := split(payload, 1000)
		header := make([]byte, udpLen)
		binary.BigEndian.PutUint16(header[0:], p.local.Port())
		binary.BigEndian.PutUint16(header[2:], p.remote.Port())
		binary.BigEndian.PutUint16(header[4:], uint16(udpLen+1000))
		p.send(wire.UDP, slices.Clone(header), 0, payload[:1000])
		binary.BigEndian.PutUint16(header[4:], uint16(udpLen+len(payload)))
		p.send(wire.UDP, header, 1000, split(payload, 3333)...)
		b := make([]byte, 65536)
		for i, w := range append([][]byte{payload[:1000]}, want...) {
			n, err := conn.Read(b)
			if err != nil || !bytes.Equal(b[:n], w) {
				t.Fatalf("datagram %d: %d bytes, %v", i, n, err)
			}
		}

		raw, err := conn.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, 1000) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.WriteToUDPAddrPort(payload, netip.AddrPortFrom(peer, p.local.Port())); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for len(got) < len(payload) {
			l, segment := p.nextOf(wire.UDP)
			if o.Plain != (l.GSO == wire.GSONone) {
				t.Errorf("marks %+v, plain is %v", l.Offload, o.Plain)
			}
			got = append(got, segment[udpLen:]...)
		}
		if !bytes.Equal(got, payload) {
			t.Error("other bytes came from the kernel")
		}
	})
}

// An adopted device forgets the offloads of its last user: without virtio-net
// headers a merged segment would be a giant, and a sum to do would be wrong.
func TestTAPPlainAfterOffload(t *testing.T) {
	namespace(t)
	if err := openTAP(t, Options{Name: "tap0", Persist: true}).Close(); err != nil {
		t.Fatal(err)
	}
	tap := openTAP(t, Options{Name: "tap0", Plain: true})
	configure(t, tap)
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(host4, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := newKernelPeer(t, tap, false, uint16(conn.LocalAddr().(*net.UDPAddr).Port))
	tap.Start(p.in)
	if _, err := conn.WriteToUDPAddrPort([]byte("summed by the kernel"), p.local); err != nil {
		t.Fatal(err)
	}
	p.nextOf(wire.UDP) // verifies the checksum
}
