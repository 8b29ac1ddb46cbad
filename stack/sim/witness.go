package sim

// The witness reads every frame that leaves a host and every one that reaches
// one, and knows what no TCP may do whatever happens: port.Send and port.receive
// call it.

import (
	"fmt"
	"net/netip"

	"slashnet/nic"
	"slashnet/wire"
)

type witness struct {
	world *World
	flows map[flow]*stream
}

// A stream is what has been seen of one direction of a connection: what its
// sender has sent, and what he has been told.
type stream struct {
	name uint64

	sentSyn bool
	cookies []wire.Seq // other numbers that its SYNs began with, until one has come back
	iss     wire.Seq
	max     wire.Seq // one past the furthest that was sent
	shift   int8     // window scale that his SYN offered; -1: none
	edge    wire.Seq // right edge of the window that he has offered
	offered bool

	heardSyn  bool
	irs       wire.Seq // of the other direction
	heardMax  wire.Seq // one past the furthest that reached him
	stamp     uint32   // newest timestamp that reached him
	stamped   bool
	una       wire.Seq // highest acknowledgement that reached him and counts
	allowance wire.Seq // right edge of the window that he was told of
	told      bool
}

// A segment is a frame, read.
type segment struct {
	flow    flow
	h       wire.TCPHeader
	payload []byte
}

func (s *segment) end() wire.Seq {
	end := s.h.Seq.Add(len(s.payload))
	if s.h.Flags&wire.SYN != 0 {
		end++
	}
	if s.h.Flags&wire.FIN != 0 {
		end++
	}
	return end
}

func (w *witness) stream(f flow) *stream {
	s := w.flows[f]
	if s == nil {
		s = &stream{name: f.name(), shift: -1}
		w.flows[f] = s
	}
	return s
}

// read finds the segment in a frame; ok is false if there is none.
func read(frame []byte) (s segment, ok bool) {
	ip, payload, err := datagram(frame)
	if err != nil || ip.Proto != wire.TCP || payload == nil {
		return s, false
	}
	s.h, s.payload, err = wire.ParseTCP(payload)
	s.flow = flow{netip.AddrPortFrom(ip.Src, s.h.SrcPort), netip.AddrPortFrom(ip.Dst, s.h.DstPort)}
	return s, err == nil
}

// datagram finds the payload of the datagram in a frame; nil if there is none, or a
// part of it.
func datagram(frame []byte) (ip wire.IP, payload []byte, err error) {
	eth, b, err := wire.ParseEthernet(frame)
	switch {
	case err != nil:
	case eth.Type == wire.EtherIPv4:
		ip, payload, _, err = wire.ParseIPv4(b)
	case eth.Type == wire.EtherIPv6:
		if ip, payload, err = wire.ParseIPv6(b); err == nil {
			chain, _ := ip.Walk(payload)
			ip.Proto, payload = chain.Proto, chain.Payload
		}
	}
	if ip.More || ip.Offset != 0 {
		payload = nil
	}
	return ip, payload, err
}

// sent is told of a frame that leaves a host.
func (w *witness) sent(h *Host, frame []byte, marks wire.Offload) {
	w.sums(h, frame, marks)
	s, ok := read(frame)
	w.world.note(h, frame, s, ok)
	if !ok {
		return
	}
	if !h.addrs[s.flow.from.Addr()] {
		return // a router's
	}
	// A cookie that comes twice opens a second connection, without a SYN, that begins
	// where the first did.
	if out := w.stream(s.flow); out.sentSyn && s.h.Seq == out.iss+1 && h.TCPStat("CookiesTaken") > 0 {
		out.una, out.max, out.offered = s.h.Seq, s.h.Seq, false
	}
	if broken := w.judge(&s, h.told == w.world.now); broken != "" {
		w.world.fail("%s: %s", h.Name, broken)
	}
}

// sums verifies every checksum of a frame as it would be on a cable.
func (w *witness) sums(h *Host, frame []byte, marks wire.Offload) {
	check := func(f *nic.Frame) {
		flat := f.Head
		if len(f.Body) > 0 {
			flat = append([]byte(nil), f.Head...)
			for _, b := range f.Body {
				flat = append(flat, b...)
			}
		}
		// A router passes on what it does not read (RFC 1812 §5.2.2).
		if bad, own := badSum(flat); bad != "" && (!own.IsValid() || h.addrs[own] || own.IsLinkLocalUnicast()) {
			w.world.fail("%s: %s in a frame of %d bytes", h.Name, bad, len(flat))
		}
	}
	if err := nic.Finish(&nic.Frame{Head: frame, Offload: marks}, check); err != nil {
		w.world.fail("%s: a frame of %d bytes: %v", h.Name, len(frame), err)
	}
}

// badSum names the checksum that is wrong, and who has made it: nobody knows that of
// a header.
func badSum(frame []byte) (what string, from netip.Addr) {
	ip, payload, err := datagram(frame)
	switch {
	case err != nil:
		return "header: " + err.Error(), from
	case payload == nil:
		return "", from
	case ip.Proto == wire.ICMP && wire.Checksum(payload) != 0:
		return "ICMP checksum", ip.Src
	case (ip.Proto == wire.TCP || ip.Proto == wire.UDP || ip.Proto == wire.ICMPv6) && wire.TransportChecksum(ip.Src, ip.Dst, ip.Proto, payload) != 0:
		return "transport checksum", ip.Src
	}
	return "", from
}

