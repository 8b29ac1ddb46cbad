package main

import (
	"net/netip"
	"testing"
)

func TestEnds(t *testing.T) {
	at := func(text string) *lsEnd {
		a := netip.MustParseAddrPort(text)
		return &lsEnd{a.Addr(), a.Port()}
	}
	for _, c := range []struct {
		filter string
		end    *lsEnd
		want   bool
	}{
		{"", nil, true},
		{"80", nil, false},
		{"80", at("10.0.0.1:80"), true},
		{":80", at("10.0.0.1:81"), false},
		{"*:80", at("10.0.0.1:80"), true},
		{"10.0.0.1", at("10.0.0.1:80"), true},
		{"10.0.0.1!80", at("10.0.0.1:80"), true},
		{"10.0.0.1:80", at("10.0.0.2:80"), false},
		{"fd00::1", at("[fd00::1]:80"), true},
		{"[fd00::1]:80", at("[fd00::1]:80"), true},
		{"[fd00::1]:81", at("[fd00::1]:80"), false},
	} {
		f, err := parseEnd(c.filter)
		if err != nil {
			t.Error(err)
		}
		if got := f.fits(c.end); got != c.want {
			t.Errorf("%q fits %v: %v", c.filter, c.end, got)
		}
	}
	for _, bad := range []string{"0", "65536", "http", "10.0.0:80", "10.0.0.1:", ":", "1.2.3.4:5:6"} {
		if _, err := parseEnd(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
