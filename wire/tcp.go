package wire

// A Seq is a TCP sequence number; it wraps, so compare with Less.
type Seq uint32

// Less reports whether s comes before t, modulo 2³² (RFC 9293 §3.4).
func (s Seq) Less(t Seq) bool { return int32(s-t) < 0 }

// TCPFlags are the control bits of a segment.
type TCPFlags uint8

// The control bits (RFC 9293 §3.1).
const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// TCPLen is the length of a TCP header without options, MaxTCPLen with.
const (
	TCPLen    = 20
	MaxTCPLen = 60
)

// TCPHeader is the header of a segment, its options decoded.
type TCPHeader struct {
	SrcPort, DstPort uint16
	Seq, Ack         Seq
	Flags            TCPFlags
	Window           uint16
	Urgent           uint16
	Options          TCPOptions
}

// TCPOptions are the options that the stack knows. The zero value has none.
type TCPOptions struct {
	MSS           uint16 // 0: absent
	HasWScale     bool
	WScale        uint8
	SACKPermitted bool
	HasTimestamps bool
	TSVal, TSEcr  uint32
	SACK          [4]SACKBlock
	SACKs         int // how many of SACK are there
}

// A SACKBlock is a run of sequence space that has arrived (RFC 2018 §3).
type SACKBlock struct{ Left, Right Seq }
