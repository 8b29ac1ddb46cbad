package stack

// Operations. fs and net.go fill an Op and Submit it; try runs it under the
// lock, now and whenever settle finds that its conversation changed; Cancel
// takes it back.

import (
	"strings"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// An OpKind says what an Op asks for.
type OpKind uint8

// The kinds of operation.
const (
	OpRead   OpKind = iota + 1 // bytes or a datagram of Conv
	OpWrite                    // Data to Conv
	OpCtl                      // lines of control for Conv
	OpListen                   // the next call of Conv
	OpDial                     // a new conversation of Proto, connected to Addr
	OpAccept                   // the next call of the listener of Proto at Addr, made if need be
	OpCS                       // the answers to Data, a query of the file cs
	OpDNS                      // the same of the file dns
	OpStream                   // what there is of Stream
	opQuiet                    // the last connection to end
)

// An Op is one user request that may have to wait. It is data: the one who
// makes it possible completes it, on his own goroutine, by calling Done.
type Op struct {
	Kind     OpKind
	Conv     *Conv         // OpRead, OpWrite, OpCtl, OpListen
	Proto    wire.Proto    // OpDial, OpAccept
	Addr     string        // OpDial, OpAccept
	Stream   Stream        // OpStream
	User     User          // who asks
	Detached bool          // OpListen: the call lives without handles
	NonBlock bool          // answer at once, neterr.TryAgain where it would wait; see connectVerb, and try for OpCS
	Max      int           // OpRead, OpStream: most bytes wanted
	Data     []byte        // OpWrite, OpCtl, OpCS, OpDNS
	Buf      *wire.Buf     // OpWrite: the block that Data lies in, which may be held
	Deadline time.Duration // when to give up, on the stack's clock; 0: never

	// Done is called exactly once, without any lock, perhaps before Submit
	// returns. The results below are then final.
	Done func(*Op)

	N       int          // OpWrite, OpCtl, OpCS, OpDNS: bytes accepted
	Err     error        // a neterr error
	Chunks  []wire.Chunk // OpRead, OpStream: the bytes, one hold on each block is the receiver's; none and no error: end of file
	Call    *Conv        // OpListen, OpDial, OpAccept: the conversation, held once
	Answers []string     // OpCS, OpDNS: lines without their newlines

	list       *opList // where it is parked
	charged    int     // bytes of memory, while it is
	next, prev *Op
	timer      timer
	stack      *Stack
	lines      []string // OpCtl: still to do
	started    bool     // OpCtl: lines[0] is a connect under way
	late       bool     // its Deadline has passed
	query      *query   // OpCS, OpDNS
	only4      bool     // OpDial: to an address of IPv4
}

// opList is a queue of parked operations.
type opList struct {
	head, tail *Op
	n          int
}

func (l *opList) empty() bool { return l.head == nil }

func (l *opList) push(op *Op) {
	op.list, op.prev, op.next = l, l.tail, nil
	if l.tail != nil {
		l.tail.next = op
	} else {
		l.head = op
	}
	l.tail = op
	l.n++
}

func (l *opList) remove(op *Op) {
	if op.prev != nil {
		op.prev.next = op.next
	} else {
		l.head = op.next
	}
	if op.next != nil {
		op.next.prev = op.prev
	} else {
		l.tail = op.prev
	}
	op.list, op.prev, op.next = nil, nil, nil
	l.n--
}

func (l *opList) pop() *Op {
	op := l.head
	if op != nil {
		l.remove(op)
	}
	return op
}

// Submit carries an operation out, now or when it becomes possible.
func (s *Stack) Submit(op *Op) {
	s.lock()
	defer s.unlock()
	op.stack = s
	if s.closing {
		s.finish(op, neterr.ShuttingDown)
		return
	}
	if s.begin(op) && !s.try(op) {
		s.park(op)
	}
}

// Cancel answers a parked operation with err; a write that has queued some
// bytes ends well instead, with a short count. One that is not parked any more
// is left alone: its answer is on its way.
func (s *Stack) Cancel(op *Op, err error) {
	s.lock()
	defer s.unlock()
	s.cancel(op, err)
}

func (s *Stack) cancel(op *Op, err error) {
	if op.list == nil {
		return
	}
	s.unpark(op)
	s.giveUp(op, err)
}

// giveUp answers an operation that is not to be waited for. A write that has
// queued some bytes ends well, with a short count: those must not come again.
func (s *Stack) giveUp(op *Op, err error) {
	if op.Kind == OpWrite && op.N > 0 {
		err = nil
	}
	s.abandon(op)
	s.finish(op, err)
}

// abandon undoes what a cancelled operation had begun.
func (s *Stack) abandon(op *Op) {
	if op.Kind == OpDial && op.Conv != nil {
		op.Conv.drop()
		op.Conv.hangup(neterr.Interrupted)
	}
	if op.Kind == OpListen || op.Kind == OpAccept {
		op.Conv.unlisten()
	}
	if op.query != nil {
		op.query.giveUp()
	}
}

// finish notes the answer; unlock gives it.
func (s *Stack) finish(op *Op, err error) {
	op.Err = err
	s.effects.finish = append(s.effects.finish, op)
}

// begin checks an operation and resolves what it is about. False: answered.
func (s *Stack) begin(op *Op) bool {
	switch op.Kind {
	case OpCtl:
		return s.beginCtl(op)
	case OpListen:
		if err := op.Conv.listening(); err != nil {
			return s.refuse(op, err)
		}
		op.Conv.waiting++
	case OpDial:
		return s.beginDial(op)
	case OpAccept:
		return s.beginAccept(op)
	case OpCS, OpDNS:
		return s.beginQuery(op)
	case OpStream:
		op.Conv = op.Stream.of()
	}
	return true
}

func (s *Stack) refuse(op *Op, err error) bool {
	if op.Conv != nil {
		op.Conv.fail(err)
	} else {
		s.logFor(op.User, "%s: %v", op.describe(), err)
	}
	s.finish(op, err)
	return false
}

func (op *Op) describe() string {
	switch op.Kind {
	case OpDial:
		return op.stack.proto(op.Proto).name + "/dial/" + clip(op.Addr)
	case OpAccept:
		return op.stack.proto(op.Proto).name + "/accept/" + clip(op.Addr)
	case OpCS:
		return "cs " + clip(strings.TrimSpace(string(op.Data)))
	case OpDNS:
		return "dns " + clip(strings.TrimSpace(string(op.Data)))
	}
	return "operation"
}

// try carries op out if that is possible now, and answers it.
func (s *Stack) try(op *Op) (done bool) {
	var err error
	switch op.Kind {
	case OpRead:
		done, err = op.Conv.proto.read(op.Conv, op)
	case OpWrite:
		done, err = op.Conv.proto.write(op.Conv, op)
	case OpCtl:
		done, err = s.tryCtl(op)
	case OpListen, OpAccept:
		done, err = op.Conv.takeCall(op)
	case OpDial:
		done, err = s.tryDial(op)
	case OpCS, OpDNS:
		return false // NonBlock or not: the resolver's own time limit is short
	case OpStream:
		done = op.Stream.read(op)
	}
	if !done && op.NonBlock {
		done, err = true, neterr.TryAgain
		switch {
		case op.Kind == OpDial:
			op.Call, err = op.Conv, nil // its reads and writes will say how it went
		case op.Kind == OpWrite && op.N > 0:
			err = nil
		case op.Kind == OpListen || op.Kind == OpAccept:
			op.Conv.unlisten()
		}
	}
	if done {
		s.finish(op, err)
	}
	return done
}

// park puts op among those that wait.
func (s *Stack) park(op *Op) {
	if !s.charge(op) {
		s.logFor(op.User, "%d operations wait already, and %d bytes are held: one more refused", s.usage.ops, s.held())
		s.giveUp(op, neterr.NoMemory)
		return
	}
	switch {
	case op.query != nil:
		s.queries.push(op)
	case op.Conv == nil:
		op.Stream.waiting().push(op)
	default:
		op.Conv.parked.push(op)
	}
	if op.Kind == OpRead && op.Deadline == 0 && op.Conv.readTimeout > 0 {
		op.Deadline = s.now + op.Conv.readTimeout
	}
	if op.Deadline > 0 {
		op.timer.what = op
		s.file(&op.timer)
	}
}

// unpark takes op out again.
func (s *Stack) unpark(op *Op) {
	op.list.remove(op)
	s.discharge(op)
	s.unfile(&op.timer)
}

// deadline and tick make an Op time out.
func (op *Op) deadline() (time.Duration, bool) { return op.Deadline, op.Deadline > 0 && op.list != nil }

func (op *Op) tick() {
	op.late = true
	op.stack.cancel(op, neterr.TimedOut)
}

// answerAll ends every parked operation.
func (s *Stack) answerAll(err error) {
	streams := []*opList{&s.events.parked}
	for _, r := range s.snoops {
		streams = append(streams, &r.parked)
	}
	for _, list := range streams {
		for op := list.head; op != nil; op = list.head {
			s.cancel(op, err)
		}
	}
	for _, pr := range s.protos {
		for _, c := range pr.all() {
			for op := c.parked.head; op != nil; op = c.parked.head {
				s.cancel(op, err)
			}
		}
	}
	for op := s.queries.head; op != nil; op = s.queries.head {
		s.cancel(op, err)
	}
}

// retry tries the parked operations of c in their order. Once one of a kind has
// to wait, so do all behind it: bytes are not to overtake. No try takes another
// operation off the list: a change of state only touches the conversation, and
// the next retry lets every operation find out for itself. It is called again
// if one of them was a command, which may have changed that state.
func (c *Conv) retry() (again bool) {
	var waits [opQuiet + 1]bool
	for op := c.parked.head; op != nil; {
		next := op.next
		if !waits[op.Kind] {
			s := c.stack
			if s.try(op) {
				op.list.remove(op)
				s.discharge(op)
				s.unfile(&op.timer)
				again = again || op.Kind == OpCtl
			} else {
				waits[op.Kind] = true
			}
		}
		op = next
	}
	return again
}

// SetDeadline moves the time at which a parked op gives up; zero: never. net.go
// uses it for the deadlines of net.Conn.
func (s *Stack) SetDeadline(op *Op, at time.Duration) {
	s.lock()
	defer s.unlock()
	op.Deadline = at
	if op.list != nil && at > 0 {
		op.timer.what = op
		s.file(&op.timer)
	}
}
