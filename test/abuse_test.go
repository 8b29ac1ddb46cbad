package test

// The tools of those who look for holes, from the kernel's side of the cable. After
// each, the daemon still serves; after all, its memory is back. They are run by
// scripts/soak, which installs them.

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

const (
	abuseTime = 3 * time.Minute // of a scan
	floodTime = 3               // seconds of each flood
	// abuseMemory is what the daemon may have more of after all of them than before:
	// buffers that stay pooled.
	abuseMemory = 64 << 20
)

func TestAbuse(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("takes minutes and needs tools: run scripts/soak")
	}
	n := netns.Start(t, "--addr", addr6+"/64", "--host-addr", hostAddr6+"/64")
	f := &far{near: n, at: n, us: true}
	f.answer(t, 8080, "echo", "still here")
	serving(t, n)
	before, held := resident(t, n), stat(t, n, "stats", "memory")
	for _, test := range []struct {
		name string
		run  func(t *testing.T, n *netns.Net)
	}{
		{"nmap -sS", scanTCP}, {"nmap -sU", scanUDP}, {"nmap -O", fingerprint},
		{"hping3", hping}, {"nping", nping}, {"scapy", scapy}, {"thc-ipv6", thc},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := n.For(t)
			test.run(t, n)
			serving(t, n)
		})
	}
	settles(t, n, before, held)
}

// serving sees that calls of both families and pings are answered.
func serving(t *testing.T, n *netns.Net) {
	t.Helper()
	for _, addr := range []string{netns.Addr, "[" + addr6 + "]"} {
		// A flood may have filled a queue of the kernel's own: a call gets a second try.
		out, err := n.Try("sh", "-c", `for i in 1 2 3; do socat -T 5 - "TCP:$1:8080,connect-timeout=3" && exit; done; exit 1`, "sh", addr)
		if err != nil || !strings.Contains(out, "still here") {
			t.Fatalf("a call to %s: %v, %q", addr, err, out)
		}
	}
	for _, addr := range []string{netns.Addr, addr6} {
		n.Run("busybox", "ping", "-c", "1", "-W", "5", addr)
	}
}

// settles waits until nothing is left of anybody, memory included.
func settles(t *testing.T, n *netns.Net, before, held int) {
	t.Helper()
	const patience = 3 * time.Minute // of reassembly, of half open calls and of Go's heap
	var now int
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(time.Second) {
		if now = resident(t, n); now < before+abuseMemory && stat(t, n, "stats", "memory") <= held {
			t.Logf("resident: %d MiB before, %d MiB after", before>>20, now>>20)
			return
		}
	}
	t.Errorf("resident: %d MiB before, %d MiB after\n%s", before>>20, now>>20, n.Shell("dash", "cat stats; ls tcp/by-state"))
}

func scan(t *testing.T, n *netns.Net, args ...string) string {
	t.Helper()
	out, err := n.TryFor(abuseTime, append([]string{"nmap", "-n", "-Pn", "-v"}, args...)...)
	if err != nil {
		t.Fatalf("nmap: %v\n%s", err, out)
	}
	return out
}

// scanTCP: every port but one answers RST, RFC 9293 §3.10.7.1.
func scanTCP(t *testing.T, n *netns.Net) {
	for _, args := range [][]string{{netns.Addr}, {"-6", addr6}} {
		out := scan(t, n, append([]string{"-sS", "-p-", "--min-rate", "3000", "--reason"}, args...)...)
		for _, want := range []string{"8080/tcp open ", "Not shown: 65534 closed tcp ports (reset)"} {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q is not in\n%s", args, want, out)
			}
		}
	}
	// RFC 9293 §3.10.7.1 again: without RST, whatever comes to a closed port is
	// answered; §3.10.7.2: to a listener, without SYN, ACK or RST it is dropped.
	for _, kind := range []string{"-sF", "-sN", "-sX"} {
		out := scan(t, n, kind, "-p", "8079,8080", netns.Addr)
		for _, want := range []string{"8079/tcp closed ", "8080/tcp open|filtered "} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in\n%s", kind, want, out)
			}
		}
	}
	if out := scan(t, n, "-sA", "-p", "8079,8080", netns.Addr); strings.Count(out, " unfiltered ") != 2 {
		t.Errorf("an ACK to nobody is answered by RST:\n%s", out)
	}
}

// scanUDP: RFC 1122 §4.1.3.1, port unreachable.
func scanUDP(t *testing.T, n *netns.Net) {
	out := scan(t, n, "-sU", "-p", "1-20", "--reason", netns.Addr)
	if n := strings.Count(out, "/udp closed ") + strings.Count(out, "/udp  closed "); n != 20 {
		t.Errorf("%d of 20 ports are closed:\n%s", n, out)
	}
}

