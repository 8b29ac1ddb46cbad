package stack

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/wire"
)

// routed is two hosts with a router between them: 10.0.1.1 and 10.0.2.2, whose
// link has the given MTU.
func routed(t testing.TB, mtu int) (a, router, b *Stack) {
	t.Helper()
	a, router, b = newHost(t, Config{}), newHost(t, Config{}), newHost(t, Config{})
	join(t, a, "10.0.1.1/24", router, "10.0.1.254/24", nic.Options{})
	join(t, b, "10.0.2.2/24", router, "10.0.2.254/24", nic.Options{MTU: mtu})
	must(t, a.WriteRoute("add 0.0.0.0 /0 10.0.1.254", new(string)))
	must(t, b.WriteRoute("add 0.0.0.0 /0 10.0.2.254", new(string)))
	must(t, router.WriteCtl("ip.forward on"))
	return a, router, b
}

func TestForward(t *testing.T) {
	a, router, b := routed(t, 0)
	l, err := b.Listen("tcp", ":7")
	must(t, err)
	defer l.Close()
	c, err := a.Dial("tcp", "10.0.2.2:7")
	must(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	call, err := l.Accept()
	must(t, err)
	if got := call.RemoteAddr().String(); got != c.LocalAddr().String() {
		t.Errorf("call from %s, want %v", got, c.LocalAddr())
	}
	sent := bytes.Repeat([]byte("through the router "), 50_000)
	go func() {
		c.Write(sent)
		c.Close()
	}()
	var got bytes.Buffer
	if _, err := got.ReadFrom(call); err != nil || !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("%d bytes of %d came: %v", got.Len(), len(sent), err)
	}
	call.Close()
	if n := counter(t, router.StackStatsText(), "ForwDatagrams"); n == "0" {
		t.Error("the router counts nothing")
	}
}

// A datagram whose last hop the router is dies there, and its sender learns it.
func TestTTLExceeded(t *testing.T) {
	a, _, _ := routed(t, 0)
	c := clone(t, a, wire.UDP)
	command(t, c, "ttl 1\nconnect 10.0.2.2:9")
	write(t, c, []byte("x"))
	op := do(t, a, &Op{Kind: OpRead, Conv: c, Max: 1})
	if !errors.Is(op.Err, syscall.EHOSTUNREACH) || !strings.Contains(op.Err.Error(), "ttl exceeded: at 10.0.1.254") {
		t.Errorf("%v, want ttl exceeded at the router", op.Err)
	}
	c = clone(t, a, wire.UDP)
	command(t, c, "ttl 2\nconnect 10.0.2.2:9")
	write(t, c, []byte("x"))
	if op := do(t, a, &Op{Kind: OpRead, Conv: c, Max: 1}); !errors.Is(op.Err, syscall.ECONNREFUSED) {
		t.Errorf("with a ttl of 2: %v, want ECONNREFUSED of the host", op.Err)
	}
}

// The TTL that the far end sees is one less.
func TestTTLFalls(t *testing.T) {
	a, _, _ := routed(t, 0)
	c := clone(t, a, wire.ICMP)
	command(t, c, "connect 10.0.2.2")
	write(t, c, echo(1, ""))
	if ip, _, _, err := wire.ParseIPv4(read(t, c)); err != nil || ip.TTL != 63 {
		t.Errorf("ttl %d, %v; want 63", ip.TTL, err)
	}
}

func TestForwardUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, router, b := routed(t, 0)
		refused := func(to string, want error, words string) {
			t.Helper()
			c := clone(t, a, wire.UDP)
			command(t, c, "connect "+to)
			write(t, c, []byte("x"))
			op := do(t, a, &Op{Kind: OpRead, Conv: c, Max: 1})
			if !errors.Is(op.Err, want) || !strings.Contains(op.Err.Error(), words) {
				t.Errorf("to %s: %v, want %v, %q", to, op.Err, want, words)
			}
		}
		refused("192.0.2.1:9", syscall.ENETUNREACH, "network unreachable: says 10.0.1.254")
		refused("10.0.2.77:9", syscall.EHOSTUNREACH, "host unreachable: says 10.0.1.254")

		// Who is no router says nothing and counts.
		must(t, router.WriteCtl("ip.forward off"))
		c := clone(t, a, wire.UDP)
		command(t, c, "connect 10.0.2.2:9")
		write(t, c, []byte("x"))
		must(t, router.Sync())
		if n := counter(t, router.Iface(1).StatsText(), "dropped not for us"); n != "1" {
			t.Errorf("%s datagrams dropped, want 1", n)
		}
		if n := counter(t, b.StackStatsText(), "InReceives"); n != "0" {
			t.Errorf("%s datagrams came through a host that does not forward", n)
		}
	})
}

// A smaller MTU behind the router: what may be is cut up there, the rest is sent
// smaller (RFC 1191).
func TestForwardSmallerMTU(t *testing.T) {
	a, router, b := routed(t, 600)
	l := clone(t, b, wire.UDP)
	command(t, l, "announce 7")
	c := clone(t, a, wire.UDP)
	command(t, c, "connect 10.0.2.2:7")
	want := bytes.Repeat([]byte("0123456789"), 400)
	write(t, c, want)
	if got := read(t, listen(t, l)); !bytes.Equal(got, want) {
		t.Errorf("%d bytes came, or others", len(got))
	}
	if n := counter(t, router.StackStatsText(), "FragOKs"); n != "3" {
		t.Errorf("%s fragments cut up, want 3", n)
	}

	tl, err := b.Listen("tcp", ":7")
	must(t, err)
	defer tl.Close()
	tc, err := a.Dial("tcp", "10.0.2.2:7")
	must(t, err)
	call, err := tl.Accept()
	must(t, err)
	call.SetDeadline(time.Now().Add(patience))
	go func() {
		tc.Write(want)
		tc.Close()
	}()
	var got bytes.Buffer
	if _, err := got.ReadFrom(call); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes of %d came: %v", got.Len(), len(want), err)
	}
	call.Close()
}
