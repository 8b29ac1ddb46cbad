package test

// Name servers of all kinds on the kernel's side of the cable: Debian's unbound
// beside dnsmasq (names_test.go), a bad one in Python, and the file ndb, which says
// whom of them to ask.

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"slashnet/test/netns"
)

// unbound starts a server that knows lab.example alone.
func unbound(n *netns.Net, records ...string) *netns.Process {
	conf := `server:
	verbosity: 1
	username: ""
	chroot: ""
	pidfile: ""
	directory: "` + n.Dir + `"
	use-syslog: no
	interface: ` + netns.HostAddr + `
	access-control: 0.0.0.0/0 allow
	module-config: "iterator"
	local-zone: "." refuse
	local-zone: "lab.example." static
	local-data: "lab.example. 60 IN SOA ns.lab.example. root.lab.example. 1 2 3 4 60"
`
	for _, record := range records {
		conf += "\tlocal-data: '" + record + "'\n"
	}
	conf += "remote-control:\n\tcontrol-enable: no\n"
	file := filepath.Join(n.Dir, "unbound.conf")
	n.Run("sh", "-c", "cat > "+file+" <<'END'\n"+conf+"END")
	p := n.Start("unbound", "-d", "-c", file)
	p.Expect("start of service")
	return p
}

// TestUnbound: what TestNames and its neighbours do with dnsmasq, with a server by
// other people.
func TestUnbound(t *testing.T) {
	n := world(t, "--dns", netns.HostAddr, "--search", "lab.example")
	records := []string{"web.lab.example. 60 IN A " + netns.HostAddr, "six.lab.example. 60 IN AAAA fd00::1", "lab.example. 60 IN MX 10 web.lab.example.",
		"_sip._tcp.lab.example. 60 IN SRV 1 2 5060 web.lab.example.", `web.lab.example. 60 IN TXT "hello from a record"`}
	want := ""
	for i := range 20 { // over 4 KB
		value := strconv.Itoa(10+i) + strings.Repeat("x", 200)
		records = append(records, `long.lab.example. 60 IN TXT "`+value+`"`)
		want += "long.lab.example txt\t" + value + "\n"
	}
	unbound(n, records...)
	for _, shell := range shells {
		out := n.Shell(shell, `
			exec 3<>tcp/dial/web:80; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3
			n=$(cat tcp/clone); echo connect web.lab.example:80 > tcp/$n/ctl; cat tcp/$n/remote; rmdir tcp/$n
			head -n1 icmp/dial/web 2>/dev/null | grep -c ' ms$'
			exec 4<>cs; echo 'tcp!web!http' >&4; cat <&4
			cat dns.d/web dns.d/six:ipv6 dns.d/lab.example:mx dns.d/_sip._tcp.lab.example:srv dns.d/web:txt`)
		page, rest, _ := strings.Cut(out, kernelPage)
		if !strings.HasPrefix(page, "HTTP/1.0 200 OK\r\n") || rest != "10.114.0.1!80\n1\n"+n.Root+"/tcp/clone 10.114.0.1!80\nweb.lab.example ip\t10.114.0.1\nsix.lab.example ipv6\tfd00::1\n"+
			"lab.example mx\t10 web.lab.example\n_sip._tcp.lab.example srv\t1 2 5060 web.lab.example\nweb.lab.example txt\thello from a record\n" {
			t.Errorf("%s: %q", shell, out)
		}
	}
	before := stat(t, n, "tcp/stats", "ActiveOpens")
	if out := n.Shell("dash", "sort dns.d/long.lab.example:txt"); out != want {
		t.Errorf("the long answer has %d bytes of %d: %q", len(out), len(want), out)
	}
	if got := stat(t, n, "tcp/stats", "ActiveOpens") - before; got != 1 {
		t.Errorf("%d connections to the name server for it, want 1", got)
	}
	for name, errno := range map[string]string{"nobody.lab.example": "No route to host", "other.example.org": "Remote I/O error"} {
		if out, err := n.Try("bash", "-c", "cat $SLASHNET_ROOT/dns.d/"+name); err == nil || !strings.Contains(out, errno) {
			t.Errorf("%s: %v, %q; want %q", name, err, out, errno)
		}
	}
}

