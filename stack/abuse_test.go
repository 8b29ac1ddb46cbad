package stack

// What users must not be able to do to each other, or to the daemon: each test
// is somebody who asks for too much, or for what is not his.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// Times that overflow when they are added to now would stop the clock of all.
func TestHugeTimesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		time.Sleep(3 * time.Second) // now is far enough for sums to overflow
		c := cloneAs(t, a, wire.TCP, bob, true)
		command(t, c, "connect 10.0.0.2:80")
		for _, verb := range []string{"keep", "keepidle", "keepintvl", "keepalive", "linger", "usertimeout", "rtimeout"} {
			for _, huge := range []string{"1001h", "9000000000s", "9223372035s", "9223372036s", "9223372036854", "18446744073709551616"} {
				if err := ctlAs(t, c, bob, verb+" "+huge); !errors.Is(err, syscall.EINVAL) {
					t.Errorf("%s %s: %v, want EINVAL", verb, huge, err)
				}
			}
			must(t, ctlAs(t, c, bob, verb+" 1000h")) // the longest
		}
		c.Drop()
		synctest.Wait()

		other := cloneAs(t, a, wire.UDP, alice, false)
		command(t, other, "connect 10.0.0.2:99")
		began := time.Now()
		op := do(t, a, &Op{Kind: OpRead, Conv: other, Max: 1, Deadline: a.clock() + 200*time.Millisecond})
		if took := time.Since(began); op.Err == nil || took != 200*time.Millisecond {
			t.Errorf("the time limit of another's read: %v after %v, want an error after 200ms", op.Err, took)
		}
	})
}

// A call's directory is there before the call was taken: no verb may make
// another conversation of it.
func TestCallsCannotBeRedirected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newFarEnd(t)
		l := cloneAs(t, far.host, wire.TCP, bob, false)
		command(t, l, "announce 80")
		far.syn(t, 1111)
		embryo := far.host.Conv(wire.TCP, l.Num()+1)
		before := embryo.Info()
		if before.State != "Syn_received" {
			t.Fatalf("the call is in %s", before.State)
		}
		for _, line := range []string{"connect 1.2.3.4:80", "connect 10.0.0.1:1111", "connect 10.0.0.1:1111 80"} {
			if err := ctlAs(t, embryo, bob, line); !errors.Is(err, neterr.InUse) {
				t.Errorf("half-open, %s: %v, want %v", line, err, neterr.InUse)
			}
		}
		if err := ctlAs(t, embryo, bob, "announce 81"); err == nil {
			t.Error("half-open, announce: no error")
		}
		if after := embryo.Info(); after != before {
			t.Errorf("the refusals changed it: %+v, was %+v", after, before)
		}
	})

	a, b := pair(t)
	l := clone(t, b, wire.TCP)
	command(t, l, "announce 80")
	c := clone(t, a, wire.TCP)
	command(t, c, "connect 10.0.0.2:80")
	call := listen(t, l)
	for _, to := range []string{"1.2.3.4:80", strings.TrimSpace(call.RemoteText())} {
		if err := ctl(t, call, "connect "+to); !errors.Is(err, neterr.InUse) {
			t.Errorf("taken, connect %s: %v, want %v", to, err, neterr.InUse)
		}
	}
	write(t, c, []byte("still here"))
	if got := read(t, call); string(got) != "still here" {
		t.Errorf("read %q", got)
	}
}

// A program that closed is not the end of what it queued; but its owner, and
// root, can end that at once.
func TestClosedWithQueuedDataCanBeEnded(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Conv){
		"hangup": func(t *testing.T, c *Conv) { must(t, ctlAs(t, c, bob, "hangup")) },
		"rmdir":  func(t *testing.T, c *Conv) { must(t, c.stack.Rmdir(wire.TCP, fmt.Sprint(c.Num()), bob)) },
		"reset":  func(t *testing.T, c *Conv) { must(t, c.stack.WriteCtl("reset")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t)
				l := clone(t, b, wire.TCP)
				command(t, l, "announce 80")
				c := cloneAs(t, a, wire.TCP, bob, false)
				must(t, ctlAs(t, c, bob, "sndbuf 8m\nconnect 10.0.0.2:80"))
				peer := listen(t, l) // reads nothing
				for range 20 {
					op := do(t, a, &Op{Kind: OpWrite, Conv: c, Data: make([]byte, 1<<20), NonBlock: true})
					if errors.Is(op.Err, syscall.EAGAIN) {
						break
					}
					must(t, op.Err)
					synctest.Wait()
				}
				must(t, ctlAs(t, c, bob, "close"))
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := c.StatusText(); !strings.HasPrefix(got, "Established ") && !strings.HasPrefix(got, "Finwait1 ") || strings.Contains(got, "qout 0 ") {
					t.Fatalf("closed, with a peer that does not read: %s", got)
				}
				end(t, c)
				synctest.Wait()
				if got := c.StatusText(); !strings.HasPrefix(got, "Closed ") {
					t.Errorf("ended: %s", got)
				}
				if got := peer.Info().State; got != "Closed" {
					t.Errorf("the peer is in %s, want Closed by a reset", got)
				}
				c.Drop()
				a.lock()
				convs, flows := a.usage.convs, len(c.proto.flows)
				a.unlock()
				if convs != 0 || flows != 0 || !gone(c) {
					t.Errorf("%d conversations and %d connections are left", convs, flows)
				}
			})
		})
	}
}

