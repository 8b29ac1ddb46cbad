package wire

// The messages of multicast listeners (RFC 3810): package mld decides, stack
// sends. The query is also that of version 1 (RFC 2710), which is shorter.

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// An MLDQueryMessage asks who listens to which groups (RFC 3810 §5.1).
type MLDQueryMessage struct {
	V1       bool
	MaxDelay time.Duration
	Group    netip.Addr // unspecified: all of them
	Sources  bool       // it is about some sources of the group only
}

// ParseMLDQuery reads a query. b is what follows the ICMPv6 header.
func ParseMLDQuery(h ICMPHeader, b []byte) (m MLDQueryMessage, err error) {
	if len(b) < 16 {
		return m, ErrShort
	}
	m.Group = netip.AddrFrom16([16]byte(b))
	m.V1 = len(b) < 20 // RFC 3810 §8.1
	code := uint16(h.Rest >> 16)
	m.MaxDelay = time.Duration(code) * time.Millisecond
	if !m.V1 {
		if code >= 1<<15 {
			// RFC 3810 §5.1.3: an exponent of 3 bits and a mantissa of 12.
			m.MaxDelay = time.Duration(uint64(code&0xfff|0x1000)<<(code>>12&7+3)) * time.Millisecond
		}
		m.Sources = binary.BigEndian.Uint16(b[18:]) != 0
	}
	return m, nil
}

// How a record of a report speaks of a group (RFC 3810 §5.2.5), its list of
// sources being empty.
const (
	MLDIsExclude uint8 = 2 // we listen
	MLDToInclude uint8 = 3 // we do not any more
	MLDToExclude uint8 = 4 // we listen from now on
)

// An MLDRecord is what a report says of a group.
type MLDRecord struct {
	Kind  uint8
	Group netip.Addr
}

// LenMLDRecord is the length of one without sources.
const LenMLDRecord = 20

// AppendMLDRecord adds a record to what follows the header of a report, whose
// Rest is their number.
func AppendMLDRecord(b []byte, r MLDRecord) []byte {
	group := r.Group.As16()
	return append(append(b, r.Kind, 0, 0, 0), group[:]...)
}

// ParseMLDReport reads the records of a report.
func ParseMLDReport(h ICMPHeader, b []byte) (records []MLDRecord, err error) {
	for range h.Rest & 0xffff {
		if len(b) < LenMLDRecord {
			return nil, ErrShort
		}
		n := LenMLDRecord + 16*int(binary.BigEndian.Uint16(b[2:])) + 4*int(b[1])
		if n > len(b) {
			return nil, ErrLength
		}
		records = append(records, MLDRecord{b[0], netip.AddrFrom16([16]byte(b[4:]))})
		b = b[n:]
	}
	return records, nil
}

// AlertRouters is the hop-by-hop header that messages of multicast listeners have,
// so that routers look at them (RFC 3810 §5, RFC 2711): the option, padded.
var AlertRouters = [8]byte{byte(ICMPv6), 0, optRouterAlert, 2, 0, 0, optPadN, 0}
