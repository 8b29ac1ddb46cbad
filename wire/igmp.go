package wire

// IGMP messages: stack parses them for package igmp, which decides, and puts its
// answers.

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// IGMP is the protocol of group membership (RFC 3376, RFC 2236).
const IGMP Proto = 2

// The types of IGMP messages.
const (
	IGMPQuery    uint8 = 0x11
	IGMPv1Report uint8 = 0x12
	IGMPv2Report uint8 = 0x16
	IGMPv2Leave  uint8 = 0x17
	IGMPv3Report uint8 = 0x22
)

// The types of the records of a version 3 report that a host sends which filters
// no sources (RFC 3376 §4.2.12).
const (
	IGMPIsExclude uint8 = 2 // we are in the group
	IGMPToInclude uint8 = 3 // we have left it
	IGMPToExclude uint8 = 4 // we have joined it
)

const (
	igmpLen      = 8
	igmpQueryLen = 12 // of a version 3 query without sources
)

// IGMPMessage is a query, or a report or a leave of version 1 or 2. Of version 3
// reports only those are put that PutIGMPRecords makes.
type IGMPMessage struct {
	Type    uint8
	Version int           // of a query: 1, 2 or 3
	MaxResp time.Duration // of a query: how long an answer may take
	Group   netip.Addr    // unspecified in a general query
}

// ParseIGMP reads a message and verifies its checksum. Sources of a version 3
// query are not looked at: whoever filters none answers all alike.
func ParseIGMP(b []byte) (m IGMPMessage, err error) {
	if len(b) < igmpLen {
		return m, ErrShort
	}
	if Checksum(b) != 0 {
		return m, ErrChecksum
	}
	m.Type = b[0]
	m.Group = netip.AddrFrom4([4]byte(b[4:8]))
	if m.Type != IGMPQuery {
		return m, nil
	}
	// RFC 3376 §7.1: the version of a query is seen by its length.
	const tenth = time.Second / 10
	switch {
	case len(b) >= igmpQueryLen:
		m.Version, m.MaxResp = 3, time.Duration(igmpCode(b[1]))*tenth
	case len(b) > igmpLen:
		return m, ErrLength
	case b[1] == 0:
		m.Version, m.MaxResp = 1, 10*time.Second
	default:
		m.Version, m.MaxResp = 2, time.Duration(b[1])*tenth
	}
	return m, nil
}

// igmpCode is the number that a byte stands for: from 128 on it is one of
// floating point (RFC 3376 §4.1.1).
func igmpCode(b byte) int {
	if b < 128 {
		return int(b)
	}
	return (int(b&0xf) | 0x10) << ((b>>4)&7 + 3)
}

// Put writes a report or a leave of version 1 or 2 and returns its length.
func (m IGMPMessage) Put(b []byte) int {
	group := m.Group.As4()
	b = b[:igmpLen]
	b[0], b[1], b[2], b[3] = m.Type, 0, 0, 0
	copy(b[4:], group[:])
	binary.BigEndian.PutUint16(b[2:], Checksum(b))
	return igmpLen
}

// An IGMPRecord is what a version 3 report says of one group.
type IGMPRecord struct {
	Type  uint8
	Group netip.Addr
}

// AppendIGMPReport appends a version 3 report to b.
func AppendIGMPReport(b []byte, records []IGMPRecord) []byte {
	start := len(b)
	b = append(b, IGMPv3Report, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(records)))
	for _, r := range records {
		group := r.Group.As4()
		b = append(append(b, r.Type, 0, 0, 0), group[:]...)
	}
	binary.BigEndian.PutUint16(b[start+2:], Checksum(b[start:]))
	return b
}
