package stack

// Events: what became of whom. note, called wherever a state may have changed,
// puts a change into a ring of the stack's; readers of the files named events
// follow it, each at its own pace, by operations like any other.

import (
	"fmt"
	"slices"
	"time"

	"slashnet/wire"
)

const (
	// maxEvents are kept, some 1.5 MB of them: what the busiest second of a shell
	// script brings, several times over.
	maxEvents = 4096
	// eventsAtOnce is how many one read is told at most, as it looks under the lock.
	eventsAtOnce = 64
	// maxCause cuts what somebody wrote and an error quotes.
	maxCause = 200
)

// An event is a change of a conversation's state.
type event struct {
	at    time.Duration
	proto *protocol
	num   int
	nth   uint64 // of the conversation's own, from 1
	from  string // empty: it was made
	to    string // empty: its directory has gone
	flow  tuple
	cause string
}

// told is what the events said last of a conversation.
type told struct {
	state string
	flow  tuple
	nth   uint64
	since time.Duration
	heir  bool // a record of TIME-WAIT tells the rest
}

// note tells of a change of state, if there was one.
func (c *Conv) note() {
	state := ""
	if !c.unlinked {
		state = c.proto.state(c)
	}
	last := &c.told
	if state == last.state || last.heir {
		return
	}
	// What failed, failed between the ends that it was between.
	if c.local.IsValid() || last.state == "" || last.state == "Closed" {
		last.flow = tuple{c.local, c.remote}
	}
	last.nth++
	c.proto.tell(event{num: c.num, nth: last.nth, from: last.state, to: state, flow: last.flow, cause: c.because(last.state, state)})
	last.state, last.since = state, c.stack.now
}

// over tells that a record of TIME-WAIT has gone.
func (w *timeWaits) over(r *timeWait) {
	w.proto.tell(event{num: r.num, nth: r.nth + 1, from: timeWaitState, flow: r.flow, cause: "the time is over"})
}

// timeWaitState is TIME-WAIT as Plan 9 spells it.
const timeWaitState = "Time_wait"

// tell puts an event into the ring, and counts the conversations by their state.
func (pr *protocol) tell(e event) {
	if e.from != "" {
		pr.states[e.from]--
	}
	if e.to != "" {
		pr.states[e.to]++
	}
	s := pr.stack
	e.at, e.proto = s.now, pr
	if len(e.cause) > maxCause {
		e.cause = e.cause[:maxCause]
	}
	e.cause = clean(e.cause)
	r := &s.events
	if len(r.ring) < maxEvents {
		r.ring = append(r.ring, e)
	} else {
		r.ring[r.last%maxEvents] = e
	}
	r.last++
	r.fresh = true
}

// because is the reason of a change, in words.
func (c *Conv) because(from, to string) string {
	own := "closed here"
	if c.ending != "" {
		own += ": " + c.ending
	}
	switch to {
	case "":
		return "nothing is left to do"
	case "Listen":
		return "announce"
	case "Open":
		switch {
		case c.phase == announced:
			return "announce"
		case c.listener != nil:
			return "a call"
		}
		return "connect"
	case "Syn_sent":
		return "connect"
	case "Syn_received":
		if from == "Syn_sent" {
			return "both ends call at once"
		}
		return "a call"
	case "Established":
		if from == "Syn_sent" {
			return "the peer has answered"
		}
		return "the peer has confirmed our answer"
	case "Finwait1", "Last_ack":
		return own
	case "Finwait2":
		return "the peer has seen our end"
	case "Close_wait", "Closing":
		return "the peer has closed"
	case timeWaitState:
		return "both ends have closed"
	}
	switch {
	case from == "":
		return "made"
	case c.cause != nil:
		return c.cause.Error()
	case c.phase == idle && c.connectErr != nil:
		return c.connectErr.Error()
	case from == "Last_ack":
		return "both ends have closed"
	}
	return own
}

// line is an event as its readers see it: time, conversation, from, to, local,
// remote, and the cause to the end of the line.
func (e *event) line(s *Stack) string {
	return fmt.Sprintf("%s %s/%d %s %s %s %s %s\n", s.wall(e.at).Format(eventTime), e.proto.name, e.num, orDash(e.from), orDash(e.to),
		bang(e.flow.local), bang(e.flow.remote), e.cause)
}

const eventTime = "2006-01-02T15:04:05.000000Z07:00"

func orDash(state string) string {
	if state == "" {
		return "-"
	}
	return state
}

