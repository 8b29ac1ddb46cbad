package stack

// The rows of RFC 9293 that are seen on the cable and through the files: what the
// stack adds to the engine. A test has the name of a row of test/requirements.

import (
	"errors"
	"fmt"
	"math/bits"
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

// --- Checksum and initial sequence number

// Every segment that leaves a NIC without offloads, of odd and even lengths; tcp
// verifies each.
func TestRFC9293_MUST_2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "nodelay")
		for n := range 40 {
			text := strings.Repeat("odd", n)[:n]
			write(t, k.conv, []byte(text))
			if n > 0 {
				k.hear(wire.ACK, text)
			}
			k.say(wire.ACK, "")
		}
		write(t, k.conv, make([]byte, 20_001)) // more than one frame
		bytes := 0
		for _, d := range far.seen() {
			_, payload := d.tcp(t)
			bytes += len(payload)
		}
		if bytes < 10*1400 {
			t.Errorf("%d bytes were seen, want a window full", bytes)
		}
		k.conv.Drop()
		for _, d := range far.seen() {
			d.tcp(t) // a FIN or a reset
		}
		far.forge(forgery{segment: wire.TCPHeader{SrcPort: 9, DstPort: 9, Flags: wire.SYN}})
		if h, _ := far.one().tcp(t); h.Flags != wire.RST|wire.ACK {
			t.Errorf("a SYN to a closed port is answered by %v", h.Flags)
		}
	})
}

func TestRFC9293_MUST_3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "")
		before := counter(t, far.iface.StatsText(), "dropped bad tcp checksum")
		for _, flags := range []wire.TCPFlags{wire.ACK, wire.ACK | wire.FIN, wire.RST, wire.SYN} {
			h := k.us
			h.Flags = flags
			far.forge(forgery{segment: h, payload: "corrupt", badSum: true})
		}
		far.forge(forgery{segment: wire.TCPHeader{SrcPort: 9, DstPort: 9, Flags: wire.SYN}, badSum: true})
		time.Sleep(time.Second)
		far.none("segments with a wrong checksum")
		if info := k.conv.Info(); info.State != "Established" || tcpUnread(k.conv) != 0 {
			t.Errorf("they have left it in %s with %d bytes", info.State, tcpUnread(k.conv))
		}
		after := counter(t, far.iface.StatsText(), "dropped bad tcp checksum")
		if before != "0" || after != "5" {
			t.Errorf("counted %s, then %s; want 0 and 5", before, after)
		}
		k.say(wire.ACK, "right")
		if got := read(t, k.conv); string(got) != "right" {
			t.Errorf("read %q", got)
		}
	})
}

func ends4(remote string) tuple {
	return tuple{netip.AddrPortFrom(testHost, 40000), netip.MustParseAddrPort(remote)}
}

// A tick is 4 µs.
func TestRFC9293_MUST_8(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		at := func() wire.Seq {
			s.lock()
			defer s.unlock()
			return s.iss(ends4("10.0.0.1:80"))
		}
		first := at()
		for _, d := range []time.Duration{4 * time.Microsecond, time.Millisecond, time.Second, time.Hour} {
			time.Sleep(d)
			next := at()
			if got, want := next-first, wire.Seq(uint32(d/(4*time.Microsecond))); got != want {
				t.Errorf("after %v it is %d further, want %d", d, got, want)
			}
			first = next
		}
	})
}

// Two connections say nothing about each other: RFC 6528 §3.
func TestRFC9293_SHLD_1(t *testing.T) {
	s := newHost(t, Config{})
	s.lock()
	defer s.unlock()
	differ, n := 0, 0
	for port := 1; port < 2000; port++ {
		a, b := s.iss(ends4(fmt.Sprintf("10.0.0.1:%d", port))), s.iss(ends4(fmt.Sprintf("10.0.0.1:%d", port+1)))
		differ += bits.OnesCount32(uint32(a ^ b))
		n++
		if s.iss(ends4(fmt.Sprintf("10.0.0.1:%d", port))) != a {
			t.Fatal("the same connection gets another number at the same time")
		}
	}
	if mean := float64(differ) / float64(n); mean < 15 || mean > 17 {
		t.Errorf("neighbours differ in %.1f bits of 32, want half of them", mean)
	}
}

