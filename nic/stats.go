package nic

// Counters. Every NIC of this package has a Stats method; they are read while
// traffic flows, without a lock.

import "sync/atomic"

// A Drop is a reason why a NIC did not carry a frame.
type Drop uint8

// The reasons.
const (
	DropDown     Drop = iota // the link is down, closed, or gone
	DropFull                 // no room in a queue
	DropTooBig               // longer than the MTU or MaxFrame
	DropMarks                // offload marks that make no sense, or may not be here
	DropLoop                 // crossed more switches than there can be between two stations
	DropFiltered             // addresses that no bridge forwards
	DropLost                 // lost on purpose, by Lossy
	DropIO                   // another error of the kernel
	DropKinds    = iota
)

var dropNames = [DropKinds]string{"down", "full", "toobig", "marks", "loop", "filtered", "lost", "io"}

func (d Drop) String() string { return dropNames[d] }

// Stats are the counters of a NIC: in is towards the stack. What a NIC passes
// on in one piece counts once, however many wire frames it stands for.
type Stats struct {
	FramesIn, BytesIn   uint64
	FramesOut, BytesOut uint64
	Drops               [DropKinds]uint64
}

// Dropped is the sum of all drops.
func (s Stats) Dropped() (n uint64) {
	for _, d := range s.Drops {
		n += d
	}
	return n
}

// Counted is what can tell its counters: every NIC of this package.
type Counted interface{ Stats() Stats }

type counters struct {
	framesIn, bytesIn   atomic.Uint64
	framesOut, bytesOut atomic.Uint64
	drops               [DropKinds]atomic.Uint64
}

// Stats reads the counters, each for itself.
func (c *counters) Stats() Stats {
	s := Stats{
		FramesIn: c.framesIn.Load(), BytesIn: c.bytesIn.Load(),
		FramesOut: c.framesOut.Load(), BytesOut: c.bytesOut.Load(),
	}
	for i := range s.Drops {
		s.Drops[i] = c.drops[i].Load()
	}
	return s
}

func (c *counters) countIn(batch []*Frame) {
	bytes := 0
	for _, f := range batch {
		bytes += f.Len()
	}
	c.framesIn.Add(uint64(len(batch)))
	c.bytesIn.Add(uint64(bytes))
}

func (c *counters) countOut(bytes int) {
	c.framesOut.Add(1)
	c.bytesOut.Add(uint64(bytes))
}

// drop counts a frame that is not carried, and passes the reason on.
func (c *counters) drop(d Drop, why error) error {
	c.drops[d].Add(1)
	return why
}
