package stack

// The rows of RFC 1122 §3 about IP; test/requirements/rfc1122.rows tells them.

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/stack/reasm"
	"slashnet/wire"
)

// IP and ICMP are there: a ping is answered.
func TestRFC1122_IP_01(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, ping("x"))
		if h, _ := st.one().icmp(t); h.Type != wire.ICMPEchoReply {
			t.Errorf("%+v", h)
		}
	})
}

// A second interface does not make a router: that takes a word.
func TestRFC1122_IP_02(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		left := newStation(t, s, "10.0.1.254/24", "10.0.1.1", 0)
		right := newStation(t, s, "10.0.2.254/24", "10.0.2.1", 0)
		left.send(wire.IP{Dst: right.ip, Proto: wire.ICMP}, ping("x"))
		left.none("not a router")
		right.none("not a router")
		must(t, s.WriteCtl("ip.forward on"))
		left.send(wire.IP{Dst: right.ip, Proto: wire.ICMP}, ping("x"))
		if d := right.one(); d.ip.TTL != 8 {
			t.Errorf("forwarded with a TTL of %d, want 8", d.ip.TTL)
		}
	})
}

// What is thrown away is counted by its reason, and what ought not to exist is in
// the log, once.
func TestRFC1122_IP_03(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		for range 3 {
			st.send(wire.IP{Src: addr("127.0.0.1"), Dst: addr("10.0.0.2"), Proto: wire.ICMP}, ping("x"))
		}
		if n := drops(t, st.iface, "martian"); n != "3" {
			t.Errorf("%s counted, want 3", n)
		}
		if n := strings.Count(s.LogText(), "a datagram from 127.0.0.1, MAC 02:00:00:00:01:01, to 10.0.0.2"); n != 1 {
			t.Errorf("%d lines of the log tell of it, want 1:\n%s", n, s.LogText())
		}
	})
}

// damaged is a ping with one byte of its header changed and the checksum made
// right again, unless that is what was changed.
func damaged(st *station, at int, to byte) []byte {
	b := st.datagram(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 9}, ping("x"))
	b[at] = to
	if at != 10 && at != 11 {
		binary.BigEndian.PutUint16(b[10:], 0)
		binary.BigEndian.PutUint16(b[10:], wire.Checksum(b[:wire.IPv4Len]))
	}
	return b
}

// Another version than 4 is dropped, silently.
func TestRFC1122_IP_04(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		for n, version := range []byte{0x05, 0x55, 0x65, 0xf5} {
			st.raw(damaged(st, 0, version))
			st.none(fmt.Sprintf("first byte %#x", version))
			if got := drops(t, st.iface, "bad ip header"); got != fmt.Sprint(n+1) {
				t.Errorf("first byte %#x: %s dropped, want %d", version, got, n+1)
			}
		}
	})
}

// A wrong header checksum is dropped, silently.
func TestRFC1122_IP_05(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		good := damaged(st, 0, 0x45)
		st.raw(damaged(st, 10, good[10]^1))
		st.none("a wrong checksum")
		if n := drops(t, st.iface, "bad ip header"); n != "1" {
			t.Errorf("%s dropped, want 1", n)
		}
		st.raw(good)
		st.one()
	})
}

// The mask says who is a neighbour.
func TestRFC1122_IP_06(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		st := newStation(t, s, "172.16.5.2/22", "172.16.5.1", 0)
		must(t, s.WriteRoute("add 0 0 172.16.5.1", new(string)))
		st.asks()
		for to, hop := range map[string]string{"172.16.4.1": "172.16.4.1", "172.16.7.254": "172.16.7.254", "172.16.8.1": "172.16.5.1", "172.16.3.255": "172.16.5.1"} {
			must(t, s.WriteARP("flush"))
			c := clone(t, s, wire.UDP)
			command(t, c, "connect "+to+":7")
			write(t, c, []byte("x"))
			if asked := st.asks(); len(asked) != 1 || asked[0].TargetIP != addr(hop) {
				t.Errorf("for %s asked %+v, want %s", to, asked, hop)
			}
		}
	})
}

