package nic

import "sync/atomic"

// A sink is where a NIC delivers: the receiver of its last Start.
type sink struct{ to atomic.Pointer[Receiver] }

// set makes r the receiver from the next batch on. First: there was none.
func (s *sink) set(r Receiver) (first bool) { return s.to.Swap(&r) == nil }

func (s *sink) Receive(batch []*Frame) { (*s.to.Load()).Receive(batch) }
