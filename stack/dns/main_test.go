package dns

// What the tests share: two hosts on a cable, one with the resolver, the other
// with servers that say what a test wants.

import (
	"context"
	"errors"
	"fmt"
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
	"go.uber.org/goleak"

	"slashnet/nic"
	"slashnet/stack"
	"slashnet/stack/neterr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Where servers are.
var first, second = netip.MustParseAddrPort("10.0.0.2:53"), netip.MustParseAddrPort("10.0.0.3:53")

// A world has a resolver on one side of a cable, and servers on the other.
type world struct {
	*Resolver
	t              testing.TB
	client, server *stack.Stack
}

// in runs a test in a world of its own, where time is virtual.
func in(t *testing.T, cfg Config, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, cfg)) })
}

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	left, right, err := nic.NewPipe(nic.Options{}, nic.Options{})
	must(t, err)
	w := &world{t: t, client: host(t, left, "10.0.0.1/24"), server: host(t, right, "10.0.0.2/24", "10.0.0.3/24")}
	if cfg.Servers == nil {
		cfg.Servers = []netip.AddrPort{first}
	}
	w.Resolver, err = New(w.client.DialContext, cfg)
	must(t, err)
	t.Cleanup(w.Resolver.Close)
	return w
}

func host(t testing.TB, n nic.NIC, addrs ...string) *stack.Stack {
	t.Helper()
	s := stack.New(stack.Config{})
	ifc, err := s.AddInterface(n)
	must(t, err)
	for _, addr := range addrs {
		must(t, ifc.Ctl("add "+addr))
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Close(ctx)
	})
	return s
}

// A say is what a server answers to q; nil is nothing.
type say func(w msg.ResponseWriter, q *msg.Msg) *msg.Msg

// A script is a server, and the questions that it was asked.
type script struct {
	mu     sync.Mutex
	answer say
	asked  []string // names in lower case, with types; over TCP with tcp before
}

func (s *script) ServeDNS(w msg.ResponseWriter, q *msg.Msg) {
	line := fmt.Sprintf("%s %s", lower(q.Question[0].Name), msg.Type(q.Question[0].Qtype))
	if w.LocalAddr().Network() == "tcp" {
		line = "tcp " + line
	}
	s.mu.Lock()
	s.asked = append(s.asked, line)
	answer := s.answer
	s.mu.Unlock()
	if m := answer(w, q); m != nil {
		if err := w.WriteMsg(m); err != nil {
			panic(err)
		}
	}
}

func (s *script) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// change makes a server answer otherwise.
func (s *script) change(answer say) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// serve runs a server at an address, over UDP and TCP.
func (w *world) serve(at netip.AddrPort, answer say) *script {
	w.t.Helper()
	s := &script{answer: answer}
	packets, err := w.server.ListenPacket("udp", at.String())
	must(w.t, err)
	calls, err := w.server.Listen("tcp", at.String())
	must(w.t, err)
	for _, server := range []*msg.Server{{PacketConn: packets, Handler: s}, {Listener: calls, Handler: s}} {
		up, down := make(chan struct{}), make(chan error, 1)
		server.NotifyStartedFunc = func() { close(up) }
		go func() { down <- server.ActivateAndServe() }()
		<-up
		w.t.Cleanup(func() {
			server.Shutdown()
			if err := <-down; err != nil {
				w.t.Error(err)
			}
		})
	}
	return s
}

// records makes a server of a zone file.
func records(t testing.TB, zone string) say {
	t.Helper()
	byName := map[string][]msg.RR{}
	var soa msg.RR
	for line := range strings.Lines(zone) {
		rr, err := msg.NewRR(line)
		must(t, err)
		if rr == nil {
			continue
		}
		if rr.Header().Rrtype == msg.TypeSOA {
			soa = rr
		}
		byName[rr.Header().Name] = append(byName[rr.Header().Name], rr)
	}
	return func(_ msg.ResponseWriter, q *msg.Msg) *msg.Msg {
		m := reply(q)
		name, kind := lower(q.Question[0].Name), q.Question[0].Qtype
		for _, rr := range byName[name] {
			if k := rr.Header().Rrtype; k == kind || k == msg.TypeCNAME || kind == msg.TypeANY {
				m.Answer = append(m.Answer, rr)
			}
		}
		if byName[name] == nil {
			m.Rcode = msg.RcodeNameError
		}
		if len(m.Answer) == 0 && soa != nil {
			m.Ns = append(m.Ns, soa)
		}
		return m
	}
}

func reply(q *msg.Msg) *msg.Msg {
	m := new(msg.Msg).SetReply(q)
	m.RecursionAvailable = true
	return m
}

// says answers with records, however they are called and whatever is asked; @ is
// the name that was asked for.
func says(t testing.TB, lines ...string) say {
	return func(_ msg.ResponseWriter, q *msg.Msg) *msg.Msg {
		m := reply(q)
		for _, line := range lines {
			rr, err := msg.NewRR(strings.ReplaceAll(line, "@", q.Question[0].Name))
			if err != nil {
				t.Error(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		return m
	}
}

func code(rcode int) say {
	return func(_ msg.ResponseWriter, q *msg.Msg) *msg.Msg {
		m := reply(q)
		m.Rcode = rcode
		return m
	}
}

func silent(msg.ResponseWriter, *msg.Msg) *msg.Msg { return nil }

// after answers late.
func after(d time.Duration, s say) say {
	return func(w msg.ResponseWriter, q *msg.Msg) *msg.Msg {
		time.Sleep(d)
		return s(w, q)
	}
}

// found looks name up and checks what comes.
func (w *world) found(name, want string) {
	w.t.Helper()
	addrs, err := w.Lookup(context.Background(), name)
	if err != nil || text(addrs) != want {
		w.t.Errorf("%s: %s (%v), want %s", name, text(addrs), err, want)
	}
}

func text(addrs []netip.Addr) string { return strings.Trim(fmt.Sprint(addrs), "[]") }

// failed looks name up, which is to fail, and gives the words.
func (w *world) failed(name string, want *neterr.Error) string {
	w.t.Helper()
	addrs, err := w.Lookup(context.Background(), name)
	wantError(w.t, name, err, want)
	if addrs != nil {
		w.t.Errorf("%s: %v beside an error", name, addrs)
	}
	return fmt.Sprint(err)
}

func wantError(t testing.TB, what string, err error, want *neterr.Error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// counts checks a counter.
func (w *world) counts(name string, c *atomic.Uint64, want uint64) {
	w.t.Helper()
	if got := c.Load(); got != want {
		w.t.Errorf("%s is %d, want %d\n%s", name, got, want, w.Stats())
	}
}

func errno(err error) syscall.Errno { return neterr.Errno(err) }

// always is for a host with addresses of both families.
func always() bool { return true }
