package stack

// Calls between their arrival and the open that takes them: who may end them,
// and that their listener's books stay right.

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// A farEnd is the other end of a host's cable, where the test makes the frames.
// The host is 10.0.0.2; the test speaks as 10.0.0.1.
type farEnd struct {
	nic.NIC
	host  *Stack
	iface *Iface
}

var farMAC = wire.MAC{2, 0, 0, 0, 0, 9}

func newFarEnd(t testing.TB) farEnd {
	t.Helper()
	x, y, err := nic.NewPipe(nic.Options{}, nic.Options{})
	must(t, err)
	host := newHost(t, Config{})
	far := farEnd{y, host, plug(t, host, x, "10.0.0.2/24")}
	y.Start(deaf{})
	t.Cleanup(func() { y.Close() })
	must(t, host.WriteARP("add ether 10.0.0.1 "+farMAC.String()))
	return far
}

// deaf takes frames and does nothing with them.
type deaf struct{}

func (deaf) Receive([]*nic.Frame) {}

// send sends a datagram, to the host's MAC or to all, and waits until the host
// has seen it.
func (far farEnd) send(t testing.TB, to wire.MAC, dst string, p wire.Proto, payload []byte) {
	t.Helper()
	head := make([]byte, wire.EthernetLen+wire.IPv4Len)
	wire.Ethernet{Dst: to, Src: farMAC, Type: wire.EtherIPv4}.Put(head)
	ip := wire.IP{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr(dst), Proto: p, TTL: 9}
	ip.PutIPv4(head[wire.EthernetLen:], len(payload))
	must(t, far.Send(&nic.Frame{Head: append(head, payload...)}))
	synctest.Wait()
}

// syn is a call from a port of 10.0.0.1 to port 80.
func (far farEnd) syn(t testing.TB, port uint16) {
	t.Helper()
	h := wire.TCPHeader{SrcPort: port, DstPort: 80, Seq: 1000, Flags: wire.SYN, Window: 1000}
	seg := make([]byte, wire.MaxTCPLen)
	seg = seg[:h.Put(seg)]
	src, dst := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	sum := ^wire.Fold(wire.Sum(seg, wire.PseudoHeader(src, dst, wire.TCP, len(seg))))
	seg[wire.TCPChecksumAt], seg[wire.TCPChecksumAt+1] = byte(sum>>8), byte(sum)
	far.send(t, far.iface.mac, "10.0.0.2", wire.TCP, seg)
}

// Calls that are ended half-open give their place in the backlog back.
func TestHalfOpenCallIsEnded(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Conv){
		"close":  func(t *testing.T, c *Conv) { command(t, c, "close") },
		"hangup": func(t *testing.T, c *Conv) { command(t, c, "hangup") },
		"rmdir":  func(t *testing.T, c *Conv) { must(t, c.stack.Rmdir(wire.TCP, fmt.Sprint(c.Num()), User{})) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				far := newFarEnd(t)
				b := far.host
				l := clone(t, b, wire.TCP)
				command(t, l, "announce 80\nbacklog 3")
				cookies := func() string { return counter(t, b.StatsText(wire.TCP), "CookiesSent") }
				for i := range 7 { // more than twice the backlog
					far.syn(t, uint16(2000+i))
					call := b.Conv(wire.TCP, l.Num()+1+i)
					if call == nil {
						t.Fatalf("call %d has not come; %s were answered with a cookie", i, cookies())
					}
					if call.Hold() {
						end(t, call)
						call.Drop()
					}
					synctest.Wait()
					if !gone(call) {
						t.Fatalf("it is still there: %s", call.WhyText())
					}
				}
				for i := range 3 {
					far.syn(t, uint16(3000+i))
				}
				if n := cookies(); n != "0" {
					t.Errorf("%s calls were answered with a cookie although the backlog has room", n)
				}
				far.syn(t, 4000)
				if n := cookies(); n != "1" {
					t.Errorf("%s calls were answered with a cookie, want 1: the backlog is full", n)
				}
			})
		})
	}
}

