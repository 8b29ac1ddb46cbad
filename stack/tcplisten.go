package stack

// Calls: connections that come to a listener, and the compact records of those
// in TIME-WAIT. embryo.go has calls before their handshake; tcpSettle calls tcpArrived.

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"slashnet/stack/neterr"
	"slashnet/stack/tcp"
	"slashnet/wire"
)

// tcpArrived queues a call whose handshake is done.
func (s *Stack) tcpArrived(c *Conv) {
	l := c.listener
	c.hatched()
	if l.phase != announced {
		c.listener, c.closing = nil, true
		c.hangup(neterr.ListenHungup)
		return
	}
	l.calls = append(l.calls, c)
	s.touch(l)
}

// tcpCallDied forgets a call that ended before somebody took it.
func (s *Stack) tcpCallDied(c *Conv) {
	if c.phase == connecting {
		c.hatched()
	} else {
		// A call in the queue stays there: whoever takes it reads what it brought.
		c.phase, c.cause = hungup, c.tcb.Err()
		return
	}
	c.listener = nil
	c.phase, c.closing = hungup, true
	s.touch(c)
}

// setup is what the engine is told of a path.
func (s *Stack) setup(t tuple, o *tcpOptions, to path) tcp.Setup {
	return tcp.Setup{ISS: s.iss(t), MTU: s.mtuTo(to, t.remote.Addr()), IPHeader: wire.BaseLen(t.remote.Addr()), MSS: o.mss}
}

// engine is a new one for a connection.
func (s *Stack) engine(t tuple, o *tcpOptions) *tcp.Conn {
	// RFC 6191 §3: between the same two ends timestamps go on growing, so that a new
	// call is told from the past of the one in TIME-WAIT.
	e := tcp.NewConn(s.knobs.tcp, func() uint64 { return s.hash('t', t) })
	o.apply(e, s.now)
	return e
}

// tcpStart gives a conversation its engine.
func (s *Stack) tcpStart(c *Conv, e *tcp.Conn) {
	c.tcb = e
	c.flow = s.flowLabel(tuple{c.local, c.remote})
	c.settled = tcp.Listen // where no engine ever is: a SYN and its RST may come in one batch
	c.proto.flows[tuple{c.local, c.remote}] = c
	s.touch(c)
}

// --- TIME-WAIT

// maxTimeWaits bounds the records: at 250 bytes each some 8 MB. The oldest makes
// room.
const maxTimeWaits = 32768

// A timeWait is what is left of a connection in TIME-WAIT.
type timeWait struct {
	num   int
	flow  tuple
	owner User
	tcp   tcp.TimeWait
	since time.Duration
	nth   uint64 // of the conversation's events, so far
	gone  bool
}

// timeWaits are the records, in the order in which they end.
type timeWaits struct {
	stack   *Stack
	proto   *protocol
	byNum   map[int]*timeWait
	byTuple map[tuple]*timeWait
	order   []*timeWait
	listed  []*timeWait // in the order of their numbers, with holes
	timer   timer
}

func newTimeWaits(s *Stack, pr *protocol) *timeWaits {
	w := &timeWaits{stack: s, proto: pr, byNum: map[int]*timeWait{}, byTuple: map[tuple]*timeWait{}}
	w.timer.what = w
	return w
}

// add makes the record of a connection whose conversation goes.
func (w *timeWaits) add(c *Conv) {
	if len(w.byNum) >= maxTimeWaits {
		w.stack.counts.Tables.TimeWaitsDropped++
		w.forget(w.order[0])
	}
	c.note()
	c.told.heir = true
	w.enter(&timeWait{num: c.num, nth: c.told.nth, flow: tuple{c.local, c.remote}, owner: c.owner, tcp: c.tcb.TimeWait(w.stack.now), since: c.told.since})
}

func (w *timeWaits) enter(r *timeWait) {
	w.byNum[r.num], w.byTuple[r.flow] = r, r
	w.place(r)
	at, _ := slices.BinarySearchFunc(w.listed, r.num, waitByNum)
	w.listed = slices.Insert(w.listed, at, r)
	w.stack.file(&w.timer)
}

