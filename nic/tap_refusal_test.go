package nic

// What the kernel or a TAP refuses, and in which words.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// unprivileged takes CAP_NET_ADMIN from the test's thread, for good.
func unprivileged(t *testing.T) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	if err := unix.Capset(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); to == "/dev/net/tun" {
			open++
		}
	}
	return open
}

func TestTAPUnprivileged(t *testing.T) {
	eachPath(t, func(t *testing.T, o Options) {
		namespace(t)
		kept := o
		kept.Persist, kept.Owner = true, &Owner{UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
		kept.Name = "tap1"
		if err := openTAP(t, kept).Close(); err != nil {
			t.Fatal(err)
		}
		unprivileged(t)
		tap, err := OpenTAP(o)
		if err == nil {
			tap.Close()
			t.Fatal("a TAP was made without privilege")
		}
		if !errors.Is(err, neterr.NotOwner) || !strings.Contains(err.Error(), "ip tuntap add tap0") {
			t.Errorf("without privilege: %v", err)
		}
		if n := openDescriptors(t); n != 0 {
			t.Errorf("%d descriptors are left open", n)
		}
		// One that an administrator made for us needs none.
		o.Name = "tap1"
		tap = openTAP(t, o)
		if err := tap.ConfigureHost(netip.PrefixFrom(host4, 24)); !errors.Is(err, neterr.NotOwner) {
			t.Errorf("its kernel's end was configured: %v", err)
		}
	})
}

func TestTAPOpenWords(t *testing.T) {
	for _, c := range []struct {
		err     error
		existed bool
		want    error
		words   string
	}{
		{os.NewSyscallError("ioctl", unix.EBUSY), true, neterr.Busy, "in use"},
		{unix.EINVAL, true, neterr.Exists, "one queue"},
		{unix.EINVAL, false, neterr.BadArg, "invalid argument"},
		{unix.EPERM, false, neterr.NotOwner, "CAP_NET_ADMIN"},
		{unix.ENOENT, false, neterr.NotFound, "modprobe tun"},
		{unix.ENODEV, false, neterr.NotFound, "modprobe tun"},
		{unix.EACCES, false, neterr.Permission, "/dev/net/tun"},
	} {
		err := openError("", c.existed, c.err)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%v becomes %q, want the words %q", c.err, err, c.words)
		}
	}
}

func TestTAPWriteErrors(t *testing.T) {
	namespace(t)
	tap := openTAP(t, Options{Name: "tap0"})
	configure(t, tap)
	// The kernel itself refuses marks that make no sense.
	f := draft{gso: 1000, payload: make([]byte, 5000)}.frame(0, 5000)
	f.GSOSize = 0
	if err := tap.Send(f); !errors.Is(err, syscall.EINVAL) || tap.Stats().Drops[DropMarks] != 1 {
		t.Errorf("segments of nothing: %v, drops %+v", err, tap.Stats().Drops)
	}
	if err := tap.Send(&Frame{Head: make([]byte, 2000)}); !errors.Is(err, syscall.EMSGSIZE) || tap.Stats().Drops[DropTooBig] != 1 {
		t.Errorf("a giant: %v, drops %+v", err, tap.Stats().Drops)
	}
	for errno, drop := range map[syscall.Errno]Drop{
		unix.EAGAIN: DropFull, unix.ENOBUFS: DropFull, unix.ENOMEM: DropFull, unix.EPERM: DropIO,
	} {
		before := tap.Stats().Drops[drop]
		if err := tap.writeError(errno); err == nil || tap.Stats().Drops[drop] != before+1 {
			t.Errorf("%v is not counted as %v", errno, drop)
		}
	}
}

func TestTAPAccept(t *testing.T) {
	var tap TAP
	tap.header = vnetLen
	whole := draft{gso: 1000, payload: make([]byte, 5000)}.frame(5000, 1)
	var h [vnetLen]byte
	encodeVnet(&h, whole)
	good := append(h[:], whole.Head...)
	for name, c := range map[string]struct {
		bytes []byte
		drop  Drop
	}{
		"no header": {good[:vnetLen-1], DropTooBig},
		"giant":     {make([]byte, largeBlock), DropTooBig},
		"cut":       {good[:vnetLen+40], DropMarks},
	} {
		before := tap.Stats().Drops[c.drop]
		if tap.accept(&Frame{}, c.bytes) || tap.Stats().Drops[c.drop] != before+1 {
			t.Errorf("%s: it was accepted, or not counted as %v", name, c.drop)
		}
	}
	var f Frame
	if !tap.accept(&f, good) || f.Offload != whole.Offload {
		t.Errorf("%+v came back as %+v", whole.Offload, f.Offload)
	}
	if !tap.accept(&f, make([]byte, vnetLen+5)) || len(f.Head) != 5 {
		t.Error("a runt was refused: it is the stack's to count")
	}
}

