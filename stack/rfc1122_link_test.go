package stack

// The rows of RFC 1122 §2, the link layer; test/requirements/rfc1122.rows tells
// them.

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// Nothing that looks like a trailer is taken or sent: a full datagram leaves as
// Ethernet II, header first.
func TestRFC1122_LNK_01(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		st.frame(st.iface.mac, 0x1001, make([]byte, 512+4))
		synctest.Wait()
		if n := drops(t, st.iface, "unknown ethertype"); n != "1" {
			t.Errorf("%s frames with a trailer dropped, want 1", n)
		}
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:7")
		write(t, c, make([]byte, 1024-wire.IPv4Len-wire.UDPLen)) // two pages: what trailers were for
		if d := st.one(); d.eth.Type != wire.EtherIPv4 || len(d.payload) != 1024-wire.IPv4Len {
			t.Errorf("sent as type %#x, %d bytes", d.eth.Type, len(d.payload))
		}
	})
}

// The peer has got another MAC and does not say so: what is sent to the old one
// finds that out.
func TestRFC1122_LNK_02(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "ignoreadvice\nconnect 10.0.0.1:7")
		write(t, c, []byte("x"))
		old := st.one().eth.Dst
		st.hush(true) // the old station is gone
		for range 70 {
			time.Sleep(time.Second)
			write(t, c, []byte("x"))
		}
		synctest.Wait()
		st.mac = wire.MAC{2, 0, 0, 0, 1, 77}
		st.hush(false)
		st.seen()
		time.Sleep(time.Second)
		write(t, c, []byte("x"))
		for _, d := range st.seen() {
			if d.eth.Dst == old || d.eth.Dst != st.mac {
				t.Errorf("sent to %v, want %v", d.eth.Dst, st.mac)
			}
			old = wire.MAC{}
		}
		if old != (wire.MAC{}) {
			t.Error("nothing sent to the new station")
		}
	})
}

// A hundred datagrams for one who does not answer are one request a second.
func TestRFC1122_LNK_03(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		st.asks()
		st.hush(true)
		c := clone(t, s, wire.UDP)
		command(t, c, "ignoreadvice\nconnect 10.0.0.1:7")
		for range 100 {
			do(t, s, &Op{Kind: OpWrite, Conv: c, Data: []byte("x")})
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(st.asks()); n < 3 || n > 10 {
			t.Errorf("%d requests in 10 seconds, want 3 to 10", n)
		}
	})
}

// The age of entries is a knob.
func TestRFC1122_LNK_04(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, s.WriteCtl("arp.timeout 5s"))
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:7")
		write(t, c, []byte("x"))
		st.asks()
		time.Sleep(4 * time.Second)
		write(t, c, []byte("x"))
		if n := len(st.asks()); n != 0 {
			t.Errorf("%d requests after 4s, want none", n)
		}
		time.Sleep(2 * time.Second)
		if asked := st.asks(); len(asked) != 1 || asked[0].TargetIP != st.ip {
			t.Errorf("asked %v after 6s, want 10.0.0.1 once", asked)
		}
	})
}

// The newest packet of those that wait for an answer is kept and sent.
func TestRFC1122_LNK_05(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		st.hush(true)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:7")
		for n := range 2 * arpPending {
			write(t, c, []byte{byte(n)})
		}
		st.none("before the answer")
		st.hush(false)
		time.Sleep(time.Second) // the next request
		all := st.seen()
		if len(all) != arpPending {
			t.Fatalf("%d datagrams sent, want the newest %d", len(all), arpPending)
		}
		for n, d := range all {
			if got := d.payload[wire.UDPLen]; int(got) != arpPending+n {
				t.Errorf("datagram %d is number %d, want %d", n, got, arpPending+n)
			}
		}
	})
}

// Ethernet II, in and out.
func TestRFC1122_LNK_06(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, ping("x"))
		if d := st.one(); d.eth != (wire.Ethernet{Dst: st.mac, Src: st.iface.mac, Type: wire.EtherIPv4}) {
			t.Errorf("answered in %+v", d.eth)
		}
	})
}

// A datagram in 802.3 with SNAP is taken, and answered in Ethernet II.
func TestRFC1122_LNK_07(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		datagram := st.datagram(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 9}, ping("snap"))
		snap := binary.BigEndian.AppendUint16([]byte{0xaa, 0xaa, 3, 0, 0, 0}, uint16(wire.EtherIPv4))
		snap = append(snap, datagram...)
		st.frame(st.iface.mac, wire.EtherType(len(snap)), append(snap, 0xee, 0xee)) // and padding
		d := st.one()
		if h, data := d.icmp(t); h.Type != wire.ICMPEchoReply || string(data) != "snap" || d.eth.Type != wire.EtherIPv4 {
			t.Errorf("answer %+v %q in type %#x", h, data, d.eth.Type)
		}
	})
}

// What RFC 948 made of 802.3 for IP, service access point 6, is nothing to us.
func TestRFC1122_LNK_09(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		datagram := st.datagram(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP, TTL: 9}, ping("x"))
		st.frame(st.iface.mac, wire.EtherType(3+len(datagram)), append([]byte{6, 6, 3}, datagram...))
		st.none("after a frame of K1=6")
		if n := drops(t, st.iface, "unknown ethertype"); n != "1" {
			t.Errorf("%s frames dropped, want 1", n)
		}
	})
}

// A neighbour is found by ARP.
func TestRFC1122_LNK_10(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		st.asks()
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:7")
		write(t, c, []byte("x"))
		want := wire.ARP{Op: wire.ARPRequest, SenderMAC: st.iface.mac, SenderIP: addr("10.0.0.2"), TargetIP: st.ip}
		if asked := st.asks(); len(asked) != 1 || asked[0] != want {
			t.Errorf("asked %+v, want %+v", asked, want)
		}
		if d := st.one(); d.eth.Dst != st.mac {
			t.Errorf("sent to %v, want %v", d.eth.Dst, st.mac)
		}
	})
}

// IP knows what came in a broadcast of the link: no error is sent about it, though
// its IP address is that of a host.
func TestRFC1122_LNK_11(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		closed := udpDatagram(st.ip, addr("10.0.0.2"), 1000, 9, "x")
		st.toGroup(wire.Broadcast, wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP}, closed)
		st.none("after a datagram in a broadcast of the link")
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.UDP}, closed)
		if h, _ := st.one().icmp(t); h.Type != wire.ICMPUnreachable {
			t.Errorf("after the same for us alone: %+v", h)
		}
	})
}

// The type of service goes down with the datagram, to whatever link there is.
func TestRFC1122_LNK_12(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		c := clone(t, s, wire.UDP)
		command(t, c, "tos 184\nconnect 10.0.0.1:7")
		write(t, c, []byte("x"))
		if d := st.one(); d.ip.TOS != 184 {
			t.Errorf("type of service %d, want 184", d.ip.TOS)
		}
	})
}

// Not to know a neighbour's MAC is no error: the datagram waits.
func TestRFC1122_LNK_13(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		st.hush(true)
		c := clone(t, s, wire.UDP)
		command(t, c, "connect 10.0.0.1:7")
		write(t, c, []byte("waits"))
		time.Sleep(1500 * time.Millisecond)
		if got := c.ErrText(); got != "" {
			t.Errorf("err %q while the answer is waited for", got)
		}
		st.hush(false)
		time.Sleep(time.Second)
		if d := st.one(); string(d.payload[wire.UDPLen:]) != "waits" {
			t.Errorf("sent %q", d.payload[wire.UDPLen:])
		}
	})
}
