package stack

// What RFC 6274 and its kin tell of attacks with IPv4: one test each;
// test/requirements/ipv4.rows tells them.

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

// LAND: a datagram that says it is from ourselves.
func TestRFC6274_LAND(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		l := clone(t, s, wire.TCP)
		command(t, l, "announce 80")
		h := wire.TCPHeader{SrcPort: 80, DstPort: 80, Seq: 1, Flags: wire.SYN, Window: 1000}
		seg := make([]byte, wire.MaxTCPLen)
		seg = seg[:h.Put(seg)]
		us := addr("10.0.0.2")
		sum := ^wire.Fold(wire.Sum(seg, wire.PseudoHeader(us, us, wire.TCP, len(seg))))
		seg[wire.TCPChecksumAt], seg[wire.TCPChecksumAt+1] = byte(sum>>8), byte(sum)
		st.send(wire.IP{Src: us, Dst: us, Proto: wire.TCP}, seg)
		st.none("from ourselves")
		if n := drops(t, st.iface, "martian"); n != "1" {
			t.Errorf("%s dropped, want 1", n)
		}
		if n := len(s.Convs(wire.TCP, -1, 9)); n != 1 {
			t.Errorf("%d conversations, want the listener alone", n)
		}
	})
}

// Lengths that lie: of the header, of the datagram, of what lies in it.
func TestRFC6274_LENGTHS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		good := st.datagram(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 9}, ping("lengths"))
		for n := range len(good) {
			st.raw(good[:n])
			st.none(fmt.Sprintf("the first %d bytes", n))
		}
		for ihl := range byte(16) {
			b := slices.Clone(good)
			b[0] = 0x40 | ihl
			b[10], b[11] = 0, 0
			if n := int(ihl) * 4; n >= wire.IPv4Len && n <= len(b) {
				sum := wire.Checksum(b[:n])
				b[10], b[11] = byte(sum>>8), byte(sum)
			}
			st.raw(b)
			for _, d := range st.seen() { // data as options may be a bad option
				if h, _ := d.icmp(t); h.Type == wire.ICMPEchoReply && ihl != 5 {
					t.Errorf("header length %d: %+v", ihl, h)
				}
			}
		}
		st.raw(append(slices.Clone(good), "what is behind it is no part of it"...))
		if _, data := st.one().icmp(t); string(data) != "lengths" {
			t.Errorf("answered with %q", data)
		}
	})
}

// IDs: those of others tell nothing about ours; one flow does not soon repeat one;
// and what is never cut up has no count at all.
func TestRFC6864_ID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		ids := func(to string, n int) (all []uint32) {
			c := clone(t, s, wire.UDP)
			command(t, c, "connect "+to+":7")
			for range n {
				write(t, c, []byte("x"))
				all = append(all, st.one().ip.ID)
			}
			return all
		}
		ours := ids("10.0.0.1", 2000)
		seen := map[uint32]bool{}
		for _, id := range ours {
			if seen[id] {
				t.Fatalf("ID %d is used again within %d", id, len(ours))
			}
			seen[id] = true
		}
		// Whoever watches his own count learns nothing of another's.
		before := ids("10.0.0.5", 1)[0]
		ids("10.0.0.1", 100)
		if after := ids("10.0.0.5", 1)[0]; uint16(after-before) != 1 {
			t.Errorf("the count towards one moved by %d, for what was sent to another", uint16(after-before))
		}
		// Atomic datagrams.
		var last uint32
		steps := map[uint32]bool{}
		for range 20 {
			start(s, &Op{Kind: OpCtl, Conv: clone(t, s, wire.TCP), Data: []byte("connect 10.0.0.1:80")})
			d := st.one()
			if !d.ip.DF {
				t.Fatalf("a segment that may be cut up: %+v", d.ip)
			}
			steps[uint32(uint16(d.ip.ID-last))] = true
			last = d.ip.ID
		}
		if len(steps) < 15 {
			t.Errorf("the IDs of 20 segments are %d steps apart only: a count", len(steps))
		}
	})
}