// badServer answers as the first label of the name says; the truth is the address
// of the kernel's end, a lie is 10.66.66.66.
const badServer = `
import os, socket, struct, sys, threading
addr = sys.argv[1]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind((addr, 53))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); other.bind((addr, 5354))
tcp = socket.socket(); tcp.bind((addr, 53)); tcp.listen(50)
truth, lie = socket.inet_aton(addr), socket.inet_aton('10.66.66.66')

def question(q):                     # with its end
    at, labels = 12, []
    while q[at]:
        labels.append(q[at+1:at+1+q[at]]); at += 1 + q[at]
    return labels, q[12:at+5]

def name(text): return b''.join(bytes([len(l)]) + l for l in text.split(b'.')) + b'\0'
def a(ip): return b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4' + ip
def cname(owner, to): return owner + b'\0\5\0\1\0\0\0\x3c' + struct.pack('>H', len(to)) + to
def answer(q, asked, records, flags=0x8180, id=None):
    return (id or q[:2]) + struct.pack('>HHHHH', flags, 1, len(records), 0, 0) + asked + b''.join(records)

def tcp_loop():
    kept = []
    while True:
        c, _ = tcp.accept()
        q = c.recv(4096)[2:]
        labels, asked = question(q)
        if labels[0].lower() == b'tchang': kept.append(c); continue
        m = answer(q, asked, [a(truth)])
        c.sendall(struct.pack('>H', len(m)) + m); c.close()
threading.Thread(target=tcp_loop, daemon=True).start()
print('started', flush=True)
while True:
    q, who = udp.recvfrom(4096)
    labels, asked = question(q)
    what, zone = labels[0].lower(), b'.bad.example'
    send = lambda m: udp.sendto(m, who)
    if what == b'silence': continue
    if what == b'id':
        for i in range(1, 4): send(answer(q, asked, [a(lie)], id=struct.pack('>H', (struct.unpack('>H', q[:2])[0] + i) % 65536)))
    if what == b'question': send(answer(q, name(b'x' + zone) + b'\0\1\0\1', [a(lie)]))
    if what == b'source': other.sendto(answer(q, asked, [a(lie)]), who)
    if what == b'garbage':
        for n in (0, 1, 11, 12, 40, 500): send(q[:2] + os.urandom(n))
    if what == b'huge': send(answer(q, asked, [a(lie)]) + bytes(4096))
    if what == b'count': send(q[:2] + struct.pack('>HHHHH', 0x8180, 1, 65535, 65535, 65535) + asked + a(lie))
    if what == b'pointer': send(q[:2] + struct.pack('>HHHHH', 0x8180, 1, 1, 0, 0) + asked + struct.pack('>H', 0xc000 + 12 + len(asked)) + b'\0\1\0\1')
    if what == b'loop': send(answer(q, asked, [cname(b'\xc0\x0c', name(b'pool' + zone)), cname(name(b'pool' + zone), name(b'loop' + zone))])); continue
    if what[:5] == b'chain': send(answer(q, asked, [cname(b'\xc0\x0c', name(b'chain%d' % (int(what[5:] or 0) + 1) + zone))])); continue
    if what in (b'tc', b'tchang'): send(answer(q, asked, [], flags=0x8380)); continue
    if what == b'fail': send(answer(q, asked, [], flags=0x8182)); continue
    if what == b'lower': asked = asked.lower()
    if what == b'lower': send(answer(q, asked, [a(lie)])); continue
    if what == b'none': send(answer(q, asked, [])); continue
    if what == b'poison': send(answer(q, asked, [a(truth), name(b'good' + zone) + b'\0\1\0\1\0\0\x0e\x10\0\4' + lie])); continue
    send(answer(q, asked, [a(truth)]))
`

