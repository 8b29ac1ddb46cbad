package stack

// Readiness, for poll: what a reader or writer of a conversation would find now,
// and who is to be told when that may have changed. settle tells.

import "slices"

// Ready says what poll would find.
type Ready uint8

// The bits of Ready.
const (
	ReadyIn Ready = 1 << iota
	ReadyOut
	ReadyHup
	ReadyErr
)

// A Watch is told when the readiness of a conversation may have changed.
type Watch struct{ Notify func() }

// Watch adds w; its Notify is called without locks until Unwatch.
func (c *Conv) Watch(w *Watch) {
	c.stack.lock()
	defer c.stack.unlock()
	c.watches = append(c.watches, w)
}

// Unwatch takes w away; a Notify that is under way may still come.
func (c *Conv) Unwatch(w *Watch) {
	c.stack.lock()
	defer c.stack.unlock()
	if i := slices.Index(c.watches, w); i >= 0 {
		c.watches = slices.Delete(c.watches, i, i+1)
	}
}

// Ready is the readiness of data and ctl.
func (c *Conv) Ready() Ready {
	c.stack.lock()
	defer c.stack.unlock()
	switch c.phase {
	case idle, announced:
		if c.headers {
			break
		}
		// A read or write fails at once, which is an answer too.
		if c.connectErr != nil {
			return ReadyIn | ReadyOut | ReadyErr
		}
		return ReadyIn | ReadyOut
	case hungup:
		if c.cause != nil {
			return ReadyIn | ReadyOut | ReadyHup | ReadyErr
		}
		return ReadyIn | ReadyOut | ReadyHup
	}
	return c.proto.ready(c)
}

// ReadyListen is the readiness of listen: in when a call waits.
func (c *Conv) ReadyListen() Ready {
	c.stack.lock()
	defer c.stack.unlock()
	switch {
	case c.phase == hungup:
		return ReadyIn | ReadyHup
	case len(c.calls) > 0:
		return ReadyIn
	}
	return 0
}

// Announced reports whether c takes calls.
func (c *Conv) Announced() bool {
	c.stack.lock()
	defer c.stack.unlock()
	return c.phase == announced
}

// ReadyControl is the readiness of ctl: out unless a connect is under way, its
// name being looked up or its address called.
func (c *Conv) ReadyControl() Ready {
	c.stack.lock()
	defer c.stack.unlock()
	if c.phase == connecting {
		return 0
	}
	return ReadyOut
}

// KeepsRest reports whether a reader keeps what did not fit of a datagram for
// his next read; with headers he does not, as on Plan 9.
func (c *Conv) KeepsRest() bool {
	c.stack.lock()
	defer c.stack.unlock()
	return !c.headers
}
