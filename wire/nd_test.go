package wire

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func TestNeighbourRoundTrip(t *testing.T) {
	for _, m := range []NeighbourMessage{
		{Target: host6},
		{Target: host6, NDOptions: NDOptions{SourceMAC: hostMAC}},
		{Target: peer6, Router: true, Solicited: true, Override: true, NDOptions: NDOptions{TargetMAC: peerMAC}},
		{Target: peer6, Override: true, NDOptions: NDOptions{TargetMAC: peerMAC}},
	} {
		b := make([]byte, LenNeighbour)
		rest, n := m.Put(b)
		if got, err := ParseNeighbour(ICMPHeader{Rest: rest}, b[:n]); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v came back as %+v, %v", m, got, err)
		}
	}
	b := make([]byte, 8)
	if o, err := ParseRouterSolicitation(b[:PutRouterSolicitation(b, hostMAC)]); err != nil || o.SourceMAC != hostMAC {
		t.Errorf("a router solicitation came back as %+v, %v", o, err)
	}
}

// What a kernel's router daemon says of itself.
const advertisement = `
	00007530 000003e8
	0101 020000000001
	0501 0000 000005dc
	0304 40c0 00278d00 00093a80 00000000 20010db8000100000000000000000000
	1903 0000 00000e10 20010db8000000000000000000000053
	1803 0000 ffffffff 20010db8000000000000000000000053`

func TestParseRouter(t *testing.T) {
	m, err := ParseRouter(ICMPHeader{Rest: 64<<24 | 0xc0<<16 | 1800}, unhex(t, advertisement))
	want := RouterMessage{HopLimit: 64, Managed: true, Other: true, Lifetime: 1800 * time.Second, Reachable: 30 * time.Second, Retrans: time.Second,
		NDOptions: NDOptions{SourceMAC: hostMAC, MTU: 1500,
			Prefixes: []NDPrefix{{netip.MustParsePrefix("2001:db8:1::/64"), true, true, 2592000 * time.Second, 604800 * time.Second}},
			Servers:  []NDServer{{netip.MustParseAddr("2001:db8::53"), time.Hour}}}}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("%+v, %v\nwant %+v", m, err, want)
	}
}

func TestNDOptionsThatLie(t *testing.T) {
	for _, c := range []struct {
		b    string
		want error
	}{
		{"", nil},
		{"0100 020000000001", ErrLength}, // RFC 4861 §7.1.1: length zero
		{"0102 020000000001", ErrLength},
		{"01", ErrLength},
		{"fe01 020000000001", nil},
		{"0102 020000000001 0000000000000000", nil}, // a MAC of another length
		{"0304 ff00" + "00000000 00000000 00000000 00000000000000000000000000000000", nil},
	} {
		var o NDOptions
		if err := o.get(unhex(t, c.b)); err != c.want && !(err == nil && c.want == nil) || !reflect.DeepEqual(o, NDOptions{}) {
			t.Errorf("%s: %+v, %v, want %v", c.b, o, err, c.want)
		}
	}
}

func TestMLD(t *testing.T) {
	group := netip.MustParseAddr("ff02::1:ff00:2")
	g := group.AsSlice()
	for _, c := range []struct {
		code  uint32
		tail  int
		delay time.Duration
		v1    bool
	}{
		{1000, 0, time.Second, true},
		{1000, 4, time.Second, false},
		{0x8000, 4, 32768 * time.Millisecond, false},
		{0xffff, 4, 0x1fff << 10 * time.Millisecond, false},
	} {
		m, err := ParseMLDQuery(ICMPHeader{Rest: c.code << 16}, append(bytes.Clone(g), make([]byte, c.tail)...))
		if err != nil || m.MaxDelay != c.delay || m.V1 != c.v1 || m.Group != group {
			t.Errorf("%x: %+v, %v", c.code, m, err)
		}
	}
	b := AppendMLDRecord(AppendMLDRecord(nil, MLDRecord{MLDIsExclude, group}), MLDRecord{MLDToInclude, peer6})
	records, err := ParseMLDReport(ICMPHeader{Rest: 2}, b)
	if err != nil || len(records) != 2 || records[0] != (MLDRecord{MLDIsExclude, group}) || records[1].Group != peer6 {
		t.Errorf("%+v, %v", records, err)
	}
	for n := range b {
		if _, err := ParseMLDReport(ICMPHeader{Rest: 2}, b[:n]); err == nil {
			t.Errorf("%d bytes of a report pass", n)
		}
	}
}

func FuzzND(f *testing.F) {
	f.Add(uint32(0), append(make([]byte, 8), 1, 1, 2, 0, 0, 0, 0, 1))
	f.Fuzz(func(t *testing.T, rest uint32, b []byte) {
		h := ICMPHeader{Rest: rest}
		if m, err := ParseNeighbour(h, b); err == nil {
			// Only one of the MACs is sent, and no other option.
			m.NDOptions = NDOptions{SourceMAC: m.SourceMAC}
			again := make([]byte, LenNeighbour)
			rest, n := m.Put(again)
			if back, err := ParseNeighbour(ICMPHeader{Rest: rest}, again[:n]); err != nil || !reflect.DeepEqual(back, m) {
				t.Errorf("%+v came back as %+v, %v", m, back, err)
			}
		}
		if m, err := ParseRouter(h, b); err == nil && (len(m.Prefixes) > maxND || len(m.Servers) > maxND) {
			t.Errorf("%d prefixes, %d servers", len(m.Prefixes), len(m.Servers))
		}
		ParseRouterSolicitation(b)
		ParseRedirect(b)
		ParseMLDQuery(h, b)
		ParseMLDReport(h, b)
	})
}
