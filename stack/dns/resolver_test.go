package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	msg "github.com/miekg/dns"

	"slashnet/stack/neterr"
)

const zone = `
example.org. 3600 IN SOA ns.example.org. root.example.org. 1 2 3 4 60
www.example.org. 300 IN A 192.0.2.1
www.example.org. 100 IN A 192.0.2.2
www.example.org. 300 IN AAAA 2001:db8::1
v4.example.org. 300 IN A 192.0.2.4
v6.example.org. 300 IN AAAA 2001:db8::6
alias.example.org. 50 IN CNAME other.example.org.
other.example.org. 300 IN CNAME www.example.org.
dangling.example.org. 300 IN CNAME nowhere.example.org.
loop.example.org. 300 IN CNAME pool.example.org.
pool.example.org. 300 IN CNAME loop.example.org.
self.example.org. 300 IN CNAME self.example.org.
fleeting.example.org. 0 IN A 192.0.2.7
example.org. 300 IN MX 10 Mail.Example.Org.
example.org. 300 IN TXT "v=spf1 " "-all"
1.2.0.192.in-addr.arpa. 300 IN PTR www.example.org.
_sip._tcp.example.org. 300 IN SRV 1 2 5060 sip.example.org.
`

func TestLookup(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, records(t, zone))
		w.found("www.example.org", "192.0.2.1 192.0.2.2")
		w.found("WWW.Example.ORG.", "192.0.2.1 192.0.2.2")
		w.found("alias.example.org", "192.0.2.1 192.0.2.2")
		w.found("192.0.2.99", "192.0.2.99")
		w.found("2001:db8::9", "2001:db8::9")
		w.found("localhost", "127.0.0.1")
		w.found("my.localhost", "127.0.0.1")
		w.failed("v6.example.org", neterr.NoRecord)
		if words := w.failed("no.example.org", neterr.UnknownName); words != `no such host name: "no.example.org": name does not exist` {
			t.Error(words)
		}
		if words := w.failed("dangling.example.org", neterr.UnknownName); !strings.Contains(words, "by way of nowhere.example.org") {
			t.Error(words)
		}
		for _, name := range []string{"loop.example.org", "self.example.org"} {
			if words := w.failed(name, neterr.NameFailure); !strings.Contains(words, "circle") {
				t.Error(words)
			}
		}
	})
}

func TestFamilies(t *testing.T) {
	in(t, Config{IPv6: always}, func(t *testing.T, w *world) {
		w.serve(first, records(t, zone))
		w.found("www.example.org", "2001:db8::1 192.0.2.1 192.0.2.2")
		w.found("v4.example.org", "192.0.2.4")
		w.found("v6.example.org", "2001:db8::6")
		w.found("localhost", "::1 127.0.0.1")
		w.failed("no.example.org", neterr.UnknownName)
	})
}

// TestLateFamily: the second family is waited for, but not for long; and what it
// brings is there for who asks next.
func TestLateFamily(t *testing.T) {
	in(t, Config{IPv6: always}, func(t *testing.T, w *world) {
		answer := records(t, zone)
		server := w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			if q.Question[0].Qtype == msg.TypeAAAA {
				time.Sleep(time.Second)
			}
			return answer(rw, q)
		})
		begin := time.Now()
		w.found("www.example.org", "192.0.2.1 192.0.2.2")
		if took := time.Since(begin); took != resolutionDelay {
			t.Errorf("took %v", took)
		}
		time.Sleep(2 * time.Second)
		w.found("www.example.org", "2001:db8::1 192.0.2.1 192.0.2.2")
		if n := len(server.questions()); n != 2 {
			t.Errorf("%d questions: %q", n, server.questions())
		}
		// When the first has nothing, the other is waited for.
		w.found("v6.example.org", "2001:db8::6")
	})
}

