package tcp

// Memory: the blocks of a connection's queues are charged to its view, which
// bounds them all together. text.go and user.go ask here before they queue.

// Memory is what the queues hold: blocks, whole, whatever lies in them.
func (c *Conn) Memory() int {
	return c.sendq.memory + c.recvq.memory + c.recvq.late.len()*lateCost
}

// Charge is by how much Memory has changed since the last Charge.
func (c *Conn) Charge() int {
	n := c.Memory() - c.charged
	c.charged += n
	return n
}

// spare is how much more memory there is for all.
func (c *Conn) spare() int {
	if c.cfg.Spare == nil {
		return maxWindow
	}
	return c.cfg.Spare() - (c.Memory() - c.charged)
}

// share is how much more one queue may take that holds so much: it is never to
// have more than it leaves to all others. So of n that want everything each gets
// one part in n+1, and the next one still finds as much. (Choudhury and Hahne
// call it a dynamic threshold.)
func (c *Conn) share(held int) int { return (c.spare() - held) / 2 }

// Queued is how many bytes the peer has not acknowledged.
func (c *Conn) Queued() int { return c.sendq.len() }

// Cramped reports whether Write finds no memory for a single byte.
func (c *Conn) Cramped() bool { return c.sendq.slack() == 0 && c.share(c.sendq.memory) < minBlock }

// keep queues what came in order. Without memory for it the window is shut: the
// peer is robust against that (RFC 9293 §3.8.6, MUST-34), and what is dropped was
// not acknowledged. What was kept behind holes goes first, as it may (RFC 2018 §8).
func (c *Conn) keep(s *segment) bool {
	if c.noReader {
		return true // it would be dropped at once
	}
	r, ok := c.recvq.keep(s.payload, s.buf, c.spare(), c.cfg.Alloc)
	if !ok && c.recvq.late.len() > 0 {
		c.recvq.forget()
		c.nsacks = 0
		r, ok = c.recvq.keep(s.payload, s.buf, c.spare(), c.cfg.Alloc)
	}
	if !ok {
		c.cfg.Counters.NoMemory++
		c.adv, c.say.ack = c.rcvNxt, true
		return false
	}
	c.recvq.append(r)
	return true
}

// Squeezed reports whether the window is shut, as the view had no memory, and only
// Ease will open it.
func (c *Conn) Squeezed() bool { return c.squeezed }

// Ease is called when there is memory again: the window may open.
func (c *Conn) Ease() { c.squeezed, c.say.open = false, true }
