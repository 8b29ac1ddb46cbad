package main

// A host of its own on an Ethernet, for clients that send what no kernel would: a
// packet socket beside the kernel, an address that the kernel does not have, ARP, and
// TCP segments as they come.

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The flags of a segment.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
	urg
)

// A segment is what matters here of one.
type segment struct {
	from, to uint16 // ports
	flags    byte
	seq, ack uint32
	data     []byte
}

// A station is a host with a MAC and an IPv4 address. Segments to a port of its
// go to a channel.
type station struct {
	fd       int
	mac      net.HardwareAddr
	addr     netip.Addr
	peer     netip.Addr // the one it talks to
	peerMAC  net.HardwareAddr
	resolved chan net.HardwareAddr

	mu    sync.Mutex
	ports map[uint16]chan segment
}

var everybody = net.HardwareAddr{255, 255, 255, 255, 255, 255}

// newStation is at a network device until the process ends; it asks for peer's MAC.
func newStation(device string, addr, peer netip.Addr) (*station, error) {
	nic, err := net.InterfaceByName(device)
	if err != nil {
		return nil, err
	}
	order := func(v uint16) uint16 { return v<<8 | v>>8 }
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(order(unix.ETH_P_ALL)))
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: order(unix.ETH_P_ALL), Ifindex: nic.Index}); err != nil {
		return nil, err
	}
	s := &station{
		fd: fd, mac: net.HardwareAddr{2, 0, 0, 0, 0, 0x77}, addr: addr, peer: peer,
		resolved: make(chan net.HardwareAddr, 1), ports: map[uint16]chan segment{},
	}
	go s.receive()
	s.arp(1, everybody, net.HardwareAddr{0, 0, 0, 0, 0, 0}, peer)
	select {
	case s.peerMAC = <-s.resolved:
		return s, nil
	case <-time.After(5 * time.Second):
		return nil, fmt.Errorf("%v does not answer ARP", peer)
	}
}

func (s *station) frame(to net.HardwareAddr, kind uint16, payload []byte) {
	f := append(append(append([]byte{}, to...), s.mac...), byte(kind>>8), byte(kind))
	unix.Write(s.fd, append(f, payload...)) // what is lost shows in the answers
}

// arp sends a request (1) or a reply (2).
func (s *station) arp(operation byte, to, target net.HardwareAddr, addr netip.Addr) {
	p := []byte{0, 1, 8, 0, 6, 4, 0, operation}
	p = append(append(p, s.mac...), s.addr.AsSlice()...)
	p = append(append(p, target...), addr.AsSlice()...)
	s.frame(to, unix.ETH_P_ARP, p)
}

func (s *station) receive() {
	b := make([]byte, 65536)
	for {
		n, _, err := unix.Recvfrom(s.fd, b, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			fatal(err)
		}
		f := b[:n]
		if n < 14+20 || string(f[6:12]) == string(s.mac) {
			continue
		}
		switch binary.BigEndian.Uint16(f[12:]) {
		case unix.ETH_P_ARP:
			s.heardARP(f[14:])
		case unix.ETH_P_IP:
			if string(f[:6]) == string(s.mac) {
				s.heardTCP(f[14:])
			}
		}
	}
}

func (s *station) heardARP(p []byte) {
	if len(p) < 28 {
		return
	}
	mac := append(net.HardwareAddr{}, p[8:14]...)
	from, to := netip.AddrFrom4([4]byte(p[14:18])), netip.AddrFrom4([4]byte(p[24:28]))
	if from != s.peer || to != s.addr {
		return
	}
	if p[7] == 1 {
		s.arp(2, mac, mac, from)
		return
	}
	select {
	case s.resolved <- mac:
	default:
	}
}

func (s *station) heardTCP(p []byte) {
	header := int(p[0]&15) * 4
	total := int(binary.BigEndian.Uint16(p[2:]))
	if p[9] != unix.IPPROTO_TCP || total > len(p) || total < header+20 {
		return
	}
	t := p[header:total]
	offset := int(t[12]>>4) * 4
	if offset > len(t) {
		return
	}
	g := segment{
		from: binary.BigEndian.Uint16(t), to: binary.BigEndian.Uint16(t[2:]),
		seq: binary.BigEndian.Uint32(t[4:]), ack: binary.BigEndian.Uint32(t[8:]),
		flags: t[13], data: append([]byte{}, t[offset:]...),
	}
	s.mu.Lock()
	c := s.ports[g.to]
	s.mu.Unlock()
	select {
	case c <- g: // a nil one never is ready
	default:
	}
}

// open makes a port whose segments go to a channel.
func (s *station) open(port uint16) chan segment {
	c := make(chan segment, 100)
	s.mu.Lock()
	s.ports[port] = c
	s.mu.Unlock()
	return c
}

// send sends a segment without options and with the widest window.
func (s *station) send(g segment) {
	t := make([]byte, 20, 20+len(g.data))
	binary.BigEndian.PutUint16(t, g.from)
	binary.BigEndian.PutUint16(t[2:], g.to)
	binary.BigEndian.PutUint32(t[4:], g.seq)
	binary.BigEndian.PutUint32(t[8:], g.ack)
	t[12], t[13] = 5<<4, g.flags
	binary.BigEndian.PutUint16(t[14:], 65535)
	if g.flags&urg != 0 {
		binary.BigEndian.PutUint16(t[18:], 1)
	}
	t = append(t, g.data...)
	pseudo := append(append(s.addr.AsSlice(), s.peer.AsSlice()...), 0, unix.IPPROTO_TCP, byte(len(t)>>8), byte(len(t)))
	binary.BigEndian.PutUint16(t[16:], checksum(append(pseudo, t...)))

	p := make([]byte, 20)
	p[0], p[6], p[8], p[9] = 0x45, 0x40, 64, unix.IPPROTO_TCP // version, DF, TTL
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)+len(t)))
	copy(p[12:], s.addr.AsSlice())
	copy(p[16:], s.peer.AsSlice())
	binary.BigEndian.PutUint16(p[10:], checksum(p))
	s.frame(s.peerMAC, unix.ETH_P_IP, append(p, t...))
}

// checksum is the checksum of RFC 1071.
func checksum(b []byte) uint16 {
	var n uint32
	for i, v := range b {
		n += uint32(v) << (8 * (1 - i%2))
	}
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return ^uint16(n)
}
