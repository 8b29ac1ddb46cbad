package stack

// The Go API: connections and listeners as package net knows them. What waits
// here is an Op like any other (netside.go); ListenPacket is in netpacket.go. Go
// programs that link the stack call it, and nothing in the stack does.

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"slashnet/wire"
)

// Dial is DialContext without a context.
func (s *Stack) Dial(network, address string) (net.Conn, error) {
	return s.DialContext(context.Background(), network, address)
}

// DialContext connects to HOST:PORT over tcp, tcp4, udp or udp4. Connections of
// TCP also have CloseRead, CloseWrite, SetNoDelay, SetKeepAlive,
// SetKeepAlivePeriod and SetLinger, as *net.TCPConn.
//
// A connection of UDP is a conversation of its own: it ends when the peer turns
// out to have no such port, and empty datagrams do not come through (they would
// read as the end of a file). ListenPacket has neither rule.
func (s *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	failed := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: target{network, address}, Err: err}
	}
	p, err := networkProto(network)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return failed(err)
	}
	done := make(chan struct{})
	op := &Op{Kind: OpDial, Proto: p, Addr: address, User: s.cfg.Owner, only4: strings.HasSuffix(network, "4"), Done: func(*Op) { close(done) }}
	s.Submit(op)
	select {
	case <-done:
	case <-ctx.Done():
		s.Cancel(op, ctx.Err())
		<-done // it may have been too late to cancel
	}
	if op.Err != nil {
		return failed(op.Err)
	}
	return newConn(op.Call, op.Call.Info(), network), nil
}

// Listen takes calls to ADDR:PORT or :PORT over tcp, tcp4, udp or udp4; port 0 is
// one that is free. Over UDP, each new peer is a call. The listener also has
// SetDeadline, as *net.TCPListener.
func (s *Stack) Listen(network, address string) (net.Listener, error) {
	s.lock()
	defer s.unlock()
	c, err := s.announceAt(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: target{network, address}, Err: err}
	}
	l := &listener{end: endpoint{conv: c, network: network, local: netAddr(c.proto.num, c.local)}}
	l.end.in.init(OpListen, c)
	return l, nil
}

// announceAt makes a conversation that is announced. Nothing of it waits.
func (s *Stack) announceAt(network, address string) (*Conv, error) {
	p, err := networkProto(network)
	if err != nil {
		return nil, err
	}
	if err := checkLine(address); err != nil {
		return nil, err
	}
	local, err := s.parseLocal(p, address)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(network, "4") && local.Addr().IsUnspecified() {
		local = netip.AddrPortFrom(netip.IPv4Unspecified(), local.Port())
	}
	c, err := s.clone(p, s.cfg.Owner, false)
	if err != nil {
		return nil, err
	}
	if err := c.announce(s.cfg.Owner, local); err != nil {
		c.drop()
		return nil, err
	}
	return c, nil
}

// networkProto is the protocol of a network as package net calls it.
func networkProto(network string) (wire.Proto, error) {
	switch network {
	case "tcp", "tcp4":
		return wire.TCP, nil
	case "udp", "udp4":
		return wire.UDP, nil
	}
	return 0, net.UnknownNetworkError(network)
}

func netAddr(p wire.Proto, a netip.AddrPort) net.Addr {
	if p == wire.TCP {
		return net.TCPAddrFromAddrPort(a)
	}
	return net.UDPAddrFromAddrPort(a)
}

// A target is an address as the caller wrote it, for the error.
type target struct{ network, address string }

func (t target) Network() string { return t.network }
func (t target) String() string  { return t.address }

// An endpoint is what connections, listeners and packet connections have in
// common: a conversation, held once, and two sides.
type endpoint struct {
	conv          *Conv
	network       string
	local, remote net.Addr
	in, out       side
}

func (e *endpoint) LocalAddr() net.Addr { return e.local }

func (e *endpoint) SetDeadline(t time.Time) error {
	err := e.in.SetDeadline(t)
	if err == nil {
		err = e.out.SetDeadline(t)
	}
	return e.failed("set", err)
}

func (e *endpoint) SetReadDeadline(t time.Time) error { return e.failed("set", e.in.SetDeadline(t)) }

func (e *endpoint) SetWriteDeadline(t time.Time) error { return e.failed("set", e.out.SetDeadline(t)) }

// Close lets go of the conversation, which ends gracefully then.
func (e *endpoint) Close() error {
	if !e.in.Close() {
		return e.failed("close", net.ErrClosed)
	}
	e.out.Close()
	e.conv.Drop()
	return nil
}

// failed is an error as package net reports it; nil stays nil.
func (e *endpoint) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	failure := &net.OpError{Op: what, Net: e.network, Source: e.local, Addr: e.remote, Err: err}
	if e.remote == nil {
		failure.Source, failure.Addr = nil, e.local
	}
	return failure
}