// The key is made when the stack is, and is never told.
func TestRFC9293_MUST_9(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // both have the same time
		numbers := map[wire.Seq]bool{}
		for range 20 {
			s := newHost(t, Config{})
			s.lock()
			numbers[s.iss(ends4("10.0.0.1:80"))] = true
			s.unlock()
		}
		if len(numbers) != 20 {
			t.Errorf("20 stacks give %d numbers: the key is not secret", len(numbers))
		}
	})
}

// --- Opening

func TestRFC9293_MUST_41(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		l := clone(t, far.host, wire.TCP)
		command(t, l, "announce 80")
		k := far.called(t, l, 1111)
		command(t, l, "close")
		l.Drop()
		again := clone(t, far.host, wire.TCP)
		command(t, again, "announce 80")
		k.say(wire.ACK, "still here")
		if got := read(t, k.conv); string(got) != "still here" {
			t.Errorf("read %q", got)
		}
		write(t, k.conv, []byte("me too"))
		k.hear(wire.ACK, "me too")
	})
}

func TestRFC9293_MUST_42(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		l := clone(t, far.host, wire.TCP)
		command(t, l, "announce 80\nbacklog 10")
		for port := range uint16(3) { // half open
			far.syn(2000 + port)
			if h, _ := far.one().tcp(t); h.Flags != wire.SYN|wire.ACK {
				t.Fatalf("call %d is answered by %v", port, h.Flags)
			}
		}
		one, two := far.called(t, l, 3000), far.called(t, l, 3001)
		for _, k := range []*talk{one, two} {
			k.say(wire.ACK, "hello")
			if got := read(t, k.conv); string(got) != "hello" {
				t.Errorf("read %q", got)
			}
		}
		if one.conv.Info().Local != two.conv.Info().Local {
			t.Errorf("%v and %v: want one port", one.conv.Info().Local, two.conv.Info().Local)
		}
	})
}

// twoAddresses gives a station's host a second address.
func (far site) twoAddresses(t *testing.T) {
	t.Helper()
	must(t, far.iface.Ctl("add 10.0.0.3/24"))
	far.seen() // announcements
}

func TestRFC9293_MUST_43(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		far.twoAddresses(t)
		for _, words := range []string{"bind 10.0.0.3:4000\nconnect 10.0.0.1:80", "connect 10.0.0.1:80 10.0.0.3:4001"} {
			c := clone(t, far.host, wire.TCP)
			call := start(far.host, &Op{Kind: OpCtl, Conv: c, Data: []byte(words)})
			syn := far.one()
			if h, _ := syn.tcp(t); syn.ip.Src.String() != "10.0.0.3" || h.SrcPort/10 != 400 {
				t.Errorf("%q: the SYN is from %v port %d", words, syn.ip.Src, h.SrcPort)
			}
			c.Drop()
			wait(t, call)
		}
		c := clone(t, far.host, wire.TCP)
		if err := ctl(t, c, "connect 10.0.0.1:80 10.0.0.9:0"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("from an address that is not ours: %v", err)
		}
		far.none("a connect that was refused")
	})
}

// With two interfaces, the one that the route leads to gives the address.
func TestRFC9293_MUST_44(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		other := newHost(t, Config{})
		join(t, far.host, "10.0.9.2/24", other, "10.0.9.1/24", nic.Options{})
		l := clone(t, other, wire.TCP)
		command(t, l, "announce 80")
		c := clone(t, far.host, wire.TCP)
		command(t, c, "connect 10.0.9.1:80")
		if got := c.Info().Local.Addr().String(); got != "10.0.9.2" {
			t.Errorf("towards 10.0.9.1 it is %s", got)
		}
		k := far.dialled(t, "")
		if got := k.conv.Info().Local.Addr(); got != testHost {
			t.Errorf("towards 10.0.0.1 it is %v", got)
		}
	})
}