func TestCache(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		server := w.serve(first, records(t, zone))
		asks := func(name string, want int) {
			t.Helper()
			before := len(server.questions())
			w.Lookup(context.Background(), name)
			if got := len(server.questions()) - before; got != want {
				t.Errorf("%s: %d questions, want %d", name, got, want)
			}
		}
		asks("www.example.org", 1)
		time.Sleep(99 * time.Second) // the least TTL of its records is 100 s
		asks("www.example.org", 0)
		time.Sleep(time.Second)
		asks("www.example.org", 1)

		asks("alias.example.org", 3)
		time.Sleep(49 * time.Second) // that of the first CNAME is 50 s
		asks("alias.example.org", 0)
		time.Sleep(2 * time.Second)
		asks("alias.example.org", 3)

		// RFC 2308: 60 s, the last number of the SOA, for both kinds of nothing.
		for _, name := range []string{"no.example.org", "v6.example.org"} {
			asks(name, 1)
			time.Sleep(59 * time.Second)
			asks(name, 0)
			time.Sleep(time.Second)
			asks(name, 1)
		}
		asks("fleeting.example.org", 1)
		asks("fleeting.example.org", 1)

		asks("v4.example.org", 1)
		must(t, w.SetServers([]netip.AddrPort{first}))
		asks("v4.example.org", 1)
		w.Flush()
		asks("v4.example.org", 1)
	})
}

func TestNothingIsKnownWithoutSOA(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		server := w.serve(first, code(msg.RcodeNameError))
		w.failed("a.example.org", neterr.UnknownName)
		w.failed("a.example.org", neterr.UnknownName)
		if n := len(server.questions()); n != 2 {
			t.Errorf("%d questions", n)
		}
		// Nor with the SOA of somebody else.
		server.change(func(_ msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			m := code(msg.RcodeNameError)(nil, q)
			rr, _ := msg.NewRR("example.com. 3600 IN SOA a. b. 1 2 3 4 3600")
			m.Ns = append(m.Ns, rr)
			return m
		})
		w.failed("b.example.org", neterr.UnknownName)
		w.failed("b.example.org", neterr.UnknownName)
		if n := len(server.questions()); n != 4 {
			t.Errorf("%d questions", n)
		}
	})
}

func TestTTLBounds(t *testing.T) {
	in(t, Config{MinTTL: 10 * time.Second, MaxTTL: time.Minute}, func(t *testing.T, w *world) {
		server := w.serve(first, records(t, zone))
		for _, test := range []struct {
			name string
			kept time.Duration
		}{{"fleeting.example.org", 10 * time.Second}, {"v4.example.org", time.Minute}} {
			w.Lookup(context.Background(), test.name)
			time.Sleep(test.kept - time.Second)
			w.Lookup(context.Background(), test.name)
			n := len(server.questions())
			time.Sleep(time.Second)
			w.Lookup(context.Background(), test.name)
			if len(server.questions()) != n+1 || n%2 != 1 {
				t.Errorf("%s: %q", test.name, server.questions())
			}
		}
	})
}

func TestQuery(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, records(t, zone))
		for _, test := range []struct{ query, want string }{
			{"www.example.org", "www.example.org ip\t192.0.2.1|www.example.org ip\t192.0.2.2"},
			{"www.example.org\n", "www.example.org ip\t192.0.2.1|www.example.org ip\t192.0.2.2"},
			{"www.example.org ipv6", "www.example.org ipv6\t2001:db8::1"},
			{"www.example.org AAAA", "www.example.org ipv6\t2001:db8::1"},
			{"alias.example.org ipv6", "alias.example.org cname\tother.example.org|other.example.org cname\twww.example.org|www.example.org ipv6\t2001:db8::1"},
			{"alias.example.org cname", "alias.example.org cname\tother.example.org"},
			{"example.org mx", "example.org mx\t10 mail.example.org"},
			{"example.org txt", "example.org txt\tv=spf1 -all"},
			{"example.org soa", "example.org soa\tns.example.org root.example.org 1 2 3 4 60"},
			{"192.0.2.1 ptr", "1.2.0.192.in-addr.arpa ptr\twww.example.org"},
			{"_sip._tcp.example.org srv", "_sip._tcp.example.org srv\t1 2 5060 sip.example.org"},
			{"www.example.org all", "www.example.org ip\t192.0.2.1|www.example.org ip\t192.0.2.2|www.example.org ipv6\t2001:db8::1"},
		} {
			lines, err := DNS{w.Resolver}.Query(context.Background(), test.query)
			if got := strings.Join(lines, "|"); err != nil || got != test.want {
				t.Errorf("%q: %q (%v), want %q", test.query, got, err, test.want)
			}
		}
		for query, want := range map[string]*neterr.Error{
			"":                                  neterr.BadQuery,
			" \n":                               neterr.BadQuery,
			"a b c":                             neterr.BadQuery,
			"a.example.org nothing":             neterr.BadQuery,
			"a.example.org axfr":                neterr.BadQuery,
			"a.example.org opt":                 neterr.BadQuery,
			"a..example.org":                    neterr.BadName,
			`a\.example.org`:                    neterr.BadName,
			"no.example.org mx":                 neterr.UnknownName,
			"v4.example.org mx":                 neterr.NoRecord,
			strings.Repeat("a", 10_000) + " ip": neterr.LongQuery,
		} {
			lines, err := DNS{w.Resolver}.Query(context.Background(), query)
			wantError(t, clip(query), err, want)
			if lines != nil {
				t.Errorf("%q: %q beside an error", clip(query), lines)
			}
		}
		names, err := w.LookupAddr(context.Background(), netip.MustParseAddr("192.0.2.1"))
		if err != nil || !slices.Equal(names, []string{"www.example.org"}) {
			t.Errorf("%q (%v)", names, err)
		}
		time.Sleep(30 * time.Second)
		records, err := w.Query(context.Background(), "www.example.org", "ip")
		if err != nil || records[0].TTL != 270*time.Second || records[1].TTL != 70*time.Second {
			t.Errorf("after 30 s: %v (%v)", records, err)
		}
	})
}

