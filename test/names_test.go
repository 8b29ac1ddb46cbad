package test

// Names, with a real name server on the kernel's side of the cable: Debian's
// dnsmasq, which asks nobody else.

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"slashnet/test/netns"
)

// nameServer starts dnsmasq. It knows lab.example and what is in it, and that there
// is nothing in wrong.example; of any other name it says that it will not answer.
func nameServer(n *netns.Net, more ...string) *netns.Process {
	args := []string{"dnsmasq", "--keep-in-foreground", "--log-facility=-", "--log-queries", "--conf-file=/dev/null", "--pid-file", "--user=root",
		"--no-resolv", "--no-hosts", "--domain-needed", "--listen-address=" + netns.HostAddr, "--bind-interfaces", "--local-ttl=60", "--local=/lab.example/wrong.example/",
		"--host-record=web.lab.example," + netns.HostAddr,
		"--host-record=two.lab.example,10.114.0.99", "--host-record=two.lab.example," + netns.HostAddr,
		"--host-record=six.lab.example,fd00::1",
		"--address=/any.lab.example/" + netns.HostAddr,
		"--cname=www.lab.example,web.lab.example", "--cname=w.lab.example,www.lab.example",
		"--mx-host=lab.example,web.lab.example,10", "--txt-record=web.lab.example,hello from a record",
		"--cname=astray.lab.example,elsewhere.lab.example"}
	p := n.Start(append(args, more...)...)
	p.Expect("started")
	return p
}

// resolving is a world with a name server.
func resolving(t *testing.T) (*netns.Net, *netns.Process) {
	t.Helper()
	n := world(t, "--dns", netns.HostAddr, "--search", "lab.example")
	return n, nameServer(n)
}

// TestNames: whatever takes an address takes a name.
func TestNames(t *testing.T) {
	n, server := resolving(t)
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			n := n.For(t)
			out := n.Shell(shell, `
				for name in web.lab.example www.lab.example w.lab.example. some.any.lab.example web WWW.Lab.Example; do
					n=$(cat tcp/clone)
					echo connect $name:80 > tcp/$n/ctl
					cat tcp/$n/remote
					rmdir tcp/$n
				done`)
			if want := strings.Repeat(netns.HostAddr+"!80\n", 6); out != want {
				t.Errorf("connect: %q, want %q", out, want)
			}
			out = n.Shell(shell, `
				exec 3<>tcp/dial/www.lab.example:http
				printf 'GET / HTTP/1.0\r\n\r\n' >&3
				cat <&3`)
			if !strings.HasPrefix(out, "HTTP/1.0 200 OK\r\n") || !strings.HasSuffix(out, kernelPage) {
				t.Errorf("dial: %q", out)
			}
			out = n.Shell(shell, "head -n1 icmp/dial/web.lab.example; head -n1 icmp/dial/web")
			if strings.Count(out, " ms\n") != 2 {
				t.Errorf("ping: %q", out)
			}
		})
	}
	t.Run("slashnet", func(t *testing.T) {
		n := n.For(t)
		slashnet := netns.Binary(t, "./cmd/slashnet")
		if out := n.Run(slashnet, "ping", "-c", "1", "www"); !strings.Contains(out, " ms") {
			t.Errorf("ping: %q", out)
		}
		if out := n.Run("sh", "-c", "printf 'GET / HTTP/1.0\r\n\r\n' | "+slashnet+" dial www:80"); !strings.HasSuffix(out, kernelPage) {
			t.Errorf("dial: %q", out)
		}
	})
	t.Run("a silent address", func(t *testing.T) {
		n := n.For(t)
		begin := time.Now()
		// One of the two has no station, whichever comes first, which takes 3 s to learn.
		n.Shell("bash", "for i in 1 2 3 4; do exec 3<>tcp/dial/two.lab.example:80; ls tcp/by-remote/10.114.0.1:80 >/dev/null; exec 3>&-; done")
		took := time.Since(begin)
		t.Logf("four times: %v", took)
		if took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	// A second look-up of the same name was not asked for.
	if asked := strings.Count(strings.ToLower(server.Output()), "query[a] some.any.lab.example"); asked != 1 {
		t.Errorf("%d questions for one name in %d shells:\n%s", asked, len(shells), server.Output())
	}
}

// TestNameErrors: each has its errno, and words in err, or in log.
func TestNameErrors(t *testing.T) {
	n, _ := resolving(t)
	for _, test := range []struct{ name, errno, words string }{
		{"nobody.lab.example", "No route to host", "name does not exist"},
		{"nobody", "No route to host", "nor with the search list behind it: lab.example"},
		{"astray.lab.example", "No route to host", "astray.lab.example"},
		{"six.lab.example", "No route to host", "six.lab.example"},
		{"other.example.org", "Remote I/O error", "dns failure"},
		{"a..example", "Invalid argument", "a..example"},
		{strings.Repeat("x", 70) + ".lab.example", "Invalid argument", strings.Repeat("x", 64)},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := n.For(t)
			num := detached(n)
			out, err := n.Try("bash", "-c", "cd $SLASHNET_ROOT; echo connect "+test.name+":80 > tcp/"+num+"/ctl")
			if err == nil || !strings.Contains(out, test.errno) {
				t.Errorf("connect: %q, want %q", out, test.errno)
			}
			if words := n.Shell("dash", "cat tcp/"+num+"/err"); !strings.Contains(words, test.words) {
				t.Errorf("err says %q, want %q", words, test.words)
			}
			for _, command := range []string{
				"cat tcp/dial/" + test.name + ":80", "cat icmp/dial/" + test.name, "cat dns.d/" + test.name,
				"echo tcp!" + test.name + "!80 > cs", "echo " + test.name + " > dns",
			} {
				if test.name == "six.lab.example" && strings.Contains(command, "dns.d") {
					command += ":a" // ip is both families
				}
				if test.name == "six.lab.example" && strings.Contains(command, "> dns") {
					command = "echo six.lab.example a > dns"
				}
				out, err := n.Try("bash", "-c", "cd $SLASHNET_ROOT; "+command)
				if err == nil || !strings.Contains(out, test.errno) {
					t.Errorf("%s: %q, want %q", command, out, test.errno)
				}
				if log := n.Shell("dash", "tail -n1 log"); !strings.Contains(log, test.words[:min(16, len(test.words))]) {
					t.Errorf("%s: the log says %q, want %q", command, log, test.words)
				}
			}
			n.Shell("dash", "echo connect 10.114.0.1:80 > tcp/"+num+"/ctl; rmdir tcp/"+num) // usable still
		})
	}
}

