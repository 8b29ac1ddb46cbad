package stack

// ListenPacket of the Go API: a conversation of UDP that is announced and has
// Plan 9's headers, 52 bytes of addresses before each datagram (udp.go).

import (
	"encoding/binary"
	"net"
	"net/netip"

	"slashnet/stack/neterr"
)

// ListenPacket exchanges datagrams with everybody at ADDR:PORT or :PORT over udp
// or udp4; port 0 is one that is free. The result also has ReadFromUDPAddrPort and
// WriteToUDPAddrPort, as *net.UDPConn.
func (s *Stack) ListenPacket(network, address string) (net.PacketConn, error) {
	s.lock()
	defer s.unlock()
	failed := func(err error) (net.PacketConn, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: target{network, address}, Err: err}
	}
	if network != "udp" && network != "udp4" {
		return failed(net.UnknownNetworkError(network))
	}
	c, err := s.announceAt(network, address)
	if err != nil {
		return failed(err)
	}
	c.headers = true
	p := &packetConn{endpoint: endpoint{conv: c, network: network, local: netAddr(c.proto.num, c.local)}, bound: c.local.Addr().As16()}
	p.in.init(OpRead, c)
	p.out.init(OpWrite, c)
	return p, nil
}

type packetConn struct {
	endpoint
	bound [16]byte // our address, or the unspecified one
	frame []byte   // header and datagram of the write under way
}

// ReadFrom gives one datagram; what does not fit in b is lost.
func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort is ReadFrom without an allocation for the address.
func (p *packetConn) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	op := p.in.take()
	defer p.in.give()
	err = p.in.Do()
	if err == nil && len(op.Chunks) == 0 {
		err = neterr.Hungup // by somebody else: rmdir, or reset of the stack
	}
	if err != nil {
		return 0, from, p.failed("read", err)
	}
	chunk := &op.Chunks[0]
	from = netip.AddrPortFrom(netip.AddrFrom16([16]byte(chunk.B)).Unmap(), binary.BigEndian.Uint16(chunk.B[48:]))
	chunk.B = chunk.B[udpHeaderLen:]
	return op.deliver(b), from, nil
}

// WriteTo sends one datagram to a *net.UDPAddr.
func (p *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	udp, ok := to.(*net.UDPAddr)
	if !ok || udp == nil {
		return 0, p.failed("write", neterr.BadAddress.With("%v: a *net.UDPAddr is wanted", to))
	}
	return p.WriteToUDPAddrPort(b, udp.AddrPort())
}

// WriteToUDPAddrPort is WriteTo for an address that is a value.
func (p *packetConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	op := p.out.take()
	defer p.out.give()
	var h [udpHeaderLen]byte
	remote := to.Addr().As16()
	copy(h[:16], remote[:])
	copy(h[16:32], p.bound[:])
	binary.BigEndian.PutUint16(h[48:], to.Port())
	p.frame = append(append(p.frame[:0], h[:]...), b...)
	op.Data = p.frame
	if err := p.out.Do(); err != nil {
		return 0, p.failed("write", err)
	}
	return len(b), nil
}
