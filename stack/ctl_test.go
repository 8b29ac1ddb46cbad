package stack

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// settings are all that a ctl can change.
func settings(c *Conv) string {
	c.stack.lock()
	defer c.stack.unlock()
	return fmt.Sprintf("phase %d, %v to %v, bound %v, ttl %d tos %d advice %v headers %v rtimeout %v backlog %d keep %v %+v held %d closing %v detached %v",
		c.phase, c.local, c.remote, c.bound, c.ttl, c.tos, c.ignoreAdvice, c.headers, c.readTimeout, c.backlog, c.keep, c.opts, c.held, c.closing, c.detached)
}

// Bad input has its errno and its words, and changes nothing.
func TestBadControl(t *testing.T) {
	a, b := pair(t)
	user := User{UID: 1000}
	l := clone(t, b, wire.TCP)
	command(t, l, "announce 80")
	taken := clone(t, a, wire.TCP)
	command(t, taken, "announce 8080")
	up := clone(t, a, wire.TCP)
	command(t, up, "connect 10.0.0.2:80")
	over := clone(t, a, wire.TCP)
	command(t, over, "hangup")
	idle := map[wire.Proto]*Conv{wire.TCP: clone(t, a, wire.TCP), wire.UDP: clone(t, a, wire.UDP), wire.ICMP: clone(t, a, wire.ICMP)}
	tcp, udp, icmp := idle[wire.TCP], idle[wire.UDP], idle[wire.ICMP]

	for _, test := range []struct {
		c     *Conv
		lines string
		want  *neterr.Error
		errno syscall.Errno
	}{
		{tcp, "", neterr.ShortControl, syscall.EINVAL},
		{tcp, "\n", neterr.ShortControl, syscall.EINVAL},
		{tcp, " \t", neterr.ShortControl, syscall.EINVAL},
		{tcp, "ttl 7\n\nttl 8", neterr.ShortControl, syscall.EINVAL},
		{tcp, "frobnicate", neterr.UnknownControl, syscall.EINVAL},
		{tcp, "CONNECT 10.0.0.2:80", neterr.UnknownControl, syscall.EINVAL},
		{tcp, "connec\xff", neterr.BadArg, syscall.EINVAL},
		{tcp, "hangup\x00", neterr.BadArg, syscall.EINVAL},
		{tcp, strings.Repeat("x", maxLine+1), neterr.BadArg, syscall.EINVAL},
		{tcp, strings.Repeat("hangup\n", maxCtl), neterr.BadArg, syscall.EINVAL},
		{tcp, "connect '10.0.0.2:80", neterr.BadControl, syscall.EINVAL},
		{tcp, "hangup now", neterr.BadControl, syscall.EINVAL},
		{tcp, "close now", neterr.BadControl, syscall.EINVAL},

		{tcp, "connect", neterr.BadConnect, syscall.EINVAL},
		{tcp, "connect 10.0.0.2!80 1 2", neterr.BadConnect, syscall.EINVAL},
		{tcp, "connect 10.0.0.2", neterr.Malformed, syscall.EINVAL},
		{tcp, "connect :80", neterr.Malformed, syscall.EINVAL},
		{tcp, "connect 10.0.0.256:80", neterr.BadAddress, syscall.EINVAL},
		{tcp, "connect 10.0.2:80", neterr.BadAddress, syscall.EINVAL},
		{tcp, "connect 0.0.0.0:80", neterr.BadAddress, syscall.EINVAL},
		{tcp, "connect 224.0.0.1:80", neterr.BadAddress, syscall.EINVAL},
		{tcp, "connect 10.0.0.255:80", neterr.BadAddress, syscall.EINVAL},
		{tcp, "connect 255.255.255.255:80", neterr.BadAddress, syscall.EINVAL},
		{tcp, "connect no.such.host:80", neterr.UnknownName, syscall.EHOSTUNREACH},
		{tcp, "connect 10.0.0.2:0", neterr.BadPort, syscall.EINVAL},
		{tcp, "connect 10.0.0.2:65536", neterr.BadPort, syscall.EINVAL},
		{tcp, "connect 10.0.0.2:99999999999999999999", neterr.BadPort, syscall.EINVAL},
		{tcp, "connect 10.0.0.2:-1", neterr.BadPort, syscall.EINVAL},
		{tcp, "connect 10.0.0.2:", neterr.BadPort, syscall.EINVAL},
		{tcp, "connect 10.0.0.2:nosuchservice", neterr.BadPort, syscall.EINVAL},
		{tcp, "connect 192.0.2.1:80", neterr.NoRoute, syscall.ENETUNREACH},
		{tcp, "connect 10.0.0.2:80 70000", neterr.BadPort, syscall.EINVAL},
		{tcp, "connect 10.0.0.2:80 10.0.0.9!1234", neterr.NotLocal, syscall.EADDRNOTAVAIL},
		{tcp, "connect 10.0.0.2:80 1023", neterr.Permission, syscall.EACCES},
		{tcp, "connect 10.0.0.2!80!r", neterr.Permission, syscall.EACCES},
		{tcp, "connect 10.0.0.2:81", neterr.Refused, syscall.ECONNREFUSED},

		{tcp, "announce", neterr.BadAnnounce, syscall.EINVAL},
		{tcp, "announce 80 81 82", neterr.BadAnnounce, syscall.EINVAL},
		{tcp, "announce 70000", neterr.BadPort, syscall.EINVAL},
		{tcp, "announce 10.0.0.2:8081", neterr.NotLocal, syscall.EADDRNOTAVAIL},
		{tcp, "announce 10.0.0.999:8081", neterr.BadAddress, syscall.EINVAL},
		{tcp, "announce 80", neterr.Permission, syscall.EACCES},
		{tcp, "announce 8080", neterr.AddrInUse, syscall.EADDRINUSE},
		{tcp, "bind", neterr.BadBind, syscall.EINVAL},
		{tcp, "bind 10.0.0.2:8081", neterr.NotLocal, syscall.EADDRNOTAVAIL},
		{tcp, "bind 80", neterr.Permission, syscall.EACCES},

		{tcp, "ttl 0", neterr.BadArg, syscall.EINVAL},
		{tcp, "ttl 256", neterr.BadArg, syscall.EINVAL},
		{tcp, "ttl many", neterr.BadArg, syscall.EINVAL},
		{tcp, "ttl 1 2", neterr.BadControl, syscall.EINVAL},
		{tcp, "tos 256", neterr.BadArg, syscall.EINVAL},
		{tcp, "tos -1", neterr.BadArg, syscall.EINVAL},
		{tcp, "ignoreadvice please", neterr.BadControl, syscall.EINVAL},
		{tcp, "headers", neterr.NotSupported, syscall.EINVAL},
		{tcp, "rtimeout", neterr.BadControl, syscall.EINVAL},
		{tcp, "rtimeout -1", neterr.BadArg, syscall.EINVAL},
		{tcp, "rtimeout 99999999999999999999", neterr.BadArg, syscall.EINVAL},
		{tcp, "rtimeout 9223372036854775807", neterr.BadArg, syscall.EINVAL},
		{tcp, "keep", neterr.BadControl, syscall.EINVAL},
		{tcp, "keep never", neterr.BadArg, syscall.EINVAL},
		{tcp, "keep -5", neterr.BadArg, syscall.EINVAL},
		{tcp, "keep 5 6", neterr.BadControl, syscall.EINVAL},
		{tcp, "backlog 0", neterr.BadArg, syscall.EINVAL},
		{tcp, "backlog 65536", neterr.BadArg, syscall.EINVAL},
		{tcp, "shutdown", neterr.BadArg, syscall.EINVAL},
		{tcp, "shutdown both", neterr.BadArg, syscall.EINVAL},
		{tcp, "shutdown wr", neterr.NotConnected, syscall.EDESTADDRREQ},
		{tcp, "nodelay maybe", neterr.BadArg, syscall.EINVAL},
		{tcp, "cork on off", neterr.BadArg, syscall.EINVAL},
		{tcp, "keepalive soon", neterr.BadArg, syscall.EINVAL},
		{tcp, "keepalive on off", neterr.BadControl, syscall.EINVAL},
		{tcp, "keepidle", neterr.BadControl, syscall.EINVAL},
		{tcp, "keepcnt 0", neterr.BadArg, syscall.EINVAL},
		{tcp, "keepcnt 101", neterr.BadArg, syscall.EINVAL},
		{tcp, "usertimeout x", neterr.BadArg, syscall.EINVAL},
		{tcp, "retries", neterr.BadControl, syscall.EINVAL},
		{tcp, "retries 0", neterr.BadArg, syscall.EINVAL},
		{tcp, "retries 256", neterr.BadArg, syscall.EINVAL},
		{tcp, "retries never", neterr.BadArg, syscall.EINVAL},
		{tcp, "linger", neterr.BadControl, syscall.EINVAL},
		{tcp, "linger on", neterr.BadArg, syscall.EINVAL},
		{tcp, "rcvbuf 1", neterr.BadArg, syscall.EINVAL},
		{tcp, "rcvbuf 8589934592g", neterr.BadArg, syscall.EINVAL},
		{tcp, "sndbuf", neterr.BadArg, syscall.EINVAL},
		{tcp, "mss 10", neterr.BadArg, syscall.EINVAL},
		{tcp, "cc vegas", neterr.BadArg, syscall.EINVAL},
		{tcp, "checksum 0", neterr.BadArg, syscall.EINVAL},

		{udp, "nodelay", neterr.UnknownControl, syscall.EINVAL},
		{udp, "headers 52", neterr.BadControl, syscall.EINVAL},
		{udp, "connect 0.0.0.0:7", neterr.BadAddress, syscall.EINVAL},
		{icmp, "announce 1", neterr.NotSupported, syscall.EINVAL},
		{icmp, "connect 10.0.0.2 x", neterr.BadPort, syscall.EINVAL},

		{taken, "announce 8081", neterr.InUse, syscall.EISCONN},
		{taken, "connect 10.0.0.2:80", neterr.InUse, syscall.EISCONN},
		{up, "connect 10.0.0.2:81", neterr.InUse, syscall.EISCONN},
		{up, "announce 8081", neterr.InUse, syscall.EISCONN},
		{up, "bind 8081", neterr.InUse, syscall.EISCONN},
		{up, "mss 1000", neterr.InUse, syscall.EISCONN},
		{over, "connect 10.0.0.2:80", neterr.Hungup, syscall.EPIPE},
		{over, "ttl 3", neterr.Hungup, syscall.EPIPE},
	} {
		line := clip(test.lines)
		before := settings(test.c)
		op := do(t, a, &Op{Kind: OpCtl, Conv: test.c, User: user, Data: []byte(test.lines)})
		switch {
		case !errors.Is(op.Err, test.want) || neterr.Errno(op.Err) != test.errno:
			t.Errorf("%q: %v (%v), want %v (%v)", line, op.Err, neterr.Errno(op.Err), test.want, test.errno)
		case op.N != 0:
			t.Errorf("%q: %d bytes accepted", line, op.N)
		case !strings.Contains(test.c.ErrText(), test.want.Text):
			t.Errorf("%q: err says %q", line, test.c.ErrText())
		case !strings.HasSuffix(strings.TrimSuffix(test.c.ErrText(), "\n"), op.Err.Error()):
			t.Errorf("%q: err says %q, the error %q", line, test.c.ErrText(), op.Err)
		}
		if after := settings(test.c); after != before {
			t.Errorf("%q changed\n%s to\n%s", line, before, after)
		}
	}
	if n := len(a.Convs(wire.TCP, -1, 100)); n != 4 {
		t.Errorf("%d conversations of tcp, want 4", n)
	}
}