func TestSearch(t *testing.T) {
	const zone = `
example.org. 3600 IN SOA a. b. 1 2 3 4 60
db.corp.example.org. 300 IN A 192.0.2.1
db.example.org. 300 IN A 192.0.2.2
a.db.example.org. 300 IN A 192.0.2.3
a.db. 300 IN A 192.0.2.4
top. 300 IN A 192.0.2.5
`
	for _, test := range []struct {
		ndots int
		name  string
		want  string // the questions
		found string
	}{
		{0, "db", "db.corp.example.org.", "192.0.2.1"},
		{0, "db.", "db.", ""},
		{0, "top", "top.corp.example.org. top.example.org. top.", "192.0.2.5"},
		{0, "a.db", "a.db.", "192.0.2.4"},
		{0, "db.example.org", "db.example.org.", "192.0.2.2"},
		{2, "a.db", "a.db.corp.example.org. a.db.example.org.", "192.0.2.3"},
		{-1, "top", "top.", "192.0.2.5"},
		{-1, "db", "db. db.corp.example.org.", "192.0.2.1"},
		{0, "none", "none.corp.example.org. none.example.org. none.", ""},
	} {
		t.Run(fmt.Sprintf("%s/ndots=%d", test.name, test.ndots), func(t *testing.T) {
			in(t, Config{Search: []string{"corp.example.org", "Example.org."}, Ndots: test.ndots}, func(t *testing.T, w *world) {
				server := w.serve(first, records(t, zone))
				if test.found != "" {
					w.found(test.name, test.found)
				} else if words := w.failed(test.name, neterr.UnknownName); !strings.Contains(words, fmt.Sprintf("%q", plain(test.name))) {
					t.Errorf("%q does not name %s", words, test.name)
				}
				got := strings.ReplaceAll(strings.Join(server.questions(), " "), " A", "")
				if got != test.want {
					t.Errorf("asked %q, want %q", got, test.want)
				}
			})
		})
	}
}

// TestSearchStopsAtFailure: what follows in the list would be somebody else.
func TestSearchStopsAtFailure(t *testing.T) {
	in(t, Config{Search: []string{"a.example", "b.example"}}, func(t *testing.T, w *world) {
		server := w.serve(first, code(msg.RcodeServerFailure))
		if words := w.failed("db", neterr.NameFailure); !strings.Contains(words, "10.0.0.2:53: says SERVFAIL") {
			t.Error(words)
		}
		if n := len(server.questions()); n != 1 {
			t.Errorf("asked %q", server.questions())
		}
	})
}

