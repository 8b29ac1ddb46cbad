package stack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// routed6 is two hosts with a router between them, 2001:db8:1::1 and
// 2001:db8:2::2, whose link has the given MTU.
func routed6(t testing.TB, mtu int) (a, router, b *Stack) {
	t.Helper()
	a, router, b = newHost(t, Config{}), newHost(t, Config{}), newHost(t, Config{})
	join(t, a, "2001:db8:1::1/64", router, "2001:db8:1::fe/64", nic.Options{})
	join(t, b, "2001:db8:2::2/64", router, "2001:db8:2::fe/64", nic.Options{MTU: mtu})
	must(t, a.WriteRoute("add ::/0 2001:db8:1::fe", new(string)))
	must(t, b.WriteRoute("add ::/0 2001:db8:2::fe", new(string)))
	must(t, router.WriteCtl("ip.forward on"))
	return a, router, b
}

// RFC 8200 §3, RFC 4443 §3.3: the hop limit ends a datagram, and its sender is
// told.
func TestRFC8200_HOP_LIMIT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, router, _ := routed6(t, 0)
		c := clone(t, a, wire.UDP)
		command(t, c, "connect 2001:db8:2::2!9\nttl 1")
		write(t, c, []byte("far"))
		op := do(t, a, &Op{Kind: OpRead, Conv: c, Max: 100})
		if !errors.Is(op.Err, neterr.TTLExceeded) || !strings.Contains(op.Err.Error(), "2001:db8:1::fe") {
			t.Errorf("%v", op.Err)
		}
		c.Drop()
		if counter(t, router.StackStatsText(), "ForwDatagrams") != "0" {
			t.Error("it was passed on")
		}
		c = clone(t, a, wire.UDP)
		command(t, c, "connect 2001:db8:3::2!9")
		write(t, c, []byte("nowhere"))
		op = do(t, a, &Op{Kind: OpRead, Conv: c, Max: 100})
		if !errors.Is(op.Err, neterr.NetUnreachable) { // RFC 4443 §3.1, code 0
			t.Errorf("no route: %v", op.Err)
		}
		c.Drop()
		// RFC 4443 §3.1: whoever is not there is so to the sender.
		c = clone(t, a, wire.UDP)
		command(t, c, "connect 2001:db8:2::77!9")
		write(t, c, []byte("nobody"))
		op = do(t, a, &Op{Kind: OpRead, Conv: c, Max: 100})
		if !errors.Is(op.Err, neterr.HostUnreachable) {
			t.Errorf("nobody there: %v", op.Err)
		}
		c.Drop()
	})
}

// The part of a router that RFC 1812 has not: all three at once.
func TestRFC1812_FWD_20(t *testing.T) {
	t.Run("hop limit", TestRFC8200_HOP_LIMIT)
	t.Run("too big", TestRFC8201_PATH_MTU)
	t.Run("link-local", TestRFC8200_LINK_LOCAL)
}

// RFC 8201: a narrow link on the way is found out, by connections and by
// datagrams, and nobody but the source cuts anything up.
func TestRFC8201_PATH_MTU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, router, b := routed6(t, 0)
		must(t, router.Iface(2).Ctl("mtu 1300")) // nobody else knows
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		c := clone(t, a, wire.TCP)
		command(t, c, "connect 2001:db8:2::2!80")
		call := listen(t, l)
		data := bytes.Repeat([]byte("narrow"), 20_000)
		w := start(a, &Op{Kind: OpWrite, Conv: c, Data: data})
		var got []byte
		for len(got) < len(data) {
			got = append(got, read(t, call)...)
		}
		must(t, wait(t, w).Err)
		if !bytes.Equal(got, data) {
			t.Error("other bytes came")
		}
		if stats := router.StackStatsText(); counter(t, stats, "FragCreates") != "0" || counter(t, stats, "FragFails") == "0" {
			t.Error("the router has cut something up, or passed it on")
		}

		u := clone(t, b, wire.UDP)
		command(t, u, "announce 53\nheaders")
		d := clone(t, a, wire.UDP)
		command(t, d, "connect 2001:db8:2::2!53")
		text := bytes.Repeat([]byte("d"), 1400)
		write(t, d, text)
		if got := read(t, u); len(got) != udpHeaderLen+len(text) {
			t.Errorf("%d bytes came", len(got)-udpHeaderLen)
		}
		if frags := counter(t, a.StackStatsText(), "FragCreates"); frags != "2" {
			t.Errorf("%s fragments, for a path that is known by now", frags)
		}
		a.lock()
		mtu := a.mtuTo(path{out: a.ifaces[1]}, netip.MustParseAddr("2001:db8:2::2"))
		a.unlock()
		if mtu != 1300 {
			t.Errorf("path MTU %d", mtu)
		}
		time.Sleep(pathMTUFor + time.Second)
		a.lock()
		mtu = a.mtuTo(path{out: a.ifaces[1]}, netip.MustParseAddr("2001:db8:2::2"))
		a.unlock()
		if mtu != 1500 {
			t.Errorf("after ten minutes %d", mtu)
		}
		for _, c := range []*Conv{d, u, c, call, l} {
			c.Drop()
		}
	})
}

