package arp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

var (
	us    = netip.MustParseAddr("10.0.0.1")
	peer  = netip.MustParseAddr("10.0.0.2")
	other = netip.MustParseAddr("10.0.0.3")

	ourMAC   = wire.MAC{2, 0, 0, 0, 0, 1}
	peerMAC  = wire.MAC{2, 0, 0, 0, 0, 2}
	otherMAC = wire.MAC{2, 0, 0, 0, 0, 3}
)

func mine(ip netip.Addr) bool { return ip == us }

// A bench is a cache whose packets are numbers, and what it dropped.
type bench struct {
	*Cache[int]
	t       *testing.T
	cfg     Config
	dropped []int
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, cfg: DefaultConfig()}
	b.cfg.MAC = ourMAC
	b.Cache = New(&b.cfg, func(p int) { b.dropped = append(b.dropped, p) })
	return b
}

// hear gives the cache a packet of peer's.
func (b *bench) hear(now time.Duration, op uint16, mac wire.MAC, sender, target netip.Addr) Result[int] {
	return b.Input(now, &wire.ARP{Op: op, SenderMAC: mac, SenderIP: sender, TargetIP: target}, mine)
}

// asks says what requests are due, after a Tick that fails those in want.
func (b *bench) asks(now time.Duration) (due []Request) {
	for r, ok := b.Output(now); ok; r, ok = b.Output(now) {
		due = append(due, r)
	}
	return due
}

func (b *bench) same(what string, got, want []int) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Fatalf("%s %v, want %v", what, got, want)
	}
}

// known makes peer reachable at time now, by question and answer.
func (b *bench) known(now time.Duration, ip netip.Addr, mac wire.MAC) {
	b.t.Helper()
	if _, ok := b.Resolve(now, ip, 0); ok {
		b.t.Fatalf("%v is known already", ip)
	}
	if due := b.asks(now); !slices.Equal(due, []Request{{ip, wire.Broadcast}}) {
		b.t.Fatalf("asks %v", due)
	}
	b.same("ready", b.hear(now, wire.ARPReply, mac, ip, us).Ready, []int{0})
}

func TestQuestionAndAnswer(t *testing.T) {
	b := newBench(t)
	if _, ok := b.Deadline(); ok {
		t.Fatal("an empty cache has a deadline")
	}
	for p := range 3 {
		if _, ok := b.Resolve(0, peer, p); ok {
			t.Fatal("resolved without asking")
		}
	}
	if _, ok := b.Lookup(0, peer); ok {
		t.Fatal("found without answer")
	}
	if at, ok := b.Deadline(); !ok || at > 0 {
		t.Fatalf("a request is due, and the deadline is %v %v", at, ok)
	}
	if due := b.asks(0); !slices.Equal(due, []Request{{peer, wire.Broadcast}}) {
		t.Fatalf("asks %v", due)
	}
	r := b.hear(1, wire.ARPReply, peerMAC, peer, us)
	b.same("ready", r.Ready, []int{0, 1, 2})
	if r.MAC != peerMAC || r.Reply.Op != 0 || r.Conflict {
		t.Fatalf("result %+v", r)
	}
	if mac, ok := b.Lookup(2, peer); !ok || mac != peerMAC {
		t.Fatalf("lookup %v %v", mac, ok)
	}
	if mac, ok := b.Resolve(2, peer, 9); !ok || mac != peerMAC {
		t.Fatalf("resolve %v %v", mac, ok)
	}
	b.same("dropped", b.dropped, nil)
	audit(t, b.Cache)
}

func TestNobodyAnswers(t *testing.T) {
	b := newBench(t)
	b.Resolve(0, peer, 1)
	for s := range time.Duration(3) {
		now := s * time.Second
		b.same("failed", b.Tick(now), nil)
		if due := b.asks(now); len(due) != 1 || due[0] != (Request{peer, wire.Broadcast}) {
			t.Fatalf("at %v asks %v", now, due)
		}
		// RFC 1122 §2.3.2.1: at most one request a second.
		b.same("failed", b.Tick(now+999*time.Millisecond), nil)
		if due := b.asks(now + 999*time.Millisecond); due != nil {
			t.Fatalf("asks %v", due)
		}
	}
	b.Resolve(2*time.Second, peer, 2)
	if at, _ := b.Deadline(); at != 3*time.Second {
		t.Fatalf("deadline %v", at)
	}
	b.same("failed", b.Tick(3*time.Second), []int{1, 2})

	// For a while the next ones fail at once, and nobody is asked.
	b.Resolve(4*time.Second, peer, 3)
	if at, _ := b.Deadline(); at != 4*time.Second {
		t.Fatalf("deadline %v", at)
	}
	b.same("failed", b.Tick(4*time.Second), []int{3})
	if due := b.asks(4 * time.Second); due != nil {
		t.Fatalf("asks %v", due)
	}
	if at, _ := b.Deadline(); at != 6*time.Second {
		t.Fatalf("deadline %v", at)
	}
	b.same("failed", b.Tick(6*time.Second), nil)
	if len(b.entries) != 0 {
		t.Fatal("the failure is remembered too long")
	}
	b.Resolve(6*time.Second, peer, 4)
	if due := b.asks(6 * time.Second); len(due) != 1 {
		t.Fatalf("asks %v", due)
	}
	b.same("dropped", b.dropped, nil)
	audit(t, b.Cache)
}

