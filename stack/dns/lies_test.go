package dns

// Servers that lie, and everybody else who tries to answer.

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	msg "github.com/miekg/dns"

	"slashnet/stack/neterr"
)

// lie is an answer whose address is the attacker's.
func lie(t testing.TB, q *msg.Msg) *msg.Msg { return says(t, "@ 3600 IN A 192.0.2.66")(nil, q) }

func pack(t testing.TB, m *msg.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return b
}

// swap changes upper to lower case and the other way round.
func swap(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			r ^= ' '
		}
		return r
	}, name)
}

// TestLies: what comes before the true answer, and is not it, is counted and
// passed over.
func TestLies(t *testing.T) {
	for _, test := range []struct {
		name    string
		packet  func(t testing.TB, q *msg.Msg) []byte
		counter func(*Stats) *atomic.Uint64
	}{
		{"wrong id", func(t testing.TB, q *msg.Msg) []byte {
			m := lie(t, q)
			m.Id++
			return pack(t, m)
		}, func(s *Stats) *atomic.Uint64 { return &s.WrongID }},
		{"another name", func(t testing.TB, q *msg.Msg) []byte {
			m := lie(t, q)
			m.Question[0].Name = "other.example.org."
			return pack(t, m)
		}, func(s *Stats) *atomic.Uint64 { return &s.WrongQuestion }},
		{"another type", func(t testing.TB, q *msg.Msg) []byte {
			m := lie(t, q)
			m.Question[0].Qtype = msg.TypeMX
			return pack(t, m)
		}, func(s *Stats) *atomic.Uint64 { return &s.WrongQuestion }},
		{"another class", func(t testing.TB, q *msg.Msg) []byte {
			m := lie(t, q)
			m.Question[0].Qclass = msg.ClassCHAOS
			return pack(t, m)
		}, func(s *Stats) *atomic.Uint64 { return &s.WrongQuestion }},
		{"no question", func(t testing.TB, q *msg.Msg) []byte {
			m := lie(t, q)
			m.Question = nil
			return pack(t, m)
		}, func(s *Stats) *atomic.Uint64 { return &s.WrongQuestion }},
		{"no such name, no question", func(t testing.TB, q *msg.Msg) []byte {
			m := lie(t, q)
			m.Question, m.Answer, m.Rcode = nil, nil, msg.RcodeNameError
			return pack(t, m)
		}, func(s *Stats) *atomic.Uint64 { return &s.WrongQuestion }},
		{"two questions", func(t testing.TB, q *msg.Msg) []byte {
			m := lie(t, q)
			m.Question = append(m.Question, m.Question[0])
			return pack(t, m)
		}, func(s *Stats) *atomic.Uint64 { return &s.WrongQuestion }},
		{"a question back", func(t testing.TB, q *msg.Msg) []byte { return pack(t, q) }, func(s *Stats) *atomic.Uint64 { return &s.Malformed }},
		{"another operation", func(t testing.TB, q *msg.Msg) []byte {
			m := lie(t, q)
			m.Opcode = msg.OpcodeNotify
			return pack(t, m)
		}, func(s *Stats) *atomic.Uint64 { return &s.Malformed }},
		{"short", func(t testing.TB, q *msg.Msg) []byte { return pack(t, lie(t, q))[:11] }, func(s *Stats) *atomic.Uint64 { return &s.Malformed }},
		{"cut", func(t testing.TB, q *msg.Msg) []byte {
			b := pack(t, lie(t, q))
			return b[:len(b)-1]
		}, func(s *Stats) *atomic.Uint64 { return &s.Malformed }},
		{"a name that points at itself", func(t testing.TB, q *msg.Msg) []byte {
			b := pack(t, lie(t, q))
			at := len(b) - 16 // the owner of the record, a pointer
			binary.BigEndian.PutUint16(b[at:], 0xc000|uint16(at))
			return b
		}, func(s *Stats) *atomic.Uint64 { return &s.Malformed }},
		{"65535 records", func(t testing.TB, q *msg.Msg) []byte {
			b := pack(t, lie(t, q))
			binary.BigEndian.PutUint16(b[6:], 65535)
			return b
		}, func(s *Stats) *atomic.Uint64 { return &s.TooBig }},
		{"a datagram larger than we take", func(t testing.TB, q *msg.Msg) []byte {
			return append(pack(t, lie(t, q)), make([]byte, ednsSize)...)
		}, func(s *Stats) *atomic.Uint64 { return &s.TooBig }},
	} {
		t.Run(test.name, func(t *testing.T) {
			in(t, Config{}, func(t *testing.T, w *world) {
				w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
					for range 3 {
						rw.Write(test.packet(t, q.Copy()))
					}
					return says(t, "@ 60 IN A 192.0.2.1")(rw, q)
				})
				w.found("www.example.org", "192.0.2.1")
				w.counts(test.name, test.counter(&w.stats), 3)
				w.counts("Queries", &w.stats.Queries, 1)
			})
		})
	}
}

