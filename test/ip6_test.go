package test

// IPv6 against the kernel: what the rest of this package proves over IPv4, over
// both families; and what only IPv6 has.

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

// The IPv6 addresses of the daemon and the kernel, where a test wants them.
const (
	addr6     = "fd00:114::2"
	hostAddr6 = "fd00:114::1"
)

// dual is a world of both families.
func dual(t *testing.T, flags ...string) *netns.Net {
	t.Helper()
	n := world(t, append([]string{"--addr", addr6 + "/64", "--host-addr", hostAddr6 + "/64"}, flags...)...)
	n.Serve(peer(t), "serve", hostAddr6)
	return n
}

// eventually runs a command of a shell until it prints some words.
func eventually(t *testing.T, n *netns.Net, script, words string) string {
	t.Helper()
	var out string
	for begin := time.Now(); time.Since(begin) < deadline; time.Sleep(20 * time.Millisecond) {
		if out = n.Shell("dash", script); strings.Contains(out, words) {
			return out
		}
	}
	t.Fatalf("%s printed\n%s\nand not %q within %v", script, out, words, deadline)
	return ""
}

func TestBothFamilies(t *testing.T) {
	n := dual(t)
	p, slashnet := peer(t), netns.Binary(t, "./cmd/slashnet")
	const size = 96 << 20
	want := sum(n, p, size)
	for _, f := range []struct{ name, ours, theirs, icmp, socat string }{
		{"IPv4", netns.Addr, netns.HostAddr, "icmp", "TCP4:" + netns.Addr},
		{"IPv6", "[" + addr6 + "]", "[" + hostAddr6 + "]", "icmpv6", "TCP6:[" + addr6 + "]"},
	} {
		t.Run(f.name, func(t *testing.T) {
			n := n.For(t)
			begin := time.Now()
			out := script(n, t, fmt.Sprintf(`
				exec 3<>tcp/clone
				read -r n <&3
				echo connect %s:9 >&3
				%s text %d | dd of=tcp/$n/data bs=1M iflag=fullblock status=none
				echo shutdown wr >&3
				cat tcp/$n/data`, f.theirs, p, size))
			if !strings.Contains(out, want) {
				t.Errorf("to the kernel: %q, want %s", out, want)
			}
			t.Logf("%.2f Gbit/s to the kernel", float64(size)*8/time.Since(begin).Seconds()/1e9)
			begin = time.Now()
			out = script(n, t, fmt.Sprintf(`
				exec 3<>tcp/dial/%s:19
				echo %d >&3
				cat <&3 | sha256sum`, f.theirs, size))
			if !strings.Contains(out, want) {
				t.Errorf("from the kernel: %q, want %s", out, want)
			}
			t.Logf("%.2f Gbit/s from the kernel", float64(size)*8/time.Since(begin).Seconds()/1e9)

			bare := strings.Trim(f.theirs, "[]")
			out = n.Run(slashnet, "ping", "-c", "2", "-i", "50ms", "-s", "4000", bare) // in fragments
			if !strings.Contains(out, "2 sent, 2 answered") || !strings.Contains(out, "4008 bytes from "+bare) {
				t.Errorf("ping:\n%s", out)
			}
			// One write is one datagram, cut up on the way there and back.
			out = n.Shell("bash", fmt.Sprintf(`exec 3<>udp/dial/%s:7; head -c 5000 /dev/zero | tr '\0' x >&3; timeout 5 dd bs=64k count=1 status=none <&3 | wc -c`, f.theirs))
			if strings.TrimSpace(out) != "5000" {
				t.Errorf("udp: %q", out)
			}
			// The kernel calls; one listener has both families.
			l := n.Start(slashnet, "serve", "-v", ":8080", "--", "sh", "-c", `read -r x; echo "$x $TCPREMOTEIP"`)
			l.Expect("serving ::!8080")
			if out := n.Run("sh", "-c", "echo hello | socat -t 5 - "+f.socat+":8080"); strings.TrimSpace(out) != "hello "+bare {
				t.Errorf("a call of the kernel's: %q", out)
			}
			if out := n.Shell("dash", "cat arp"); !regexp.MustCompile(`(?m)^ether +OK +` + regexp.QuoteMeta(bare) + ` `).MatchString(out) {
				t.Errorf("arp:\n%s", out)
			}
			if out := n.Run("ip", "neigh", "show"); !strings.Contains(out, strings.Trim(f.ours, "[]")+" dev slash0 lladdr") {
				t.Errorf("the kernel's neighbours:\n%s", out)
			}
			l.Kill()
		})
	}
	// A name with addresses of both families, one of which nobody has; and cs.
	out := n.Shell("dash", fmt.Sprintf(`
		echo 'ip=%s ip=10.114.0.77 dom=both.lab' >ndb
		exec 3<>tcp/dial/both.lab:7005; echo by name >&3; cat <&3
		exec 3<>cs; echo 'tcp!both.lab!7005' >&3; cat <&3`, hostAddr6))
	if !strings.HasPrefix(out, "by name\n") || !strings.Contains(out, "/tcp/clone "+hostAddr6+"!7005") {
		t.Errorf("by name: %q", out)
	}
	// A closed port, and nobody there.
	for _, addr := range []string{"[" + hostAddr6 + "]:81", "[fd00:114::77]:80"} {
		if out, err := n.Try("dash", "-c", "cat "+filepath.Join(n.Root, "tcp/dial", addr)); err == nil {
			t.Errorf("%s: %q", addr, out)
		}
	}
	if out := n.Shell("dash", "cat log"); !strings.Contains(out, "connection refused") || !strings.Contains(out, "neighbour fd00:114::77 does not answer") {
		t.Errorf("log:\n%s", out)
	}
}

