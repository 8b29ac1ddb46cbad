package stack

// The rows of RFC 1122 §4.1, UDP; test/requirements/rfc1122.rows tells them.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"slashnet/wire"
)

// A closed port is told.
func TestRFC1122_UDP_01(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		sent := st.udp("10.0.0.2", 9, "x")
		st.one().isError(t, wire.ICMPUnreachable, wire.ICMPPortUnreachable, sent)
	})
}

// Options go up, down, and are the user's to set.
func TestRFC1122_UDP_02(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:1000 7")
		for _, no := range []string{"ipoptions 5e", "ipoptions 5e01", "ipoptions xyz", "ipoptions 01 01", "ipoptions " + strings.Repeat("01", 41)} {
			if err := ctl(t, c, no); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s: %v, want EINVAL", no, err)
			}
		}
		if err := ctl(t, c, "ipoptions 83070401020304"); !errors.Is(err, syscall.EACCES) {
			t.Errorf("a source route: %v, want EACCES", err)
		}
		command(t, c, "ipoptions 07070400000000")
		write(t, c, []byte("x"))
		if d := st.one(); !bytes.Equal(d.ip.Options, []byte{7, 7, 4, 0, 0, 0, 0, 0}) || string(d.payload[wire.UDPLen:]) != "x" {
			t.Errorf("options %x, %q", d.ip.Options, d.payload)
		}
		command(t, c, "ipoptions")
		write(t, c, []byte("x"))
		if d := st.one(); len(d.ip.Options) != 0 {
			t.Errorf("options %x after they were taken back", d.ip.Options)
		}
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP, Options: wire.RouterAlert}, udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, "x"))
		if got := c.StatusText(); !strings.Contains(got, "\nfromoptions 94040000\n") {
			t.Errorf("status:\n%s", got)
		}
	})
}

// Errors of ICMP reach the user, unless he ignores them.
func TestRFC1122_UDP_03(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		for _, ignore := range []bool{false, true} {
			c := clone(t, s, wire.UDP)
			command(t, c, "connect 10.0.0.1:7")
			if ignore {
				command(t, c, "ignoreadvice")
			}
			write(t, c, []byte("x"))
			d := st.one()
			quote := append(slices.Clone(d.header), d.payload...)
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, icmpMessage(wire.ICMPUnreachable, wire.ICMPPortUnreachable, 0, quote))
			op := do(t, s, &Op{Kind: OpWrite, Conv: c, Data: []byte("y")})
			if told := errors.Is(op.Err, syscall.EPIPE) && c.ErrText() == "port unreachable: says 10.0.0.1\n"; told == ignore {
				t.Errorf("ignored %v: write %v, err %q", ignore, op.Err, c.ErrText())
			}
			st.seen()
		}
	})
}

// Checksums are made and looked at by default; a sum of zero is sent as ones.
func TestRFC1122_UDP_04(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:1000 7")
		ones := false
		for n := range 1 << 16 {
			data := binary.BigEndian.AppendUint16(nil, uint16(n))
			write(t, c, data)
			d := st.one()
			sum := binary.BigEndian.Uint16(d.payload[wire.UDPChecksumAt:])
			if sum == 0 || wire.TransportChecksum(d.ip.Src, d.ip.Dst, wire.UDP, d.payload) != 0 {
				t.Fatalf("%x: checksum %#x is wrong", data, sum)
			}
			if ones = sum == 0xffff; ones {
				break
			}
		}
		if !ones {
			t.Error("no datagram had a checksum of all ones")
		}
		bad := udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, "bad")
		bad[wire.UDPChecksumAt] ^= 1
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP}, bad)
		st.none("a wrong checksum")
		st.udp("10.0.0.2", 7, "good")
		if got := string(read(t, c)); got != "good" {
			t.Errorf("read %q", got)
		}
	})
}

