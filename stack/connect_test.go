package stack

// Names: the look-up of a connect is an operation like any other, and it delays
// nobody but its asker.

import (
	"context"
	"errors"
	"io"
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

// named is a pair of hosts of which the first has a resolver.
func named(t *testing.T, resolve resolver) (a, b *Stack) {
	a, b = newHost(t, Config{Names: resolve}), newHost(t, Config{})
	join(t, a, "10.0.0.1/24", b, "10.0.0.2/24", nic.Options{})
	l, err := b.Listen("tcp", ":80")
	must(t, err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "hello")
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return a, b
}

func TestConnectByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := named(t, func(ctx context.Context, name string) ([]netip.Addr, error) {
			switch name {
			case "web.example": // one address that is silent, one that serves, one of another family
				return []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("10.0.0.2")}, nil
			case "six.example":
				return []netip.Addr{netip.MustParseAddr("fd00::1")}, nil
			}
			return nil, neterr.UnknownName.With("%q", name)
		})
		for _, line := range []string{"connect web.example:80", "connect web.example!http", "connect web.example 80"} {
			c := clone(t, a, wire.TCP)
			must(t, ctl(t, c, line))
			if got := c.RemoteText(); got != "10.0.0.2!80\n" {
				t.Errorf("%s: remote %q", line, got)
			}
			op := do(t, a, &Op{Kind: OpRead, Conv: c, Max: 100})
			if op.Err != nil || op.N != 5 {
				t.Errorf("%s: read %d bytes, %v", line, op.N, op.Err)
			}
			c.Drop()
		}
		for host, errno := range map[string]syscall.Errno{"nobody.example": syscall.EHOSTUNREACH, "six.example": syscall.ENETUNREACH} {
			c := clone(t, a, wire.TCP)
			if err := ctl(t, c, "connect "+host+":80"); !errors.Is(err, errno) || !strings.Contains(c.ErrText(), host) {
				t.Errorf("%s: %v, err %q", host, err, c.ErrText())
			}
			must(t, ctl(t, c, "connect 10.0.0.2:80")) // it is usable still
			c.Drop()
		}
		op := do(t, a, &Op{Kind: OpDial, Proto: wire.TCP, Addr: "web.example:80"})
		must(t, op.Err)
		op.Call.Drop()
	})
}

// Where no address answers, the words tell of all that were tried.
func TestConnectTellsWhatWasTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := named(t, func(_ context.Context, name string) ([]netip.Addr, error) {
			var all []netip.Addr
			for _, addr := range strings.Split(name, "-") {
				all = append(all, netip.MustParseAddr(addr[1:]))
			}
			return all, nil
		})
		for _, test := range []struct {
			hosts, want string
			errno       syscall.Errno
		}{
			{"x10.0.0.2", "connection refused", syscall.ECONNREFUSED},
			{"x10.0.0.9-x10.9.9.9-x10.0.0.2", "host unreachable: neighbour 10.0.0.9 does not answer; before it 2 in vain: 10.0.0.2: connection refused, " +
				"10.9.9.9: no route: to 10.9.9.9: add one to iproute", syscall.EHOSTUNREACH}, // which took the longest; the last is that without a route (RFC 6724 §6, rule 1)
			{"x10.0.0.2-x10.9.9.9", "no route: to 10.9.9.9: add one to iproute; before it 1 in vain: 10.0.0.2: connection refused", syscall.ENETUNREACH},
			{"x10.9.9.8-x10.9.9.9", "no route: to 10.9.9.9: add one to iproute; before it 1 in vain: 10.9.9.8: no route: to 10.9.9.8: add one to iproute", syscall.ENETUNREACH},
		} {
			c := clone(t, a, wire.TCP)
			err := ctl(t, c, "connect "+test.hosts+":81")
			if got, want := strings.TrimSuffix(c.ErrText(), "\n"), "connect "+test.hosts+":81: "+test.want; got != want || !errors.Is(err, test.errno) {
				t.Errorf("%s: %v\n%q, want\n%q", test.hosts, err, got, want)
			}
			c.Drop()
		}
	})
}

// A resolver that hangs delays its asker only, is said to by why, is joined by
// the same line, and ends with an interruption, a hangup, or the stack.
func TestResolverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, ended := 0, 0
		a, _ := named(t, func(ctx context.Context, name string) ([]netip.Addr, error) {
			asked++
			<-ctx.Done()
			ended++
			return nil, ctx.Err()
		})
		slow := clone(t, a, wire.TCP)
		line := []byte("connect slow.example:80")
		first := start(a, &Op{Kind: OpCtl, Conv: slow, Data: line})
		again := start(a, &Op{Kind: OpCtl, Conv: slow, Data: line})
		synctest.Wait()
		time.Sleep(3 * time.Second)
		if got, want := slow.WhyText(), "Closed for 3s: looking up the address of slow.example, without an answer yet\n"; got != want {
			t.Errorf("why %q, want %q", got, want)
		}
		other := clone(t, a, wire.TCP)
		must(t, ctl(t, other, "connect 10.0.0.2:80"))
		other.Drop()
		a.Cancel(again.op, neterr.Interrupted)
		if err := wait(t, again).Err; !errors.Is(err, syscall.EINTR) {
			t.Errorf("interrupted: %v", err)
		}
		must(t, ctl(t, slow, "hangup"))
		if err := wait(t, first).Err; !errors.Is(err, syscall.ECONNABORTED) {
			t.Errorf("hung up: %v", err)
		}
		slow.Drop()

		dial := start(a, &Op{Kind: OpDial, Proto: wire.UDP, Addr: "slow.example:53"})
		synctest.Wait()
		a.Cancel(dial.op, neterr.Interrupted)
		wait(t, dial)
		left := start(a, &Op{Kind: OpDial, Proto: wire.ICMP, Addr: "slow.example"})
		synctest.Wait()
		if asked != 3 || ended != 2 {
			t.Errorf("%d look-ups, %d ended; want 3 and 2", asked, ended)
		}
		shut(a)
		if err := wait(t, left).Err; !errors.Is(err, syscall.ESHUTDOWN) {
			t.Errorf("the stack was closed: %v", err)
		}
		if ended != 3 {
			t.Errorf("%d look-ups of 3 have ended with the stack", ended)
		}
	})
}

// Only so many names are looked up at a time.
func TestLookupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		a, _ := named(t, func(ctx context.Context, name string) ([]netip.Addr, error) {
			<-release
			return []netip.Addr{netip.MustParseAddr("10.0.0.2")}, nil
		})
		var all []running
		// Whoever wants all of them gets half, and so does the next one of the rest.
		for left, uid := maxLookups, uint32(0); left > 1; left, uid = left/2, uid+1 {
			for range left / 2 {
				all = append(all, start(a, &Op{Kind: OpDial, Proto: wire.UDP, User: User{UID: uid}, Addr: "x.example:7"}))
			}
			if op := do(t, a, &Op{Kind: OpDial, Proto: wire.UDP, User: User{UID: uid}, Addr: "x.example:7"}); !errors.Is(op.Err, syscall.EAGAIN) {
				t.Errorf("one more look-up of user %d: %v, want EAGAIN", uid, op.Err)
			}
		}
		close(release)
		for _, r := range all {
			must(t, wait(t, r).Err)
			r.op.Call.Drop()
		}
	})
}
