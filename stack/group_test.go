package stack

// Multicast: joins, what routers are told, what is heard and sent.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/wire"
)

// reports are the messages of IGMP from the stack since the last call.
func (st *station) reports() (all []seen) {
	for _, d := range st.seen() {
		if d.ip.Proto == wire.IGMP {
			all = append(all, d)
		}
	}
	return all
}

// igmp sends a query about a group.
func (st *station) query(dst, group string, code byte) {
	b := []byte{wire.IGMPQuery, code, 0, 0}
	g := addr(group).As4()
	b = append(b, g[:]...)
	b = append(b, 2, 125, 0, 0)
	sum := wire.Checksum(b)
	b[2], b[3] = byte(sum>>8), byte(sum)
	st.toGroup(wire.MulticastMAC(addr(dst)), wire.IP{Dst: addr(dst), Proto: wire.IGMP, Options: wire.RouterAlert}, b)
}

// The group of all hosts is joined from the start; others by who asks for them,
// and a user above IP can do so.
func TestRFC1122_IP_35(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		all := clone(t, s, wire.UDP)
		command(t, all, "announce 7\nheaders")
		hears := func(group string) bool {
			to := addr(group)
			st.toGroup(wire.MulticastMAC(to), wire.IP{Dst: to, Proto: wire.UDP}, udpDatagram(st.ip, to, 1000, 7, group))
			op := do(t, s, &Op{Kind: OpRead, Conv: all, Max: 99, NonBlock: true})
			got := bytesOf(op)
			return len(got) > udpHeaderLen && string(got[udpHeaderLen:]) == group
		}
		if !hears("224.0.0.1") || hears("239.1.2.3") {
			t.Error("not in the group of all hosts, or in one that nobody has joined")
		}
		command(t, all, "addmulti 10.0.0.2 239.1.2.3")
		if !hears("239.1.2.3") || hears("239.1.2.4") {
			t.Error("not in the group that was joined, or in another")
		}
		command(t, all, "remmulti 239.1.2.3")
		if hears("239.1.2.3") {
			t.Error("still in the group that was left")
		}
		if n := drops(t, st.iface, "group not joined"); n != "3" {
			t.Errorf("%s dropped, want 3", n)
		}
	})
}

// Routers are told by IGMPv3: to 224.0.0.22, with a TTL of 1 and the router alert.
func TestRFC3376_CHANGE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c, other := clone(t, s, wire.UDP), clone(t, s, wire.UDP)
		command(t, c, "addmulti 10.0.0.2 239.1.2.3\naddmulti 10.0.0.2 239.1.2.3")
		command(t, other, "addmulti * 239.1.2.3")
		time.Sleep(2 * time.Second)
		report := func(typ byte) []byte {
			b := []byte{wire.IGMPv3Report, 0, 0, 0, 0, 0, 0, 1, typ, 0, 0, 0, 239, 1, 2, 3}
			sum := wire.Checksum(b)
			b[2], b[3] = byte(sum>>8), byte(sum)
			return b
		}
		expect := func(when string, typ byte, times int) {
			t.Helper()
			all := st.reports()
			for _, d := range all {
				if d.eth.Dst != (wire.MAC{1, 0, 0x5e, 0, 0, 22}) || d.ip.Dst != addr("224.0.0.22") || d.ip.Src != addr("10.0.0.2") || d.ip.TTL != 1 || d.ip.TOS != 0xc0 ||
					!slices.Equal(d.ip.Options, wire.RouterAlert) || !slices.Equal(d.payload, report(typ)) {
					t.Errorf("%s: %+v, %x in a frame to %v", when, d.ip, d.payload, d.eth.Dst)
				}
			}
			if len(all) != times {
				t.Errorf("%s: %d reports, want %d", when, len(all), times)
			}
		}
		expect("joined by two", wire.IGMPToExclude, 2)
		st.query("224.0.0.1", "0.0.0.0", 20)
		time.Sleep(3 * time.Second)
		expect("asked", wire.IGMPIsExclude, 1)
		command(t, c, "remmulti 239.1.2.3")
		time.Sleep(3 * time.Second)
		expect("left by one", 0, 0)
		other.Drop() // his end is a leave
		time.Sleep(3 * time.Second)
		expect("left by both", wire.IGMPToInclude, 2)
		bad := []byte{wire.IGMPQuery, 1, 2, 3, 0, 0, 0, 0}
		st.toGroup(wire.MulticastMAC(allHosts), wire.IP{Dst: allHosts, Proto: wire.IGMP}, bad)
		if n := drops(t, st.iface, "bad igmp"); n != "1" {
			t.Errorf("%s bad messages dropped, want 1", n)
		}
	})
}

