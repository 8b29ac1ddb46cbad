package stack

// Views: what one does is no other's business, and each reaches the world by its
// uplink.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// newHostOf is a host whose views have loopback and nothing else. left counts
// the views whose stack has been closed.
func newHostOf(t testing.TB, root *Stack) (h *Host, left *atomic.Int32) {
	t.Helper()
	left = new(atomic.Int32)
	h = NewHost(root, func(string) (*Stack, func(), error) {
		s := New(Config{Owner: root.cfg.Owner})
		lo, err := nic.NewLoop(nic.Options{})
		if err != nil {
			return nil, nil, err
		}
		_, err = s.AddLoopback(lo)
		return s, func() { left.Add(1) }, err
	})
	t.Cleanup(func() {
		hurry, cancel := context.WithCancel(context.Background())
		cancel()
		h.Close(hurry)
	})
	return h, left
}

func mkview(t testing.TB, h *Host, name string, lines ...string) *View {
	t.Helper()
	v, err := h.Mkdir(name, User{})
	must(t, err)
	for _, line := range lines {
		if err := v.Ctl(line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return v
}

// carries sends bytes from one stack to another and back.
func carries(t testing.TB, from, to *Stack, addr string) {
	t.Helper()
	l, err := to.Listen("tcp", ":7")
	must(t, err)
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.Copy(c, c)
			c.Close()
		}
		done <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := from.DialContext(ctx, "tcp", addr+":7")
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, from.LogText(), to.LogText())
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	go func() {
		c.Write(sent)
		c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	must(t, err)
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d", len(got), len(sent))
	}
	must(t, <-done)
}

// outside is the world: a stack at the other end of the root's first NIC.
func outside(t testing.TB) (root, world *Stack) {
	t.Helper()
	root, world = newHost(t, Config{}), newHost(t, Config{})
	join(t, root, "10.0.0.1/24", world, "10.0.0.9/24", nic.Options{})
	return root, world
}

func TestRoutedUplink(t *testing.T) {
	root, world := outside(t)
	h, _ := newHostOf(t, root)
	v := mkview(t, h, "web", "uplink routed 10.1.0.2/24")
	tag := ""
	must(t, world.Write("iproute", "add 10.1.0.0/24 10.0.0.1", &tag))
	carries(t, v.Stack(), root, "10.1.0.1")
	carries(t, root, v.Stack(), "10.1.0.2")
	carries(t, v.Stack(), world, "10.0.0.9")
	carries(t, world, v.Stack(), "10.1.0.2")
	must(t, v.Ctl("uplink routed 10.1.0.2/24"))
	if !strings.HasPrefix(v.CtlText(), "uplink routed 10.1.0.2/24\nlimit conversations ") {
		t.Error(v.CtlText())
	}
	other := mkview(t, h, "db", "uplink routed 10.2.0.2/24")
	carries(t, other.Stack(), v.Stack(), "10.1.0.2")

	before := len(root.Ifaces())
	must(t, v.Ctl("uplink none"))
	if n := len(root.Ifaces()); n != before-1 || len(v.Stack().Ifaces()) != 1 {
		t.Errorf("%d interfaces of the root are left of %d, %v of the view", n, before, v.Stack().Ifaces())
	}
	must(t, v.Ctl("uplink routed 10.1.0.1/31"))
	carries(t, v.Stack(), root, "10.1.0.0")
}

func TestSwitchUplink(t *testing.T) {
	root, world := outside(t)
	h, _ := newHostOf(t, root)
	mac := root.Iface(1).mac
	v := mkview(t, h, "web", "uplink switch 10.0.0.2/24 10.0.0.9")
	w := mkview(t, h, "db", "uplink switch 10.0.0.3/24")
	if root.Iface(1).mac != mac {
		t.Error("the root's interface has another MAC now")
	}
	carries(t, v.Stack(), world, "10.0.0.9")
	carries(t, world, v.Stack(), "10.0.0.2")
	carries(t, v.Stack(), root, "10.0.0.1")
	carries(t, v.Stack(), w.Stack(), "10.0.0.3")
	carries(t, root, world, "10.0.0.9")
	must(t, root.Sync())
}

