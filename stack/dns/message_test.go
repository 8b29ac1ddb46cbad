package dns

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	msg "github.com/miekg/dns"
)

// FuzzAnswer: whatever a server sends, an answer of it is bounded, printable and
// about the question.
func FuzzAnswer(f *testing.F) {
	const name = "wWw.eXample.org."
	for _, lines := range [][]string{
		{"@ 60 IN A 192.0.2.1", "@ 60 IN A 192.0.2.2"},
		{"@ 60 IN CNAME b.example.", "b.example. 60 IN CNAME c.example.", "c.example. 60 IN A 192.0.2.1"},
		{"@ 60 IN CNAME @"},
		{"@ 60 IN MX 10 mail.example.org.", `@ 60 IN TXT "a\"b\000c"`, "@ 60 IN SOA a. b. 1 2 3 4 5"},
		{"@ 60 IN HTTPS 1 . alpn=h2", "@ 60 IN CAA 0 issue \"x\"", "@ 60 IN NSEC a. A", "@ 60 IN TYPE999 \\# 3 010203"},
		nil,
	} {
		q := new(msg.Msg).SetQuestion(name, msg.TypeANY)
		m := says(f, lines...)(nil, q)
		m.Compress = true
		b, err := m.Pack()
		must(f, err)
		for _, kind := range []uint16{msg.TypeA, msg.TypeMX, msg.TypeANY, msg.TypeHTTPS} {
			f.Add(b, kind)
		}
		m.Rcode = msg.RcodeNameError
		m.Ns, m.Answer = m.Answer, nil
		b, err = m.Pack()
		must(f, err)
		f.Add(b, msg.TypeA)
	}
	f.Fuzz(func(t *testing.T, packet []byte, kind uint16) {
		q := &query{id: 1, spelling: name, kind: kind}
		// What an attacker knows by guessing, the fuzzer need not guess.
		if question := append(packWire(t, name), byte(kind>>8), byte(kind), 0, 1); len(packet) >= headerLen+len(question) {
			binary.BigEndian.PutUint16(packet, 1)
			packet[2] = packet[2]&^0x78 | 0x80
			binary.BigEndian.PutUint16(packet[4:], 1)
			copy(packet[headerLen:], question)
		}
		m, err := q.read(packet)
		if (m == nil) != (err != nil && err != errSpelling) {
			t.Fatalf("%v and %v", m, err)
		}
		if m == nil || len(m.Question) == 0 {
			return
		}
		lame(m)
		c := newChain(question{lower(name), kind}, time.Hour)
		done := c.add(m)
		if c.ttl < 0 || c.ttl > time.Hour || len(c.records) > maxRecords+maxChain || len(c.seen) > maxChain+1 {
			t.Errorf("ttl %v, %d records, %d names", c.ttl, len(c.records), len(c.seen))
		}
		if done && c.err != nil && c.records != nil {
			t.Errorf("%v and %v", c.err, c.records)
		}
		if !done {
			if _, err := newQuery(question{c.at, kind}, true); err != nil {
				t.Errorf("cannot go on with %q: %v", c.at, err)
			}
		}
		for _, r := range c.records {
			if strings.ContainsFunc(r.Name+r.Type+r.Value, func(c rune) bool { return c < ' ' || c > '~' }) || r.TTL < 0 {
				t.Errorf("%+v", r)
			}
		}
	})
}

func packWire(t testing.TB, name string) []byte {
	b := make([]byte, 256)
	n, err := msg.PackDomainName(name, b, 0, nil, false)
	must(t, err)
	return b[:n]
}

// TestRecordsArePlain: nothing that a server sends ends a line or moves a cursor,
// or gives the spelling of a question away.
func TestRecordsArePlain(t *testing.T) {
	for _, test := range []struct {
		rr   msg.RR
		want string
	}{
		{&msg.TXT{Hdr: msg.RR_Header{Rrtype: msg.TypeTXT}, Txt: []string{"a\nb", "\x1b[2J\x7f", "\xff"}}, "a b [2J ?"},
		{&msg.CNAME{Hdr: msg.RR_Header{Rrtype: msg.TypeCNAME}, Target: "wWw.Example.ORG."}, "www.example.org"},
		{&msg.CNAME{Hdr: msg.RR_Header{Rrtype: msg.TypeCNAME}, Target: "."}, "."},
		{&msg.HINFO{Hdr: msg.RR_Header{Rrtype: msg.TypeHINFO}, Cpu: "PDP\t11", Os: "UNIX"}, `"PDP\00911" "UNIX"`},
	} {
		if r := newRecord(test.rr); r.Value != test.want {
			t.Errorf("%v is %q, want %q", test.rr, r.Value, test.want)
		}
	}
	// RFC 2181 §8.
	if got := ttl(1 << 31); got != 0 {
		t.Errorf("a TTL with its highest bit is %v", got)
	}
}
