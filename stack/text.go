package stack

// The text files of a conversation. fs takes a snapshot when one is opened.

// Stack is the one that a conversation is of.
func (c *Conv) Stack() *Stack { return c.stack }

// LocalText is the file local: our address, `!` and port.
func (c *Conv) LocalText() string {
	c.stack.lock()
	defer c.stack.unlock()
	return bang(c.local) + "\n"
}

// RemoteText is the file remote: the peer's address, `!` and port.
func (c *Conv) RemoteText() string {
	c.stack.lock()
	defer c.stack.unlock()
	return bang(c.remote) + "\n"
}

// StatusText is the file status: Plan 9's line, then `word value` lines.
func (c *Conv) StatusText() string {
	c.stack.lock()
	defer c.stack.unlock()
	r := c.record()
	return c.proto.status(c) + r.Text()
}

// JSONText is the file status.json: the same as an object.
func (c *Conv) JSONText() string {
	c.stack.lock()
	r := c.record()
	c.stack.unlock()
	return string(r.JSON()) + "\n"
}

// WhyText is the file why: one sentence a human needs.
func (c *Conv) WhyText() string {
	c.stack.lock()
	defer c.stack.unlock()
	return c.why() + "\n"
}

// maxPeek bounds what peek shows.
const maxPeek = 64 << 10

// Peek is what a reader of data would get, at most max bytes, without taking it.
func (c *Conv) Peek(max int) []byte {
	c.stack.lock()
	defer c.stack.unlock()
	max = min(max, maxPeek)
	if c.tcb != nil {
		b := make([]byte, min(max, c.tcb.Unread()))
		return b[:c.tcb.Peek(b)]
	}
	if len(c.datagrams.items) > 0 {
		d := c.datagrams.items[0].data
		return append([]byte(nil), d[:min(max, len(d))]...)
	}
	return nil
}
