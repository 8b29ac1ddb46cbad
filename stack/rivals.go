package stack

// Rivals: a name with several addresses is not held up by one that is silent. The
// next address is tried beside those that have not answered yet, by a conversation
// without a directory, and whose connection is up first is what the user gets (RFC
// 8305 §5). connect.go begins and ends it, tcp.go tells of answers, life.go of time.

import (
	"slices"
	"strings"
	"time"

	"slashnet/stack/tcp"
	"slashnet/wire"
)

const (
	// rivalAfter is how long an address has before the next is tried beside it: the
	// Connection Attempt Delay that RFC 8305 §8 recommends.
	rivalAfter = 250 * time.Millisecond
	// maxRivals is how many are tried beside the first: a name can have a thousand
	// addresses, and each takes a port.
	maxRivals = 4
)

// expectRival has the next address tried, unless there is an answer before.
func (c *Conv) expectRival() {
	a := c.attempt
	a.rivalAt = 0
	if c.proto.num == wire.TCP && len(a.hosts) > 0 && len(a.rivals) < maxRivals {
		a.rivalAt = c.stack.now + rivalAfter
		c.stack.touch(c)
	}
}

// rivalAt is when that is; 0: never.
func (c *Conv) rivalAt() time.Duration {
	if c.phase != connecting || c.attempt == nil {
		return 0
	}
	return c.attempt.rivalAt
}

// startRival tries the next address beside the others. Where there is no room for
// one more conversation, it has to wait until one of them has failed.
func (c *Conv) startRival() {
	a := c.attempt
	a.rivalAt = 0
	for len(a.hosts) > 0 {
		r, err := c.stack.newConv(c.proto, c.owner)
		if err != nil {
			return
		}
		c.proto.remove(r)
		r.unlinked, r.runsFor = true, c
		r.ttl, r.tos, r.opts = c.ttl, c.tos, c.opts
		r.held++
		if a.next(r) == nil {
			a.rivals = append(a.rivals, r)
			c.expectRival()
			return
		}
		r.retire()
	}
}

// retire ends a rival that nobody needs any more.
func (r *Conv) retire() {
	r.runsFor = nil
	if r.tcb != nil {
		r.proto.unflow(r)
		r.settleAs(tcp.Closed)
		r.stack.tcpForget(r)
	}
	r.phase = hungup
	r.drop()
}

// retireRivals ends them all.
func (a *attempt) retireRivals() {
	for _, r := range a.rivals {
		r.retire()
	}
	a.rivals, a.rivalAt = nil, 0
}

// rivalFailed is told that the address of a rival does not answer.
func (c *Conv) rivalFailed(r *Conv, err error) {
	a := c.attempt
	a.failed(r.remote.Addr(), err)
	a.rivals = slices.DeleteFunc(a.rivals, func(other *Conv) bool { return other == r })
	r.retire()
	c.startRival()
}

// takenOver is the conversation that has the connection of a rival from now on.
func (r *Conv) takenOver() *Conv {
	c := r.runsFor
	c.takeOver(r)
	c.changed = c.stack.now
	return c
}

// takeOver gives c the connection of a rival in the place of its own, which nobody
// has answered.
func (c *Conv) takeOver(r *Conv) {
	a := c.attempt
	if c.tcb != nil {
		c.proto.unflow(c)
		c.stack.tcpForget(c)
	}
	c.tcb, r.tcb = r.tcb, nil
	c.local, c.remote = r.local, r.remote
	c.settled, r.settled = r.settled, tcp.Closed // counted once
	c.proto.flows[tuple{c.local, c.remote}] = c
	a.rivals = slices.DeleteFunc(a.rivals, func(other *Conv) bool { return other == r })
	r.retire()
	c.stack.touch(c)
}

// rivalWords tell which addresses are tried as well.
func (c *Conv) rivalWords() string {
	if c.attempt == nil || len(c.attempt.rivals) == 0 {
		return ""
	}
	var all []string
	for _, r := range c.attempt.rivals {
		all = append(all, r.remote.Addr().String())
	}
	return ", nor has " + strings.Join(all, ", ") + " given one"
}
