package nic

// The TAP against the real kernel. Each test lives in a network namespace of
// its own: its thread moves into a fresh one, and ends with the test.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// namespace moves the test into a fresh network namespace, for good: Go ends a
// locked thread whose goroutine ends.
func namespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("these tests need root, for network namespaces of their own: unshare: %v", err)
	}
}

func openTAP(t testing.TB, o Options) *TAP {
	t.Helper()
	tap, err := OpenTAP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tap.Close() })
	return tap
}

// The addresses of the tests' kernel and stack.
var (
	host4, peer4 = netip.MustParseAddr("10.99.0.1"), netip.MustParseAddr("10.99.0.2")
	host6, peer6 = netip.MustParseAddr("fd99::1"), netip.MustParseAddr("fd99::2")
)

// configure gives the kernel's end addresses, and tells it who we are.
func configure(t testing.TB, tap *TAP) {
	t.Helper()
	for _, p := range []netip.Prefix{netip.PrefixFrom(host4, 24), netip.PrefixFrom(host6, 64)} {
		if err := tap.ConfigureHost(p); err != nil {
			t.Fatal(err)
		}
	}
	link := linkOf(t, tap.Name())
	mac := tap.MAC()
	for _, peer := range []netip.Addr{peer4, peer6} {
		err := netlink.NeighSet(&netlink.Neigh{
			LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
			IP: peer.AsSlice(), HardwareAddr: mac[:],
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	awaitLocal(t, host6)
}

// awaitLocal waits for the kernel's work queue to make an IPv6 address its own:
// until then it would forward what is sent there.
func awaitLocal(t testing.TB, addr netip.Addr) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	local := &netlink.Route{Table: unix.RT_TABLE_LOCAL, Dst: hostAddr(netip.PrefixFrom(addr, addr.BitLen())).IPNet}
	for late := time.After(patience); ; {
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V6, local, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_DST)
		if err != nil {
			t.Fatal(err)
		}
		if len(routes) > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%v never became an address of the kernel's", addr)
		}
	}
}

func linkOf(t testing.TB, name string) netlink.Link {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func hostMAC(t testing.TB, tap *TAP) wire.MAC {
	return wire.MAC(linkOf(t, tap.Name()).Attrs().HardwareAddr)
}

// packetSocket is an AF_PACKET socket on the kernel's end.
func packetSocket(t testing.TB, tap *TAP) int {
	t.Helper()
	const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all&0xffff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	timeout := unix.NsecToTimeval(patience.Nanoseconds())
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all & 0xffff, Ifindex: linkOf(t, tap.Name()).Attrs().Index}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout))
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func eachPath(t *testing.T, test func(t *testing.T, o Options)) {
	t.Run("offload", func(t *testing.T) { test(t, Options{Name: "tap0"}) })
	t.Run("plain", func(t *testing.T) { test(t, Options{Name: "tap0", Plain: true}) })
}

func isTest(l letter) bool {
	return len(l.bytes) >= wire.EthernetLen && binary.BigEndian.Uint16(l.bytes[12:]) == testType
}

func TestTAPPlainFrames(t *testing.T) {
	eachPath(t, func(t *testing.T, o Options) {
		namespace(t)
		tap := openTAP(t, o)
		configure(t, tap)
		in := newMailbox()
		tap.Start(in)
		wireEnd := packetSocket(t, tap)
		for _, n := range []int{0, 1, 46, 1000, 1500} {
			up := plainFrame(tap.MAC(), hostMAC(t, tap), n, 1)
			if _, err := unix.Write(wireEnd, up); err != nil {
				t.Fatal(err)
			}
			if got := in.next(t, "frame", isTest); !bytes.Equal(got.bytes, up) || got.NeedsCsum || got.GSO != 0 {
				t.Errorf("%d bytes up: got %d bytes with %+v", n, len(got.bytes), got.Offload)
			}
			down := plainFrame(hostMAC(t, tap), tap.MAC(), n, 2)
			if err := tap.Send(&Frame{Head: down[:14], Body: split(down[14:], 700)}); err != nil {
				t.Fatal(err)
			}
			if got := readTest(t, wireEnd); !bytes.Equal(got, down) {
				t.Errorf("%d bytes down: %d bytes came", n, len(got))
			}
		}
		if s := tap.Stats(); s.FramesOut != 5 || s.BytesOut != 5*14+0+1+46+1000+1500 || s.FramesIn < 5 || s.Dropped() != 0 {
			t.Errorf("counters: %+v", s)
		}
	})
}

