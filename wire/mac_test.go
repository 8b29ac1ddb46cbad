package wire

import (
	"net/netip"
	"testing"
)

func TestParseMAC(t *testing.T) {
	want := MAC{0x02, 0xca, 0xfe, 0x00, 0x9a, 0xff}
	for _, s := range []string{"02:ca:fe:00:9a:ff", "02-CA-FE-00-9A-FF", "02cafe009aff", "02CAFE009AFF"} {
		if m, err := ParseMAC(s); m != want || err != nil {
			t.Errorf("ParseMAC(%q) = %v, %v, want %v", s, m, err, want)
		}
	}
	for _, s := range []string{
		"", "02", "02:ca:fe:00:9a", "02:ca:fe:00:9a:ff:", "02:ca:fe:00:9a:ff:00:11",
		"02:ca-fe:00-9a:ff", "02 ca fe 00 9a ff", "02:ca:fe:00:9a:fg", "02cafe009afg", "2:ca:fe:0:9a:ff",
		"02ca.fe00.9aff", "02::a:fe:00:9a:ff", "02cafe009af", "02cafe009aff0", "::::::::::::",
	} {
		if m, err := ParseMAC(s); err == nil || m != (MAC{}) {
			t.Errorf("ParseMAC(%q) = %v, %v, want an error", s, m, err)
		}
	}
}

func TestMACForms(t *testing.T) {
	m := MAC{0x02, 0xca, 0xfe, 0x00, 0x9a, 0xff}
	if got, want := m.String(), "02:ca:fe:00:9a:ff"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if got, want := m.Plan9(), "02cafe009aff"; got != want {
		t.Errorf("Plan9() = %q, want %q", got, want)
	}
}

func TestMACKinds(t *testing.T) {
	for _, c := range []struct {
		m                    MAC
		broadcast, multicast bool
	}{
		{MAC{}, false, false},
		{MAC{0x02, 0xff, 0xff, 0xff, 0xff, 0xff}, false, false},
		{MAC{0x01, 0x00, 0x5e, 0, 0, 1}, false, true},
		{MAC{0x33, 0x33, 0, 0, 0, 1}, false, true},
		{Broadcast, true, true},
	} {
		if c.m.IsBroadcast() != c.broadcast || c.m.IsMulticast() != c.multicast {
			t.Errorf("%v: broadcast %v, multicast %v", c.m, c.m.IsBroadcast(), c.m.IsMulticast())
		}
	}
}

func TestMulticastMAC(t *testing.T) {
	for group, want := range map[string]string{
		"224.0.0.1":          "01:00:5e:00:00:01",
		"239.255.255.250":    "01:00:5e:7f:ff:fa",
		"224.128.0.9":        "01:00:5e:00:00:09",
		"::ffff:224.0.0.251": "01:00:5e:00:00:fb",
		"ff02::1":            "33:33:00:00:00:01",
		"ff02::1:ff12:3456":  "33:33:ff:12:34:56",
	} {
		if got := MulticastMAC(netip.MustParseAddr(group)).String(); got != want {
			t.Errorf("MulticastMAC(%s) = %s, want %s", group, got, want)
		}
	}
}

func FuzzParseMAC(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMAC(s)
		if err != nil {
			return
		}
		for _, form := range []string{m.String(), m.Plan9()} {
			if again, err := ParseMAC(form); again != m || err != nil {
				t.Errorf("%q is %v, but %q is %v, %v", s, m, form, again, err)
			}
		}
	})
}