// A cable whose other end is the test.
func tapped(t testing.TB, addr string) (s *Stack, i *Iface, wireEnd nic.NIC, frames chan []byte) {
	t.Helper()
	s = newHost(t, Config{})
	ours, theirs, err := nic.NewPipe(nic.Options{}, nic.Options{})
	must(t, err)
	frames = make(chan []byte, 100)
	theirs.Start(receiver(func(batch []*nic.Frame) {
		for _, f := range batch {
			frames <- bytes.Clone(f.Head)
		}
	}))
	t.Cleanup(func() { theirs.Close() })
	return s, plug(t, s, ours, addr), theirs, frames
}

type receiver func(batch []*nic.Frame)

func (r receiver) Receive(batch []*nic.Frame) { r(batch) }

// inject sends a datagram of a neighbour.
func inject(t testing.TB, s *Stack, n nic.NIC, to wire.MAC, ip wire.IP, extensions, payload []byte) {
	t.Helper()
	b := make([]byte, wire.EthernetLen+ip.HeaderLen())
	wire.Ethernet{Dst: to, Src: n.MAC(), Type: wire.EtherIPv6}.Put(b)
	ip.Put(b[wire.EthernetLen:], len(extensions)+len(payload))
	must(t, n.Send(&nic.Frame{Head: append(append(b, extensions...), payload...)}))
	must(t, s.Sync())
}

// icmp6 is a message between two addresses.
func icmp6(h wire.ICMPHeader, ip wire.IP, body []byte) []byte {
	b := make([]byte, wire.ICMPLen)
	h.PutICMPv6(b, ip.Src, ip.Dst, body)
	return append(b, body...)
}

// answer waits for an ICMPv6 message of a type among the frames.
func answer(t testing.TB, frames chan []byte, typ uint8) (wire.ICMPHeader, []byte, wire.IP) {
	t.Helper()
	for {
		select {
		case b := <-frames:
			ip, payload, err := wire.ParseIPv6(b[wire.EthernetLen:])
			if err != nil {
				continue
			}
			c, _ := ip.Walk(payload)
			if h, body, err := wire.ParseICMPv6(ip.Src, ip.Dst, c.Payload); err == nil && c.Proto == wire.ICMPv6 && h.Type == typ {
				return h, body, ip
			}
		case <-time.After(time.Second):
			return wire.ICMPHeader{}, nil, wire.IP{}
		}
	}
}

var (
	ours6  = netip.MustParseAddr("2001:db8::1")
	peer6  = netip.MustParseAddr("2001:db8::9")
	all6   = netip.IPv6LinkLocalAllNodes()
	known6 = "add 2001:db8::9 020000000009"
)