// TestBadServer: whatever a server says, the address is the true one or there is
// none, for every program that uses the files.
func TestBadServer(t *testing.T) {
	n := world(t, "--dns", netns.HostAddr)
	script := filepath.Join(n.Dir, "bad.py")
	if err := os.WriteFile(script, []byte(badServer), 0o644); err != nil {
		t.Fatal(err)
	}
	bad := n.Start("python3", script, netns.HostAddr)
	bad.Expect("started")
	for _, label := range []string{"good", "id", "question", "source", "garbage", "huge", "count", "pointer", "tc", "lower", "poison", "good"} {
		out := n.Shell("dash", "exec 3<>tcp/dial/"+label+".bad.example:80; ls tcp/by-remote | grep :80; cat dns.d/"+label+".bad.example")
		if want := "10.114.0.1:80\n" + label + ".bad.example ip\t10.114.0.1\n"; out != want {
			t.Errorf("%s: %q, want %q", label, out, want)
		}
	}
	for label, want := range map[string][2]string{
		"loop":  {"Remote I/O error", "in a circle"},
		"chain": {"Remote I/O error", "more than 16 CNAMEs"},
		"fail":  {"Remote I/O error", "SERVFAIL"},
		"none":  {"No route to host", "no record of type ip"},
	} {
		for _, command := range []string{"cat tcp/dial/NAME:80", "cat icmp/dial/NAME", "echo tcp!NAME!80 > cs", "cat dns.d/NAME"} {
			command = strings.ReplaceAll(command, "NAME", label+".bad.example")
			out, err := n.Try("bash", "-c", "cd $SLASHNET_ROOT; "+command)
			if log := n.Shell("dash", "tail -n1 log"); err == nil || !strings.Contains(out, want[0]) || !strings.Contains(log, want[1]) {
				t.Errorf("%s: %v, %q, and the log: %q; want %q", command, err, out, log, want)
			}
		}
	}
	// One that hangs, in either way, holds its asker alone, until he has enough.
	for _, label := range []string{"silence", "tchang"} {
		p := n.Start("cat", filepath.Join(n.Root, "dns.d", label+".bad.example"))
		p.Blocked()
		n.Shell("dash", "cat dns.d/good.bad.example")
		begin := time.Now()
		p.Signal(syscall.SIGINT)
		if err := p.Wait(deadline); err == nil || time.Since(begin) > promptly {
			t.Errorf("%s: %v after %v", label, err, time.Since(begin))
		}
	}
	// Names that cannot be are not asked for.
	long := strings.Repeat("x", 10_000)
	for command, errno := range map[string]string{
		"cat dns.d/" + long:                                                  "File name too long",
		"cat tcp/dial/" + long + ":80":                                       "File name too long",
		"echo " + long + " | cat > dns":                                      "Message too long",
		"echo 'tcp!" + long + "!80' | cat > cs":                              "Message too long",
		"echo connect " + long + ":80 > tcp/clone":                           "Invalid argument",
		"exec 3<>tcp/clone; echo connect $(printf 'a.%.0s' {1..130}):80 >&3": "Invalid argument",
	} {
		if out, err := n.Try("bash", "-c", "cd $SLASHNET_ROOT; "+command); err == nil || !strings.Contains(out, errno) {
			t.Errorf("%.60s: %v, %q; want %q", command, err, out[max(0, len(out)-100):], errno)
		}
	}
	awaitStat(t, n, "operations", 0)
}

// TestSecondServer: the first one is silent, and people hardly notice.
func TestSecondServer(t *testing.T) {
	const silent = netns.HostAddr + ":5353"
	n := world(t, "--dns", silent, "--dns", netns.HostAddr)
	n.Start("socat", "-u", "UDP-RECV:5353,bind="+netns.HostAddr, "STDOUT")
	nameServer(n)
	for i := range 3 {
		begin := time.Now()
		n.Shell("dash", fmt.Sprintf("exec 3<>tcp/dial/n%d.any.lab.example:80", i))
		took := time.Since(begin)
		t.Logf("name %d: %v", i, took)
		// The first would be given up after 2 s.
		if took > 1500*time.Millisecond {
			t.Errorf("name %d took %v", i, took)
		}
	}
	if out := n.Shell("dash", "grep dns= ndb"); out != "dns=10.114.0.1!5353\ndns=10.114.0.1\n" {
		t.Errorf("ndb: %q", out)
	}
}

