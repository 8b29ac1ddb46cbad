package route

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"slashnet/stack/neterr"
)

func TestParse(t *testing.T) {
	add := func(prefix, via string, metric int) Command {
		return Command{Verb: Add, Route: Route{Prefix: netip.MustParsePrefix(prefix), Via: netip.MustParseAddr(via), Metric: metric}}
	}
	remove := func(prefix, via string) Command {
		c := Command{Verb: Remove, Route: Route{Prefix: netip.MustParsePrefix(prefix)}}
		if via != "" {
			c.Route.Via = netip.MustParseAddr(via)
		}
		return c
	}
	for line, want := range map[string]Command{
		"add 10.1.0.0 255.255.0.0 10.0.0.1":     add("10.1.0.0/16", "10.0.0.1", 0),
		"add 10.1.0.0 255.255.0.0 10.0.0.1 100": add("10.1.0.0/16", "10.0.0.1", 100),
		"add 10.1.0.0 /16 10.0.0.1":             add("10.1.0.0/16", "10.0.0.1", 0),
		"add 10.1.0.0 /112 10.0.0.1":            add("10.1.0.0/16", "10.0.0.1", 0),
		"add 10.1.0.0/16 10.0.0.1":              add("10.1.0.0/16", "10.0.0.1", 0),
		"add 10.1.0.0/112 10.0.0.1 7":           add("10.1.0.0/16", "10.0.0.1", 7),
		" add\t10.1.2.3/16   10.0.0.1\n":        add("10.1.0.0/16", "10.0.0.1", 0),
		"add 0 0 10.0.0.1":                      add("0.0.0.0/0", "10.0.0.1", 0),
		"add 0.0.0.0 0.0.0.0 10.0.0.1":          add("0.0.0.0/0", "10.0.0.1", 0),
		"add 0.0.0.0 /96 10.0.0.1":              add("0.0.0.0/0", "10.0.0.1", 0),
		"add 10.9.9.9 /128 10.0.0.1":            add("10.9.9.9/32", "10.0.0.1", 0),
		"add 10.9.9.9 /32 10.0.0.1":             add("10.9.9.9/32", "10.0.0.1", 0),
		"add ::ffff:10.9.9.9 /32 10.0.0.1":      add("10.9.9.9/32", "10.0.0.1", 0),
		"add 2001:db8::/32 fe80::1":             add("2001:db8::/32", "fe80::1", 0),
		"add 2001:db8:: /96 fe80::1 1073741824": add("2001:db8::/96", "fe80::1", 1<<30),
		"add 2001:db8:: ffff:ffff:: fe80::1":    add("2001:db8::/32", "fe80::1", 0),
		"add :: 0 fe80::1":                      add("::/0", "fe80::1", 0),
		"remove 10.1.0.0 255.255.0.0":           remove("10.1.0.0/16", ""),
		"del 10.1.0.0/16":                       remove("10.1.0.0/16", ""),
		"remove 10.1.0.0/16 10.0.0.1":           remove("10.1.0.0/16", "10.0.0.1"),
		"remove 10.1.0.0 /112 10.0.0.1":         remove("10.1.0.0/16", "10.0.0.1"),
		"flush":                                 {Verb: Flush},
		"flush dhcp":                            {Verb: Flush, Tag: "dhcp"},
		"tag dhcp":                              {Verb: Tag, Tag: "dhcp"},
	} {
		if got, err := Parse(line); err != nil || got != want {
			t.Errorf("%q: %+v %v, want %+v", line, got, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct {
		line, word string // the error names the word
		err        error
	}{
		{"", "want add", neterr.ShortControl},
		{" \n", "want add", neterr.ShortControl},
		{"route 10.0.0.1", `"route"`, neterr.UnknownControl},
		{"add", "0 words after add", neterr.BadControl},
		{"add 10.0.0.0", "1 words after add", neterr.BadControl},
		{"add 10.0.0.0 /8", "2 words after add", neterr.BadControl},
		{"add 10.0.0.0/8", "1 words after add", neterr.BadControl},
		{"add 10.0.0.0/8 10.0.0.1 1 2", "4 words after add", neterr.BadControl},
		{"remove 10.0.0.0", "1 words after remove", neterr.BadControl},
		{"remove 10.0.0.0/8 10.0.0.1 7", "3 words after remove", neterr.BadControl},
		{"flush a b", "2 words after flush", neterr.BadControl},
		{"tag", "0 words after tag", neterr.BadControl},
		{"tag a b", "2 words after tag", neterr.BadControl},
		{"tag abcde", `"abcde"`, neterr.BadArg},
		{"tag a\x1b", `"a\x1b"`, neterr.BadArg},
		{"tag \xff", `"\xff"`, neterr.BadArg},
		{"flush abcde", `"abcde"`, neterr.BadArg},
		{"add 10.0.0/8 10.0.0.1", `"10.0.0"`, neterr.BadAddress},
		{"add fe80::%eth0/8 fe80::1", `"fe80::%eth0"`, neterr.BadAddress},
		{"add ::/0 2001:db8::1%1", `only a link-local address`, neterr.BadAddress},
		{"add 0.0.0.0/0 fe80::1%1", `not of the family`, neterr.BadAddress},
		{"add 10.0.0.0 /33 10.0.0.1", `"/33" of 10.0.0.0: want /0 to /32`, neterr.BadAddress},
		{"add 10.0.0.0/129 10.0.0.1", `"/129"`, neterr.BadAddress},
		{"add 10.0.0.0/-1 10.0.0.1", `"/-1"`, neterr.BadAddress},
		{"add 10.0.0.0/ 10.0.0.1", `"/"`, neterr.BadAddress},
		{"add 2001:db8::/129 fe80::1", `"/129" of 2001:db8::: want /0 to /128`, neterr.BadAddress},
		{"add 10.0.0.0 255.0.255.0 10.0.0.1", `"255.0.255.0"`, neterr.BadAddress},
		{"add 10.0.0.0 24 10.0.0.1", `"24"`, neterr.BadAddress},
		{"add 10.0.0.0 ffff:: 10.0.0.1", `"ffff::"`, neterr.BadAddress},
		{"add 2001:db8:: 255.255.0.0 fe80::1", `"255.255.0.0"`, neterr.BadAddress},
		{"add 10.0.0.0/8 hop", `"hop"`, neterr.BadAddress},
		{"add 10.0.0.0/8 fe80::1", "fe80::1", neterr.BadAddress},
		{"add 10.0.0.0/8 0.0.0.0", "0.0.0.0", neterr.BadAddress},
		{"add 10.0.0.0/8 224.0.0.1", "224.0.0.1", neterr.BadAddress},
		{"add 10.0.0.0/8 255.255.255.255", "255.255.255.255", neterr.BadAddress},
		{"add 10.0.0.0/8 10.0.0.1 -1", `"-1"`, neterr.BadArg},
		{"add 10.0.0.0/8 10.0.0.1 x", `"x"`, neterr.BadArg},
		{"add 10.0.0.0/8 10.0.0.1 1073741825", `"1073741825"`, neterr.BadArg},
		{"remove 10.0.0.0/8 fe80::1", "fe80::1", neterr.BadAddress},
		{"remove x/8", `"x"`, neterr.BadAddress},
	} {
		_, err := Parse(test.line)
		if !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.word) {
			t.Errorf("%q: %v, want %v with %s", test.line, err, test.err, test.word)
		}
	}
}

func TestText(t *testing.T) {
	table := host()
	r := gateway("10.1.0.0/16", "10.0.0.9", 0, 100)
	r.Tag = "dhcp"
	table.Add(r)
	r.Iface, r.Prefix = -1, netip.MustParsePrefix("10.2.0.0/16")
	table.Add(r)
	want := `0.0.0.0         /0   10.0.0.1           4 none   0 0
10.0.0.0        /24  10.0.0.0          4i  ifc   0 0
10.0.0.2        /32  10.0.0.2          4u  ifc   0 0
10.0.0.255      /32  10.0.0.255        4b  ifc   0 0
10.1.0.0        /16  10.0.0.9           4 dhcp   0 100
10.2.0.0        /16  10.0.0.9           4 dhcp   - 100
224.0.0.1       /32  224.0.0.1         4m  ifc   0 0
2001:db8::      /64  2001:db8::        6i  ifc   0 0
2001:db8::2     /128 2001:db8::2       6u  ifc   0 0
`
	if got := table.Text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// do runs a line as the file does.
func do(table *Table, line string, tag *string) error {
	c, err := Parse(line)
	if err != nil {
		return err
	}
	return table.Do(c, tag)
}

func TestDo(t *testing.T) {
	table, tag := host(), ""
	table.Add(ours(OnLink, "192.0.2.0/24", 1))
	for _, step := range []struct {
		line, dst, via string // after line, datagrams to dst go by via
	}{
		{"add 10.1.0.0/16 10.0.0.5", "10.1.0.1", "10.0.0.5 0 none"},
		{"add 10.1.0.0/16 192.0.2.5", "10.1.0.1", "192.0.2.5 1 none"}, // takes its place
		{"add 10.1.0.0/16 10.0.0.6 10", "10.1.0.1", "192.0.2.5 1 none"},
		{"tag web", "10.1.0.1", "192.0.2.5 1 none"},
		{"add 10.2.0.0 255.255.0.0 10.0.0.7", "10.2.0.1", "10.0.0.7 0 web"},
		{"remove 10.1.0.0/16 192.0.2.5", "10.1.0.1", "10.0.0.6 0 none"},
		{"remove 10.1.0.0/16", "10.1.0.1", "10.0.0.1 0 none"},
		{"flush web", "10.2.0.1", "10.0.0.1 0 none"},
		{"flush", "10.0.0.9", "invalid IP 0 ifc"},
	} {
		if err := do(table, step.line, &tag); err != nil {
			t.Fatalf("%s: %v", step.line, err)
		}
		r, _ := table.Lookup(netip.MustParseAddr(step.dst))
		if got := strings.TrimSpace(strings.Join([]string{r.Via.String(), strconv.Itoa(r.Iface), r.Tag}, " ")); got != step.via {
			t.Fatalf("%s: %s by %s, want %s", step.line, step.dst, got, step.via)
		}
	}
}

// Bad commands say why, and change nothing.
func TestDoErrors(t *testing.T) {
	table, tag := host(), ""
	before := table.Text()
	for _, test := range []struct {
		line, word string
		err        error
	}{
		{"add 10.1.0.0/16 172.16.0.1", "172.16.0.1", neterr.NetUnreachable}, // only behind a gateway
		{"add 2001:db8:1::/48 fe80::1", "say which", neterr.BadAddress},
		{"add 2001:db8:1::/48 2001:db8:9::1", "2001:db8:9::1", neterr.NetUnreachable},
		{"add 10.1.0.0/16 10.0.0.2", "our own address", neterr.BadAddress},
		{"add 10.1.0.0/16 10.0.0.255", "10.0.0.255", neterr.BadAddress},
		{"remove 10.3.0.0/16", "10.3.0.0/16", neterr.NoRoute},
		{"remove 0.0.0.0/0 10.0.0.7", "10.0.0.1", neterr.NoRoute},
		{"remove 10.0.0.0/24", "interface 0", neterr.BadArg},
	} {
		err := do(table, test.line, &tag)
		if !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.word) {
			t.Errorf("%q: %v, want %v with %s", test.line, err, test.err, test.word)
		}
	}
	if table.Text() != before || tag != "" {
		t.Errorf("changed to %q\n%s", tag, table.Text())
	}
}

func TestDoIsBounded(t *testing.T) {
	table, tag := host(), ""
	for i := 0; table.Len() < MaxRoutes; i++ {
		a := netip.AddrFrom4([4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)})
		table.Add(Route{Prefix: netip.PrefixFrom(a, 32), Via: netip.MustParseAddr("10.0.0.1")})
	}
	if err := do(table, "add 10.1.0.0/16 10.0.0.1", &tag); !errors.Is(err, neterr.NoMemory) {
		t.Errorf("error %v", err)
	}
	if err := do(table, "add 0 0 10.0.0.9", &tag); err != nil || table.Len() != MaxRoutes {
		t.Errorf("replacing: %v", err)
	}
	table.Flush("")
	if table.Len() != 6 {
		t.Errorf("flush left %d", table.Len())
	}
}

// FuzzParse: no line crashes, and what was accepted can be said again in the
// view's own form with the same meaning.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"add 0 0 10.0.0.1", "add 10.1.0.0 255.255.0.0 10.0.0.1 5", "add 10.1.0.0/112 10.0.0.1", "add 2001:db8::/32 fe80::1",
		"remove 10.0.0.0 /8", "del 10.0.0.0/8 10.0.0.1", "flush", "flush dhcp", "tag x", "add 10.0.0.0/33 a", "tag \x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(line)
		if err != nil {
			var e *neterr.Error
			if !errors.As(err, &e) || len(err.Error()) > 600 {
				t.Fatalf("%q: error %v", line, err)
			}
			return
		}
		if got, err := Parse(c.line()); err != nil || got != c {
			t.Fatalf("%q is %+v, but %q is %+v, %v", line, c, c.line(), got, err)
		}
		tag := ""
		host().Do(c, &tag)
	})
}

// line says a command in one way of many.
func (c Command) line() string {
	var words []string
	r := c.Route
	switch c.Verb {
	case Flush:
		words = []string{"flush", c.Tag}
	case Tag:
		words = []string{"tag", c.Tag}
	case Remove:
		words = []string{"remove", r.Prefix.String()}
		if r.Via.IsValid() {
			words = append(words, r.Via.String())
		}
	case Add:
		words = []string{"add", r.Prefix.String(), r.Via.String(), strconv.Itoa(r.Metric)}
	}
	return strings.Join(words, " ")
}
