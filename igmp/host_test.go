package igmp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"slashnet/wire"
)

var (
	g1, g2 = netip.MustParseAddr("239.1.2.3"), netip.MustParseAddr("224.0.0.251")
	all    = netip.IPv4Unspecified()
)

// A talk is a host and what it has said by when.
type talk struct {
	t *testing.T
	*Host
	now time.Duration
}

func newTalk(t *testing.T) *talk {
	n := uint64(0)
	return &talk{t: t, Host: New(func() uint64 { n += 0x9e3779b97f4a7c15; return n })}
}

// until are the reports up to a time.
func (k *talk) until(end time.Duration) (said []Report) {
	for {
		at, ok := k.Deadline()
		if !ok || at > end {
			k.now = end
			return said
		}
		if at < k.now-time.Hour {
			k.t.Fatalf("a deadline of %v at %v", at, k.now)
		}
		k.now = max(k.now, at)
		r, ok := k.Output(k.now)
		if !ok {
			k.t.Fatalf("nothing to say at its deadline, %v", at)
		}
		said = append(said, r)
	}
}

func records(said []Report) (all []wire.IGMPRecord) {
	for _, r := range said {
		all = append(all, r.Records...)
	}
	return all
}

// RFC 3376 §5.1: a change is reported twice within a second or so, at once first.
func TestChanges(t *testing.T) {
	k := newTalk(t)
	k.Join(0, g1)
	k.Join(0, g1)
	if got, want := records(k.until(0)), []wire.IGMPRecord{{Type: wire.IGMPToExclude, Group: g1}}; !slices.Equal(got, want) {
		t.Errorf("at once %v, want %v", got, want)
	}
	if got, want := records(k.until(2*time.Second)), []wire.IGMPRecord{{Type: wire.IGMPToExclude, Group: g1}}; !slices.Equal(got, want) {
		t.Errorf("and then %v, want %v", got, want)
	}
	k.Leave(k.now, g1)
	if said := k.until(time.Minute); len(said) != 0 || !k.In(g1) {
		t.Errorf("the first of two has left: %v", said)
	}
	k.Leave(k.now, g1)
	if k.In(g1) {
		t.Error("still in it")
	}
	in := wire.IGMPRecord{Type: wire.IGMPToInclude, Group: g1}
	if got, want := records(k.until(2*time.Minute)), []wire.IGMPRecord{in, in}; !slices.Equal(got, want) {
		t.Errorf("the last has left: %v, want %v", got, want)
	}
	k.Leave(k.now, g1) // once too often
	k.Join(k.now, allHosts)
	if said := k.until(time.Hour); len(said) != 0 || len(k.groups) != 0 || !k.In(allHosts) {
		t.Errorf("%v, %d groups left", said, len(k.groups))
	}
}

// RFC 3376 §5.2: a query is answered for each group it is about, in its time.
func TestRFC3376_QUERY(t *testing.T) {
	k := newTalk(t)
	k.Join(0, g1)
	k.Join(0, g2)
	k.until(time.Minute)
	ask := func(group, dst netip.Addr) []wire.IGMPRecord {
		k.Input(k.now, wire.IGMPMessage{Type: wire.IGMPQuery, Version: 3, MaxResp: 10 * time.Second, Group: group}, dst)
		if said := k.until(k.now); len(said) != 0 {
			t.Errorf("at once: %v", said)
		}
		got := records(k.until(k.now + 11*time.Second))
		slices.SortFunc(got, func(a, b wire.IGMPRecord) int { return b.Group.Compare(a.Group) })
		return got
	}
	both := []wire.IGMPRecord{{Type: wire.IGMPIsExclude, Group: g1}, {Type: wire.IGMPIsExclude, Group: g2}}
	if got := ask(all, allHosts); !slices.Equal(got, both) {
		t.Errorf("about all: %v", got)
	}
	if got := ask(g1, g1); !slices.Equal(got, both[:1]) {
		t.Errorf("about one: %v", got)
	}
	if got := ask(all, g1); got != nil {
		t.Errorf("about all, but to a group: %v", got)
	}
	if got := ask(netip.MustParseAddr("239.9.9.9"), allHosts); got != nil {
		t.Errorf("about another: %v", got)
	}
	k.Leave(k.now, g2)
	k.until(k.now + time.Minute)
	if got := ask(all, allHosts); !slices.Equal(got, both[:1]) {
		t.Errorf("about all, after one was left: %v", got)
	}
}

// Two hundred groups are answered for in few reports.
func TestReportsAreFull(t *testing.T) {
	k := newTalk(t)
	for n := range byte(200) {
		k.Join(0, netip.AddrFrom4([4]byte{239, 0, 0, n}))
	}
	if n := len(k.until(0)); n != 4 {
		t.Errorf("%d reports, want 4", n)
	}
}

// RFC 3376 §7.2.1: while a router speaks version 2, so do we.
func TestRFC3376_OLDER(t *testing.T) {
	k := newTalk(t)
	k.Join(0, g1)
	query := wire.IGMPMessage{Type: wire.IGMPQuery, Version: 2, MaxResp: time.Second, Group: all}
	k.until(0)
	k.Input(0, query, allHosts)
	said := k.until(2 * time.Second)
	want := Report{To: g1, Message: wire.IGMPMessage{Type: wire.IGMPv2Report, Group: g1}}
	if len(said) != 1 || said[0].To != want.To || said[0].Message != want.Message {
		t.Errorf("%+v, want %+v", said, want)
	}
	// Somebody else answers first.
	k.Input(k.now, query, allHosts)
	k.Input(k.now, wire.IGMPMessage{Type: wire.IGMPv2Report, Group: g1}, g1)
	if said := k.until(k.now + 2*time.Second); len(said) != 0 {
		t.Errorf("answered once more: %+v", said)
	}
	k.Join(k.now, g2)
	if n := len(k.until(k.now + 11*time.Second)); n != 2 {
		t.Errorf("a join is reported %d times, want 2", n)
	}
	k.Leave(k.now, g2)
	said = k.until(k.now + 11*time.Second)
	if len(said) != 1 || said[0].To != allRouters || said[0].Message != (wire.IGMPMessage{Type: wire.IGMPv2Leave, Group: g2}) {
		t.Errorf("a leave: %+v", said)
	}
	// The router is gone.
	k.until(k.now + olderFor)
	k.Join(k.now, g2)
	if got := records(k.until(k.now + 2*time.Second)); len(got) != 2 {
		t.Errorf("after its time: %v, want two records of version 3", got)
	}
}

// RFC 1112 has reports only.
func TestVersion1(t *testing.T) {
	k := newTalk(t)
	k.Join(0, g1)
	k.until(time.Minute)
	k.Input(k.now, wire.IGMPMessage{Type: wire.IGMPQuery, Version: 1, MaxResp: 10 * time.Second, Group: all}, allHosts)
	// A router of version 2 beside it does not change that.
	k.Input(k.now, wire.IGMPMessage{Type: wire.IGMPQuery, Version: 2, MaxResp: time.Second, Group: all}, allHosts)
	said := k.until(k.now + 11*time.Second)
	if len(said) != 1 || said[0].Message != (wire.IGMPMessage{Type: wire.IGMPv1Report, Group: g1}) {
		t.Errorf("%+v, want a report of version 1", said)
	}
	k.Leave(k.now, g1)
	if said := k.until(k.now + time.Minute); len(said) != 0 || len(k.groups) != 0 {
		t.Errorf("a leave: %+v, %d groups", said, len(k.groups))
	}
}