// An eventRing holds the last maxEvents.
type eventRing struct {
	ring    []event
	last    uint64 // the number of the newest; they count from 1
	fresh   bool   // since readers were told
	parked  opList // readers of all
	watches []*Watch
}

func (r *eventRing) first() uint64 { return r.last - uint64(len(r.ring)) + 1 }

func (r *eventRing) at(n uint64) *event { return &r.ring[(n-1)%maxEvents] }

// settle lets the readers of all events find what is new.
func (r *eventRing) settle(s *Stack) {
	if !r.fresh {
		return
	}
	r.fresh = false
	s.retry(&r.parked)
	s.effects.notify = append(s.effects.notify, r.watches...)
}

// --- readers

// Events is a reader's place among the events: of one conversation from as far
// back as there are any, or of all from now on.
type Events struct {
	stack *Stack
	conv  *Conv  // nil: of all
	seen  uint64 // the number of the last event that was looked at
	nth   uint64 // with conv, of the last that was told
}

// Events begins to read; c is the conversation, or nil for all. There is nothing
// to close.
func (s *Stack) Events(c *Conv) *Events {
	s.lock()
	defer s.unlock()
	r := &Events{stack: s, conv: c, seen: s.events.last}
	if c == nil {
		return r
	}
	r.nth = c.told.nth
	for n := s.events.last; n >= s.events.first() && n > 0; n-- {
		if e := s.events.at(n); e.of(c) {
			r.seen, r.nth = n-1, e.nth-1
		}
	}
	return r
}

func (e *event) of(c *Conv) bool { return e.num == c.num && e.proto == c.proto }

// Close is for Stream.
func (r *Events) Close() {}

func (r *Events) of() *Conv { return r.conv }

func (r *Events) waiting() *opList { return &r.stack.events.parked }

// read gives the lines that have not been read, as many as fit. One who reads too
// slowly is told how many he has lost.
func (r *Events) read(op *Op) (done bool) {
	var text []byte
	for range eventsAtOnce {
		line, next := r.next()
		if line == "" || len(text) > 0 && len(text)+len(line) > op.Max {
			break
		}
		*r = next
		text = append(text, line...)
	}
	if len(text) > 0 {
		op.Chunks, op.N = append(op.Chunks[:0], wire.Chunk{B: text}), len(text)
		return true
	}
	return r.over()
}

// over reports whether nothing more can come.
func (r *Events) over() bool { return r.conv != nil && (r.conv.unlinked || r.conv.told.heir) }

// next is the next line, and the reader behind it; empty: there is none.
func (r Events) next() (line string, then Events) {
	ring := &r.stack.events
	if first := ring.first(); r.seen+1 < first {
		lost := first - 1 - r.seen
		r.seen = first - 1
		if r.conv == nil {
			return r.lost(lost), r
		}
	}
	for r.seen < ring.last {
		e := ring.at(r.seen + 1)
		switch {
		case r.conv != nil && !e.of(r.conv):
			r.seen++
			continue
		case r.conv != nil && e.nth > r.nth+1:
			lost := e.nth - 1 - r.nth
			r.nth += lost
			return r.lost(lost), r
		}
		r.seen, r.nth = r.seen+1, e.nth
		return e.line(r.stack), r
	}
	if r.conv != nil && r.nth < r.conv.told.nth {
		lost := r.conv.told.nth - r.nth
		r.nth += lost
		return r.lost(lost), r
	}
	return "", r
}

func (r *Events) lost(n uint64) string {
	return fmt.Sprintf("%s lost %d: they were not read in time\n", r.stack.wall(r.stack.now).Format(eventTime), n)
}

// Ready says what poll would find.
func (r *Events) Ready() Ready {
	r.stack.lock()
	defer r.stack.unlock()
	if line, _ := r.next(); line != "" {
		return ReadyIn
	}
	if r.over() {
		return ReadyIn | ReadyHup
	}
	return 0
}

// Watch adds w, which is told when there may be something to read.
func (r *Events) Watch(w *Watch) {
	if r.conv != nil {
		r.conv.Watch(w)
		return
	}
	r.stack.lock()
	defer r.stack.unlock()
	r.stack.events.watches = append(r.stack.events.watches, w)
}

// Unwatch takes w away.
func (r *Events) Unwatch(w *Watch) {
	if r.conv != nil {
		r.conv.Unwatch(w)
		return
	}
	r.stack.lock()
	defer r.stack.unlock()
	list := &r.stack.events.watches
	if i := slices.Index(*list, w); i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	}
}
