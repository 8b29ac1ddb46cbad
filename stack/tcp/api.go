package tcp

import (
	"time"

	"slashnet/wire"
)

type Conn struct{ cfg *Config }

const MaxSlices = 16

type Segment struct {
	H       wire.TCPHeader
	Payload [MaxSlices][]byte
	Pins    [MaxSlices]*wire.Buf
	Slices  int
	Len     int
	MSS     int
}
type Setup struct {
	ISS      wire.Seq
	MTU      int
	IPHeader int
	MSS      int
}

func NewConn(cfg *Config, rnd func() uint64) *Conn { return &Conn{cfg: cfg} }

func (c *Conn) Open(now time.Duration, s Setup)                                           {}
func (c *Conn) Accept(now time.Duration, s Setup, syn *wire.TCPHeader)                    {}
func (c *Conn) Input(now time.Duration, h *wire.TCPHeader, payload []byte, buf *wire.Buf) {}
func (c *Conn) Tick(now time.Duration)                                                    {}
func (c *Conn) Deadline() (at time.Duration, ok bool)                                     { return 0, false }
func (c *Conn) Output(now time.Duration, seg *Segment) bool                               { return false }
func (c *Conn) Write(now time.Duration, b []byte) int                                     { return 0 }
func (c *Conn) WriteBuf(now time.Duration, b []byte, buf *wire.Buf) int                   { return 0 }
func (c *Conn) Room() int                                                                 { return 0 }
func (c *Conn) Take(max int, into []wire.Chunk) []wire.Chunk                              { return into }
func (c *Conn) Read(b []byte) int                                                         { return 0 }
func (c *Conn) Peek(b []byte) int                                                         { return 0 }
func (c *Conn) Unread() int                                                               { return 0 }
func (c *Conn) EOF() bool                                                                 { return false }
func (c *Conn) Err() error                                                                { return nil }
func (c *Conn) SoftErr() error                                                            { return nil }
func (c *Conn) CloseWrite(now time.Duration)                                              {}
func (c *Conn) CloseRead(now time.Duration)                                               {}
func (c *Conn) Close(now time.Duration)                                                   {}
func (c *Conn) Abort(now time.Duration)                                                   {}
func (c *Conn) SoftError(err error)                                                       {}
func (c *Conn) Unreachable(now time.Duration, err error)                                  {}
func (c *Conn) SetMTU(now time.Duration, mtu int)                                         {}
func (c *Conn) Quoted(seq wire.Seq) bool                                                  { return false }
func (c *Conn) State() State                                                              { return Closed }
func (c *Conn) SetNoDelay(on bool)                                                        {}
func (c *Conn) SetCork(on bool)                                                           {}
func (c *Conn) SetQuickAck(on bool)                                                       {}
func (c *Conn) SetKeepAlive(now time.Duration, on bool)                                   {}
func (c *Conn) SetKeepIdle(now, d time.Duration)                                          {}
func (c *Conn) SetKeepIntvl(d time.Duration)                                              {}
func (c *Conn) SetKeepCount(n int)                                                        {}
func (c *Conn) SetUserTimeout(d time.Duration)                                            {}
func (c *Conn) SetRetries(n int)                                                          {}
func (c *Conn) SetSendBuffer(n int)                                                       {}
func (c *Conn) SetReceiveBuffer(n int)                                                    {}
func (c *Conn) SetLinger(d time.Duration, on bool)                                        {}
func (c *Conn) SetCC(name string) error                                                   { return nil }
func (c *Conn) Stats() Stats                                                              { return Stats{} }
func (c *Conn) TimeWait(now time.Duration) TimeWait                                       { return TimeWait{} }
func (c *Conn) Free()                                                                     {}

type TimeWait struct{ until time.Duration }

func (t *TimeWait) Input(now time.Duration, h *wire.TCPHeader, payloadLen int) (reply wire.TCPHeader, send, reopen bool) {
	return
}
func (t *TimeWait) Deadline() time.Duration { return t.until }

func RefuseSegment(h *wire.TCPHeader, payloadLen int) (rst wire.TCPHeader, send bool) { return }
func ListenSegment(h *wire.TCPHeader, payloadLen int) (accept bool, rst wire.TCPHeader, send bool) {
	return
}