// TestNdb: who is asked, and names of our own, for the root and for views.
func TestNdb(t *testing.T) {
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 mine.lab\n10.114.0.1 house.lab house\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	n := world(t, "--dns", blackHole, "--search", "nowhere.example", "--hosts", hosts)
	nameServer(n)
	slashnet := netns.Binary(t, "./cmd/slashnet")
	for _, shell := range shells {
		out := n.Shell(shell, `
			cat ndb; echo
			echo dns=10.114.0.1 > ndb
			printf 'dnsdomain=lab.example\nip=10.114.0.1 dom=db.lab sys=db ntp=web\n' >> ndb
			cat ndb; echo
			for name in web db.lab db house; do
				exec 3<>tcp/dial/$name:80; ls tcp/by-remote; exec 3<&-
			done
			cat dns.d/db dns.d/house.lab
			exec 3<>cs; echo 'tcp!$dns!53' >&3; cat <&3; echo '!sys=db' >&3; cat <&3; echo '!ipinfo sys=db @ntp' >&3; cat <&3; echo refresh >&3
			{ echo dns=nonsense > ndb; } 2>/dev/null || grep -c '^dns=10.114.0.1$' ndb
			echo > ndb; cat ndb`)
		const interfaces = "ip=10.114.0.2 ipmask=/24 ipgw=10.114.0.1\n"
		const flags = interfaces + "dns=" + blackHole + "\ndnsdomain=nowhere.example\n"
		want := flags + "\n" + interfaces + "dns=10.114.0.1\ndnsdomain=lab.example\nip=10.114.0.1 dom=db.lab sys=db ntp=web\n\n" + strings.Repeat("10.114.0.1:80\n", 4) +
			"db ip\t10.114.0.1\nhouse.lab ip\t10.114.0.1\n" +
			n.Root + "/tcp/clone 10.114.0.1!53\nip=10.114.0.1 dom=db.lab sys=db ntp=web\nntp=10.114.0.1\n1\n" + flags
		if out != want {
			t.Errorf("%s: %q\nwant %q", shell, out, want)
		}
	}
	if log := n.Shell("dash", "grep nonsense log | tail -n1"); !strings.Contains(log, "ndb: dns=nonsense: ") || !strings.Contains(log, "an address is wanted") {
		t.Errorf("the log: %q", log)
	}
	// A view asks the same servers, and knows none of our names, but its own.
	n.Run(slashnet, "view", "add", "web", "uplink switch 10.114.0.3/24 10.114.0.1", "ndb: dns=10.114.0.1", "ndb: ip=10.114.0.1 dom=own.lab")
	n.Shell("dash", "echo ip=10.114.0.1 dom=db.lab > ndb")
	out := n.Shell("bash", `cd view/web/net; cat ndb; exec 3<>tcp/dial/own.lab:80; ls tcp/by-remote; cat dns.d/web.lab.example
		for name in house.lab db.lab mine.lab; do cat dns.d/$name 2>&1 || :; done | grep -c 'Remote I/O error'
		{ echo dns=10.0.0.9 > ndb || :; } 2>&1 | grep -c denied`)
	if want := "ip=10.114.0.3 ipmask=/24 ipgw=10.114.0.1\ndnsdomain=nowhere.example\ndns=10.114.0.1\nip=10.114.0.1 dom=own.lab\n10.114.0.1:80\nweb.lab.example ip\t10.114.0.1\n3\n1\n"; out != want {
		t.Errorf("the view: %q\nwant %q", out, want)
	}
	if out := n.Shell("bash", `{ echo ndb: dns=nowhere > view/web/ctl || :; } 2>&1 | grep -c Invalid; grep -c 'dns=nowhere' view/web/log`); out != "1\n2\n" && out != "1\n1\n" {
		t.Errorf("a bad line for a view: %q", out)
	}
	// What the files of the host say now.
	if err := os.WriteFile(hosts, []byte("10.114.0.1 moved.lab\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := n.Shell("dash", "echo refresh > cs; cat dns.d/moved.lab dns.d/db.lab"); out != "moved.lab ip\t10.114.0.1\ndb.lab ip\t10.114.0.1\n" {
		t.Errorf("refreshed: %q", out)
	}
	if err := os.WriteFile(hosts, []byte("10.114.0.1 followed.lab\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// Without being told, by the next look-up that is a second later.
	n.Run("bash", "-c", "cd $SLASHNET_ROOT; for i in {1..100}; do cat dns.d/followed.lab 2>/dev/null && exit; sleep 0.1; done; exit 1")
	m := netns.New(t)
	for _, flag := range []string{"--hosts=/no/such/file", "--dns=10.0.0.1!99999"} {
		if out, err := m.Try(slashnet, "up", flag, "--nic", "none", m.Root); err == nil || !strings.Contains(out, strings.Split(flag, "=")[1]) {
			t.Errorf("%s: %v, %q", flag, err, out)
		}
	}
}