// TestWrongSource: an answer right in every respect, from another port or host.
func TestWrongSource(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		var others []net.PacketConn
		for _, at := range []string{"10.0.0.2:5353", "10.0.0.3:53"} {
			p, err := w.server.ListenPacket("udp", at)
			must(t, err)
			defer p.Close()
			others = append(others, p)
		}
		w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			for _, p := range others {
				if _, err := p.WriteTo(pack(t, lie(t, q)), rw.RemoteAddr()); err != nil {
					t.Error(err)
				}
			}
			return says(t, "@ 60 IN A 192.0.2.1")(rw, q)
		})
		w.found("www.example.org", "192.0.2.1")
	})
}

// TestLate: the answer to a question that was given up does not answer the next.
func TestLate(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		var n atomic.Int32
		w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			if n.Add(1) == 1 {
				time.Sleep(2*time.Second + 500*time.Millisecond) // while the second is on the way
				return lie(t, q)
			}
			time.Sleep(time.Second)
			return says(t, "@ 60 IN A 192.0.2.1")(rw, q)
		})
		w.found("www.example.org", "192.0.2.1")
	})
}

// TestGuesser: too many wrong answers, and the question goes where nobody can
// guess.
func TestGuesser(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		server := w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			if rw.LocalAddr().Network() == "tcp" {
				return says(t, "@ 60 IN A 192.0.2.1")(rw, q)
			}
			for n := range maxLies + 10 {
				m := lie(t, q)
				m.Id += uint16(n) + 1
				rw.Write(pack(t, m))
			}
			return nil
		})
		begin := time.Now()
		w.found("www.example.org", "192.0.2.1")
		w.counts("WrongID", &w.stats.WrongID, maxLies)
		if got := strings.Join(server.questions(), ", "); got != "www.example.org. A, tcp www.example.org. A" || time.Since(begin) > 10*time.Millisecond {
			t.Errorf("%s after %v", got, time.Since(begin))
		}
	})
}

// TestSpelling: a server that does not keep it is asked over TCP, as is one whom
// somebody answers for.
func TestSpelling(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			if rw.LocalAddr().Network() == "tcp" {
				return says(t, "@ 60 IN A 192.0.2.1")(rw, q)
			}
			m := lie(t, q)
			m.Question[0].Name = swap(m.Question[0].Name)
			return m
		})
		w.found("www.example.org", "192.0.2.1")
		w.counts("WrongSpelling", &w.stats.WrongSpelling, 1)
		w.counts("TCP", &w.stats.TCP, 1)
	})
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			m := says(t, "@ 60 IN A 192.0.2.1")(rw, q)
			m.Question[0].Name = lower(m.Question[0].Name) // everywhere
			return m
		})
		w.found("www.example.org", "192.0.2.1")
	})
}

