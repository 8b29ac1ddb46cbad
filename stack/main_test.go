package stack

// What the tests of this package share: stacks, cables between them, and
// operations that are waited for.

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"slashnet/nic"
	"slashnet/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen, outside of synctest.
const patience = 20 * time.Second

// newHost is a stack with loopback, closed at the end of the test.
func newHost(t testing.TB, cfg Config) *Stack {
	t.Helper()
	s := New(cfg)
	lo, err := nic.NewLoop(nic.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddLoopback(lo); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(s) })
	return s
}

// shut closes a stack without waiting for its peers.
func shut(s *Stack) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Close(ctx)
}

// plug gives a stack an interface with an address.
func plug(t testing.TB, s *Stack, n nic.NIC, addr string) *Iface {
	t.Helper()
	i, err := s.AddInterface(n)
	if err != nil {
		t.Fatal(err)
	}
	must(t, i.Ctl("add "+addr))
	return i
}

// join puts a cable between two stacks.
func join(t testing.TB, a *Stack, addrA string, b *Stack, addrB string, o nic.Options) (*Iface, *Iface) {
	t.Helper()
	endA, endB, err := nic.NewPipe(o, o)
	if err != nil {
		t.Fatal(err)
	}
	return plug(t, a, endA, addrA), plug(t, b, endB, addrB)
}

// pair is two hosts on a cable: 10.0.0.1 and 10.0.0.2.
func pair(t testing.TB) (a, b *Stack) {
	t.Helper()
	a, b = newHost(t, Config{}), newHost(t, Config{})
	join(t, a, "10.0.0.1/24", b, "10.0.0.2/24", nic.Options{})
	return a, b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// do carries an operation out and waits for its end.
func do(t testing.TB, s *Stack, op *Op) *Op {
	t.Helper()
	return wait(t, start(s, op))
}

// running is an operation that was submitted.
type running struct {
	op   *Op
	done chan struct{}
}

func start(s *Stack, op *Op) running {
	r := running{op, make(chan struct{})}
	op.Done = func(*Op) { close(r.done) }
	s.Submit(op)
	return r
}

func wait(t testing.TB, r running) *Op {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		t.Fatalf("operation %d has not ended", r.op.Kind)
	}
	return r.op
}

// clone is a conversation, held by the test.
func clone(t testing.TB, s *Stack, p wire.Proto) *Conv {
	t.Helper()
	c, err := s.Clone(p, User{}, false)
	must(t, err)
	return c
}

// Two ordinary users.
var alice, bob = User{1000, 1000}, User{1001, 1001}

// cloneAs is a conversation of a user.
func cloneAs(t testing.TB, s *Stack, p wire.Proto, u User, detached bool) *Conv {
	t.Helper()
	c, err := s.Clone(p, u, detached)
	must(t, err)
	return c
}

// ctlAs writes to a conversation's ctl as a user.
func ctlAs(t testing.TB, c *Conv, u User, lines string) error {
	t.Helper()
	return do(t, c.stack, &Op{Kind: OpCtl, Conv: c, User: u, Data: []byte(lines)}).Err
}

// ctl writes to a conversation's ctl.
func ctl(t testing.TB, c *Conv, lines string) error {
	t.Helper()
	return do(t, c.stack, &Op{Kind: OpCtl, Conv: c, Data: []byte(lines)}).Err
}

// command is ctl that has to succeed.
func command(t testing.TB, c *Conv, lines string) {
	t.Helper()
	if err := ctl(t, c, lines); err != nil {
		t.Fatalf("%s: %v", lines, err)
	}
}

// read is the next bytes or datagram of a conversation.
func read(t testing.TB, c *Conv) []byte {
	t.Helper()
	op := do(t, c.stack, &Op{Kind: OpRead, Conv: c, Max: 1 << 16})
	must(t, op.Err)
	return bytesOf(op)
}

func bytesOf(op *Op) (b []byte) {
	for _, ch := range op.Chunks {
		b = append(b, ch.B...)
		ch.Buf.Release()
	}
	return b
}

func write(t testing.TB, c *Conv, b []byte) {
	t.Helper()
	op := do(t, c.stack, &Op{Kind: OpWrite, Conv: c, Data: b})
	must(t, op.Err)
	if op.N != len(b) {
		t.Fatalf("wrote %d of %d bytes", op.N, len(b))
	}
}

// listen takes the next call.
func listen(t testing.TB, c *Conv) *Conv {
	t.Helper()
	op := do(t, c.stack, &Op{Kind: OpListen, Conv: c})
	must(t, op.Err)
	return op.Call
}

// counter is a value of a file of `name: value` lines.
func counter(t testing.TB, text, name string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("no counter %q in\n%s", name, text)
	return ""
}