func TestHostsFirst(t *testing.T) {
	hosts := ParseHosts("192.0.2.1 db db.example.org # words\n2001:db8::1 six\n192.0.2.2 deep.corp.example\n")
	in(t, Config{Hosts: hosts, Search: []string{"corp.example"}}, func(t *testing.T, w *world) {
		server := w.serve(first, says(t, "@ 60 IN A 192.0.2.9"))
		w.found("DB", "192.0.2.1")
		w.found("db.example.org", "192.0.2.1")
		w.found("deep", "192.0.2.2")
		names, err := w.LookupAddr(context.Background(), netip.MustParseAddr("192.0.2.1"))
		if err != nil || !slices.Equal(names, []string{"db", "db.example.org"}) {
			t.Errorf("%q (%v)", names, err)
		}
		if n := len(server.questions()); n != 0 {
			t.Errorf("asked %q", server.questions())
		}
		w.found("six", "192.0.2.9") // of the family that is wanted
	})
}

func TestNoServers(t *testing.T) {
	in(t, Config{Servers: []netip.AddrPort{}}, func(t *testing.T, w *world) {
		if words := w.failed("www.example.org", neterr.UnknownName); !strings.Contains(words, "no name server") {
			t.Error(words)
		}
	})
}

// TestRotation: a dead server costs the first asker its timeouts, not the others.
// TestRotation: a server that is silent costs its head start once, and comes last for
// a while.
func TestRotation(t *testing.T) {
	in(t, Config{Servers: []netip.AddrPort{first, second}}, func(t *testing.T, w *world) {
		dead := w.serve(first, silent)
		alive := w.serve(second, says(t, "@ 60 IN A 192.0.2.1"))
		begin := time.Now()
		w.found("a.example.org", "192.0.2.1")
		if took := time.Since(begin); took != headStart {
			t.Errorf("took %v", took)
		}
		begin = time.Now()
		w.found("b.example.org", "192.0.2.1")
		if took := time.Since(begin); took != 0 {
			t.Errorf("the second took %v", took)
		}
		if n, m := len(dead.questions()), len(alive.questions()); n != 1 || m != 2 {
			t.Errorf("%d and %d questions", n, m)
		}
		w.counts("Silent", &w.stats.Silent, 1)
		time.Sleep(holdDown)
		dead.change(says(t, "@ 60 IN A 192.0.2.2"))
		w.found("c.example.org", "192.0.2.2") // the first again
	})
}

// TestSlowServer: the first one's answer counts, too, while the second is asked; and
// of two that are slow, neither is lost.
func TestSlowServer(t *testing.T) {
	for name, test := range map[string]struct {
		first, second time.Duration
		want          string
		took          time.Duration
	}{
		"the first":          {headStart + 100*time.Millisecond, 200 * time.Millisecond, "192.0.2.1", headStart + 100*time.Millisecond},
		"the second":         {headStart + 200*time.Millisecond, 100 * time.Millisecond, "192.0.2.2", headStart + 100*time.Millisecond},
		"the first, alone":   {time.Second, time.Hour, "192.0.2.1", time.Second},
		"within a headstart": {headStart - time.Millisecond, 0, "192.0.2.1", headStart - time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Config{Servers: []netip.AddrPort{first, second}}, func(t *testing.T, w *world) {
				w.serve(first, after(test.first, says(t, "@ 60 IN A 192.0.2.1")))
				w.serve(second, after(test.second, says(t, "@ 60 IN A 192.0.2.2")))
				begin := time.Now()
				w.found("www.example.org", test.want)
				if took := time.Since(begin); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
			})
		})
	}
}

// TestAllSilent: servers are silent beside each other, and each is asked as often as
// it is to be.
func TestAllSilent(t *testing.T) {
	in(t, Config{Servers: []netip.AddrPort{first, second}}, func(t *testing.T, w *world) {
		a, b := w.serve(first, silent), w.serve(second, silent)
		begin := time.Now()
		words := w.failed("www.example.org", neterr.NameTimeout)
		if took := time.Since(begin); took != defaultAttempts*(defaultTimeout+headStart) || len(a.questions()) != 3 || len(b.questions()) != 3 {
			t.Errorf("%v, %d and %d questions", took, len(a.questions()), len(b.questions()))
		}
		if !strings.Contains(words, "[10.0.0.2:53 10.0.0.3:53] silent, asked 3 times") {
			t.Error(words)
		}
	})
}

