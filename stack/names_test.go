package stack

// The files cs and dns, as operations. connect_test.go has the names in connects.

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// A resolver knows hosts only. To cs and dns it says whom they asked for: the
// file, the query and each address.
type resolver func(ctx context.Context, name string) ([]netip.Addr, error)

func (r resolver) Lookup(ctx context.Context, host string) ([]netip.Addr, error) { return r(ctx, host) }

func (r resolver) CS(ctx context.Context, query string) ([]string, error) {
	return r.lines(ctx, "cs", query)
}

func (r resolver) DNS(ctx context.Context, query string) ([]string, error) {
	return r.lines(ctx, "dns", query)
}

func (resolver) Ndb() string { return "dns=10.0.0.9\n" }

func (resolver) Written() string { return "ip=10.0.0.5 dom=db\n" }

func (resolver) WriteNdb(text string, _ bool) error { return neterr.BadArg.With("%q", text) }

func (r resolver) lines(ctx context.Context, file, query string) (lines []string, err error) {
	addrs, err := r(ctx, query)
	for _, a := range addrs {
		lines = append(lines, file+" "+query+" "+a.String())
	}
	return lines, err
}

func TestQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{Names: resolver(func(_ context.Context, name string) ([]netip.Addr, error) {
			time.Sleep(time.Second)
			if name != "web" {
				return nil, neterr.UnknownName.With("%q", name)
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}, nil
		})})
		for _, test := range []struct {
			kind OpKind
			data string
			want []string
		}{
			{OpCS, "web\n", []string{"cs web 10.0.0.1", "cs web 10.0.0.2"}},
			{OpDNS, "web", []string{"dns web 10.0.0.1", "dns web 10.0.0.2"}},
		} {
			// It waits in any case: O_NONBLOCK has no say.
			op := do(t, s, &Op{Kind: test.kind, Data: []byte(test.data), NonBlock: true})
			if op.Err != nil || !slices.Equal(op.Answers, test.want) || op.N != len(test.data) {
				t.Errorf("%q: %q, %d bytes, %v", test.data, op.Answers, op.N, op.Err)
			}
		}
		for _, kind := range []OpKind{OpCS, OpDNS} {
			op := do(t, s, &Op{Kind: kind, Data: []byte("nobody\n")})
			if !errors.Is(op.Err, syscall.EHOSTUNREACH) || op.Answers != nil {
				t.Errorf("%q, %v", op.Answers, op.Err)
			}
		}
		if log := s.LogText(); !strings.Contains(log, ` cs nobody: no such host name: "nobody"`+"\n") || !strings.Contains(log, " dns nobody: ") {
			t.Errorf("the log: %q", log)
		}
		nobody := do(t, newHost(t, Config{}), &Op{Kind: OpCS, Data: []byte("web")})
		if !errors.Is(nobody.Err, syscall.EHOSTUNREACH) {
			t.Errorf("without a resolver: %v", nobody.Err)
		}
	})
}