// Nothing leaves under an address that is not ours: neither one that a user makes
// up nor one that was taken away.
func TestRFC1122_IP_07(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, st.iface.Ctl("add 10.0.0.3/24"))
		c := clone(t, s, wire.UDP)
		if err := ctl(t, c, "bind 10.0.0.9:5"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("bind to a foreign address: %v", err)
		}
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 6\nheaders")
		write(t, all, plan9(netip.MustParseAddrPort("10.0.0.1:7"), netip.MustParseAddrPort("10.0.0.9:6"), "x"))
		if d := st.one(); d.ip.Src != addr("10.0.0.2") {
			t.Errorf("sent as %v", d.ip.Src)
		}
		raw := clone(t, s, wire.ICMP)
		command(t, raw, "connect 10.0.0.1")
		packet := echo(1, "x")
		copy(packet[12:], []byte{10, 0, 0, 9})
		write(t, raw, packet)
		if d := st.one(); d.ip.Src != addr("10.0.0.2") {
			t.Errorf("a packet of icmp was sent as %v", d.ip.Src)
		}
		command(t, c, "connect 10.0.0.1:7 10.0.0.3:5")
		write(t, c, []byte("x"))
		st.one()
		must(t, st.iface.Ctl("remove 10.0.0.3/24"))
		if op := do(t, s, &Op{Kind: OpWrite, Conv: c, Data: []byte("x")}); !errors.Is(op.Err, syscall.EADDRNOTAVAIL) {
			t.Errorf("a write after the address was taken away: %v", op.Err)
		}
		st.none("after the address was taken away")
	})
}

// A datagram for somebody else is dropped, silently.
func TestRFC1122_IP_08(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		for _, dst := range []string{"10.0.0.3", "192.0.2.1", "10.0.1.255"} {
			st.send(wire.IP{Dst: addr(dst), Proto: wire.ICMP}, ping("x"))
			st.none("for " + dst)
		}
		if n := drops(t, st.iface, "not for us"); n != "3" {
			t.Errorf("%s dropped, want 3", n)
		}
	})
}

// A source that is not one host on a cable is dropped, silently.
func TestRFC1122_IP_09(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		martians := []string{"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "255.255.255.255", "10.0.0.255", "10.0.0.0",
			"224.0.0.1", "239.255.0.1", "240.0.0.1", "250.1.2.3"}
		for n, src := range martians {
			st.send(wire.IP{Src: addr(src), Dst: addr("10.0.0.2"), Proto: wire.ICMP}, ping("x"))
			st.none("from " + src)
			if got := drops(t, st.iface, "martian"); got != fmt.Sprint(n+1) {
				t.Errorf("from %s: %s dropped, want %d", src, got, n+1)
			}
		}
		st.send(wire.IP{Dst: addr("127.0.0.1"), Proto: wire.ICMP}, ping("x"))
		st.none("to 127.0.0.1")
	})
}

// fragments cuts a datagram's payload at the given places.
func fragments(st *station, ip wire.IP, payload []byte, cuts ...int) (all [][]byte) {
	at := 0
	for _, end := range append(cuts, len(payload)) {
		ip.Offset, ip.More = at, end < len(payload)
		all = append(all, st.datagram(ip, payload[at:end]))
		at = end
	}
	return all
}

// The largest datagram there is is put together, from any order.
func TestRFC1122_IP_10(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 7\nheaders")
		data := strings.Repeat("0123456789", 6554)[:65507]
		parts := fragments(st, wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP, TTL: 9, ID: 5},
			udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, data), 8000, 16000, 24000, 32000, 40000, 48000, 56000, 64000)
		slices.Reverse(parts)
		parts[2], parts[5] = parts[5], parts[2]
		for _, p := range parts {
			st.raw(p)
		}
		if got := read(t, all); string(got[udpHeaderLen:]) != data {
			t.Errorf("%d bytes came, or others, want %d", len(got)-udpHeaderLen, len(data))
		}
	})
}

// The type of service goes down as the user sets it, and what came last is told.
func TestRFC1122_IP_12(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		l := clone(t, s, wire.UDP)
		command(t, l, "announce 7")
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP, TOS: 0xb8}, udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, "x"))
		call := listen(t, l)
		if got := call.StatusText(); !strings.Contains(got, "\nfromtos 184\n") {
			t.Errorf("status does not tell the type of service that came:\n%s", got)
		}
		command(t, call, "tos 40")
		write(t, call, []byte("x"))
		if d := st.one(); d.ip.TOS != 40 {
			t.Errorf("type of service %d, want 40", d.ip.TOS)
		}
	})
}

