package stack

// Embryos: calls that have not been through the handshake. tcpListen admits
// them. A listener keeps as many as its backlog; beyond that it is flooded, and
// answers with cookies that keep nothing (RFC 4987), or gives up the oldest one.

import (
	"slices"
	"time"

	"slashnet/stack/neterr"
	"slashnet/stack/tcp"
	"slashnet/wire"
)

// cookieUse is the knob tcp.syncookies.
type cookieUse string

const (
	cookiesOff    cookieUse = "off"
	cookiesAuto   cookieUse = "auto"   // when there are as many embryos as the backlog
	cookiesAlways cookieUse = "always" // no embryos at all
)

func setCookies(k *Knobs, v string) error {
	use := cookieUse(v)
	if use != cookiesOff && use != cookiesAuto && use != cookiesAlways {
		return neterr.BadArg.With("tcp.syncookies %q: off, auto or always is wanted", clip(v))
	}
	k.cookies = use
	return nil
}

// tcpListen is a segment for a listener (RFC 9293 §3.10.7.2).
func (s *Stack) tcpListen(l *Conv, t tuple, h *wire.TCPHeader, payload []byte, buf *wire.Buf) {
	if s.now < s.cookiesUntil && h.Flags&(wire.SYN|wire.RST|wire.ACK) == wire.ACK && s.redeem(l, t, h, payload, buf) {
		return
	}
	accept, rst, send := tcp.ListenSegment(h, len(payload))
	if send {
		s.tcpReply(t, &rst)
	}
	if !accept {
		return
	}
	if len(l.calls) >= l.backlog {
		s.counts.Tables.SynsDropped++
		return
	}
	to, err := s.pathTo(t.remote.Addr())
	if err != nil {
		s.counts.IP.OutNoRoutes++
		return
	}
	switch full := len(l.embryos) >= l.backlog; {
	case s.knobs.cookies == cookiesAlways, full && s.knobs.cookies == cookiesAuto:
		s.cookie(l, t, h, to)
		return
	case full:
		s.evict(l.embryos[0])
	}
	c, err := s.newCall(l, t)
	if err != nil {
		s.counts.Tables.SynsDropped++
		return
	}
	s.tcpStart(c, s.engine(t, &c.opts))
	c.tcb.Accept(s.now, s.setup(t, &c.opts, to), h)
}

// newCall makes the conversation of a call.
func (s *Stack) newCall(l *Conv, t tuple) (*Conv, error) {
	c, err := s.newConv(l.proto, l.owner)
	if err != nil {
		return nil, err
	}
	c.listener, c.local, c.remote, c.phase = l, t.local, t.remote, connecting
	c.ttl, c.tos, c.opts, c.readTimeout = l.ttl, l.tos, l.opts, l.readTimeout
	l.embryos = append(l.embryos, c)
	return c, nil
}

// hatched takes a call off the embryos.
func (c *Conv) hatched() {
	l := c.listener
	l.embryos = slices.DeleteFunc(l.embryos, func(e *Conv) bool { return e == c })
}

// evict gives an embryo up without a word: whom it names may never have called.
func (s *Stack) evict(c *Conv) {
	s.counts.Tables.EmbryosEvicted++
	c.leaveListener()
	c.tcb.Forget()
	c.phase, c.closing = hungup, true
	s.touch(c)
}

// --- cookies

// cookiesLast is for how long an ACK may bring a cookie back. When none were made
// for so long, an ACK to a listener is just a mistake.
const cookiesLast = 2 * time.Minute

// cookie answers a call and forgets it.
func (s *Stack) cookie(l *Conv, t tuple, syn *wire.TCPHeader, to path) {
	s.cookiesUntil = s.now + cookiesLast
	reply := s.engine(t, &l.opts).Cookie(s.now, s.setup(t, &l.opts, to), syn, s.cookieMAC(t))
	s.tcpReply(t, &reply)
}

// redeem makes a connection of a cookie that has come back. The segment may carry
// the caller's first data, if its bare ACK was lost.
func (s *Stack) redeem(l *Conv, t tuple, h *wire.TCPHeader, payload []byte, buf *wire.Buf) bool {
	to, err := s.pathTo(t.remote.Addr())
	if err != nil {
		return false
	}
	engine, ack := s.engine(t, &l.opts), *h
	if !engine.Redeem(s.now, s.setup(t, &l.opts, to), &ack, s.cookieMAC(t)) {
		return false
	}
	if len(l.calls) >= l.backlog {
		s.counts.Tables.SynsDropped++ // its data will come again, and bring the cookie
		return true
	}
	c, err := s.newCall(l, t)
	if err != nil {
		s.counts.Tables.SynsDropped++
		return true
	}
	s.tcpStart(c, engine)
	c.tcb.Input(s.now, &ack, payload, buf)
	return true
}

func (s *Stack) cookieMAC(t tuple) tcp.MAC {
	return func(numbers ...uint64) uint64 { return s.hash('c', t, numbers...) }
}