// A conn is a connection, of UDP as it is.
type conn struct{ endpoint }

// newConn makes the connection of a conversation that the caller holds.
func newConn(c *Conv, i Info, network string) net.Conn {
	if c.proto.num == wire.TCP {
		t := &tcpConn{}
		t.init(c, i, network)
		return t
	}
	u := &conn{}
	u.init(c, i, network)
	return u
}

func (c *conn) init(conv *Conv, i Info, network string) {
	c.conv, c.network = conv, network
	c.local, c.remote = netAddr(i.Proto, i.Local), netAddr(i.Proto, i.Remote)
	c.in.init(OpRead, conv)
	c.out.init(OpWrite, conv)
}

func (c *conn) RemoteAddr() net.Addr { return c.remote }

// Read gives what has come, of UDP one datagram; what of that does not fit in b
// is lost.
func (c *conn) Read(b []byte) (int, error) {
	op := c.in.take()
	defer c.in.give()
	op.Max = len(b)
	if err := c.in.Do(); err != nil {
		return 0, c.failed("read", err)
	}
	if len(op.Chunks) == 0 {
		return 0, io.EOF
	}
	return op.deliver(b), nil
}

// deliver copies what was read into b, and lets go of it.
func (op *Op) deliver(b []byte) (n int) {
	for i, chunk := range op.Chunks {
		n += copy(b[n:], chunk.B)
		chunk.Buf.Release()
		op.Chunks[i] = wire.Chunk{}
	}
	return n
}

// maxWrite is how much one Op writes: parked ones count against the stack's
// memory, and a writer of a gigabyte is not to be refused for it.
const maxWrite = 1 << 20

// Write sends all of b, over UDP as one datagram.
func (c *conn) Write(b []byte) (n int, err error) {
	op := c.out.take()
	defer c.out.give()
	for {
		op.Data = b[n:min(len(b), n+maxWrite)]
		err := c.out.Do()
		n += op.N
		if err != nil || n == len(b) {
			return n, c.failed("write", err)
		}
	}
}

// A tcpConn is a connection of TCP: a stream with two halves and settings.
type tcpConn struct{ conn }

// Read of no bytes is not the end of the stream.
func (c *tcpConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return c.conn.Read(b)
}

// Write of no bytes does not wait for room.
func (c *tcpConn) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return c.conn.Write(b)
}

// CloseWrite ends what we send; the peer reads the end of the stream.
func (c *tcpConn) CloseWrite() error { return c.Control("close", "shutdown wr") }

// CloseRead says that nobody will read any more.
func (c *tcpConn) CloseRead() error { return c.Control("close", "shutdown rd") }

// SetNoDelay sets whether small segments are sent at once.
func (c *tcpConn) SetNoDelay(on bool) error { return c.Control("set", "nodelay "+onOff(on)) }

// SetKeepAlive sets whether a silent peer is asked if it is still there.
func (c *tcpConn) SetKeepAlive(on bool) error { return c.Control("set", "keepalive "+onOff(on)) }

// SetKeepAlivePeriod sets how long a peer may be silent, and how often it is
// asked then.
func (c *tcpConn) SetKeepAlivePeriod(d time.Duration) error {
	return c.Control("set", fmt.Sprintf("keepidle %v\nkeepintvl %v", d, d))
}

// SetLinger sets how Close treats what is not sent yet: with 0 it is lost, below
// 0 it is sent.
func (c *tcpConn) SetLinger(seconds int) error {
	if seconds < 0 {
		return c.Control("set", "linger off")
	}
	return c.Control("set", fmt.Sprintf("linger %d", seconds))
}

// Control writes a line to the conversation's ctl, one that does not wait.
func (c *tcpConn) Control(what, line string) error {
	err := c.in.Closed()
	if err == nil {
		op := &Op{Kind: OpCtl, Conv: c.conv, User: c.conv.stack.cfg.Owner, NonBlock: true, Data: []byte(line), Done: func(*Op) {}}
		c.conv.stack.Submit(op)
		err = op.Err
	}
	return c.failed(what, err)
}

// A listener takes the calls of a conversation that is announced.
type listener struct{ end endpoint }

func (l *listener) Addr() net.Addr { return l.end.local }

func (l *listener) Close() error { return l.end.Close() }

func (l *listener) SetDeadline(t time.Time) error { return l.end.SetReadDeadline(t) }

func (l *listener) Accept() (net.Conn, error) {
	op := l.end.in.take()
	defer l.end.in.give()
	if err := l.end.in.Do(); err != nil {
		return nil, l.end.failed("accept", err)
	}
	return newConn(op.Call, op.Call.Info(), l.end.network), nil
}
