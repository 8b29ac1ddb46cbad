package stack

// How long a conversation lives. Two rules: opened for reading and writing it is
// Plan 9's, the last close hangs up; opened read-only (n=$(cat clone)) it is
// detached and lives by a clock. settle.go calls settleLife after every change,
// the timer calls tick.

import (
	"fmt"
	"slices"
	"time"

	"slashnet/stack/neterr"
)

// How long a conversation lives that nobody has open.
const (
	// lifeUnused is for one that was never connected or announced: `grep -r` makes
	// such by opening clone.
	lifeUnused = time.Minute
	// lifeRead is for one whose peer has closed, or that failed, and whose bytes
	// were all read.
	lifeRead = time.Minute
	// lifeUnread is for the same with unread bytes: somebody may still come.
	lifeUnread = 10 * time.Minute
	// lifeAccept is for a listener made by opening accept/PORT.
	lifeAccept = time.Minute
	// probeAfter is when a detached connection without traffic begins to be probed,
	// so that a peer that is gone ends it before keep does.
	probeAfter = 2 * time.Minute
	// keepForever is the word forever of the verb keep.
	keepForever = never
)

// detach makes c live with or without handles.
func (c *Conv) detach(on bool) {
	if c.detached == on {
		return
	}
	c.detached = on
	u := &c.stack.usage
	if on {
		u.detached[c.owner.UID]++
	} else if u.detached[c.owner.UID]--; u.detached[c.owner.UID] == 0 {
		delete(u.detached, c.owner.UID)
	}
}

// touch notes that something happened to c: settle will look at it.
func (s *Stack) touch(c *Conv) {
	if !c.dirty {
		c.dirty = true
		s.dirty = append(s.dirty, c)
	}
}

// settle brings everything that was touched to rest: operations are retried,
// segments drained, deadlines filed, watchers told.
func (s *Stack) settle() {
	s.settleTouched()
	if len(s.squeezed) > 0 {
		s.ease()
		s.settleTouched()
	}
	s.events.settle(s)
	if s.closing {
		s.checkQuiet()
	}
}

func (s *Stack) settleTouched() {
	for len(s.dirty) > 0 {
		n := len(s.dirty) - 1
		c := s.dirty[n]
		s.dirty = s.dirty[:n]
		c.settle()
	}
}

// settle is for one conversation. It counts as dirty until its operations were
// retried: what they do to it is seen to here.
func (c *Conv) settle() {
	c.proto.settle(c)
	c.note()
	for c.retry() {
		c.proto.settle(c)
		c.note()
	}
	c.dirty = false
	c.charge()
	c.proto.flush(c)
	c.settleLife()
	if !c.freed {
		c.stack.file(&c.timer)
	}
	c.stack.effects.notify = append(c.stack.effects.notify, c.watches...)
}

// settleLife closes what nobody holds any more, and frees what is over.
func (c *Conv) settleLife() {
	if c.held > 0 || c.waiting > 0 {
		return
	}
	if !c.closing && !c.detached && c.name == "" && c.listener == nil {
		c.closeGracefully()
		return // until what that has to say, perhaps a reset, is sent
	}
	if !c.unlinked && (!c.closing || c.name != "") {
		return
	}
	if c.proto.over(c) {
		c.free()
	}
}

// closeGracefully is the polite end: what is queued is sent, then FIN.
func (c *Conv) closeGracefully() {
	if c.closing {
		return
	}
	c.closing = true
	if c.listener != nil {
		c.hangup(neterr.Aborted) // nobody has taken the call: there is nobody to part from
	}
	if c.phase != hungup {
		c.endAttempt()
		c.hangupCalls()
		c.proto.close(c)
		c.setPhase(hungup)
	}
	c.stack.touch(c)
}

// unlink takes the directory away; those who have files of it open keep them.
func (c *Conv) unlink() {
	if c.unlinked {
		return
	}
	c.note()
	c.unlinked = true
	c.proto.remove(c)
	c.stack.effects.gone = append(c.stack.effects.gone, goneConv{c.proto.num, c.num, c.name})
	c.stack.touch(c)
}

// free ends a conversation that nobody holds and that has nothing left to do.
func (c *Conv) free() {
	if c.phase != hungup {
		c.hangup(neterr.Aborted)
	}
	lingers := c.proto.free(c)
	c.datagrams = datagramQueue{charged: c.datagrams.charged}
	c.charge()
	if lingers {
		c.unlinked = true
		c.proto.remove(c)
	}
	c.unlink()
	if c.parent != nil {
		c.parent.children--
		c.parent.left = c.stack.now
		c.stack.touch(c.parent)
		c.parent = nil
	}
	c.detach(false)
	c.stack.unfile(&c.timer)
	if !c.freed {
		c.freed = true
		c.stack.usage.convs--
	}
}

