package wire

import (
	"bytes"
	"testing"
)

// parseOptions parses a segment with these options, padded to 4 bytes with END.
func parseOptions(t *testing.T, options []byte) TCPOptions {
	t.Helper()
	b := make([]byte, TCPLen+(len(options)+3)&^3)
	copy(b[TCPLen:], options)
	b[12] = byte(len(b)/4) << 4
	h, payload, err := ParseTCP(append(b, "payload"...))
	if err != nil || string(payload) != "payload" {
		t.Fatalf("options %x: %q, %v: the segment is lost", options, payload, err)
	}
	return h.Options
}

func TestParseTCPOptions(t *testing.T) {
	mss := TCPOptions{MSS: 1460}
	for _, c := range []struct {
		name, b string
		want    TCPOptions
	}{
		{"none", "", TCPOptions{}},
		{"end first", "00 0204 05b4", TCPOptions{}},
		{"nops", "01010101 020405b4", mss},
		{"unknown kinds are skipped", "fe 06 01020304 020405b4 1e 02", mss},
		{"length 0", "020405b4 fe 00 0303 0a", mss},
		{"length 1", "020405b4 fe 01 0303 0a", mss},
		{"length past the end", "020405b4 fe 07 010101 00", mss},
		{"length far past the end", "020405b4 05 ff 010101 00", mss},
		{"kind without length", "020405b4 010101 fe", mss},
		{"known kind, length 0", "020405b4 0300 0a00", mss},
		{"known kind, cut off", "020405b4 080a 0102", mss},
		{"MSS of another length", "0205 05b400 030307", TCPOptions{HasWScale: true, WScale: 7}},
		{"MSS of length 2", "0202 030307", TCPOptions{HasWScale: true, WScale: 7}},
		{"window scale of another length", "0304 0707 020405b4", mss},
		{"window scale above 14", "0303 0f", TCPOptions{HasWScale: true, WScale: 14}},
		{"window scale far above 14", "0303 ff", TCPOptions{HasWScale: true, WScale: 14}},
		{"SACK permitted", "0402", TCPOptions{SACKPermitted: true}},
		{"SACK permitted of another length", "0403 00 020405b4", mss},
		{"timestamps", "080a 00000001 ffffffff", TCPOptions{HasTimestamps: true, TSVal: 1, TSEcr: 0xffffffff}},
		{"timestamps of another length", "0809 00000001 ffffff 020405b4", mss},
		{"SACK of no blocks", "0502 020405b4", mss},
		{"SACK of no blocks after one", "050a 00000001 00000002 0502", TCPOptions{}},
		{"SACK of half a block", "0506 00000001 020405b4", mss},
		{"SACK", "050a 00000001 00000002", TCPOptions{SACKs: 1, SACK: [4]SACKBlock{{1, 2}}}},
		{"later ones count", "020405b3 020405b4", mss},
	} {
		if got := parseOptions(t, unhex(t, c.b)); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// A repeated SACK option with fewer blocks leaves none of the first one's.
func TestParseTCPOptionsRepeatedSACK(t *testing.T) {
	b := unhex(t, "0512 00000001 00000002 00000003 00000004 050a 00000005 00000006")
	if got, want := parseOptions(t, b), (TCPOptions{SACKs: 1, SACK: [4]SACKBlock{{5, 6}}}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestPutTCPOptions(t *testing.T) {
	blocks := [4]SACKBlock{{1, 2}, {3, 4}, {5, 6}, {7, 8}}
	for _, c := range []struct {
		name string
		o    TCPOptions
		want string
	}{
		{"none", TCPOptions{}, ""},
		{"MSS", TCPOptions{MSS: 0x05b4}, "020405b4"},
		{"window scale", TCPOptions{HasWScale: true, WScale: 7}, "01 030307"},
		{"window scale 0", TCPOptions{HasWScale: true}, "01 030300"},
		{"SACK permitted", TCPOptions{SACKPermitted: true}, "0101 0402"},
		{"timestamps", TCPOptions{HasTimestamps: true, TSVal: 1, TSEcr: 2}, "0101 080a 00000001 00000002"},
		{"SYN", TCPOptions{MSS: 0x05b4, HasWScale: true, WScale: 7, SACKPermitted: true, HasTimestamps: true, TSVal: 1},
			"020405b4 0402 080a 00000001 00000000 01 030307"},
		{"SACK", TCPOptions{SACKs: 1, SACK: blocks}, "0101 050a 00000001 00000002"},
		{"SACK, four blocks", TCPOptions{SACKs: 4, SACK: blocks},
			"0101 0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008"},
		// RFC 2018 §3: beside timestamps there is room for three.
		{"SACK, four blocks and timestamps", TCPOptions{SACKs: 4, SACK: blocks, HasTimestamps: true},
			"0101 080a 00000000 00000000 0101 051a 00000001 00000002 00000003 00000004 00000005 00000006"},
		{"everything", TCPOptions{MSS: 0x05b4, HasWScale: true, WScale: 7, SACKPermitted: true, HasTimestamps: true, SACKs: 4, SACK: blocks},
			"020405b4 0402 080a 00000000 00000000 01 030307 0101 0512 00000001 00000002 00000003 00000004"},
	} {
		want := unhex(t, c.want)
		h := TCPHeader{Options: c.o}
		b := bytes.Repeat([]byte{0xaa}, MaxTCPLen)
		if n := h.Put(b); n != TCPLen+len(want) || !bytes.Equal(b[TCPLen:n], want) {
			t.Errorf("%s: %x, want %x", c.name, b[TCPLen:n], want)
		}
	}
}

// The rows of RFC 9293 that are about the form of a header: a test with the name
// of a row of test/requirements proves that row.

func TestRFC9293_MUST_4(t *testing.T) {
	for b, want := range map[string]TCPOptions{
		"0204 05b4":            {MSS: 1460},
		"01 01 0204 05b4 01":   {MSS: 1460},
		"00 02 0204 05b4":      {}, // the end: nothing after it counts
		"0204 05b4 00 0303 07": {MSS: 1460},
	} {
		if got := parseOptions(t, unhex(t, b)); got != want {
			t.Errorf("%s: %+v, want %+v", b, got, want)
		}
	}
}

// An option is read in any segment, whatever its flags.
func TestRFC9293_MUST_5(t *testing.T) {
	want := TCPOptions{MSS: 1460, HasTimestamps: true, TSVal: 1, TSEcr: 2, SACKs: 1, SACK: [4]SACKBlock{{3, 4}}}
	for flags := range 256 {
		h := TCPHeader{Flags: TCPFlags(flags), Options: want}
		b := make([]byte, MaxTCPLen)
		got, _, err := ParseTCP(b[:h.Put(b)])
		if err != nil || got.Options != want {
			t.Errorf("%v: %+v, %v; want %+v", TCPFlags(flags), got.Options, err, want)
		}
	}
}

// Every kind that we do not know, of every length, before one that we do.
func TestRFC9293_MUST_6(t *testing.T) {
	known := map[int]bool{optEnd: true, optNop: true, optMSS: true, optWScale: true, optSACKPermitted: true, optSACK: true, optTimestamps: true}
	for kind := range 256 {
		for length := 2; length <= 36 && !known[kind]; length++ {
			b := bytes.Repeat([]byte{0xff}, length)
			b[0], b[1] = byte(kind), byte(length)
			if got := parseOptions(t, append(b, optMSS, lenMSS, 0x05, 0xb4)); got.MSS != 1460 {
				t.Fatalf("an MSS behind kind %d of length %d is read as %d", kind, length, got.MSS)
			}
		}
	}
}

// Any kind with any length, at any distance from the end of the options: the
// segment is not lost, and what came before counts.
func TestRFC9293_MUST_7(t *testing.T) {
	for kind := range 256 {
		for length := range 256 {
			for _, room := range []int{1, 2, 3, 4, 10, 35, 36} {
				options := append([]byte{optMSS, lenMSS, 0x05, 0xb4}, bytes.Repeat([]byte{byte(length)}, room)...)
				options[4] = byte(kind)
				got := parseOptions(t, options)
				if again := kind == optMSS && length == lenMSS; got.MSS != 1460 && !again {
					t.Fatalf("kind %d, length %d, %d bytes left: the MSS before it is %d", kind, length, room, got.MSS)
				}
			}
		}
	}
}

// Options that begin at any byte.
func TestRFC9293_MUST_64(t *testing.T) {
	want := TCPOptions{MSS: 1460, HasWScale: true, WScale: 7, HasTimestamps: true, TSVal: 1, TSEcr: 2}
	for before := range 4 {
		for between := range 4 {
			nops := bytes.Repeat([]byte{optNop}, before)
			b := append(nops, unhex(t, "0204 05b4 0303 07")...)
			b = append(b, bytes.Repeat([]byte{optNop}, between)...)
			if got := parseOptions(t, append(b, unhex(t, "080a 00000001 00000002")...)); got != want {
				t.Errorf("%d before and %d between: %+v, want %+v", before, between, got, want)
			}
		}
	}
}

// everyHeader calls do with the bytes of a header for each set of options, put
// where there was something else before.
func everyHeader(do func(o TCPOptions, options []byte)) {
	for set := range 1 << 4 {
		for blocks := range 5 {
			o := TCPOptions{SACKs: blocks, SACK: [4]SACKBlock{{1, 2}, {3, 4}, {5, 6}, {7, 8}}}
			if set&1 != 0 {
				o.MSS = 1460
			}
			if set&2 != 0 {
				o.HasWScale, o.WScale = true, 7
			}
			o.SACKPermitted, o.HasTimestamps = set&4 != 0, set&8 != 0
			b := bytes.Repeat([]byte{0xaa}, MaxTCPLen)
			h := TCPHeader{Options: o}
			do(o, b[TCPLen:h.Put(b)])
		}
	}
}

// A reader that believes lengths alone finds every option whole.
func TestRFC9293_MUST_68(t *testing.T) {
	everyHeader(func(o TCPOptions, b []byte) {
		sent := b
		for len(b) > 0 && b[0] != optEnd {
			n := 1
			if b[0] != optNop {
				if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
					t.Fatalf("%+v is put as %x: the length at %x cannot be", o, sent, b)
				}
				if b[0] > optTimestamps {
					t.Fatalf("%+v is put as %x: there is no kind %d", o, sent, b[0])
				}
				n = int(b[1])
			}
			b = b[n:]
		}
	})
}

// What is beyond the end of the options is zero, and the header ends at a word.
// Ours leaves nothing there: NOPs bring each option to the end of one.
func TestRFC9293_MUST_69(t *testing.T) {
	everyHeader(func(o TCPOptions, b []byte) {
		if len(b)%4 != 0 {
			t.Fatalf("%+v is put as %x: no whole words", o, b)
		}
		at := 0
		for at < len(b) && b[at] != optEnd {
			if b[at] == optNop {
				at++
				continue
			}
			if at+1 >= len(b) {
				t.Fatalf("%+v is put as %x: cut off", o, b)
			}
			at += int(max(b[at+1], 2))
		}
		if at > len(b) {
			t.Fatalf("%+v is put as %x: it reaches beyond the header", o, b)
		}
		if padding := b[at:]; !bytes.Equal(padding, make([]byte, len(padding))) {
			t.Fatalf("%+v is put as %x: padded with %x", o, b, padding)
		}
	})
}