// RFC 8200 §4, RFC 4443 §3.4: what a host says of headers that it does not
// understand.
func TestRFC8200_EXTENSIONS(t *testing.T) {
	const echo = "echo"
	for _, test := range []struct {
		name       string
		first      wire.Proto
		extensions []byte
		toGroup    bool
		typ, code  uint8 // of the answer; 0: none
		pointer    uint32
	}{
		{"none", wire.ICMPv6, nil, false, wire.ICMPv6EchoReply, 0, 0},
		{"options to skip", wire.DestinationOptions, []byte{58, 0, 0x1e, 4, 0, 0, 0, 0}, false, wire.ICMPv6EchoReply, 0, 0},
		{"an option to drop for", wire.DestinationOptions, []byte{58, 0, 0x5e, 4, 0, 0, 0, 0}, false, 0, 0, 0},
		{"an option to report", wire.DestinationOptions, []byte{58, 0, 0x9e, 4, 0, 0, 0, 0}, false, wire.ICMPv6ParameterProblem, wire.ICMPv6UnknownOption, 42},
		{"an option to report, in a group", wire.DestinationOptions, []byte{58, 0, 0x9e, 4, 0, 0, 0, 0}, true, wire.ICMPv6ParameterProblem, wire.ICMPv6UnknownOption, 42},
		{"an option to report, unless in a group", wire.DestinationOptions, []byte{58, 0, 0xde, 4, 0, 0, 0, 0}, true, 0, 0, 0},
		{"a routing header of type 0", 43, []byte{58, 0, 0, 1, 0, 0, 0, 0}, false, wire.ICMPv6ParameterProblem, wire.ICMPv6ErroneousField, 42},
		{"a routing header that is done", 43, []byte{58, 0, 0, 0, 0, 0, 0, 0}, false, wire.ICMPv6EchoReply, 0, 0},
		{"an unknown header", 0xfd, nil, false, wire.ICMPv6ParameterProblem, wire.ICMPv6UnknownHeader, 6},
		{"an unknown header behind another", wire.DestinationOptions, []byte{0xfd, 0, 1, 4, 0, 0, 0, 0}, false, wire.ICMPv6ParameterProblem, wire.ICMPv6UnknownHeader, 40},
		{"ICMP of IPv4", wire.ICMP, nil, false, wire.ICMPv6ParameterProblem, wire.ICMPv6UnknownHeader, 6},
		{"an atomic fragment", 44, []byte{58, 0, 0, 0, 0, 0, 0, 7}, false, wire.ICMPv6EchoReply, 0, 0},
		{"a first fragment without its headers", 44, []byte{6, 0, 0, 1, 0, 0, 0, 7}, false, wire.ICMPv6ParameterProblem, wire.ICMPv6IncompleteChain, 0},
		{"nothing follows", wire.NoNext, nil, false, 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, i, n, frames := tapped(t, "2001:db8::1/64")
				must(t, s.WriteARP(known6))
				ip := wire.IP{Src: peer6, Dst: ours6, Proto: test.first, TTL: 64}
				if test.toGroup {
					ip.Dst = all6
				}
				m := icmp6(wire.ICMPHeader{Type: wire.ICMPv6EchoRequest, Rest: 5}, ip, []byte(echo+echo))
				inject(t, s, n, i.mac, ip, test.extensions, m)
				if test.typ == 0 {
					for _, typ := range []uint8{wire.ICMPv6EchoReply, wire.ICMPv6ParameterProblem} {
						if h, _, _ := answer(t, frames, typ); h.Type != 0 {
							t.Errorf("answered by %+v", h)
						}
					}
					return
				}
				h, body, from := answer(t, frames, test.typ)
				if h.Type != test.typ || h.Code != test.code || test.typ == wire.ICMPv6ParameterProblem && h.Rest != test.pointer || from.Src != ours6 {
					t.Fatalf("%+v from %v", h, from.Src)
				}
				if test.typ == wire.ICMPv6ParameterProblem && (len(body) < wire.IPv6Len || body[6] != byte(test.first)) {
					t.Errorf("it quotes %x", body)
				}
			})
		})
	}
}