// A query that hangs ends with an interruption, its time, or the stack; and the
// asker gets one answer, even where that of the resolver is as late as can be.
func TestQueryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int32
		s := newHost(t, Config{Names: resolver(func(ctx context.Context, name string) ([]netip.Addr, error) {
			<-ctx.Done()
			if name == "stubborn" {
				time.Sleep(time.Hour)
			}
			ended.Add(1)
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		})})
		query := func(name string, patience time.Duration) running {
			op := &Op{Kind: OpDNS, Data: []byte(name)}
			if patience > 0 {
				op.Deadline = s.clock() + patience
			}
			r := start(s, op)
			synctest.Wait()
			return r
		}
		expect := func(how string, r running, errno syscall.Errno) {
			t.Helper()
			if err := wait(t, r).Err; !errors.Is(err, errno) || r.op.Answers != nil {
				t.Errorf("%s: %v, %q; want %v", how, err, r.op.Answers, errno)
			}
		}
		interrupted := query("slow", 0)
		s.Cancel(interrupted.op, neterr.Interrupted)
		s.Cancel(interrupted.op, neterr.Interrupted)
		expect("interrupted", interrupted, syscall.EINTR)
		expect("late", query("slow", time.Second), syscall.ETIMEDOUT)
		stubborn := query("stubborn", 0)
		s.Cancel(stubborn.op, neterr.Interrupted)
		expect("stubborn", stubborn, syscall.EINTR)
		synctest.Wait()
		if ended.Load() != 2 || s.lookups != 1 {
			t.Errorf("%d have ended and %d are under way, want 2 and the stubborn one", ended.Load(), s.lookups)
		}
		left := query("slow", 0)
		shut(s) // waits for the stubborn one
		expect("the stack was closed", left, syscall.ESHUTDOWN)
		if ended.Load() != 4 || s.lookups != 0 || s.usage.ops != 0 || s.usage.memory != 0 {
			t.Errorf("%d have ended, %d are under way; %d operations hold %d bytes", ended.Load(), s.lookups, s.usage.ops, s.usage.memory)
		}
	})
}

// Queries and connects share a bound.
func TestQueriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{Names: resolver(func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})})
		dial := start(s, &Op{Kind: OpDial, Proto: wire.UDP, Addr: "x.example:7"})
		var all []running
		for range maxLookups/2 - 1 {
			all = append(all, start(s, &Op{Kind: OpCS, Data: []byte("x")}))
		}
		if op := do(t, s, &Op{Kind: OpCS, Data: []byte("x")}); !errors.Is(op.Err, syscall.EAGAIN) {
			t.Errorf("one more: %v, want EAGAIN", op.Err)
		}
		for _, r := range append(all, dial) {
			s.Cancel(r.op, neterr.Interrupted)
			wait(t, r)
		}
		synctest.Wait()
		// Neither does a query pass the cap on what waits.
		must(t, s.WriteCtl("limit.operations 1"))
		one := start(s, &Op{Kind: OpCS, Data: []byte("x")})
		if op := do(t, s, &Op{Kind: OpCS, Data: []byte("x")}); !errors.Is(op.Err, syscall.ENOBUFS) {
			t.Errorf("with no room to wait: %v, want ENOBUFS", op.Err)
		}
		s.Cancel(one.op, neterr.Interrupted)
		synctest.Wait()
		if s.lookups != 0 {
			t.Errorf("%d look-ups are left of nobody", s.lookups)
		}
	})
}

// The file ndb, of a host with a resolver and of one without.
func TestNdbText(t *testing.T) {
	s := newHost(t, Config{Names: resolver(nil)})
	if s.HasIPv6() || s.NdbText() != "dns=10.0.0.9\n" {
		t.Errorf("%v, %q", s.HasIPv6(), s.NdbText())
	}
	b := newHost(t, Config{})
	join(t, s, "10.0.0.1/24", b, "10.0.0.2/24", nic.Options{})
	must(t, s.Write("iproute", "add 0.0.0.0/0 10.0.0.2", new(string)))
	if want := "ip=10.0.0.1 ipmask=/24 ipgw=10.0.0.2\ndns=10.0.0.9\n"; s.NdbText() != want {
		t.Errorf("%q, want %q", s.NdbText(), want)
	}
	if err := s.Write("ndb", "dns=10.0.0.1", nil); !strings.Contains(fmt.Sprint(err), `"dns=10.0.0.1\n"`) || !strings.Contains(s.LogText(), " ndb: dns=10.0.0.1: ") {
		t.Errorf("%v, and the log: %s", err, s.LogText())
	}
	if err := b.WriteNdb("dns=10.0.0.1", false); !errors.Is(err, neterr.NotSupported) || b.NdbText() != "ip=10.0.0.2 ipmask=/24\n" {
		t.Errorf("without a resolver: %v, %q", err, b.NdbText())
	}
}
