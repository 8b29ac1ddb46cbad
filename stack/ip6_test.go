package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// A family is what tests of both are run over: two hosts on a cable.
type family struct {
	name, a, b, lo string // addresses with their subnet's length; lo without
	icmp           wire.Proto
	header         int
	echo           uint8
}

var families = []family{
	{"IPv4", "10.0.0.1/24", "10.0.0.2/24", "127.0.0.1", wire.ICMP, wire.IPv4Len, wire.ICMPEchoRequest},
	{"IPv6", "2001:db8::1/64", "2001:db8::2/64", "::1", wire.ICMPv6, wire.IPv6Len, wire.ICMPv6EchoRequest},
}

// addrs are the two addresses alone.
func (f family) addrs() (a, b string) {
	return netip.MustParsePrefix(f.a).Addr().String(), netip.MustParsePrefix(f.b).Addr().String()
}

// at is an address and a port, as users write it.
func at(host string, port int) string { return fmt.Sprintf("%s!%d", host, port) }

// overBoth runs a test for each family, in a bubble, on two hosts that are joined.
func overBoth(t *testing.T, o nic.Options, test func(t *testing.T, f family, a, b *Stack)) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newHost(t, Config{}), newHost(t, Config{})
				join(t, a, f.a, b, f.b, o)
				test(t, f, a, b)
			})
		})
	}
}

func TestEcho(t *testing.T) {
	overBoth(t, nic.Options{}, func(t *testing.T, f family, a, b *Stack) {
		addrA, addrB := f.addrs()
		for _, host := range []string{addrB, addrA, f.lo} {
			c := clone(t, a, f.icmp)
			command(t, c, "connect "+host)
			packet := make([]byte, f.header+wire.ICMPLen+3000) // in fragments, both ways
			packet[f.header], packet[f.header+7] = f.echo, 9
			copy(packet[f.header+wire.ICMPLen:], bytes.Repeat([]byte("echo"), 750))
			write(t, c, packet)
			got := read(t, c)
			if len(got) != len(packet) || !bytes.Equal(got[f.header+wire.ICMPLen:], packet[f.header+wire.ICMPLen:]) || got[f.header+7] != 9 {
				t.Errorf("%s: %d bytes came back", host, len(got))
			}
			c.Drop()
		}
		op := do(t, a, &Op{Kind: OpDial, Proto: f.icmp, Addr: addrB})
		must(t, op.Err)
		if line := string(read(t, op.Call)); !strings.HasPrefix(line, "1 64 ") {
			t.Errorf("ping says %q", line)
		}
		op.Call.Drop()
	})
}

func TestStreams(t *testing.T) {
	overBoth(t, nic.Options{}, func(t *testing.T, f family, a, b *Stack) {
		addrA, addrB := f.addrs()
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		c := clone(t, a, wire.TCP)
		command(t, c, "connect "+at(addrB, 80))
		call := listen(t, l)
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
		for _, way := range [][2]*Conv{{c, call}, {call, c}} {
			w := start(way[0].stack, &Op{Kind: OpWrite, Conv: way[0], Data: data})
			var got []byte
			for len(got) < len(data) {
				got = append(got, read(t, way[1])...)
			}
			must(t, wait(t, w).Err)
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes came, not those that were sent", len(got))
			}
		}
		if r := c.RemoteText(); r != at(addrB, 80)+"\n" {
			t.Errorf("remote %q", r)
		}
		if r := call.RemoteText(); !strings.HasPrefix(r, addrA+"!") {
			t.Errorf("the called hears of %q", r)
		}
		mss := 1500 - f.header - wire.TCPLen - 12 // timestamps
		if got := counter(t, strings.ReplaceAll(c.StatusText(), "mss ", "mss: "), "mss"); got != fmt.Sprint(mss+12) && got != fmt.Sprint(mss) {
			t.Errorf("mss %s, want %d", got, mss)
		}
		refused := clone(t, a, wire.TCP)
		if err := ctl(t, refused, "connect "+at(addrB, 81)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a closed port: %v", err)
		}
		refused.Drop()
		// Nobody is there: the neighbour does not answer.
		silent := clone(t, a, wire.TCP)
		nobody := netip.MustParseAddr(addrB).Next().String()
		if err := ctl(t, silent, "connect "+at(nobody, 80)); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("nobody at %s: %v", nobody, err)
		}
		silent.Drop()
		call.Drop()
		c.Drop()
		l.Drop()
	})
}

func TestDatagrams(t *testing.T) {
	overBoth(t, nic.Options{}, func(t *testing.T, f family, a, b *Stack) {
		addrA, addrB := f.addrs()
		l := clone(t, b, wire.UDP)
		command(t, l, "announce 53\nheaders")
		c := clone(t, a, wire.UDP)
		command(t, c, "connect "+at(addrB, 53))
		for _, n := range []int{1, 1400, 5000, maxUDP(netip.MustParseAddr(addrB))} {
			text := bytes.Repeat([]byte("d"), n)
			write(t, c, text)
			d := read(t, l)
			if from := netip.AddrFrom16([16]byte(d)).Unmap().String(); from != addrA || !bytes.Equal(d[udpHeaderLen:], text) {
				t.Fatalf("%d bytes from %s", len(d)-udpHeaderLen, from)
			}
			write(t, l, d) // echoing the buffer answers
			if !bytes.Equal(read(t, c), text) {
				t.Fatalf("the answer of %d bytes is another", n)
			}
		}
		gone := clone(t, a, wire.UDP)
		command(t, gone, "connect "+at(addrB, 54))
		write(t, gone, []byte("anybody?"))
		op := do(t, a, &Op{Kind: OpRead, Conv: gone, Max: 100})
		if !errors.Is(op.Err, neterr.PortUnreachable) {
			t.Errorf("a closed port: %v", op.Err)
		}
		gone.Drop()
		c.Drop()
		l.Drop()
	})
}