// A sender may do without, a receiver may insist.
func TestRFC1122_UDP_05(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:1000 7")
		none := udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, "none")
		none[wire.UDPChecksumAt], none[wire.UDPChecksumAt+1] = 0, 0
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP}, none)
		if got := string(read(t, c)); got != "none" {
			t.Errorf("read %q", got)
		}
		command(t, c, "checksum insist")
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP}, none)
		if op := do(t, s, &Op{Kind: OpRead, Conv: c, Max: 9, NonBlock: true}); !errors.Is(op.Err, syscall.EAGAIN) {
			t.Errorf("who insists reads %q, %v", bytesOf(op), op.Err)
		}
		for line, want := range map[string]bool{"checksum 0": false, "checksum off": false, "checksum 1": true, "checksum on": true, "checksum insist": true} {
			command(t, c, line)
			write(t, c, []byte("x"))
			if sum := binary.BigEndian.Uint16(st.one().payload[wire.UDPChecksumAt:]); sum != 0 != want {
				t.Errorf("%s: sum %#x", line, sum)
			}
		}
		if err := ctl(t, c, "checksum perhaps"); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("checksum perhaps: %v, want EINVAL", err)
		}
	})
}

// The user learns which of our addresses was asked, chooses his own, and can read
// which it is.
func TestRFC1122_UDP_06(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, st.iface.Ctl("add 10.0.0.3/24"))
		l := clone(t, s, wire.UDP)
		command(t, l, "announce 7")
		st.udp("10.0.0.3", 7, "x")
		if got := listen(t, l).LocalText(); got != "10.0.0.3!7\n" {
			t.Errorf("the call's local is %q", got)
		}
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 8\nheaders")
		st.udp("10.0.0.3", 8, "x")
		if got := read(t, all); netip.AddrFrom16([16]byte(got[16:32])).Unmap() != addr("10.0.0.3") {
			t.Errorf("the header has %x", got[:udpHeaderLen])
		}
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:7 10.0.0.3:5000")
		free := clone(t, s, wire.UDP)
		command(t, free, "connect 10.0.0.1:7")
		if got, wild := c.LocalText(), free.LocalText(); got != "10.0.0.3!5000\n" || !strings.HasPrefix(wild, "10.0.0.2!") {
			t.Errorf("local is %q where chosen, %q where not", got, wild)
		}
	})
}

// Sources that cannot be never reach a conversation, and none but ours is sent.
func TestRFC1122_UDP_07(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 7\nheaders")
		for _, src := range []string{"0.0.0.0", "127.0.0.1", "255.255.255.255", "10.0.0.255", "224.0.0.9", "10.0.0.2"} {
			st.send(wire.IP{Src: addr(src), Dst: addr("10.0.0.2"), Proto: wire.UDP}, udpDatagram(addr(src), addr("10.0.0.2"), 1000, 7, "x"))
			if op := do(t, s, &Op{Kind: OpRead, Conv: all, Max: 99, NonBlock: true}); !errors.Is(op.Err, syscall.EAGAIN) {
				t.Errorf("from %s: read %q, %v", src, bytesOf(op), op.Err)
			}
		}
		for _, src := range []string{"0.0.0.0", "10.0.0.255", "224.0.0.9", "192.0.2.1"} {
			write(t, all, plan9(netip.MustParseAddrPort("10.0.0.1:1000"), netip.AddrPortFrom(addr(src), 7), "x"))
			if d := st.one(); d.ip.Src != addr("10.0.0.2") {
				t.Errorf("as %s: sent from %v", src, d.ip.Src)
			}
		}
	})
}

// TTL, type of service and options are the user's to set, also in the middle.
func TestRFC1122_UDP_08(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:7")
		for n := range uint8(3) {
			command(t, c, fmt.Sprintf("ttl %d\ntos %d\nipoptions 5e03%02x", 5+n, 8*n, n))
			write(t, c, []byte("x"))
			if d := st.one(); d.ip.TTL != 5+n || d.ip.TOS != 8*n || !bytes.Equal(d.ip.Options, []byte{0x5e, 3, n, 0}) {
				t.Errorf("sent %+v", d.ip)
			}
		}
	})
}

// A length that the bytes do not bear out is an error; bytes beyond it are none of
// the datagram's.
func TestRFC1122_UDP_09(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 7\nheaders")
		for n, length := range []uint16{0, 1, 7, 13, 65535} {
			b := udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, "data")
			binary.BigEndian.PutUint16(b[4:], length)
			st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP}, b)
			if got := counter(t, s.StatsText(wire.UDP), "InErrors"); got != fmt.Sprint(n+1) {
				t.Errorf("length %d: %s errors, want %d", length, got, n+1)
			}
		}
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP}, append(udpDatagram(st.ip, addr("10.0.0.2"), 1000, 7, "data"), "rest"...))
		if got := read(t, all); string(got[udpHeaderLen:]) != "data" {
			t.Errorf("read %q", got[udpHeaderLen:])
		}
		st.none("errors of length")
	})
}
