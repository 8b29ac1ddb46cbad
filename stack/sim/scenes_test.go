package sim

// Scenes: what the seeds do not come across.

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"slashnet/nic"
	"slashnet/stack"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// scene is a world whose errors are the test's, and at whose end nothing may be
// left.
func scene(t *testing.T) *World {
	w := New(1)
	t.Cleanup(func() {
		defer w.Close()
		if !t.Failed() {
			must(t, w.Quiet(2*time.Hour))
			must(t, w.Empty())
		}
	})
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair is two hosts on a cable.
func pair(w *World, c Cable) (a, b *Host, l *Link) {
	a, b = w.Host("a"), w.Host("b")
	return a, b, w.Link(a.At("10.0.0.1/24"), b.At("10.0.0.2/24"), c)
}

// finish runs talks to their end.
func finish(t *testing.T, w *World, within time.Duration, talks ...*Talk) {
	t.Helper()
	must(t, w.Until(func() bool {
		for _, talk := range talks {
			if !talk.Done() {
				return false
			}
		}
		return true
	}, within))
	for _, talk := range talks {
		must(t, talk.Err())
		talk.End()
	}
}

// conv makes a conversation and tells its ctl some lines.
func conv(t *testing.T, h *Host, p wire.Proto, lines ...string) *stack.Conv {
	t.Helper()
	c, err := h.Clone(p, stack.User{}, false)
	must(t, err)
	for _, line := range lines {
		must(t, tell(h, c, line))
	}
	return c
}

// submit starts an operation and reports, when asked, how it has ended.
func submit(h *Host, op *stack.Op) (done func() bool) {
	ended := false
	op.Done = func(*stack.Op) { ended = true }
	h.Submit(op)
	return func() bool { return ended }
}

// do runs an operation to its end.
func do(t *testing.T, w *World, h *Host, op *stack.Op, within time.Duration) *stack.Op {
	t.Helper()
	must(t, w.Until(submit(h, op), within))
	return op
}

// connection is an established connection, both ends held.
func connection(t *testing.T, w *World, a, b *Host, addr string) (call, callee *stack.Conv) {
	t.Helper()
	l := conv(t, b, wire.TCP, "announce "+addr)
	listen := &stack.Op{Kind: stack.OpListen, Conv: l}
	taken := submit(b, listen)
	dial := do(t, w, a, &stack.Op{Kind: stack.OpDial, Proto: wire.TCP, Addr: addr}, time.Minute)
	must(t, dial.Err)
	must(t, w.Until(taken, time.Minute))
	must(t, listen.Err)
	l.Drop()
	return dial.Call, listen.Call
}

func release(op *stack.Op) (data []byte) {
	for _, c := range op.Chunks {
		data = append(data, c.B...)
		c.Buf.Release()
	}
	return data
}

// TestSwitch: four hosts on a learning switch, all talking to all; what is for
// one is not heard by the others once the switch has learnt.
func TestSwitch(t *testing.T) {
	w := scene(t)
	s := w.Switch()
	var hosts []*Host
	for n := range 4 {
		h := w.Host(fmt.Sprint(n))
		hosts = append(hosts, h)
		w.Link(h.At(fmt.Sprintf("10.0.0.%d/24", n+1)), s, Cable{Impair: Impair{Delay: time.Millisecond, Loss: 0.01}})
	}
	var talks []*Talk
	for from := range hosts {
		for to := range hosts {
			if from != to {
				talks = append(talks, w.Talk(hosts[from], hosts[to], fmt.Sprintf("10.0.0.%d:%d", to+1, 5000+from), [2]Plan{{Bytes: 20_000}, {Bytes: 10_000}}))
			}
		}
	}
	finish(t, w, time.Minute, talks...)
	for _, h := range hosts {
		if foreign := number(h.Iface(0).StatsText(), "dropped foreign mac: "); foreign > 20 {
			t.Errorf("%s heard %d frames that were for others", h.Name, foreign)
		}
	}
}

// routed is two hosts with two routers between; the cable between the routers
// has its own MTU.
func routed(w *World, mtu int) (a, b, near *Host) {
	a, b = w.Host("a"), w.Host("b")
	near, far := w.Host("near", "ip.forward on"), w.Host("far", "ip.forward on")
	w.Link(a.At("10.1.0.1/24"), near.At("10.1.0.254/24"), Cable{})
	w.Link(near.At("10.3.0.1/24"), far.At("10.3.0.2/24"), Cable{MTU: mtu})
	w.Link(far.At("10.2.0.254/24"), b.At("10.2.0.1/24"), Cable{})
	a.Route("add 0.0.0.0 0.0.0.0 10.1.0.254")
	near.Route("add 10.2.0.0 255.255.255.0 10.3.0.2")
	far.Route("add 10.1.0.0 255.255.255.0 10.3.0.1")
	b.Route("add 0.0.0.0 0.0.0.0 10.2.0.254")
	return a, b, near
}

// TestRouter: TCP finds the path's MTU, a datagram that is too long for the way
// is cut on it and put together again at its end.
func TestRouter(t *testing.T) {
	w := scene(t)
	a, b, router := routed(w, 600)
	finish(t, w, time.Minute, w.Talk(a, b, "10.2.0.1:5000", [2]Plan{{Bytes: 100_000}, {Bytes: 100_000}}))
	if n := router.Stat("FragFails"); n == 0 || n > 30 {
		t.Errorf("%d segments of TCP were too long for the way: those of the first flight are", n)
	}
	server := conv(t, b, wire.UDP, "announce 7000")
	listen := &stack.Op{Kind: stack.OpListen, Conv: server}
	taken := submit(b, listen)
	client := conv(t, a, wire.UDP, "connect 10.2.0.1:7000")
	data := make([]byte, 1400)
	fill(data, 7, 0)
	must(t, do(t, w, a, &stack.Op{Kind: stack.OpWrite, Conv: client, Data: data}, time.Second).Err)
	must(t, w.Until(taken, time.Minute))
	read := do(t, w, b, &stack.Op{Kind: stack.OpRead, Conv: listen.Call, Max: 2000}, time.Minute)
	if got := release(read); read.Err != nil || string(got) != string(data) {
		t.Errorf("a datagram of 1400 bytes came as %d: %v", len(got), read.Err)
	}
	if cut := router.Stat("FragCreates"); cut != 3 {
		t.Errorf("the router made %d fragments of 1428 bytes for an MTU of 600, 3 are right", cut)
	}
	for _, c := range []*stack.Conv{server, listen.Call, client} {
		c.Drop()
	}
}

// TestBlackHole: a path that swallows what is too large for it, and says nothing,
// costs a second or two.
func TestBlackHole(t *testing.T) {
	w := scene(t)
	a, b, l := pair(w, Cable{Impair: Impair{Swallow: 1300, Delay: time.Millisecond}})
	begin := w.Now()
	finish(t, w, time.Minute, w.Talk(a, b, "10.0.0.2:5000", [2]Plan{{Bytes: 300_000, Bulk: true}, {Bytes: 300_000, Bulk: true}}))
	if took := w.Now() - begin; took > 10*time.Second || a.TCPStat("BlackHoles") != 1 || b.TCPStat("BlackHoles") != 1 {
		t.Errorf("300 kB each way took %v, %d and %d black holes were found", took, a.TCPStat("BlackHoles"), b.TCPStat("BlackHoles"))
	}
	if l.Lost == 0 {
		t.Error("the link has swallowed nothing")
	}
}

// TestTTL: a segment whose time to live ends at the router costs the caller his
// patience, not the router.
func TestTTL(t *testing.T) {
	w := scene(t)
	a, b, router := routed(w, 1500)
	l := conv(t, b, wire.TCP, "announce 5000")
	c := conv(t, a, wire.TCP, "ttl 1")
	connect := do(t, w, a, &stack.Op{Kind: stack.OpCtl, Conv: c, Data: []byte("connect 10.2.0.1:5000")}, time.Hour)
	if !errors.Is(connect.Err, neterr.TimedOut) && !errors.Is(connect.Err, neterr.TTLExceeded) {
		t.Errorf("a connect that cannot arrive failed with %v", connect.Err)
	}
	if !strings.Contains(c.ErrText(), "exceeded") {
		t.Errorf("err says %q, not that the time to live was exceeded", c.ErrText())
	}
	if router.Stat("ForwDatagrams") != 0 {
		t.Error("the router passed on a datagram whose TTL was 1")
	}
	c.Drop()
	l.Drop()
}

// TestSimultaneousOpen: two connects that cross are one connection (RFC 9293
// §3.5, figure 8).
func TestSimultaneousOpen(t *testing.T) {
	w := scene(t)
	a, b, _ := pair(w, Cable{Impair: Impair{Delay: 10 * time.Millisecond}})
	must(t, errors.Join(a.WriteARP("add 10.0.0.2 02:00:00:00:00:02"), b.WriteARP("add 10.0.0.1 02:00:00:00:00:01")))
	ca, cb := conv(t, a, wire.TCP, "bind 4000"), conv(t, b, wire.TCP, "bind 4000")
	fromA := submit(a, &stack.Op{Kind: stack.OpCtl, Conv: ca, Data: []byte("connect 10.0.0.2:4000")})
	fromB := submit(b, &stack.Op{Kind: stack.OpCtl, Conv: cb, Data: []byte("connect 10.0.0.1:4000")})
	must(t, w.Until(func() bool { return fromA() && fromB() }, time.Second))
	for _, c := range []*stack.Conv{ca, cb} {
		if state := c.Info().State; state != "Established" {
			t.Errorf("the state is %s: %s", state, c.ErrText())
		}
	}
	data := make([]byte, 100)
	fill(data, flow{netip.MustParseAddrPort("10.0.0.1:4000"), netip.MustParseAddrPort("10.0.0.2:4000")}.name(), 0)
	must(t, do(t, w, a, &stack.Op{Kind: stack.OpWrite, Conv: ca, Data: data}, time.Second).Err)
	read := do(t, w, b, &stack.Op{Kind: stack.OpRead, Conv: cb, Max: 1000}, time.Second)
	if string(release(read)) != string(data) {
		t.Error("what was written did not arrive")
	}
	ca.Drop()
	cb.Drop()
}

// TestPeerVanishes: what is not acknowledged is sent again until R2, at least
// 100 s (RFC 9293 §3.8.3), and then given up.
func TestPeerVanishes(t *testing.T) {
	w := scene(t)
	a, b, link := pair(w, Cable{Impair: Impair{Delay: 10 * time.Millisecond}})
	call, callee := connection(t, w, a, b, "10.0.0.2:5000")
	link.Impair(Impair{Loss: 1})
	began := w.Now()
	data := make([]byte, 1000)
	fill(data, flow{call.Info().Local, call.Info().Remote}.name(), 0)
	must(t, do(t, w, a, &stack.Op{Kind: stack.OpWrite, Conv: call, Data: data}, time.Second).Err)
	read := do(t, w, a, &stack.Op{Kind: stack.OpRead, Conv: call, Max: 1}, time.Hour)
	took := w.Now() - began
	// What ARP had to say of the silence is a better reason than its length.
	if !errors.Is(read.Err, neterr.TimedOut) && !errors.Is(read.Err, neterr.HostUnreachable) || took < 100*time.Second || took > 30*time.Minute {
		t.Errorf("after %v the reader got %v", took, read.Err)
	}
	if n := a.TCPStat("RetransSegs"); n < 8 || n > 20 {
		t.Errorf("%d retransmissions", n)
	}
	call.Drop()
	// The other end knows nothing of it and may wait for ever, without a timer.
	if err := w.Quiet(time.Hour); err != nil || callee.Info().State != "Established" {
		t.Errorf("the silent end is %s: %v", callee.Info().State, err)
	}
	must(t, tell(b, callee, "hangup"))
	callee.Drop()
}

// TestShutWindow: a window that is shut for an hour is probed for an hour (RFC
// 9293 §3.8.6.1), and opens.
func TestShutWindow(t *testing.T) {
	w := scene(t)
	a, b, _ := pair(w, Cable{Impair: Impair{Delay: 10 * time.Millisecond}})
	call, callee := connection(t, w, a, b, "10.0.0.2:5000")
	must(t, tell(b, callee, "rcvbuf 8k"))
	name := flow{call.Info().Local, call.Info().Remote}.name()
	data := make([]byte, 3<<20)
	fill(data, name, 0)
	written := submit(a, &stack.Op{Kind: stack.OpWrite, Conv: call, Data: data})
	must(t, w.Run(time.Hour))
	if !strings.Contains(call.WhyText(), "shut its window") {
		t.Errorf("why: %s", call.WhyText())
	}
	if probes := a.TCPStat("WindowProbes"); probes < 25 || probes > 100 {
		t.Errorf("%d probes in an hour", probes)
	}
	got := 0
	for got < len(data) {
		read := do(t, w, b, &stack.Op{Kind: stack.OpRead, Conv: callee, Max: 1 << 20}, time.Minute)
		bytes := release(read)
		if i := wrong(bytes, name, got); i >= 0 || len(bytes) == 0 {
			t.Fatalf("byte %d is wrong, or missing: %v", got+i, read.Err)
		}
		got += len(bytes)
	}
	if !written() {
		t.Error("all was read and the writer still waits")
	}
	call.Drop()
	callee.Drop()
}

// TestTimeWaitReuse: a new SYN from the port of a connection in TIME-WAIT is
// taken (RFC 6191).
func TestTimeWaitReuse(t *testing.T) {
	w := scene(t)
	a, b, _ := pair(w, Cable{Impair: Impair{Delay: time.Millisecond}})
	l := conv(t, b, wire.TCP, "announce 5000")
	for round := range 5 {
		listen := &stack.Op{Kind: stack.OpListen, Conv: l}
		taken := submit(b, listen)
		c := conv(t, a, wire.TCP, "bind 4000")
		connect := do(t, w, a, &stack.Op{Kind: stack.OpCtl, Conv: c, Data: []byte("connect 10.0.0.2:5000")}, time.Minute)
		must(t, connect.Err)
		must(t, w.Until(taken, time.Minute))
		// The server closes first, so that TIME-WAIT is its.
		must(t, tell(b, listen.Call, "shutdown wr"))
		if eof := do(t, w, a, &stack.Op{Kind: stack.OpRead, Conv: c, Max: 1}, time.Minute); eof.Err != nil || eof.N != 0 {
			t.Fatalf("round %d: %d bytes, %v", round, eof.N, eof.Err)
		}
		c.Drop()
		must(t, w.Run(2*time.Second))
		listen.Call.Drop()
		must(t, w.Run(time.Second))
		if n := b.TCPStat("TimeWaits"); n != 1 {
			t.Fatalf("round %d: %d connections in TIME-WAIT", round, n)
		}
	}
	l.Drop()
}

// TestThousand: a thousand connections at once through a link that loses.
func TestThousand(t *testing.T) {
	w := scene(t)
	a, b, _ := pair(w, Cable{Impair: Impair{Loss: 0.03, Reorder: 0.01, Dup: 0.01, Delay: 20 * time.Millisecond, Rate: 100_000_000, Queue: 500}})
	var talks []*Talk
	for n := range 1000 {
		talks = append(talks, w.Talk(a, b, fmt.Sprintf("10.0.0.2:%d", 5000+n), [2]Plan{{Bytes: 2000, Pause: time.Second}, {Bytes: 5000}}))
	}
	finish(t, w, time.Hour, talks...)
}

// TestMarksInsteadOfLoss: a queue that marks never overflows, if both ends speak
// ECN; and then nothing is sent twice.
func TestMarksInsteadOfLoss(t *testing.T) {
	for _, use := range []string{"on", "off"} {
		t.Run(use, func(t *testing.T) {
			w := scene(t)
			a, b := w.Host("a", "tcp.ecn "+use), w.Host("b")
			l := w.Link(a.At("10.0.0.1/24"), b.At("10.0.0.2/24"), Cable{Impair: Impair{Delay: 5 * time.Millisecond, Rate: 20_000_000, Queue: 100, Mark: 10}})
			begin := w.Now()
			finish(t, w, time.Minute, w.Talk(a, b, "10.0.0.2:5000", [2]Plan{{Bytes: 10 << 20, Bulk: true}, {}}))
			took := w.Now() - begin
			marks, slowed, again := b.TCPStat("CEMarks"), a.TCPStat("ECNReductions"), a.TCPStat("RetransSegs")
			if on := use == "on"; on != (marks > 0) || on != (slowed > 0) || on != (again == 0) || on != (l.Lost == 0) {
				t.Errorf("%d marks, %d reductions, %d segments sent again, %d frames lost", marks, slowed, again, l.Lost)
			}
			if slowed > marks {
				t.Errorf("%d reductions for %d marks", slowed, marks)
			}
			if took > 6*time.Second {
				t.Errorf("10 MiB took %v over 20 Mbit/s", took)
			}
		})
	}
}

// TestIdleIsQuiet: a connection that has nothing to say has no timer.
func TestIdleIsQuiet(t *testing.T) {
	w := scene(t)
	a, b, _ := pair(w, Cable{})
	call, callee := connection(t, w, a, b, "10.0.0.2:5000")
	must(t, w.Quiet(time.Hour))
	for _, h := range []*Host{a, b} {
		if at, ok := h.Deadline(); ok {
			t.Errorf("%s wants to be called at %v", h.Name, at)
		}
	}
	call.Drop()
	callee.Drop()
}

// TestSynAndReset: calls that are reset in the very batch that brings them leave
// nothing behind and take no place of the backlog.
func TestSynAndReset(t *testing.T) {
	w := scene(t)
	forger, b := &sink{w: w}, w.Host("b")
	w.Link(forger, b.At("10.0.0.2/24"), Cable{})
	must(t, b.WriteARP("add 10.0.0.1 "+forger.port.MAC().String()))
	l := conv(t, b, wire.TCP, "announce 5000", "backlog 4")
	for n := range 10 {
		f := flow{netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(4000+n)), netip.MustParseAddrPort("10.0.0.2:5000")}
		for _, h := range []wire.TCPHeader{{Seq: 1, Flags: wire.SYN, Window: 5000}, {Seq: 2, Flags: wire.RST}} {
			segment := frame(f, h, nil)
			to := forger.port.peer.MAC()
			copy(segment, to[:])
			forger.port.Send(&nic.Frame{Head: segment})
		}
		must(t, w.Run(time.Second))
	}
	must(t, w.Quiet(time.Hour))
	if n := b.Stat("conversations"); n != 1 {
		t.Errorf("%d conversations are open; the listener is one, the rest are calls that nobody made", n)
	}
	if n := b.TCPStat("SynsDropped"); n != 0 {
		t.Errorf("%d calls found the backlog full", n)
	}
	l.Drop()
}