// The first line that fails stops; the ones before it hold, and err names it.
func TestControlStopsAtFailure(t *testing.T) {
	s := newHost(t, Config{})
	c := clone(t, s, wire.TCP)
	if err := ctl(t, c, "ttl 7\ntos 300\nttl 9"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("%v, want EINVAL", err)
	}
	if c.ttl != 7 || c.tos != 0 || !strings.HasPrefix(c.ErrText(), "tos 300: ") {
		t.Errorf("ttl %d tos %d err %q", c.ttl, c.tos, c.ErrText())
	}
}

// What a shell may write, in its forms.
func TestControlForms(t *testing.T) {
	s := newHost(t, Config{})
	for _, form := range []string{"127.0.0.1:8080", "127.0.0.1!8080", "127.0.0.1 8080", "'127.0.0.1!8080'", ":8080", "*!8080", "8080", "* 8080", "http-alt", "127.0.0.1!http-alt"} {
		c := clone(t, s, wire.TCP)
		command(t, c, "announce "+form+"\r\n")
		if p := c.Info().Local.Port(); p != 8080 {
			t.Errorf("announce %s: port %d", form, p)
		}
		c.Drop()
	}
	_, err := s.Listen("tcp", ":80")
	must(t, err)
	for _, form := range []string{"127.0.0.1:80", "127.0.0.1!80", "127.0.0.1 80", "127.0.0.1!http", "127.0.0.1:80 40000", "127.0.0.1 80 40001", "127.0.0.1!80!r"} {
		c := clone(t, s, wire.TCP)
		command(t, c, "connect "+form)
		if got := c.RemoteText(); got != "127.0.0.1!80\n" {
			t.Errorf("connect %s: to %q", form, got)
		}
		if p := c.Info().Local.Port(); strings.HasSuffix(form, "!r") && (p < 600 || p > 1023) {
			t.Errorf("a reserved port of %d", p)
		}
		c.Drop()
	}
	for _, form := range []string{"ttl", "ttl 9", "ttl 0x9", "tos 16", "keep 5m", "keep forever", "linger 1", "linger off", "rcvbuf 64k", "nodelay", "nodelay off", "keepalive 30000", "keepalive", "keepalive off", "cc newreno", "checksum 1", "accept", "bind 8081"} {
		c := clone(t, s, wire.TCP)
		command(t, c, form)
		command(t, c, form) // dash sends a whole write again after a signal
		c.Drop()
	}
}

