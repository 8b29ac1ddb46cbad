package nic

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"slashnet/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// A letter is a copy of a received frame.
type letter struct {
	bytes []byte
	hops  uint8
	wire.Offload
}

// A mailbox is a Receiver that copies what it is lent.
type mailbox chan letter

func newMailbox() mailbox { return make(mailbox, 4096) }

func (m mailbox) Receive(batch []*Frame) {
	for _, f := range batch {
		m <- letter{flatten(f), f.Hops, f.Offload}
	}
}

// next is the next frame for which want holds.
func (m mailbox) next(t testing.TB, what string, want func(letter) bool) letter {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case l := <-m:
			if want(l) {
				return l
			}
		case <-late:
			t.Fatalf("no %s arrived", what)
		}
	}
}

// all is what has arrived.
func (m mailbox) all() (got []letter) {
	for {
		select {
		case l := <-m:
			got = append(got, l)
		default:
			return got
		}
	}
}

type receiverFunc func([]*Frame)

func (r receiverFunc) Receive(batch []*Frame) { r(batch) }

// flatten is the frame as one slice of its own.
func flatten(f *Frame) []byte {
	b := bytes.Clone(f.Head)
	for _, piece := range f.Body {
		b = append(b, piece...)
	}
	return b
}

// testType is an ethertype for experiments (IEEE 802 §9.2.4).
const testType = 0x88b5

// plainFrame is an Ethernet frame of n bytes of payload that depend on seed.
func plainFrame(dst, src wire.MAC, n int, seed uint64) []byte {
	b := make([]byte, wire.EthernetLen+n)
	wire.Ethernet{Dst: dst, Src: src, Type: testType}.Put(b)
	fillRandom(b[wire.EthernetLen:], seed)
	return b
}

func fillRandom(b []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// split cuts b into pieces of at most n bytes.
func split(b []byte, n int) (pieces [][]byte) {
	for len(b) > n {
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return append(pieces, b)
}

// fakeNIC records what is sent, and lets a test play its wire.
type fakeNIC struct {
	identity
	mu     sync.Mutex
	sent   []letter
	refuse error
	forget bool // keep no copy
	up     Receiver
}

func newFake(t testing.TB, o Options) *fakeNIC {
	f := &fakeNIC{}
	if err := f.assume(o, "fake", MaxMTU); err != nil {
		t.Fatal(err)
	}
	return f
}

func (n *fakeNIC) Start(r Receiver) { n.up = r }
func (n *fakeNIC) Close() error     { return nil }
func (n *fakeNIC) Send(f *Frame) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.plain && !f.Finished() {
		return errors.New("marks")
	}
	if n.forget {
		return n.refuse
	}
	n.sent = append(n.sent, letter{flatten(f), f.Hops, f.Offload})
	return n.refuse
}

func (n *fakeNIC) take() []letter {
	n.mu.Lock()
	defer n.mu.Unlock()
	sent := n.sent
	n.sent = nil
	return sent
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{MTU: 67}, {MTU: 65536}, {MTU: -1}, {MAC: wire.Broadcast}, {MAC: wire.MAC{1}},
	} {
		if _, err := NewLoop(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
		if _, _, err := NewPipe(Options{}, o); err == nil {
			t.Errorf("%+v was accepted for a pipe", o)
		}
	}
	l, err := NewLoop(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if m := l.MAC(); m.IsMulticast() || m[0]&2 == 0 {
		t.Errorf("made up MAC %v: want a local address of one station", m)
	}
	if l.MTU() != MaxMTU || l.Name() != "lo" || !l.Offload() {
		t.Errorf("loopback is %q, MTU %d, offload %v", l.Name(), l.MTU(), l.Offload())
	}
}

func TestDropNames(t *testing.T) {
	seen := map[string]bool{}
	for d := range Drop(DropKinds) {
		if d.String() == "" || seen[d.String()] {
			t.Errorf("drop %d is named %q", d, d)
		}
		seen[d.String()] = true
	}
	s := Stats{}
	s.Drops[DropFull], s.Drops[DropLost] = 2, 3
	if s.Dropped() != 5 {
		t.Errorf("dropped %d, want 5", s.Dropped())
	}
}