// RFC 5722, RFC 8200 §4.5: fragments in any order make a datagram; such that
// overlap make none, and nobody is told; of one that is not complete after a
// minute the source is.
func TestRFC8200_FRAGMENTS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i, n, frames := tapped(t, "2001:db8::1/64")
		must(t, s.WriteARP(known6))
		ip := wire.IP{Src: peer6, Dst: ours6, Proto: wire.ICMPv6, TTL: 64}
		whole := icmp6(wire.ICMPHeader{Type: wire.ICMPv6EchoRequest, Rest: 5}, ip, bytes.Repeat([]byte("0123"), 10))
		send := func(id uint32, from, to int) {
			ip.ID, ip.Offset, ip.More = id, from, to < len(whole)
			inject(t, s, n, i.mac, ip, nil, whole[from:to])
		}
		send(1, 32, 48)
		send(1, 0, 16)
		send(1, 0, 16) // an exact duplicate
		send(1, 16, 32)
		if _, body, _ := answer(t, frames, wire.ICMPv6EchoReply); len(body) != 40 {
			t.Fatalf("%d bytes came back", len(body))
		}
		send(2, 0, 24)
		send(2, 16, 48)
		send(2, 24, 48)
		if h, _, _ := answer(t, frames, wire.ICMPv6EchoReply); h.Type != 0 {
			t.Error("overlapping fragments are answered")
		}
		send(3, 0, 24)
		time.Sleep(61 * time.Second)
		h, body, _ := answer(t, frames, wire.ICMPv6TimeExceeded)
		if h.Type != wire.ICMPv6TimeExceeded || h.Code != wire.ICMPReassemblyExceeded || len(body) < wire.IPv6Len+8+24 || binary.BigEndian.Uint32(body[44:]) != 3 {
			t.Errorf("%+v, %x", h, body)
		}
	})
}

// RFC 4443 §2.4 e: no error about an error, a group, or who is not one host.
func TestRFC4443_NO_ERROR(t *testing.T) {
	unspecified := netip.IPv6Unspecified()
	for name, test := range map[string]struct {
		src, dst netip.Addr
		payload  []byte
		proto    wire.Proto
		typ      uint8
	}{
		"a group":     {peer6, all6, []byte{0, 53, 0, 54, 0, 8, 0, 0}, wire.UDP, wire.ICMPv6Unreachable},
		"nobody":      {unspecified, all6, []byte{1}, 0xfd, wire.ICMPv6ParameterProblem},
		"many":        {all6, ours6, []byte{1}, 0xfd, wire.ICMPv6ParameterProblem},
		"a loop":      {netip.IPv6Loopback(), ours6, []byte{1}, 0xfd, wire.ICMPv6ParameterProblem},
		"ourselves":   {ours6, ours6, []byte{1}, 0xfd, wire.ICMPv6ParameterProblem},
		"mapped IPv4": {netip.MustParseAddr("::ffff:10.0.0.1"), ours6, []byte{1}, 0xfd, wire.ICMPv6ParameterProblem},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, i, n, frames := tapped(t, "2001:db8::1/64")
				must(t, s.WriteARP(known6))
				ip := wire.IP{Src: test.src, Dst: test.dst, Proto: test.proto, TTL: 64}
				if test.proto == wire.UDP {
					binary.BigEndian.PutUint16(test.payload[6:], wire.TransportChecksum(ip.Src, ip.Dst, wire.UDP, test.payload))
				}
				inject(t, s, n, i.mac, ip, nil, test.payload)
				if h, _, _ := answer(t, frames, test.typ); h.Type != 0 {
					t.Errorf("answered by %+v", h)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s, i, n, frames := tapped(t, "2001:db8::1/64")
		must(t, s.WriteARP(known6))
		must(t, s.WriteCtl("icmp.ratelimit 10"))
		ip := wire.IP{Src: peer6, Dst: ours6, Proto: 0xfd, TTL: 64}
		for range 2 * icmpBurst {
			inject(t, s, n, i.mac, ip, nil, []byte{1})
		}
		told := 0
		for h, _, _ := answer(t, frames, wire.ICMPv6ParameterProblem); h.Type != 0; h, _, _ = answer(t, frames, wire.ICMPv6ParameterProblem) {
			told++
		}
		if told != icmpBurst || counter(t, s.StatsText(wire.ICMPv6), "RateLimited") != "50" {
			t.Errorf("%d errors at once", told)
		}
	})
}