// judge says which rule a segment breaks that its sender sends; late: it may have
// waited until a neighbour answered.
func (w *witness) judge(s *segment, late bool) string {
	out, back := w.stream(s.flow), w.stream(s.flow.back())
	h := &s.h
	if h.Flags&wire.SYN != 0 && (!out.sentSyn || h.Seq != out.iss) {
		if out.sentSyn && h.Flags&wire.ACK != 0 {
			out.cookies = append(out.cookies, out.iss)
		}
		out.sentSyn, out.iss, out.max, out.offered = true, h.Seq, h.Seq, false
		out.shift = -1
		// A new connection. The peer's SYN is that which this one answers; of an old
		// connection between the two nothing counts.
		if out.heardSyn = h.Flags&wire.ACK != 0; out.heardSyn {
			out.adopt(h.Ack - 1)
		}
		if h.Options.HasWScale {
			out.shift = int8(h.Options.WScale)
		}
	}
	// RFC 4987 §3.6: who answers with cookies knows with the first ACK which of them
	// the caller has taken.
	for _, iss := range out.cookies {
		if h.Flags&wire.SYN == 0 && h.Seq == iss+1 {
			out.iss, out.max, out.cookies = iss, h.Seq, nil
			break
		}
	}
	// Refusals and resets speak for no connection.
	if !out.sentSyn || h.Flags&wire.RST != 0 {
		return ""
	}
	if out.max.Less(s.end()) {
		out.max = s.end()
	}
	if h.Flags&wire.FIN != 0 && out.told && out.allowance.Less(s.end()) {
		return fmt.Sprintf("FIN %d beyond the window", s.end().Sub(out.allowance))
	}
	if len(s.payload) > 0 {
		if broken := out.judgeData(s, late); broken != "" {
			return broken
		}
	}
	if h.Flags&wire.ACK == 0 || !out.heardSyn {
		return ""
	}
	if out.heardMax.Less(h.Ack) {
		return fmt.Sprintf("acknowledges %d, %d bytes more than reached it", h.Ack, h.Ack.Sub(out.heardMax))
	}
	// RFC 9293 §3.8.6: the right edge does not move left. Only that of a SYN that is
	// sent again may have to: its window is not scaled (RFC 7323 §2.2).
	if h.Flags&wire.SYN != 0 && out.offered {
		return ""
	}
	edge := h.Ack.Add(out.window(back, h))
	if out.offered && edge.Less(out.edge) {
		return fmt.Sprintf("the window's right edge moves left by %d, to %d", out.edge.Sub(edge), edge)
	}
	out.edge, out.offered = edge, true
	return ""
}

// judgeData says which rule the data of a segment break.
func (out *stream) judgeData(s *segment, late bool) string {
	at := s.h.Seq.Sub(out.iss) - 1
	end := s.h.Seq.Add(len(s.payload))
	switch {
	case at < 0:
		return fmt.Sprintf("data at %d, before the first byte of the stream", at)
	case !out.told:
		return "data before the peer's SYN"
	case out.allowance.Less(end) && !(len(s.payload) == 1 && s.h.Seq == out.allowance):
		// RFC 9293 §3.8.6.1: one byte beyond is a probe of a closed window.
		return fmt.Sprintf("data up to %d, %d beyond the window", end, end.Sub(out.allowance))
	case end.LessEq(out.una) && len(s.payload) > 1 && !late:
		return fmt.Sprintf("data up to %d, which the peer has acknowledged up to %d", end, out.una)
	}
	if i := wrong(s.payload, out.name, at); i >= 0 {
		return fmt.Sprintf("byte %d of the stream is not what was written", at+i)
	}
	return ""
}

// window is the window that the sender of h offers, in bytes (RFC 7323 §2.2).
func (out *stream) window(back *stream, h *wire.TCPHeader) int {
	if h.Flags&wire.SYN != 0 || out.shift < 0 || back.shift < 0 {
		return int(h.Window)
	}
	return int(h.Window) << out.shift
}

// adopt begins to count from the peer's SYN.
func (s *stream) adopt(irs wire.Seq) {
	s.heardSyn, s.irs, s.heardMax, s.told, s.stamped = true, irs, irs+1, false, false
}

// heard is told of a frame that reaches a host.
func (w *witness) heard(h *Host, frame []byte, marks wire.Offload) {
	s, ok := read(frame)
	if !ok {
		h.told = w.world.now
	}
	if bad, _ := badSum(frame); bad != "" && !marks.NeedsCsum {
		return // damaged on the way, and no word of it counts
	}
	if !ok || !h.addrs[s.flow.to.Addr()] {
		return
	}
	in, his := w.stream(s.flow), w.stream(s.flow.back())
	// A SYN that comes to a connection that has one is an old one; to a listener it
	// is a call.
	if s.h.Flags&wire.SYN != 0 && !(his.heardSyn && his.sentSyn) {
		his.adopt(s.h.Seq)
	}
	if !his.heardSyn || s.h.Flags&wire.RST != 0 {
		return
	}
	o := &s.h.Options
	newer := !his.stamped || int32(o.TSVal-his.stamp) >= 0
	if o.HasTimestamps && newer {
		his.stamp, his.stamped = o.TSVal, true
	}
	fresh := newer && !s.h.Seq.Less(his.heardMax)
	if his.heardMax.Less(s.end()) {
		his.heardMax = s.end()
	}
	if s.h.Flags&wire.ACK == 0 {
		return
	}
	edge := s.h.Ack.Add(in.window(his, &s.h))
	if !his.told {
		his.una, his.allowance, his.told = s.h.Ack, edge, true
	}
	// RFC 9293 §3.10.7.4, first: the acknowledgement of an old segment, such as a
	// keep-alive or one that RFC 7323 §5 knows by its timestamp, is not looked at;
	// fifth: nor is that of what was never sent.
	if fresh && his.una.Less(s.h.Ack) && s.h.Ack.LessEq(his.max) {
		his.una = s.h.Ack
	}
	if his.allowance.Less(edge) {
		his.allowance = edge
	}
}
