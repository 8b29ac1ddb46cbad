package stack

import (
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// ends checks that a conversation that nobody has open is there until after, and
// gone then.
func ends(t *testing.T, c *Conv, after time.Duration) {
	t.Helper()
	time.Sleep(after - time.Second)
	synctest.Wait()
	if gone(c) {
		t.Fatalf("it ended before %v had passed", after)
	}
	time.Sleep(2 * time.Second)
	synctest.Wait()
	if !gone(c) {
		t.Fatalf("it is still there after %v: %s", after, c.WhyText())
	}
}

// gone reports whether a conversation has left the directory, or is only a
// record of TIME-WAIT.
func gone(c *Conv) bool { return c.stack.Conv(c.proto.num, c.num) != c }

// called is a connection from a to a detached conversation of b.
func called(t *testing.T, a, b *Stack) (c *Conv, peer io.ReadWriteCloser) {
	t.Helper()
	l, err := a.Listen("tcp", "10.0.0.1:0")
	must(t, err)
	defer l.Close()
	c, err = b.Clone(wire.TCP, User{}, true)
	must(t, err)
	command(t, c, "connect "+l.Addr().String())
	peer, err = l.Accept()
	must(t, err)
	go polite(peer)
	c.Drop()
	return c, peer
}

// polite is a peer that closes when we do.
func polite(peer io.ReadWriteCloser) {
	io.Copy(io.Discard, peer)
	peer.Close()
}

// Plan 9's rule: the last close hangs up, politely.
func TestStrictEndsWithItsLastHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		l, err := a.Listen("tcp", ":80")
		must(t, err)
		c := clone(t, b, wire.TCP)
		command(t, c, "connect 10.0.0.1:80")
		peer, err := l.Accept()
		must(t, err)
		if !c.Hold() {
			t.Fatal("Hold of a conversation that is open")
		}
		c.Drop()
		time.Sleep(24 * time.Hour)
		if gone(c) {
			t.Fatal("it ended although it is open")
		}
		write(t, c, []byte("last words"))
		c.Drop()
		if got, err := io.ReadAll(peer); string(got) != "last words" || err != nil {
			t.Errorf("the peer read %q, %v", got, err)
		}
		// What the peer still says is read and dropped, not answered with a reset.
		if _, err := peer.Write([]byte("too late")); err != nil {
			t.Errorf("the peer's write: %v", err)
		}
		must(t, peer.Close())
		time.Sleep(time.Second)
		if !gone(c) || c.Hold() {
			t.Error("it is still there")
		}
		if n := counter(t, b.StatsText(wire.TCP), "OutRsts"); n != "0" {
			t.Errorf("%s resets sent", n)
		}
		rows := b.Convs(wire.TCP, -1, 10)
		if len(rows) != 1 || rows[0].State != "Time_wait" || rows[0].Num != c.Num() {
			t.Errorf("rows %+v, want one in Time_wait", rows)
		}
		time.Sleep(time.Minute)
		if rows := b.Convs(wire.TCP, -1, 10); len(rows) != 0 {
			t.Errorf("rows %+v after TIME-WAIT", rows)
		}
	})
}

func TestDetachedUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		c, err := s.Clone(wire.TCP, User{}, true)
		must(t, err)
		time.Sleep(time.Hour)
		if gone(c) {
			t.Fatal("it ended although it is open")
		}
		c.Drop()
		ends(t, c, lifeUnused)
	})
}

func TestDetachedKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		c, _ := called(t, a, b)
		ends(t, c, time.Hour)

		c, peer := called(t, a, b)
		command(t, c, "keep 10")
		time.Sleep(9 * time.Second)
		peer.Write([]byte("traffic prolongs it"))
		ends(t, c, 10*time.Second)

		c, _ = called(t, a, b)
		command(t, c, "keep forever")
		time.Sleep(48 * time.Hour)
		if gone(c) {
			t.Fatal("it ended although it was to be kept for ever")
		}
	})
}

// Keep-alive probes find out that a peer is gone before keep does.
func TestDetachedPeerVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		c, _ := called(t, a, b)
		command(t, c, "keep forever")
		must(t, a.Iface(1).Ctl("down"))
		time.Sleep(probeAfter + 15*time.Minute + lifeRead)
		synctest.Wait()
		if !gone(c) {
			t.Errorf("it is still there: %s", c.WhyText())
		}
	})
}

func TestDetachedPeerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		c, peer := called(t, a, b)
		must(t, peer.Close())
		ends(t, c, lifeRead)

		c, peer = called(t, a, b)
		peer.Write([]byte("unread"))
		must(t, peer.(*tcpConn).CloseWrite())
		synctest.Wait()
		if why := c.WhyText(); !strings.Contains(why, "6 bytes are unread") || !strings.Contains(why, "it will be closed in 10m") {
			t.Errorf("why: %q", why)
		}
		ends(t, c, lifeUnread)
	})
}

