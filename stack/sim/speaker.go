package sim

// A speaker is a user at one end of a connection: a small state machine that the
// dice drive. It writes, reads and checks what it reads, and leaves as its plan
// says.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"slashnet/stack"
	"slashnet/stack/neterr"
)

type speaker struct {
	talk   *Talk
	world  *World
	host   *Host
	conv   *stack.Conv
	plan   Plan
	peer   Plan
	dice   *rand.Rand
	flow   flow   // from here
	out    uint64 // names of the streams
	in     uint64
	wrote  int
	read   int
	hangAt int // bytes after which it hangs up; -1: never

	writing, reading   *stack.Op // under way
	written, eof       bool
	writeErr, readErr  error
	finished, deserted bool // reading is over; left without reading to the end
	gone               bool
}

func newSpeaker(t *Talk, h *Host, plan, peer Plan, dice *rand.Rand) *speaker {
	s := &speaker{talk: t, world: t.world, host: h, plan: plan, peer: peer, dice: dice, hangAt: -1}
	if plan.End == Hangup {
		s.hangAt = dice.IntN(plan.Bytes + 1)
	}
	return s
}

func (s *speaker) begin(c *stack.Conv) {
	s.conv = c
	info := c.Info()
	s.flow = flow{info.Local, info.Remote}
	if !info.Local.IsValid() || !info.Remote.IsValid() {
		// The peer has hung up before we came.
		s.written, s.finished = true, true
		s.leave()
		return
	}
	s.out, s.in = s.flow.name(), s.flow.back().name()
	// A peer that leaves early may reset the connection, and a reset may be lost:
	// who only waits must find out by himself.
	if s.peer.End != Finish || s.plan.Alive {
		tell(s.host, c, "keepalive 10000")
	}
	s.write()
	s.hear()
}

// later calls do after a pause.
func (s *speaker) later(do func()) {
	s.host.After(time.Duration(s.dice.Float64()*s.dice.Float64()*float64(s.plan.Pause)), func() {
		if !s.gone {
			do()
		}
	})
}

// size is how much to write or read at once: often little, sometimes a lot.
func (s *speaker) size() int {
	if s.plan.Bulk {
		return 64 << 10
	}
	switch s.dice.IntN(4) {
	case 0:
		return 1 + s.dice.IntN(16)
	case 1:
		return 1 + s.dice.IntN(1460)
	case 2:
		return 1 + s.dice.IntN(16<<10)
	}
	return 1 + s.dice.IntN(100<<10)
}

func (s *speaker) write() {
	if s.hangAt >= 0 && s.wrote >= s.hangAt {
		tell(s.host, s.conv, "hangup")
		s.depart()
		return
	}
	if s.wrote == s.plan.Bytes || s.writeErr != nil {
		s.finishWriting()
		return
	}
	n := min(s.size(), s.plan.Bytes-s.wrote)
	buf := s.world.block(n)
	fill(buf.B, s.out, s.wrote)
	op := &stack.Op{Kind: stack.OpWrite, Conv: s.conv, Data: buf.B}
	if s.dice.IntN(2) == 0 {
		op.Buf = buf
	}
	op.Done = func(op *stack.Op) {
		buf.Release()
		s.writing = nil
		s.wrote += op.N
		s.host.After(0, func() { s.wroteSome(op) })
	}
	s.writing = op
	s.send(op)
}

// send submits a read or write; a fickle user does not always wait for its end.
func (s *speaker) send(op *stack.Op) {
	if s.plan.Fickle {
		switch s.dice.IntN(8) {
		case 0:
			op.NonBlock = true
		case 1:
			op.Deadline = s.world.now + 1 + time.Duration(s.dice.Int64N(int64(time.Second)))
		case 2:
			s.host.After(time.Duration(s.dice.Int64N(int64(time.Second))), func() { s.host.Cancel(op, neterr.Interrupted) })
		case 3:
			s.adjust()
		}
	}
	s.host.Submit(op)
}

// adjust changes a setting in mid-stream.
func (s *speaker) adjust() {
	sizes := []string{"4k", "10k", "64k", "300k", "1m"}
	line := ""
	switch s.dice.IntN(4) {
	case 0:
		line = "rcvbuf " + sizes[s.dice.IntN(len(sizes))]
	case 1:
		line = "sndbuf " + sizes[s.dice.IntN(len(sizes))]
	case 2:
		line = "nodelay " + []string{"on", "off"}[s.dice.IntN(2)]
	case 3:
		line = "cork on\ncork off"
	}
	if err := tell(s.host, s.conv, line); err != nil && !errors.Is(err, neterr.Hungup) {
		s.world.fail("%s: %s: %v", s.host.Name, strings.ReplaceAll(line, "\n", "; "), err)
	}
}

