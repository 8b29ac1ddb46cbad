package route

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func gateway(prefix, via string, iface, metric int) Route {
	return Route{Prefix: netip.MustParsePrefix(prefix), Via: netip.MustParseAddr(via), Iface: iface, Metric: metric, Tag: "none"}
}

func ours(kind Kind, prefix string, iface int) Route {
	return Route{Prefix: netip.MustParsePrefix(prefix), Iface: iface, Tag: "ifc", Kind: kind}
}

// host is the table of a host with one interface and a default route.
func host() *Table {
	t := &Table{}
	t.Add(ours(OnLink, "10.0.0.0/24", 0))
	t.Add(ours(Local, "10.0.0.2/32", 0))
	t.Add(ours(Broadcast, "10.0.0.255/32", 0))
	t.Add(ours(Multicast, "224.0.0.1/32", 0))
	t.Add(ours(OnLink, "2001:db8::/64", 0))
	t.Add(ours(Local, "2001:db8::2/128", 0))
	t.Add(gateway("0.0.0.0/0", "10.0.0.1", 0, 0))
	return t
}

func TestLookup(t *testing.T) {
	table := host()
	table.Add(gateway("10.1.0.0/16", "10.0.0.5", 0, 20))
	table.Add(gateway("10.1.0.0/16", "10.0.0.6", 0, 10))
	table.Add(gateway("10.1.0.0/16", "10.0.0.7", 0, 10))
	table.Add(gateway("10.1.2.0/24", "10.0.0.8", 0, 90))
	table.Add(gateway("10.0.0.2/32", "10.0.0.9", 0, -1)) // a robber
	for _, test := range []struct{ dst, want string }{
		{"10.0.0.7", "on link 0"},
		{"10.0.0.2", "local"}, // whatever the metric of others
		{"10.0.0.255", "broadcast"},
		{"224.0.0.1", "multicast"},
		{"192.0.2.1", "10.0.0.1"},
		{"::ffff:192.0.2.1", "10.0.0.1"},
		{"10.1.9.9", "10.0.0.6"}, // lowest metric, then the oldest
		{"10.1.2.3", "10.0.0.8"}, // longest prefix, whatever the metric
		{"2001:db8::7", "on link 0"},
		{"2001:db8::2", "local"},
		{"2001:db9::", "none"}, // IPv4's default route is not IPv6's
	} {
		r, ok := table.Lookup(netip.MustParseAddr(test.dst))
		got := map[Kind]string{Gateway: r.Via.String(), OnLink: fmt.Sprint("on link ", r.Iface), Local: "local", Broadcast: "broadcast", Multicast: "multicast"}[r.Kind]
		if !ok {
			got = "none"
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.dst, got, test.want)
		}
	}
	if r, ok := table.Lookup(netip.Addr{}); ok {
		t.Errorf("no address: %v", r)
	}
}

func TestAddReplaces(t *testing.T) {
	table := &Table{}
	table.Add(gateway("10.1.2.3/16", "10.0.0.1", 0, 5))
	table.Add(gateway("10.1.0.0/16", "10.0.0.2", 0, 5))
	table.Add(gateway("10.1.0.0/16", "10.0.0.1", 0, 9))
	table.Add(Route{}) // invalid
	want := []Route{gateway("10.1.0.0/16", "10.0.0.2", 0, 5), gateway("10.1.0.0/16", "10.0.0.1", 0, 9)}
	if got := table.All(); !reflect.DeepEqual(got, want) || table.Len() != 2 {
		t.Errorf("%d: %v", table.Len(), got)
	}
}

func TestRemove(t *testing.T) {
	all := netip.MustParsePrefix("0.0.0.0/0")
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.1.0.1")
	for _, test := range []struct {
		via   netip.Addr
		iface int
		left  int
	}{
		{netip.Addr{}, AnyIface, 0}, {a, AnyIface, 1}, {b, AnyIface, 2}, {netip.Addr{}, 1, 2},
		{a, 0, 2}, {a, 1, 2}, {b, 1, 3}, {netip.Addr{}, 7, 3},
	} {
		table := &Table{}
		table.Add(gateway("0.0.0.0/0", "10.0.0.1", 0, 0))
		table.Add(gateway("0.0.0.0/0", "10.0.0.1", 1, 0))
		table.Add(gateway("0.0.0.0/0", "10.1.0.1", 0, 0))
		if ok := table.Remove(all, test.via, test.iface); ok != (test.left < 3) || table.Len() != test.left || len(table.All()) != test.left {
			t.Errorf("remove %v %d: %v, %v", test.via, test.iface, ok, table.All())
		}
	}
	if (&Table{}).Remove(netip.Prefix{}, netip.Addr{}, AnyIface) {
		t.Error("removed nothing from nothing")
	}
}