// The kernel's side speaks as a router: an address, a default route and a name
// server make themselves (RFC 4862, RFC 8106).
func TestRouterAdvertised(t *testing.T) {
	n := world(t)
	n.Run("ip", "-6", "addr", "add", "2001:db8:5::1/64", "dev", "slash0", "nodad")
	n.Run("ip", "-6", "addr", "add", "2001:db8:99::1/128", "dev", "lo")
	n.Serve(peer(t), "serve", "2001:db8:99::1")
	n.Start(peer(t), "advertise", "slash0", "2001:db8:5::")
	n.Shell("dash", "echo ra6 recvra 1 >ipifc/1/ctl")
	eventually(t, n, "cat ipifc/1/status", "\t2001:db8:5:0:")
	eventually(t, n, "cat iproute", " ra6 ")
	eventually(t, n, "grep -q tentative ipifc/1/status || echo settled", "settled")
	out := n.Shell("dash", "exec 3<>'tcp/dial/[2001:db8:99::1]:7005'; echo through the router >&3; cat <&3")
	if out != "through the router\n" {
		t.Errorf("%q\n%s", out, n.Shell("dash", "cat iproute ipifc/1/status log"))
	}
	// A look-up asks the router's server from now on.
	eventually(t, n, "cat tcp/dial/localhost:1 2>/dev/null || cat ndb", "dns=2001:db8:5::53")
	// By its link-local address the kernel answers too, if it is said where.
	kernel := regexp.MustCompile(`inet6 (fe80::[0-9a-f:]+)/64`).FindStringSubmatch(n.Run("ip", "-6", "addr", "show", "dev", "slash0"))
	if kernel == nil {
		t.Fatal("the kernel has no link-local address")
	}
	slashnet := netns.Binary(t, "./cmd/slashnet")
	for _, host := range []string{kernel[1], kernel[1] + "%1"} {
		if out := n.Run(slashnet, "ping", "-c", "1", host); !strings.Contains(out, "1 sent, 1 answered") {
			t.Errorf("ping %s: %s", host, out)
		}
	}
}

// Whoever has an address already keeps it (RFC 4862 §5.4), on both sides.
func TestDuplicateAddress(t *testing.T) {
	n := dual(t)
	n.Run("ip", "-6", "addr", "add", "fd00:114::9/64", "dev", "slash0", "nodad")
	// The kernel has it some milliseconds later.
	n.Run(netns.Binary(t, "./cmd/slashnet"), "ping", "-c", "10", "-i", "50ms", "fd00:114::9")
	n.Shell("dash", "echo try fd00:114::9/64 >ipifc/1/ctl; echo try fd00:114::8/64 >ipifc/1/ctl")
	eventually(t, n, "cat log", "somebody else has fd00:114::9")
	eventually(t, n, "grep -v tentative ipifc/1/status", "fd00:114::8 ")
	if out := n.Shell("dash", "cat ipifc/1/status"); strings.Contains(out, "fd00:114::9") {
		t.Errorf("status:\n%s", out)
	}
	n.Run("ip", "-6", "addr", "add", addr6+"/64", "dev", "slash0")
	eventually(t, n, "ip -6 addr show dev slash0", "dadfailed")
}

// The kernel and a view with the daemon between them as a router, and as a switch.
func TestRouterOfViews(t *testing.T) {
	n := dual(t)
	n.Run("ip", "-6", "route", "add", "fd00:7::/64", "via", addr6)
	n.Shell("dash", "mkdir view/web view/db; echo uplink routed 10.7.0.2/24 fd00:7::2/64 >view/web/ctl; echo uplink switch fd00:114::3/64 >view/db/ctl")
	for view, script := range map[string]string{
		"web": "exec 3<>'tcp/dial/[" + hostAddr6 + "]:7005'; echo from web >&3; cat <&3",
		"db":  "exec 3<>'tcp/dial/[" + hostAddr6 + "]:7005'; echo from db >&3; cat <&3",
	} {
		if out := n.Shell("dash", "cd view/"+view+"/net; "+script); out != "from "+view+"\n" {
			t.Errorf("%s: %q\n%s", view, out, n.Shell("dash", "cat iproute arp log view/"+view+"/net/log"))
		}
	}
	out := n.Shell("dash", "cd view/web/net; "+fmt.Sprintf("exec 3<>'tcp/dial/[%s]:19'; echo %d >&3; cat <&3 | sha256sum", hostAddr6, 8<<20))
	if want := sum(n, peer(t), 8<<20); !strings.Contains(out, want) {
		t.Errorf("8 MiB through the router: %q, want %s", out, want)
	}
}