// TestQueries: cs, dns and dns.d as people use them, under each shell.
func TestQueries(t *testing.T) {
	n, _ := resolving(t)
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			n := n.For(t)
			for _, test := range []struct{ script, want string }{
				{"exec 3<>cs; echo 'tcp!www.lab.example!http' >&3; cat <&3; cat <&3",
					"ROOT/tcp/clone 10.114.0.1!80\n"},
				{"exec 3<>cs; echo 'tcp!two.lab.example!http' >&3; read -r a <&3; read -r b <&3; (echo $a; echo $b) | sort; read -r c <&3 || echo end",
					"ROOT/tcp/clone 10.114.0.1!80\nROOT/tcp/clone 10.114.0.99!80\nend\n"},
				{"exec 3<>cs; echo 'udp!*!53' >&3; cat <&3; echo 'net!web!9' >&3; cat <&3",
					"ROOT/udp/clone 53\nROOT/tcp/clone 10.114.0.1!9\n"},
				// The dial(2) of Plan 9, in shell.
				{`exec 3<>cs; echo 'tcp!www!http' >&3; read -r clone where <&3
					exec 4<>$clone; read -r n <&4; echo connect $where >&4; cat ${clone%/*}/$n/remote`,
					"10.114.0.1!80\n"},
				{"exec 3<>dns; echo w.lab.example ip >&3; cat <&3; echo web.lab.example txt >&3; cat <&3; echo 10.114.0.1 ptr >&3; head -c 40 <&3",
					"w.lab.example cname\twww.lab.example\nwww.lab.example cname\tweb.lab.example\nweb.lab.example ip\t10.114.0.1\n" +
						"web.lab.example txt\thello from a record\n1.0.114.10.in-addr.arpa ptr\tweb.lab.example\n"[:40+len("web.lab.example txt\thello from a record\n")]},
				{"cat dns.d/web.lab.example dns.d/six.lab.example:ipv6 'dns.d/lab.example!mx' 'dns.d/web txt'",
					"web.lab.example ip\t10.114.0.1\nsix.lab.example ipv6\tfd00::1\nlab.example mx\t10 web.lab.example\nweb.lab.example txt\thello from a record\n"},
				{"while read -r name type value; do echo $value; done < dns.d/two.lab.example | sort", "10.114.0.1\n10.114.0.99\n"},
			} {
				out := n.Shell(shell, test.script)
				if want := strings.ReplaceAll(test.want, "ROOT", n.Root); out != want {
					t.Errorf("%s\nprinted %q\nwant    %q", test.script, out, want)
				}
			}
		})
	}
}

// TestLongAnswer: what does not fit into a datagram comes over TCP, as a whole.
func TestLongAnswer(t *testing.T) {
	const records, length = 20, 200 // with their headers, over 4 KB
	n := world(t, "--dns", netns.HostAddr)
	var flags []string
	want := ""
	for i := range records {
		value := fmt.Sprintf("%02d", i) + strings.Repeat("x", length-2)
		flags = append(flags, "--txt-record=long.lab.example,"+value)
		want += "long.lab.example txt\t" + value + "\n"
	}
	nameServer(n, flags...)
	before := stat(t, n, "tcp/stats", "ActiveOpens")
	if out := n.Shell("dash", "sort dns.d/long.lab.example:txt"); out != want {
		t.Errorf("%d bytes: %q", len(out), out)
	}
	if got := stat(t, n, "tcp/stats", "ActiveOpens") - before; got != 1 {
		t.Errorf("%d connections to the name server, want 1", got)
	}
}