// TestSecondServer: the first is not there at all, says no, or lets nobody in.
func TestSecondServer(t *testing.T) {
	for name, firstSays := range map[string]say{
		"absent":  nil,
		"refused": code(msg.RcodeRefused),
		"failing": code(msg.RcodeServerFailure),
		"lame": func(_ msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			m := new(msg.Msg).SetReply(q)
			rr, _ := msg.NewRR("org. 60 IN NS a.example.")
			m.Ns = append(m.Ns, rr)
			return m
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Config{Servers: []netip.AddrPort{first, second}}, func(t *testing.T, w *world) {
				if firstSays != nil {
					w.serve(first, firstSays)
				}
				w.serve(second, says(t, "@ 60 IN A 192.0.2.1"))
				begin := time.Now()
				w.found("a.example.org", "192.0.2.1")
				if took := time.Since(begin); took > 10*time.Millisecond {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestRotate(t *testing.T) {
	in(t, Config{Servers: []netip.AddrPort{first, second}, Rotate: true}, func(t *testing.T, w *world) {
		a, b := w.serve(first, says(t, "@ 60 IN A 192.0.2.1")), w.serve(second, says(t, "@ 60 IN A 192.0.2.1"))
		for n := range 10 {
			w.found(fmt.Sprintf("n%d.example.org", n), "192.0.2.1")
		}
		if n, m := len(a.questions()), len(b.questions()); n != 5 || m != 5 {
			t.Errorf("%d and %d questions", n, m)
		}
	})
}

// TestTimeout: three attempts of two seconds, and words that say so.
func TestTimeout(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		server := w.serve(first, silent)
		begin := time.Now()
		words := w.failed("www.example.org", neterr.NameTimeout)
		if took := time.Since(begin); took != 6*time.Second || len(server.questions()) != 3 {
			t.Errorf("%v and %d questions", took, len(server.questions()))
		}
		if want := `no answer from the name servers: "www.example.org": [10.0.0.2:53] silent, asked 3 times`; words != want {
			t.Errorf("%q, want %q", words, want)
		}
		w.counts("Silent", &w.stats.Silent, 3)
		if text := w.Stats(); !strings.HasPrefix(text, "Queries: 3\nTCP: 0\n") || !strings.Contains(text, "\nSilent: 3\n") {
			t.Error(text)
		}
	})
}

// TestFlightEnds: whatever there is to ask, nobody waits longer than maxFlight.
func TestFlightEnds(t *testing.T) {
	in(t, Config{Timeout: maxTimeout, Attempts: maxAttempts, Servers: []netip.AddrPort{first, second}}, func(t *testing.T, w *world) {
		w.serve(first, silent)
		begin := time.Now()
		w.failed("www.example.org", neterr.NameTimeout)
		if took := time.Since(begin); took != maxFlight {
			t.Errorf("took %v", took)
		}
	})
}

func TestRetry(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		var n atomic.Int32
		w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			if n.Add(1) < 3 {
				return nil // lost
			}
			return says(t, "@ 60 IN A 192.0.2.1")(rw, q)
		})
		w.found("www.example.org", "192.0.2.1")
	})
}

func TestCancel(t *testing.T) {
	in(t, Config{IPv6: always}, func(t *testing.T, w *world) {
		w.serve(first, silent)
		for _, test := range []struct {
			end  func(cancel context.CancelFunc)
			also error
			want *neterr.Error
			no   syscall.Errno
		}{
			{func(cancel context.CancelFunc) { cancel() }, context.Canceled, neterr.Interrupted, syscall.EINTR},
			{func(context.CancelFunc) {}, context.DeadlineExceeded, neterr.NameTimeout, syscall.ETIMEDOUT},
		} {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			done := make(chan error)
			begin := time.Now()
			go func() {
				_, err := w.Lookup(ctx, "www.example.org")
				done <- err
			}()
			synctest.Wait()
			go test.end(cancel)
			err := <-done
			cancel()
			if took := time.Since(begin); took > time.Second || !errors.Is(err, test.also) || errno(err) != test.no {
				t.Errorf("%v after %v", err, took)
			}
			wantError(t, "cancelled", err, test.want)
			synctest.Wait()
			w.mu.Lock()
			if w.flying != 0 || len(w.flights) != 0 {
				t.Errorf("%d flights of %d go on", w.flying, len(w.flights))
			}
			w.mu.Unlock()
		}
	})
}

