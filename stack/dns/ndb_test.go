package dns

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"slashnet/stack/neterr"
)

func TestParseNdb(t *testing.T) {
	for text, want := range map[string]string{
		"":       "",
		"\n# \n": "",
		"dns=10.0.0.1\n\tdnsdomain=a.example # words\ndns=10.0.0.2": "dns=10.0.0.1 dnsdomain=a.example\ndns=10.0.0.2\n",
		" ip=10.0.0.5\tdom=db.lab\r\n":                              "ip=10.0.0.5 dom=db.lab\n",
		`txt="two words" x="" a==b`:                                 "txt=\"two words\" x=\"\" a==b\n",
		"a=b#c d=\"#\"\n":                                           "a=\"b#c\" d=\"#\"\n",
	} {
		entries, err := ParseNdb(text)
		if got := ndbText(entries); err != nil || got != want {
			t.Errorf("%q: %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestWritten(t *testing.T) {
	in(t, Config{Search: []string{"lab"}}, func(t *testing.T, w *world) {
		must(t, w.WriteNdb("dns=10.0.0.3\n", false))
		must(t, w.WriteNdb("ip=192.0.2.5\n\tdom=db.example\n", true))
		if got := w.Written(); got != "dns=10.0.0.3\nip=192.0.2.5 dom=db.example\n" {
			t.Errorf("%q", got)
		}
	})
}

// A bad text changes nothing, and the words say what would be right.
func TestBadNdb(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		must(t, w.WriteNdb("dns=10.0.0.3\nip=192.0.2.5 dom=db.example\n", false))
		before := w.Ndb()
		for text, words := range map[string]string{
			"nameserver 10.0.0.1":                 "pairs ATTRIBUTE=VALUE",
			"dns=10.0.0.1 = x":                    "pairs ATTRIBUTE=VALUE",
			"x=\"a b":                             "the quote is not closed",
			"x=\x01":                              "printable",
			"x=\xff":                              "printable",
			"dns=nonsense":                        "nonsense",
			"dns=":                                "as a name server",
			"dns=0.0.0.0":                         "0.0.0.0",
			"dns=10.0.0.1!99999":                  "10.0.0.1!99999",
			"dns=10.0.0.1\ndnsdomain=a..b":        "empty label",
			"ip=10.0.0 dom=x":                     "ip=10.0.0",
			"ip=10.0.0.1 dom=a..b":                "empty label",
			"ip=10.0.0.1 sys=" + long(10_000):     "10000 characters",
			strings.Repeat("a=b\n", maxNdb/4+1):   "at most",
			"dns=10.0.0.1 " + servers(MaxServers): "at most 8",
		} {
			for _, more := range []bool{false, true} {
				err := w.WriteNdb(text, more)
				if err == nil || !strings.Contains(err.Error(), words) || len(err.Error()) > 400 || w.Ndb() != before {
					t.Errorf("%q: %v, want %q; ndb is %q", clip(text), err, words, w.Ndb())
				}
			}
		}
	})
}

func long(n int) string { return strings.Repeat("x", n) }

func servers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "dns=10.1.0.%d ", i+1)
	}
	return b.String()
}

