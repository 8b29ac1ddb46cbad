package dialogue

// Playing scripts: each line is done against an End, and what comes is compared.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// An End is what a script is played against: our end of the connection, and the
// cable to it. Its clock is virtual or real.
type End interface {
	Now() time.Duration
	// Advance lets time go by; what is said meanwhile is kept for Next.
	Advance(until time.Duration)
	// Inject has a segment arrive, and be worked off.
	Inject(*Segment) error
	// TooBig is a router's message that our segment at seq does not fit in mtu.
	TooBig(mtu int, seq uint32) error
	// Next is the next segment of ours and when it came, if one comes until a
	// time. An End in real time waits a little longer, for a machine that is busy.
	Next(until time.Duration) (*Segment, time.Duration)
	// Quiet is a segment that came until a time and should not have.
	Quiet(until time.Duration) *Segment
	// Tolerance is how much too early or too late something may come.
	Tolerance(wait time.Duration) (early, late time.Duration)
	// Call is a call of the user, with the words that follow it in the script. It
	// has its effect before it returns; open does not wait for the answer.
	Call(verb string, args []string) error
	Write([]byte) error
	// Read reads exactly so many bytes; 0 for EOF, below 0 for nothing yet.
	Read(n int) ([]byte, error)
	// State and Fate wait, in real time, until what they return is what is wanted.
	State(want string) string
	Fate(want string) string
	// MSS is what the MTU allows.
	MSS() int
}

const (
	peerISN  = 0x7ffffe00 // the numbers change their sign soon
	peerTime = 0xfffff000 // of timestamps: they wrap soon
)

// A player is one performance.
type player struct {
	script *Script
	end    End
	begin  time.Duration

	event      time.Duration // the last: what comes is timed from here
	isn        uint32        // ours, of the last SYN
	stamped    bool
	firstStamp uint32 // our clock
	lastStamp  uint32
	wrote      int // of our stream
	read       int // of the peer's
	transcript strings.Builder
}

// Play plays a script; the error has the line, what was expected and what came,
// and the transcript.
func (s *Script) Play(end End) error {
	p := &player{script: s, end: end, begin: end.Now(), event: end.Now(), wrote: 1, read: 1}
	for _, l := range s.lines {
		p.note("       %s", l)
		if err := p.do(l); err != nil {
			return fmt.Errorf("%s.txtar:%d: %s\n\t%w\nasked: %s\ntranscript:\n%s", s.Name, l.number, l, err, s.About, p.transcript.String())
		}
	}
	return nil
}

func (p *player) note(format string, args ...any) {
	fmt.Fprintf(&p.transcript, "%10.3f ", (p.end.Now() - p.begin).Seconds())
	fmt.Fprintf(&p.transcript, format+"\n", args...)
}

func (p *player) do(l line) error {
	args := l.words[1:]
	switch verb := l.words[0]; verb {
	case "inject":
		w, _ := parseSegment(args, p.end.MSS())
		p.event = p.end.Now()
		return p.end.Inject(p.build(w))
	case "toobig":
		p.event = p.end.Now()
		mtu, err := number(args[0], p.end.MSS())
		seq, err2 := number(args[1], p.end.MSS())
		if err != nil || err2 != nil {
			return fmt.Errorf("an MTU and a sequence number are wanted")
		}
		return p.end.TooBig(mtu, p.isn+uint32(seq))
	case "expect":
		return p.expect(l)
	case "advance":
		d, _ := l.span()
		p.event = p.end.Now() + d
		p.end.Advance(p.event)
	case "write":
		n, err := number(args[0], p.end.MSS())
		if err != nil {
			return err
		}
		p.event = p.end.Now()
		p.wrote += n
		return p.end.Write(stream(p.wrote-n, n))
	case "read":
		return p.readBytes(args[0])
	case "state":
		if got := p.end.State(args[0]); got != args[0] {
			return fmt.Errorf("the state is %s", got)
		}
	case "fails":
		if got := p.end.Fate(args[0]); got != args[0] {
			return fmt.Errorf("the connection's error is %q", got)
		}
	default:
		p.event = p.end.Now()
		return p.end.Call(verb, args)
	}
	return nil
}

func (p *player) readBytes(what string) error {
	n := 0
	switch what {
	case "eof":
	case "nothing":
		n = -1
	default:
		var err error
		if n, err = number(what, p.end.MSS()); err != nil {
			return err
		}
	}
	p.event = p.end.Now()
	got, err := p.end.Read(n)
	if err != nil {
		return err
	}
	if want := stream(p.read, max(n, 0)); !bytes.Equal(got, want) {
		return fmt.Errorf("read %d bytes that are not those at %d of the peer's stream", len(got), p.read)
	}
	p.read += len(got)
	return nil
}

