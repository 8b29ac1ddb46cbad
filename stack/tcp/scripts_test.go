package tcp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slashnet/stack/neterr"
	"slashnet/test/dialogue"
	"slashnet/wire"
)

// The scripts of testdata/scripts, played against the engine in virtual time: to the
// nanosecond, hours included. Package test plays the same ones against a daemon.

func TestSegmentScripts(t *testing.T) {
	scripts, err := dialogue.ReadDir("testdata/scripts")
	if err != nil {
		t.Fatal(err)
	}
	if len(scripts) == 0 {
		t.Fatal("there are no scripts")
	}
	for _, s := range scripts {
		for _, family := range []int{4, 6} {
			if s.Family != 0 && s.Family != family {
				continue
			}
			t.Run(fmt.Sprintf("%s/ipv%d", s.Name, family), func(t *testing.T) {
				if err := playOnEngine(t, s, family); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func playOnEngine(t *testing.T, s *dialogue.Script, family int) error {
	e := newEngine(t, family)
	for _, knob := range append(dialogue.Base, s.Knobs...) {
		if err := e.knob(knob); err != nil {
			return err
		}
	}
	e.c = e.newConn()
	defer e.free()
	return s.Play(e)
}

// An engine is a dialogue.End: one Conn, and what the stack does around it.
type engine struct {
	t       *testing.T
	cfg     *Config
	blocks  blocks
	now     time.Duration
	setup   Setup
	cookies string // the knob tcp.syncookies

	c         *Conn
	wait      *TimeWait // in the place of c
	listening bool
	closed    bool // the user is gone
	verbs     [][]string
	said      []utterance
}

// An utterance is a segment of ours, and when it was sent.
type utterance struct {
	seg *dialogue.Segment
	at  time.Duration
}

func newEngine(t *testing.T, family int) *engine {
	e := &engine{t: t, cfg: DefaultConfig(), now: time.Hour, setup: Setup{ISS: scriptISS, MTU: 1500, IPHeader: 20}}
	if family == 6 {
		e.setup.IPHeader = 40
	}
	e.cfg.Alloc = e.blocks.alloc
	return e
}

// newConn is an engine with the user's settings.
func (e *engine) newConn() *Conn {
	c := NewConn(e.cfg, func() uint64 { return 0xfffffff0 })
	for _, v := range e.verbs {
		e.set(c, v)
	}
	return c
}

func (e *engine) free() {
	e.c.Free()
	if e.blocks.live != 0 && !e.t.Failed() {
		e.t.Errorf("%d blocks are still held", e.blocks.live)
	}
}

// knob sets one of the file ctl, as stack/knobs.go would.
func (e *engine) knob(line string) error {
	name, value, _ := strings.Cut(line, " ")
	numbers := map[string]*int{
		"tcp.rcvbuf": &e.cfg.RcvBuf, "tcp.sndbuf": &e.cfg.SndBuf, "tcp.initcwnd": &e.cfg.InitCwnd, "tcp.quickack": &e.cfg.QuickAck,
		"tcp.syn.retries": &e.cfg.SynRetries, "tcp.synack.retries": &e.cfg.SynAckRetries, "tcp.retries2": &e.cfg.Retries2,
		"tcp.challenge.limit": &e.cfg.ChallengeLimit, "tcp.keepcnt": &e.cfg.KeepCnt,
	}
	times := map[string]*time.Duration{
		"tcp.rto.min": &e.cfg.RTOMin, "tcp.rto.init": &e.cfg.RTOInit, "tcp.rto.max": &e.cfg.RTOMax, "tcp.delack": &e.cfg.DelAck,
		"tcp.finwait2": &e.cfg.FinWait2, "tcp.timewait": &e.cfg.TimeWait, "tcp.close.drain": &e.cfg.CloseDrain,
		"tcp.keepidle": &e.cfg.KeepIdle, "tcp.keepintvl": &e.cfg.KeepIntvl,
	}
	switches := map[string]*bool{
		"tcp.sack": &e.cfg.SACK, "tcp.timestamps": &e.cfg.Timestamps, "tcp.wscale": &e.cfg.WScale, "tcp.mtuprobe": &e.cfg.MTUProbe,
	}
	words := map[string]*string{"tcp.cc": &e.cfg.CC, "tcp.ecn": &e.cfg.ECN, "tcp.syncookies": &e.cookies}
	var err error
	switch {
	case numbers[name] != nil:
		*numbers[name], err = strconv.Atoi(value)
	case times[name] != nil:
		*times[name], err = time.ParseDuration(value)
	case switches[name] != nil:
		*switches[name] = value == "on"
	case words[name] != nil:
		*words[name] = value
	default:
		err = fmt.Errorf("no knob %q", name)
	}
	return err
}

func (e *engine) Now() time.Duration { return e.now }

func (e *engine) MSS() int { return e.setup.MTU - e.setup.IPHeader - wire.TCPLen }

func (e *engine) Tolerance(time.Duration) (early, late time.Duration) { return 0, 0 }

func (e *engine) Inject(seg *dialogue.Segment) error {
	h, payload, err := wire.ParseTCP(seg.Bytes(2, 1))
	if err != nil {
		return err
	}
	e.arrive(&h, payload, seg.Marked)
	e.drain()
	return nil
}

// arrive does what stack.tcpInput does.
func (e *engine) arrive(h *wire.TCPHeader, payload []byte, marked bool) {
	switch {
	case e.wait != nil:
		reply, send, reopen := e.wait.Input(e.now, h, len(payload))
		e.reply(&reply, send)
		if !reopen {
			return
		}
		e.wait, e.closed = nil, false
	case e.c.State() != Closed:
		if marked {
			e.c.Marked()
		}
		const headers = 60
		buf := e.blocks.alloc(headers + len(payload))
		n := copy(buf.B[headers:], payload)
		e.c.Input(e.now, h, buf.B[headers:headers+n], buf)
		buf.Release()
		return
	}
	if !e.listening {
		rst, send := RefuseSegment(h, len(payload))
		e.reply(&rst, send)
		return
	}
	if e.cookies == "always" && h.Flags&(wire.SYN|wire.RST|wire.ACK) == wire.ACK {
		ack := *h
		if c := e.newConn(); c.Redeem(e.now, e.setup, &ack, mac) {
			e.c = c
			e.arrive(&ack, payload, marked)
			return
		}
	}
	accept, rst, send := ListenSegment(h, len(payload))
	e.reply(&rst, send)
	switch {
	case accept && e.cookies == "always":
		reply := e.newConn().Cookie(e.now, e.setup, h, mac)
		e.reply(&reply, true)
	case accept:
		e.c.Free()
		e.c = e.newConn()
		e.c.Accept(e.now, e.setup, h)
	}
}

// mac stands for the stack's keyed hash.
func mac(numbers ...uint64) uint64 {
	sum := uint64(14695981039346656037)
	for _, n := range numbers {
		sum = (sum ^ n) * 1099511628211
	}
	return sum
}

func (e *engine) reply(h *wire.TCPHeader, send bool) {
	if send {
		e.say(h, nil, e.MSS(), false)
	}
}

// say notes a segment that goes out, cut up as a NIC would.
func (e *engine) say(h *wire.TCPHeader, payload []byte, mss int, ect bool) {
	b := make([]byte, wire.MaxTCPLen)
	n := h.Put(b)
	seg, _, _, err := dialogue.FromBytes(append(b[:n:n], payload...))
	if err != nil {
		e.t.Fatal(err)
	}
	seg.ECT = ect
	for _, piece := range seg.Cut(mss) {
		e.said = append(e.said, utterance{piece, e.now})
	}
}

// drain takes what the engine has to say now.
func (e *engine) drain() {
	var seg Segment
	for e.wait == nil && e.c.Output(e.now, &seg) {
		var payload []byte
		for i := range seg.Slices {
			payload = append(payload, seg.Payload[i]...)
		}
		e.say(&seg.H, payload, seg.MSS, seg.ECT)
		seg.Release()
	}
	if e.wait == nil && e.closed && e.c.State() == TimeWaiting {
		record := e.c.TimeWait(e.now)
		e.wait = &record
		e.c.Free()
	}
}

func (e *engine) Advance(until time.Duration) {
	for e.step(until) {
	}
	e.now = until
}

// step goes on to the next timer, if that is not later than until.
func (e *engine) step(until time.Duration) bool {
	if e.wait != nil {
		if e.wait.Deadline() > until {
			return false
		}
		e.now, e.wait = max(e.now, e.wait.Deadline()), nil
		return true
	}
	at, ok := e.c.Deadline()
	if !ok || at > until {
		return false
	}
	e.now = max(e.now, at)
	e.c.Tick(e.now)
	if again, ok := e.c.Deadline(); ok && again <= at {
		e.t.Fatalf("at %v Tick leaves a deadline that is past", e.now)
	}
	e.drain()
	return true
}

func (e *engine) Next(until time.Duration) (*dialogue.Segment, time.Duration) {
	for len(e.said) == 0 && e.step(until) {
	}
	if len(e.said) == 0 {
		e.now = max(e.now, until)
		return nil, 0
	}
	u := e.said[0]
	e.said = e.said[1:]
	return u.seg, u.at
}

func (e *engine) Quiet(until time.Duration) *dialogue.Segment {
	seg, _ := e.Next(until)
	return seg
}

func (e *engine) TooBig(mtu int, seq uint32) error {
	if e.c.Quoted(wire.Seq(seq)) {
		e.c.TooBig(e.now, mtu)
		e.drain()
	}
	return nil
}

func (e *engine) Call(verb string, args []string) error {
	switch verb {
	case "open":
		e.c.Open(e.now, e.setup)
	case "listen":
		e.listening = true
	case "accept":
		if !e.c.State().synchronised() {
			return fmt.Errorf("there is no call: the state is %v", e.c.State())
		}
	case "close":
		e.closed = true
		e.c.Close(e.now)
	case "shutdown":
		e.c.CloseWrite(e.now)
	case "abort":
		e.closed = true
		e.c.Abort(e.now)
	case "ctl":
		e.verbs = append(e.verbs, args)
		if err := e.set(e.c, args); err != nil {
			return err
		}
	default:
		return fmt.Errorf("no call %q", verb)
	}
	e.drain()
	return nil
}

// set does what the stack does for a verb of the file ctl.
func (e *engine) set(c *Conn, words []string) error {
	arg := strings.Join(words[1:], " ")
	on := arg != "off"
	n, _ := strconv.Atoi(arg)
	d, err := time.ParseDuration(arg)
	switch words[0] {
	case "nodelay":
		c.SetNoDelay(on)
	case "cork":
		c.SetCork(on)
	case "quickack":
		c.SetQuickAck(on)
	case "keepalive":
		c.SetKeepAlive(e.now, on)
	case "keepcnt":
		c.SetKeepCount(n)
	case "mss":
		e.setup.MSS = n
	case "rcvbuf":
		c.SetReceiveBuffer(n)
	case "sndbuf":
		c.SetSendBuffer(n)
	case "retries":
		if arg == "forever" {
			n = -1
		}
		c.SetRetries(n)
	case "cc":
		return c.SetCC(arg)
	case "keepidle":
		c.SetKeepIdle(e.now, d)
		return err
	case "keepintvl":
		c.SetKeepIntvl(d)
		return err
	case "usertimeout":
		c.SetUserTimeout(d)
		return err
	case "linger":
		c.SetLinger(d, on)
		if !on {
			return nil
		}
		return err
	default:
		return fmt.Errorf("no verb %q", words[0])
	}
	return nil
}

func (e *engine) Write(b []byte) error {
	if n := e.c.Write(e.now, b); n != len(b) {
		return fmt.Errorf("%d of %d bytes were taken", n, len(b))
	}
	e.drain()
	return nil
}

func (e *engine) Read(n int) ([]byte, error) {
	switch {
	case n < 0 && (e.c.Unread() > 0 || e.c.EOF()), n == 0 && !e.c.EOF():
		return nil, fmt.Errorf("%d bytes are unread, end of file: %v", e.c.Unread(), e.c.EOF())
	case n > e.c.Unread():
		return nil, fmt.Errorf("%d bytes are unread", e.c.Unread())
	}
	b := make([]byte, max(n, 0))
	b = b[:e.c.Read(b)]
	e.drain()
	return b, nil
}

func (e *engine) State(string) string {
	switch {
	case e.wait != nil:
		return TimeWaiting.String()
	case e.c.State() == Closed && e.listening:
		return Listen.String()
	}
	return e.c.State().String()
}

func (e *engine) Fate(string) string {
	var reason *neterr.Error
	if e.c.EOF() || !errors.As(e.c.Err(), &reason) { // as stack.tcpRead asks
		return ""
	}
	return unix.ErrnoName(reason.Errno)
}

// TestScriptsSeeWrongOnes is the test of the runner: expectations that are wrong
// in one thing each have to fail.
func TestSegmentScriptsSeeWrongOnes(t *testing.T) {
	for wrong, want := range dialogue.Wrong {
		s, err := dialogue.Parse("wrong", wrong)
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range []int{4, 6} {
			err := playOnEngine(t, s, family)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s\nends with %v, want an error with %q", wrong, err, want)
			}
		}
	}
}