// TestIrrelevant: a server speaks about its question only.
func TestIrrelevant(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		server := w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			m := says(t, "www.bank.example. 3600 IN A 192.0.2.66", "@ 60 IN AAAA 2001:db8::1", "@ 60 CH A 192.0.2.66",
				"@ 60 IN A 192.0.2.1", "www.bank.example. 3600 IN CNAME evil.example.")(rw, q)
			for _, line := range []string{"www.bank.example. 3600 IN A 192.0.2.66", "bank.example. 3600 IN NS evil.example."} {
				rr, _ := msg.NewRR(line)
				m.Ns, m.Extra = append(m.Ns, rr), append(m.Extra, rr)
			}
			return m
		})
		w.found("www.example.org", "192.0.2.1")
		server.change(says(t, "@ 60 IN A 192.0.2.2"))
		w.found("www.bank.example", "192.0.2.2")
	})
	// A CNAME may lead to it, and only what stands behind the CNAME counts.
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, says(t, "c.example. 60 IN A 192.0.2.3", "other.example. 60 IN A 192.0.2.66", "b.example. 60 IN CNAME C.example.", "@ 60 IN CNAME b.example."))
		w.found("www.example.org", "192.0.2.3")
	})
}

func TestChains(t *testing.T) {
	// One message each, or all in one.
	one := func(_ msg.ResponseWriter, q *msg.Msg) *msg.Msg {
		var n int
		if _, err := fmt.Sscanf(lower(q.Question[0].Name), "n%d.", &n); err != nil {
			t.Error(err)
		}
		return says(t, fmt.Sprintf("@ 60 IN CNAME n%d.example.org.", n+1))(nil, q)
	}
	all := func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
		var lines []string
		for n := range 400 {
			lines = append(lines, fmt.Sprintf("n%d.example.org. 60 IN CNAME n%d.example.org.", n, n+1))
		}
		m := says(t, lines...)(nil, q)
		if m.Compress = true; rw.LocalAddr().Network() == "udp" {
			m.Truncate(ednsSize)
		}
		return m
	}
	for name, answer := range map[string]say{"one by one": one, "at once": all} {
		t.Run(name, func(t *testing.T) {
			in(t, Config{}, func(t *testing.T, w *world) {
				server := w.serve(first, answer)
				if words := w.failed("n0.example.org", neterr.NameFailure); !strings.Contains(words, "more than 16 CNAMEs") {
					t.Error(words)
				}
				if n := len(server.questions()); n > maxChain+1 {
					t.Errorf("%d questions", n)
				}
			})
		})
	}
	for _, target := range []string{`a\.b.example.org.`, `\000.example.org.`, "two words.example."} {
		in(t, Config{}, func(t *testing.T, w *world) {
			w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
				m := says(t, "@ 60 IN CNAME example.org.")(rw, q)
				m.Answer[0].(*msg.CNAME).Target = target
				return m
			})
			if words := w.failed("www.example.org", neterr.NameFailure); !strings.Contains(words, "which is no name") {
				t.Errorf("CNAME %s: %v", target, words)
			}
		})
	}
}

// big is 250 addresses, 4 kB, which datagrams cut short.
func big(t testing.TB) say {
	return func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
		var lines []string
		for n := range 250 {
			lines = append(lines, fmt.Sprintf("@ 60 IN A 192.0.2.%d", n))
		}
		m := says(t, lines...)(rw, q)
		if rw.LocalAddr().Network() == "udp" {
			m.Truncate(ednsSize)
		}
		return m
	}
}

func TestTruncated(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, big(t))
		addrs, err := w.Lookup(context.Background(), "www.example.org")
		if err != nil || len(addrs) != 250 {
			t.Fatalf("%d addresses (%v)", len(addrs), err)
		}
		w.counts("Truncated", &w.stats.Truncated, 1)
		w.counts("TCP", &w.stats.TCP, 1)
	})
}

