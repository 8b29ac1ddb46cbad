package stack

// Segments made by hand: a talk is a connection of the host with a station, in
// which the test counts the numbers of the station's side.

import (
	"encoding/binary"
	"slices"
	"testing"

	"slashnet/stack/tcp"
	"slashnet/wire"
)

// A site is a host at 10.0.0.2 and the station that it talks to, 10.0.0.1.
type site struct {
	*station
	host *Stack
}

func newTalks(t testing.TB) site {
	t.Helper()
	host, st := newSite(t)
	return site{st, host}
}

// tcp is a datagram's segment; its checksum must be right.
func (d seen) tcp(t testing.TB) (wire.TCPHeader, []byte) {
	t.Helper()
	h, payload, err := wire.ParseTCP(d.payload)
	if err != nil || d.ip.Proto != wire.TCP {
		t.Fatalf("%+v is no segment: %v", d.ip, err)
	}
	if sum := wire.TransportChecksum(d.ip.Src, d.ip.Dst, wire.TCP, d.payload); sum != 0 {
		t.Errorf("the checksum of %+v is wrong by %#04x", h, sum)
	}
	return h, payload
}

var (
	testHost = addr("10.0.0.2")
	testFar  = addr("10.0.0.1")
)

// A forgery is a segment that need not be what it should: what is not set is from
// 10.0.0.1 to 10.0.0.2, with a right checksum.
type forgery struct {
	ip      wire.IP
	group   bool // in a frame to everybody
	badSum  bool
	segment wire.TCPHeader
	payload string
}

// forge sends a segment and waits until the host has seen it.
func (far site) forge(f forgery) {
	if !f.ip.Src.IsValid() {
		f.ip.Src = testFar
	}
	if !f.ip.Dst.IsValid() {
		f.ip.Dst = testHost
	}
	f.ip.Proto = wire.TCP
	b := make([]byte, wire.MaxTCPLen)
	b = append(b[:f.segment.Put(b)], f.payload...)
	sum := wire.TransportChecksum(f.ip.Src, f.ip.Dst, wire.TCP, b)
	if f.badSum {
		sum++
	}
	binary.BigEndian.PutUint16(b[wire.TCPChecksumAt:], sum)
	if f.group {
		far.toGroup(wire.Broadcast, f.ip, b)
	} else {
		far.send(f.ip, b)
	}
}

// syn is a call to port 80.
func (far site) syn(port uint16) {
	far.forge(forgery{segment: wire.TCPHeader{SrcPort: port, DstPort: 80, Seq: 1000, Flags: wire.SYN, Window: 1000}})
}

// A talk is a connection of the host with the station, which counts by hand.
type talk struct {
	site
	t        testing.TB
	conv     *Conv
	us, them wire.TCPHeader // the next segment of each: ports and numbers
}

// dialled is a connection that the host has opened to port 80 of the station,
// after the words of ctl.
func (far site) dialled(t testing.TB, words string) *talk {
	t.Helper()
	k := &talk{site: far, t: t, conv: clone(t, far.host, wire.TCP)}
	if words != "" {
		command(t, k.conv, words)
	}
	call := start(far.host, &Op{Kind: OpCtl, Conv: k.conv, Data: []byte("connect 10.0.0.1:80")})
	syn, _ := far.one().tcp(t)
	k.them = wire.TCPHeader{SrcPort: syn.SrcPort, DstPort: 80, Seq: syn.Seq + 1}
	k.us = wire.TCPHeader{SrcPort: 80, DstPort: syn.SrcPort, Seq: 5000, Ack: syn.Seq + 1, Window: 65535}
	k.say(wire.SYN|wire.ACK, "")
	must(t, wait(t, call).Err)
	k.hear(wire.ACK, "")
	return k
}

// called is a connection that the station has opened to a listener of the host at
// port 80.
func (far site) called(t testing.TB, l *Conv, port uint16) *talk {
	t.Helper()
	k := &talk{site: far, t: t, us: wire.TCPHeader{SrcPort: port, DstPort: 80, Seq: 5000, Window: 65535}}
	k.say(wire.SYN, "")
	answer, _ := far.one().tcp(t)
	k.them = wire.TCPHeader{SrcPort: 80, DstPort: port, Seq: answer.Seq + 1}
	k.us.Ack = answer.Seq + 1
	k.say(wire.ACK, "")
	k.conv = listen(t, l)
	return k
}

// say sends a segment in order.
func (k *talk) say(flags wire.TCPFlags, text string) {
	k.t.Helper()
	h := k.us
	h.Flags = flags
	k.us.Seq += wire.Seq(len(text))
	if flags&(wire.SYN|wire.FIN) != 0 {
		k.us.Seq++
	}
	if flags&wire.SYN != 0 {
		h.Options.MSS = 1460
	}
	k.forge(forgery{segment: h, payload: text})
}

// hear expects a segment of the host, in order, beside bare acknowledgements of
// what was said before; what is said next acknowledges it.
func (k *talk) hear(flags wire.TCPFlags, text string) seen {
	k.t.Helper()
	all := k.seen()
	if flags != wire.ACK || text != "" {
		all = slices.DeleteFunc(all, func(d seen) bool {
			h, payload := d.tcp(k.t)
			return h.Flags == wire.ACK && len(payload) == 0
		})
	}
	if len(all) != 1 {
		k.t.Fatalf("%d segments, want one: %v", len(all), all)
	}
	d := all[0]
	h, payload := d.tcp(k.t)
	if h.Flags&^wire.PSH != flags || string(payload) != text || h.Seq != k.them.Seq || h.SrcPort != k.them.SrcPort || h.DstPort != k.them.DstPort {
		k.t.Fatalf("the host says %v %q at %d, want %v %q at %d", h.Flags, payload, h.Seq, flags, text, k.them.Seq)
	}
	k.them.Seq += wire.Seq(len(payload))
	if flags&wire.FIN != 0 {
		k.them.Seq++
	}
	k.us.Ack = k.them.Seq
	return d
}

// complain sends an ICMP error about a datagram of the host.
func (far site) complain(typ, code uint8, rest uint32, about seen) {
	quote := append(slices.Clone(about.header), about.payload[:8]...)
	far.send(wire.IP{Dst: testHost, Proto: wire.ICMP}, icmpMessage(typ, code, rest, quote))
}

// softErr is what ICMP has said of the connection.
func (k *talk) softErr() error {
	k.host.lock()
	defer k.host.unlock()
	return k.conv.tcb.SoftErr()
}

// stats is what the engine says of the connection.
func (k *talk) stats() tcp.Stats {
	k.host.lock()
	defer k.host.unlock()
	return k.conv.tcb.Stats()
}
