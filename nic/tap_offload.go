package nic

// The offload path of a TAP: how its descriptor is attached, and the header of
// struct virtio_net_hdr (Virtio 1.2 §5.1.6) that stands before each frame and
// carries the marks. tap.go calls it.

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"

	"slashnet/wire"
)

// vnetLen is the shorter of the two headers that Linux knows. With Ethernet's
// it makes 24 bytes: the IP header behind them is aligned.
const vnetLen = 10

// The fields of the header.
const (
	vnetFlags, vnetGSO            = 0, 1
	vnetHeaderLen, vnetGSOSize    = 2, 4
	vnetCsumStart, vnetCsumOffset = 6, 8

	flagNeedsCsum, flagDataValid = 1, 2

	gsoTCPv4, gsoTCPv6, gsoUDP = 1, 4, 5
	gsoECN                     = 0x80 // the first segment of this one has CWR
)

// attachOffload attaches to an existing TAP with virtio-net headers. keep says
// whether the device outlives its descriptor from now on.
func attachOffload(name string, keep bool) (*os.File, error) {
	fd, err := attach(name, unix.IFF_TAP|unix.IFF_NO_PI|unix.IFF_VNET_HDR)
	if err != nil {
		return nil, err
	}
	if err := setOffload(fd, keep); err != nil {
		unix.Close(fd)
		return nil, err
	}
	// Only now: a descriptor that has no device is an error to the poller.
	return os.NewFile(uintptr(fd), name), nil
}

func setOffload(fd int, keep bool) error {
	persist := 0
	if keep {
		persist = 1
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, persist); err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, vnetLen); err != nil {
		return err
	}
	// TSO is refused without CSUM, and USO for one family without the other;
	// kernels before 6.2 have no USO.
	const tso = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tso|unix.TUN_F_USO4|unix.TUN_F_USO6) == nil {
		return nil
	}
	return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tso)
}

// decodeVnet reads the marks of a frame, b being the header and the frame. It
// says no to marks that point out of the frame.
func decodeVnet(b []byte, o *wire.Offload) bool {
	flags := b[vnetFlags]
	o.CsumValid = flags&flagDataValid != 0
	length := len(b) - vnetLen
	if flags&flagNeedsCsum != 0 {
		o.NeedsCsum = true
		o.CsumStart = binary.NativeEndian.Uint16(b[vnetCsumStart:])
		o.CsumOffset = binary.NativeEndian.Uint16(b[vnetCsumOffset:])
		if int(o.CsumStart)+int(o.CsumOffset)+2 > length {
			return false
		}
	}
	// The kernel's length of the headers is a hint and often too long: it is
	// found from the transport header instead.
	header := int(o.CsumStart)
	switch b[vnetGSO] &^ gsoECN {
	case 0:
		return true
	case gsoTCPv4:
		o.GSO = wire.GSOTCPv4
	case gsoTCPv6:
		o.GSO = wire.GSOTCPv6
	case gsoUDP:
		o.GSO = wire.GSOUDP
		header += udpLen
	default:
		return false
	}
	if o.GSO != wire.GSOUDP {
		if header+wire.TCPLen > length {
			return false
		}
		header += int(b[vnetLen+header+tcpOffset]>>4) * 4
	}
	o.GSOSize = binary.NativeEndian.Uint16(b[vnetGSOSize:])
	o.HeaderLen = uint16(header)
	return o.NeedsCsum && o.GSOSize > 0 && header <= length
}

// encodeVnet writes the marks of a frame.
func encodeVnet(b *[vnetLen]byte, f *Frame) {
	if f.NeedsCsum {
		b[vnetFlags] = flagNeedsCsum
		binary.NativeEndian.PutUint16(b[vnetCsumStart:], f.CsumStart)
		binary.NativeEndian.PutUint16(b[vnetCsumOffset:], f.CsumOffset)
	}
	switch f.GSO {
	case wire.GSONone:
		return
	case wire.GSOTCPv4:
		b[vnetGSO] = gsoTCPv4
	case wire.GSOTCPv6:
		b[vnetGSO] = gsoTCPv6
	case wire.GSOUDP:
		b[vnetGSO] = gsoUDP
	}
	if flags := int(f.CsumStart) + tcpFlags; f.GSO != wire.GSOUDP && flags < len(f.Head) &&
		wire.TCPFlags(f.Head[flags])&wire.CWR != 0 {
		b[vnetGSO] |= gsoECN
	}
	binary.NativeEndian.PutUint16(b[vnetHeaderLen:], f.HeaderLen)
	binary.NativeEndian.PutUint16(b[vnetGSOSize:], f.GSOSize)
}
