package stack

// The rows of RFC 1122 §3.2.2, ICMP; test/requirements/rfc1122.rows tells them.

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// Types that nobody knows are dropped, silently.
func TestRFC1122_ICMP_01(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		for n, typ := range []uint8{1, 2, 6, 7, 9, 10, 30, 40, 41, 255} {
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(typ, 0, 0, []byte("x")))
			st.none(fmt.Sprintf("type %d", typ))
			if got := drops(t, st.iface, "unknown icmp type"); got != fmt.Sprint(n+1) {
				t.Errorf("type %d: %s dropped, want %d", typ, got, n+1)
			}
		}
	})
}

// An error quotes the datagram as it came, and as much of it as fits in 576 bytes.
func TestRFC1122_ICMP_02(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		for _, n := range []int{0, 100, 1000} {
			sent := st.udp("10.0.0.2", 9, strings.Repeat("q", n))
			d := st.one()
			d.isError(t, wire.ICMPUnreachable, wire.ICMPPortUnreachable, sent)
			if got, want := len(d.header)+len(d.payload), min(576, 28+len(sent)); got != want {
				t.Errorf("about %d bytes: the error has %d, want %d", len(sent), got, want)
			}
		}
	})
}

// An error reaches whom it is about, by the quoted protocol, addresses and ports,
// and nobody else.
func TestRFC1122_ICMP_03(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		about, other := clone(t, s, wire.UDP), clone(t, s, wire.UDP)
		command(t, other, "connect 10.0.0.1:8 5000")
		command(t, about, "connect 10.0.0.1:7 5000")
		write(t, about, []byte("x"))
		d := st.one()
		quote := append(slices.Clone(d.header), d.payload...)
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(wire.ICMPUnreachable, wire.ICMPPortUnreachable, 0, quote))
		if op := do(t, s, &Op{Kind: OpRead, Conv: about, Max: 1}); !errors.Is(op.Err, syscall.ECONNREFUSED) {
			t.Errorf("whom it is about reads: %v", op.Err)
		}
		if op := do(t, s, &Op{Kind: OpRead, Conv: other, Max: 1, NonBlock: true}); !errors.Is(op.Err, syscall.EAGAIN) {
			t.Errorf("another reads: %v", op.Err)
		}
	})
}

// A host's errors have a type of service of zero.
func TestRFC1122_ICMP_04(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP, TOS: 0xb8}, udpDatagram(st.ip, addr("10.0.0.2"), 1000, 9, "x"))
		if d := st.one(); d.ip.TOS != 0 {
			t.Errorf("type of service %d", d.ip.TOS)
		}
	})
}

// No error about an error, a broadcast, a multicast, a fragment that is not the
// first, or a source that is not one host.
func TestRFC1122_ICMP_05(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		us := addr("10.0.0.2")
		unknown := wire.IP{Dst: us, Proto: 200}
		quote := st.datagram(wire.IP{Src: us, Dst: st.ip, Proto: wire.UDP, TTL: 9}, make([]byte, 8))
		for _, typ := range []uint8{wire.ICMPUnreachable, wire.ICMPTimeExceeded, wire.ICMPParameterProblem, wire.ICMPSourceQuench, wire.ICMPRedirect} {
			st.send(wire.IP{Dst: us, Proto: wire.ICMP, Options: []byte{7, 2}}, icmpMessage(typ, 0, 0, quote))
			st.none(fmt.Sprintf("about an error of type %d", typ))
		}
		for _, group := range []string{"10.0.0.255", "10.0.0.0", "255.255.255.255", "224.0.0.1"} {
			mac := wire.Broadcast
			if addr(group).IsMulticast() {
				mac = wire.MulticastMAC(addr(group))
			}
			st.toGroup(mac, wire.IP{Dst: addr(group), Proto: 200}, []byte("x"))
			st.toGroup(mac, wire.IP{Dst: addr(group), Proto: wire.UDP}, udpDatagram(st.ip, addr(group), 1000, 9, "x"))
			st.none("about a datagram to " + group)
		}
		st.toGroup(wire.Broadcast, unknown, []byte("x"))
		st.none("about a broadcast of the link")
		part := unknown
		part.Offset, part.More = 8, true
		st.send(part, make([]byte, 8))
		time.Sleep(3 * time.Minute)
		st.none("about a fragment that is not the first")
		for _, src := range []string{"0.0.0.0", "127.0.0.1", "10.0.0.255", "224.0.0.5", "250.0.0.1"} {
			from := unknown
			from.Src = addr(src)
			st.send(from, []byte("x"))
			st.none("about a datagram from " + src)
		}
		st.send(unknown, []byte("x"))
		st.one() // and otherwise they are sent
	})
}