// readTest reads the next test frame that came from us.
func readTest(t testing.TB, fd int) []byte {
	t.Helper()
	b := make([]byte, MaxFrame)
	for {
		n, from, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			t.Fatalf("the kernel saw no frame: %v", err)
		}
		if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if n >= wire.EthernetLen && binary.BigEndian.Uint16(b[12:]) == testType {
			return b[:n]
		}
	}
}

func TestTAPManyPieces(t *testing.T) {
	namespace(t)
	tap := openTAP(t, Options{MTU: 9000})
	configure(t, tap)
	wireEnd := packetSocket(t, tap)
	down := plainFrame(hostMAC(t, tap), tap.MAC(), 9000, 3)
	for _, size := range []int{100, 144, 145, 146, 150, 8999, 9000} {
		body := append(split(down[14:], size), nil, []byte{})
		if err := tap.Send(&Frame{Head: down[:14], Body: body}); err != nil {
			t.Fatal(err)
		}
		if got := readTest(t, wireEnd); !bytes.Equal(got, down) {
			t.Errorf("in pieces of %d: %d other bytes came", size, len(got))
		}
	}
}

// A taken block keeps its bytes while more frames come.
func TestTAPTakenBlocks(t *testing.T) {
	namespace(t)
	tap := openTAP(t, Options{Name: "tap0"})
	configure(t, tap)
	type taken struct {
		head []byte
		buf  *wire.Buf
	}
	kept := make(chan taken, 100)
	tap.Start(receiverFunc(func(batch []*Frame) {
		for i, f := range batch {
			if isTest(letter{bytes: f.Head}) {
				f.Buf.Hold()
				kept <- taken{f.Head, f.Buf}
			}
			batch[i] = nil // the receiver's to use up
		}
	}))
	wireEnd := packetSocket(t, tap)
	const n = 50
	for i := range uint64(n) {
		if _, err := unix.Write(wireEnd, plainFrame(tap.MAC(), hostMAC(t, tap), 1000, i)); err != nil {
			t.Fatal(err)
		}
	}
	var all []taken
	for len(all) < n {
		all = append(all, <-kept)
	}
	for i, k := range all {
		if !bytes.Equal(k.head, plainFrame(tap.MAC(), hostMAC(t, tap), 1000, uint64(i))) {
			t.Errorf("frame %d was overwritten while it was held", i)
		}
		if k.buf.Shared() {
			t.Errorf("frame %d is still held by the TAP", i)
		}
		k.buf.Release()
	}
}

func TestTAPLinkDownAndUp(t *testing.T) {
	eachPath(t, func(t *testing.T, o Options) {
		namespace(t)
		tap := openTAP(t, o)
		in := newMailbox()
		tap.Start(in)
		down := plainFrame(wire.Broadcast, tap.MAC(), 100, 1)
		for range 3 {
			err := tap.Send(&Frame{Head: down})
			if !errors.Is(err, syscall.ENETDOWN) || !strings.Contains(err.Error(), "ip link set tap0 up") {
				t.Fatalf("sent into a link that is down: %v", err)
			}
			if err := netlink.LinkSetUp(linkOf(t, "tap0")); err != nil {
				t.Fatal(err)
			}
			wireEnd := packetSocket(t, tap)
			if err := tap.Send(&Frame{Head: down}); err != nil {
				t.Fatal(err)
			}
			readTest(t, wireEnd)
			if _, err := unix.Write(wireEnd, down); err != nil {
				t.Fatal(err)
			}
			in.next(t, "frame after the link came up", isTest)
			if err := netlink.LinkSetDown(linkOf(t, "tap0")); err != nil {
				t.Fatal(err)
			}
		}
		if s := tap.Stats(); s.Drops[DropDown] != 3 || s.Drops[DropIO] != 0 {
			t.Errorf("drops %+v, want 3 for the link", s.Drops)
		}
	})
}