// The address of the SYN is that of all segments, though there are others.
func TestRFC9293_MUST_45(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		far.twoAddresses(t)
		k := far.dialled(t, "nodelay")
		write(t, k.conv, []byte("data"))
		if d := k.hear(wire.ACK, "data"); d.ip.Src != testHost {
			t.Errorf("data is from %v", d.ip.Src)
		}
		k.say(wire.ACK, "")
		write(t, k.conv, []byte("lost"))
		for range 3 {
			if d := far.seen()[0]; d.ip.Src != testHost {
				t.Errorf("a segment is from %v", d.ip.Src)
			}
			time.Sleep(time.Second)
		}
		command(t, k.conv, "hangup")
		for _, d := range far.seen() {
			if d.ip.Src != testHost {
				t.Errorf("the reset is from %v", d.ip.Src)
			}
		}
	})
}

func TestRFC9293_MUST_46(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		for _, to := range []string{"255.255.255.255", "10.0.0.255", "224.0.0.1", "239.1.2.3"} {
			c := clone(t, far.host, wire.TCP)
			if err := ctl(t, c, "connect "+to+":80"); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("connect %s: %v, want EINVAL", to, err)
			}
		}
		time.Sleep(time.Second)
		far.none("connects to groups")
	})
}

func TestRFC9293_MUST_57(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		command(t, clone(t, far.host, wire.TCP), "announce 80")
		for _, to := range []string{"255.255.255.255", "10.0.0.255", "224.0.0.1"} {
			for _, port := range []uint16{80, 81} { // one that is announced, one that is not
				far.forge(forgery{group: true, ip: wire.IP{Dst: netip.MustParseAddr(to)},
					segment: wire.TCPHeader{SrcPort: 1111, DstPort: port, Seq: 5, Flags: wire.SYN, Window: 1000}})
			}
			time.Sleep(time.Second)
			far.none("a SYN to " + to)
		}
		if n := counter(t, far.host.StatsText(wire.TCP), "OutSegs"); n != "0" {
			t.Errorf("%s segments were made in answer", n)
		}
	})
}

func TestRFC9293_MUST_63(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		l := clone(t, far.host, wire.TCP)
		command(t, l, "announce 80")
		for _, from := range []string{"255.255.255.255", "10.0.0.255", "224.0.0.1", "239.9.9.9", "0.0.0.0", "127.0.0.1", "240.0.0.1", "10.0.0.2"} {
			for _, port := range []uint16{80, 81} {
				far.forge(forgery{ip: wire.IP{Src: netip.MustParseAddr(from)},
					segment: wire.TCPHeader{SrcPort: 1111, DstPort: port, Seq: 5, Flags: wire.SYN, Window: 1000}})
			}
			time.Sleep(time.Second)
			far.none("a SYN from " + from)
		}
		if n := far.host.Convs(wire.TCP, -1, 9); len(n) != 1 {
			t.Errorf("conversations: %+v, want the listener alone", n)
		}
		if n := drops(t, far.iface, "martian"); n != "16" {
			t.Errorf("%s were counted, want 16", n)
		}
	})
}

// The MSS follows the interface of the route: RFC 9293 §3.7.3.
func TestRFC9293_SHLD_6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		command(t, clone(t, far.host, wire.TCP), "announce 80")
		for i, mtu := range []int{1500, 900, 1280} {
			must(t, far.iface.Ctl(fmt.Sprintf("mtu %d", mtu)))
			c := clone(t, far.host, wire.TCP)
			call := start(far.host, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 10.0.0.1:80")})
			if h, _ := far.one().tcp(t); int(h.Options.MSS) != mtu-40 {
				t.Errorf("MTU %d: our SYN says %d", mtu, h.Options.MSS)
			}
			c.Drop()
			wait(t, call)
			far.seen()
			far.syn(uint16(2000 + i))
			if h, _ := far.one().tcp(t); int(h.Options.MSS) != mtu-40 {
				t.Errorf("MTU %d: our answer to a SYN says %d", mtu, h.Options.MSS)
			}
		}
	})
}