func TestDetachedLimit(t *testing.T) {
	s := newHost(t, Config{})
	must(t, s.WriteCtl("limit.detached 2"))
	one, err := s.Clone(wire.TCP, User{UID: 7}, true)
	must(t, err)
	_, err = s.Clone(wire.UDP, User{UID: 7}, true)
	must(t, err)
	if _, err = s.Clone(wire.TCP, User{UID: 7}, true); !errors.Is(err, syscall.ENFILE) {
		t.Errorf("a third: %v, want ENFILE", err)
	}
	_, err = s.Clone(wire.TCP, User{UID: 8}, true)
	must(t, err)
	command(t, one, "hangup")
	one.Drop()
	_, err = s.Clone(wire.TCP, User{UID: 7}, true)
	must(t, err)
}

// Mkdir's live until Rmdir, which resets.
func TestNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		l, err := a.Listen("tcp", ":80")
		must(t, err)
		c, err := b.Mkdir(wire.TCP, "web", User{UID: 7})
		must(t, err)
		c.Hold()
		command(t, c, "connect 10.0.0.1:80")
		c.Drop()
		peer, err := l.Accept()
		must(t, err)
		time.Sleep(24 * time.Hour)
		if gone(c) || b.Named(wire.TCP, "web") != c {
			t.Fatal("it ended by itself")
		}
		if _, err := b.Mkdir(wire.TCP, "web", User{}); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("a second web: %v, want EEXIST", err)
		}
		if err := b.Rmdir(wire.TCP, "web", User{UID: 8}); !errors.Is(err, syscall.EPERM) {
			t.Errorf("rmdir by somebody else: %v, want EPERM", err)
		}
		must(t, b.Rmdir(wire.TCP, "web", User{UID: 7}))
		if !gone(c) || b.Named(wire.TCP, "web") != nil {
			t.Error("it is still there")
		}
		if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the peer read %v, want ECONNRESET", err)
		}
		if err := b.Rmdir(wire.TCP, "web", User{}); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("rmdir again: %v, want ENOENT", err)
		}
		for _, name := range []string{"", ".", "..", "7up", "a b", "a/b", "a\nb", "\xff", strings.Repeat("x", 256)} {
			if _, err := b.Mkdir(wire.TCP, name, User{}); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("mkdir %q: %v, want EINVAL", name, err)
			}
		}
		if _, err := b.Mkdir(wire.TCP, "clone", User{}); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("mkdir clone: %v, want EEXIST", err)
		}
	})
}

// The clock of a listener stands still while a call that it took lives, and
// calls inherit keep.
func TestListenerLivesWithItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		l, err := b.Clone(wire.TCP, User{}, true)
		must(t, err)
		command(t, l, "announce 80\nkeep 100")
		peer, err := a.Dial("tcp", "10.0.0.2:80")
		must(t, err)
		go polite(peer)
		op := do(t, b, &Op{Kind: OpListen, Conv: l, Detached: true})
		must(t, op.Err)
		l.Drop()
		for range 10 {
			time.Sleep(90 * time.Second)
			peer.Write([]byte("x"))
		}
		synctest.Wait()
		if gone(l) || gone(op.Call) {
			t.Fatal("it ended although its call lives")
		}
		op.Call.Drop()
		ends(t, op.Call, 100*time.Second)
		ends(t, l, 99*time.Second) // one has passed already
	})
}

// accept/PORT makes a listener that waits a minute for the next open.
func TestAcceptListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		r := start(b, &Op{Kind: OpAccept, Proto: wire.TCP, Addr: "8080", User: User{UID: 7}})
		peer, err := a.Dial("tcp", "10.0.0.2:8080")
		must(t, err)
		op := wait(t, r)
		must(t, op.Err)
		rows := b.Convs(wire.TCP, -1, 10)
		if len(rows) != 2 || rows[0].State != "Listen" || rows[0].Owner.UID != 7 {
			t.Fatalf("rows %+v, want a listener and its call", rows)
		}
		l := b.Conv(wire.TCP, rows[0].Num)
		other := do(t, b, &Op{Kind: OpAccept, Proto: wire.TCP, Addr: "8080", User: User{UID: 8}})
		if !errors.Is(other.Err, syscall.EADDRINUSE) {
			t.Errorf("accept by somebody else: %v, want EADDRINUSE", other.Err)
		}
		time.Sleep(time.Hour)
		op.Call.Drop()
		must(t, peer.Close())
		ends(t, l, lifeAccept)

		// An open that is given up leaves no call behind.
		r = start(b, &Op{Kind: OpAccept, Proto: wire.TCP, Addr: "8080"})
		b.Cancel(r.op, syscall.EINTR)
		if wait(t, r).Err != syscall.EINTR || r.op.Call != nil {
			t.Errorf("%v, %v", r.op.Err, r.op.Call)
		}
	})
}

