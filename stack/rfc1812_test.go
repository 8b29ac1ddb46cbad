package stack

// The rows of RFC 1812, forwarding; test/requirements/rfc1812.rows tells them.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// crossing is a datagram that goes from the left to the right.
func crossing(left, right *station, ip wire.IP, payload []byte) []byte {
	ip.Dst = right.ip
	if ip.Proto == 0 {
		ip.Proto = wire.UDP
	}
	if ip.TTL == 0 {
		ip.TTL = 9
	}
	return left.datagram(ip, payload)
}

// A header that is not right is dropped, and not only where it is for us.
func TestRFC1812_FWD_01(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, right := newCrossing(t)
		good := crossing(left, right, wire.IP{}, make([]byte, 20))
		left.raw(good)
		right.one()
		for what, damage := range map[string]func(b []byte) []byte{
			"shorter than a header":        func(b []byte) []byte { return b[:19] },
			"version 5":                    func(b []byte) []byte { b[0] = 0x55; return b },
			"a header of 16 bytes":         func(b []byte) []byte { b[0] = 0x44; return b },
			"a header beyond the end":      func(b []byte) []byte { b[0] = 0x4f; return b },
			"a total length below it":      func(b []byte) []byte { b[2], b[3] = 0, 19; return b },
			"a total length beyond it all": func(b []byte) []byte { b[2], b[3] = 0, 41; return b },
		} {
			b := damage(slices.Clone(good))
			if len(b) >= wire.IPv4Len {
				binary.BigEndian.PutUint16(b[10:], 0)
				binary.BigEndian.PutUint16(b[10:], wire.Checksum(b[:min(len(b), int(b[0]&15)*4)]))
			}
			left.raw(b)
			right.none(what)
			left.none(what)
		}
		wrong := slices.Clone(good)
		wrong[11] ^= 1
		left.raw(wrong)
		right.none("a wrong checksum")
		if n := drops(t, left.iface, "bad ip header"); n != "7" {
			t.Errorf("%s dropped, want 7", n)
		}
	})
}

// The TTL falls by one; where it would become zero the datagram ends and its
// sender is told; for ourselves it does not matter.
func TestRFC1812_FWD_02(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, right := newCrossing(t)
		for _, ttl := range []uint8{255, 2} {
			left.raw(crossing(left, right, wire.IP{TTL: ttl}, make([]byte, 8)))
			if d := right.one(); d.ip.TTL != ttl-1 {
				t.Errorf("TTL %d became %d", ttl, d.ip.TTL)
			}
		}
		for _, ttl := range []uint8{1, 0} {
			sent := left.datagram(wire.IP{Dst: right.ip, Proto: wire.UDP, TTL: ttl}, make([]byte, 8))
			left.raw(sent)
			right.none(fmt.Sprintf("a TTL of %d", ttl))
			left.one().isError(t, wire.ICMPTimeExceeded, wire.ICMPTTLExceeded, sent)
			left.raw(left.datagram(wire.IP{Dst: addr("10.0.2.254"), Proto: wire.ICMP, TTL: ttl}, ping("x")))
			if h, _ := left.one().icmp(t); h.Type != wire.ICMPEchoReply {
				t.Errorf("for ourselves with a TTL of %d: %+v", ttl, h)
			}
		}
	})
}

// The checksum is right after the TTL has fallen, whatever it was, 0xffff and 0
// included.
func TestRFC1812_FWD_03(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, right := newCrossing(t)
		sums := map[uint16]bool{}
		pass := func(id uint32, ttl uint8) {
			left.raw(crossing(left, right, wire.IP{ID: id, TTL: ttl}, make([]byte, 8)))
			d := right.one() // which has verified it
			sums[binary.BigEndian.Uint16(d.header[10:])] = true
		}
		for ttl := uint8(2); ttl < 255; ttl += 11 {
			pass(uint32(ttl)*251, ttl)
		}
		// The ID that makes the checksum after the fall a corner.
		zero := crossing(left, right, wire.IP{TTL: 8}, make([]byte, 8))
		rest := binary.BigEndian.Uint16(zero[10:])
		for _, corner := range []uint16{0, 1, 0xfeff, 0xfffe} {
			pass(uint32(rest-corner), 9)
		}
		if !sums[0] && !sums[0xffff] || len(sums) < 20 {
			t.Errorf("%d checksums, none is a corner", len(sums))
		}
	})
}