// A TTL of zero is never sent, and does not matter at the end.
func TestRFC1122_IP_13(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		for ttl := range uint8(2) {
			st.raw(st.datagram(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: ttl}, ping("x")))
			if d := st.one(); d.ip.TTL == 0 {
				t.Error("answered with a TTL of 0")
			}
		}
		c := clone(t, s, wire.UDP)
		if err := ctl(t, c, "ttl 0"); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("ttl 0: %v, want EINVAL", err)
		}
		if err := s.WriteCtl("ip.ttl 0"); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("ip.ttl 0: %v, want EINVAL", err)
		}
	})
}

// The TTL is the user's, else the knob's, else 64.
func TestRFC1122_IP_14(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		ttl := func(set string) uint8 {
			c := clone(t, s, wire.UDP)
			command(t, c, set+"connect 10.0.0.1:7")
			write(t, c, []byte("x"))
			return st.one().ip.TTL
		}
		if got := ttl(""); got != 64 {
			t.Errorf("TTL %d, want 64", got)
		}
		must(t, s.WriteCtl("ip.ttl 99"))
		if got := ttl(""); got != 99 {
			t.Errorf("TTL %d with ip.ttl 99", got)
		}
		if got := ttl("ttl 5\n"); got != 5 {
			t.Errorf("TTL %d with ttl 5", got)
		}
	})
}

// Options that nobody knows are ignored, in datagrams that are delivered; what
// came is told, and what the user gives is sent.
func TestRFC1122_IP_15(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		l := clone(t, s, wire.UDP)
		command(t, l, "announce 7")
		unknown := []byte{0x5e, 4, 0xab, 0xcd}
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP, Options: unknown}, udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, "x"))
		call := listen(t, l)
		if got := read(t, call); string(got) != "x" {
			t.Errorf("read %q", got)
		}
		if got := call.StatusText(); !strings.Contains(got, "\nfromoptions 5e04abcd\n") {
			t.Errorf("status does not tell the options that came:\n%s", got)
		}
		command(t, call, "ipoptions 94040000")
		write(t, call, []byte("y"))
		if d := st.one(); !bytes.Equal(d.ip.Options, wire.RouterAlert) || string(d.payload[wire.UDPLen:]) != "y" {
			t.Errorf("sent with options %x: %q", d.ip.Options, d.payload)
		}
	})
}

// Security options and stream identifiers pass; routes and times are recorded in
// an answer; a source route is dropped unless the knob wants it, and two make no
// sense.
func TestRFC1122_IP_16(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		ask := func(options string) {
			b, err := hex.DecodeString(options)
			must(t, err)
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, Options: b}, ping("x"))
		}
		for _, passes := range []string{"820b0000000000000000000000", "88040001"} {
			ask(passes)
			if d := st.one(); len(d.ip.Options) != 0 {
				t.Errorf("options %x in the answer to %s", d.ip.Options, passes)
			}
		}
		ask("83070801020304")
		st.none("a source route")
		if n := drops(t, st.iface, "source route"); n != "1" {
			t.Errorf("%s source routes dropped, want 1", n)
		}
		must(t, s.WriteCtl("ip.sourceroute on"))
		ask("83070801020304")
		if len(st.seen()) != 0 { // there is no way to 1.2.3.4
			t.Error("answered without a way back")
		}
		must(t, s.WriteRoute("add 0 0 10.0.0.1", new(string)))
		ask("83070801020304")
		if d := st.one(); d.ip.Dst != addr("1.2.3.4") || !bytes.Equal(d.ip.Options, []byte{0x83, 7, 4, 10, 0, 0, 1, 0}) {
			t.Errorf("the answer goes to %v with options %x", d.ip.Dst, d.ip.Options)
		}
		ask("8307080102030483070801020304")
		if h, _ := st.one().icmp(t); h.Type != wire.ICMPParameterProblem || h.Rest>>24 != 27 {
			t.Errorf("two source routes: %+v, want a parameter problem at 27", h)
		}
	})
}

// Neighbours need no router.
func TestRFC1122_IP_17(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.77:7")
		st.asks()
		write(t, c, []byte("x"))
		if asked := st.asks(); len(asked) != 1 || asked[0].TargetIP != addr("10.0.0.77") {
			t.Errorf("asked %+v, want 10.0.0.77", asked)
		}
		if d := st.one(); d.ip.Dst != addr("10.0.0.77") {
			t.Errorf("sent to %v", d.ip.Dst)
		}
		if err := ctl(t, clone(t, s, wire.UDP), "connect 192.0.2.1:7"); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("beyond the network: %v, want ENETUNREACH", err)
		}
	})
}