// expect is a line that expects something.
func (p *player) expect(l line) error {
	d, _ := l.span()
	switch l.words[1] {
	case "nothing":
		if seg := p.end.Quiet(p.end.Now() + d); seg != nil {
			return fmt.Errorf("came: %s", p.show(seg))
		}
		p.event = max(p.event, p.end.Now())
		return nil
	case "data":
		return p.expectData(l.words[2])
	}
	want, err := parseSegment(l.segment(), p.end.MSS())
	if err != nil {
		return err
	}
	seg, at := p.end.Next(p.event + d)
	if seg == nil {
		return fmt.Errorf("nothing came")
	}
	p.take(seg, at)
	if err := p.compare(want, seg); err != nil {
		return fmt.Errorf("came: %s: %w", p.show(seg), err)
	}
	early, late := p.end.Tolerance(d)
	if took := at - p.event; l.words[1] == "in" && (took < d-early || took > d+late) {
		return fmt.Errorf("came after %v: %s", took, p.show(seg))
	}
	p.event = max(p.event, at)
	return nil
}

// take learns from a segment of ours.
func (p *player) take(seg *Segment, at time.Duration) {
	if seg.Flags&syn != 0 {
		p.isn = seg.Seq
	}
	if o := seg.option(optStamps); len(o) == 8 {
		p.lastStamp = binary.BigEndian.Uint32(o)
		if !p.stamped {
			p.stamped, p.firstStamp = true, p.lastStamp
		}
	}
	fmt.Fprintf(&p.transcript, "%10.3f    > %s\n", (at - p.begin).Seconds(), p.show(seg))
}

// expectData takes segments until they have covered a run of our stream.
func (p *player) expectData(text string) error {
	at, to, err := span(text, p.end.MSS())
	for err == nil && at < to {
		seg, when := p.end.Next(p.event)
		if seg == nil {
			return fmt.Errorf("nothing more came at %d", at)
		}
		p.take(seg, when)
		p.event = max(p.event, when)
		switch n := len(seg.Payload); {
		case seg.Seq-p.isn != uint32(at) || n == 0 || at+n > to || n > p.end.MSS():
			return fmt.Errorf("came: %s, want data from %d on", p.show(seg), at)
		case !bytes.Equal(seg.Payload, stream(at, n)):
			return fmt.Errorf("the payload of %s is wrong", p.show(seg))
		default:
			at += n
		}
	}
	return err
}

// stream is n bytes of either stream, from sequence number at on.
func stream(at, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((at+i)*7 + (at+i)>>8)
	}
	return b
}

// build makes a segment of the peer's.
func (p *player) build(w *wording) *Segment {
	_, marked := w.has["ce"]
	data := w.from
	if w.flags&syn != 0 && w.to > w.from {
		data++ // the SYN itself has a number
	}
	seg := &Segment{Flags: w.flags, Seq: peerISN + uint32(w.from), Window: 65535, Payload: stream(data, w.to-data), Marked: marked}
	o := &seg.Options
	put := func(kind byte, body ...byte) { *o = append(append(*o, kind, byte(len(body)+2)), body...) }
	for _, word := range []string{"ack", "win", "urg", "mss", "ws", "sackok", "ts"} {
		n, said := w.has[word]
		if !said {
			continue
		}
		switch word {
		case "ack":
			seg.Ack = p.isn + uint32(n)
		case "win":
			seg.Window = uint16(n)
		case "urg":
			seg.Urgent = uint16(n)
		case "mss":
			put(optMSS, byte(n>>8), byte(n))
		case "ws":
			put(optScale, byte(n))
		case "sackok":
			put(optSACKOK)
		case "ts":
			put(optStamps, p.stamps(w)...)
		}
	}
	if len(w.sack) > 0 {
		var body []byte
		for _, block := range w.sack {
			body = binary.BigEndian.AppendUint32(body, p.isn+uint32(block[0]))
			body = binary.BigEndian.AppendUint32(body, p.isn+uint32(block[1]))
		}
		put(optSACK, body...)
	}
	*o = append(*o, w.options...)
	return seg
}

// stamps are the peer's timestamps.
func (p *player) stamps(w *wording) []byte {
	val, ecr := uint32((p.end.Now()-p.begin)/time.Millisecond), p.lastStamp
	if n, said := w.has["tsval"]; said {
		val = uint32(n)
	}
	if n, said := w.has["ecr"]; said {
		ecr = p.firstStamp + uint32(n)
	}
	if w.flags&ack == 0 {
		ecr = 0
	}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, peerTime+val), ecr)
}