// --- The end

// A reader sees an end, an abort, and that nobody answers, as three things.
func TestRFC9293_MUST_12(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		for _, tc := range []struct {
			flags wire.TCPFlags
			want  error
			why   string
		}{
			{wire.FIN | wire.ACK, nil, "the peer has closed"},
			{wire.RST, syscall.ECONNRESET, "reset"},
		} {
			k := far.dialled(t, "")
			k.say(wire.ACK, "last words")
			k.say(tc.flags, "")
			if tc.want == nil {
				if got := read(t, k.conv); string(got) != "last words" {
					t.Errorf("%v: read %q", tc.flags, got)
				}
			}
			far.seen()
			op := do(t, far.host, &Op{Kind: OpRead, Conv: k.conv, Max: 100})
			for op.Err == nil && op.N > 0 {
				bytesOf(op)
				op = do(t, far.host, &Op{Kind: OpRead, Conv: k.conv, Max: 100})
			}
			if op.N != 0 || !errors.Is(op.Err, tc.want) {
				t.Errorf("%v: a read gets %d bytes, %v; want %v", tc.flags, op.N, op.Err, tc.want)
			}
			if why := k.conv.WhyText(); !strings.Contains(why, tc.why) {
				t.Errorf("%v: why says %q", tc.flags, why)
			}
		}
		k := far.dialled(t, "usertimeout 3000")
		write(t, k.conv, []byte("anybody?"))
		op := do(t, far.host, &Op{Kind: OpRead, Conv: k.conv, Max: 100})
		if !errors.Is(op.Err, syscall.ETIMEDOUT) {
			t.Errorf("nobody answers: %v, want ETIMEDOUT", op.Err)
		}
	})
}

// --- Headers of IP

func TestRFC9293_MUST_49(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "ttl 7")
		write(t, k.conv, []byte("x"))
		if d := k.hear(wire.ACK, "x"); d.ip.TTL != 7 {
			t.Errorf("TTL %d, want 7", d.ip.TTL)
		}
		k.say(wire.ACK, "")
		command(t, k.conv, "ttl 99")
		write(t, k.conv, []byte("y"))
		if d := k.hear(wire.ACK, "y"); d.ip.TTL != 99 {
			t.Errorf("TTL %d, want 99", d.ip.TTL)
		}
		if k := far.dialled(t, ""); k.conv.ttl != 64 {
			t.Errorf("TTL %d by default, want 64", k.conv.ttl)
		}
	})
}

// dscp is a connection with data in both directions, after the words of ctl; it
// returns the TOS bytes that its segments had.
func (k *talk) tos(text string) uint8 {
	k.t.Helper()
	write(k.t, k.conv, []byte(text))
	d := k.hear(wire.ACK, text)
	k.say(wire.ACK, "")
	return d.ip.TOS
}

func TestRFC9293_MUST_48(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		if got := far.dialled(t, "").tos("x"); got != 0 {
			t.Errorf("TOS %#x by default", got)
		}
		if got := far.dialled(t, "tos 0xb8").tos("x"); got != 0xb8 {
			t.Errorf("TOS %#x, want 0xb8", got)
		}
	})
}

// All 64 values reach the header.
func TestRFC9293_SHLD_22(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalks(t).dialled(t, "")
		for dscp := range 64 {
			command(t, k.conv, fmt.Sprintf("tos %d", dscp<<2))
			if got := k.tos("x"); got>>2 != uint8(dscp) {
				t.Errorf("DSCP %d leaves as %d", dscp, got>>2)
			}
		}
	})
}