// fingerprint: what can be predicted of us is nothing.
func fingerprint(t *testing.T, n *netns.Net) {
	out := scan(t, n, "-O", "-p", "8079,8080", netns.Addr)
	print := regexp.MustCompile(`(?s)TCP/IP fingerprint:.*`).FindString(out)
	found := regexp.MustCompile(`TCP Sequence Prediction: Difficulty=(\d+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no judgement of the ISN in\n%s", out)
	}
	// nmap calls 260 and more "Good luck!".
	if difficulty, _ := strconv.Atoi(found[1]); difficulty < 250 {
		t.Errorf("ISN: difficulty %d, want 250 or more\n%s", difficulty, print)
	}
	ids := regexp.MustCompile(`IP ID Sequence Generation: (.*)`).FindStringSubmatch(out)
	if ids == nil || ids[1] != "All zeros" && ids[1] != "Randomized" {
		t.Errorf("ids are %q, want zeros or random\n%s", ids, print)
	}
	// With an offset for each connection, nmap sees a clock of gigahertz: it has the
	// logarithm of that. Clocks of RFC 7323 §5.4 tick 1 to 1000 times a second.
	clock := regexp.MustCompile(`TS=([0-9A-F]+)`).FindStringSubmatch(strings.ReplaceAll(print, "\nOS:", ""))
	if clock == nil {
		t.Fatalf("no judgement of the timestamps in\n%s", out)
	}
	if ticks, _ := strconv.ParseInt(clock[1], 16, 32); ticks <= 16 {
		t.Errorf("timestamps tell our age: %s\n%s", clock[0], print)
	}
	t.Logf("%s, %s, %s", found[0], ids[0], clock[0])
}

// flood runs a command that floods for ever, for some seconds.
func flood(t *testing.T, n *netns.Net, args ...string) {
	t.Helper()
	out, err := n.TryFor(time.Minute, append([]string{"timeout", "-k", "5", fmt.Sprint(floodTime)}, args...)...)
	// 124 is timeout's own.
	if err != nil && err.Error() != "exit status 124" && err.Error() != "exit status 137" {
		t.Logf("%v: %v\n%.300s", args, err, out)
	}
	serving(t, n)
}

func hping(t *testing.T, n *netns.Net) {
	for _, args := range []string{
		"-S -p 8080 --rand-source", "-S -p 8080", "-S -p ++1", "-A -p 8080", "-F -P -U -p 8080 --rand-source", "-R -p 8080",
		"-S -A -F -R -P -U -X -Y -p 8080", "-S -p 8080 -w 0 -O 15", "-S -p 8080 -b",
		"-2 -p ++1 -d 1400", "-2 -p 8080 -d 8000 -f --rand-source", "-2 -p 1 -x -d 100 -g 65000",
		"-1 -d 1400", "-1 -d 60000 -f", "-1 -C 5 -K 1", "-1 -C 3 -K 3", "-0 -H 255 -d 100", "-1 --rroute", "-1 --lsrr 10.114.0.1",
		"-S -p 8080 -a " + netns.Addr + " -s 8080 -k",
	} {
		flood(t, n, append(append([]string{"hping3", "-q", "--flood"}, strings.Fields(args)...), netns.Addr)...)
	}
}

func nping(t *testing.T, n *netns.Net) {
	for _, args := range []string{
		"--tcp --flags all -p 1-100", "--tcp --flags none -p 8080", "--tcp --badsum -p 8080 --data-length 1000", "--udp -p 1-1000",
		"--udp --badsum -p 7", "--icmp --icmp-type 5 --icmp-code 1", "--icmp --icmp-type 13", "--icmp --icmp-type 17", "--arp --arp-type ARP-reply",
		"--tcp -p 8080 --ip-options S", "--tcp -p 8080 --ip-options R", "--tcp -p 8080 --mtu 8 --data-length 200",
	} {
		flood(t, n, append(append([]string{"nping", "-q", "--rate", "5000", "-c", "10000", "-N"}, strings.Fields(args)...), netns.Addr)...)
	}
}

// attacks of scapy are those with a name, and packets whose fields are drawn.
const attacks = `
import random, sys
from scapy.all import *
conf.verb = 0
conf.iface = 'slash0'
us, host, us6, host6 = sys.argv[1:]
mac = getmacbyip(us)
random.seed(1)
s = conf.L2socket(iface='slash0')
def put(p, mac=mac):
    try: s.send(raw(Ether(dst=mac) / p))
    except OSError: pass # longer than the cable takes
def parts(p, size): return fragment(p, fragsize=size)
ip = IP(src=host, dst=us)
# With names: LAND, teardrop, ping of death, a tiny first fragment, bonk, an atomic one
# that says more, sources that nobody has.
put(IP(src=us, dst=us) / TCP(sport=8080, dport=8080, flags='S'))
put(IP(src=host, dst=us, id=1, flags='MF') / UDP(sport=1, dport=7, len=100) / (b'x' * 40))
put(IP(src=host, dst=us, id=1, proto=17, frag=3) / (b'y' * 4))
for p in parts(ip / ICMP() / (b'x' * 65500), 1400): put(p)
put(IP(src=host, dst=us, id=2, flags='MF', frag=8189, proto=1) / (b'x' * 1400))
put(IP(src=host, dst=us, id=3, flags='MF', proto=6) / (b'x' * 8))
put(IP(src=host, dst=us, id=3, frag=1, proto=6) / (b'x' * 24))
for source in ('0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '240.0.0.1', us):
    put(IP(src=source, dst=us) / TCP(dport=8080, flags='S'))
    put(IP(src=source, dst=us) / ICMP())
put(ip / TCP(dport=8080, flags='S'), 'ff:ff:ff:ff:ff:ff')
for p in (b'', b'\x45', b'\x45' * 20, b'\x46' + b'\0' * 19, b'\x4f' * 60, b'\x60' * 39): put(Raw(p))
# Drawn.
for i in range(1500):
    put(fuzz(ip / TCP(dport=8080)))
    put(ip / fuzz(TCP(dport=8080, flags='S')) / (b'x' * random.randrange(100)))
    put(ip / TCP(dport=8080, flags='S', options=fuzz(TCP()).options))
    put(ip / fuzz(UDP()))
    put(ip / fuzz(ICMP()))
    put(ip / fuzz(ICMP(type=3, code=4)) / IP(src=us, dst=host) / TCP(sport=8080))
    options = bytes(random.randrange(256) for _ in range(4 * random.randrange(1, 11)))
    head = raw(IP(src=host, dst=us, proto=1, chksum=0, ihl=5 + len(options) // 4, len=28 + len(options))) + options
    put(Raw(head[:10] + checksum(head).to_bytes(2, 'big') + head[12:]) / ICMP())
    put(IP(src=host, dst=us, id=random.randrange(8), frag=random.randrange(8192), flags=random.randrange(8)) / (b'z' * random.randrange(1400)))
    put(fuzz(ARP()))
    put(IPv6(src=host6, dst=us6) / fuzz(ICMPv6EchoRequest()))
    put(IPv6(src=host6, dst=us6, nh=random.randrange(256)) / Raw(bytes(random.randrange(256) for _ in range(random.randrange(200)))))
    put(IPv6(src=host6, dst=us6) / IPv6ExtHdrFragment(id=random.randrange(8), offset=random.randrange(8192), m=random.randrange(2), nh=random.choice([6, 17, 44, 58, 60])) / (b'z' * random.randrange(1200)))
    put(IPv6(src=host6, dst=us6) / IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=random.randrange(256), optdata=b'x' * random.randrange(20))]) / TCP(dport=8080, flags='S'))
    put(IPv6(src=host6, dst=us6, hlim=255) / fuzz(ICMPv6ND_NS(tgt=us6)))
    put(IPv6(src='fe80::1', dst='ff02::1', hlim=255) / fuzz(ICMPv6ND_RA()) / fuzz(ICMPv6NDOptPrefixInfo()), '33:33:00:00:00:01')
print('done')
`

func scapy(t *testing.T, n *netns.Net) {
	// Debian's module is of Debian's Python.
	out, err := n.TryFor(abuseTime, "/usr/bin/python3", "-W", "ignore", "-c", attacks, netns.Addr, netns.HostAddr, addr6, hostAddr6)
	if err != nil || !strings.Contains(out, "done\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func thc(t *testing.T, n *netns.Net) {
	for _, args := range [][]string{
		{"atk6-flood_router26", "-F", "slash0"}, {"atk6-flood_advertise6", "slash0"}, {"atk6-flood_solicitate6", "slash0"}, {"atk6-flood_mld6", "slash0"},
		{"atk6-flood_redir6", "slash0", addr6}, {"atk6-flood_unreach6", "slash0", addr6},
		{"atk6-fuzz_ip6", "-x", "-t", "1", "-T", "10", "slash0", addr6}, {"atk6-fragmentation6", "slash0", addr6},
		{"atk6-exploit6", "slash0", addr6}, {"atk6-denial6", "slash0", addr6, "1"}, {"atk6-implementation6", "slash0", addr6},
		{"atk6-ndpexhaust6", "slash0", "fd00:114::/64"}, {"atk6-rsmurf6", "slash0", addr6}, {"atk6-thcsyn6", "slash0", addr6, "8080"},
	} {
		flood(t, n, args...)
	}
}