// Fragments that overlap spoil their datagram, what comes late of it included; an
// exact copy does not.
func TestRFC5722_OVERLAP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		answered := func(id uint32, change func(parts [][]byte) [][]byte) bool {
			whole := ping(strings.Repeat("0123456789abcdef", 6))
			parts := fragments(st, wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 9, ID: id}, whole, 32, 64)
			for _, p := range change(parts) {
				st.raw(p)
			}
			return len(st.seen()) == 1
		}
		at := func(offset int, more bool, id uint32, data string) []byte {
			return st.datagram(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 9, ID: id, Offset: offset, More: more}, []byte(data))
		}
		if !answered(1, func(p [][]byte) [][]byte { return p }) || !answered(2, func(p [][]byte) [][]byte { return [][]byte{p[2], p[0], p[0], p[1]} }) {
			t.Error("not put together, in order or with a copy")
		}
		if answered(3, func(p [][]byte) [][]byte {
			return [][]byte{p[0], p[2], at(24, true, 3, "overlaps both"+strings.Repeat(".", 27)), p[1]}
		}) {
			t.Error("an overlap was put together")
		}
		// As many bytes as there are to be, and a hole for the overlap.
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 7\nheaders")
		plain := udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, strings.Repeat("x", 88))
		plain[wire.UDPChecksumAt], plain[wire.UDPChecksumAt+1] = 0, 0
		for _, p := range [][2]int{{0, 32}, {64, 96}, {24, 56}} {
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP, ID: 6, Offset: p[0], More: p[1] < 96}, plain[p[0]:p[1]])
		}
		if op := do(t, s, &Op{Kind: OpRead, Conv: all, Max: 999, NonBlock: true}); !errors.Is(op.Err, syscall.EAGAIN) {
			t.Errorf("an overlap with a hole was put together: %q, %v", bytesOf(op), op.Err)
		}
		if answered(4, func(p [][]byte) [][]byte {
			other := slices.Clone(p[0])
			other[len(other)-1] ^= 1
			return [][]byte{p[0], other, p[1], p[2]}
		}) {
			t.Error("the first fragment came in two forms and was put together")
		}
		if answered(5, func(p [][]byte) [][]byte { return [][]byte{at(48, false, 5, "12345678"), p[0], p[1], p[2]} }) {
			t.Error("two ends were put together")
		}
	})
}

// The ping of death: fragments that make more than a datagram can be.
func TestRFC6274_PING_OF_DEATH(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		for _, last := range []int{65528, 65520, 65512} {
			for at := 0; at < last; at += 4096 {
				n := min(4096, last-at)
				st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, ID: uint32(last), Offset: at, More: true}, make([]byte, n))
			}
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, ID: uint32(last), Offset: last}, make([]byte, 64))
			st.none(fmt.Sprintf("64 bytes at %d", last))
		}
		if n := counter(t, s.StackStatsText(), "ReasmOKs"); n != "0" {
			t.Errorf("%s put together", n)
		}
	})
}

// Fragments so small that a filter does not see the ports and flags of TCP.
func TestRFC1858_TINY(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		l := clone(t, s, wire.TCP)
		command(t, l, "announce 80")
		h := wire.TCPHeader{SrcPort: 1000, DstPort: 80, Seq: 1, Flags: wire.SYN, Window: 1000}
		seg := make([]byte, wire.MaxTCPLen)
		seg = seg[:h.Put(seg)]
		us := addr("10.0.0.2")
		sum := ^wire.Fold(wire.Sum(seg, wire.PseudoHeader(st.ip, us, wire.TCP, len(seg))))
		seg[wire.TCPChecksumAt], seg[wire.TCPChecksumAt+1] = byte(sum>>8), byte(sum)
		for n, p := range fragments(st, wire.IP{Dst: us, Proto: wire.TCP, TTL: 9, ID: 5}, seg, 8) {
			st.raw(p)
			st.none(fmt.Sprintf("fragment %d", n))
		}
		for _, p := range fragments(st, wire.IP{Dst: us, Proto: wire.TCP, TTL: 9, ID: 6}, seg, 16) {
			st.raw(p)
		}
		if d := st.one(); d.ip.Proto != wire.TCP {
			t.Errorf("cut where it may be: %+v", d.ip)
		}
	})
}

// What fragments may hold is bounded, for one source and for all; a flood does not
// keep others out.
func TestRFC815_MEMORY(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, s.WriteCtl("ip.reasm.memory 1m"))
		flood := func(src string, n int) {
			for id := range n {
				st.send(wire.IP{Src: addr(src), Dst: addr("10.0.0.2"), Proto: wire.UDP, ID: uint32(id), More: true}, make([]byte, 1480))
			}
		}
		for host := range 4 {
			flood(fmt.Sprintf("10.0.0.%d", 10+host), 1000)
		}
		held := func() int {
			s.lock()
			defer s.unlock()
			return s.reasm.Stats().Memory
		}
		if held := held(); held > 1<<20 || held < 1<<19 {
			t.Errorf("%d bytes held, want up to 1 MiB", held)
		}
		for _, p := range fragments(st, wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 9, ID: 5}, ping(strings.Repeat("x", 100)), 40) {
			st.raw(p)
		}
		st.one() // an honest one gets through
		time.Sleep(2 * time.Minute)
		if held := held(); held != 0 {
			t.Errorf("%d bytes held after their time", held)
		}
	})
}

// Fragments come in any order, one by one or all at once; one that is missing
// holds the datagram up for ever.
func TestRFC815_ORDER(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		data := strings.Repeat("0123456789abcdef", 8)
		id := uint32(0)
		for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}} {
			id++
			parts := fragments(st, wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 9, ID: id}, ping(data), 24, 64, 104)
			for n, at := range order {
				st.raw(parts[at])
				if n < 3 {
					st.none(fmt.Sprintf("order %v, %d of 4", order, n+1))
				}
			}
			if h, got := st.one().icmp(t); h.Type != wire.ICMPEchoReply || string(got) != data {
				t.Errorf("order %v: %+v, %d bytes", order, h, len(got))
			}
		}
	})
}