func TestAnswerAfterFailure(t *testing.T) {
	b := newBench(t)
	b.Resolve(0, peer, 1)
	for now := time.Duration(0); now <= 3*time.Second; now += time.Second {
		b.Tick(now)
		b.asks(now)
	}
	b.Resolve(3*time.Second, peer, 2)
	b.same("ready", b.hear(3*time.Second, wire.ARPReply, peerMAC, peer, us).Ready, []int{2})
	if _, ok := b.Lookup(3*time.Second, peer); !ok {
		t.Fatal("not learned")
	}
	audit(t, b.Cache)
}

func TestAgeing(t *testing.T) {
	b := newBench(t)
	b.known(0, peer, peerMAC)
	b.known(0, other, otherMAC)
	b.hear(0, wire.ARPReply, otherMAC, other, us) // heard again, and not used since
	b.Lookup(59*time.Second, peer)
	b.Tick(60 * time.Second)
	if _, ok := b.Lookup(60*time.Second, other); ok {
		t.Fatal("a neighbour that nobody uses is kept")
	}
	// RFC 1122 §2.3.2.1 (2): a unicast poll, the entry in use meanwhile.
	for s := range time.Duration(3) {
		now := (60 + s) * time.Second
		b.same("failed", b.Tick(now), nil)
		if due := b.asks(now); !slices.Equal(due, []Request{{peer, peerMAC}}) {
			t.Fatalf("at %v asks %v", now, due)
		}
		if _, ok := b.Lookup(now, peer); !ok {
			t.Fatal("not usable while polled")
		}
	}
	if e := b.Entries(62 * time.Second); len(e) != 1 || e[0] != (Entry{peer, peerMAC, Probing, 62 * time.Second}) {
		t.Fatalf("entries %v", e)
	}
	b.Tick(63 * time.Second)
	if _, ok := b.Lookup(63*time.Second, peer); ok {
		t.Fatal("used although it does not answer")
	}
	audit(t, b.Cache)
}

func TestPollIsAnswered(t *testing.T) {
	b := newBench(t)
	b.known(0, peer, peerMAC)
	b.Lookup(1, peer)
	b.Tick(60 * time.Second)
	b.asks(60 * time.Second)
	b.hear(60*time.Second, wire.ARPReply, peerMAC, peer, us)
	if at, ok := b.Deadline(); !ok || at != 120*time.Second {
		t.Fatalf("deadline %v %v", at, ok)
	}
	if due := b.asks(61 * time.Second); due != nil {
		t.Fatalf("asks %v", due)
	}
	audit(t, b.Cache)
}

