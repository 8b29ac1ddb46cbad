package wire

// Ethernet addresses: arp and nic keep them, the files of the tree print and read
// them.

import (
	"encoding/hex"
	"fmt"
	"net/netip"
)

// MAC is an Ethernet address. It is comparable, unlike net.HardwareAddr.
type MAC [6]byte

// Broadcast is the address of every station.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// IsBroadcast reports whether m is the address of every station.
func (m MAC) IsBroadcast() bool { return m == Broadcast }

// IsMulticast reports whether m is the address of a group: the first bit on the
// cable, which Broadcast has too.
func (m MAC) IsMulticast() bool { return m[0]&1 != 0 }

// String is the form that Linux prints: aa:bb:cc:dd:ee:ff.
func (m MAC) String() string {
	var s [17]byte
	for i := range m {
		hex.Encode(s[3*i:], m[i:i+1])
		if i > 0 {
			s[3*i-1] = ':'
		}
	}
	return string(s[:])
}

// Plan9 is the form that Plan 9 prints: aabbccddeeff.
func (m MAC) Plan9() string { return hex.EncodeToString(m[:]) }

// ParseMAC reads the forms of Linux, Windows and Plan 9: aa:bb:cc:dd:ee:ff,
// aa-bb-cc-dd-ee-ff and aabbccddeeff, in either case.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	var digits [12]byte
	width := 2 // of one byte and what parts it from the next
	switch {
	case len(s) == 17 && (s[2] == ':' || s[2] == '-'):
		width = 3
	case len(s) != 12:
		return m, badMAC(s)
	}
	for i := range m {
		at := width * i
		if width == 3 && i > 0 && s[at-1] != s[2] {
			return MAC{}, badMAC(s)
		}
		copy(digits[2*i:], s[at:at+2])
	}
	if _, err := hex.Decode(m[:], digits[:]); err != nil {
		return MAC{}, badMAC(s)
	}
	return m, nil
}

func badMAC(s string) error {
	return fmt.Errorf("bad ethernet address %q: want 6 bytes in hex, as 02:00:00:00:00:01 or 020000000001", s)
}

// MulticastMAC is the Ethernet address that the datagrams of a multicast group
// are sent to.
func MulticastMAC(group netip.Addr) MAC {
	group = group.Unmap()
	if group.Is4() {
		// RFC 1112 §6.4: the low 23 bits of the group.
		g := group.As4()
		return MAC{0x01, 0x00, 0x5e, g[1] & 0x7f, g[2], g[3]}
	}
	// RFC 2464 §7: the low 32 bits.
	g := group.As16()
	return MAC{0x33, 0x33, g[12], g[13], g[14], g[15]}
}
