package wire

// The packets of ARP: stack parses them for package arp, which decides, and puts
// its answers.

import (
	"encoding/binary"
	"net/netip"
)

// What an ARP packet says (RFC 826).
const (
	ARPRequest uint16 = 1
	ARPReply   uint16 = 2
)

// ARPLen is the length of an ARP packet for IPv4 on Ethernet.
const ARPLen = 28

// ARP is a packet of the address resolution protocol, for IPv4 on Ethernet.
type ARP struct {
	Op                   uint16
	SenderMAC, TargetMAC MAC
	SenderIP, TargetIP   netip.Addr
}

// arpFormat is how every packet begins that is about IPv4 (0x0800, 4 bytes) on
// Ethernet (1, 6 bytes).
const arpFormat = 0x0001_0800_06_04

// ParseARP reads a packet; what follows it is Ethernet's padding. Op may have
// any value: RFC 826 looks at it last.
func ParseARP(b []byte) (p ARP, err error) {
	if len(b) < ARPLen {
		return p, ErrShort
	}
	head := binary.BigEndian.Uint64(b)
	if head>>16 != arpFormat {
		return p, ErrFormat
	}
	p.Op = uint16(head)
	p.SenderMAC = MAC(b[8:14])
	p.SenderIP = netip.AddrFrom4([4]byte(b[14:18]))
	p.TargetMAC = MAC(b[18:24])
	p.TargetIP = netip.AddrFrom4([4]byte(b[24:28]))
	return p, nil
}

// Put writes the packet into the first ARPLen bytes of b. Both addresses are
// IPv4.
func (p *ARP) Put(b []byte) {
	b = b[:ARPLen]
	sender, target := p.SenderIP.As4(), p.TargetIP.As4()
	binary.BigEndian.PutUint64(b, arpFormat<<16|uint64(p.Op))
	copy(b[8:14], p.SenderMAC[:])
	copy(b[14:18], sender[:])
	copy(b[18:24], p.TargetMAC[:])
	copy(b[24:28], target[:])
}