// place puts a record in its place in the order: the end, unless the knob has been
// lowered meanwhile.
func (w *timeWaits) place(r *timeWait) {
	at := len(w.order)
	for at > 0 && w.order[at-1].tcp.Deadline() > r.tcp.Deadline() {
		at--
	}
	w.order = slices.Insert(w.order, at, r)
}

func waitByNum(r *timeWait, num int) int { return cmp.Compare(r.num, num) }

// after are the records after a number, and holes where some have gone.
func (w *timeWaits) after(num int) []*timeWait {
	at, _ := slices.BinarySearchFunc(w.listed, num+1, waitByNum)
	return w.listed[at:]
}

// input is a segment for a record; true: the record has gone and the segment, a
// new SYN, is for the listener (RFC 6191).
func (w *timeWaits) input(r *timeWait, h *wire.TCPHeader, payloadLen int) (reopen bool) {
	reply, send, reopen := r.tcp.Input(w.stack.now, h, payloadLen)
	if send {
		w.stack.tcpReply(r.flow, &reply)
	}
	if reopen {
		w.forget(r)
	}
	return reopen
}

func (w *timeWaits) forget(r *timeWait) {
	if r.gone {
		return
	}
	r.gone = true
	delete(w.byNum, r.num)
	delete(w.byTuple, r.flow)
	w.over(r)
	fx := w.stack.effects
	fx.gone = append(fx.gone, goneConv{w.proto.num, r.num, ""})
	w.trim()
	if len(w.listed) > 2*len(w.byNum)+compactAfter {
		w.listed = slices.DeleteFunc(w.listed, func(r *timeWait) bool { return r.gone })
	}
}

// trim takes what has gone off the front.
func (w *timeWaits) trim() {
	for len(w.order) > 0 && w.order[0].gone {
		w.order[0] = nil
		w.order = w.order[1:]
	}
}

func (w *timeWaits) deadline() (time.Duration, bool) {
	w.trim()
	if len(w.order) == 0 {
		return 0, false
	}
	return w.order[0].tcp.Deadline(), true
}

// tick ends the records whose time has come. One that was prolonged by a
// repeated FIN goes to its new place.
func (w *timeWaits) tick() {
	for n := len(w.order); n > 0 && len(w.order) > 0; n-- {
		r := w.order[0]
		if r.gone {
			w.trim()
			continue
		}
		if r.tcp.Deadline() <= w.stack.now {
			w.forget(r)
			continue
		}
		if n > 1 && w.order[1].tcp.Deadline() < r.tcp.Deadline() {
			w.order = w.order[1:]
			w.place(r)
			continue
		}
		break
	}
}

func (r *timeWait) info(pr *protocol) Info {
	return Info{Num: r.num, Proto: pr.num, Owner: r.owner, Mode: 0o440, State: "Time_wait",
		Local: r.flow.local, Remote: r.flow.remote, Changed: pr.stack.wall(r.since)}
}

// --- numbers nobody can guess

// maxProbes is how many ports a search for a free one tries: all of the range.
const maxProbes = 65536

// ephemeral chooses the local port of a connection (RFC 6056, algorithm 3).
func (s *Stack) ephemeral(pr *protocol, local netip.Addr, remote netip.AddrPort) (uint16, error) {
	lo, hi := int(s.knobs.portLo), int(s.knobs.portHi)
	n := hi - lo + 1
	offset := int(s.hash('p', tuple{netip.AddrPortFrom(local, 0), remote}) % uint64(n))
	s.portStep += 1 + int(s.random.Uint32()%8)
	if pr.num == wire.UDP {
		offset = s.random.IntN(n) // algorithm 1: RFC 5452 §9.2 wants it for questions to a name server
	}
	for i := range min(n, maxProbes) {
		port := uint16(lo + (offset+s.portStep+i)%n)
		if pr.free4(tuple{netip.AddrPortFrom(local, port), remote}) {
			return port, nil
		}
	}
	return 0, neterr.NoPorts.With("all of %d-%d are in use towards %v", lo, hi, bang(remote))
}

// free4 reports whether a connection could have this name.
func (pr *protocol) free4(t tuple) bool {
	if pr.flows[t] != nil || pr.listener(t.local) != nil || pr.waits.byTuple[t] != nil {
		return false
	}
	return true
}