// The longest prefix wins, then the lowest metric.
func TestRFC1812_FWD_04(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		for _, route := range []string{"0.0.0.0/0 10.0.1.9", "192.0.2.0/24 10.0.2.5 7", "192.0.2.0/24 10.0.2.6 3", "192.0.2.128/25 10.0.2.7 9", "192.0.2.200/32 10.0.2.8"} {
			must(t, s.WriteRoute("add "+route, new(string)))
		}
		for dst, hop := range map[string]string{"192.0.2.1": "10.0.2.6", "192.0.2.129": "10.0.2.7", "192.0.2.200": "10.0.2.8", "192.0.2.201": "10.0.2.7"} {
			must(t, s.WriteARP("flush"))
			right.asks()
			left.raw(left.datagram(wire.IP{Dst: addr(dst), Proto: wire.UDP, TTL: 9}, make([]byte, 8)))
			if asked := right.asks(); len(asked) != 1 || asked[0].TargetIP != addr(hop) {
				t.Errorf("to %s asked %+v, want %s", dst, asked, hop)
			}
			right.one()
		}
	})
}

// Without DF what is too long for the next link is cut up, a fragment too.
func TestRFC1812_FWD_05(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, right := newCrossing(t)
		payload := bytes.Repeat([]byte("01234567"), 150) // 1200 bytes
		options := []byte{0x5e, 4, 1, 2, 0xde, 4, 3, 4}  // the second is copied
		for _, whole := range []wire.IP{{ID: 5}, {ID: 6, Offset: 800, More: true}} {
			whole.Options = options
			left.raw(crossing(left, right, whole, payload))
			got := make([]byte, len(payload))
			all := right.seen()
			for n, d := range all {
				want := options
				if n > 0 {
					want = options[4:]
				}
				last := n == len(all)-1
				if d.ip.ID != whole.ID || d.ip.More != (!last || whole.More) || !bytes.Equal(d.ip.Options, want) || d.ip.TTL != 8 || len(d.header)+len(d.payload) > 600 || !last && len(d.payload)%8 != 0 {
					t.Errorf("fragment %d: %+v, %d bytes", n, d.ip, len(d.payload))
				}
				copy(got[d.ip.Offset-whole.Offset:], d.payload)
			}
			if len(all) != 3 || !bytes.Equal(got, payload) {
				t.Errorf("%d fragments, or they do not make what was sent", len(all))
			}
		}
	})
}

// With DF its sender is told the MTU.
func TestRFC1812_FWD_06(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, right := newCrossing(t)
		sent := crossing(left, right, wire.IP{DF: true}, make([]byte, 581))
		left.raw(sent)
		right.none("one byte too long")
		if h := left.one().isError(t, wire.ICMPUnreachable, wire.ICMPFragmentationNeeded, sent); h.MTU() != 600 {
			t.Errorf("MTU %d, want 600", h.MTU())
		}
		left.raw(crossing(left, right, wire.IP{DF: true}, make([]byte, 580)))
		right.one()
		left.none("as long as the MTU")
	})
}

// No route: the network is unreachable; no neighbour: the host is.
func TestRFC1812_FWD_07(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, right := newCrossing(t)
		sent := left.datagram(wire.IP{Dst: addr("192.0.2.1"), Proto: wire.UDP, TTL: 9}, make([]byte, 8))
		left.raw(sent)
		left.one().isError(t, wire.ICMPUnreachable, wire.ICMPNetUnreachable, sent)
		right.hush(true)
		left.raw(left.datagram(wire.IP{Dst: addr("10.0.2.77"), Proto: wire.UDP, TTL: 9}, make([]byte, 8)))
		time.Sleep(4 * time.Second)
		if h, _ := left.one().icmp(t); h.Type != wire.ICMPUnreachable || h.Code != wire.ICMPHostUnreachable {
			t.Errorf("%+v, want host unreachable", h)
		}
	})
}