// What is written goes before the flags, and goes away again.
func TestNdbGoesBefore(t *testing.T) {
	cfg := Config{Servers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.9:5353")}, Search: []string{"flags.example"},
		Hosts: ParseHosts("192.0.2.7 db.example.org file.example.org\n")}
	in(t, cfg, func(t *testing.T, w *world) {
		expect := func(want string) {
			t.Helper()
			if got := w.Ndb(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		server := w.serve(second, records(t, zone))
		expect("dns=10.0.0.9!5353\ndnsdomain=flags.example\n")
		must(t, w.WriteNdb("ip=192.0.2.5 dom=db.example.org sys=db\n", false))
		expect("dns=10.0.0.9!5353\ndnsdomain=flags.example\nip=192.0.2.5 dom=db.example.org sys=db\n")
		w.found("db.example.org", "192.0.2.5")
		w.found("DB", "192.0.2.5")
		w.found("file.example.org", "192.0.2.7")
		must(t, w.WriteNdb("dns=10.0.0.3\ndnsdomain=example.org\n", true))
		must(t, w.WriteNdb("\tdns=10.0.0.4\n", true)) // goes on
		expect("ip=192.0.2.5 dom=db.example.org sys=db\ndns=10.0.0.3\ndnsdomain=example.org dns=10.0.0.4\n")
		w.found("www", "192.0.2.1 192.0.2.2")
		if n := len(server.questions()); n != 1 {
			t.Errorf("%d questions: %q", n, server.questions())
		}
		names, err := w.LookupAddr(context.Background(), netip.MustParseAddr("192.0.2.5"))
		if fmt.Sprint(names) != "[db.example.org db]" || err != nil {
			t.Errorf("192.0.2.5 is %q, %v", names, err)
		}
		// What is read can be written: what is said of interfaces is theirs.
		text := "ip=10.0.0.1 ipmask=/24 ipgw=10.0.0.2\n" + w.Ndb()
		before := w.Ndb()
		must(t, w.WriteNdb(text, false))
		expect(before)
		must(t, w.WriteNdb("\n", false))
		expect("dns=10.0.0.9!5353\ndnsdomain=flags.example\n")
		w.found("db.example.org", "192.0.2.7")
		// The flags change below it.
		must(t, w.WriteNdb("dns=10.0.0.3", false))
		must(t, w.SetServers([]netip.AddrPort{first}))
		expect("dnsdomain=flags.example\ndns=10.0.0.3\n")
		must(t, w.WriteNdb("", false))
		expect("dns=10.0.0.2\ndnsdomain=flags.example\n")
	})
}

// The file dns knows what the ndb does, and answers in its form.
func TestDNSOfNdb(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		server := w.serve(first, records(t, zone))
		must(t, w.WriteNdb("ip=192.0.2.5 ip=2001:db8::5 dom=db.lab\n", false))
		d := DNS{w.Resolver}
		for query, want := range map[string]string{
			"db.lab":                    "db.lab ip\t192.0.2.5",
			"db.lab ipv6":               "db.lab ipv6\t2001:db8::5",
			"192.0.2.5 ptr":             "5.2.0.192.in-addr.arpa ptr\tdb.lab",
			"localhost":                 "localhost ip\t127.0.0.1",
			"!db.lab":                   "dom=db.lab ip=192.0.2.5",
			"!example.org mx":           "dom=example.org mx=mail.example.org pref=10",
			"!example.org txt":          `dom=example.org txt="v=spf1 -all"`,
			"!www.example.org ipv6":     "dom=www.example.org ip=2001:db8::1",
			"_sip._tcp.example.org srv": "_sip._tcp.example.org srv\t1 2 5060 sip.example.org",
		} {
			lines, err := d.Query(context.Background(), query)
			if got := strings.Join(lines, "|"); got != want || err != nil {
				t.Errorf("%q: %q (%v), want %q", query, got, err, want)
			}
		}
		if asked := strings.Join(server.questions(), " "); strings.Contains(asked, "lab.") || strings.Contains(asked, "localhost") {
			t.Errorf("servers were asked: %s", asked)
		}
		if _, err := d.Query(context.Background(), "x.invalid ip"); errno(err) != syscall.EHOSTUNREACH {
			t.Error(err)
		}
	})
}

const houseNdb = `
ip=10.0.0.1 ipmask=/24 ipgw=10.0.0.254
dns=10.0.0.2!5353
dns=10.0.0.3
ntp=clock.example
ipnet=lab ip=10.0.0.0 ipmask=255.255.0.0 auth=big.example
ipnet=bench ip=10.0.0.0 ipmask=/120 auth=192.0.2.9 smtp=web.example.org
ipnet=far ip=10.9.0.0 ipmask=/16 auth=far.example fs=far.example
sys=me ip=10.0.0.1 editor=acme
sys=db dom=db.example ip=10.9.0.5 txt="two words"
`

func TestCSOfNdb(t *testing.T) {
	refreshed := 0
	cs := CS{Lookup: directory, Root: "/net", Ndb: func() string { return houseNdb }, Refresh: func() error { refreshed++; return nil }}
	for _, test := range []struct{ query, want string }{
		{"tcp!$dns!53", "/net/tcp/clone 10.0.0.2!53|/net/tcp/clone 10.0.0.3!53"},
		{"tcp!$auth!567", "/net/tcp/clone 192.0.2.9!567"}, // of the smaller network
		{"tcp!$smtp!25", "/net/tcp/clone 192.0.2.1!25|/net/tcp/clone 2001:db8::1!25"},
		{"!sys=db", `sys=db dom=db.example ip=10.9.0.5 txt="two words"`},
		{"!sys=db dom=db.example", `sys=db dom=db.example ip=10.9.0.5 txt="two words"`},
		{"!ip=10.0.0.1", "ip=10.0.0.1 ipmask=/24 ipgw=10.0.0.254|sys=me ip=10.0.0.1 editor=acme"},
		{"!ipinfo dns ipgw editor", "dns=10.0.0.2!5353 dns=10.0.0.3 ipgw=10.0.0.254 editor=acme"},
		{"!ipinfo sys=db auth ntp ip", "auth=far.example ntp=clock.example ip=10.9.0.5"},
		{"!ipinfo ip=10.0.0.1 auth @smtp", "auth=192.0.2.9 smtp=192.0.2.1 smtp=2001:db8::1"},
		{"refresh\n", ""},
	} {
		answers, err := cs.Query(context.Background(), test.query)
		if got := strings.Join(answers, "|"); err != nil || got != test.want {
			t.Errorf("%q: %q (%v), want %q", test.query, got, err, test.want)
		}
	}
	if refreshed != 1 {
		t.Errorf("refreshed %d times", refreshed)
	}
	for query, want := range map[string]*neterr.Error{
		"tcp!$fs!564":             neterr.NoMatch, // of another network
		"tcp!$ntp!123":            neterr.UnknownName,
		"tcp!$!80":                neterr.NoMatch,
		"!sys=db dom=no":          neterr.NoMatch,
		"!ipinfo sys=nobody ipgw": neterr.NoMatch,
		"!ipinfo @ntp":            neterr.UnknownName,
	} {
		answers, err := cs.Query(context.Background(), query)
		if wantError(t, query, err, want); answers != nil {
			t.Errorf("%q: %q", query, answers)
		}
	}
}
