package stack

// What a stack has in use, and the caps on it: the knobs limit.*. Whoever makes or
// keeps something asks here. A cap that is reached is answered with ENFILE
// (things) or ENOBUFS (memory).

import (
	"fmt"

	"slashnet/stack/neterr"
)

type usage struct {
	convs    int
	detached map[uint32]int // conversations without handles, by user
	ops      int
	handles  int // open files of the tree
	memory   int // bytes in the queues of conversations, and held by parked operations
}

// opCost is what a parked operation costs beside its bytes, the request of the
// files that it is a part of included.
const opCost = 512

// held is all the memory that limit.memory bounds. What it leaves out has bounds of
// its own: conversations by their number, frames under way by the queue of their
// interface, records of TIME-WAIT, events and the log by constants.
func (s *Stack) held() int { return s.usage.memory + s.reasm.Memory() }

// spare is how much more may be held.
func (s *Stack) spare() int { return s.knobs.maxMemory - s.held() }

// charge brings the books up to date with what c holds.
func (c *Conv) charge() {
	s := c.stack
	s.usage.memory += c.datagrams.charge()
	if c.tcb == nil {
		return
	}
	s.usage.memory += c.tcb.Charge()
	if c.tcb.Squeezed() && !c.squeezed {
		c.squeezed = true
		s.squeezed = append(s.squeezed, c)
	}
}

// easeFrom is how much memory must be spare for windows to be opened that were shut
// for want of it: enough for a segment of any size.
const easeFrom = 128 << 10

// ease opens windows again.
func (s *Stack) ease() {
	if len(s.squeezed) == 0 || s.spare() < easeFrom {
		return
	}
	for _, c := range s.squeezed {
		c.squeezed = false
		if c.tcb != nil {
			c.tcb.Ease()
			s.touch(c)
		}
	}
	s.squeezed = nil
}

// charge counts op as parked, unless that is too much.
func (s *Stack) charge(op *Op) bool {
	size := opCost
	switch {
	case op.Buf == nil:
		size += len(op.Data)
	case op.N < len(op.Data):
		size += cap(op.Buf.B)
	}
	if s.usage.ops >= s.knobs.maxOps || size > s.spare() {
		return false
	}
	op.charged = size
	s.usage.ops++
	s.usage.memory += size
	return true
}

func (s *Stack) discharge(op *Op) {
	s.usage.ops--
	s.usage.memory -= op.charged
}

// OpenHandle counts one more open file of the stack's tree; CloseHandle is its
// close.
func (s *Stack) OpenHandle() error {
	s.lock()
	defer s.unlock()
	if s.usage.handles >= s.knobs.maxHandles {
		return neterr.NoConvs.With("%d files are open, the limit", s.usage.handles)
	}
	s.usage.handles++
	return nil
}

// CloseHandle counts an open file less.
func (s *Stack) CloseHandle() {
	s.lock()
	defer s.unlock()
	s.usage.handles--
}

// A share is how much of a cap is used.
type share struct {
	name        string
	used, limit int
}

// shares are the caps on what is counted; detached is of the user who has most.
func (s *Stack) shares() []share {
	most := 0
	for _, n := range s.usage.detached {
		most = max(most, n)
	}
	u, k := &s.usage, &s.knobs
	return []share{{"conversations", u.convs, k.maxConvs}, {"detached", most, k.maxDetached}, {"operations", u.ops, k.maxOps},
		{"handles", u.handles, k.maxHandles}, {"memory", s.held(), k.maxMemory}}
}

func (l share) String() string { return fmt.Sprintf("limit.%s: %d/%d", l.name, l.used, l.limit) }
