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
	switch {
	case ok:
		from.countOut(f.Len())
		return nil
	case why == DropFull:
		return from.drop(why, errFull)
	}
	return from.drop(why, errPeerClosed)
}
