package dns

// One question to one server: over UDP and, when that is not enough, TCP. servers.go
// calls it.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"

	msg "github.com/miekg/dns"
)

// maxLies is how many datagrams that are not the answer one question bears with:
// somebody is guessing, and over TCP he cannot (RFC 5452 §9.2).
const maxLies = 16

var (
	errNotThisWay = errors.New("to be asked over TCP")
	errSilent     = errors.New("no answer")
)

// A refusal is an answer that says no more than that there is none.
type refusal string

func (r refusal) Error() string { return string(r) }

// exchange puts a question to one server.
func (r *Resolver) exchange(ctx context.Context, cfg *Config, server netip.AddrPort, q question) (*msg.Msg, error) {
	for _, edns := range []bool{true, false} {
		m, err := r.over(ctx, cfg, "udp", server, q, edns)
		if err == errNotThisWay {
			m, err = r.over(ctx, cfg, "tcp", server, q, edns)
		}
		if err != nil {
			return nil, err
		}
		switch m.Rcode {
		case msg.RcodeSuccess, msg.RcodeNameError:
			if lame(m) {
				return nil, refusal("refers to others, and does not ask them")
			}
			return m, nil
		case msg.RcodeFormatError, msg.RcodeNotImplemented, msg.RcodeBadVers:
			if edns {
				continue // RFC 6891 §7: a server from before EDNS
			}
		}
		r.stats.Refused.Add(1)
		return nil, refusal(rcodeName(m.Rcode))
	}
	return nil, errMalformed
}

func rcodeName(code int) string {
	if name, ok := msg.RcodeToString[code]; ok {
		return "says " + name
	}
	return fmt.Sprintf("says error %d", code)
}

// lame reports whether a server only says who might know (RFC 2308 §2.2).
func lame(m *msg.Msg) bool {
	if m.RecursionAvailable || m.Rcode != msg.RcodeSuccess || len(m.Answer) > 0 {
		return false
	}
	refers := false
	for _, rr := range m.Ns {
		switch rr.Header().Rrtype {
		case msg.TypeSOA:
			return false
		case msg.TypeNS:
			refers = true
		}
	}
	return refers
}

// over is one conversation: a question, and its answer or none in time.
func (r *Resolver) over(ctx context.Context, cfg *Config, network string, server netip.AddrPort, q question, edns bool) (*msg.Msg, error) {
	query, err := newQuery(q, edns)
	if err != nil {
		return nil, refusal(err.Error()) // no server can be asked this
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	conn, err := r.dial(ctx, network, server.String())
	if err != nil {
		return nil, silence(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { abort(conn) })() // ends the reads below
	r.stats.Queries.Add(1)
	var m *msg.Msg
	if network == "tcp" {
		r.stats.TCP.Add(1)
		m, err = query.stream(conn)
	} else {
		m, err = r.datagrams(conn, query)
	}
	return m, silence(ctx, err)
}

// silence says that an error is only that the time is over.
func silence(ctx context.Context, err error) error {
	if err != nil && err != errNotThisWay && ctx.Err() != nil || errors.Is(err, syscall.ETIMEDOUT) {
		return errSilent
	}
	return err
}

// abort closes at once: a server that hangs is owed no farewell.
func abort(conn net.Conn) {
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// datagrams sends a query and reads until the answer comes.
func (r *Resolver) datagrams(conn net.Conn, q *query) (*msg.Msg, error) {
	if _, err := conn.Write(q.packet); err != nil {
		return nil, err
	}
	b := make([]byte, ednsSize+1)
	for range maxLies {
		n, err := conn.Read(b)
		if err != nil {
			return nil, err
		}
		if n > ednsSize {
			err = errTooBig
		}
		var m *msg.Msg
		if err == nil {
			m, err = q.read(b[:n])
		}
		if err == nil && !m.Truncated {
			return m, nil
		}
		r.stats.note(err)
		// A server that cannot keep the spelling is asked where nobody else can
		// answer; so is one that has more to say than fits (RFC 7766 §5).
		if err == nil || err == errSpelling {
			return nil, errNotThisWay
		}
	}
	return nil, errNotThisWay
}

// stream sends a query over TCP and reads the answer; each has its length in
// front (RFC 1035 §4.2.2, RFC 7766 §8).
func (q *query) stream(conn net.Conn) (*msg.Msg, error) {
	packet := binary.BigEndian.AppendUint16(nil, uint16(len(q.packet)))
	if _, err := conn.Write(append(packet, q.packet...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if n > maxMessage {
		return nil, refusal(fmt.Sprintf("wants to send %d bytes: at most %d", n, maxMessage))
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(conn, b); err != nil {
		return nil, err
	}
	m, err := q.read(b)
	switch {
	case err != nil && err != errSpelling:
		return nil, refusal("over TCP: " + err.Error())
	case m.Truncated:
		return nil, refusal("over TCP: cut short")
	}
	return m, nil
}