// gatewaySite is a host with two default routers, 10.0.0.1 before 10.0.0.9, which
// are the station's two names; alive says which of them answer.
func gatewaySite(t *testing.T) (*Stack, *station, *gatewayPair) {
	s, st := newSite(t)
	must(t, s.WriteRoute("add 0 0 10.0.0.1 1", new(string)))
	must(t, s.WriteRoute("add 0 0 10.0.0.9 2", new(string)))
	return s, st, &gatewayPair{st, wire.MAC{2, 0, 0, 0, 2, 1}, wire.MAC{2, 0, 0, 0, 2, 9}}
}

type gatewayPair struct {
	st            *station
	first, second wire.MAC
}

// answer answers what the stack has asked of those that are alive.
func (g *gatewayPair) answer(first, second bool) {
	for _, a := range g.st.asks() {
		mac, alive := g.first, first
		if a.TargetIP == addr("10.0.0.9") {
			mac, alive = g.second, second
		}
		if alive && a.Op == wire.ARPRequest {
			g.st.arp(wire.ARP{Op: wire.ARPReply, SenderMAC: mac, SenderIP: a.TargetIP, TargetMAC: a.SenderMAC, TargetIP: a.SenderIP})
		}
	}
	synctest.Wait()
}

// Of several default routers the best that answers is used.
func TestRFC1122_IP_18(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, g := gatewaySite(t)
		st.hush(true)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 192.0.2.1:7")
		for round, alive := range []bool{true, false} {
			must(t, s.WriteARP("flush"))
			write(t, c, []byte("x"))
			want := g.first
			if !alive {
				want = g.second
			}
			for range 8 {
				g.answer(alive, true)
				time.Sleep(500 * time.Millisecond)
			}
			if d := st.one(); d.eth.Dst != want || d.ip.Dst != addr("192.0.2.1") {
				t.Errorf("round %d: sent to %v through %v, want %v", round, d.ip.Dst, d.eth.Dst, want)
			}
		}
	})
}

// A redirect for a network moves the one destination, as one for a host does.
func TestRFC1122_IP_19(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for code := range uint8(4) {
			s, st := newSite(t)
			must(t, s.WriteCtl("ip.redirect.accept on"))
			must(t, s.WriteRoute("add 0 0 10.0.0.1", new(string)))
			d := routedDatagram(t, s, st)
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(wire.ICMPRedirect, code, 0x0a000009, d))
			if r := s.RouteText(); !strings.Contains(r, "192.0.2.1       /32  10.0.0.9") || strings.Contains(r, "192.0.2.0") {
				t.Errorf("code %d:\n%s", code, r)
			}
		}
	})
}

// routedDatagram has the stack send a datagram to 192.0.2.1, and is its beginning.
func routedDatagram(t testing.TB, s *Stack, st *station) []byte {
	t.Helper()
	c := clone(t, s, wire.UDP)
	command(t, c, "ignoreadvice\nconnect 192.0.2.1:7")
	write(t, c, []byte("x"))
	d := st.one()
	return append(slices.Clone(d.header), d.payload...)
}

// Static routes are there, and may be of any length.
func TestRFC1122_IP_20(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, s.WriteRoute("add 192.0.2.1/32 10.0.0.5", new(string)))
		st.asks()
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 192.0.2.1:7")
		write(t, c, []byte("x"))
		if asked := st.asks(); len(asked) != 1 || asked[0].TargetIP != addr("10.0.0.5") {
			t.Errorf("asked %+v, want 10.0.0.5", asked)
		}
	})
}