func TestRFC9293_SHLD_21(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalks(t).dialled(t, "tos 0x20")
		if got := k.tos("first"); got != 0x20 {
			t.Errorf("TOS %#x, want 0x20", got)
		}
		command(t, k.conv, "tos 0xb8")
		if got := k.tos("second"); got != 0xb8 {
			t.Errorf("TOS %#x in the midst of the connection, want 0xb8", got)
		}
	})
}

// A retransmission is a new datagram; its ID need not be new, as DF is set (RFC
// 6864 §4.1).
func TestRFC9293_MAY_4(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "")
		write(t, k.conv, []byte("x"))
		k.hear(wire.ACK, "x")
		for range 5 {
			time.Sleep(10 * time.Second)
			for _, d := range far.seen() {
				if _, payload := d.tcp(t); string(payload) != "x" || !d.ip.DF {
					t.Errorf("%q with DF %v, want x and DF", payload, d.ip.DF)
				}
			}
		}
	})
}

// Options that IP does not know, one with a length that cannot be among them,
// are no reason to lose the segment.
func TestRFC9293_MUST_50(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "")
		for _, options := range [][]byte{{0x9e, 4, 1, 2}, {0x44 | 0x1f, 8, 0, 0, 0, 0, 0, 0}, {1, 1, 0xde, 3, 0, 0}} {
			h := k.us
			h.Flags = wire.ACK
			far.forge(forgery{ip: wire.IP{Options: options}, segment: h, payload: "taken"})
			k.us.Seq += 5
			if got := read(t, k.conv); string(got) != "taken" {
				t.Errorf("options %x: read %q", options, got)
			}
		}
	})
}

// --- ICMP

// An unreachable is a complaint that says code about the last segment of k.
func (k *talk) unreachable(code uint8, about seen) {
	k.complain(wire.ICMPUnreachable, code, 0, about)
}

// Of two connections to the same host the right one is told; a quote of what is
// not under way tells nobody: RFC 5927 §4.
func TestRFC9293_MUST_54(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		one, two := far.dialled(t, ""), far.dialled(t, "")
		write(t, two.conv, []byte("x"))
		lost := two.hear(wire.ACK, "x")
		two.unreachable(wire.ICMPHostUnreachable, lost)
		if one.softErr() != nil || !errors.Is(two.softErr(), neterr.HostUnreachable) {
			t.Errorf("one is told %v, two %v; want two alone", one.softErr(), two.softErr())
		}
		before := counter(t, far.host.StatsText(wire.ICMP), "InErrors")
		for _, shift := range []int{-1, 2, 1 << 20, -1 << 20} {
			write(t, one.conv, []byte("y"))
			forged := one.hear(wire.ACK, "y")
			one.say(wire.ACK, "")
			h, _ := forged.tcp(t)
			b := append([]byte(nil), forged.payload...)
			h.Seq += wire.Seq(shift)
			h.Put(b[:h.Len()])
			forged.payload = b
			one.unreachable(wire.ICMPHostUnreachable, forged)
		}
		if one.softErr() != nil {
			t.Errorf("a forged quote was believed: %v", one.softErr())
		}
		if after := counter(t, far.host.StatsText(wire.ICMP), "InErrors"); before != "0" || after != "4" {
			t.Errorf("%s, then %s errors were counted, want 0 and 4", before, after)
		}
	})
}

// Network, host unreachable, source route failed: the user is told, in why while
// something waits.
func TestRFC9293_SHLD_25(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for code, want := range map[uint8]string{
			wire.ICMPNetUnreachable:  "network unreachable: says 10.0.0.1",
			wire.ICMPHostUnreachable: "host unreachable: says 10.0.0.1",
			5:                        "host unreachable: says 10.0.0.1",
		} {
			far := newTalks(t)
			k := far.dialled(t, "")
			write(t, k.conv, []byte("x"))
			k.unreachable(code, k.hear(wire.ACK, "x"))
			time.Sleep(time.Second)
			if why := k.conv.WhyText(); !strings.Contains(why, want) {
				t.Errorf("code %d: why says %q, want %q", code, why, want)
			}
		}
	})
}