func TestVnetHeader(t *testing.T) {
	frame := make([]byte, 200)
	frame[54+tcpOffset] = 8 << 4 // 32 bytes of TCP header
	for name, c := range map[string]struct {
		flags, gso                 byte
		header, size, start, field uint16
		want                       wire.Offload
		ok                         bool
	}{
		"nothing to do": {ok: true},
		"verified":      {flags: 2, want: wire.Offload{CsumValid: true}, ok: true},
		"sum": {flags: 1, start: 34, field: 6, ok: true,
			want: wire.Offload{NeedsCsum: true, CsumStart: 34, CsumOffset: 6}},
		"sum past the end": {flags: 1, start: 190, field: 9},
		"sum overflows":    {flags: 1, start: 0xffff, field: 0xffff},
		// The kernel's hint, 180, is not believed.
		"TCP over IPv4": {flags: 1, gso: 1, header: 180, size: 1448, start: 54, field: 16, ok: true,
			want: wire.Offload{NeedsCsum: true, CsumStart: 54, CsumOffset: 16, GSO: wire.GSOTCPv4, GSOSize: 1448, HeaderLen: 86}},
		"TCP over IPv6 with CWR": {flags: 1, gso: 0x84, size: 1, start: 54, field: 16, ok: true,
			want: wire.Offload{NeedsCsum: true, CsumStart: 54, CsumOffset: 16, GSO: wire.GSOTCPv6, GSOSize: 1, HeaderLen: 86}},
		"datagrams": {flags: 1, gso: 5, size: 1000, start: 34, field: 6, ok: true,
			want: wire.Offload{NeedsCsum: true, CsumStart: 34, CsumOffset: 6, GSO: wire.GSOUDP, GSOSize: 1000, HeaderLen: 42}},
		"no size":           {flags: 1, gso: 1, start: 54, field: 16},
		"no sum":            {gso: 1, size: 1000, start: 54, field: 16},
		"fragments":         {flags: 1, gso: 3, size: 1000, start: 34, field: 6}, // UFO: never asked for
		"unknown":           {flags: 1, gso: 9, size: 1000, start: 34, field: 6},
		"headers past end":  {flags: 1, gso: 5, size: 1000, start: 195, field: 2},
		"no room for a TCP": {flags: 1, gso: 1, size: 1000, start: 198, field: 0},
	} {
		h := []byte{c.flags, c.gso}
		for _, v := range []uint16{c.header, c.size, c.start, c.field} {
			h = binary.NativeEndian.AppendUint16(h, v)
		}
		var got wire.Offload
		if ok := decodeVnet(append(h, frame...), &got); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %v, %+v; want %v, %+v", name, ok, got, c.ok, c.want)
		}
	}
}

// All that the kernel had for us has been received when Drained answers.
func TestTAPDrained(t *testing.T) {
	namespace(t)
	tap := openTAP(t, Options{Name: "tap0"})
	configure(t, tap)
	ask := func(what string) {
		t.Helper()
		done := make(chan bool)
		tap.Drained(func() { close(done) })
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("%s: Drained never answered", what)
		}
	}
	wireEnd := packetSocket(t, tap)
	send := func() {
		t.Helper()
		if _, err := unix.Write(wireEnd, plainFrame(tap.MAC(), hostMAC(t, tap), 100, 1)); err != nil {
			t.Fatal(err)
		}
	}
	send()
	ask("before Start")
	in := newMailbox()
	tap.Start(in)
	got := 0
	for i := range 200 {
		send()
		ask(fmt.Sprint("round ", i))
		for _, l := range in.all() {
			if isTest(l) {
				got++
			}
		}
		if got != i+2 {
			t.Fatalf("%d frames were received of %d", got, i+2)
		}
	}
	tap.Close()
	ask("after Close")
}