// What may be learned from whom (RFC 826; RFC 1122 §2.3.2.1).
func TestLearning(t *testing.T) {
	for _, test := range []struct {
		name           string
		op             uint16
		mac            wire.MAC
		sender, target netip.Addr
		unknown, known bool // is peer's new MAC believed if peer was unknown, known?
		reply          bool
		conflict       bool
	}{
		{"request for us", wire.ARPRequest, otherMAC, peer, us, true, true, true, false},
		{"request for another", wire.ARPRequest, otherMAC, peer, other, false, true, false, false},
		{"reply to us", wire.ARPReply, otherMAC, peer, us, false, true, false, false},
		{"announcement", wire.ARPRequest, otherMAC, peer, peer, false, true, false, false},
		{"announcement as a reply", wire.ARPReply, otherMAC, peer, peer, false, true, false, false},
		{"unknown operation", 9, otherMAC, peer, us, false, true, false, false},
		{"probe for our address", wire.ARPRequest, otherMAC, netip.IPv4Unspecified(), us, false, false, true, false},
		{"probe for another", wire.ARPRequest, otherMAC, netip.IPv4Unspecified(), peer, false, false, false, false},
		{"our address, announced", wire.ARPRequest, otherMAC, us, us, false, false, false, true},
		{"our address, asking", wire.ARPRequest, otherMAC, us, peer, false, false, false, true},
		{"our address, answering", wire.ARPReply, otherMAC, us, peer, false, false, false, true},
		{"our own, come back", wire.ARPRequest, ourMAC, us, us, false, false, false, false},
		{"broadcast MAC", wire.ARPRequest, wire.Broadcast, peer, us, false, false, false, false},
		{"multicast MAC", wire.ARPRequest, wire.MAC{1, 0, 0x5e, 0, 0, 1}, peer, us, false, false, false, false},
		{"no MAC", wire.ARPRequest, wire.MAC{}, peer, us, false, false, false, false},
		{"multicast sender", wire.ARPRequest, otherMAC, netip.MustParseAddr("224.0.0.1"), us, false, false, false, false},
		{"broadcast sender", wire.ARPRequest, otherMAC, netip.MustParseAddr("255.255.255.255"), us, false, false, false, false},
		{"loopback sender", wire.ARPRequest, otherMAC, netip.MustParseAddr("127.0.0.1"), us, false, false, false, false},
		{"IPv6 sender", wire.ARPRequest, otherMAC, netip.MustParseAddr("fe80::1"), us, false, false, false, false},
		{"no sender", wire.ARPRequest, otherMAC, netip.Addr{}, us, false, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, known := range []bool{false, true} {
				b := newBench(t)
				if known {
					b.known(0, peer, peerMAC)
				}
				r := b.hear(1, test.op, test.mac, test.sender, test.target)
				mac, ok := b.Lookup(2, peer)
				switch {
				case known && test.known && mac != otherMAC, known && !test.known && mac != peerMAC,
					!known && ok != test.unknown:
					t.Errorf("known %v: then %v %v", known, mac, ok)
				case (r.Reply.Op != 0) != test.reply || r.Conflict != test.conflict:
					t.Errorf("known %v: result %+v", known, r)
				}
				want := wire.ARP{Op: wire.ARPReply, SenderMAC: ourMAC, SenderIP: us, TargetMAC: test.mac, TargetIP: test.sender}
				if test.reply && r.Reply != want {
					t.Errorf("reply %+v, want %+v", r.Reply, want)
				}
				if len(b.Entries(0)) > 1 || !known && !test.unknown && len(b.Entries(0)) > 0 {
					t.Errorf("entries %v", b.Entries(0))
				}
				s := b.Stats()
				if s.Replies+s.Bad+s.Ignored+s.Conflicts+s.Changed == 0 {
					t.Errorf("nothing was counted: %+v", s)
				}
				audit(t, b.Cache)
			}
		})
	}
}

func TestPendingBounds(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxPending, b.cfg.MaxWaiting = 3, 5
	for p := range 5 {
		b.Resolve(0, peer, p)
	}
	b.same("dropped", b.dropped, []int{0, 1})
	for p := range 3 {
		b.Resolve(0, other, 10+p)
	}
	b.same("dropped", b.dropped, []int{0, 1, 2}) // the address that waits longest gives
	b.same("ready", b.hear(0, wire.ARPReply, peerMAC, peer, us).Ready, []int{3, 4})
	b.same("ready", b.hear(0, wire.ARPReply, otherMAC, other, us).Ready, []int{10, 11, 12})
	if s := b.Stats(); s.Dropped != 3 || s.Resolved != 2 || s.Requests != 0 {
		t.Fatalf("stats %+v", s)
	}
	if due := b.asks(0); due != nil { // answered before we asked
		t.Fatalf("asks %v", due)
	}
	audit(t, b.Cache)
}

func host(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}) }

