package wire

// Offload are the marks that a frame carries beside its bytes, in the terms of
// virtio-net: what is still to be done to it before it is on a cable, or has
// been left undone by the kernel that gave it to us.
type Offload struct {
	// NeedsCsum: the checksum field at CsumStart+CsumOffset holds the sum of the
	// pseudo header; the sum from CsumStart to the end is to be completed. On
	// input it means that the frame never was on a cable and is right.
	NeedsCsum bool
	// CsumValid, on input only: somebody verified the transport checksum.
	CsumValid             bool
	CsumStart, CsumOffset uint16
	// GSO: the frame is to be cut into segments of GSOSize bytes of payload each.
	GSO     GSO
	GSOSize uint16
	// HeaderLen is the length of all headers, Ethernet's included, of a GSO frame.
	HeaderLen uint16
}

// GSO says how a frame larger than the MTU is to be segmented.
type GSO uint8

// The kinds of segmentation.
const (
	GSONone GSO = iota
	GSOTCPv4
	GSOTCPv6
	GSOUDP
)
