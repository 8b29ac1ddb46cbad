package stack

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// A scene is two hosts, a and b, and what a test of why makes of them.
type scene struct {
	*testing.T
	a, b *Stack
	l    *Conv // of b, at 80
}

// up is a connection from a to b: both ends, open.
func (s *scene) up() (c, peer *Conv) {
	s.Helper()
	c = clone(s, s.a, wire.TCP)
	command(s, c, "connect 10.0.0.2:80 1000")
	return c, listen(s, s.l)
}

// left is a conversation that stays without handles.
func (s *scene) left(st *Stack, lines string) *Conv {
	s.Helper()
	c, err := st.Clone(wire.TCP, User{}, true)
	must(s, err)
	command(s, c, lines)
	c.Drop()
	return c
}

// cut takes b off the cable.
func (s *scene) cut() { must(s, s.b.Iface(1).Ctl("down")) }

func (s *scene) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// begin starts what is not to end.
func (s *scene) begin(c *Conv, kind OpKind, text []byte) {
	start(c.stack, &Op{Kind: kind, Conv: c, Data: text})
	synctest.Wait()
}

// call is a connect that is not waited for.
func (s *scene) call(line string) *Conv {
	c := clone(s, s.a, wire.TCP)
	s.begin(c, OpCtl, []byte(line))
	return c
}

var big = make([]byte, 4<<20)