// The first NIC moves to the switch while bytes go through it.
func TestSwitchUplinkUnderTraffic(t *testing.T) {
	root, world := outside(t)
	h, _ := newHostOf(t, root)
	v := mkview(t, h, "web")
	moved := make(chan error, 1)
	go func() { moved <- v.Ctl("uplink switch 10.0.0.2/24") }()
	for range 5 {
		carries(t, root, world, "10.0.0.9")
	}
	must(t, <-moved)
	carries(t, root, world, "10.0.0.9")
}

func TestViewsAreIsolated(t *testing.T) {
	root, _ := outside(t)
	h, _ := newHostOf(t, root)
	a := mkview(t, h, "a", "uplink routed 10.1.0.2/24", "ctl: ip.ttl 7", "limit conversations 3", "arp: add 10.1.0.77 02:00:00:00:00:77")
	b := mkview(t, h, "b", "uplink routed 10.2.0.2/24")
	for _, s := range []*Stack{root, a.Stack(), b.Stack()} {
		l, err := s.Listen("tcp", ":80") // the same port, three times
		must(t, err)
		defer l.Close()
		if rows := s.Convs(wire.TCP, -1, 9); len(rows) != 1 || rows[0].Num != root.Convs(wire.TCP, -1, 9)[0].Num {
			t.Errorf("conversations are not numbered by each view for itself: %v", rows)
		}
	}
	for what, text := range map[string]string{
		"addresses": b.Stack().SelfText(), "routes": b.Stack().RouteText(), "neighbours": b.Stack().ARPText(),
	} {
		if strings.Contains(text, "10.1.0.") || strings.Contains(text, "10.0.0.") {
			t.Errorf("b sees %s of another\n%s", what, text)
		}
	}
	if !strings.Contains(a.Stack().CtlText(), "ip.ttl 7\n") || strings.Contains(b.Stack().CtlText(), "ip.ttl 7\n") {
		t.Error("a knob is not a's alone")
	}
	for range 2 {
		_, err := a.Stack().Clone(wire.UDP, User{}, false)
		must(t, err)
	}
	if _, err := a.Stack().Clone(wire.UDP, User{}, false); !errors.Is(err, neterr.NoConvs) {
		t.Errorf("one more than the limit: %v", err)
	}
	if _, err := b.Stack().Clone(wire.UDP, User{}, false); err != nil {
		t.Errorf("a has filled its limit, and b gets %v", err)
	}
	if counter(t, b.Stack().StackStatsText(), "conversations") != "2" {
		t.Error("b counts conversations of others\n" + b.Stack().StackStatsText())
	}
	a.Stack().Logf("a secret")
	if strings.Contains(b.Stack().LogText(), "secret") || strings.Contains(root.LogText(), "secret") {
		t.Error("a's log is seen elsewhere")
	}
}