// passing reports whether an error says to try again.
func passing(err error) bool {
	return errors.Is(err, neterr.TryAgain) || errors.Is(err, neterr.NoMemory) || errors.Is(err, neterr.Interrupted) || errors.Is(err, neterr.TimedOut)
}

func (s *speaker) wroteSome(op *stack.Op) {
	if s.gone {
		return
	}
	switch {
	case op.Err == nil || op.Deadline == 0 && !errors.Is(op.Err, neterr.TimedOut) && passing(op.Err):
	case op.Deadline > 0 && passing(op.Err) && s.host.alive(s.conv):
	default:
		s.writeErr = op.Err
	}
	s.pause(op, s.write)
}

// pause goes on, not at once if the last call could not be carried out.
func (s *speaker) pause(op *stack.Op, do func()) {
	if op.Err != nil {
		s.host.After(time.Millisecond, func() {
			if !s.gone {
				s.later(do)
			}
		})
		return
	}
	s.later(do)
}

// alive reports whether a conversation is not over: a call of one that died of a
// timeout and one that timed out itself are answered with the same error.
func (h *Host) alive(c *stack.Conv) bool { return c.Ready()&stack.ReadyHup == 0 }

func (s *speaker) finishWriting() {
	s.written = true
	switch {
	case s.writeErr != nil:
	case s.plan.End == Finish || s.plan.End == Hangup:
		if err := tell(s.host, s.conv, "shutdown wr"); err != nil && !errors.Is(err, neterr.Hungup) {
			s.world.fail("%s: shutdown: %v", s.host.Name, err)
		}
	case s.plan.End == Close:
		tell(s.host, s.conv, "close")
		s.depart()
		return
	case s.plan.End == Drop:
		s.depart()
		return
	}
	s.leave()
}

func (s *speaker) hear() {
	op := &stack.Op{Kind: stack.OpRead, Conv: s.conv, Max: s.size()}
	op.Done = func(op *stack.Op) {
		s.reading = nil
		s.take(op)
		s.host.After(0, func() { s.heardSome(op) })
	}
	s.reading = op
	s.send(op)
}

// take checks what was read and gives the memory back.
func (s *speaker) take(op *stack.Op) {
	for _, c := range op.Chunks {
		if i := wrong(c.B, s.in, s.read); i >= 0 {
			s.world.fail("%s %v: byte %d that was read is not what was written", s.host.Name, s.flow.from, s.read+i)
		}
		if s.read += len(c.B); s.read > s.peer.Bytes {
			s.world.fail("%s %v: %d bytes were read, %d written", s.host.Name, s.flow.from, s.read, s.peer.Bytes)
		}
		c.Buf.Release()
	}
	if len(op.Chunks) > 0 && op.N > op.Max {
		s.world.fail("%s: a read of %d bytes brought %d", s.host.Name, op.Max, op.N)
	}
}

func (s *speaker) heardSome(op *stack.Op) {
	if s.gone {
		return
	}
	switch {
	case len(op.Chunks) > 0:
	case op.Err == nil:
		s.eof, s.finished = true, true
		s.leave()
		return
	case passing(op.Err) && (!errors.Is(op.Err, neterr.TimedOut) || op.Deadline > 0 && s.host.alive(s.conv)):
	default:
		s.readErr, s.finished = op.Err, true
		s.leave()
		return
	}
	s.pause(op, s.hear)
}

// depart leaves without reading to the end.
func (s *speaker) depart() {
	s.deserted = true
	s.written, s.finished = true, true
	s.leave()
}

// leave lets go once both directions are over.
func (s *speaker) leave() {
	if s.gone || !s.written || !s.finished {
		return
	}
	s.gone = true
	for _, op := range []*stack.Op{s.reading, s.writing} {
		if op != nil {
			s.host.Cancel(op, neterr.Interrupted)
		}
	}
	s.conv.Drop()
}

// got says what is wrong with what s got from its peer.
func (s *speaker) got(peer *speaker) error {
	if s.read > peer.wrote {
		return fmt.Errorf("%s read %d bytes, %s wrote %d", s.host.Name, s.read, peer.host.Name, peer.wrote)
	}
	// Whoever hangs up, or leaves while the other still speaks, may cost it bytes.
	if s.deserted || s.plan.End == Hangup || peer.plan.End == Hangup || peer.deserted && s.plan.Bytes > 0 {
		return nil
	}
	if s.writeErr != nil && !peer.deserted {
		return fmt.Errorf("%s %v: write after %d bytes: %w", s.host.Name, s.flow.from, s.wrote, s.writeErr)
	}
	if s.readErr != nil || !s.eof || s.read != peer.plan.Bytes {
		return fmt.Errorf("%s %v: read %d bytes of %d, end %v, error %v", s.host.Name, s.flow.from, s.read, peer.plan.Bytes, s.eof, s.readErr)
	}
	return nil
}