// A gateway that is used and dies is noticed; while nothing is sent nobody asks
// it; and later it is tried again.
func TestRFC1122_IP_21(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, g := gatewaySite(t)
		st.hush(true)
		c := clone(t, s, wire.UDP)
		command(t, c, "ignoreadvice\nconnect 192.0.2.1:7")
		send := func(alive bool, times int) (through []wire.MAC) {
			for range times {
				write(t, c, []byte("x"))
				g.answer(alive, true)
				time.Sleep(time.Second)
			}
			for _, d := range st.seen() {
				through = append(through, d.eth.Dst)
			}
			return through
		}
		if got := send(true, 2); len(got) != 2 || got[1] != g.first {
			t.Fatalf("through %v, want %v", got, g.first)
		}
		time.Sleep(2 * time.Minute)
		st.asks() // once more, since it was used
		time.Sleep(10 * time.Minute)
		if n := len(st.asks()); n != 0 {
			t.Errorf("asked %d times while nothing was sent", n)
		}
		if got := send(false, 6); got[len(got)-1] != g.second {
			t.Errorf("after its death through %v, want %v", got, g.second)
		}
		if got := s.LogText(); !strings.Contains(got, "gateway 10.0.0.1 does not answer") {
			t.Errorf("the log says\n%s", got)
		}
		time.Sleep(deadFor)
		if got := send(true, 3); got[len(got)-1] != g.first {
			t.Errorf("after its return through %v, want %v", got, g.first)
		}
	})
}

// What waits for a gateway that does not answer goes through another; a route
// that ICMP calls unreachable is no dead gateway.
func TestRFC1122_IP_22(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, g := gatewaySite(t)
		st.hush(true)
		c := clone(t, s, wire.UDP)
		command(t, c, "ignoreadvice\nconnect 192.0.2.1:7")
		write(t, c, []byte("saved"))
		for range 8 {
			g.answer(false, true)
			time.Sleep(500 * time.Millisecond)
		}
		d := st.one()
		if d.eth.Dst != g.second || string(d.payload[wire.UDPLen:]) != "saved" {
			t.Errorf("%q through %v, want it through %v", d.payload[wire.UDPLen:], d.eth.Dst, g.second)
		}
		about := append(slices.Clone(d.header), d.payload...)
		st.send(wire.IP{Src: addr("10.0.0.9"), Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(wire.ICMPUnreachable, wire.ICMPHostUnreachable, 0, about))
		write(t, c, []byte("again"))
		if d := st.one(); d.eth.Dst != g.second {
			t.Errorf("after an unreachable through %v", d.eth.Dst)
		}
	})
}

// All that IP needs can be set by hand.
func TestRFC1122_IP_23(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, st.iface.Ctl("add 172.16.0.2/12"))
		must(t, st.iface.Ctl("mtu 1400"))
		must(t, s.WriteRoute("add 0 0 172.16.0.1", new(string)))
		must(t, s.WriteARP("add 172.16.0.1 020000000909"))
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 192.0.2.1:7")
		write(t, c, make([]byte, 1400))
		all := st.seen()
		if len(all) != 2 || all[0].ip.Src != addr("172.16.0.2") || all[0].eth.Dst != (wire.MAC{2, 0, 0, 0, 9, 9}) || len(all[0].header)+len(all[0].payload) > 1400 {
			t.Errorf("%d datagrams, the first %+v", len(all), all[0])
		}
	})
}

// A datagram that is not completed in a fixed time is given up, and its sender
// told if its beginning is there.
func TestRFC1122_IP_24(t *testing.T) {
	if d := reasm.DefaultConfig().Timeout; d < time.Minute || d > 2*time.Minute {
		t.Errorf("the time is %v, want 60 to 120 s", d)
	}
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		ip := wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP, TTL: 9, ID: 5}
		parts := fragments(st, ip, udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, strings.Repeat("x", 100)), 40, 80)
		st.raw(parts[0])
		time.Sleep(50 * time.Second)
		st.raw(parts[1]) // does not lengthen its life
		time.Sleep(9 * time.Second)
		st.none("after 59s")
		time.Sleep(2 * time.Second)
		st.one().isError(t, wire.ICMPTimeExceeded, wire.ICMPReassemblyExceeded, parts[0])
		st.raw(parts[1])
		time.Sleep(3 * time.Minute)
		st.none("without the beginning")
	})
}

// The largest that can be sent and received is known above.
func TestRFC1122_IP_25(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:7")
		op := do(t, s, &Op{Kind: OpWrite, Conv: c, Data: make([]byte, 65508)})
		if !errors.Is(op.Err, syscall.EMSGSIZE) || !strings.Contains(op.Err.Error(), "65507") {
			t.Errorf("65508 bytes: %v, want EMSGSIZE that tells 65507", op.Err)
		}
		must(t, st.iface.Ctl("mtu 1000"))
		start(s, &Op{Kind: OpCtl, Conv: clone(t, s, wire.TCP), Data: []byte("connect 10.0.0.1:80")})
		if h, _, err := wire.ParseTCP(st.one().payload); err != nil || h.Options.MSS != 1000-40 {
			t.Errorf("TCP offers an MSS of %d, %v, want 960", h.Options.MSS, err)
		}
	})
}

