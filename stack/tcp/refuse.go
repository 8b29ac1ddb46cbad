package tcp

import "slashnet/wire"

// Segments that find no connection. The stack asks before there is a Conn.

// RefuseSegment is the answer to a segment for which there is nobody: RFC 9293
// §3.10.7.1.
func RefuseSegment(h *wire.TCPHeader, payloadLen int) (rst wire.TCPHeader, send bool) {
	if h.Flags&wire.RST != 0 {
		return rst, false
	}
	rst.SrcPort, rst.DstPort = h.DstPort, h.SrcPort
	if h.Flags&wire.ACK != 0 {
		rst.Seq, rst.Flags = h.Ack, wire.RST
		return rst, true
	}
	rst.Ack = h.Seq + wire.Seq(payloadLen)
	if h.Flags&wire.SYN != 0 {
		rst.Ack++
	}
	if h.Flags&wire.FIN != 0 {
		rst.Ack++
	}
	rst.Flags = wire.RST | wire.ACK
	return rst, true
}

// ListenSegment says what a listener does with a segment: accept it as a call,
// refuse it, or drop it. RFC 9293 §3.10.7.2.
func ListenSegment(h *wire.TCPHeader, payloadLen int) (accept bool, rst wire.TCPHeader, send bool) {
	switch {
	case h.Flags&wire.RST != 0: // first
		return false, rst, false
	case h.Flags&wire.ACK != 0: // second
		rst, send = RefuseSegment(h, payloadLen)
		return false, rst, send
	case h.Flags&wire.SYN != 0: // third
		// We differ: a SYN with a FIN is no call (RFC 9293 would keep the FIN for later).
		return h.Flags&wire.FIN == 0, rst, false
	}
	return false, rst, false // fourth: "should not occur"
}