// No error about an error, a group, a later fragment or a martian.
func TestRFC1812_FWD_08(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, right := newCrossing(t)
		nowhere := addr("192.0.2.1")
		quote := left.datagram(wire.IP{Src: nowhere, Dst: left.ip, Proto: wire.UDP, TTL: 9}, make([]byte, 8))
		left.send(wire.IP{Dst: nowhere, Proto: wire.ICMP}, icmpMessage(wire.ICMPUnreachable, 1, 0, quote))
		left.none("an error of ICMP")
		left.send(wire.IP{Dst: nowhere, Proto: wire.UDP, Offset: 8}, make([]byte, 8))
		left.none("a later fragment")
		left.toGroup(wire.Broadcast, wire.IP{Dst: nowhere, Proto: wire.UDP}, make([]byte, 8))
		left.none("a broadcast of the link")
		left.toGroup(wire.MulticastMAC(addr("239.1.1.1")), wire.IP{Dst: addr("239.1.1.1"), Proto: wire.UDP}, make([]byte, 8))
		left.none("a multicast")
		for _, src := range []string{"0.0.0.0", "127.0.0.1", "10.0.2.255", "255.255.255.255", "224.0.0.1", "240.0.0.1", "10.0.2.254"} {
			left.send(wire.IP{Src: addr(src), Dst: nowhere, Proto: wire.UDP}, make([]byte, 8))
			left.none("a datagram from " + src)
			right.none("a datagram from " + src)
		}
		left.send(wire.IP{Dst: nowhere, Proto: wire.UDP}, make([]byte, 8))
		left.one()
	})
}

// An error has the address of the interface that it leaves by, the precedence of
// control traffic, and a quote of what fits in 576 bytes.
func TestRFC1812_FWD_09(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, _ := newCrossing(t)
		for _, n := range []int{8, 900} {
			sent := left.datagram(wire.IP{Dst: addr("192.0.2.1"), Proto: wire.UDP, TTL: 9, TOS: 0x10}, make([]byte, n))
			left.raw(sent)
			d := left.one()
			d.isError(t, wire.ICMPUnreachable, wire.ICMPNetUnreachable, sent)
			if d.ip.Src != addr("10.0.1.254") || d.ip.TOS != 0xc0 {
				t.Errorf("from %v with a type of service of %#x, want 10.0.1.254 and 0xc0", d.ip.Src, d.ip.TOS)
			}
			if got, want := len(d.header)+len(d.payload), min(28+len(sent), 576); got != want {
				t.Errorf("it has %d bytes, want %d", got, want)
			}
		}
	})
}

// Errors are limited, and the limit is a knob.
func TestRFC1812_FWD_10(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, _ := newCrossing(t)
		must(t, s.WriteCtl("icmp.ratelimit 5"))
		flood := func() int {
			for range 200 {
				left.send(wire.IP{Dst: addr("192.0.2.1"), Proto: wire.UDP}, make([]byte, 8))
			}
			return len(left.seen())
		}
		if n := flood(); n != icmpBurst {
			t.Errorf("%d errors at once, want %d", n, icmpBurst)
		}
		time.Sleep(2 * time.Second)
		if n := flood(); n != 10 {
			t.Errorf("%d errors after 2s, want 10", n)
		}
		if n := counter(t, s.StatsText(wire.ICMP), "RateLimited"); n != strconv.Itoa(400-icmpBurst-10) {
			t.Errorf("%s held back", n)
		}
	})
}

