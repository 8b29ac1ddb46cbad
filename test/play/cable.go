package main

// The peer's end of the cable: end.go sends by it, and gets what comes for its
// address.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slashnet/test/dialogue"
)

var (
	ourMAC  = net.HardwareAddr{2, 0x53, 0x4c, 0, 0, 2}
	peerMAC = net.HardwareAddr{2, 0x53, 0x4c, 0, 0, 1}
)

// A cable is a packet socket on the kernel's side. Frames have virtio's header
// there, since the kernel does not cut segments up for itself.
type cable struct {
	fd int

	sync.Mutex
	peers map[netip.Addr]chan arrival
}

// An arrival is a segment of ours, and when it came.
type arrival struct {
	seg *dialogue.Segment
	src uint16
	at  time.Time
	bad error // what is wrong with it
}

// Lengths of headers, and the fields of virtio's.
const (
	virtioLen   = 10
	etherLen    = 14
	ip4Len      = 20
	ip6Len      = 40
	needsSum    = 1 // of the first byte
	maxArrivals = 4096
)

func newCable() (*cable, error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return nil, err
	}
	const all = 0x0300 // ETH_P_ALL in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: dev.Index})); err != nil {
		return nil, err
	}
	c := &cable{fd: fd, peers: map[netip.Addr]chan arrival{}}
	go c.listen() // until the process ends
	return c, nil
}

// plug makes a place for what comes for an address.
func (c *cable) plug(a netip.Addr) chan arrival {
	c.Lock()
	defer c.Unlock()
	ch := make(chan arrival, maxArrivals)
	c.peers[a] = ch
	return ch
}

func (c *cable) listen() {
	b := make([]byte, virtioLen+1<<17)
	for {
		n, _, err := unix.Recvfrom(c.fd, b, 0)
		if err != nil || n < virtioLen+etherLen+ip4Len {
			continue
		}
		c.arrive(b[:virtioLen], append([]byte(nil), b[virtioLen:n]...), time.Now())
	}
}

// arrive answers who asks for a peer, and hands segments on.
func (c *cable) arrive(virtio, frame []byte, at time.Time) {
	if string(frame[6:12]) != string(ourMAC) {
		return
	}
	var src, dst netip.Addr
	var tos byte
	ip := frame[etherLen:]
	switch kind := binary.BigEndian.Uint16(frame[12:]); {
	case kind == 0x0806:
		c.answerARP(ip)
		return
	case kind == 0x86dd && len(ip) > ip6Len && ip[6] == 58:
		c.answerNS(ip)
		return
	case kind == 0x0800 && ip[9] == 6:
		src, _ = netip.AddrFromSlice(ip[12:16])
		dst, _ = netip.AddrFromSlice(ip[16:20])
		tos, ip = ip[1], ip[ip4Len:binary.BigEndian.Uint16(ip[2:])]
	case kind == 0x86dd && len(ip) > ip6Len && ip[6] == 6:
		src, _ = netip.AddrFromSlice(ip[8:24])
		dst, _ = netip.AddrFromSlice(ip[24:40])
		tos, ip = ip[0]<<4|ip[1]>>4, ip[ip6Len:ip6Len+int(binary.BigEndian.Uint16(ip[4:]))]
	default:
		return
	}
	c.Lock()
	to := c.peers[dst]
	c.Unlock()
	if to == nil {
		return
	}
	a := arrival{at: at}
	var seg *dialogue.Segment
	if seg, a.src, _, a.bad = dialogue.FromBytes(ip); a.bad != nil {
		seg = new(dialogue.Segment)
	}
	if a.bad == nil && virtio[0]&needsSum == 0 && sum(ip, pseudo(src, dst, 6, len(ip))) != 0xffff {
		a.bad = fmt.Errorf("the checksum is wrong")
	}
	seg.ECT = tos&3 == 2
	for _, piece := range seg.Cut(int(binary.LittleEndian.Uint16(virtio[4:]))) {
		a.seg = piece
		select {
		case to <- a:
		default: // a script that is over
		}
	}
}

// answerARP answers for every peer, and for nobody else.
func (c *cable) answerARP(b []byte) {
	target, _ := netip.AddrFromSlice(b[24:28])
	if c.known(target) && b[7] == 1 {
		reply := append([]byte{0, 1, 8, 0, 6, 4, 0, 2}, peerMAC...)
		reply = append(append(append(reply, b[24:28]...), b[8:14]...), b[14:18]...)
		c.send(0x0806, reply)
	}
}

// answerNS is the same for IPv6, RFC 4861 §4.4.
func (c *cable) answerNS(ip []byte) {
	if len(ip) < ip6Len+24 || ip[ip6Len] != 135 {
		return
	}
	target, _ := netip.AddrFromSlice(ip[ip6Len+8 : ip6Len+24])
	asker, _ := netip.AddrFromSlice(ip[8:24])
	if !c.known(target) {
		return
	}
	body := append([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, target.AsSlice()...)
	body = append(append(body, 2, 1), peerMAC...)
	putSum(body[2:], body, pseudo(target, asker, 58, len(body)))
	c.sendIP(target, asker, 58, 255, 0, body)
}

func (c *cable) known(a netip.Addr) bool {
	c.Lock()
	defer c.Unlock()
	return c.peers[a] != nil
}

// sendIP sends a datagram.
func (c *cable) sendIP(src, dst netip.Addr, proto, ttl, tos byte, body []byte) error {
	if src.Is6() {
		ip := []byte{0x60 | tos>>4, tos << 4, 0, 0, byte(len(body) >> 8), byte(len(body)), proto, ttl}
		ip = append(append(ip, src.AsSlice()...), dst.AsSlice()...)
		return c.send(0x86dd, append(ip, body...))
	}
	total := ip4Len + len(body)
	ip := []byte{0x45, tos, byte(total >> 8), byte(total), 0, 0, 0x40, 0, ttl, proto, 0, 0}
	ip = append(append(ip, src.AsSlice()...), dst.AsSlice()...)
	putSum(ip[10:], ip, 0)
	return c.send(0x0800, append(ip, body...))
}

func (c *cable) send(kind uint16, body []byte) error {
	frame := make([]byte, virtioLen, virtioLen+etherLen+len(body))
	frame = append(append(frame, ourMAC...), peerMAC...)
	frame = append(binary.BigEndian.AppendUint16(frame, kind), body...)
	_, err := unix.Write(c.fd, frame)
	return err
}

// pseudo is the sum of the pseudo-header.
func pseudo(src, dst netip.Addr, proto byte, n int) uint32 {
	return uint32(sum(append(src.AsSlice(), dst.AsSlice()...), uint32(proto)+uint32(n)))
}

func sum(b []byte, s uint32) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// putSum writes the checksum of b, of which the field, zero so far, is a part.
func putSum(field, b []byte, start uint32) { binary.BigEndian.PutUint16(field, ^sum(b, start)) }