// TestBadOverTCP: what a server may do wrong where it is asked last.
func TestBadOverTCP(t *testing.T) {
	for name, test := range map[string]struct {
		packet func(q *msg.Msg) []byte // nil: hang
		want   *neterr.Error
		words  string
	}{
		"hangs":     {nil, neterr.NameTimeout, "silent"},
		"nothing":   {func(*msg.Msg) []byte { return nil }, neterr.NameFailure, "malformed"},
		"garbage":   {func(*msg.Msg) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, neterr.NameFailure, "wrong id"},
		"too long":  {func(*msg.Msg) []byte { return make([]byte, maxMessage+1) }, neterr.NameFailure, "16385 bytes: at most 16384"},
		"wrong id":  {func(q *msg.Msg) []byte { m := lie(t, q); m.Id++; return pack(t, m) }, neterr.NameFailure, "wrong id"},
		"cut again": {func(q *msg.Msg) []byte { m := lie(t, q); m.Truncated = true; return pack(t, m) }, neterr.NameFailure, "cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Config{}, func(t *testing.T, w *world) {
				w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
					if rw.LocalAddr().Network() == "udp" {
						m := reply(q)
						m.Truncated = true
						return m
					}
					if test.packet != nil {
						rw.Write(test.packet(q))
					}
					return nil
				})
				if words := w.failed("www.example.org", test.want); !strings.Contains(words, test.words) {
					t.Errorf("%q, want %q", words, test.words)
				}
			})
		})
	}
	// It calls us to TCP, and does not answer there.
	in(t, Config{}, func(t *testing.T, w *world) {
		server := &script{answer: func(_ msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			m := reply(q)
			m.Truncated = true
			return m
		}}
		p, err := w.server.ListenPacket("udp", first.String())
		must(t, err)
		udp := &msg.Server{PacketConn: p, Handler: server}
		done := make(chan error)
		go func() { done <- udp.ActivateAndServe() }()
		if words := w.failed("www.example.org", neterr.NameFailure); !strings.Contains(words, "connection refused") {
			t.Error(words)
		}
		udp.Shutdown()
		must(t, <-done)
	})
}

// TestBeforeEDNS: servers of last century are asked again, without it.
func TestBeforeEDNS(t *testing.T) {
	for _, rcode := range []int{msg.RcodeFormatError, msg.RcodeNotImplemented} {
		in(t, Config{}, func(t *testing.T, w *world) {
			server := w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
				if q.IsEdns0() == nil {
					return says(t, "@ 60 IN A 192.0.2.1")(rw, q)
				}
				m := code(rcode)(rw, q)
				m.Question = nil
				return m
			})
			w.found("www.example.org", "192.0.2.1")
			if n := len(server.questions()); n != 2 {
				t.Errorf("%d questions", n)
			}
		})
	}
}

// TestErrnosDiffer: no such name, a server that fails and one that is silent are
// three different things.
func TestErrnosDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, answer := range []say{code(msg.RcodeNameError), code(msg.RcodeServerFailure), silent} {
		in(t, Config{}, func(t *testing.T, w *world) {
			w.serve(first, answer)
			_, err := w.Lookup(context.Background(), "www.example.org")
			seen[errno(err).Error()] = true
		})
	}
	if len(seen) != 3 || !seen["no route to host"] || !seen["connection timed out"] || !seen["remote I/O error"] {
		t.Errorf("%v", seen)
	}
}

// TestNoConversations: a view whose conversations are used up says so.
func TestNoConversations(t *testing.T) {
	r, err := New(func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: neterr.NoConvs.With("all 10 are in use")}
	}, Config{Servers: []netip.AddrPort{first}})
	must(t, err)
	defer r.Close()
	_, err = r.Lookup(context.Background(), "www.example.org")
	if wantError(t, "no conversations", err, neterr.NoConvs); errno(err) != syscall.ENFILE || len(r.silent) != 0 {
		t.Errorf("%v; silent: %v", err, r.silent)
	}
}

// TestUnreachable: no answer can come, which is known at once.
func TestUnreachable(t *testing.T) {
	in(t, Config{Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}}, func(t *testing.T, w *world) {
		begin := time.Now()
		if words := w.failed("www.example.org", neterr.NameFailure); time.Since(begin) > 0 || !strings.Contains(words, "no route") {
			t.Errorf("%q after %v", words, time.Since(begin))
		}
	})
}