// A redirect goes to a neighbour whose datagram leaves the way it came: for the
// one host, unless it follows a source route, and only while the knob is on.
func TestRFC1812_FWD_11(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		must(t, s.WriteRoute("add 192.0.2.0/24 10.0.1.9", new(string)))
		far := func(options []byte, src string) []byte {
			b := left.datagram(wire.IP{Src: addr(src), Dst: addr("192.0.2.1"), Proto: wire.UDP, TTL: 9, Options: options}, make([]byte, 8))
			left.raw(b)
			return b
		}
		sent := far(nil, "10.0.1.1")
		var passed, told int
		for _, d := range left.seen() {
			if d.ip.Dst == addr("192.0.2.1") {
				passed++
				continue
			}
			told++
			if h := d.isError(t, wire.ICMPRedirect, wire.ICMPRedirectHost, sent); h.Rest != 0x0a000109 {
				t.Errorf("redirected to %#x, want 10.0.1.9", h.Rest)
			}
		}
		if passed != 1 || told != 1 {
			t.Errorf("%d passed on, %d redirects, want one each", passed, told)
		}
		redirects := func() (n int) {
			for _, d := range left.seen() {
				if d.ip.Proto == wire.ICMP {
					n++
				}
			}
			return n
		}
		must(t, s.WriteRoute("add 172.16.0.0/16 10.0.1.8", new(string)))
		far(nil, "172.16.0.1")
		if n := redirects(); n != 0 {
			t.Errorf("%d redirects to one who is no neighbour", n)
		}
		left.raw(crossing(left, right, wire.IP{}, make([]byte, 8)))
		if n := redirects(); n != 0 {
			t.Errorf("%d redirects about one who leaves by another interface", n)
		}
		must(t, s.WriteCtl("ip.sourceroute on"))
		far([]byte{0x83, 7, 8, 10, 0, 1, 9}, "10.0.1.1")
		if n := redirects(); n != 0 {
			t.Errorf("%d redirects about a source route", n)
		}
		must(t, s.WriteCtl("ip.redirect.send off"))
		far(nil, "10.0.1.1")
		if n := redirects(); n != 0 {
			t.Errorf("%d redirects with the knob off", n)
		}
	})
}

// Martians are not forwarded; the log says so, unless the knob is off.
func TestRFC1812_FWD_12(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		must(t, s.WriteRoute("add 0 0 10.0.2.1", new(string)))
		right.asks()
		pairs := [][2]string{{"10.0.1.1", "0.1.2.3"}, {"10.0.1.1", "127.0.0.1"}, {"10.0.1.1", "127.9.9.9"}, {"10.0.1.1", "240.1.2.3"}, {"10.0.1.1", "169.254.3.4"},
			{"0.0.0.0", "10.0.2.1"}, {"127.0.0.1", "10.0.2.1"}, {"250.0.0.1", "10.0.2.1"}, {"10.0.1.255", "10.0.2.1"}, {"224.1.1.1", "10.0.2.1"}, {"169.254.1.1", "10.0.2.1"}}
		for n, p := range pairs {
			left.send(wire.IP{Src: addr(p[0]), Dst: addr(p[1]), Proto: wire.UDP}, make([]byte, 8))
			right.none(p[0] + " to " + p[1])
			left.none(p[0] + " to " + p[1])
			if got := drops(t, left.iface, "martian"); got != strconv.Itoa(n+1) {
				t.Errorf("%s to %s: %s dropped, want %d", p[0], p[1], got, n+1)
			}
		}
		lines := func() int { return strings.Count(s.LogText(), "martian") }
		if n := lines(); n != 1 {
			t.Errorf("%d lines of the log tell, want 1", n)
		}
		time.Sleep(time.Minute)
		must(t, s.WriteCtl("ip.logmartians off"))
		left.send(wire.IP{Dst: addr("0.1.2.3"), Proto: wire.UDP}, make([]byte, 8))
		if n := lines(); n != 1 {
			t.Errorf("%d lines of the log with the knob off, want the old 1", n)
		}
	})
}

// The way back to a source is checked where the interface wants it, or the knob.
func TestRFC1812_FWD_13(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		pass := func(src string) bool {
			left.send(wire.IP{Src: addr(src), Dst: right.ip, Proto: wire.UDP}, make([]byte, 8))
			return len(right.seen()) == 1
		}
		must(t, s.WriteRoute("add 172.16.0.0/16 10.0.2.1", new(string)))
		for _, test := range []struct {
			set                     string
			near, otherWay, nowhere bool
		}{
			{"", true, true, true}, {"loose", true, true, false}, {"strict", true, false, false}, {"off", true, true, true},
		} {
			if test.set != "" {
				must(t, left.iface.Ctl("rpfilter "+test.set))
			}
			if near, other, nowhere := pass("10.0.1.1"), pass("172.16.0.1"), pass("198.51.100.1"); near != test.near || other != test.otherWay || nowhere != test.nowhere {
				t.Errorf("%q: a neighbour passes: %v, one whose way is another: %v, one without a way: %v", test.set, near, other, nowhere)
			}
		}
		if n := drops(t, left.iface, "no way back"); n != "3" {
			t.Errorf("%s dropped, want 3", n)
		}
		must(t, s.WriteCtl("ip.rpfilter strict"))
		right.send(wire.IP{Src: addr("10.0.1.1"), Dst: addr("10.0.2.254"), Proto: wire.ICMP}, ping("x"))
		right.none("the knob is for interfaces that have not been told otherwise")
		if !pass("172.16.0.1") {
			t.Error("the knob overrules what the interface was told")
		}
		if err := left.iface.Ctl("rpfilter maybe"); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("rpfilter maybe: %v, want EINVAL", err)
		}
	})
}

