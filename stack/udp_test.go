package stack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

func TestUDPConnect(t *testing.T) {
	a, b := pair(t)
	l := clone(t, b, wire.UDP)
	command(t, l, "announce 7")
	c := clone(t, a, wire.UDP)
	command(t, c, "connect 10.0.0.2:7 4321")
	if got := c.LocalText() + c.RemoteText(); got != "10.0.0.1!4321\n10.0.0.2!7\n" {
		t.Errorf("local and remote: %q", got)
	}
	write(t, c, []byte("one"))
	write(t, c, []byte("two"))
	// A new peer is a call, its datagrams are in its data, one a read.
	call := listen(t, l)
	if got := call.LocalText() + call.RemoteText(); got != "10.0.0.2!7\n10.0.0.1!4321\n" {
		t.Errorf("local and remote of the call: %q", got)
	}
	if got := string(read(t, call)) + "," + string(read(t, call)); got != "one,two" {
		t.Errorf("read %q", got)
	}
	write(t, call, []byte("answer"))
	if got := read(t, c); string(got) != "answer" {
		t.Errorf("answer %q", got)
	}
	if got := c.StatusText(); !strings.HasPrefix(got, "Open qin 0 qout 0\n") {
		t.Errorf("status %q", got)
	}
}

// A conversation that is connected hears its peer only.
func TestUDPConnectedHearsOnePeer(t *testing.T) {
	a, b := pair(t)
	c := clone(t, b, wire.UDP)
	command(t, c, "connect 10.0.0.1:1111 2222")
	stranger, peer := clone(t, a, wire.UDP), clone(t, a, wire.UDP)
	command(t, stranger, "ignoreadvice\nconnect 10.0.0.2:2222 9999")
	command(t, peer, "connect 10.0.0.2:2222 1111")
	write(t, stranger, []byte("stranger"))
	write(t, peer, []byte("peer"))
	if got := read(t, c); string(got) != "peer" {
		t.Errorf("read %q", got)
	}
	if n := counter(t, b.StatsText(wire.UDP), "NoPorts"); n != "1" {
		t.Errorf("NoPorts %s, want 1", n)
	}
}

// plan9 is struct Udphdr before a datagram.
func plan9(remote, local netip.AddrPort, data string) []byte {
	r, l := remote.Addr().As16(), local.Addr().As16()
	b := append(r[:], l[:]...)
	b = append(b, make([]byte, 16)...)
	b = binary.BigEndian.AppendUint16(b, remote.Port())
	b = binary.BigEndian.AppendUint16(b, local.Port())
	return append(b, data...)
}

func TestUDPHeaders(t *testing.T) {
	a, b := pair(t)
	all := clone(t, b, wire.UDP)
	command(t, all, "announce 5000\nheaders")
	c := clone(t, a, wire.UDP)
	command(t, c, "connect 10.0.0.2:5000 4000")
	for _, text := range []string{"hello", ""} {
		write(t, c, []byte(text))
		got := read(t, all)
		want := plan9(netip.MustParseAddrPort("10.0.0.1:4000"), netip.MustParseAddrPort("10.0.0.2:5000"), text)
		ours := netip.MustParseAddr("10.0.0.2").As16()
		copy(want[32:48], ours[:])
		if !bytes.Equal(got, want) {
			t.Fatalf("read\n%x, want\n%x", got, want)
		}
		// What was read can be written back: it answers the sender.
		write(t, all, append(got[:udpHeaderLen:udpHeaderLen], "re: "+text...))
		if got := read(t, c); string(got) != "re: "+text {
			t.Errorf("answer %q", got)
		}
	}
	for _, short := range []int{0, 1, udpHeaderLen - 1} {
		op := do(t, b, &Op{Kind: OpWrite, Conv: all, Data: make([]byte, short)})
		if !errors.Is(op.Err, syscall.EINVAL) {
			t.Errorf("a write of %d bytes: %v, want EINVAL", short, op.Err)
		}
	}
	if op := do(t, b, &Op{Kind: OpListen, Conv: all}); !errors.Is(op.Err, syscall.EINVAL) {
		t.Errorf("listen with headers: %v, want EINVAL", op.Err)
	}
	if all.KeepsRest() || !c.KeepsRest() {
		t.Error("KeepsRest is for those without headers")
	}
}

