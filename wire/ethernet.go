package wire

// MAC is an Ethernet address. It is comparable, unlike net.HardwareAddr.
type MAC [6]byte

// Broadcast is the address of every station.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// An EtherType says what an Ethernet frame carries.
type EtherType uint16

// The types that the stack knows.
const (
	EtherIPv4 EtherType = 0x0800
	EtherARP  EtherType = 0x0806
	EtherIPv6 EtherType = 0x86dd
)

// EthernetLen is the length of an Ethernet II header.
const EthernetLen = 14

// Ethernet is the header of an Ethernet II frame (RFC 894).
type Ethernet struct {
	Dst, Src MAC
	Type     EtherType
}