// The files of the stack have the same manners.
func TestBadStackControl(t *testing.T) {
	a, _ := pair(t)
	greet(t, a, "10.0.0.2")
	all := func() string {
		return a.CtlText() + a.RouteText() + a.SelfText() + a.Iface(1).LocalText() + fmt.Sprint(a.Ifaces(), strings.Fields(a.ARPText())[:4])
	}
	route := func(line string) error { return a.WriteRoute(line, new(string)) }
	ifc := a.Iface(1).Ctl
	for _, test := range []struct {
		file  func(string) error
		line  string
		errno syscall.Errno
	}{
		{a.WriteCtl, "", syscall.EINVAL},
		{a.WriteCtl, "tcp.nosuchknob 1", syscall.EINVAL},
		{a.WriteCtl, "tcp.rcvbuf", syscall.EINVAL},
		{a.WriteCtl, "tcp.rcvbuf 1", syscall.EINVAL},
		{a.WriteCtl, "tcp.rcvbuf 1 2", syscall.EINVAL},
		{a.WriteCtl, "tcp.rcvbuf 99999999999g", syscall.EINVAL},
		{a.WriteCtl, "tcp.rto.min -1s", syscall.EINVAL},
		{a.WriteCtl, "tcp.cc reno", syscall.EINVAL},
		{a.WriteCtl, "tcp.sack perhaps", syscall.EINVAL},
		{a.WriteCtl, "ip.ttl 0", syscall.EINVAL},
		{a.WriteCtl, "ip.portrange 5", syscall.EINVAL},
		{a.WriteCtl, "ip.portrange 9-5", syscall.EINVAL},
		{a.WriteCtl, "ip.portrange 0-70000", syscall.EINVAL},
		{a.WriteCtl, "ip.unprivileged 65537", syscall.EINVAL},
		{a.WriteCtl, "reset now", syscall.EINVAL},
		{a.WriteARP, "", syscall.EINVAL},
		{a.WriteARP, "add", syscall.EINVAL},
		{a.WriteARP, "add 10.0.0.9", syscall.EINVAL},
		{a.WriteARP, "add 10.0.0.9 xx", syscall.EINVAL},
		{a.WriteARP, "add x 020000000001", syscall.EINVAL},
		{a.WriteARP, "add 192.0.2.1 020000000001", syscall.ENODEV},
		{a.WriteARP, "del 10.0.0.99", syscall.ENOENT},
		{a.WriteARP, "shuffle", syscall.EINVAL},
		{route, "", syscall.EINVAL},
		{route, "add", syscall.EINVAL},
		{route, "add 10.9.0.0 /33 10.0.0.2", syscall.EINVAL},
		{route, "add 10.9.0.0 /24 nowhere", syscall.EINVAL},
		{route, "add nowhere /24 10.0.0.2", syscall.EINVAL},
		{route, "forget 10.0.0.0", syscall.EINVAL},
		{ifc, "", syscall.EINVAL},
		{ifc, "add", syscall.EINVAL},
		{ifc, "add 10.0.0.1/24", syscall.EADDRINUSE},
		{ifc, "add 10.0.0.5/33", syscall.EINVAL},
		{ifc, "add 224.0.0.1/24", syscall.EINVAL},
		{ifc, "add 0.0.0.0/24", syscall.EINVAL},
		{ifc, "add ten/8", syscall.EINVAL},
		{ifc, "remove 10.0.0.9/24", syscall.EADDRNOTAVAIL},
		{ifc, "mtu 10", syscall.EINVAL},
		{ifc, "mtu 9000", syscall.EINVAL},
		{ifc, "up now", syscall.EINVAL},
		{ifc, "bind ether tap:x", syscall.EBUSY},
		{ifc, "unbind everything", syscall.EINVAL},
		{ifc, "dance", syscall.EINVAL},
		{a.Iface(0).Ctl, "unbind", syscall.EACCES},
	} {
		before := all()
		err := test.file(test.line)
		if neterr.Errno(err) != test.errno {
			t.Errorf("%q: %v (%v), want %v", test.line, err, neterr.Errno(err), test.errno)
		}
		if after := all(); after != before {
			t.Errorf("%q changed\n%s to\n%s", test.line, before, after)
		}
		if err != nil && !strings.Contains(a.LogText(), err.Error()) {
			t.Errorf("%q: the log does not say %q", test.line, err)
		}
	}
}