// The header of the whole is that of its first fragment, whichever comes last.
func TestRFC791_FIRST(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		l := clone(t, s, wire.UDP)
		command(t, l, "announce 7")
		whole := udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, strings.Repeat("x", 100))
		head := wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP, ID: 5}
		first, rest := head, head
		first.TTL, first.TOS, first.More, first.Options = 33, 0x28, true, []byte{7, 7, 8, 10, 0, 0, 1, 0}
		rest.TTL, rest.Offset = 44, 40
		for n, order := range [][2]int{{0, 1}, {1, 0}} {
			for _, part := range order {
				if part == 0 {
					st.send(first, whole[:40])
				} else {
					st.send(rest, whole[40:])
				}
			}
			if n == 0 {
				l = listen(t, l)
			}
			if got := l.StatusText(); !strings.Contains(got, "\nfromttl 33\nfromtos 40\nfromoptions 0707080a00000100\n") {
				t.Errorf("order %v: status\n%s", order, got)
			}
		}
	})
}

// TTL: of what is sent it tells nobody where to strike, as the knob and the verb
// bound it; of what comes it is told.
func TestRFC6274_TTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:1000 7")
		for _, no := range []string{"ttl 0", "ttl 256", "ttl -1"} {
			if err := ctl(t, c, no); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s: %v, want EINVAL", no, err)
			}
		}
		st.udp("10.0.0.2", 7, "x")
		if got := c.StatusText(); !strings.Contains(got, "\nfromttl 9\n") {
			t.Errorf("status:\n%s", got)
		}
	})
}

// Addresses that are forged: those that cannot be are dropped always, those that
// come from elsewhere where rpfilter is strict.
func TestRFC6274_SPOOFING(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		inside := newStation(t, s, "10.0.1.2/24", "10.0.1.1", 0)
		outside := newStation(t, s, "192.0.2.2/24", "192.0.2.1", 0)
		must(t, s.WriteRoute("add 0 0 192.0.2.1", new(string)))
		must(t, outside.iface.Ctl("rpfilter strict"))
		outside.send(wire.IP{Src: inside.ip, Dst: addr("192.0.2.2"), Proto: wire.ICMP}, ping("x"))
		inside.none("somebody outside says he is inside")
		outside.send(wire.IP{Src: addr("203.0.113.5"), Dst: addr("192.0.2.2"), Proto: wire.ICMP}, ping("x"))
		outside.one()
		if n := drops(t, outside.iface, "no way back"); n != "1" {
			t.Errorf("%s dropped, want 1", n)
		}
	})
}

// Options, each as RFC 7126 has it by default: source routes are dropped, and that
// is counted; stream identifiers and whatever nobody knows are ignored.
func TestRFC7126_POLICY(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		for name, test := range map[string]struct {
			options []byte
			passes  bool
		}{
			"end of list":       {[]byte{0, 0, 0, 0}, true},
			"no operation":      {[]byte{1, 1, 1, 1}, true},
			"loose route":       {[]byte{131, 7, 4, 1, 2, 3, 4}, false},
			"strict route":      {[]byte{137, 7, 4, 1, 2, 3, 4}, false},
			"an ended route":    {[]byte{131, 7, 8, 1, 2, 3, 4}, false},
			"record route":      {[]byte{7, 7, 4, 0, 0, 0, 0}, true},
			"stream identifier": {[]byte{136, 4, 0, 1}, true},
			"timestamp":         {[]byte{68, 8, 5, 0, 0, 0, 0, 0}, true},
			"router alert":      {wire.RouterAlert, true},
			"probe MTU":         {[]byte{11, 4, 5, 220}, true},
			"traceroute":        {[]byte{82, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true},
			"security":          {[]byte{130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true},
			"nobody's":          {[]byte{94, 3, 1}, true},
		} {
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, Options: test.options}, ping("x"))
			if passes := len(st.seen()) == 1; passes != test.passes {
				t.Errorf("%s: passes: %v, want %v", name, passes, test.passes)
			}
		}
		if n := drops(t, st.iface, "source route"); n != "3" {
			t.Errorf("%s source routes dropped, want 3", n)
		}
	})
}

// Options of any bytes: nothing falls over, nothing loops, and what is delivered
// was right.
func TestRFC6274_OPTIONS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		for kind := range 256 {
			for _, n := range []byte{0, 1, 2, 3, 4, 7, 8, 39, 40, 41, 255} {
				options := append([]byte{byte(kind), n}, bytes.Repeat([]byte{n}, 38)...)
				st.frame(st.iface.mac, wire.EtherIPv4, st.datagram(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 9, Options: options}, ping("x")))
				if n == 255 {
					synctest.Wait()
				}
			}
		}
		for _, d := range st.seen() {
			if h, _ := d.icmp(t); h.Type == wire.ICMPEchoReply && len(d.ip.Options) > 0 && wire.InspectIPv4Options(d.ip.Options).Bad != 0 {
				t.Errorf("answered with options %x", d.ip.Options)
			}
		}
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, ping("alive"))
		st.one()
	})
}
