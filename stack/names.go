package stack

// Names: whom the stack asks for them, and how it waits for the answer. connect.go
// calls ask for the host of a connect, op.go beginQuery for what was written to
// the files cs and dns. fs reads and writes ndb.

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"

	"slashnet/stack/neterr"
)

// Names finds out what names stand for. Each call has a goroutine, and ends when
// its ctx does.
type Names interface {
	// Lookup gives the addresses of a host, the best first.
	Lookup(ctx context.Context, host string) ([]netip.Addr, error)
	// CS and DNS answer a query of the file of that name, in lines.
	CS(ctx context.Context, query string) ([]string, error)
	DNS(ctx context.Context, query string) ([]string, error)
	// Ndb is the file ndb but for our interfaces; WriteNdb changes it: the whole, or,
	// with more, what stands behind it. Written is what it has been given, a line an
	// entry. They do not wait, and call no stack.
	Ndb() string
	Written() string
	WriteNdb(text string, more bool) error
}

// NdbText is the file ndb: what our interfaces have, then what names go by.
func (s *Stack) NdbText() string {
	s.lock()
	defer s.unlock()
	var b strings.Builder
	for _, n := range s.ifnums() {
		i := s.ifaces[n]
		if i.loopback {
			continue
		}
		for _, a := range i.addrs {
			fmt.Fprintf(&b, "ip=%v ipmask=/%d", a.prefix.Addr(), a.prefix.Bits())
			for _, r := range s.routes.All() {
				linked := r.Via.Zone() == i.zone && a.prefix.Addr().IsGlobalUnicast() // a router by its link-local address
				if r.Prefix.Bits() == 0 && (a.prefix.Contains(r.Via) || linked) {
					fmt.Fprintf(&b, " ipgw=%v", r.Via)
				}
			}
			b.WriteByte('\n')
		}
	}
	if s.cfg.Names != nil {
		b.WriteString(s.cfg.Names.Ndb())
	}
	return b.String()
}

// RouterServers are the name servers that routers tell of (RFC 8106).
func (s *Stack) RouterServers() (all []netip.Addr) {
	s.lock()
	defer s.unlock()
	for _, n := range s.ifnums() {
		if i := s.ifaces[n]; i.ip6 != nil {
			for _, a := range i.ip6.host.Servers() {
				all = append(all, i.scoped(a))
			}
		}
	}
	return all
}

// WriteNdb takes a text in the place of what was written before, or, with more,
// behind it.
func (s *Stack) WriteNdb(text string, more bool) error {
	err := neterr.NotSupported.With("this stack asks no name server")
	if s.cfg.Names != nil {
		err = s.cfg.Names.WriteNdb(text, more)
	}
	s.lock()
	defer s.unlock()
	line, _, _ := strings.Cut(text, "\n")
	return s.told("ndb", line, err)
}

// HasIPv6 reports whether a host that has IPv6 alone could answer us: whether one of
// our addresses is good beyond its link.
func (s *Stack) HasIPv6() bool {
	s.lock()
	defer s.unlock()
	for a := range s.own {
		if a.Is6() && a.IsGlobalUnicast() {
			return true
		}
	}
	return false
}

// maxLookups is how many questions are asked at a time: each has a goroutine. No
// user has more under way than he leaves to all others.
const maxLookups = 256

// ask puts a question, on a goroutine that ends with it or with the stack. What
// it returns is carried out under the lock. cancel is for who gives up first.
func (s *Stack) ask(u User, question func(ctx context.Context) (answer func())) (cancel context.CancelFunc, err error) {
	switch {
	case s.cfg.Names == nil:
		return nil, neterr.UnknownName.With("this stack asks no name server; give an address")
	case s.lookupsOf[u.UID] >= maxLookups-s.lookups:
		return nil, neterr.TryAgain.With("%d names are being looked up already, %d for user %d", s.lookups, s.lookupsOf[u.UID], u.UID)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.lookups++
	s.lookupsOf[u.UID]++
	s.resolving.Go(func() {
		defer cancel()
		s.heard(u, question(ctx))
	})
	return cancel, nil
}

// heard is the end of a question.
func (s *Stack) heard(u User, answer func()) {
	s.lock()
	defer s.unlock()
	s.lookups--
	if s.lookupsOf[u.UID]--; s.lookupsOf[u.UID] == 0 {
		delete(s.lookupsOf, u.UID)
	}
	answer()
}

// A query is an OpCS or OpDNS that is being answered.
type query struct {
	op     *Op // nil: its asker has given up, and may use the Op again
	cancel context.CancelFunc
}

// beginQuery asks, and the operation waits for the answer.
func (s *Stack) beginQuery(op *Op) bool {
	q := &query{op: op}
	kind, text := op.Kind, string(bytes.TrimSuffix(op.Data, []byte("\n")))
	cancel, err := s.ask(op.User, func(ctx context.Context) func() {
		find := s.cfg.Names.CS
		if kind == OpDNS {
			find = s.cfg.Names.DNS
		}
		answers, err := find(ctx, text)
		return func() { s.answered(q, answers, err) }
	})
	if err != nil {
		return s.refuse(op, err)
	}
	q.cancel, op.query = cancel, q
	return true
}

// answered is the end of a query.
func (s *Stack) answered(q *query, answers []string, err error) {
	op := q.op
	if op == nil {
		return
	}
	op.query = nil
	s.unpark(op)
	if err != nil {
		s.refuse(op, err)
		return
	}
	op.N, op.Answers = len(op.Data), answers
	s.finish(op, nil)
}

// giveUp ends a query before its answer.
func (q *query) giveUp() {
	q.op.query, q.op = nil, nil
	q.cancel()
}