// What is longer than the MTU is cut up; options go where they are to.
func TestRFC1122_IP_26(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "ipoptions 0707040000000094040000\nconnect 10.0.0.1:7")
		data := bytes.Repeat([]byte("0123456789"), 400)
		write(t, c, data)
		whole := make([]byte, wire.UDPLen+len(data))
		all := st.seen()
		for n, d := range all {
			want := []byte{7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0, 0}
			if n > 0 {
				want = wire.RouterAlert
			}
			if !bytes.Equal(d.ip.Options, want) || d.ip.ID != all[0].ip.ID || d.ip.More != (n < len(all)-1) || len(d.header)+len(d.payload) > 1500 {
				t.Errorf("fragment %d: %+v, %d bytes; want options %x", n, d.ip, len(d.payload), want)
			}
			copy(whole[d.ip.Offset:], d.payload)
		}
		if len(all) != 3 || !bytes.Equal(whole[wire.UDPLen:], data) || wire.TransportChecksum(addr("10.0.0.2"), st.ip, wire.UDP, whole) != 0 {
			t.Errorf("%d fragments do not make the datagram", len(all))
		}
	})
}

// Answers come from the address that was asked.
func TestRFC1122_IP_28(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		must(t, st.iface.Ctl("add 10.0.0.3/24"))
		for _, us := range []string{"10.0.0.3", "10.0.0.2"} {
			st.send(wire.IP{Dst: addr(us), Proto: wire.ICMP}, ping("x"))
			if d := st.one(); d.ip.Src != addr(us) {
				t.Errorf("an echo to %s is answered by %v", us, d.ip.Src)
			}
			st.udp(us, 9, "x")
			if d := st.one(); d.ip.Src != addr(us) {
				t.Errorf("a closed port of %s is told by %v", us, d.ip.Src)
			}
		}
	})
}

// The user may choose which of our addresses he speaks from.
func TestRFC1122_IP_29(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, st.iface.Ctl("add 10.0.0.3/24"))
		for _, p := range []wire.Proto{wire.UDP, wire.TCP} {
			c := clone(t, s, p)
			start(s, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 10.0.0.1:7 10.0.0.3:5000")})
			if p == wire.UDP {
				write(t, c, []byte("x"))
			}
			if d := st.one(); d.ip.Src != addr("10.0.0.3") {
				t.Errorf("protocol %d: from %v", p, d.ip.Src)
			}
		}
	})
}

// The weak model: an address is the host's, not its interface's, in both
// directions.
func TestRFC1122_IP_30(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		left := newStation(t, s, "10.0.1.2/24", "10.0.1.1", 0)
		right := newStation(t, s, "10.0.2.2/24", "10.0.2.1", 0)
		left.send(wire.IP{Dst: addr("10.0.2.2"), Proto: wire.ICMP}, ping("x"))
		if d := left.one(); d.ip.Src != addr("10.0.2.2") {
			t.Errorf("answered from %v", d.ip.Src)
		}
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.1.1:7 10.0.2.2:5000")
		write(t, c, []byte("x"))
		if d := left.one(); d.ip.Src != addr("10.0.2.2") {
			t.Errorf("sent from %v", d.ip.Src)
		}
		right.none("nothing concerns it")
	})
}

// A source route leads through us only if we are a router and the knob wants it;
// else its sender is told that it failed.
func TestRFC1122_IP_31(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		through := func() []byte {
			b := left.datagram(wire.IP{Dst: addr("10.0.1.254"), Proto: wire.ICMP, TTL: 9, Options: []byte{0x83, 7, 4, 10, 0, 2, 1}}, ping("x"))
			left.raw(b)
			return b
		}
		through()
		left.none("by default")
		right.none("by default")
		must(t, s.WriteCtl("ip.sourceroute on"))
		through()
		if d := right.one(); d.ip.Dst != right.ip || d.ip.TTL != 8 || !bytes.Equal(d.ip.Options, []byte{0x83, 7, 8, 10, 0, 2, 254, 0}) {
			t.Errorf("passed on as %+v, options %x", d.ip, d.ip.Options)
		}
		must(t, s.WriteCtl("ip.forward off"))
		refused := through()
		left.one().isError(t, wire.ICMPUnreachable, wire.ICMPSourceRouteFailed, refused)
		right.none("not a router")
	})
}