// TestOneCancels: others who wait for the same do not notice, and who comes after
// the last has left begins anew.
func TestOneCancels(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		server := w.serve(first, after(time.Second, says(t, "@ 60 IN A 192.0.2.1")))
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() {
				if n%2 == 0 {
					w.found("www.example.org", "192.0.2.1")
					return
				}
				_, err := w.Lookup(ctx, "www.example.org")
				wantError(t, "cancelled", err, neterr.Interrupted)
			})
		}
		synctest.Wait()
		cancel()
		all.Wait()
		if n := len(server.questions()); n != 1 {
			t.Errorf("%d questions", n)
		}
		w.counts("Shared", &w.stats.Shared, 19)

		ctx, cancel = context.WithCancel(context.Background())
		all.Go(func() { w.Lookup(ctx, "next.example.org") })
		synctest.Wait()
		cancel()
		w.found("next.example.org", "192.0.2.1")
		all.Wait()
	})
}

func TestClose(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, silent)
		var all sync.WaitGroup
		all.Go(func() { w.failed("www.example.org", neterr.ShuttingDown) })
		synctest.Wait()
		w.Close()
		all.Wait()
		w.failed("www.example.org", neterr.ShuttingDown)
	})
}

// TestSetServersMeanwhile: who waits is answered by those he asked, and nobody
// else is.
func TestSetServersMeanwhile(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, after(time.Second, says(t, "@ 60 IN A 192.0.2.1")))
		w.serve(second, says(t, "@ 60 IN A 192.0.2.2"))
		var all sync.WaitGroup
		all.Go(func() { w.found("www.example.org", "192.0.2.1") })
		synctest.Wait()
		must(t, w.SetServers([]netip.AddrPort{second}))
		w.found("www.example.org", "192.0.2.2")
		all.Wait()
		w.found("www.example.org", "192.0.2.2")
	})
}

func TestManyAtOnce(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		server := w.serve(first, after(100*time.Millisecond, says(t, "@ 60 IN A 192.0.2.1")))
		w.found("neighbour.example.org", "192.0.2.1") // few frames wait for ARP
		begin := time.Now()
		var all sync.WaitGroup
		for n := range 1000 {
			all.Go(func() { w.found(fmt.Sprintf("n%d.example.org", n), "192.0.2.1") })
			all.Go(func() { w.found("one.example.org", "192.0.2.1") })
		}
		all.Wait()
		if n := len(server.questions()); n != 1002 {
			t.Errorf("%d questions", n)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
		if n := len(w.cache.entries); n != 1002 {
			t.Errorf("%d are known", n)
		}
	})
}

func TestTooManyAtOnce(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, after(100*time.Millisecond, says(t, "@ 60 IN A 192.0.2.1")))
		var all sync.WaitGroup
		for n := range maxFlights {
			all.Go(func() { w.found(fmt.Sprintf("n%d.example.org", n), "192.0.2.1") })
		}
		synctest.Wait()
		_, err := w.Lookup(context.Background(), "more.example.org")
		if wantError(t, "one more", err, neterr.NoConvs); errno(err) != syscall.ENFILE {
			t.Error(err)
		}
		w.found("n0.example.org", "192.0.2.1") // joins
		all.Wait()
		w.found("more.example.org", "192.0.2.1")
		w.counts("Busy", &w.stats.Busy, 1)
	})
}

// TestFreshPorts: no two questions come from the same port, and ids and spellings
// differ.
func TestFreshPorts(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		ports, ids, spellings := map[int]bool{}, map[uint16]bool{}, map[string]bool{}
		w.serve(first, func(rw msg.ResponseWriter, q *msg.Msg) *msg.Msg {
			ports[rw.RemoteAddr().(*net.UDPAddr).Port] = true
			ids[q.Id] = true
			spellings[q.Question[0].Name] = true
			if size := q.IsEdns0().UDPSize(); size != ednsSize || !q.RecursionDesired {
				t.Errorf("EDNS size %d, recursion %v", size, q.RecursionDesired)
			}
			return says(t, "@ 0 IN A 192.0.2.1")(rw, q)
		})
		for range 50 {
			w.found("www.example.org", "192.0.2.1")
		}
		if len(ports) != 50 || len(ids) < 49 || len(spellings) < 45 {
			t.Errorf("%d ports, %d ids, %d spellings in 50 questions", len(ports), len(ids), len(spellings))
		}
	})
}
