package nic

// A pipe is a cable between two stacks of this process.

// NewPipe makes a cable and returns its ends. Frames are copied on Send; those
// that find the other end's inbox full are dropped. A small frame that is alone is
// received before Send returns, on the sender's goroutine, so no lock may be held
// that the receiver takes; of two that answer each other's frames, the second one's
// answer waits in the inbox, so they do not recurse. An end that is not Plain
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
	why, ok := e.peer.in.carry(f, &e.peer.counters)
	return e.sent(f, why, ok)
}
