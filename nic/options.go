package nic

// What every NIC has: a name, an address, an MTU and counters. The
// constructors turn Options into an identity; the NICs embed it.

import (
	"crypto/rand"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

const (
	// DefaultMTU is that of an Ethernet (RFC 894).
	DefaultMTU = 1500
	// MinMTU is what every internet module must forward unfragmented (RFC 791
	// §3.2).
	MinMTU = 68
	// MaxMTU is the longest IPv4 datagram.
	MaxMTU = 65535

	// tagRoom is what two VLAN tags (IEEE 802.1Q) add to a frame: a NIC carries
	// them beside its MTU, as Linux does.
	tagRoom = 8
)

// Options describe a NIC. The zero value of each field means its default.
type Options struct {
	Name string   // default: made up, or the kernel's choice for a TAP
	MAC  wire.MAC // the stack's address on this NIC; default: random, locally administered
	MTU  int      // default: DefaultMTU

	// Plain turns offloads off: only finished wire frames are sent, and a TAP
	// reads only such.
	Plain bool

	// For a TAP: Persist keeps the device when it is closed, and Owner may attach
	// to it then without privilege.
	Persist bool
	Owner   *Owner
}

// An Owner is a user and a group of the kernel.
type Owner struct{ UID, GID uint32 }

type identity struct {
	name  string
	mac   wire.MAC
	mtu   int
	plain bool
	counters
}

func (i *identity) Name() string  { return i.name }
func (i *identity) MAC() wire.MAC { return i.mac }
func (i *identity) MTU() int      { return i.mtu }
func (i *identity) Offload() bool { return !i.plain }

// assume takes over what the options say, or changes nothing.
func (i *identity) assume(o Options, name string, maxMTU int) error {
	if o.Name == "" {
		o.Name = name
	}
	if o.MTU == 0 {
		o.MTU = min(DefaultMTU, maxMTU)
	}
	if o.MTU < MinMTU || o.MTU > maxMTU {
		return neterr.BadArg.With("MTU %d: want %d to %d", o.MTU, MinMTU, maxMTU)
	}
	if o.MAC.IsMulticast() {
		return neterr.BadArg.With("MAC %v is the address of a group: want an even first byte, as 02:00:00:00:00:01", o.MAC)
	}
	if o.MAC == (wire.MAC{}) {
		o.MAC = RandomMAC()
	}
	i.name, i.mac, i.mtu, i.plain = o.Name, o.MAC, o.MTU, o.Plain
	return nil
}

// RandomMAC is an address that no manufacturer gave to anybody.
func RandomMAC() wire.MAC {
	var m wire.MAC
	rand.Read(m[:])
	// IEEE 802 §8.2.2: the second bit on the cable says locally administered, the
	// first would say group.
	m[0] = m[0]&^1 | 2
	return m
}

// refuses counts and names what is wrong with a frame to be sent.
func (i *identity) refuses(f *Frame) error {
	length := f.Len()
	if f.GSO != wire.GSONone {
		length = min(length, int(f.HeaderLen)+int(f.GSOSize))
	}
	switch {
	case length > wire.EthernetLen+i.mtu+tagRoom || f.Len() > MaxFrame:
		return i.drop(DropTooBig, neterr.MessageSize)
	case i.plain && !f.Finished():
		return i.drop(DropMarks, errUnfinished)
	}
	return nil
}

var (
	errUnfinished = neterr.BadArg.With("a frame with offload marks for a NIC without offload: Finish it first")
	errClosed     = neterr.LinkDown.With("the NIC is closed")
	errPeerClosed = neterr.LinkDown.With("the other end is closed")
	errFull       = neterr.NoMemory.With("the receiver's queue is full")
)
