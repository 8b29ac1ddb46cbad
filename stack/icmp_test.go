package stack

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/wire"
)

// echo is a packet as the icmp directory wants it: room for the IP header, type,
// code, checksum and identifier, which we fill in, the sequence number, data.
func echo(seq byte, data string) []byte {
	b := make([]byte, wire.IPv4Len+wire.ICMPLen)
	b[20], b[27] = wire.ICMPEchoRequest, seq
	return append(b, data...)
}

// greet sends one echo and waits for its answer; then the two are neighbours.
func greet(t testing.TB, s *Stack, addr string) {
	t.Helper()
	c := clone(t, s, wire.ICMP)
	defer c.Drop()
	command(t, c, "connect "+addr)
	write(t, c, echo(1, ""))
	read(t, c)
}

func TestPing(t *testing.T) {
	a, b := pair(t)
	c := clone(t, a, wire.ICMP)
	command(t, c, "connect 10.0.0.2")
	for seq, data := range []string{"", "odd", strings.Repeat("long", 5000)} {
		write(t, c, echo(byte(seq), data))
		got := read(t, c)
		ip, payload, _, err := wire.ParseIPv4(got)
		if err != nil || ip.Src != netip.MustParseAddr("10.0.0.2") || ip.Dst != netip.MustParseAddr("10.0.0.1") {
			t.Fatalf("%+v, %v", ip, err)
		}
		h, echoed, err := wire.ParseICMP(payload)
		_, n := h.Echo()
		if err != nil || h.Type != wire.ICMPEchoReply || int(n) != seq || string(echoed) != data {
			t.Errorf("%+v with %d bytes, %v; want echo %d with %d bytes", h, len(echoed), err, seq, len(data))
		}
	}
	if in := counter(t, b.StatsText(wire.ICMP), "EchoRequest"); in != "3 0" {
		t.Errorf("echo requests in and out: %s, want 3 and 0", in)
	}
	for _, short := range []int{0, 27} {
		if op := do(t, a, &Op{Kind: OpWrite, Conv: c, Data: make([]byte, short)}); !errors.Is(op.Err, syscall.EINVAL) {
			t.Errorf("a write of %d bytes: %v, want EINVAL", short, op.Err)
		}
	}
}

// Two who ping the same host get their own answers.
func TestPingsDoNotMix(t *testing.T) {
	a, _ := pair(t)
	one, two := clone(t, a, wire.ICMP), clone(t, a, wire.ICMP)
	command(t, one, "connect 10.0.0.2")
	command(t, two, "connect 10.0.0.2")
	write(t, one, echo(1, "one"))
	write(t, two, echo(1, "two"))
	if got := read(t, one); !bytes.HasSuffix(got, []byte("one")) {
		t.Errorf("one read %q", got)
	}
	if got := read(t, two); !bytes.HasSuffix(got, []byte("two")) {
		t.Errorf("two read %q", got)
	}
}

// icmp/dial/HOST is a ping line a second.
func TestPingDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		op := do(t, a, &Op{Kind: OpDial, Proto: wire.ICMP, Addr: "10.0.0.2"})
		must(t, op.Err)
		line := regexp.MustCompile(`^(\d) 64 \d+\.\d{3} ms\n$`)
		began := time.Now()
		for seq := 1; seq <= 3; seq++ {
			got := string(read(t, op.Call))
			if m := line.FindStringSubmatch(got); m == nil || m[1] != strconv.Itoa(seq) {
				t.Errorf("line %q", got)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("3 lines took %v", took)
		}
		shut(b)
		if got := string(read(t, op.Call)); got != "4 no answer\n" {
			t.Errorf("line %q", got)
		}
		op.Call.Drop()
	})
}