// soft are the ICMP errors that end no connection, not even one that is being
// opened.
var soft = []struct{ typ, code uint8 }{
	{wire.ICMPUnreachable, 0}, {wire.ICMPUnreachable, 1}, {wire.ICMPUnreachable, 5},
	{wire.ICMPTimeExceeded, 0}, {wire.ICMPTimeExceeded, 1}, {wire.ICMPParameterProblem, 0},
}

func TestRFC9293_MUST_56(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, e := range soft {
			far := newTalks(t)
			c := clone(t, far.host, wire.TCP)
			call := start(far.host, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 10.0.0.1:80")})
			syn := far.one()
			far.complain(e.typ, e.code, 0, syn)
			if st := c.Info().State; st != "Syn_sent" {
				t.Errorf("type %d code %d: an attempt to connect goes on in %s", e.typ, e.code, st)
			}
			c.Drop()
			wait(t, call)

			k := newTalks(t).dialled(t, "")
			write(t, k.conv, []byte("x"))
			k.complain(e.typ, e.code, 0, k.hear(wire.ACK, "x"))
			k.say(wire.ACK, "y")
			if got := read(t, k.conv); string(got) != "y" {
				t.Errorf("type %d code %d: read %q", e.typ, e.code, got)
			}
		}
	})
}

// Protocol and port unreachable end an attempt to connect. Later they are too
// easily forged to be believed (RFC 5927 §5.2), and a datagram too big is about
// the MTU.
func TestRFC9293_SHLD_26(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for code, want := range map[uint8]error{2: neterr.ProtocolUnreachable, 3: syscall.ECONNREFUSED} {
			far := newTalks(t)
			c := clone(t, far.host, wire.TCP)
			call := start(far.host, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 10.0.0.1:80")})
			far.complain(wire.ICMPUnreachable, code, 0, far.one())
			if err := wait(t, call).Err; !errors.Is(err, want) {
				t.Errorf("code %d: connect fails with %v, want %v", code, err, want)
			}
		}
		for _, code := range []uint8{2, 3, 4} {
			k := newTalks(t).dialled(t, "")
			write(t, k.conv, []byte("x"))
			k.complain(wire.ICMPUnreachable, code, 1200, k.hear(wire.ACK, "x"))
			k.say(wire.ACK, "y")
			if got := read(t, k.conv); string(got) != "y" {
				t.Errorf("code %d, on a connection: read %q", code, got)
			}
			mtu := k.stats().MSS + 40
			if want := map[bool]int{true: 1200, false: 1500}[code == 4]; mtu != want {
				t.Errorf("code %d: the path takes %d, want %d", code, mtu, want)
			}
		}
	})
}

// Source quench: RFC 6633.
func TestRFC9293_MUST_55(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "")
		write(t, k.conv, []byte("x"))
		lost := k.hear(wire.ACK, "x")
		before := k.stats()
		const sourceQuench = 4
		for range 10 {
			far.complain(sourceQuench, 0, 0, lost)
		}
		if after := k.stats(); after != before {
			t.Errorf("it has changed %+v to %+v", before, after)
		}
		far.none("source quench")
		if err := k.softErr(); err != nil {
			t.Errorf("the connection is told %v", err)
		}
	})
}

// The user reads a soft error in why, and as the reason of an attempt that fails.
func TestRFC9293_MUST_47(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		c := clone(t, far.host, wire.TCP)
		call := start(far.host, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 10.0.0.1:80")})
		far.complain(wire.ICMPUnreachable, wire.ICMPNetUnreachable, 0, far.one())
		if why := c.WhyText(); !strings.Contains(why, "network unreachable: says 10.0.0.1") {
			t.Errorf("why says %q", why)
		}
		<-call.done // after minutes
		if err := call.op.Err; !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("connect fails with %v, want ENETUNREACH", err)
		}
	})
}