// TestNameServerSilent: a name server that hangs delays who asks, and nobody else;
// a signal ends the wait at once, and time ends it in any case.
func TestNameServerSilent(t *testing.T) {
	n, server := resolving(t)
	server.Signal(syscall.SIGSTOP)
	ctl := filepath.Join(n.Root, "tcp", detached(n), "ctl")
	patient := n.Start("bash", "-c", "echo connect web.lab.example:80 > "+ctl)
	patient.Blocked()
	for name, command := range map[string]string{
		"connect": "cd " + n.Root + "/tcp; n=$(cat clone); echo connect NAME:80 > $n/ctl",
		"dial":    "exec cat " + n.Root + "/tcp/dial/NAME:80",
		"ping":    "exec cat " + n.Root + "/icmp/dial/NAME",
		"cs":      "echo 'tcp!NAME!80' > " + n.Root + "/cs",
		"dns":     "echo NAME > " + n.Root + "/dns",
		"dns.d":   "exec cat " + n.Root + "/dns.d/NAME",
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
			t.Run(name+"/"+signal.String(), func(t *testing.T) {
				n := n.For(t)
				// A name of its own is a question of its own, with all its time.
				p := n.Start("dash", "-c", strings.ReplaceAll(command, "NAME", fmt.Sprintf("%s-%d.any.lab.example", name, signal)))
				p.Blocked()
				out := n.Shell("dash", "ls tcp dns.d; cat stats > /dev/null; n=$(cat tcp/clone); echo connect 10.114.0.1:80 > tcp/$n/ctl; cat tcp/$n/remote; rmdir tcp/$n")
				if !strings.HasSuffix(out, "10.114.0.1!80\n") {
					t.Errorf("beside it: %q", out)
				}
				begin := time.Now()
				p.Signal(signal)
				if err := p.Wait(deadline); err == nil {
					t.Errorf("ended well: %q", p.Output())
				}
				if took := time.Since(begin); took > promptly {
					t.Errorf("ended after %v, want at most %v", took, promptly)
				}
			})
		}
	}
	if err := patient.Wait(2 * deadline); err == nil || !strings.Contains(patient.Output(), "Connection timed out") {
		t.Errorf("who waited: %v, %q", err, patient.Output())
	}
	if words := n.Run("cat", filepath.Join(filepath.Dir(ctl), "err")); !strings.Contains(words, "no answer from the name servers") {
		t.Errorf("err says %q", words)
	}
	awaitStat(t, n, "operations", 0)
	// It speaks again, and all is well.
	server.Signal(syscall.SIGCONT)
	n.Shell("bash", "echo connect web.lab.example:80 > "+ctl)
}

// TestNameServerKilled: nobody listens at the port any more, which the kernel says
// at once. What is remembered is good still.
func TestNameServerKilled(t *testing.T) {
	n, server := resolving(t)
	n.Shell("dash", "cat dns.d/web.lab.example")
	server.Kill()
	n.Shell("dash", "cat dns.d/web.lab.example")
	out, err := n.Try("bash", "-c", "cat $SLASHNET_ROOT/dns.d/www.lab.example")
	if err == nil || !strings.Contains(out, "Remote I/O error") {
		t.Errorf("%v, %q", err, out)
	}
	nameServer(n)
	n.Shell("dash", "cat dns.d/www.lab.example")
}

// TestNameFlags: what --dns and --search mean, and what they refuse.
func TestNameFlags(t *testing.T) {
	slashnet := netns.Binary(t, "./cmd/slashnet")
	n := netns.New(t)
	for _, flag := range []string{"--dns=nowhere", "--dns=10.0.0.0.1", "--dns=0.0.0.0", "--dns=10.0.0.1:99999", "--search=a..b"} {
		if out, err := n.Try(slashnet, "up", flag, "--nic", "none", n.Root); err == nil || !strings.Contains(out, flag[strings.Index(flag, "=")+1:]) {
			t.Errorf("%s: %v, %q", flag, err, out)
		}
	}
	if out := n.Run(slashnet, "help", "up"); !strings.Contains(out, "--dns") || !strings.Contains(out, "--search") {
		t.Errorf("help up: %q", out)
	}
	// The second server answers for the first, which is silent; the port is ours to say.
	n.Up("--dns", blackHole, "--dns", netns.HostAddr+":53", "--search", "wrong.example", "--search", "lab.example")
	nameServer(n)
	if out := n.Shell("dash", "cat dns.d/two.lab.example | wc -l; cat dns.d/web"); out != "2\nweb.lab.example ip\t10.114.0.1\n" {
		t.Errorf("by the second server: %q", out)
	}
	if out := n.Shell("dash", "exec 3<>cs; echo tcp!localhost!80 >&3; cat <&3"); out != n.Root+"/tcp/clone 127.0.0.1!80\n" {
		t.Errorf("localhost: %q", out)
	}
}