// A sweep of addresses that nobody has, and a flood of requests from addresses
// that nobody uses, leave alone who is in use and who was entered by hand.
func TestFloods(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxEntries = 100
	for n := range 50 {
		b.known(0, host(n), peerMAC)
	}
	for n := 50; n < 90; n++ {
		if _, err := b.Add(0, host(n), peerMAC); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5000 {
		b.Resolve(1, host(1000+n), n)
		b.hear(1, wire.ARPRequest, otherMAC, host(10000+n), us)
	}
	for n := range 90 {
		if _, ok := b.Lookup(2, host(n)); !ok {
			t.Fatalf("%v is gone", host(n))
		}
	}
	if len(b.entries) != 100 || b.stats.Evicted != 10_000-10 {
		t.Fatalf("%d entries, %+v", len(b.entries), b.stats)
	}
	audit(t, b.Cache)

	// Among those in use the least recently used goes first.
	for n := 99; len(b.cold.all()) > 0; n++ {
		b.hear(3, wire.ARPReply, otherMAC, b.cold.head.ip, us)
		b.Lookup(3, b.cold.head.ip)
	}
	b.Lookup(4, host(0))
	b.Resolve(4, other, 1)
	if _, ok := b.Lookup(4, host(1)); ok {
		t.Fatal("the least recently used was kept")
	}
	if _, ok := b.Lookup(4, host(0)); !ok {
		t.Fatal("the most recently used was evicted")
	}
	audit(t, b.Cache)
}

func TestPermanent(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxEntries = 2
	b.Resolve(0, peer, 1)
	ready, err := b.Add(0, peer, peerMAC)
	if err != nil {
		t.Fatal(err)
	}
	b.same("ready", ready, []int{1})
	if _, ok := b.Deadline(); ok || b.asks(0) != nil {
		t.Fatal("a permanent entry is asked for")
	}
	b.hear(0, wire.ARPReply, otherMAC, peer, us)
	if mac, _ := b.Lookup(0, peer); mac != peerMAC {
		t.Fatal("changed from the cable")
	}
	b.Tick(time.Hour)
	if e := b.Entries(time.Hour); len(e) != 1 || e[0] != (Entry{peer, peerMAC, Permanent, time.Hour}) {
		t.Fatalf("entries %v", e)
	}
	b.Add(0, peer, otherMAC)
	if mac, _ := b.Lookup(0, peer); mac != otherMAC {
		t.Fatal("not changed by hand")
	}

	// When all are permanent there is no room for more.
	b.Add(0, other, otherMAC)
	if _, err := b.Add(0, host(1), otherMAC); neterr.Errno(err) != neterr.NoMemory.Errno {
		t.Fatalf("error %v", err)
	}
	b.Resolve(0, host(1), 7)
	b.same("dropped", b.dropped, []int{7})
	if r := b.hear(0, wire.ARPRequest, otherMAC, host(2), us); r.Reply.Op != wire.ARPReply {
		t.Fatal("no reply, because there is no room to learn")
	}
	audit(t, b.Cache)

	for _, bad := range []struct {
		ip  string
		mac wire.MAC
	}{{"0.0.0.0", peerMAC}, {"224.0.0.1", peerMAC}, {"255.255.255.255", peerMAC}, {"::1", peerMAC}, {"10.0.0.9", wire.Broadcast}, {"10.0.0.9", wire.MAC{}}} {
		if _, err := b.Add(0, netip.MustParseAddr(bad.ip), bad.mac); neterr.Errno(err) != neterr.BadArg.Errno {
			t.Errorf("%v: error %v", bad, err)
		}
	}
}

func TestDeleteAndFlush(t *testing.T) {
	b := newBench(t)
	b.Resolve(0, peer, 1)
	if !b.Delete(peer) || b.Delete(peer) {
		t.Fatal("deleted twice, or not at all")
	}
	b.same("dropped", b.dropped, []int{1})
	if due := b.asks(0); due != nil {
		t.Fatalf("asks %v", due)
	}
	b.known(0, peer, peerMAC)
	b.Add(0, other, otherMAC)
	b.Resolve(0, host(1), 2)
	b.Flush()
	if len(b.Entries(0)) != 0 {
		t.Fatalf("entries %v", b.Entries(0))
	}
	b.same("dropped", b.dropped, []int{1, 2})
	audit(t, b.Cache)
}

func TestConstructors(t *testing.T) {
	if a := Announcement(ourMAC, us); a != (wire.ARP{Op: 1, SenderMAC: ourMAC, SenderIP: us, TargetIP: us}) {
		t.Errorf("%+v", a)
	}
	if a := Probe(ourMAC, us); a != (wire.ARP{Op: 1, SenderMAC: ourMAC, SenderIP: netip.IPv4Unspecified(), TargetIP: us}) {
		t.Errorf("%+v", a)
	}
	for s, want := range []string{"WAIT", "OK", "PROBE", "FAIL", "PERM"} {
		if State(s).String() != want {
			t.Errorf("%v, want %s", State(s), want)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	b := newBench(t)
	b.known(0, peer, peerMAC)
	b.known(0, other, otherMAC)
	if n := testing.AllocsPerRun(100, func() {
		b.Lookup(1, peer)
		b.Resolve(1, other, 0)
		b.Lookup(1, us)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	cfg := DefaultConfig()
	c := New(&cfg, func(int) {})
	for n := range 1000 {
		c.Add(0, host(n), peerMAC)
	}
	for n := 0; b.Loop(); n++ {
		c.Lookup(0, host(n%1000))
	}
}