func TestViewRefuses(t *testing.T) {
	root, _ := outside(t)
	root.cfg.Owner = User{UID: 7}
	h, _ := newHostOf(t, root)
	v := mkview(t, h, "web")
	before := v.CtlText()
	for _, line := range []string{
		"", "\x00", "\u009b31m", "nonsense", "uplink", "uplink sideways", "uplink routed", "uplink routed x", "uplink routed 10.1.0.0/24",
		"uplink routed 10.1.0.255/24", "uplink routed 10.1.0.2/32", "uplink routed 10.1.0.2/24 more", "uplink routed 10.0.0.5/24",
		"uplink routed 10.0.0.5/8", "uplink switch 10.0.0.2/24 10.9.0.1", "uplink switch 10.0.0.2/24 a b", "uplink routed 127.5.0.2/16",
		"uplink none none", "limit", "limit convs 3", "limit conversations 0", "limit memory x", "help: x", "ctl: nonsense", "ipifc/9: up", "iproute: add",
	} {
		if err := v.Ctl(line); err == nil || neterr.Errno(err) == syscall.EIO {
			t.Errorf("%q: %v", line, err)
		}
	}
	if v.CtlText() != before || len(v.Stack().Ifaces()) != 1 || len(root.Ifaces()) != 2 {
		t.Errorf("bad lines changed something:\n%s%v %v", v.CtlText(), v.Stack().Ifaces(), root.Ifaces())
	}
	if !strings.Contains(v.Stack().LogText(), "sideways") {
		t.Error("the log has no words on it")
	}
	must(t, v.Ctl("uplink routed 10.1.0.2/24"))
	if err := v.Ctl("uplink routed 10.3.0.2/24"); !errors.Is(err, neterr.Busy) {
		t.Errorf("a second uplink: %v", err)
	}
	for _, name := range []string{"", ".", "..", "7", "a b", "a/b", strings.Repeat("x", 300), "a\x01b", "a\u009bb", "a\u202eb", "a:b"} {
		if _, err := h.Mkdir(name, User{}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("mkdir %q: %v", name, err)
		}
	}
	if _, err := h.Mkdir("web", User{}); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("a second web: %v", err)
	}
	if _, err := h.Mkdir("mine", User{UID: 8}); !errors.Is(err, syscall.EPERM) {
		t.Errorf("a stranger's mkdir: %v", err)
	}
	if err := h.Rmdir("web", User{UID: 8}); !errors.Is(err, syscall.EPERM) {
		t.Errorf("a stranger's rmdir: %v", err)
	}
	if err := h.Rmdir("nobody", User{UID: 7}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("rmdir of nothing: %v", err)
	}
	if _, err := NewHost(root, nil).Mkdir("x", User{}); !errors.Is(err, syscall.EACCES) {
		t.Errorf("mkdir without a builder: %v", err)
	}
}

// The cable of a view that is still ending is no NIC that a switch could have.
func TestSwitchUplinkBesideAnEndingView(t *testing.T) {
	h, _ := newHostOf(t, newHost(t, Config{}))
	mkview(t, h, "gone", "uplink routed 10.1.0.2/24")
	v := mkview(t, h, "web")
	h.wiring.Lock() // which the end needs
	must(t, h.Rmdir("gone", User{}))
	err := v.connect([]string{"switch", "10.2.0.2/24"})
	h.wiring.Unlock()
	if !errors.Is(err, neterr.NoInterface) || h.bridge != nil {
		t.Errorf("%v", err)
	}
}

// What ctl reads makes the names again, too.
func TestViewTellsItsNames(t *testing.T) {
	h, _ := newHostOf(t, newHost(t, Config{}))
	v := mkview(t, h, "web")
	v.stack.cfg.Names = resolver(nil)
	if text := v.CtlText(); !strings.Contains(text, "\nndb: ip=10.0.0.5 dom=db\n") {
		t.Error(text)
	}
}

func TestViewEnds(t *testing.T) {
	root, world := outside(t)
	h, left := newHostOf(t, root)
	v := mkview(t, h, "web", "uplink switch 10.0.0.2/24")
	l, err := world.Listen("tcp", ":7")
	must(t, err)
	defer l.Close()
	c, err := v.Stack().Dial("tcp", "10.0.0.9:7")
	must(t, err)
	defer c.Close()
	peer, err := l.Accept()
	must(t, err)
	defer peer.Close()
	waiter := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		waiter <- err
	}()
	must(t, h.Rmdir("web", User{}))
	if h.View("web") != nil || h.ByID(v.ID()) != nil || len(h.Views()) != 0 {
		t.Error("the view is still there")
	}
	if err := <-waiter; err == nil {
		t.Error("a reader is not told")
	}
	peer.SetDeadline(time.Now().Add(patience))
	io.Copy(io.Discard, peer) // ends
	again := mkview(t, h, "web", "uplink switch 10.0.0.2/24")
	if again.ID() == v.ID() {
		t.Error("the number is used again at once")
	}
	for end := time.Now().Add(patience); left.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never ended")
		}
	}
	if err := v.Ctl("uplink routed 10.1.0.2/24"); !errors.Is(err, neterr.ShuttingDown) {
		t.Errorf("ctl of one that has ended: %v", err)
	}
}

