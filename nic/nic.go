// Package nic holds the network interfaces: things that carry whole Ethernet
// frames with their offload marks. A TAP, a cable, a switch port, a capture and
// a fault injector are all a NIC, so they stack.
//
// Frames are Ethernet II (RFC 894) without the frame check sequence, which is the
// hardware's. Marks are those of virtio-net (Virtio 1.2 §5.1.6). The switch is
// the learning half of IEEE 802.1Q: it knows no VLANs, and no spanning tree; what
// goes round in a loop is ended by a hop mark instead.
//
// Up is borrowed: a NIC lends frames to its Receiver until Receive returns.
// Down is copied out: when Send returns, the bytes are the caller's again.
package nic

import "slashnet/wire"

// MaxFrame is the largest frame that a NIC carries: a GSO frame of 64 KiB with
// its Ethernet header.
const MaxFrame = 64<<10 + wire.EthernetLen

// A Frame is a whole Ethernet frame and its marks.
type Frame struct {
	Head []byte    // input: all of the frame; output: its headers, Ethernet's first
	Body [][]byte  // output: the payload, as slices of wherever it is kept
	Buf  *wire.Buf // input: the block that Head lies in; Hold it to keep the bytes
	Hops uint8     // switches crossed so far; a frame made afresh has none
	wire.Offload
}

// Len is the length of the frame in bytes.
func (f *Frame) Len() int {
	n := len(f.Head)
	for _, b := range f.Body {
		n += len(b)
	}
	return n
}

// Finished reports whether nothing is left to be done to the frame: it could go
// on a cable as it is.
func (f *Frame) Finished() bool { return !f.NeedsCsum && f.GSO == wire.GSONone }

// Transmit hands a frame to n, cut and summed first if n does not do that
// itself. The error is that of the last frame that n refused.
func Transmit(n NIC, f *Frame) error {
	if f.Finished() || n.Offload() {
		return n.Send(f)
	}
	var refused error
	err := Finish(f, func(f *Frame) {
		if err := n.Send(f); err != nil {
			refused = err
		}
	})
	if err != nil {
		return err
	}
	return refused
}

// A Receiver takes the frames that a NIC reads.
type Receiver interface {
	// Receive is lent a batch of frames until it returns. One goroutine at a
	// time calls it. It may change the bytes, and may not call Close.
	Receive(batch []*Frame)
}

// NIC is a network interface. Its methods may be called from any goroutine.
type NIC interface {
	Name() string
	MAC() wire.MAC
	MTU() int // of IP datagrams: 1500 on an ordinary Ethernet

	// Offload reports whether the NIC completes checksums and segments GSO frames
	// of 64 KiB itself. One that does not is given finished wire frames.
	Offload() bool

	// Start begins to read; every frame that arrives goes to r. Called again, it
	// moves what is read to another receiver, from the next batch on.
	Start(r Receiver)

	// Send puts one frame on the wire. It never waits: a NIC that has no room
	// drops the frame and says so. The frame's bytes are not kept.
	Send(f *Frame) error

	// Close ends reading. When it returns, no Receive is running or will come.
	Close() error
}
