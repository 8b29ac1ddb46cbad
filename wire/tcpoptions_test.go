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

// Any kind with any length, at any distance from the end of the options.
func TestParseTCPOptionsNeverLoseTheSegment(t *testing.T) {
	for kind := range 256 {
		for length := range 256 {
			for _, room := range []int{1, 2, 3, 4, 10, 39, 40} {
				options := bytes.Repeat([]byte{byte(length)}, room)
				options[0] = byte(kind)
				parseOptions(t, options)
			}
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