// Whatever else cannot be delivered draws its error.
func TestRFC1122_ICMP_06(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		us := addr("10.0.0.2")
		st.udp("10.0.0.2", 9, "x")
		st.one().isError(t, wire.ICMPUnreachable, wire.ICMPPortUnreachable, st.datagram(wire.IP{Dst: us, Proto: wire.UDP, TTL: 9}, udpDatagram(st.ip, us, 1000, 9, "x")))
		sent := st.datagram(wire.IP{Dst: us, Proto: 200, TTL: 9}, []byte("12345678"))
		st.raw(sent)
		st.one().isError(t, wire.ICMPUnreachable, wire.ICMPProtocolUnreachable, sent)
		sent = st.datagram(wire.IP{Dst: us, Proto: wire.ICMP, TTL: 9, Options: []byte{7, 7, 3, 0, 0, 0, 0}}, ping("x"))
		st.raw(sent)
		if h := st.one().isError(t, wire.ICMPParameterProblem, 0, sent); h.Rest>>24 != 22 {
			t.Errorf("it points at %d, want 22", h.Rest>>24)
		}
	})
}

// Unreachables are passed up, as what they are: a hint. A connection of TCP lives
// on.
func TestRFC1122_ICMP_07(t *testing.T) {
	for code, want := range map[uint8]error{
		wire.ICMPNetUnreachable: syscall.ENETUNREACH, wire.ICMPHostUnreachable: syscall.EHOSTUNREACH,
		wire.ICMPProtocolUnreachable: syscall.ENOPROTOOPT, wire.ICMPPortUnreachable: syscall.ECONNREFUSED,
		wire.ICMPSourceRouteFailed: syscall.EHOSTUNREACH, wire.ICMPProhibited: syscall.EHOSTUNREACH,
	} {
		synctest.Test(t, func(t *testing.T) {
			s, st := newSite(t)
			c := clone(t, s, wire.UDP)
			command(t, c, "connect 10.0.0.1:7")
			write(t, c, []byte("x"))
			tc := clone(t, s, wire.TCP)
			start(s, &Op{Kind: OpCtl, Conv: tc, Data: []byte("connect 10.0.0.1:80")})
			for _, d := range st.seen() {
				quote := append(slices.Clone(d.header), d.payload...)
				st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(wire.ICMPUnreachable, code, 0, quote))
			}
			if op := do(t, s, &Op{Kind: OpRead, Conv: c, Max: 1}); !errors.Is(op.Err, want) {
				t.Errorf("code %d: udp reads %v, want %v", code, op.Err, want)
			}
			if hint := code != wire.ICMPProtocolUnreachable && code != wire.ICMPPortUnreachable; hint && tc.Info().State != "Syn_sent" {
				t.Errorf("code %d: the connection is in %s", code, tc.Info().State)
			}
		})
	}
}

// A host sends no redirect.
func TestRFC1122_ICMP_08(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, s.WriteRoute("add 0 0 10.0.0.9", new(string)))
		st.send(wire.IP{Dst: addr("192.0.2.1"), Proto: wire.ICMP}, ping("x"))
		st.none("a datagram for somebody else")
	})
}

// A redirect is believed if the knob wants it, of the gateway in use, about what
// we sent, to a neighbour; and for a while.
func TestRFC1122_ICMP_09(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, s.WriteRoute("add 0 0 10.0.0.1", new(string)))
		d := routedDatagram(t, s, st)
		foreign := slices.Clone(d)
		foreign[15] = 77 // from 10.0.0.77
		redirect := func(from string, via uint32, about []byte) bool {
			st.send(wire.IP{Src: addr(from), Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(wire.ICMPRedirect, 1, via, about))
			return strings.Contains(s.RouteText(), "192.0.2.1 ")
		}
		if redirect("10.0.0.1", 0x0a000009, d) {
			t.Error("believed by default")
		}
		must(t, s.WriteCtl("ip.redirect.accept on"))
		for what, believed := range map[string]bool{
			"not from the gateway":     redirect("10.0.0.8", 0x0a000009, d),
			"to a gateway far away":    redirect("10.0.0.1", 0xc0000209, d),
			"to ourselves":             redirect("10.0.0.1", 0x0a000002, d),
			"to a broadcast":           redirect("10.0.0.1", 0x0a0000ff, d),
			"about what we never sent": redirect("10.0.0.1", 0x0a000009, foreign),
		} {
			if believed {
				t.Errorf("believed %s", what)
			}
		}
		if n := drops(t, st.iface, "redirect"); n != "6" {
			t.Errorf("%s dropped, want 6", n)
		}
		if !redirect("10.0.0.1", 0x0a000009, d) {
			t.Error("not believed")
		}
		st.asks()
		must(t, s.WriteARP("flush"))
		routedDatagram(t, s, st)
		if asked := st.asks(); len(asked) != 1 || asked[0].TargetIP != addr("10.0.0.9") {
			t.Errorf("asked %+v, want 10.0.0.9", asked)
		}
		time.Sleep(movedFor)
		synctest.Wait()
		if strings.Contains(s.RouteText(), "192.0.2.1 ") {
			t.Error("believed for ever")
		}
	})
}

