package mld

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"slashnet/wire"
)

var (
	groupA = netip.MustParseAddr("ff02::a")
	groupB = netip.MustParseAddr("ff02::b")
)

// run goes from deadline to deadline, and returns the records as they are sent.
func run(l *Listener, until time.Duration) (all []wire.MLDRecord) {
	for at, ok := l.Deadline(); ok && at <= until; at, ok = l.Deadline() {
		all = append(all, l.Output(at, 50)...)
	}
	return all
}

func TestRFC3810_CHANGES(t *testing.T) {
	l := New(func() uint64 { return 5e8 })
	l.Join(0, groupA)
	l.Join(0, groupA)
	to := wire.MLDRecord{Kind: wire.MLDToExclude, Group: groupA}
	if all := run(l, time.Minute); !slices.Equal(all, []wire.MLDRecord{to, to}) {
		t.Errorf("joined: %v", all)
	}
	if !l.Leave(time.Minute, groupA) || !l.Listens(groupA) || len(run(l, time.Hour)) != 0 {
		t.Error("one of two has left, and it is told")
	}
	l.Leave(time.Minute, groupA)
	from := wire.MLDRecord{Kind: wire.MLDToInclude, Group: groupA}
	if all := run(l, time.Hour); !slices.Equal(all, []wire.MLDRecord{from, from}) || l.Listens(groupA) || len(l.groups) != 0 {
		t.Errorf("left: %v, %v", all, l.groups)
	}
	if l.Leave(0, groupA) {
		t.Error("left twice")
	}
	for _, a := range []string{"ff02::1", "ff01::7"} {
		l.Join(0, netip.MustParseAddr(a))
	}
	l.Query(0, wire.MLDQueryMessage{MaxDelay: time.Second, Group: netip.IPv6Unspecified()})
	if all := run(l, time.Hour); len(all) != 0 || len(l.Groups()) != 2 {
		t.Errorf("nobody's business: %v", all)
	}
}

func TestRFC3810_QUERIES(t *testing.T) {
	l := New(func() uint64 { return 5e8 })
	l.Join(0, groupA)
	l.Join(0, groupB)
	run(l, time.Minute)
	l.Query(time.Minute, wire.MLDQueryMessage{MaxDelay: 10 * time.Second, Group: netip.IPv6Unspecified()})
	at, ok := l.Deadline()
	if !ok || at <= time.Minute || at > 70*time.Second {
		t.Fatalf("an answer at %v", at)
	}
	if all := run(l, time.Hour); !slices.Equal(all, []wire.MLDRecord{{Kind: wire.MLDIsExclude, Group: groupA}, {Kind: wire.MLDIsExclude, Group: groupB}}) {
		t.Errorf("%v", all)
	}
	l.Query(time.Minute, wire.MLDQueryMessage{Group: groupB})
	if all := run(l, time.Hour); !slices.Equal(all, []wire.MLDRecord{{Kind: wire.MLDIsExclude, Group: groupB}}) {
		t.Errorf("%v", all)
	}
	l.Query(time.Minute, wire.MLDQueryMessage{Group: netip.MustParseAddr("ff02::c")})
	if all := run(l, time.Hour); len(all) != 0 {
		t.Errorf("%v", all)
	}
	// A report has a size.
	for range 3 {
		l.Query(time.Minute, wire.MLDQueryMessage{Group: netip.IPv6Unspecified()})
	}
	if first := l.Output(time.Hour, 1); len(first) != 1 {
		t.Errorf("%v", first)
	}
	if rest := l.Output(time.Hour, 50); len(rest) != 1 {
		t.Errorf("%v", rest)
	}
}