// One listener takes the calls of both families, unless it names one.
func TestAnnounceBothFamilies(t *testing.T) {
	s := newHost(t, Config{})
	for _, test := range []struct {
		announce, local string
		v4, v6          bool
	}{
		{"*!80", "::!80", true, true}, {"80", "::!80", true, true}, {"[::]:80", "::!80", true, true},
		{"0.0.0.0!80", "0.0.0.0!80", true, false}, {"[::1]:80", "::1!80", false, true}, {"::1!80", "::1!80", false, true},
	} {
		for _, proto := range []wire.Proto{wire.TCP, wire.UDP} {
			l := clone(t, s, proto)
			command(t, l, "announce "+test.announce)
			if got := l.LocalText(); got != test.local+"\n" {
				t.Errorf("announce %s: local %q", test.announce, got)
			}
			if proto == wire.TCP {
				for host, want := range map[string]bool{"127.0.0.1": test.v4, "::1": test.v6} {
					c := clone(t, s, proto)
					if err := ctl(t, c, "connect "+host+"!80"); (err == nil) != want {
						t.Errorf("announce %s, connect %s: %v", test.announce, host, err)
					}
					c.Drop()
				}
			}
			must(t, ctl(t, l, "hangup"))
			l.Drop()
		}
	}
}

// An interface that has an IPv6 address makes a link-local one; so two hosts that
// have nothing else can talk, and say on which interface.
func TestLinkLocal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newHost(t, Config{}), newHost(t, Config{})
		ia, ib := join(t, a, "10.0.0.1/24", b, "10.0.0.2/24", nic.Options{})
		must(t, ia.Ctl("ra6 recvra 1"))
		must(t, ib.Ctl("ra6 recvra 1"))
		time.Sleep(5 * time.Second) // longer than duplicate address detection
		var addrB string
		for line := range strings.Lines(ib.StatusText()) {
			if f := strings.Fields(line); strings.HasPrefix(f[0], "fe80:") {
				addrB = f[0]
			}
		}
		if addrB == "" {
			t.Fatalf("no link-local address:\n%s", ib.StatusText())
		}
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		for _, host := range []string{addrB, addrB + "%1"} {
			c := clone(t, a, wire.TCP)
			command(t, c, "connect "+host+"!80")
			call := listen(t, l)
			if r := c.RemoteText(); r != addrB+"%1!80\n" {
				t.Errorf("remote %q", r)
			}
			c.Drop()
			call.Drop()
		}
		c := clone(t, a, wire.TCP)
		if err := ctl(t, c, "connect "+addrB+"%7!80"); !errors.Is(err, neterr.NoInterface) {
			t.Errorf("on another interface: %v", err)
		}
		if err := ctl(t, c, "connect 2001:db8::1%1!80"); !errors.Is(err, neterr.BadAddress) {
			t.Errorf("a zone of a global address: %v", err)
		}
		c.Drop()
		l.Drop()
		if text := a.ARPText(); !strings.Contains(text, addrB+"%1") {
			t.Errorf("arp:\n%s", text)
		}
	})
}

// Whoever asks for tcp4 gets IPv4, and nobody takes another user's calls by way of
// the other family.
func TestOneFamily(t *testing.T) {
	s := newHost(t, Config{Names: resolver(func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.IPv6Loopback(), netip.MustParseAddr("127.0.0.1")}, nil
	})})
	l, err := s.Listen("tcp", ":80")
	must(t, err)
	defer l.Close()
	for network, want := range map[string]string{"tcp": "[::1]:80", "tcp4": "127.0.0.1:80"} {
		c, err := s.Dial(network, "both.example:80")
		must(t, err)
		if got := c.RemoteAddr().String(); got != want {
			t.Errorf("%s: %s, want %s", network, got, want)
		}
		c.Close()
	}
	if _, err := s.Dial("tcp4", "[::1]:80"); !errors.Is(err, neterr.BadAddress) {
		t.Errorf("tcp4 to ::1: %v", err)
	}
	for _, test := range []struct {
		alices, bobs string
		refused      bool
	}{
		{"*!2080", "0.0.0.0!2080", true}, {"*!2080", "::1!2080", true}, {"0.0.0.0!2080", "*!2080", true},
		{"0.0.0.0!2080", "127.0.0.1!2080", true}, {"0.0.0.0!2080", "::1!2080", false}, {"::1!2080", "127.0.0.1!2080", false},
	} {
		a, b := cloneAs(t, s, wire.TCP, alice, false), cloneAs(t, s, wire.TCP, bob, false)
		must(t, ctlAs(t, a, alice, "announce "+test.alices))
		if err := ctlAs(t, b, bob, "announce "+test.bobs); errors.Is(err, neterr.AddrInUse) != test.refused {
			t.Errorf("alice has %s, bob wants %s: %v", test.alices, test.bobs, err)
		}
		a.Drop()
		b.Drop()
	}
}