// A call that was ended in the queue is not given to who opens listen.
func TestQueuedCallIsEnded(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Conv){
		"close":  func(t *testing.T, c *Conv) { command(t, c, "close") },
		"hangup": func(t *testing.T, c *Conv) { command(t, c, "hangup") },
		"rmdir":  func(t *testing.T, c *Conv) { must(t, c.stack.Rmdir(wire.TCP, fmt.Sprint(c.Num()), User{})) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t)
				l := clone(t, b, wire.TCP)
				command(t, l, "announce 80\nbacklog 2")
				for range 5 {
					c := clone(t, a, wire.TCP)
					command(t, c, "connect 10.0.0.2:80")
					synctest.Wait()
					rows := b.Convs(wire.TCP, l.Num(), 10)
					if len(rows) != 1 {
						t.Fatalf("rows %+v, want the one call", rows)
					}
					call := b.Conv(wire.TCP, rows[0].Num)
					if call.Hold() {
						end(t, call)
						call.Drop()
					}
					synctest.Wait()
					if !gone(call) || c.Info().State != "Closed" {
						t.Fatalf("the call: %s; its caller is in %s", call.WhyText(), c.Info().State)
					}
					if op := do(t, b, &Op{Kind: OpListen, Conv: l, NonBlock: true}); !errors.Is(op.Err, syscall.EAGAIN) {
						t.Fatalf("listen: %v, want EAGAIN", op.Err)
					}
				}
				c := clone(t, a, wire.TCP)
				command(t, c, "connect 10.0.0.2:80")
				call := listen(t, l)
				if gone(call) {
					t.Error("listen gave a call that has gone")
				}
				write(t, c, []byte("next"))
				if got := read(t, call); string(got) != "next" {
					t.Errorf("read %q", got)
				}
			})
		})
	}
}

// The peer has come again from the same port before our last conversation with
// it was closed: that end is not the new one's.
func TestOldConversationEnds(t *testing.T) {
	for _, p := range []wire.Proto{wire.TCP, wire.UDP} {
		a, b := pair(t)
		l := clone(t, b, p)
		command(t, l, "announce 80")
		call := func() (c, s *Conv) {
			c = clone(t, a, p)
			command(t, c, "connect 10.0.0.2:80 5555")
			write(t, c, []byte("hello"))
			s = listen(t, l)
			if got := read(t, s); string(got) != "hello" {
				t.Errorf("read %q", got)
			}
			return c, s
		}
		c1, s1 := call()
		command(t, c1, "hangup")
		if p == wire.TCP {
			if op := do(t, b, &Op{Kind: OpRead, Conv: s1, Max: 1}); !errors.Is(op.Err, syscall.ECONNRESET) {
				t.Errorf("read of the first: %v, want ECONNRESET", op.Err)
			}
		} else {
			command(t, s1, "hangup")
		}
		c2, s2 := call()
		c1.Drop()
		s1.Drop()
		write(t, c2, []byte("again"))
		if got := read(t, s2); string(got) != "again" {
			t.Errorf("%v: read %q", p, got)
		}
		write(t, s2, []byte("and back"))
		if got := read(t, c2); string(got) != "and back" {
			t.Errorf("%v: read %q", p, got)
		}
	}
}

// The call of a listener that is not held open is probed like its caller's end.
func TestDetachedCallWhosePeerVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80\nkeep forever")
		c := clone(t, a, wire.TCP)
		command(t, c, "connect 10.0.0.2:80")
		op := do(t, b, &Op{Kind: OpListen, Conv: l, Detached: true})
		must(t, op.Err)
		op.Call.Drop()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := counter(t, b.StatsText(wire.TCP), "KeepAlives"); n == "0" {
			t.Error("no probe was sent in a day")
		}
		if gone(op.Call) {
			t.Fatal("it ended although its peer lives")
		}
		must(t, a.Iface(1).Ctl("down"))
		time.Sleep(probeAfter + 15*time.Minute + lifeRead)
		synctest.Wait()
		if !gone(op.Call) {
			t.Errorf("it is still there: %s", op.Call.WhyText())
		}
	})
}

// With headers there are no calls: who waits for one is told.
func TestHeadersAnswersListen(t *testing.T) {
	s := newHost(t, Config{})
	c := clone(t, s, wire.UDP)
	command(t, c, "announce 99")
	r := start(s, &Op{Kind: OpListen, Conv: c})
	select {
	case <-r.done:
		t.Fatalf("listen did not wait: %v", r.op.Err)
	default:
	}
	command(t, c, "headers")
	if op := wait(t, r); !errors.Is(op.Err, neterr.NotAnnounced) {
		t.Errorf("listen: %v, want %v", op.Err, neterr.NotAnnounced)
	}
}