// Source quench is neither sent nor heeded (RFC 6633).
func TestRFC1122_ICMP_10(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:7")
		write(t, c, []byte("x"))
		d := st.one()
		quote := append(slices.Clone(d.header), d.payload...)
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(wire.ICMPSourceQuench, 0, 0, quote))
		write(t, c, []byte("y"))
		if got := c.ErrText(); got != "" || c.Info().State != "Open" {
			t.Errorf("err %q, state %s", got, c.Info().State)
		}
		st.one()
	})
}

// Time exceeded and parameter problem are passed up.
func TestRFC1122_ICMP_11(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		for _, test := range []struct {
			typ, code uint8
			rest      uint32
			want      error
			words     string
		}{
			{wire.ICMPTimeExceeded, wire.ICMPTTLExceeded, 0, syscall.EHOSTUNREACH, "ttl exceeded: at 10.0.0.1"},
			{wire.ICMPTimeExceeded, wire.ICMPReassemblyExceeded, 0, syscall.EHOSTUNREACH, "ttl exceeded"},
			{wire.ICMPParameterProblem, 0, 22 << 24, syscall.EPROTO, "parameter problem: says 10.0.0.1 of byte 22"},
		} {
			c := clone(t, s, wire.UDP)
			command(t, c, "connect 10.0.0.1:7")
			write(t, c, []byte("x"))
			d := st.one()
			quote := append(slices.Clone(d.header), d.payload...)
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(test.typ, test.code, test.rest, quote))
			op := do(t, s, &Op{Kind: OpRead, Conv: c, Max: 1})
			if !errors.Is(op.Err, test.want) || !strings.Contains(op.Err.Error(), test.words) {
				t.Errorf("type %d: %v, want %v, %q", test.typ, op.Err, test.want, test.words)
			}
		}
	})
}

// An echo comes back with the same data, identifier and sequence number, however
// long it is.
func TestRFC1122_ICMP_12(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		for _, n := range []int{0, 1, 56, 1472} {
			data := bytes.Repeat([]byte("e"), n)
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(wire.ICMPEchoRequest, 0, 0xabcd1234, data))
			d := st.one()
			h, got := d.icmp(t)
			if h != (wire.ICMPHeader{Type: wire.ICMPEchoReply, Rest: 0xabcd1234}) || !bytes.Equal(got, data) || d.ip.Src != addr("10.0.0.2") || d.ip.Dst != st.ip {
				t.Errorf("%d bytes: %+v, %+v, %d bytes", n, d.ip, h, len(got))
			}
		}
	})
}

// An echo to everybody is not answered.
func TestRFC1122_ICMP_13(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		for _, group := range []string{"10.0.0.255", "255.255.255.255", "224.0.0.1"} {
			mac := wire.Broadcast
			if addr(group).IsMulticast() {
				mac = wire.MulticastMAC(addr(group))
			}
			st.toGroup(mac, wire.IP{Dst: addr(group), Proto: wire.ICMP}, ping("x"))
			st.none("an echo to " + group)
		}
		if n := drops(t, st.iface, "echo to group"); n != "3" {
			t.Errorf("%s dropped, want 3", n)
		}
	})
}

// A reply reaches its asker; and the options of an echo that record a route or a
// time go on to do so in its answer.
func TestRFC1122_ICMP_14(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		one, two := clone(t, s, wire.ICMP), clone(t, s, wire.ICMP)
		command(t, one, "connect 10.0.0.1")
		command(t, two, "connect 10.0.0.1")
		write(t, two, echo(1, "x"))
		asked, _ := st.one().icmp(t)
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(wire.ICMPEchoReply, 0, asked.Rest, []byte("x")))
		read(t, two)
		if op := do(t, s, &Op{Kind: OpRead, Conv: one, Max: 1, NonBlock: true}); !errors.Is(op.Err, syscall.EAGAIN) {
			t.Errorf("the other reads: %v", op.Err)
		}

		record := []byte{7, 11, 8, 1, 2, 3, 4, 0, 0, 0, 0, 1, 68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0}
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, Options: record}, ping("x"))
		d := st.one()
		midnight := time.Now().UTC().Truncate(24 * time.Hour)
		ms := uint32(time.Since(midnight) / time.Millisecond)
		want := []byte{7, 11, 12, 1, 2, 3, 4, 10, 0, 0, 2, 68, 12, 13, 1, 10, 0, 0, 2, byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms), 0}
		if !bytes.Equal(d.ip.Options, want) {
			t.Errorf("options of the answer\n%x, want\n%x", d.ip.Options, want)
		}
	})
}

// Requests for a time, an information or a mask are dropped, silently (RFC 6918).
func TestRFC1122_ICMP_15(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		for n, typ := range []uint8{wire.ICMPTimestamp, 15, 17} {
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(typ, 0, 0, make([]byte, 12)))
			st.none(fmt.Sprintf("type %d", typ))
			if got := drops(t, st.iface, "unknown icmp type"); got != fmt.Sprint(n+1) {
				t.Errorf("type %d: %s dropped, want %d", typ, got, n+1)
			}
		}
	})
}
