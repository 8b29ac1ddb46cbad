package wire

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

func TestParseIGMP(t *testing.T) {
	group := netip.MustParseAddr("239.1.2.3")
	all := netip.IPv4Unspecified()
	for bytes, want := range map[string]IGMPMessage{
		"1164 ee9b 00000000":           {IGMPQuery, 2, 10 * time.Second, all},
		"1100 eeff 00000000":           {IGMPQuery, 1, 10 * time.Second, all},
		"1101 fdf9 ef010203":           {IGMPQuery, 2, time.Second / 10, group},
		"1164 ec1e 00000000 027d 0000": {IGMPQuery, 3, 10 * time.Second, all},
		"1180 ec02 00000000 027d 0000": {IGMPQuery, 3, 12800 * time.Millisecond, all},
		"11ff eb83 00000000 027d 0000": {IGMPQuery, 3, 3174400 * time.Millisecond, all},
		"1600 f8fa ef010203":           {IGMPv2Report, 0, 0, group},
		"1700 f7fa ef010203":           {IGMPv2Leave, 0, 0, group},
	} {
		b := unhex(t, bytes)
		if got, err := ParseIGMP(b); got != want || err != nil {
			t.Errorf("%s: %+v, %v, want %+v (checksum off by %#x)", bytes, got, err, want, Checksum(b))
		}
		b[4] ^= 1
		if _, err := ParseIGMP(b); err != ErrChecksum {
			t.Errorf("%x: %v, want %v", b, err, ErrChecksum)
		}
		if _, err := ParseIGMP(b[:7]); err != ErrShort {
			t.Errorf("7 bytes: %v, want %v", err, ErrShort)
		}
	}
	if _, err := ParseIGMP(unhex(t, "1164 ee9b 00000000 0000")); err != ErrLength {
		t.Errorf("a query of 10 bytes: %v, want %v", err, ErrLength)
	}
}

func TestPutIGMP(t *testing.T) {
	b := make([]byte, 20)
	n := IGMPMessage{Type: IGMPv2Report, Group: netip.MustParseAddr("239.1.2.3")}.Put(b)
	if want := unhex(t, "1600 f8fa ef010203"); !bytes.Equal(b[:n], want) {
		t.Errorf("a report of version 2 is %x, want %x", b[:n], want)
	}
	got := AppendIGMPReport([]byte{9}, []IGMPRecord{
		{IGMPToExclude, netip.MustParseAddr("239.1.2.3")}, {IGMPIsExclude, netip.MustParseAddr("224.0.0.251")}})
	want := unhex(t, "09 2200 0000 0000 0002 04 00 0000 ef010203 02 00 0000 e00000fb")
	copy(want[3:], got[3:5])
	if !bytes.Equal(got, want) || Checksum(got[1:]) != 0 {
		t.Errorf("a report of version 3 is %x, want %x with a right checksum", got, want)
	}
}