// RFC 4861 §6.1, §7.1: messages from beyond the link, or with a code, are not
// heard.
func TestRFC4861_OF_THE_LINK(t *testing.T) {
	for name, change := range map[string]func(*wire.IP, *wire.ICMPHeader){
		"valid":        func(*wire.IP, *wire.ICMPHeader) {},
		"from beyond":  func(ip *wire.IP, _ *wire.ICMPHeader) { ip.TTL = 254 },
		"a code":       func(_ *wire.IP, h *wire.ICMPHeader) { h.Code = 1 },
		"in fragments": func(ip *wire.IP, _ *wire.ICMPHeader) { ip.ID = 1 },
		"of nobody":    func(ip *wire.IP, _ *wire.ICMPHeader) { ip.Src = netip.IPv6Unspecified() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, i, n, frames := tapped(t, "2001:db8::1/64")
				ip := wire.IP{Src: peer6, Dst: ours6, Proto: wire.ICMPv6, TTL: 255}
				h := wire.ICMPHeader{Type: wire.NeighbourSolicitation}
				change(&ip, &h)
				m := wire.NeighbourMessage{Target: ours6, NDOptions: wire.NDOptions{SourceMAC: n.MAC()}}
				body := make([]byte, wire.LenNeighbour)
				_, length := m.Put(body)
				message := icmp6(h, ip, body[:length])
				if ip.ID != 0 {
					ip.More = true
					inject(t, s, n, i.mac, ip, nil, message[:16])
					ip.More, ip.Offset = false, 16
					message = message[16:]
				}
				inject(t, s, n, i.mac, ip, nil, message)
				got, answerBody, from := answer(t, frames, wire.NeighbourAdvertisement)
				if (got.Type != 0) != (name == "valid") {
					t.Fatalf("answered by %+v", got)
				}
				if name != "valid" {
					return
				}
				a, err := wire.ParseNeighbour(got, answerBody)
				if err != nil || a.Target != ours6 || !a.Solicited || !a.Override || a.Router || a.TargetMAC != i.mac || from.Dst != peer6 || from.TTL != 255 {
					t.Errorf("%+v to %v, hop limit %d, %v", a, from.Dst, from.TTL, err)
				}
			})
		})
	}
}

// RFC 4862: a router's words make an address, a route and an MTU; the files show
// them.
func TestRFC4862_AUTOCONFIGURATION(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i, n, frames := tapped(t, "10.0.0.1/24")
		must(t, i.Ctl("ra6 recvra 1"))
		if h, _, ip := answer(t, frames, wire.RouterSolicitation); h.Type == 0 || ip.TTL != 255 || ip.Dst != netip.IPv6LinkLocalAllRouters() {
			t.Fatalf("no router is asked: %+v, %+v", h, ip)
		}
		ip := wire.IP{Src: netip.MustParseAddr("fe80::9"), Dst: all6, Proto: wire.ICMPv6, TTL: 255}
		body := []byte{0, 0, 0x4e, 0x20, 0, 0, 3, 0xe8, // 20 s, 1 s
			1, 1, 2, 0, 0, 0, 0, 9,
			5, 1, 0, 0, 0, 0, 5, 0x14, // 1300
			3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 7, 8, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		inject(t, s, n, i.mac, ip, nil, icmp6(wire.ICMPHeader{Type: wire.RouterAdvertisement, Rest: 61<<24 | 1800}, ip, body))
		if text := i.StatusText(); !strings.Contains(text, "tentative") {
			t.Errorf("nothing is tried:\n%s", text)
		}
		time.Sleep(5 * time.Second)
		text := i.StatusText()
		if !strings.Contains(text, "recvra 1") || !strings.Contains(text, "linkmtu 1300 reachtime 20000 rxmitra 1000 ttl 61") || !strings.Contains(text, "\t2001:db8:5:0:") || strings.Contains(text, "tentative") {
			t.Errorf("status:\n%s", text)
		}
		routes := s.RouteText()
		if !strings.Contains(routes, "fe80::9%1") || !strings.Contains(routes, "2001:db8:5::") || !strings.Contains(routes, " ra6 ") {
			t.Errorf("iproute:\n%s", routes)
		}
		src, to, err := s.sourceFor("2001:db8:77::1")
		if err != nil || to.hop != netip.MustParseAddr("fe80::9%1") || !strings.HasPrefix(src.String(), "2001:db8:5:") {
			t.Errorf("from %v by %v, %v", src, to.hop, err)
		}
		time.Sleep(time.Hour)
		if text := i.StatusText() + s.RouteText(); strings.Contains(text, "2001:db8:5") || strings.Contains(text, "fe80::9%") {
			t.Errorf("an hour later:\n%s", text)
		}
	})
}

