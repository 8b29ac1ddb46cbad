package nic

// A port is the receiving side that Pipe, Loop and Switch share: an identity
// and an inbox.

type port struct {
	identity
	in inbox
}

func (p *port) Start(r Receiver) { p.in.start(r, &p.counters) }

func (p *port) Close() error {
	p.in.close()
	return nil
}

// deliver queues a frame for p that the NIC owning from sent, and counts there.
func (p *port) deliver(f *Frame, from *counters) error {
	why, ok := p.in.put(f)
	return from.sent(f, why, ok)
}

// sent counts a frame that a peer's inbox has, or has not, taken.
func (c *counters) sent(f *Frame, why Drop, ok bool) error {
	switch {
	case ok:
		c.countOut(f.Len())
		return nil
	case why == DropFull:
		return c.drop(why, errFull)
	}
	return c.drop(why, errPeerClosed)
}