// Who announced a port has its calls: nobody else gets them by a more specific
// address, by the wildcard, or by sending from the port.
func TestPortsCannotBeHijacked(t *testing.T) {
	for _, p := range []wire.Proto{wire.TCP, wire.UDP} {
		for _, test := range []struct {
			announced, wanted string
			free              bool
		}{
			{"announce 8080", "announce 8080", false},
			{"announce 8080", "announce 10.0.0.2:8080", false},
			{"announce 8080", "announce 127.0.0.1:8080", false},
			{"announce 10.0.0.2:8080", "announce 10.0.0.2:8080", false},
			{"announce 10.0.0.2:8080", "announce *!8080", false},
			{"announce 10.0.0.2:8080", "announce 127.0.0.1:8080", true},
			{"announce 8080", "announce 8081", true},
			{"announce 8080", "connect 10.0.0.1:53 8080", false},
			{"announce 10.0.0.2:8080", "connect 10.0.0.1:53 8080", false},
			{"announce 8080", "bind 8080\nconnect 10.0.0.1:53", false},
		} {
			_, b := pair(t)
			l := cloneAs(t, b, p, alice, false)
			must(t, ctlAs(t, l, alice, test.announced))
			thief := cloneAs(t, b, p, bob, false)
			err := ctlAs(t, thief, bob, test.wanted)
			if test.free && err != nil || !test.free && !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%v: alice's %s, bob's %s: %v", p, test.announced, test.wanted, err)
			}
			if !test.free && (thief.Info().State == "Listen" || thief.Info().State == "Open") {
				t.Errorf("%v: bob's %s was refused and he is in %s", p, test.wanted, thief.Info().State)
			}
		}
	}
	// She herself may have both, and the specific one gets the calls.
	_, b := pair(t)
	for _, line := range []string{"announce 8080", "announce 10.0.0.2:8080"} {
		must(t, ctlAs(t, cloneAs(t, b, wire.TCP, alice, false), alice, line))
	}
}

// All but an echo request could speak for the network: a forged unreachable
// would hang another user's conversation up.
func TestICMPTypesAreNotForEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		owner := User{UID: 500}
		a, b := newHost(t, Config{}), newHost(t, Config{Owner: owner})
		join(t, a, "10.0.0.1/24", b, "10.0.0.2/24", nic.Options{})
		victim := cloneAs(t, b, wire.UDP, alice, false)
		must(t, ctlAs(t, victim, alice, "connect 10.0.0.1:53"))
		local, remote := victim.Info().Local, victim.Info().Remote

		k := cloneAs(t, b, wire.ICMP, bob, false)
		must(t, ctlAs(t, k, bob, "connect 10.0.0.2"))
		forged := unreachable(local, remote)
		for kind := range 256 {
			forged[wire.IPv4Len] = byte(kind)
			op := do(t, b, &Op{Kind: OpWrite, Conv: k, User: bob, Data: forged})
			if byte(kind) == wire.ICMPEchoRequest {
				must(t, op.Err)
			} else if !errors.Is(op.Err, syscall.EACCES) || op.N != 0 {
				t.Errorf("type %d: %d, %v, want EACCES", kind, op.N, op.Err)
			}
		}
		synctest.Wait()
		if got := victim.Info().State; got != "Open" {
			t.Fatalf("alice's conversation is %s: %s", got, victim.ErrText())
		}

		// The tree's owner and root may.
		for _, u := range []User{{}, owner} {
			op := do(t, b, &Op{Kind: OpWrite, Conv: k, User: u, Data: unreachable(local, remote)})
			if op.Err != nil {
				t.Errorf("user %d: %v", u.UID, op.Err)
			}
		}
		synctest.Wait()
		if got := victim.Info().State; got != "Closed" {
			t.Errorf("the unreachable of who may send it was not believed: %s", got)
		}
	})
}

// unreachable is a write to an ICMP conversation: port unreachable, about a
// datagram between two ends.
func unreachable(local, remote netip.AddrPort) []byte {
	quote := make([]byte, wire.IPv4Len+wire.UDPLen)
	ip := wire.IP{Src: local.Addr(), Dst: remote.Addr(), Proto: wire.UDP, TTL: 9}
	ip.PutIPv4(quote, wire.UDPLen)
	binary.BigEndian.PutUint16(quote[20:], local.Port())
	binary.BigEndian.PutUint16(quote[22:], remote.Port())
	m := append(make([]byte, wire.IPv4Len+wire.ICMPLen), quote...)
	m[20], m[21] = wire.ICMPUnreachable, wire.ICMPPortUnreachable
	return m
}