// expiry is when the clock of a conversation that nobody has open runs out, and
// what for; ok is false while no clock runs.
func (c *Conv) expiry() (at time.Duration, why string, ok bool) {
	if c.held > 0 || c.waiting > 0 || c.closing || c.listener != nil || !c.detached || c.name != "" {
		return 0, "", false
	}
	since := max(c.left, c.changed)
	unread := c.proto.unread(c)
	switch {
	case c.children > 0:
		return 0, "", false
	case c.phase == idle || c.phase == connecting && c.cause != nil:
		return since + lifeUnused, "it was never connected or announced", true
	case (c.phase == hungup || c.proto.ended(c)) && unread == 0:
		return since + lifeRead, "everything was read and the other end has closed", true
	case c.phase == hungup || c.proto.ended(c):
		return since + lifeUnread, fmt.Sprintf("%d bytes are unread and nobody has it open", unread), true
	case c.keep == keepForever:
		return 0, "", false
	}
	return since + c.keep, "nobody has it open and nothing moves", true
}

func (c *Conv) deadline() (time.Duration, bool) {
	at, ok := c.proto.due(c)
	if next := c.rivalAt(); next > 0 && (!ok || next < at) {
		at, ok = next, true
	}
	if life, _, runs := c.expiry(); runs && (!ok || life < at) {
		at, ok = life, true
	}
	return at, ok
}

func (c *Conv) tick() {
	s := c.stack
	if at, ok := c.proto.due(c); ok && at <= s.now {
		c.proto.tick(c)
	}
	if at := c.rivalAt(); at > 0 && at <= s.now {
		c.startRival()
	}
	if at, why, ok := c.expiry(); ok && at <= s.now {
		s.logFor(c.owner, "%s/%d: closed: %s", c.proto.name, c.num, why)
		c.ending = why
		c.closeGracefully()
	}
	s.touch(c)
}

// --- calls

// listening reports why c cannot take calls.
func (c *Conv) listening() error {
	switch {
	case c.phase == hungup:
		return neterr.ListenHungup
	case c.phase != announced || c.headers:
		return neterr.NotAnnounced.With("%s/%d: write `announce PORT` to its ctl first", c.proto.name, c.num)
	}
	return nil
}

// takeCall gives the oldest call to op.
func (c *Conv) takeCall(op *Op) (done bool, err error) {
	if err := c.listening(); err != nil {
		c.unlisten()
		return true, err
	}
	if len(c.calls) == 0 {
		return false, nil
	}
	if op.Detached {
		if err := c.stack.mayDetach(c.owner); err != nil {
			c.unlisten()
			return true, err
		}
	}
	call := c.calls[0]
	c.calls[0] = nil
	c.calls = c.calls[1:]
	call.listener, call.parent = nil, c
	c.children++
	c.unlisten()
	call.keep = c.keep
	call.detach(op.Detached)
	call.probe()
	call.held++
	op.Call = call
	c.stack.touch(call)
	return true, nil
}

// unlisten notes that one open of listen waits no more.
func (c *Conv) unlisten() {
	c.waiting--
	c.left = c.stack.now
	c.stack.touch(c)
}

// hangup ends a conversation at once: a connection is reset, parked operations
// find out when they are retried. cause is what readers and writers get.
func (c *Conv) hangup(cause error) {
	c.leaveListener()
	if c.phase == hungup {
		if !c.proto.over(c) { // closed, and the goodbye takes too long for somebody
			c.proto.hangup(c)
			c.stack.touch(c)
		}
		return
	}
	c.endAttempt()
	c.hangupCalls()
	c.proto.hangup(c)
	c.setPhase(hungup)
	c.cause = cause
}

// leaveListener takes a call that nobody took out of its listener's books.
func (c *Conv) leaveListener() {
	l := c.listener
	switch {
	case l == nil:
		return
	case c.phase == connecting:
		c.hatched()
	default:
		l.calls = slices.DeleteFunc(l.calls, func(call *Conv) bool { return call == c })
	}
	c.listener = nil
}

// hangupCalls ends the calls that nobody took.
func (c *Conv) hangupCalls() {
	calls := c.calls
	c.calls = nil
	for _, call := range calls {
		call.listener = nil
		call.hangup(neterr.ListenHungup)
		call.closing = true
		c.stack.touch(call) // one that has ended in the queue has only this to do
	}
}
