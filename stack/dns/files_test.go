package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"slashnet/stack/neterr"
)

func ports(addrs ...string) (all []netip.AddrPort) {
	for _, a := range addrs {
		all = append(all, netip.AddrPortFrom(netip.MustParseAddr(a), 53))
	}
	return all
}

func TestParseResolvConf(t *testing.T) {
	for text, want := range map[string]Config{
		"": {},
		"# words\n; words\nnameserver 10.0.0.1\nnameserver 2001:db8::1\n":                                              {Servers: ports("10.0.0.1", "2001:db8::1")},
		"nameserver\t10.0.0.1  # here\r\nnameserver nonsense\nnameserver 0.0.0.0\nnameserver 224.0.0.1\n":              {Servers: ports("10.0.0.1")},
		"domain a.example\nsearch B.example c.example. ..\n":                                                           {Search: []string{"b.example.", "c.example."}},
		"search a.example\nsearch .\n":                                                                                 {},
		"options ndots:2 attempts:4 timeout:7 rotate edns0 trust-ad\n":                                                 {Ndots: 2, Attempts: 4, Timeout: 7 * time.Second, Rotate: true},
		"options ndots:0\noptions attempts:0 timeout:0\n":                                                              {Ndots: -1, Attempts: 1, Timeout: time.Second},
		"options ndots:99 attempts:99 timeout:999999999999999999 timeout:99999\n":                                      {Ndots: 15, Attempts: 5, Timeout: 30 * time.Second},
		"options ndots:-1 attempts:x timeout: \nsortlist 1.2.3.4\nnameserver\n":                                        {},
		"nameserver ::ffff:10.0.0.1\nnameserver 10.0.0.2":                                                              {Servers: ports("10.0.0.1", "10.0.0.2")},
		strings.Repeat("nameserver 10.0.0.1\n", 100) + "search" + strings.Repeat(" a", 100) + strings.Repeat("x", 1e5): {Servers: ports(strings.Split(strings.Repeat("10.0.0.1 ", MaxServers-1)+"10.0.0.1", " ")...), Search: strings.Split(strings.Repeat("a. ", maxSearch-1)+"a.", " ")},
	} {
		if got := ParseResolvConf(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%.60q: %+v, want %+v", text, got, want)
		}
	}
}

func TestParseHosts(t *testing.T) {
	h := ParseHosts("127.0.0.1 localhost\n# no\n10.0.0.1\tDb db.example.org. # yes\n10.0.0.2 db\n10.0.0.1 db\n" +
		"300.0.0.1 bad\nfe80::1%eth0 zone\n10.0.0.3\n10.0.0.4 a..b ok \xff\n::ffff:10.0.0.5 mapped\n")
	for name, want := range map[string]string{
		"db": "10.0.0.1 10.0.0.2", "DB.": "10.0.0.1 10.0.0.2", "db.example.org": "10.0.0.1", "localhost": "",
		"bad": "", "zone": "", "ok": "10.0.0.4", "mapped": "10.0.0.5", "a..b": "", "yes": "",
	} {
		if got := text(h.Addrs(name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := fmt.Sprint(h.Names(netip.MustParseAddr("10.0.0.1"))); got != "[Db db.example.org]" {
		t.Errorf("10.0.0.1 is %s", got)
	}
	if got := (Hosts{}).Addrs("db"); got != nil {
		t.Errorf("nothing has %v", got)
	}
}

func TestBadConfig(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		before := fmt.Sprint(w.Config())
		for what, test := range map[string]struct {
			cfg  Config
			want *neterr.Error
		}{
			"nine servers":         {Config{Servers: make([]netip.AddrPort, 9)}, neterr.BadArg},
			"no address":           {Config{Servers: make([]netip.AddrPort, 1)}, neterr.BadAddress},
			"0.0.0.0":              {Config{Servers: ports("0.0.0.0")}, neterr.BadAddress},
			"17 domains":           {Config{Search: make([]string, 17)}, neterr.BadArg},
			"a bad domain":         {Config{Search: []string{"a b"}}, neterr.BadName},
			"many dots":            {Config{Ndots: 16}, neterr.BadArg},
			"attempts":             {Config{Attempts: 6}, neterr.BadArg},
			"negative attempts":    {Config{Attempts: -1}, neterr.BadArg},
			"timeout":              {Config{Timeout: time.Minute}, neterr.BadArg},
			"negative timeout":     {Config{Timeout: -1}, neterr.BadArg},
			"least over most":      {Config{MinTTL: time.Hour, MaxTTL: time.Minute}, neterr.BadArg},
			"negative least":       {Config{MinTTL: -time.Hour}, neterr.BadArg},
			"most below the least": {Config{MaxTTL: -time.Hour}, neterr.BadArg},
		} {
			if wantError(t, what, w.SetConfig(test.cfg), test.want); fmt.Sprint(w.Config()) != before {
				t.Errorf("%s changed it", what)
			}
		}
		if _, err := New(w.client.DialContext, Config{Attempts: -1}); err == nil {
			t.Error("New takes anything")
		}
		must(t, w.SetServers([]netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:0")}))
		if got := w.Config().Servers[0]; got != first {
			t.Errorf("%v", got)
		}
	})
}

// FuzzFiles: whatever the files say, a resolver takes it.
func FuzzFiles(f *testing.F) {
	f.Add("nameserver 10.0.0.1\nsearch a.example b.example\noptions ndots:2 timeout:3\n")
	f.Add("10.0.0.1 db db.example.org # words\n::1 localhost\n")
	f.Add("dns=10.0.0.1 dnsdomain=a.example\n\tsys=\"a b\" # words\nip=10.0.0.1 ipmask=/24\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := ParseResolvConf(text)
		if _, err := c.settled(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		h := ParseHosts(text)
		for name, addrs := range h.addrs {
			if again, err := parseName(name); err != nil || again != name || len(addrs) == 0 {
				t.Errorf("%q: %q is %v (%v)", text, name, addrs, err)
			}
		}
		entries, err := ParseNdb(text)
		if err != nil {
			return
		}
		again, err := ParseNdb(ndbText(entries))
		if long := new(neterr.Error); errors.As(err, &long) && long == neterr.MessageSize {
			return // quotes make it longer
		}
		if err != nil || ndbText(again) != ndbText(entries) {
			t.Errorf("%q is %q, and that %q (%v)", text, entries, again, err)
		}
		if c, err := c.with(entries); err == nil {
			c.settled()
		}
	})
}