func TestUDPUnreachable(t *testing.T) {
	a, _ := pair(t)
	c := clone(t, a, wire.UDP)
	command(t, c, "connect 10.0.0.2:9")
	write(t, c, []byte("x"))
	if op := do(t, a, &Op{Kind: OpRead, Conv: c, Max: 1}); !errors.Is(op.Err, syscall.ECONNREFUSED) {
		t.Errorf("read: %v, want ECONNREFUSED", op.Err)
	}
	if op := do(t, a, &Op{Kind: OpWrite, Conv: c, Data: []byte("x")}); !errors.Is(op.Err, syscall.EPIPE) {
		t.Errorf("write: %v, want EPIPE", op.Err)
	}
	if got := c.ErrText(); got != "port unreachable: says 10.0.0.2\n" {
		t.Errorf("err %q", got)
	}
}

// Who ignores advice may find that the port has come.
func TestUDPIgnoresAdvice(t *testing.T) {
	a, b := pair(t)
	greet(t, a, "10.0.0.2")
	c := clone(t, a, wire.UDP)
	command(t, c, "ignoreadvice\nconnect 10.0.0.2:9")
	write(t, c, []byte("lost"))
	l := clone(t, b, wire.UDP)
	must(t, b.Sync())
	command(t, l, "announce 9")
	write(t, c, []byte("heard"))
	if got := read(t, listen(t, l)); string(got) != "heard" {
		t.Errorf("read %q", got)
	}
}

// 40000 bytes go as 28 fragments and come as one datagram.
func TestFragments(t *testing.T) {
	a, b := pair(t)
	l := clone(t, b, wire.UDP)
	command(t, l, "announce 7")
	c := clone(t, a, wire.UDP)
	command(t, c, "connect 10.0.0.2:7")
	want := make([]byte, 40000)
	for i := range want {
		want[i] = byte(i * i >> 7)
	}
	write(t, c, want)
	if got := read(t, listen(t, l)); !bytes.Equal(got, want) {
		t.Errorf("%d bytes came, or others", len(got))
	}
	if n := counter(t, a.StackStatsText(), "FragCreates"); n != "28" {
		t.Errorf("%s fragments, want 28", n)
	}
	if n := counter(t, b.StackStatsText(), "ReasmOKs"); n != "1" {
		t.Errorf("%s datagrams put together, want 1", n)
	}
}

// What nobody reads is bounded, and what is dropped is counted.
func TestUDPQueueIsBounded(t *testing.T) {
	a, b := pair(t)
	greet(t, a, "10.0.0.2")
	must(t, b.WriteCtl("udp.rcvbuf 4k"))
	all := clone(t, b, wire.UDP)
	command(t, all, "announce 7\nheaders")
	c := clone(t, a, wire.UDP)
	command(t, c, "connect 10.0.0.2:7")
	for range 10 {
		write(t, c, make([]byte, 1000))
	}
	must(t, b.Sync())
	in, full := counter(t, b.StatsText(wire.UDP), "InDatagrams"), counter(t, b.StatsText(wire.UDP), "QueueFull")
	if in != "3" || full != "7" {
		t.Errorf("%s datagrams queued and %s dropped, want 3 and 7", in, full)
	}
}

// A broadcast reaches who listens there, and draws no error.
func TestUDPBroadcast(t *testing.T) {
	a, b := pair(t)
	all := clone(t, b, wire.UDP)
	command(t, all, "announce 7\nheaders")
	for _, to := range []string{"10.0.0.255", "255.255.255.255"} {
		c := clone(t, a, wire.UDP)
		command(t, c, "connect "+to+":7")
		write(t, c, []byte("all"))
		if got := read(t, all); string(got[udpHeaderLen:]) != "all" || netip.AddrFrom16([16]byte(got[16:32])).Unmap().String() != to {
			t.Errorf("to %s came %q", to, got)
		}
		nobody := clone(t, a, wire.UDP)
		command(t, nobody, "connect "+to+":8")
		write(t, nobody, []byte("nobody"))
	}
	must(t, b.Sync())
	if n := counter(t, b.StatsText(wire.ICMP), "OutMsgs"); n != "0" {
		t.Errorf("%s errors about a broadcast", n)
	}
}

