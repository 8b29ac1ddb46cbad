package dns

import (
	"context"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"slashnet/stack/neterr"
)

// directory is a resolver of three names.
func directory(_ context.Context, host string) ([]netip.Addr, error) {
	switch host {
	case "web.example.org":
		return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
	case "slow.example.org":
		return nil, neterr.NameTimeout.With("%q", host)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	return nil, neterr.UnknownName.With("%q", host)
}

func TestCS(t *testing.T) {
	cs := CS{Lookup: directory, Root: "/net"}
	for _, test := range []struct{ query, want string }{
		{"tcp!192.0.2.9!80", "/net/tcp/clone 192.0.2.9!80"},
		{"tcp!192.0.2.9!80\n", "/net/tcp/clone 192.0.2.9!80"},
		{"net!192.0.2.9!80", "/net/tcp/clone 192.0.2.9!80"},
		{"net!web.example.org!http", "/net/tcp/clone 192.0.2.1!80|/net/tcp/clone 2001:db8::1!80"},
		{"udp!192.0.2.9!domain", "/net/udp/clone 192.0.2.9!53"},
		{"udp!192.0.2.9!0", "/net/udp/clone 192.0.2.9!0"},
		{"icmp!192.0.2.9!1", "/net/icmp/clone 192.0.2.9!1"},
		{"icmp!192.0.2.9", "/net/icmp/clone 192.0.2.9"},
		{"icmp!web.example.org", "/net/icmp/clone 192.0.2.1"},
		{"icmpv6!web.example.org", "/net/icmpv6/clone 2001:db8::1"},
		{"192.0.2.9", "/net/tcp/clone 192.0.2.9"},
		{"web.example.org", "/net/tcp/clone 192.0.2.1|/net/tcp/clone 2001:db8::1"},
		{"tcp!2001:db8::2!443", "/net/tcp/clone 2001:db8::2!443"},
		{"tcp!*!http", "/net/tcp/clone 80"},
		{"net!*!8080", "/net/tcp/clone 8080"},
		{"udp!*!domain", "/net/udp/clone 53"},
		{"tcp!192.0.2.9!80!r", "/net/tcp/clone 192.0.2.9!80!r"},
		{"tcp!192.0.2.9!80!a!b", "/net/tcp/clone 192.0.2.9!80!a!b"},
		{"tcp!*!80!r", "/net/tcp/clone 80!r"},
		{"il!helix!9fs", "/net/il/clone helix!9fs"},
		{"il!helix", "/net/il/clone helix"},
	} {
		answers, err := cs.Query(context.Background(), test.query)
		if got := strings.Join(answers, "|"); err != nil || got != test.want {
			t.Errorf("%q: %q (%v), want %q", test.query, got, err, test.want)
		}
	}
	for _, test := range []struct {
		query, words string
		errno        syscall.Errno
	}{
		{"tcp!no.example.org!80", "can't translate address: no such host name", syscall.EHOSTUNREACH},
		{"tcp!slow.example.org!80", "can't translate address: no answer", syscall.ETIMEDOUT},
		{"tcp!$dns!53", "can't translate address: no match", syscall.EHOSTUNREACH},
		{"tcp!web.example.org!nothing", "can't translate service", syscall.EINVAL},
		{"tcp!web.example.org!65536", "can't translate service", syscall.EINVAL},
		{"tcp!web.example.org!-1", "can't translate service", syscall.EINVAL},
		{"tcp!web.example.org!+80", "can't translate service", syscall.EINVAL},
		{"icmpv6!192.0.2.9", "can't translate address: resource does not exist", syscall.EHOSTUNREACH},
		{"", "bad query", syscall.EINVAL},
		{"\n", "bad query", syscall.EINVAL},
		{"!", "bad query", syscall.EINVAL},
		{"!ipinfo sys=helix", "bad query", syscall.EINVAL},
		{"!ipinfo", "bad query", syscall.EINVAL},
		{"!sys", "bad query", syscall.EINVAL},
		{"!sys=helix ip", "bad query", syscall.EINVAL},
		{"!=helix", "bad query", syscall.EINVAL},
		{"!sys=helix", "no match", syscall.EHOSTUNREACH},
		{"!ipinfo dns", "no match", syscall.EHOSTUNREACH},
		{"tcp!", "bad query", syscall.EINVAL},
		{"tcp!!80", "bad query", syscall.EINVAL},
		{"tcp!*", "bad query", syscall.EINVAL},
		{"../etc!a!b", "bad query", syscall.EINVAL},
		{"tcp!a b!80", "bad query", syscall.EINVAL},
		{"tcp!192.0.2.9!80!x\ny", "bad query", syscall.EINVAL},
		{"tcp!192.0.2.9!80\n\n", "bad query", syscall.EINVAL},
		{"tcp!\xff!80", "bad query", syscall.EINVAL},
		{strings.Repeat("a", 10_000), "request too long", syscall.EMSGSIZE},
	} {
		answers, err := cs.Query(context.Background(), test.query)
		if answers != nil || err == nil || !strings.HasPrefix(err.Error(), test.words) || errno(err) != test.errno || len(err.Error()) > 300 {
			t.Errorf("%q: %q, %v (%v), want %q", clip(test.query), answers, err, errno(err), test.words)
		}
	}
}

// TestCSDoesNotAskInVain: a service that does not exist costs no look-up.
func TestCSDoesNotAskInVain(t *testing.T) {
	cs := CS{Lookup: func(context.Context, string) ([]netip.Addr, error) {
		t.Error("asked")
		return nil, nil
	}}
	cs.Query(context.Background(), "tcp!web.example.org!nothing")
}

func TestCSOverTheNetwork(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, records(t, zone))
		cs := CS{Lookup: w.Lookup, Root: "/net"}
		answers, err := cs.Query(context.Background(), "net!www.example.org!80")
		if got := strings.Join(answers, "|"); err != nil || got != "/net/tcp/clone 192.0.2.1!80|/net/tcp/clone 192.0.2.2!80" {
			t.Errorf("%q (%v)", got, err)
		}
	})
}

func FuzzCS(f *testing.F) {
	for _, query := range []string{"net!web.example.org!http", "tcp!*!80!r", "il!helix!9fs", "192.0.2.1", "!x", "a!$b!c"} {
		f.Add(query)
	}
	f.Add("!ipinfo sys=db @auth")
	cs := CS{Lookup: directory, Root: "/net", Ndb: func() string { return houseNdb }}
	f.Fuzz(func(t *testing.T, query string) {
		answers, err := cs.Query(context.Background(), query)
		if (err == nil) != (len(answers) > 0) {
			t.Fatalf("%q: %q and %v", query, answers, err)
		}
		for _, line := range answers {
			if strings.HasPrefix(query, "!") {
				if e, err := ParseNdb(line); err != nil || len(e) != 1 {
					t.Errorf("%q gives %q (%v)", query, line, err)
				}
				continue
			}
			path, target, ok := strings.Cut(line, "/clone ")
			if !ok || !strings.HasPrefix(path, "/net/") || strings.Count(path, "/") != 2 || target == "" || strings.ContainsAny(target, " \n\x00") {
				t.Errorf("%q gives %q", query, line)
			}
		}
	})
}