// Every sentence, in the situation that it is about.
var situations = []struct {
	name string
	want string
	make func(s *scene) *Conv
}{
	{"new", "Closed for 5s: nobody has written connect or announce to its ctl yet", func(s *scene) *Conv {
		c := clone(s, s.a, wire.TCP)
		s.pass(5 * time.Second)
		return c
	}},
	{"new and left", "Closed for 0s: nobody has written connect or announce to its ctl yet; nobody has it open, and it will be closed in 1m", func(s *scene) *Conv { return s.left(s.a, "keepalive") }},
	{"named", "Closed for 0s: nobody has written connect or announce to its ctl yet; nobody has it open, and it stays until rmdir", func(s *scene) *Conv {
		c, err := s.a.Mkdir(wire.TCP, "web", User{})
		must(s, err)
		return c
	}},
	{"refused", "Closed for 1m: the last connect failed: connection refused; it can be tried again", func(s *scene) *Conv {
		c := clone(s, s.a, wire.TCP)
		ctl(s, c, "connect 10.0.0.2:81")
		s.pass(time.Minute)
		return c
	}},
	{"no route to call", "Closed for 0s: nobody has connected or announced it yet; the last command failed: connect 10.9.0.1:80: no route: to 10.9.0.1: add one to iproute", func(s *scene) *Conv {
		c := clone(s, s.a, wire.TCP)
		if err := ctl(s, c, "connect 10.9.0.1:80"); err == nil {
			s.Error("there is a route")
		}
		return c
	}},
	{"timed out", "Closed for 55m: the last connect failed: connection timed out; it can be tried again", func(s *scene) *Conv {
		must(s, s.a.WriteARP("add 10.0.0.2 "+s.b.Iface(1).mac.String()))
		s.cut()
		c := s.call("connect 10.0.0.2:80")
		s.pass(time.Hour)
		return c
	}},
	{"no neighbour", "Closed for 0s: the last connect failed: host unreachable: neighbour 10.0.0.77 does not answer; it can be tried again", func(s *scene) *Conv {
		c := clone(s, s.a, wire.TCP)
		ctl(s, c, "connect 10.0.0.77:80")
		return c
	}},
	{"a name is looked up", "Closed for 2s: looking up the address of slow.example, without an answer yet", func(s *scene) *Conv {
		c := s.call("connect slow.example:80")
		s.pass(2 * time.Second)
		return c
	}},
	{"the name servers are silent", "Closed for 0s: the last connect failed: no answer from the name servers: \"silent.example\"; it can be tried again", func(s *scene) *Conv { return s.call("connect silent.example:80") }},
	{"a ping of a name that is looked up", "Datagram for 2s: looking up the address of slow.example, without an answer yet", func(s *scene) *Conv {
		c := clone(s, s.a, wire.ICMP)
		s.begin(c, OpCtl, []byte("connect slow.example"))
		s.pass(2 * time.Second)
		return c
	}},
	{"a name is not known", "Closed for 0s: the last connect failed: no such host name: \"nobody.example\"; it can be tried again", func(s *scene) *Conv { return s.call("connect nobody.example:80") }},
	{"calling", "Syn_sent for 0s: calling 10.0.0.2!80, 1 try without an answer", func(s *scene) *Conv {
		must(s, s.a.WriteARP("add 10.0.0.2 "+s.b.Iface(1).mac.String()))
		s.cut()
		return s.call("connect 10.0.0.2:80")
	}},
	{"calling again", "Syn_sent for 8s: calling 10.0.0.2!80, 4 tries without an answer", func(s *scene) *Conv {
		must(s, s.a.WriteARP("add 10.0.0.2 "+s.b.Iface(1).mac.String()))
		s.cut()
		c := s.call("connect 10.0.0.2:80")
		s.pass(8 * time.Second)
		return c
	}},
	{"calling nobody", "Syn_sent for 0s: calling 10.0.0.77!80, 1 try without an answer; nobody on the cable answers for 10.0.0.77", func(s *scene) *Conv { return s.call("connect 10.0.0.77:80") }},
	{"calling, interface down", "Syn_sent for 0s: calling 10.0.0.77!80, 1 try without an answer; interface is down: ipifc/1", func(s *scene) *Conv {
		c := s.call("connect 10.0.0.77:80")
		must(s, s.a.Iface(1).Ctl("down"))
		return c
	}},
	{"called by somebody who is gone", "Syn_received for 4s: 10.0.0.3!1000 has called and has not confirmed our answer yet, which was sent 3 times", func(s *scene) *Conv {
		must(s, s.b.WriteARP("add 10.0.0.1 "+s.a.Iface(1).mac.String()))
		s.silentCall()
		s.pass(4 * time.Second)
		return s.b.Conv(wire.TCP, 1)
	}},
	{"listening", "Listen for 0s: announced at ::!80, no call yet, and nobody waits for one", func(s *scene) *Conv { return s.l }},
	{"listening with somebody there", "Listen for 0s: announced at ::!80, waiting for a call", func(s *scene) *Conv {
		start(s.b, &Op{Kind: OpListen, Conv: s.l})
		return s.l
	}},
	{"listening and left", "Listen for 0s: announced at ::!81, no call yet, and nobody waits for one; nobody has it open, and it will be closed in 1h0m", func(s *scene) *Conv { return s.left(s.b, "announce 81") }},
	{"a call in the queue", "Listen for 0s: announced at ::!80, 1 call waits for somebody to open listen", func(s *scene) *Conv {
		s.call("connect 10.0.0.2:80")
		return s.l
	}},
	{"the queued call itself", "Established for 2s: up with 10.0.0.1!1000; it waits in the listener's queue for somebody to take it", func(s *scene) *Conv {
		s.call("connect 10.0.0.2:80 1000")
		s.pass(2 * time.Second)
		return s.b.Conv(wire.TCP, 1)
	}},
	{"a full backlog", "Listen for 0s: announced at ::!80, 2 calls wait for somebody to open listen; the backlog of 2 is full, new calls are not answered", func(s *scene) *Conv {
		command(s, s.l, "backlog 2")
		for range 3 {
			s.call("connect 10.0.0.2:80")
		}
		return s.l
	}},
	{"a backlog full of handshakes", "Listen for 0s: announced at ::!80, no call yet, and nobody waits for one; 1 caller has not confirmed our answer yet, as many as the backlog: new ones get a cookie, and are forgotten until it comes back", func(s *scene) *Conv {
		must(s, s.b.WriteARP("add 10.0.0.1 "+s.a.Iface(1).mac.String()))
		command(s, s.l, "backlog 1")
		s.silentCall()
		return s.l
	}},
	{"the same without cookies", "Listen for 0s: announced at ::!80, no call yet, and nobody waits for one; 1 caller has not confirmed our answer yet, as many as the backlog: each new one takes the place of the oldest", func(s *scene) *Conv {
		must(s, s.b.WriteARP("add 10.0.0.1 "+s.a.Iface(1).mac.String()))
		must(s, s.b.WriteCtl("tcp.syncookies off"))
		command(s, s.l, "backlog 1")
		s.silentCall()
		return s.l
	}},
	{"a listener that took calls and was left", "Listen for 0s: announced at ::!81, no call yet, and nobody waits for one; nobody has it open, and it stays for the 1 call that it took", func(s *scene) *Conv {
		l := s.left(s.b, "announce 81")
		s.call("connect 10.0.0.2:81")
		listen(s, l)
		return l
	}},
	{"up", "Established for 8ms: up with 10.0.0.2!80", func(s *scene) *Conv {
		c, _ := s.up()
		s.pass(8 * time.Millisecond)
		return c
	}},
	{"up and left", "Established for 1m: up with 10.0.0.2!80; nobody has it open, and it will be closed in 58m", func(s *scene) *Conv {
		c := s.left(s.a, "connect 10.0.0.2:80")
		s.pass(90 * time.Second)
		return c
	}},
	{"kept for ever", "Established for 0s: up with 10.0.0.2!80; nobody has it open, and it is kept for ever", func(s *scene) *Conv { return s.left(s.a, "connect 10.0.0.2:80\nkeep forever") }},
	{"unread", "Established for 1h0m: up with 10.0.0.2!80, 5 bytes are unread", func(s *scene) *Conv {
		c, peer := s.up()
		write(s, peer, []byte("hello"))
		s.pass(time.Hour)
		return c
	}},
	{"one byte unread", "Established for 0s: up with 10.0.0.2!80, 1 byte is unread", func(s *scene) *Conv {
		c, peer := s.up()
		write(s, peer, []byte("h"))
		synctest.Wait()
		return c
	}},
	{"our window is shut", "Established for 1m: up with 10.0.0.2!80, 262344 bytes are unread and the peer may send no more until somebody reads", func(s *scene) *Conv {
		c, peer := s.up()
		s.begin(peer, OpWrite, big)
		s.pass(time.Minute)
		return c
	}},
	{"the peer's window is shut", "Established for 1m: up with 10.0.0.2!80; 1048576 bytes wait for the peer to read: it has shut its window 59s ago", func(s *scene) *Conv {
		c, _ := s.up()
		s.begin(c, OpWrite, big)
		s.pass(time.Minute)
		return c
	}},
	{"sent", "Established for 0s: up with 10.0.0.2!80; 5 bytes are sent and not yet acknowledged", func(s *scene) *Conv {
		c, _ := s.up()
		s.cut()
		s.begin(c, OpWrite, []byte("hello"))
		return c
	}},
	{"held back by Nagle", "Established for 0s: up with 10.0.0.2!80; 5 bytes wait until what was sent is acknowledged (nodelay sends them at once)", func(s *scene) *Conv {
		c, _ := s.up()
		s.cut()
		s.begin(c, OpWrite, []byte("hello"))
		s.begin(c, OpWrite, []byte("again"))
		return c
	}},
	{"corked", "Established for 0s: up with 10.0.0.2!80; 5 bytes wait for more, as cork is on", func(s *scene) *Conv {
		c, _ := s.up()
		command(s, c, "cork")
		s.begin(c, OpWrite, []byte("hello"))
		return c
	}},
	{"congested", "Established for 0s: up with 10.0.0.2!80; sending as fast as the network seems to take it (cwnd 14600), 131072 bytes queued", func(s *scene) *Conv {
		c, _ := s.up()
		s.cut()
		s.begin(c, OpWrite, big[:1<<17])
		return c
	}},
	{"retransmitting", "Established for 10s: up with 10.0.0.2!80; retransmitting for 9s, 5 times without an answer from the peer; nobody on the cable answers for 10.0.0.2", func(s *scene) *Conv {
		c, _ := s.up()
		s.cut()
		s.begin(c, OpWrite, []byte("hello"))
		s.pass(10 * time.Second)
		return c
	}},
	{"the neighbour falls silent", "Established for 100ms: up with 10.0.0.2!80; nobody on the cable answers for 10.0.0.2", func(s *scene) *Conv {
		c, _ := s.up()
		s.cut()
		must(s, s.a.WriteARP("flush"))
		s.begin(c, OpWrite, []byte("hello"))
		s.pass(100 * time.Millisecond)
		return c
	}},
	{"the route goes", "Established for 0s: up with 10.0.0.2!80; no route: to 10.0.0.2: add one to iproute", func(s *scene) *Conv {
		c, _ := s.up()
		must(s, s.a.Iface(1).Ctl("remove 10.0.0.1/24"))
		s.begin(c, OpWrite, []byte("hello"))
		return c
	}},
	{"the route has gone for long", "Established for 10s: up with 10.0.0.2!80; retransmitting for 9s, 5 times without an answer from the peer; no route: to 10.0.0.2: add one to iproute", func(s *scene) *Conv {
		c, _ := s.up()
		must(s, s.a.Iface(1).Ctl("remove 10.0.0.1/24"))
		s.begin(c, OpWrite, []byte("hello"))
		s.pass(10 * time.Second)
		return c
	}},
	{"keep-alives without an answer", "Established for 1m: up with 10.0.0.2!80; 3 keep-alive probes are without an answer, it was last heard 1m ago", func(s *scene) *Conv {
		c, _ := s.up()
		command(s, c, "keepalive 60000\nkeepintvl 10\nkeepcnt 9")
		must(s, s.a.WriteARP("add 10.0.0.2 "+s.b.Iface(1).mac.String()))
		s.cut()
		s.pass(85 * time.Second)
		return c
	}},
	{"given up after keep-alives", "Closed for 40s: it ended: connection timed out", func(s *scene) *Conv {
		c, _ := s.up()
		command(s, c, "keepalive 60000\nkeepintvl 10\nkeepcnt 2")
		must(s, s.a.WriteARP("add 10.0.0.2 "+s.b.Iface(1).mac.String()))
		s.cut()
		s.pass(2 * time.Minute)
		return c
	}},
	{"given up", "Closed for 34s: it ended: connection timed out", func(s *scene) *Conv {
		c, _ := s.up()
		command(s, c, "usertimeout 20000")
		must(s, s.a.WriteARP("add 10.0.0.2 "+s.b.Iface(1).mac.String()))
		s.cut()
		s.begin(c, OpWrite, []byte("hello"))
		s.pass(time.Minute)
		return c
	}},
	{"reset", "Closed for 3s: it ended: connection reset", func(s *scene) *Conv {
		c, peer := s.up()
		command(s, peer, "hangup")
		s.pass(3 * time.Second)
		return c
	}},
	{"reset with bytes unread", "Closed for 0s: it ended: connection reset, 5 bytes are unread", func(s *scene) *Conv {
		c, peer := s.up()
		write(s, peer, []byte("hello"))
		synctest.Wait()
		command(s, peer, "hangup")
		synctest.Wait()
		return c
	}},
	{"hung up", "Closed for 0s: it ended: connection hung up", func(s *scene) *Conv {
		c, _ := s.up()
		command(s, c, "hangup")
		return c
	}},
	{"the peer has closed", "Close_wait for 14m: the peer has closed and waits for us to close", func(s *scene) *Conv {
		c, peer := s.up()
		command(s, peer, "close")
		s.pass(14 * time.Minute)
		return c
	}},
	{"the peer has closed and nobody reads", "Close_wait for 2m: the peer has closed and waits for us to close, 2048 bytes are unread; nobody has it open, and it will be closed in 8m", func(s *scene) *Conv {
		c := s.left(s.a, "connect 10.0.0.2:80")
		peer := listen(s, s.l)
		write(s, peer, make([]byte, 2048))
		command(s, peer, "shutdown wr")
		s.pass(2 * time.Minute)
		return c
	}},
	{"the peer has closed and nothing is left to read", "Close_wait for 20s: the peer has closed and waits for us to close; nobody has it open, and it will be closed in 40s", func(s *scene) *Conv {
		c := s.left(s.a, "connect 10.0.0.2:80")
		command(s, listen(s, s.l), "shutdown wr")
		s.pass(20 * time.Second)
		return c
	}},
	{"the peer has closed and is gone", "Close_wait for 3s: the peer has closed and waits for us to close; retransmitting for 2s, 4 times without an answer from the peer", func(s *scene) *Conv {
		c, peer := s.up()
		command(s, peer, "shutdown wr")
		synctest.Wait()
		s.cut()
		s.begin(c, OpWrite, []byte("hello"))
		s.pass(3 * time.Second)
		return c
	}},
	{"closed, not acknowledged", "Finwait1 for 0s: we have closed, the peer has not acknowledged our end yet; 5 bytes are sent and not yet acknowledged", func(s *scene) *Conv {
		c, _ := s.up()
		s.cut()
		s.begin(c, OpWrite, []byte("hello"))
		command(s, c, "close")
		return c
	}},
	{"closed, never acknowledged", "Finwait1 for 5s: we have closed, the peer has not acknowledged our end yet; retransmitting for 4s, 4 times without an answer from the peer", func(s *scene) *Conv {
		c, _ := s.up()
		s.cut()
		command(s, c, "close")
		s.pass(5 * time.Second)
		return c
	}},
	{"closed before a shut window", "Finwait1 for 59s: we have closed, the peer has not acknowledged our end yet; 1048576 bytes wait for the peer to read: it has shut its window 59s ago", func(s *scene) *Conv {
		c, _ := s.up()
		s.begin(c, OpWrite, big)
		s.pass(time.Second)
		command(s, c, "close")
		s.pass(59 * time.Second)
		return c
	}},
	{"closed, acknowledged", "Finwait2 for 1s: we have closed, the peer has seen it and may still send", func(s *scene) *Conv {
		c, _ := s.up()
		command(s, c, "shutdown wr")
		s.pass(time.Second)
		return c
	}},
	{"closed for good, acknowledged", "Finwait2 for 1s: we have closed, the peer has seen it and may still send; it is given up in 59s", func(s *scene) *Conv {
		c, _ := s.up()
		command(s, c, "close")
		s.pass(time.Second)
		return c
	}},
	{"closed for writing, bytes unread", "Finwait2 for 0s: we have closed, the peer has seen it and may still send, 5 bytes are unread", func(s *scene) *Conv {
		c, peer := s.up()
		command(s, c, "shutdown wr")
		write(s, peer, []byte("hello"))
		synctest.Wait()
		return c
	}},
	{"both have closed at once", "Closing for 0s: both ends have closed at once, the peer has not acknowledged our end yet", func(s *scene) *Conv {
		c, peer := s.up()
		must(s, s.a.Iface(1).Ctl("impair out loss 100%")) // our FIN is lost, and so is what we say to the peer's
		command(s, c, "close")
		command(s, peer, "close")
		synctest.Wait()
		return c
	}},
	{"both have closed, not acknowledged", "Last_ack for 0s: both ends have closed, the peer has not acknowledged our end yet", func(s *scene) *Conv {
		c, peer := s.up()
		command(s, peer, "close")
		synctest.Wait()
		s.cut()
		command(s, c, "close")
		return c
	}},
	{"time-wait", "Time_wait for 3s: both ends have closed; the number is kept for another 57s so that late segments cannot hit a new connection", func(s *scene) *Conv {
		c, peer := s.up()
		command(s, c, "close")
		synctest.Wait()
		command(s, peer, "close")
		s.pass(3 * time.Second)
		return c
	}},
	{"only the record of time-wait", "Time_wait for 3s: both ends have closed; the number is kept for another 57s so that late segments cannot hit a new connection; only this record is left", func(s *scene) *Conv {
		c, peer := s.up()
		command(s, c, "close")
		synctest.Wait()
		command(s, peer, "close")
		s.pass(3 * time.Second)
		c.Drop()
		return c
	}},
	{"closed and over", "Closed for 3s: it was closed", func(s *scene) *Conv {
		c, peer := s.up()
		command(s, c, "close")
		synctest.Wait()
		command(s, peer, "close")
		s.pass(3 * time.Second)
		return peer
	}},
	{"udp", "Open for 0s: connected to 10.0.0.2!53", func(s *scene) *Conv {
		c := clone(s, s.a, wire.UDP)
		command(s, c, "connect 10.0.0.2:53")
		return c
	}},
	{"udp without a route", "Open for 0s: connected to 10.0.0.2!53; no route: to 10.0.0.2: add one to iproute", func(s *scene) *Conv {
		c := clone(s, s.a, wire.UDP)
		command(s, c, "connect 10.0.0.2:53")
		must(s, s.a.Iface(1).Ctl("remove 10.0.0.1/24"))
		return c
	}},
	{"udp refused", "Closed for 0s: it ended: port unreachable: says 10.0.0.2", func(s *scene) *Conv {
		c := clone(s, s.a, wire.UDP)
		command(s, c, "connect 10.0.0.2:53")
		write(s, c, []byte("query"))
		synctest.Wait()
		return c
	}},
	{"udp unread", "Open for 0s: connected to 10.0.0.1!5353, 2 datagrams are unread", func(s *scene) *Conv {
		c, peer := clone(s, s.a, wire.UDP), clone(s, s.b, wire.UDP)
		command(s, c, "connect 10.0.0.2:53 5353")
		command(s, peer, "connect 10.0.0.1:5353 53")
		write(s, c, []byte("query"))
		write(s, c, []byte("again"))
		synctest.Wait()
		return peer
	}},
	{"udp listening", "Open for 0s: announced at ::!53, no call yet, and nobody waits for one", func(s *scene) *Conv {
		l := clone(s, s.b, wire.UDP)
		command(s, l, "announce 53")
		return l
	}},
	{"udp call in the queue", "Open for 0s: connected to 10.0.0.1!5353, 1 datagram is unread; it waits in the listener's queue for somebody to take it", func(s *scene) *Conv {
		l, c := clone(s, s.b, wire.UDP), clone(s, s.a, wire.UDP)
		command(s, l, "announce 53")
		command(s, c, "connect 10.0.0.2:53 5353")
		write(s, c, []byte("query"))
		synctest.Wait()
		return s.b.Conv(wire.UDP, 1)
	}},
	{"udp with headers", "Open for 0s: announced at ::!53: datagrams from everybody are read from data, each behind 52 bytes of addresses", func(s *scene) *Conv {
		l := clone(s, s.b, wire.UDP)
		command(s, l, "headers\nannounce 53")
		return l
	}},
	{"icmp", "Datagram for 0s: connected to 10.0.0.2", func(s *scene) *Conv {
		c := clone(s, s.a, wire.ICMP)
		command(s, c, "connect 10.0.0.2")
		return c
	}},
	{"ping", "Datagram for 0s: pinging 10.0.0.2 once a second", func(s *scene) *Conv {
		op := do(s, s.a, &Op{Kind: OpDial, Proto: wire.ICMP, Addr: "10.0.0.2"})
		must(s, op.Err)
		return op.Call
	}},
}