// No broadcast is forwarded: not one of the link, nor the limited one, nor one for
// another network, unless the knob wants the last.
func TestRFC1812_FWD_14(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		left.toGroup(wire.Broadcast, wire.IP{Dst: right.ip, Proto: wire.UDP}, make([]byte, 8))
		right.none("a broadcast of the link")
		left.toGroup(wire.Broadcast, wire.IP{Dst: addr("255.255.255.255"), Proto: wire.UDP}, make([]byte, 8))
		right.none("the limited broadcast")
		for _, dst := range []string{"10.0.2.255", "10.0.2.0"} {
			must(t, s.WriteCtl("ip.directedbroadcast off"))
			left.send(wire.IP{Dst: addr(dst), Proto: wire.UDP}, make([]byte, 8))
			right.none("for " + dst)
			must(t, s.WriteCtl("ip.directedbroadcast on"))
			left.send(wire.IP{Dst: addr(dst), Proto: wire.UDP}, make([]byte, 8))
			if d := right.one(); d.eth.Dst != wire.Broadcast || d.ip.Dst != addr(dst) || d.ip.TTL != 8 {
				t.Errorf("for %s, wanted: %+v in a frame to %v", dst, d.ip, d.eth.Dst)
			}
			left.toGroup(wire.Broadcast, wire.IP{Dst: addr(dst), Proto: wire.UDP}, make([]byte, 8))
			right.none("in a broadcast of the link, for " + dst)
		}
		left.none("no errors either")
		if n := drops(t, left.iface, "directed broadcast"); n != "2" {
			t.Errorf("%s dropped, want 2", n)
		}
	})
}

// Options pass untouched, but where a route or a time is to be recorded; the knobs
// say otherwise. A source route needs one.
func TestRFC1812_FWD_15(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		pass := func(options []byte) []byte {
			left.raw(crossing(left, right, wire.IP{Options: options}, make([]byte, 8)))
			all := right.seen()
			if len(all) != 1 {
				return []byte("dropped")
			}
			return all[0].ip.Options
		}
		for _, untouched := range [][]byte{{0x5e, 4, 0xab, 0xcd}, wire.RouterAlert, {0x88, 4, 0, 1}, {1, 1, 1, 0}, {0x82, 4, 1, 2}} {
			if got := pass(untouched); !bytes.Equal(got, untouched) {
				t.Errorf("%x became %x", untouched, got)
			}
		}
		record := []byte{7, 11, 8, 10, 0, 1, 1, 0, 0, 0, 0, 0}
		if got, want := pass(record), []byte{7, 11, 12, 10, 0, 1, 1, 10, 0, 2, 254, 0}; !bytes.Equal(got, want) {
			t.Errorf("a record of the route became %x, want %x", got, want)
		}
		must(t, s.WriteCtl("ip.options pass"))
		if got := pass(record); !bytes.Equal(got, record) {
			t.Errorf("pass: a record of the route became %x", got)
		}
		must(t, s.WriteCtl("ip.options drop"))
		if got := pass(record); string(got) != "dropped" {
			t.Errorf("drop: passed on with %x", got)
		}
		must(t, s.WriteCtl("ip.options process"))
		route := []byte{0x83, 7, 4, 10, 0, 2, 9, 0}
		if got := pass(route); string(got) != "dropped" {
			t.Errorf("a source route by default: passed on with %x", got)
		}
		must(t, s.WriteCtl("ip.sourceroute on"))
		if got := pass(route); !bytes.Equal(got, route) {
			t.Errorf("a source route that does not name us: became %x", got)
		}
		sent := crossing(left, right, wire.IP{Options: []byte{7, 7, 5, 0, 0, 0, 0}}, make([]byte, 8))
		left.raw(sent)
		if h := left.one().isError(t, wire.ICMPParameterProblem, 0, sent); h.Rest>>24 != 22 {
			t.Errorf("it points at %d, want 22", h.Rest>>24)
		}
	})
}