// What mkdir makes lives without handles, and counts as such.
func TestMkdirIsBounded(t *testing.T) {
	s := newHost(t, Config{})
	must(t, s.WriteCtl("limit.detached 3"))
	for i := range 3 {
		_, err := s.Mkdir(wire.TCP, fmt.Sprintf("x%d", i), bob)
		must(t, err)
	}
	if _, err := s.Mkdir(wire.UDP, "y", bob); !errors.Is(err, syscall.ENFILE) {
		t.Errorf("bob's fourth: %v, want ENFILE", err)
	}
	if s.Named(wire.UDP, "y") != nil {
		t.Error("what was refused is there")
	}
	if _, err := s.Clone(wire.TCP, bob, true); !errors.Is(err, syscall.ENFILE) {
		t.Errorf("bob's detached clone: %v, want ENFILE", err)
	}
	for _, u := range []User{alice, {}} {
		_, err := s.Mkdir(wire.UDP, fmt.Sprintf("u%d", u.UID), u)
		must(t, err)
	}
	must(t, s.Rmdir(wire.TCP, "x0", bob))
	_, err := s.Mkdir(wire.UDP, "y", bob)
	must(t, err)
}

// Whoever invents senders neither fills the daemon nor shuts a listener.
func TestUDPCallsNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		l := clone(t, b, wire.UDP)
		command(t, l, "announce 7\nbacklog 3")
		for i := range 5 {
			c := clone(t, a, wire.UDP)
			command(t, c, fmt.Sprintf("connect 10.0.0.2:7 %d", 2000+i))
			write(t, c, fmt.Appendf(nil, "from %d", i))
			synctest.Wait()
			// One datagram may be longer than the bound: the first is always kept.
			for range 9 {
				write(t, c, make([]byte, 10_000))
				synctest.Wait()
			}
		}
		b.lock()
		convs, flows := b.usage.convs, len(l.proto.flows)
		b.unlock()
		if convs != 1+3 || flows != 3 {
			t.Errorf("%d conversations and %d peers, want the listener and 3 calls", convs, flows)
		}
		for i := 2; i < 5; i++ { // the two oldest made room
			call := listen(t, l)
			if n := call.Info().Unread; n > untakenBytes {
				t.Errorf("a call that nobody had taken holds %d bytes, the limit is %d", n, untakenBytes)
			}
			if got, want := string(read(t, call)), fmt.Sprintf("from %d", i); got != want {
				t.Errorf("read %q, want %q", got, want)
			}
		}
		if op := do(t, b, &Op{Kind: OpListen, Conv: l, NonBlock: true}); !errors.Is(op.Err, syscall.EAGAIN) {
			t.Errorf("a fourth call: %v, want EAGAIN", op.Err)
		}
		if n := counter(t, b.StatsText(wire.UDP), "QueueFull"); n == "0" {
			t.Error("nothing was counted as dropped")
		}
	})
}

// A write that found no place among those that wait has queued what it could:
// that much was written, and must not come again.
func TestWriteWithoutAPlaceToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1_000_000 // of which no queue holds a whole number
		a, b := pair(t)
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		c := clone(t, a, wire.TCP)
		command(t, c, "connect 10.0.0.2:80")
		peer := listen(t, l)
		must(t, a.WriteCtl("limit.operations 1"))
		other := clone(t, a, wire.UDP)
		command(t, other, "connect 10.0.0.2:99")
		r := start(a, &Op{Kind: OpRead, Conv: other, Max: 1}) // has the one place
		total, short, refused := 0, false, false
		for range 100 {
			op := do(t, a, &Op{Kind: OpWrite, Conv: c, Data: make([]byte, size)})
			synctest.Wait()
			switch {
			case op.Err == nil && op.N > 0:
				short = short || op.N < size
			case errors.Is(op.Err, syscall.ENOBUFS) && op.N == 0:
				refused = true
			default:
				t.Fatalf("a write: %d, %v", op.N, op.Err)
			}
			if total += op.N; refused {
				break
			}
		}
		if !short || !refused {
			t.Errorf("a short write: %v; one refused: %v; want both", short, refused)
		}
		a.Cancel(r.op, syscall.EINTR)
		wait(t, r)
		// Exactly what was reported arrives.
		command(t, c, "shutdown wr")
		got := 0
		for {
			b := read(t, peer)
			if len(b) == 0 {
				break
			}
			got += len(b)
		}
		if got != total {
			t.Errorf("%d bytes arrived, %d were reported as written", got, total)
		}
	})
}