// silentCall is a SYN of somebody who says no more.
func (s *scene) silentCall() {
	must(s, s.a.Iface(1).Ctl("add 10.0.0.3/24"))
	c := clone(s, s.a, wire.TCP)
	command(s, c, "bind 10.0.0.3!1000")
	must(s, s.b.WriteARP("add 10.0.0.3 02:00:00:00:00:99"))
	s.begin(c, OpCtl, []byte("connect 10.0.0.2:80"))
	must(s, s.a.Iface(1).Ctl("down"))
}

// slowNames knows nobody; for slow.example it takes its time, and for silent.example
// too much of it.
var slowNames = resolver(func(ctx context.Context, name string) ([]netip.Addr, error) {
	switch name {
	case "slow.example":
		<-ctx.Done()
	case "silent.example":
		return nil, neterr.NameTimeout.With("%q", name)
	}
	return nil, neterr.UnknownName.With("%q", name)
})

func TestWhy(t *testing.T) {
	for _, x := range situations {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newHost(t, Config{Names: slowNames}), newHost(t, Config{})
				join(t, a, "10.0.0.1/24", b, "10.0.0.2/24", nic.Options{})
				s := &scene{t, a, b, clone(t, b, wire.TCP)}
				command(t, s.l, "announce 80")
				c := x.make(s)
				got := strings.TrimSuffix(c.WhyText(), "\n")
				if r, ok := c.stack.Record(c.proto.num, c.num); ok {
					got = r.Why
				}
				if got != x.want {
					t.Errorf("%q, want %q", got, x.want)
				}
			})
		})
	}
}
