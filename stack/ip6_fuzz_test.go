package stack

import (
	"net/netip"
	"testing"
	"time"

	"slashnet/nic"
	"slashnet/wire"
)

// Whatever comes from the cable, a host and router of IPv6 goes on: what is held
// stays bounded, and the next ping is answered. Each input is a few datagrams,
// whose addresses and next header are often ours.
func FuzzIPv6Input(f *testing.F) {
	f.Add([]byte{58, 0, 40, 135, 0, 0, 0, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 15: 1})
	f.Add([]byte{44, 1, 24, 58, 0, 0, 1, 0, 0, 0, 1, 128, 0, 0, 0, 0, 1, 0, 1})
	f.Add([]byte{0, 2, 16, 58, 0, 5, 2, 0, 0, 1, 0, 130, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{58, 3, 48, 134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 7, 8, 0, 0, 0, 0, 0x20, 1})
	f.Add([]byte{17, 0, 12, 0, 53, 0, 54, 0, 12, 0, 0, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		now := time.Second
		s := newHost(t, Config{Seed: [32]byte{1}, Now: func() time.Duration { return now }})
		ours, theirs, err := nic.NewPipe(nic.Options{}, nic.Options{})
		must(t, err)
		defer theirs.Close()
		i := plug(t, s, ours, "2001:db8::1/64")
		must(t, i.Ctl("ra6 recvra 1"))
		must(t, s.WriteCtl("ip.forward on"))
		at := &intake{iface: i, nic: i.nic}
		for len(in) > 3 {
			ip := wire.IP{Src: peer6, Dst: ours6, Proto: wire.Proto(in[0]), TTL: 255}
			switch in[1] & 7 {
			case 1:
				ip.Src = all6
			case 2:
				ip.Dst, ip.TTL = all6, 1
			case 3:
				ip.Src = netip.MustParseAddr("fe80::1")
			case 4:
				ip.Dst = solicitedNode(ours6)
			case 5:
				ip.Dst = ip.Dst.Prev().Prev() // somebody else, far away
			}
			n := min(int(in[2]), len(in)-3)
			payload := in[3 : 3+n]
			in = in[3+n:]
			if ip.Proto == wire.ICMPv6 && n >= wire.ICMPLen {
				payload = icmp6(wire.ICMPHeader{Type: payload[0], Code: payload[1], Rest: uint32(payload[4])<<24 | uint32(payload[5])<<16}, ip, payload[wire.ICMPLen:])
			}
			b := make([]byte, wire.EthernetLen+wire.IPv6Len)
			dst := i.mac
			if ip.Dst.IsMulticast() {
				dst = wire.MulticastMAC(ip.Dst)
			}
			wire.Ethernet{Dst: dst, Src: theirs.MAC(), Type: wire.EtherIPv6}.Put(b)
			ip.Put(b[wire.EthernetLen:], len(payload))
			at.Receive([]*nic.Frame{{Head: append(b, payload...)}})
			now += time.Duration(n) * 100 * time.Millisecond
			s.Tick()
		}
		if n := len(i.ip6.cache.Entries(now)); n > s.knobs.nd.MaxEntries {
			t.Errorf("%d neighbours", n)
		}
		i.StatusText()
		s.RouteText()
	})
}