// A script that was restarted takes over the port that nobody has open.
func TestAnnounceTakesOver(t *testing.T) {
	s := newHost(t, Config{})
	make := func(u User) *Conv {
		c, err := s.Clone(wire.TCP, u, true)
		must(t, err)
		return c
	}
	old := make(User{UID: 7})
	command(t, old, "announce 8080")
	next := make(User{UID: 7})
	if err := ctl(t, next, "announce 8080"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("announce while the old one is open: %v, want EADDRINUSE", err)
	}
	old.Drop()
	if err := ctl(t, make(User{UID: 8}), "announce 8080"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("announce by somebody else: %v, want EADDRINUSE", err)
	}
	command(t, next, "announce 8080")
	if !gone(old) || next.Info().State != "Listen" {
		t.Errorf("old %v, next %+v", old.Info(), next.Info())
	}
}

// OnConvGone is told of each directory once.
func TestOnConvGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		told := map[int]int{}
		s := newHost(t, Config{})
		s.OnConvGone(func(p wire.Proto, num int, name string) {
			mu.Lock()
			defer mu.Unlock()
			told[num]++
		})
		l, err := s.Listen("tcp", "127.0.0.1:80") // 0
		must(t, err)
		c, err := s.Dial("tcp", "127.0.0.1:80") // 1
		must(t, err)
		call, err := l.Accept() // 2
		must(t, err)
		c.Close()
		call.Close()
		l.Close()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		_, err = s.Mkdir(wire.TCP, "web", User{}) // 3
		must(t, err)
		must(t, s.Rmdir(wire.TCP, "web", User{}))
		c4 := clone(t, s, wire.TCP) // 4
		must(t, s.Rmdir(wire.TCP, "4", User{}))
		c4.Drop()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		for num := range 5 {
			if told[num] != 1 {
				t.Errorf("of %d it was told %d times", num, told[num])
			}
		}
	})
}

// A connect that failed leaves the conversation usable; one that is repeated
// while it is under way joins it.
func TestConnectAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		c := clone(t, a, wire.TCP)
		if err := ctl(t, c, "connect 10.0.0.2:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v, want ECONNREFUSED", err)
		}
		if got := c.ErrText(); !strings.HasPrefix(got, "connect 10.0.0.2:80: connection refused") {
			t.Errorf("err %q", got)
		}
		if got := c.LocalText() + c.RemoteText(); got != "::!0\n::!0\n" {
			t.Errorf("addresses after failure: %q", got)
		}
		_, err := b.Listen("tcp", ":80")
		must(t, err)
		must(t, b.Iface(1).Ctl("down"))
		r := start(a, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 10.0.0.2:80")})
		again := start(a, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 10.0.0.2:80")})
		if err := ctl(t, c, "connect 10.0.0.2:81"); !errors.Is(err, syscall.EALREADY) {
			t.Errorf("connect elsewhere meanwhile: %v, want EALREADY", err)
		}
		op := do(t, a, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 10.0.0.2:80"), NonBlock: true})
		if !errors.Is(op.Err, syscall.EAGAIN) {
			t.Errorf("without waiting: %v, want EAGAIN", op.Err)
		}
		a.Cancel(again.op, syscall.EINTR)
		if err := wait(t, again).Err; err != syscall.EINTR {
			t.Errorf("cancelled: %v", err)
		}
		must(t, b.Iface(1).Ctl("up"))
		must(t, wait(t, r).Err)
		command(t, c, "connect 10.0.0.2:80")
		if err := ctl(t, c, "connect 10.0.0.2:81"); !errors.Is(err, syscall.EISCONN) {
			t.Errorf("connect elsewhere when connected: %v, want EISCONN", err)
		}
	})
}

// Without waiting a connect is begun by one write, and its outcome is the answer
// to the same write again: once.
func TestConnectWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		_, err := b.Listen("tcp", ":80")
		must(t, err)
		for _, want := range []struct {
			line string
			err  error
		}{{"connect 10.0.0.2:81", syscall.ECONNREFUSED}, {"connect 10.0.0.2:80", nil}} {
			c := clone(t, a, wire.TCP)
			again := func() error {
				return do(t, a, &Op{Kind: OpCtl, Conv: c, Data: []byte(want.line), NonBlock: true}).Err
			}
			if err := again(); !errors.Is(err, syscall.EAGAIN) {
				t.Errorf("%s: %v, want EAGAIN", want.line, err)
			}
			synctest.Wait()
			if c.Ready()&ReadyOut == 0 {
				t.Errorf("%s: poll does not say that it has ended", want.line)
			}
			if err := again(); !errors.Is(err, want.err) {
				t.Errorf("%s again: %v, want %v", want.line, err, want.err)
			}
			if err := again(); want.err != nil && !errors.Is(err, syscall.EAGAIN) {
				t.Errorf("%s a third time: %v, want a new attempt", want.line, err)
			}
			c.Drop()
		}
		op := do(t, a, &Op{Kind: OpDial, Proto: wire.TCP, Addr: "10.0.0.2:80", NonBlock: true})
		must(t, op.Err)
		synctest.Wait()
		if got := op.Call.Info().State; got != "Established" {
			t.Errorf("a dial that does not wait is %s", got)
		}
		op.Call.Drop()
	})
}