// A broadcast address is nobody's to send from.
func TestRFC1122_IP_32(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		for _, no := range []string{"255.255.255.255/32", "224.0.0.1/24", "0.0.0.0/8"} {
			if err := st.iface.Ctl("add " + no); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("add %s: %v, want EINVAL", no, err)
			}
		}
		for _, no := range []string{"10.0.0.255", "10.0.0.0", "255.255.255.255"} {
			if err := ctl(t, clone(t, s, wire.UDP), "connect 10.0.0.1:7 "+no+":5"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
				t.Errorf("from %s: %v, want EADDRNOTAVAIL", no, err)
			}
		}
		// Who was called by a broadcast answers as himself.
		l := clone(t, s, wire.UDP)
		command(t, l, "announce 7")
		to := addr("10.0.0.255")
		st.toGroup(wire.Broadcast, wire.IP{Dst: to, Proto: wire.UDP}, udpDatagram(st.ip, to, 1000, 7, "x"))
		write(t, listen(t, l), []byte("y"))
		if d := st.one(); d.ip.Src != addr("10.0.0.2") {
			t.Errorf("answered from %v", d.ip.Src)
		}
	})
}

// Every form of a broadcast is one: heard, and sent in a broadcast of the link.
func TestRFC1122_IP_33(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 7\nheaders")
		for _, form := range []string{"255.255.255.255", "10.0.0.255", "10.0.0.0"} {
			to := addr(form)
			st.toGroup(wire.Broadcast, wire.IP{Dst: to, Proto: wire.UDP}, udpDatagram(st.ip, to, 1000, 7, form))
			if got := read(t, all); string(got[udpHeaderLen:]) != form {
				t.Errorf("to %s came %q", form, got)
			}
			c := clone(t, s, wire.UDP)
			command(t, c, "connect "+form+":7")
			write(t, c, []byte("x"))
			if d := st.one(); d.eth.Dst != wire.Broadcast || d.ip.Dst != to {
				t.Errorf("to %s: sent to %v in a frame to %v", form, d.ip.Dst, d.eth.Dst)
			}
		}
	})
}

// A host's address in a broadcast of the link is dropped, silently.
func TestRFC1122_IP_34(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 7\nheaders")
		for n, mac := range []wire.MAC{wire.Broadcast, {1, 0, 0x5e, 0, 0, 1}} {
			st.toGroup(mac, wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP}, udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, "x"))
			if op := do(t, s, &Op{Kind: OpRead, Conv: all, Max: 99, NonBlock: true}); !errors.Is(op.Err, syscall.EAGAIN) {
				t.Errorf("in a frame to %v: read %q, %v", mac, bytesOf(op), op.Err)
			}
			if got := drops(t, st.iface, "unicast in broadcast"); got != fmt.Sprint(n+1) {
				t.Errorf("%s dropped, want %d", got, n+1)
			}
		}
	})
}

// Upper layers get all there is: an icmp conversation reads whole packets, header
// and options, a udp one learns addresses, interface, TTL and type of service.
func TestRFC1122_IP_36(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.ICMP)
		command(t, c, "connect 10.0.0.1")
		write(t, c, echo(1, "x"))
		asked, _ := st.one().icmp(t)
		ip := wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 33, TOS: 8, ID: 77, Options: []byte{0x5e, 4, 0xab, 0xcd}}
		sent := st.datagram(ip, icmpMessage(wire.ICMPEchoReply, 0, asked.Rest, []byte("x")))
		st.raw(sent)
		if got := read(t, c); !bytes.Equal(got, sent) {
			t.Errorf("icmp read\n%x, want\n%x", got, sent)
		}
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 7\nheaders")
		st.udp("10.0.0.2", 7, "x")
		want := plan9(netip.MustParseAddrPort("10.0.0.1:1000"), netip.MustParseAddrPort("10.0.0.2:7"), "x")
		us := addr("10.0.0.2").As16()
		copy(want[32:], us[:])
		if got := read(t, all); !bytes.Equal(got, want) {
			t.Errorf("udp read\n%x, want\n%x", got, want)
		}
		if got := all.StatusText(); !strings.Contains(got, "\nfromttl 9\n") {
			t.Errorf("status does not tell the TTL that came:\n%s", got)
		}
	})
}