func TestFlushAndRemoveIface(t *testing.T) {
	table := host()
	n := table.Len() - 1
	r := gateway("10.7.0.0/16", "10.0.0.1", 0, 0)
	r.Tag = "dhcp"
	table.Add(r)
	if table.Flush("ifc"); table.Len() != n+2 {
		t.Errorf("interface routes went: %v", table.All())
	}
	if table.Flush("dhcp"); table.Len() != n+1 {
		t.Errorf("flush dhcp: %v", table.All())
	}
	if table.Flush(""); table.Len() != n {
		t.Errorf("flush: %v", table.All())
	}
	table.Add(ours(Local, "10.0.0.2/32", 1))
	if table.RemoveIface(0); table.Len() != 1 || table.All()[0].Iface != 1 {
		t.Errorf("interface 0 is gone: %v", table.All())
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	table := host()
	near, far := netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("2001:db8::9")
	if n := testing.AllocsPerRun(100, func() {
		table.Lookup(near)
		table.Lookup(far)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A linear is the oracle: all routes in the order they came, all looked at.
type linear []Route

func (l *linear) add(r Route) {
	r.Prefix = r.Prefix.Masked()
	*l = slices.DeleteFunc(*l, func(q Route) bool {
		return q.Prefix == r.Prefix && q.Via == r.Via && q.Iface == r.Iface && q.Kind == r.Kind
	})
	*l = append(*l, r)
}

func (l linear) lookup(dst netip.Addr) (best Route, ok bool) {
	for _, r := range l {
		if !r.Prefix.Contains(dst) {
			continue
		}
		order := cmp.Compare(best.Prefix.Bits(), r.Prefix.Bits())
		if order == 0 && (best.Kind >= Local) != (r.Kind >= Local) {
			order = map[bool]int{true: -1, false: 1}[best.Kind >= Local]
		} else if order == 0 {
			order = cmp.Compare(best.Metric, r.Metric)
		}
		if !ok || best.Prefix.Bits() < r.Prefix.Bits() || order > 0 && best.Prefix.Bits() == r.Prefix.Bits() {
			best, ok = r, true
		}
	}
	return best, ok
}

func TestAgainstLinear(t *testing.T) { rapid.Check(t, againstLinear) }

func FuzzAgainstLinear(f *testing.F) {
	for seed := range byte(8) { // long ones, which mutation alone is slow to find
		b := make([]byte, 8<<10)
		rand.NewChaCha8([32]byte{seed}).Read(b)
		f.Add(b)
	}
	f.Fuzz(rapid.MakeFuzz(againstLinear))
}

func againstLinear(t *rapid.T) {
	// Few different bits, so that prefixes lie in one another.
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		var b [16]byte
		for _, i := range []int{0, 1, 3, 15} {
			b[i] = rapid.SampledFrom([]byte{0, 1, 0x80, 0xff}).Draw(t, "byte")
		}
		if rapid.Bool().Draw(t, "v4") {
			return netip.AddrFrom4([4]byte(b[:4]))
		}
		return netip.AddrFrom16(b)
	})
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := addr.Draw(t, "address")
		return netip.PrefixFrom(a, rapid.SampledFrom([]int{0, 1, 7, 8, 9, 16, 25, 31, a.BitLen()}).Draw(t, "bits"))
	})
	via := rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")})
	tag := rapid.SampledFrom([]string{"none", "a", "b"})
	var table Table
	var oracle linear
	remove := func(del func(Route) bool) bool {
		n := len(oracle)
		oracle = slices.DeleteFunc(oracle, del)
		return len(oracle) < n
	}
	t.Repeat(map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			r := Route{
				Prefix: prefix.Draw(t, "prefix"), Via: via.Draw(t, "via"), Iface: rapid.IntRange(0, 2).Draw(t, "iface"),
				Metric: rapid.IntRange(0, 2).Draw(t, "metric"), Tag: tag.Draw(t, "tag"), Kind: Kind(rapid.IntRange(0, 4).Draw(t, "kind")),
			}
			table.Add(r)
			oracle.add(r)
		},
		"remove": func(t *rapid.T) {
			p, v, i := prefix.Draw(t, "prefix").Masked(), via.Draw(t, "via"), rapid.IntRange(-1, 2).Draw(t, "iface")
			if len(oracle) > 0 && rapid.Bool().Draw(t, "one that is there") {
				p = rapid.SampledFrom(oracle).Draw(t, "route").Prefix
			}
			want := remove(func(r Route) bool {
				return r.Prefix == p && (v == netip.Addr{} || r.Via == v) && (i < 0 || r.Iface == i)
			})
			if got := table.Remove(p, v, i); got != want {
				t.Fatalf("removed %v, want %v", got, want)
			}
		},
		"flush": func(t *rapid.T) {
			w := tag.Draw(t, "tag")
			table.Flush(w)
			remove(func(r Route) bool { return r.Kind == Gateway && r.Tag == w })
		},
		"interface": func(t *rapid.T) {
			n := rapid.IntRange(0, 9).Draw(t, "iface")
			table.RemoveIface(n)
			remove(func(r Route) bool { return r.Iface == n })
		},
		"": func(t *rapid.T) {
			for range 4 {
				dst := addr.Draw(t, "dst")
				got, ok := table.Lookup(dst)
				want, wantOK := oracle.lookup(dst)
				if got != want || ok != wantOK {
					t.Fatalf("%v: %+v %v, want %+v %v", dst, got, ok, want, wantOK)
				}
			}
			all := table.All()
			sorted := slices.IsSortedFunc(all, func(a, b Route) int {
				return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), a.Prefix.Bits()-b.Prefix.Bits())
			})
			if len(all) != len(oracle) || table.Len() != len(oracle) || !sorted {
				t.Fatalf("all: %v, want %d sorted", all, len(oracle))
			}
			for _, r := range oracle {
				if !slices.Contains(all, r) {
					t.Fatalf("%v is missing", r)
				}
			}
		},
	})
}

func BenchmarkLookup(b *testing.B) {
	table := host()
	dst := netip.MustParseAddr("192.0.2.1")
	for b.Loop() {
		table.Lookup(dst)
	}
}
