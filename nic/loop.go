package nic

// A Loop is the loopback interface: what is sent comes back in, on a goroutine
// of its own, so that a stack that talks to itself neither recurses nor waits.
type Loop struct{ port }

// NewLoop makes a loopback NIC. Its MTU is MaxMTU by default.
func NewLoop(o Options) (*Loop, error) {
	if o.MTU == 0 {
		o.MTU = MaxMTU
	}
	l := &Loop{}
	if err := l.assume(o, "lo", MaxMTU); err != nil {
		return nil, err
	}
	return l, nil
}

// Send queues a copy of f to be received.
func (l *Loop) Send(f *Frame) error {
	if err := l.refuses(f); err != nil {
		return err
	}
	return l.deliver(f, &l.counters)
}
