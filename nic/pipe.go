package nic

// A pipe is a cable between two stacks of this process.

// NewPipe makes a cable and returns its ends. Frames are copied on Send; those
// that find the other end's inbox full are dropped. An end that is not Plain
// sends frames with marks, which arrive as they were sent: nobody cuts a 64 KiB
// segment that never sees a wire.
func NewPipe(a, b Options) (NIC, NIC, error) {
	var ends [2]end
	for i, o := range []Options{a, b} {
		if err := ends[i].assume(o, "pipe"+string(rune('a'+i)), MaxMTU); err != nil {
			return nil, nil, err
		}
		ends[i].peer = &ends[1-i]
	}
	return &ends[0], &ends[1], nil
}

type end struct {
	port
	peer *end
}

func (e *end) Send(f *Frame) error {
	if err := e.refuses(f); err != nil {
		return err
	}
	return e.peer.deliver(f, &e.counters)
}
