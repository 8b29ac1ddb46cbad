package wire

import (
	"bytes"
	"net/netip"
	"testing"
)

func TestInspectIPv4Options(t *testing.T) {
	for options, want := range map[string]IPv4Options{
		"":                                    {},
		"00":                                  {},
		"01 01 01 00 07":                      {}, // nothing counts after the end
		"94 04 0000":                          {}, // router alert
		"5e 04 abcd":                          {}, // nobody knows it
		"88 04 0001":                          {}, // stream identifier
		"07 07 04 00000000":                   {Record: true},
		"07 07 08 0a000001":                   {Record: true}, // full
		"01 44 08 05 00 00000000":             {Record: true},
		"44 0c 05 03 0a000001 00000000":       {Record: true},
		"83 07 04 0a000001":                   {SourceRoute: true},
		"89 07 04 0a000001":                   {SourceRoute: true},
		"07":                                  {Bad: 20},
		"5e 01":                               {Bad: 21},
		"5e 00":                               {Bad: 21},
		"01 5e 05 00":                         {Bad: 22},
		"07 02":                               {Bad: 21, Record: true},
		"07 07 03 00000000":                   {Bad: 22, Record: true},
		"07 07 06 00000000":                   {Bad: 22, Record: true}, // between addresses
		"01 07 07 05 00000000":                {Bad: 23, Record: true},
		"83 07 04 0a000001 83 07 04 0a000001": {Bad: 27, SourceRoute: true},
		"44 03 05":                            {Bad: 21, Record: true},
		"44 08 04 00 00000000":                {Bad: 22, Record: true},
		"44 08 05 02 00000000":                {Bad: 23, Record: true}, // no such flag
		"44 08 05 01 00000000":                {Bad: 22, Record: true}, // no room for an address too
		"44 08 09 f0 00000000":                {Bad: 23, Record: true}, // the overflow overflows
		"44 08 09 e0 00000000":                {Record: true},
		"01 01 01 01 01 01 01 01 01 01 01 44": {Bad: 31},
	} {
		if got := InspectIPv4Options(unhex(t, options)); got != want {
			t.Errorf("%s: %+v, want %+v", options, got, want)
		}
	}
}

func TestRecordIPv4(t *testing.T) {
	us := netip.MustParseAddr("10.0.0.9")
	own := func(a netip.Addr) bool { return a == us }
	for before, after := range map[string]string{
		"07 0b 04 00000000 00000000":             "07 0b 08 0a000009 00000000",
		"01 07 0b 08 01020304 00000000":          "01 07 0b 0c 01020304 0a000009",
		"07 07 08 01020304":                      "07 07 08 01020304", // no room
		"44 08 05 00 00000000":                   "44 08 09 00 00bc614e",
		"44 0c 05 01 00000000 00000000":          "44 0c 0d 01 0a000009 00bc614e",
		"44 0c 05 03 0a000009 00000000":          "44 0c 0d 03 0a000009 00bc614e",
		"44 0c 05 03 0a000008 00000000":          "44 0c 05 03 0a000008 00000000", // somebody else is asked
		"44 08 09 10 01020304":                   "44 08 09 20 01020304",          // one more has no room
		"44 0c 0d 03 0a000009 00bc614e":          "44 0c 0d 03 0a000009 00bc614e",
		"94 04 0000 07 07 04 00000000":           "94 04 0000 07 07 08 0a000009",
		"00 07 07 04 00000000":                   "00 07 07 04 00000000",
		"44 08 05 00 00000000 07 07 04 00000000": "44 08 09 00 00bc614e 07 07 08 0a000009",
	} {
		b := unhex(t, before)
		RecordIPv4(b, us, own, 12345678)
		if !bytes.Equal(b, unhex(t, after)) {
			t.Errorf("%s became %x, want %s", before, b, after)
		}
	}
}

func TestKeptOptions(t *testing.T) {
	all := unhex(t, "01 07 07 04 00000000 94 04 0000 44 08 05 00 00000000 83 07 04 0a000001 00")
	if got, want := CopiedOptions(all), unhex(t, "94 04 0000 83 07 04 0a000001"); !bytes.Equal(got, want) {
		t.Errorf("copied into fragments %x, want %x", got, want)
	}
	if got, want := RecordOptions(all), unhex(t, "07 07 04 00000000 44 08 05 00 00000000"); !bytes.Equal(got, want) {
		t.Errorf("those that record %x, want %x", got, want)
	}
}

// Whatever the options are, they are read to their end, and what was found right
// can be recorded in.
func FuzzIPv4Options(f *testing.F) {
	f.Add([]byte{7, 7, 4, 0, 0, 0, 0, 1})
	f.Add([]byte{68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), MaxIPv4Len-IPv4Len)]
		o := InspectIPv4Options(b)
		if o.Bad < 0 || o.Bad >= MaxIPv4Len || o.Bad > 0 && o.Bad < IPv4Len {
			t.Errorf("%x: wrong at %d, which is not in the options", b, o.Bad)
		}
		CopiedOptions(b)
		RecordOptions(b)
		if o.Bad != 0 {
			return
		}
		all := func(netip.Addr) bool { return true }
		for range 20 { // until whatever has room is full
			RecordIPv4(b, netip.MustParseAddr("10.0.0.9"), all, 1)
			if InspectIPv4Options(b).Bad != 0 {
				break // the overflow of a timestamp is full
			}
		}
	})
}