// RFC 4861 §8: a redirect is followed only where that is wanted, only from the
// router in use, and for a while.
func TestRFC4861_REDIRECT(t *testing.T) {
	for _, test := range []struct {
		name, from string
		accept     bool
		hop        string
	}{
		{"not wanted", "fe80::9", false, "fe80::9%1"},
		{"wanted", "fe80::9", true, "fe80::8%1"},
		{"from another", "fe80::7", true, "fe80::9%1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, i, n, _ := tapped(t, "2001:db8::1/64")
				time.Sleep(3 * time.Second) // for the link-local address
				must(t, s.WriteRoute("add ::/0 fe80::9%1", new(string)))
				if test.accept {
					must(t, s.WriteCtl("ip.redirect.accept on"))
				}
				ll, _ := i.linkLocalAddr()
				ip := wire.IP{Src: netip.MustParseAddr(test.from), Dst: ll, Proto: wire.ICMPv6, TTL: 255}
				target, dst := netip.MustParseAddr("fe80::8").As16(), netip.MustParseAddr("2001:db8:77::1").As16()
				body := append(append([]byte{}, target[:]...), dst[:]...)
				inject(t, s, n, i.mac, ip, nil, icmp6(wire.ICMPHeader{Type: wire.Redirect}, ip, body))
				if _, to, err := s.sourceFor("2001:db8:77::1"); err != nil || to.hop.String() != test.hop {
					t.Errorf("by %v, %v, want %s", to.hop, err, test.hop)
				}
				if _, to, err := s.sourceFor("2001:db8:77::2"); err != nil || to.hop.String() != "fe80::9%1" {
					t.Errorf("another host by %v, %v", to.hop, err)
				}
				time.Sleep(movedFor + time.Second)
				if _, to, err := s.sourceFor("2001:db8:77::1"); err != nil || to.hop.String() != "fe80::9%1" {
					t.Errorf("for ever by %v, %v", to.hop, err)
				}
			})
		})
	}
}

// linkLocalAddr is linkLocalOf, under the lock, and as it is on the cable.
func (i *Iface) linkLocalAddr() (netip.Addr, bool) {
	i.stack.lock()
	defer i.stack.unlock()
	a, ok := i.linkLocalOf()
	return a.WithZone(""), ok
}

// sourceFor is source, under the lock.
func (s *Stack) sourceFor(dst string) (netip.Addr, path, error) {
	s.lock()
	defer s.unlock()
	return s.source(netip.MustParseAddr(dst))
}

// RFC 4862 §5.4: an address that somebody has is not used, whoever asks for it
// first; Plan 9's try finds out.
func TestRFC4862_DUPLICATES(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newHost(t, Config{}), newHost(t, Config{})
		ia, ib := join(t, a, "2001:db8::1/64", b, "2001:db8::2/64", nic.Options{})
		must(t, ia.Ctl("try 2001:db8::2/64"))
		must(t, ia.Ctl("try 2001:db8::3/64"))
		must(t, ib.Ctl("try 2001:db8::4/64"))
		time.Sleep(5 * time.Second)
		if text := ia.StatusText(); strings.Contains(text, "2001:db8::2 ") || !strings.Contains(text, "2001:db8::3 ") {
			t.Errorf("status:\n%s", text)
		}
		if !strings.Contains(a.LogText(), "somebody else has 2001:db8::2") {
			t.Errorf("log:\n%s", a.LogText())
		}
		// Both at once: they do not both get it.
		must(t, ia.Ctl("try 2001:db8::7/64"))
		must(t, ib.Ctl("try 2001:db8::7/64"))
		time.Sleep(5 * time.Second)
		if strings.Contains(ia.StatusText(), "2001:db8::7") && strings.Contains(ib.StatusText(), "2001:db8::7") {
			t.Error("both have it")
		}
		must(t, ib.Ctl("remove 2001:db8::4/64"))
		if err := ib.Ctl("remove 2001:db8::4/64"); !errors.Is(err, neterr.NotLocal) {
			t.Errorf("removed twice: %v", err)
		}
	})
}