// Two addresses may have the same port, one listener each; a third has none.
func TestUDPAnnounce(t *testing.T) {
	a, b := newHost(t, Config{}), newHost(t, Config{})
	_, ib := join(t, a, "10.0.0.1/24", b, "10.0.0.2/24", nic.Options{})
	must(t, ib.Ctl("add 10.0.0.3/24"))
	two, three := clone(t, b, wire.UDP), clone(t, b, wire.UDP)
	command(t, two, "announce 10.0.0.2:7")
	command(t, three, "announce *!7")
	command(t, two, "announce 10.0.0.2!7") // again: a shell sends a whole write again
	if err := ctl(t, clone(t, b, wire.UDP), "announce 7"); !errors.Is(err, neterr.AddrInUse) {
		t.Errorf("announce twice: %v", err)
	}
	for _, test := range []struct {
		to string
		l  *Conv
	}{{"10.0.0.2", two}, {"10.0.0.3", three}} {
		c := clone(t, a, wire.UDP)
		command(t, c, "connect "+test.to+":7")
		write(t, c, []byte(test.to))
		if got := read(t, listen(t, test.l)); string(got) != test.to {
			t.Errorf("to %s came %q", test.to, got)
		}
	}
}

// Who was called by a broadcast answers with an address of his own (RFC 1122
// §3.2.1.3), and the next broadcast of the same peer is no new call.
func TestUDPCallByBroadcast(t *testing.T) {
	a, b := pair(t)
	l := clone(t, b, wire.UDP)
	command(t, l, "announce 7")
	asker := clone(t, a, wire.UDP)
	command(t, asker, "announce 4321\nheaders")
	ask := func(text string) {
		write(t, asker, plan9(netip.MustParseAddrPort("10.0.0.255:7"), netip.MustParseAddrPort("10.0.0.1:4321"), text))
	}
	ask("anyone?")
	call := listen(t, l)
	if got := call.LocalText() + call.RemoteText(); got != "10.0.0.2!7\n10.0.0.1!4321\n" {
		t.Errorf("local and remote of the call: %q", got)
	}
	ask("still?")
	if got := string(read(t, call)) + "," + string(read(t, call)); got != "anyone?,still?" {
		t.Errorf("read %q", got)
	}
	write(t, call, []byte("here"))
	got := read(t, asker)
	if from := netip.AddrFrom16([16]byte(got[:16])).Unmap().String(); from != "10.0.0.2" || string(got[udpHeaderLen:]) != "here" {
		t.Errorf("%q from %s, want the answer from 10.0.0.2", got[udpHeaderLen:], from)
	}
}

// What was damaged on the way is dropped, whomever it was for.
func TestUDPBadChecksum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := newFarEnd(t)
		all := clone(t, far.host, wire.UDP)
		command(t, all, "announce 7\nheaders")
		dropped := func() string { return counter(t, far.iface.StatsText(), "dropped bad udp checksum") }
		for i, test := range []struct {
			to  wire.MAC
			dst string
		}{{far.iface.mac, "10.0.0.2"}, {wire.Broadcast, "10.0.0.255"}, {wire.Broadcast, "255.255.255.255"}} {
			seg := binary.BigEndian.AppendUint16(nil, 1234)
			seg = binary.BigEndian.AppendUint16(seg, 7)
			seg = binary.BigEndian.AppendUint16(seg, uint16(wire.UDPLen+len("text")))
			seg = append(seg, 0, 0) // RFC 768: no checksum
			seg = append(seg, "text"...)
			far.send(t, test.to, test.dst, wire.UDP, seg)
			if got := read(t, all); string(got[udpHeaderLen:]) != "text" {
				t.Errorf("to %s: read %q", test.dst, got)
			}
			seg[6], seg[7] = 0x12, 0x34
			far.send(t, test.to, test.dst, wire.UDP, seg)
			op := do(t, far.host, &Op{Kind: OpRead, Conv: all, Max: 100, NonBlock: true})
			if !errors.Is(op.Err, syscall.EAGAIN) {
				t.Errorf("to %s, damaged: read %q, %v", test.dst, bytesOf(op), op.Err)
			}
			if n := dropped(); n != strconv.Itoa(i+1) {
				t.Errorf("to %s, damaged: %s dropped in all, want %d", test.dst, n, i+1)
			}
		}
	})
}
