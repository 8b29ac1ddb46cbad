package nic

// A Tee shows the traffic of a NIC to whoever wants to see it: an interface of the
// stack has one around its NIC, for the file snoop.

// A Tee wraps a NIC. As long as nobody captures, it costs one atomic load a
// frame. Frames are shown as they pass: with offloads on, 64 KiB segments
// whose checksum is not yet made, as in a capture on Linux.
type Tee struct {
	NIC
	*Captures
	receiver sink
}

// NewTee wraps n, which must not be started. What passes is shown to captures,
// which outlive the Tee.
func NewTee(n NIC, captures *Captures) *Tee { return &Tee{NIC: n, Captures: captures} }

// Start begins to read.
func (t *Tee) Start(r Receiver) {
	if t.receiver.set(r) {
		t.NIC.Start(t)
	}
}

// Receive shows frames on their way in.
func (t *Tee) Receive(batch []*Frame) {
	if t.watched() {
		for _, f := range batch {
			t.show(f, In, "")
		}
	}
	t.receiver.Receive(batch)
}

// Send shows a frame on its way out, whether the NIC takes it or not.
func (t *Tee) Send(f *Frame) error {
	if t.watched() {
		t.show(f, Out, "")
	}
	return t.NIC.Send(f)
}

// Stats are those of the NIC inside, if it counts.
func (t *Tee) Stats() Stats {
	if c, ok := t.NIC.(Counted); ok {
		return c.Stats()
	}
	return Stats{}
}