// All our addresses are ours on every side, and so is the limited broadcast.
func TestRFC1812_FWD_16(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 7\nheaders")
		for _, dst := range []string{"10.0.1.254", "10.0.2.254", "10.0.1.255", "10.0.2.255", "255.255.255.255", "224.0.0.1"} {
			to := addr(dst)
			mac := left.iface.mac
			switch {
			case to.IsMulticast():
				mac = wire.MulticastMAC(to)
			case dst == "10.0.1.255" || dst == "255.255.255.255":
				mac = wire.Broadcast
			}
			left.toGroup(mac, wire.IP{Dst: to, Proto: wire.UDP}, udpDatagram(left.ip, to, 1000, 7, dst))
			if got := read(t, all); string(got[udpHeaderLen:]) != dst || netip.AddrFrom16([16]byte(got[16:32])).Unmap() != to {
				t.Errorf("for %s: read %q", dst, got)
			}
			right.none("for " + dst)
		}
	})
}

// A router puts no fragments together that are not for it.
func TestRFC1812_FWD_17(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		parts := fragments(left, wire.IP{Dst: right.ip, Proto: wire.UDP, TTL: 9, ID: 5}, make([]byte, 400), 160, 320)
		left.raw(parts[2])
		if d := right.one(); d.ip.Offset != 320 || len(d.payload) != 80 {
			t.Errorf("%+v, %d bytes", d.ip, len(d.payload))
		}
		left.raw(parts[0])
		if d := right.one(); d.ip.Offset != 0 || !d.ip.More || len(d.payload) != 160 {
			t.Errorf("%+v, %d bytes", d.ip, len(d.payload))
		}
		if n := counter(t, s.StackStatsText(), "ReasmReqds"); n != "0" {
			t.Errorf("%s fragments taken in", n)
		}
	})
}

// An interface that is down is no way out: another route is used, or the sender is
// told; and forwarding that is switched off stops at once.
func TestRFC1812_FWD_18(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, left, right := newCrossing(t)
		third := newStation(t, s, "10.0.3.254/24", "10.0.3.1", 0)
		pass := func() []byte {
			b := crossing(left, right, wire.IP{}, make([]byte, 8))
			left.raw(b)
			return b
		}
		pass()
		right.one()
		must(t, right.iface.Ctl("down"))
		sent := pass()
		left.one().isError(t, wire.ICMPUnreachable, wire.ICMPNetUnreachable, sent)
		must(t, s.WriteRoute("add 0 0 10.0.3.1", new(string)))
		pass()
		if d := third.one(); d.ip.Dst != right.ip {
			t.Errorf("%+v", d.ip)
		}
		must(t, right.iface.Ctl("up"))
		pass()
		right.one()
		must(t, s.WriteCtl("ip.forward off"))
		pass()
		right.none("forwarding is off")
		left.none("forwarding is off")
	})
}

// The datagrams of a flow leave in the order in which they came.
func TestRFC1812_FWD_21(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, right := newCrossing(t)
		left.raw(crossing(left, right, wire.IP{}, make([]byte, 8)))
		right.one() // now they are neighbours
		const n = 500
		for i := range n {
			left.frame(left.iface.mac, wire.EtherIPv4, crossing(left, right, wire.IP{}, binary.BigEndian.AppendUint64(nil, uint64(i))))
			if i%20 == 0 {
				synctest.Wait() // an inbox is bounded
			}
		}
		all := right.seen()
		for i, d := range all {
			if got := binary.BigEndian.Uint64(d.payload); got != uint64(i) {
				t.Fatalf("datagram %d is number %d", i, got)
			}
		}
		if len(all) != n {
			t.Errorf("%d datagrams came, want %d", len(all), n)
		}
	})
}