// Plan 9's add6 gives an address for a time.
func TestAdd6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i, _, _ := tapped(t, "2001:db8::1/64")
		must(t, i.Ctl("add6 2001:db8:6::1 64 1 0 100 50"))
		if text := i.StatusText(); !strings.Contains(text, "2001:db8:6::1 ") || !strings.Contains(text, " 100 ") || !strings.Contains(text, " 50 ") || !strings.Contains(s.RouteText(), "2001:db8:6::") {
			t.Errorf("status:\n%s", text)
		}
		time.Sleep(60 * time.Second) // deprecated: another one is preferred now
		if src, _, err := s.sourceFor("2001:db8:6::9"); err != nil || src != ours6 {
			t.Errorf("from %v, %v", src, err)
		}
		time.Sleep(60 * time.Second)
		if text := i.StatusText() + s.RouteText(); strings.Contains(text, "2001:db8:6:") {
			t.Errorf("after its time:\n%s", text)
		}
		for _, bad := range []string{"add6", "add6 10.0.0.2 24", "add6 2001:db8:6::1 64 1 0 50 100", "add6 2001:db8:6::1 64 x", "add6 2001:db8::1 64", "ra6 sendra 1", "ra6 recvra 2", "try ff02::9/64", "mtu 1000"} {
			if i.Ctl(bad) == nil {
				t.Errorf("%s is taken", bad)
			}
		}
	})
}

// A view's uplink has one family or both.
func TestUplinksOfBothFamilies(t *testing.T) {
	for _, test := range []struct{ line, bad string }{
		{"uplink routed 10.7.0.2/24 fd00:7::2/64", ""},
		{"uplink routed fd00:7::2/64", ""},
		{"uplink switch fd00:114::9/64 fd00:114::2 10.0.0.9/24 10.0.0.1", ""},
		{"uplink routed fd00:7::2/64 fd00:8::2/64", "one address of each family"},
		{"uplink routed fd00:7::2/128", "/8 to /127"},
		{"uplink routed fe80::2/64", "link-local"},
		{"uplink switch fd00:114::9/64 fd00:115::1", "as a gateway"},
	} {
		root, world := newHost(t, Config{}), newHost(t, Config{})
		i, _ := join(t, root, "10.0.0.1/24", world, "10.0.0.2/24", nic.Options{})
		must(t, i.Ctl("add fd00:114::1/64"))
		must(t, world.Iface(1).Ctl("add fd00:114::2/64"))
		must(t, world.WriteRoute("add fd00:7::/64 fd00:114::1", new(string)))
		must(t, world.WriteRoute("add 10.7.0.0/24 10.0.0.1", new(string)))
		h, _ := newHostOf(t, root)
		v := mkview(t, h, "web")
		if err := v.Ctl(test.line); test.bad != "" {
			if err == nil || !strings.Contains(err.Error(), test.bad) {
				t.Errorf("%s: %v, want words about %q", test.line, err, test.bad)
			}
			continue
		} else if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		carries(t, v.Stack(), world, "[fd00:114::2]")
		if strings.Contains(test.line, "10.") {
			carries(t, v.Stack(), world, "10.0.0.2")
		}
	}
}