func TestTAPDeleted(t *testing.T) {
	eachPath(t, func(t *testing.T, o Options) {
		namespace(t)
		tap := openTAP(t, o)
		configure(t, tap)
		tap.Start(newMailbox())
		if err := netlink.LinkDel(linkOf(t, "tap0")); err != nil {
			t.Fatal(err)
		}
		<-tap.done // the reader ends: there will never be a frame
		err := tap.Send(&Frame{Head: plainFrame(wire.Broadcast, tap.MAC(), 100, 1)})
		if !errors.Is(err, syscall.ENODEV) {
			t.Errorf("sent into a deleted TAP: %v", err)
		}
		if _, err := tap.HostUp(); !errors.Is(err, syscall.ENODEV) {
			t.Errorf("a deleted TAP's link: %v", err)
		}
		if s := tap.Stats(); s.Drops[DropIO] > 2 {
			t.Errorf("%d read errors: the reader span", s.Drops[DropIO])
		}
		if err := tap.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The kernel's end is moved into another namespace, as one does for a container.
func TestTAPMovesNamespace(t *testing.T) {
	namespace(t)
	tap := openTAP(t, Options{Name: "tap0"})
	in := newMailbox()
	tap.Start(in)
	old, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(old)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	fresh, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fresh)
	if err := unix.Setns(old, unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetNsFd(linkOf(t, "tap0"), fresh); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setns(fresh, unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	configure(t, tap)
	frame := plainFrame(tap.MAC(), hostMAC(t, tap), 64, 5)
	if _, err := unix.Write(packetSocket(t, tap), frame); err != nil {
		t.Fatal(err)
	}
	in.next(t, "frame from the other namespace", isTest)
}

func TestTAPClose(t *testing.T) {
	eachPath(t, func(t *testing.T, o Options) {
		namespace(t)
		tap := openTAP(t, o)
		configure(t, tap)
		tap.Start(newMailbox())
		var senders sync.WaitGroup
		frame := plainFrame(wire.Broadcast, tap.MAC(), 100, 1)
		for range 3 {
			senders.Go(func() {
				for tap.Send(&Frame{Head: frame}) == nil {
				}
			})
		}
		if err := tap.Close(); err != nil {
			t.Error(err)
		}
		senders.Wait()
		if err := tap.Close(); err != nil {
			t.Errorf("the second Close: %v", err)
		}
		if _, err := netlink.LinkByName("tap0"); err == nil {
			t.Error("the device outlived its TAP")
		}
		tap.Start(newMailbox()) // too late, and harmless
	})
}

func TestTAPPersistence(t *testing.T) {
	eachPath(t, func(t *testing.T, o Options) {
		namespace(t)
		kept := o
		kept.Persist = true
		kept.Owner = &Owner{UID: 1234, GID: 2345}
		if err := openTAP(t, kept).Close(); err != nil {
			t.Fatal(err)
		}
		device, ok := linkOf(t, "tap0").(*netlink.Tuntap)
		if !ok || device.Owner != 1234 || device.Group != 2345 {
			t.Fatalf("the device that stayed is %+v", device)
		}
		// Another run adopts it, with neither option, and leaves it as it was.
		if err := openTAP(t, o).Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := netlink.LinkByName("tap0"); err != nil {
			t.Errorf("an adopted device is gone after Close: %v", err)
		}
	})
}

func TestTAPRefused(t *testing.T) {
	eachPath(t, func(t *testing.T, o Options) {
		namespace(t)
		openTAP(t, o)
		for name, want := range map[string]string{
			"tap0":             "in use by another process",
			"lo":               "not a TAP",
			"a/b":              "want at most 15 characters",
			"tap%d":            "want at most 15 characters",
			"..":               "want at most 15 characters",
			"sixteen-letters-": "want at most 15 characters",
		} {
			o.Name = name
			tap, err := OpenTAP(o)
			if err == nil {
				tap.Close()
				t.Errorf("%q was opened", name)
			} else if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want the words %q", name, err, want)
			}
		}
		if _, err := OpenTAP(Options{MTU: 65522}); err == nil {
			t.Error("an MTU of 65522 was accepted")
		}
	})
}

// A child process does not inherit the descriptor, which would keep the device.
func TestTAPNotInherited(t *testing.T) {
	eachPath(t, func(t *testing.T, o Options) {
		namespace(t)
		tap := openTAP(t, o)
		flags, err := unix.FcntlInt(uintptr(tap.fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor flags %#x, %v: want FD_CLOEXEC", flags, err)
		}
		if n := openDescriptors(t); n != 1 {
			t.Errorf("%d descriptors of /dev/net/tun are open, want 1", n)
		}
	})
}

func TestTAPNamedByKernel(t *testing.T) {
	namespace(t)
	a, b := openTAP(t, Options{}), openTAP(t, Options{Plain: true})
	if a.Name() == "" || a.Name() == b.Name() {
		t.Errorf("names %q and %q", a.Name(), b.Name())
	}
	if a.MTU() != 1500 || !a.Offload() || b.Offload() {
		t.Errorf("MTU %d, offload %v and %v", a.MTU(), a.Offload(), b.Offload())
	}
}

func TestConfigureHost(t *testing.T) {
	namespace(t)
	tap := openTAP(t, Options{Name: "tap0", MTU: 1400})
	if up, err := tap.HostUp(); up || err != nil {
		t.Errorf("a new TAP is up: %v, %v", up, err)
	}
	for _, bad := range []netip.Prefix{
		netip.PrefixFrom(host4, 33), netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("224.0.0.1/24"),
	} {
		if err := tap.ConfigureHost(bad); !errors.Is(err, neterr.BadAddress) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if mtu := linkOf(t, "tap0").Attrs().MTU; mtu != 1500 {
		t.Errorf("a refused address changed the MTU to %d", mtu)
	}
	for range 2 { // the second time finds it done
		configure(t, tap)
	}
	if up, err := tap.HostUp(); !up || err != nil {
		t.Errorf("configured, but up is %v, %v", up, err)
	}
	if mtu := linkOf(t, "tap0").Attrs().MTU; mtu != 1400 {
		t.Errorf("MTU of the kernel's end is %d, want 1400", mtu)
	}
	addrs, err := netlink.AddrList(linkOf(t, "tap0"), netlink.FAMILY_V4)
	if err != nil || len(addrs) != 1 || addrs[0].IPNet.String() != "10.99.0.1/24" {
		t.Errorf("addresses %v, %v", addrs, err)
	}
	// Usable at once, both families.
	for _, a := range []netip.Addr{host4, host6} {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// Nothing is allocated for a frame, in either direction. The receiver takes no
// block here; one that does draws on the pool.
func TestTAPAllocs(t *testing.T) {
	namespace(t)
	tap := openTAP(t, Options{Name: "tap0"})
	configure(t, tap)
	stranger := wire.MAC{2, 9, 9, 9, 9, 9} // the kernel drops what is for others
	wire1 := plainFrame(stranger, tap.MAC(), 1460, 1)
	gso := draft{gso: 1448, payload: make([]byte, 60000)}.frame(0, 16384)
	copy(gso.Head, stranger[:])
	for name, f := range map[string]*Frame{
		"wire frame": {Head: wire1[:54], Body: [][]byte{wire1[54:]}},
		"GSO frame":  gso,
	} {
		if n := testing.AllocsPerRun(200, func() {
			if err := tap.Send(f); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: Send allocates %v times", name, n)
		}
	}
	arrived := make(chan bool, 100)
	tap.Start(receiverFunc(func(batch []*Frame) {
		for _, f := range batch {
			if isTest(letter{bytes: f.Head}) {
				arrived <- true
			}
		}
	}))
	wireEnd := packetSocket(t, tap)
	up := plainFrame(tap.MAC(), hostMAC(t, tap), 1400, 1)
	if n := testing.AllocsPerRun(200, func() {
		if _, err := unix.Write(wireEnd, up); err != nil {
			t.Fatal(err)
		}
		<-arrived
	}); n != 0 {
		t.Errorf("receiving allocates %v times", n)
	}
}

func BenchmarkTAPSend(b *testing.B) {
	namespace(b)
	tap := openTAP(b, Options{Name: "tap0"})
	configure(b, tap)
	stranger := wire.MAC{2, 9, 9, 9, 9, 9}
	plain := plainFrame(stranger, tap.MAC(), 1500, 1)
	gso := draft{gso: 1448, payload: make([]byte, 64000)}.frame(0, 16384)
	copy(gso.Head, stranger[:])
	for name, f := range map[string]*Frame{
		"1514": {Head: plain[:54], Body: [][]byte{plain[54:]}},
		"64K":  gso,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(f.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if err := tap.Send(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTAPReceive(b *testing.B) {
	namespace(b)
	tap := openTAP(b, Options{Name: "tap0"})
	configure(b, tap)
	arrived := make(chan bool, 1000)
	tap.Start(receiverFunc(func(batch []*Frame) {
		for _, f := range batch {
			if isTest(letter{bytes: f.Head}) {
				arrived <- true
			}
		}
	}))
	wireEnd := packetSocket(b, tap)
	up := plainFrame(tap.MAC(), hostMAC(b, tap), 1500, 1)
	b.SetBytes(int64(len(up)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := unix.Write(wireEnd, up); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
}