func TestRFC9293_SHLD_20(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "ignoreadvice")
		write(t, k.conv, []byte("x"))
		k.unreachable(wire.ICMPHostUnreachable, k.hear(wire.ACK, "x"))
		time.Sleep(time.Second)
		if why := k.conv.WhyText(); strings.Contains(why, "unreachable") {
			t.Errorf("why says %q, though ignoreadvice was said", why)
		}
	})
}

// --- Trouble

// unanswered writes a byte that the station does not acknowledge, and calls look
// with each time that it goes again, till the connection is over. It returns how
// often that was, and the error that a reader gets.
func (k *talk) unanswered(look func(n int)) (int, error) {
	k.t.Helper()
	write(k.t, k.conv, []byte("x"))
	k.hear(wire.ACK, "x")
	reading := start(k.host, &Op{Kind: OpRead, Conv: k.conv, Max: 1})
	for n := 0; ; {
		select {
		case <-reading.done:
			return n, reading.op.Err
		case <-time.After(100 * time.Millisecond):
		}
		for _, d := range k.seen() {
			if h, payload := d.tcp(k.t); len(payload) > 0 {
				if string(payload) != "x" || h.Seq+1 != k.them.Seq {
					k.t.Fatalf("%q at %d", payload, h.Seq)
				}
				n++
				look(n)
			}
		}
	}
}

// At R1 the next hop is asked whether it is there; at R2 the connection ends.
func TestRFC9293_MUST_20(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "")
		far.asks()
		asked := 0
		n, err := k.unanswered(func(n int) {
			for _, a := range far.asks() {
				if a.Op == wire.ARPRequest && a.TargetIP == testFar && asked == 0 {
					asked = n
				}
			}
		})
		if asked < r1 || asked > r1+1 {
			t.Errorf("the neighbour was first asked about retransmission %d, want %d", asked, r1)
		}
		if r2 := far.host.knobs.tcp.Retries2; n != r2 || !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("after %d retransmissions a reader gets %v; want %d and ETIMEDOUT", n, err, r2)
		}
	})
}

func TestRFC9293_SHLD_10(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "retries 5")
		far.asks()
		k.unanswered(func(n int) {
			if asks := far.asks(); n < 3 && len(asks) > 0 {
				t.Errorf("the path is doubted after %d retransmissions, want 3 or more", n)
			}
		})
	})
}

// R2 by ctl; stack/tcp has the same for the engine.
func TestRFC9293_MUST_21(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		for _, want := range []int{1, 4, 17} {
			k := far.dialled(t, fmt.Sprintf("retries %d", want))
			if n, err := k.unanswered(func(int) {}); n != want || !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("retries %d: %d retransmissions, then %v", want, n, err)
			}
		}
		k := far.dialled(t, "retries forever")
		write(t, k.conv, []byte("x"))
		time.Sleep(100 * time.Hour)
		if st := k.conv.Info().State; st != "Established" {
			t.Errorf("retries forever: %s after 100 hours", st)
		}
	})
}

// From the first timeout on why tells of trouble.
func TestRFC9293_SHLD_9(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "")
		write(t, k.conv, []byte("x"))
		k.hear(wire.ACK, "x")
		time.Sleep(5 * time.Second)
		if why := k.conv.WhyText(); !strings.Contains(why, "retransmitting for 4s, 4 times without an answer") {
			t.Errorf("why says %q", why)
		}
	})
}

// What came last had this TOS; status tells.
func TestRFC9293_MAY_9(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newTalks(t)
		k := far.dialled(t, "")
		h := k.us
		h.Flags = wire.ACK
		far.forge(forgery{ip: wire.IP{TOS: 0xb8}, segment: h, payload: "x"})
		if got := k.conv.record().FromTOS; got != 0xb8 {
			t.Errorf("TOS %#x came, want 0xb8", got)
		}
	})
}