// Nobody at the address: after three requests the senders are told.
func TestNoNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t)
		began := time.Now()
		c := clone(t, a, wire.UDP)
		command(t, c, "connect 10.0.0.77:9")
		write(t, c, []byte("anybody?"))
		op := do(t, a, &Op{Kind: OpRead, Conv: c, Max: 1})
		if took := time.Since(began); !errors.Is(op.Err, syscall.EHOSTUNREACH) || took != 3*time.Second {
			t.Errorf("%v after %v, want EHOSTUNREACH after 3s", op.Err, took)
		}
		// Whoever tries again soon is told at once.
		c = clone(t, a, wire.UDP)
		command(t, c, "connect 10.0.0.77:9")
		do(t, a, &Op{Kind: OpWrite, Conv: c, Data: []byte("now?")})
		began = time.Now()
		op = do(t, a, &Op{Kind: OpRead, Conv: c, Max: 1})
		if took := time.Since(began); !errors.Is(op.Err, syscall.EHOSTUNREACH) || took != 0 {
			t.Errorf("again: %v after %v, want EHOSTUNREACH at once", op.Err, took)
		}
		if got := counter(t, a.Iface(1).StatsText(), "dropped no neighbour"); got != "2" {
			t.Errorf("%s frames dropped, want 2", got)
		}
	})
}

// A neighbour may be written down.
func TestPermanentNeighbour(t *testing.T) {
	a, b := newHost(t, Config{}), newHost(t, Config{})
	mac := wire.MAC{2, 0, 0, 0, 0, 7}
	endA, endB, err := nic.NewPipe(nic.Options{}, nic.Options{MAC: mac})
	must(t, err)
	plug(t, a, endA, "10.0.0.1/24")
	plug(t, b, endB, "10.0.0.2/24")
	must(t, a.WriteARP("add ether 10.0.0.2 020000000007"))
	must(t, b.WriteARP("add 10.0.0.1 "+endA.MAC().String()))
	greet(t, a, "10.0.0.2")
	if got := a.ARPText(); !regexp.MustCompile(`(?m)^ether +\S+ +10\.0\.0\.2 +020000000007 +\d+ +1$`).MatchString(got) {
		t.Errorf("arp:\n%s", got)
	}
	if got := a.Iface(1).StatsText(); !strings.Contains(got, "Requests:0") {
		t.Errorf("asked for a neighbour that was written down:\n%s", got)
	}
}

// Two of ours have the same address: the log of each says so, once, and they do
// not both keep it.
func TestAddressConflict(t *testing.T) {
	a, b := newHost(t, Config{}), newHost(t, Config{})
	_, thief := join(t, a, "10.0.0.1/24", b, "10.0.0.1/24", nic.Options{})
	must(t, thief.Ctl("add 10.0.0.2/24"))
	c := clone(t, b, wire.UDP)
	command(t, c, "ignoreadvice\nconnect 10.0.0.7:9")
	write(t, c, []byte("x")) // b asks for 10.0.0.7, as 10.0.0.1
	must(t, a.Sync())
	must(t, b.Sync())
	for _, s := range []*Stack{a, b} {
		if got := s.LogText(); strings.Count(got, "uses our address 10.0.0.1: it was told") != 1 {
			t.Errorf("the log says\n%s", got)
		}
	}
	if strings.Contains(a.SelfText(), "10.0.0.1 ") && strings.Contains(b.SelfText(), "10.0.0.1 ") {
		t.Error("both have kept it")
	}
}

// At most a burst of errors, then so many a second, and what was held back is
// counted (RFC 1812 §4.3.2.8).
func TestErrorsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		greet(t, a, "10.0.0.2")
		must(t, b.WriteCtl("icmp.ratelimit 10"))
		c := clone(t, a, wire.UDP)
		command(t, c, "ignoreadvice\nconnect 10.0.0.2:9")
		flood := func(n int) (sent string) {
			for range n {
				write(t, c, []byte("x"))
			}
			synctest.Wait()
			sent, _, _ = strings.Cut(counter(t, a.StatsText(wire.ICMP), "Unreachable"), " ")
			return sent
		}
		if got, want := flood(icmpBurst+20), fmt.Sprint(icmpBurst); got != want {
			t.Errorf("%s errors at once, want %s", got, want)
		}
		if got := counter(t, b.StatsText(wire.ICMP), "RateLimited"); got != "20" {
			t.Errorf("%s errors held back, want 20", got)
		}
		time.Sleep(time.Second)
		if got, want := flood(20), fmt.Sprint(icmpBurst+10); got != want {
			t.Errorf("%s errors after a second more, want %s", got, want)
		}
	})
}