// What is sent to a group leaves by the interface whose address it has, with a TTL
// of 1 unless the user has said otherwise, and is heard here too.
func TestRFC1112_SEND(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		left := newStation(t, s, "10.0.1.2/24", "10.0.1.1", 0)
		right := newStation(t, s, "10.0.2.2/24", "10.0.2.1", 0)
		l := clone(t, s, wire.UDP)
		command(t, l, "announce 239.1.2.3:7\naddmulti 10.0.2.2 239.1.2.3")
		time.Sleep(2 * time.Second)
		right.reports()
		send := func(from, more string) {
			c := clone(t, s, wire.UDP)
			command(t, c, "connect 239.1.2.3:7"+from+more)
			write(t, c, []byte("x"))
		}
		send("", "")
		if d := left.one(); d.ip.TTL != 1 || d.eth.Dst != wire.MulticastMAC(addr("239.1.2.3")) || d.ip.Src != addr("10.0.1.2") {
			t.Errorf("%+v to %v", d.ip, d.eth.Dst)
		}
		right.none("the first interface is that of groups")
		must(t, s.WriteRoute("add 0 0 10.0.2.1", new(string)))
		send("", "\nttl 9")
		if d := right.one(); d.ip.TTL != 9 || d.eth.Dst != wire.MulticastMAC(addr("239.1.2.3")) {
			t.Errorf("%+v to %v: a gateway is none of a group's", d.ip, d.eth.Dst)
		}
		if call := listen(t, l); string(read(t, call)) != "x" || call.LocalText() != "10.0.2.2!7\n" {
			t.Errorf("heard here as %q", call.LocalText())
		}
		send(" 10.0.1.2:5000", "")
		left.one()
		right.none("sent from the other interface")
		for n, want := range map[string]string{"239.1.2.3": "m", "224.0.0.1": "m"} {
			if got := s.SelfText(); !strings.Contains(got, n+strings.Repeat(" ", 45-len(n))+"01    "+want) {
				t.Errorf("ipselftab\n%s\nwant %s as %s", got, n, want)
			}
		}
		if got := l.StatusText(); !strings.Contains(got, "\ngroups 239.1.2.3@2\n") {
			t.Errorf("status\n%s", got)
		}
	})
}

// Two hosts of ours hear each other.
func TestGroupOfTwo(t *testing.T) {
	a, b := newHost(t, Config{}), newHost(t, Config{})
	join(t, a, "10.0.0.1/24", b, "10.0.0.2/24", nic.Options{})
	all := clone(t, b, wire.UDP)
	command(t, all, "announce 5353\nheaders\naddmulti 10.0.0.2 224.0.0.251")
	c := clone(t, a, wire.UDP)
	command(t, c, "connect 224.0.0.251:5353")
	write(t, c, []byte("who?"))
	if got := read(t, all); string(got[udpHeaderLen:]) != "who?" {
		t.Errorf("read %q", got)
	}
}

// What cannot be joined is refused, and nothing changes; the number of groups is
// bounded.
func TestGroupErrors(t *testing.T) {
	s := newHost(t, Config{})
	x, y, err := nic.NewPipe(nic.Options{}, nic.Options{})
	must(t, err)
	y.Start(deaf{})
	t.Cleanup(func() { y.Close() })
	plug(t, s, x, "10.0.0.2/24")
	c := clone(t, s, wire.UDP)
	for line, want := range map[string]syscall.Errno{
		"addmulti":                    syscall.EINVAL,
		"addmulti 10.0.0.2":           syscall.EINVAL, // connected to nothing
		"addmulti 10.0.0.2 10.0.0.3":  syscall.EINVAL,
		"addmulti 10.0.0.2 239.1.2":   syscall.EINVAL,
		"addmulti 10.0.0.9 239.1.2.3": syscall.EADDRNOTAVAIL,
		"addmulti nobody 239.1.2.3":   syscall.EINVAL,
		"addmulti a b c":              syscall.EINVAL,
		"remmulti":                    syscall.EINVAL,
		"remmulti x":                  syscall.EINVAL,
	} {
		if err := ctl(t, c, line); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", line, err, want)
		}
	}
	if err := ctl(t, clone(t, s, wire.TCP), "addmulti 10.0.0.2 239.1.2.3"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("tcp joins: %v", err)
	}
	for n := range maxMemberships {
		command(t, c, fmt.Sprintf("addmulti 10.0.0.2 239.0.0.%d", n))
	}
	if err := ctl(t, c, "addmulti 10.0.0.2 239.0.1.0"); !errors.Is(err, syscall.ENFILE) {
		t.Errorf("one too many: %v, want ENFILE", err)
	}
	for n := maxMemberships; n < maxGroups; n++ {
		if n%maxMemberships == 0 {
			c = clone(t, s, wire.UDP)
		}
		command(t, c, fmt.Sprintf("addmulti 10.0.0.2 239.0.%d.%d", 1+n/256, n%256))
	}
	c = clone(t, s, wire.UDP)
	if err := ctl(t, c, "addmulti 10.0.0.2 239.9.9.9"); !errors.Is(err, syscall.ENFILE) {
		t.Errorf("one group too many for the interface: %v, want ENFILE", err)
	}
	command(t, c, "addmulti 10.0.0.2 239.0.0.0") // it is in that one already
}

// An interface that loses its NIC is in no group any more.
func TestGroupUnbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "addmulti 10.0.0.2 239.1.2.3")
		must(t, st.iface.Ctl("unbind"))
		if got := c.StatusText(); strings.Contains(got, "groups") {
			t.Errorf("status\n%s", got)
		}
		command(t, c, "remmulti 239.1.2.3\nhangup")
	})
}