// An IPv6 datagram of UDP without a checksum is dropped; the verb that goes
// without one in IPv4 changes nothing here.
func TestRFC8200_CHECKSUM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i, n, frames := tapped(t, "2001:db8::1/64")
		must(t, s.WriteARP(known6))
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 2001:db8::9!53\nchecksum off")
		write(t, c, []byte("summed"))
		for b := range frames {
			ip, payload, err := wire.ParseIPv6(b[wire.EthernetLen:])
			if err == nil && ip.Proto == wire.UDP {
				if wire.TransportChecksum(ip.Src, ip.Dst, wire.UDP, payload) != 0 {
					t.Errorf("sent without a checksum: %x", payload)
				}
				break
			}
		}
		datagram := make([]byte, wire.UDPLen+1)
		_, port, _ := strings.Cut(strings.TrimSpace(c.LocalText()), "!")
		var to uint16
		for _, digit := range port {
			to = 10*to + uint16(digit-'0')
		}
		wire.UDPHeader{SrcPort: 53, DstPort: to, Length: uint16(len(datagram))}.Put(datagram)
		inject(t, s, n, i.mac, wire.IP{Src: peer6, Dst: ours6, Proto: wire.UDP, TTL: 64}, nil, datagram)
		if got := counter(t, i.StatsText(), "dropped bad udp checksum"); got != "1" || counter(t, s.StatsText(wire.UDP), "InDatagrams") != "0" {
			t.Errorf("%s dropped", got)
		}
		c.Drop()
	})
}

// What belongs to a link does not leave it.
func TestRFC8200_LINK_LOCAL(t *testing.T) {
	for _, test := range []struct {
		src, dst string
		beyond   bool // told that it is beyond the scope of its source
	}{
		{"fe80::9", "2001:db8:2::2", true}, {"2001:db8::9", "fe80::2", false}, {"2001:db8::9", "2001:db8:2::2", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			router, i, n, frames := tapped(t, "2001:db8::1/64")
			other := newHost(t, Config{})
			join(t, other, "2001:db8:2::2/64", router, "2001:db8:2::1/64", nic.Options{})
			must(t, router.WriteCtl("ip.forward on"))
			ip := wire.IP{Src: netip.MustParseAddr(test.src), Dst: netip.MustParseAddr(test.dst), Proto: wire.NoNext, TTL: 64}
			must(t, router.WriteARP("add "+map[bool]string{true: "fe80::9%1", false: "2001:db8::9"}[test.beyond]+" 020000000009"))
			inject(t, router, n, i.mac, ip, nil, nil)
			want := "0"
			if test.src == "2001:db8::9" && test.dst == "2001:db8:2::2" {
				want = "1"
			}
			if got := counter(t, router.StackStatsText(), "ForwDatagrams"); got != want {
				t.Errorf("%s to %s: %s passed on, want %s", test.src, test.dst, got, want)
			}
			h, _, _ := answer(t, frames, wire.ICMPv6Unreachable)
			if (h.Type != 0 && h.Code == wire.ICMPv6BeyondScope) != test.beyond {
				t.Errorf("%s to %s: answered by %+v", test.src, test.dst, h)
			}
		})
	}
}

func TestRFC6437_FLOW_LABEL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _, frames := tapped(t, "2001:db8::1/64")
		must(t, s.WriteARP(known6))
		labels := map[uint16]map[uint32]bool{}
		for _, proto := range []wire.Proto{wire.UDP, wire.TCP} {
			for range 2 {
				c := clone(t, s, proto)
				op := start(s, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 2001:db8::9!9")})
				if proto == wire.UDP {
					wait(t, op)
					write(t, c, []byte("one"))
					write(t, c, []byte("two"))
				}
				time.Sleep(3500 * time.Millisecond) // some SYNs
				c.Drop()
			}
		}
		for len(frames) > 0 {
			ip, payload, err := wire.ParseIPv6((<-frames)[wire.EthernetLen:])
			if err != nil || ip.Proto != wire.UDP && ip.Proto != wire.TCP {
				continue
			}
			port := binary.BigEndian.Uint16(payload)
			if labels[port] == nil {
				labels[port] = map[uint32]bool{}
			}
			labels[port][ip.Flow] = true
		}
		all := map[uint32]bool{}
		for port, of := range labels {
			for label := range of {
				all[label] = true
				if len(of) != 1 || label == 0 {
					t.Errorf("port %d has labels %v", port, of)
				}
			}
		}
		if len(labels) != 4 || len(all) != 4 {
			t.Errorf("%d flows, %d labels", len(labels), len(all))
		}
	})
}