// Views come and go while they are used, and leave nothing (goleak).
func TestViewsComeAndGo(t *testing.T) {
	root, _ := outside(t)
	h, left := newHostOf(t, root)
	const workers, rounds = 3, 100
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for n := range rounds {
				name := fmt.Sprintf("v%d", w)
				v, err := h.Mkdir(name, User{})
				if err != nil {
					t.Error(err)
					return
				}
				line := fmt.Sprintf("uplink routed 10.%d.%d.2/30", 100+w, n)
				if n%2 == 1 {
					line = fmt.Sprintf("uplink switch 10.0.0.%d/24", 100+w)
				}
				if err := v.Ctl(line); err != nil {
					t.Error(line, err)
				}
				var used sync.WaitGroup
				used.Go(func() {
					if c, err := v.Stack().Dial("tcp", "10.0.0.1:9"); err == nil {
						c.Close()
					}
				})
				used.Go(func() { v.CtlText() })
				used.Go(func() { h.Views() })
				if err := h.Rmdir(name, User{}); err != nil {
					t.Error(err)
				}
				used.Wait()
			}
		})
	}
	all.Wait()
	for end := time.Now().Add(patience); left.Load() < workers*rounds; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d views of %d ended", left.Load(), workers*rounds)
		}
	}
	if n := root.Ifaces(); len(n) != 2 {
		t.Errorf("the root is left with interfaces %v", n)
	}
}

// A number goes to another view only when nobody knows the last one by it.
func TestNumbersOfViewsAreNotSoonUsedAgain(t *testing.T) {
	root, _ := outside(t)
	h, _ := newHostOf(t, root)
	first := mkview(t, h, "first").ID()
	h.OnNumber(func(view int) bool { return view == first })
	must(t, h.Rmdir("first", User{}))
	h.last = lastView - 2
	seen := map[int]bool{first: true}
	for n := range 6 {
		id := mkview(t, h, fmt.Sprintf("v%d", n)).ID()
		if seen[id] || id <= RootView || id > lastView {
			t.Errorf("view %d has number %d", n, id)
		}
		seen[id] = true
	}
	h.OnNumber(func(int) bool { return true })
	if _, err := h.Mkdir("more", User{}); !errors.Is(err, neterr.NoConvs) {
		t.Errorf("without a number: %v", err)
	}
}

// A view whose peer never agrees to the end takes nothing of the root's time to part
// from its own.
func TestCloseGivesEachItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, world := outside(t)
		h, _ := newHostOf(t, root)
		v := mkview(t, h, "web", "uplink switch 10.0.0.2/24")
		must(t, world.WriteCtl("tcp.rcvbuf 4k"))
		l, err := world.Listen("tcp", ":7")
		must(t, err)
		defer l.Close()
		const size = 40 << 10 // more than the peer's window
		queue := func(s *Stack) (peer net.Conn) {
			c, err := s.Dial("tcp", "10.0.0.9:7")
			must(t, err)
			t.Cleanup(func() { c.Close() })
			peer, err = l.Accept()
			must(t, err)
			t.Cleanup(func() { peer.Close() })
			_, err = c.Write(make([]byte, size))
			must(t, err)
			return peer
		}
		queue(v.Stack()) // and nobody reads it
		peer := queue(root)
		closed := make(chan struct{})
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			h.Close(ctx)
			close(closed)
		}()
		time.Sleep(time.Second)
		if n, err := io.Copy(io.Discard, peer); n != size || err != nil {
			t.Errorf("the root's peer has got %d bytes: %v", n, err)
		}
		<-closed
	})
}
