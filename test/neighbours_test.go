package test

// A view that does its worst, and what another one feels of it: the time of a
// request and its answer, through the files, in turns with and without the noise, so
// that what else the machine does is in both.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"slashnet/test/netns"
)

const (
	// rounds of each kind of noise, quiet and noisy, of so many requests each.
	noiseRounds = 5
	requests    = 200
	// bearable is how much longer a request may take, median and 99th percentile.
	bearable = 2
	// hiccup is what the kernel's scheduler may add where every core is in use: to one
	// in a hundred a few turns of others, to most next to nothing.
	hiccup, slight = 40 * time.Millisecond, 500 * time.Microsecond
)

// twoViews are the quiet one, and the noisy one; both are routed by the root.
func twoViews(t *testing.T, n *netns.Net) (quiet, noisy string) {
	t.Helper()
	for i, name := range []string{"quiet", "noisy"} {
		n.Shell("bash", fmt.Sprintf("mkdir view/%s; echo uplink routed 10.7.%d.2/24 >view/%s/ctl", name, i, name))
		n.Run("ip", "route", "add", fmt.Sprintf("10.7.%d.0/24", i), "via", netns.Addr)
	}
	return filepath.Join(n.Root, "view/quiet/net"), filepath.Join(n.Root, "view/noisy/net")
}

// latencies are those of requests through a tree, sorted.
func latencies(t *testing.T, n *netns.Net, tree string) []time.Duration {
	t.Helper()
	var all []time.Duration
	for line := range strings.Lines(n.Run(peer(t), "turns", tree+"/tcp/dial/"+netns.HostAddr+":7", fmt.Sprint(requests))) {
		ns, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(line)
		}
		all = append(all, time.Duration(ns))
	}
	return all
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}

func TestNoisyNeighbour(t *testing.T) {
	n := world(t)
	quiet, noisy := twoViews(t, n)
	host := netns.HostAddr
	n.Shell("bash", `cd view/noisy; echo limit memory 4m >ctl; echo limit handles 3000 >ctl; echo limit conversations 2500 >ctl; echo ndb: dns=10.7.1.99 >ctl`)
	tcpOut := "for i in 1 2 3; do dd if=/dev/zero of=tcp/dial/" + host + ":9 bs=1M & done; wait"
	tcpIn := "for i in 1 2 3; do (exec 3<>tcp/dial/" + host + ":19; echo 1000000000000 >&3; cat <&3 >/dev/null) & done; wait"
	udpOut := "dd if=/dev/zero of=udp/dial/" + host + ":7 bs=1400"
	const bounded = "10m"
	for _, noise := range []struct {
		name   string
		script string // in the noisy tree; it goes on until it is killed
		rate   string
	}{
		{"nothing", "sleep 1000", "off"},
		// Without a limit the cable is whoever's who fills it; those figures are printed.
		{"TCP out, no limit", tcpOut, "off"},
		{"TCP in, no limit", tcpIn, "off"},
		{"UDP out, no limit", udpOut, "off"},
		{"TCP out, limit rate " + bounded, tcpOut, bounded},
		{"TCP in, limit rate " + bounded, tcpIn, bounded},
		{"UDP out, limit rate " + bounded, udpOut, bounded},
		{"2,000 blocked readers", peer(t) + " hold tcp " + host + ":7004 2000 & sleep 2; " + peer(t) + " readers tcp; wait", "off"},
		{"conversations and handles at their caps", peer(t) + " hoard tcp/clone 4000 & while :; do cat tcp/clone; mkdir tcp/x; done 2>/dev/null; wait", "off"},
		{"memory at its cap", "for i in {1..40}; do dd if=/dev/zero of=tcp/dial/" + host + ":7004 bs=64k 2>/dev/null & done; wait; sleep 1000", "off"},
		{"look-ups of a dead server", "while :; do for i in {1..50}; do cat dns.d/x$i.example & done 2>/dev/null; wait; done", "off"},
		{"listings", "while :; do ls -lR tcp udp; cat tcp/all.json metrics arp iproute; done >/dev/null 2>&1", "off"},
	} {
		var still, loud []time.Duration
		n.Run("bash", "-c", "echo limit rate "+noise.rate+" >$SLASHNET_ROOT/view/noisy/ctl")
		out, in := stat(t, n, "view/noisy/stats", "OutRequests"), stat(t, n, "view/noisy/stats", "rxdone")
		p := n.Start("bash", "-c", "cd "+noisy+"; "+noise.script)
		time.Sleep(500 * time.Millisecond) // until it is at its worst
		for range noiseRounds {
			loud = append(loud, latencies(t, n, quiet)...)
			syscall.Kill(-p.Pid(), syscall.SIGSTOP)
			still = append(still, latencies(t, n, quiet)...)
			syscall.Kill(-p.Pid(), syscall.SIGCONT)
		}
		p.Kill()
		t.Logf("%-40s  %d datagrams out, %d frames in", noise.name, stat(t, n, "view/noisy/stats", "OutRequests")-out, stat(t, n, "view/noisy/stats", "rxdone")-in)
		for at, allow := range map[int]time.Duration{50: slight, 99: hiccup} {
			a, b := percentile(still, at), percentile(loud, at)
			t.Logf("%-40s  p%d  %8v quiet  %8v noisy  %.2f times", noise.name, at, a.Round(time.Microsecond), b.Round(time.Microsecond), float64(b)/float64(a))
			if b > bearable*a+allow && !strings.HasSuffix(noise.name, "no limit") {
				t.Errorf("%s: the %dth percentile of a neighbour's requests is %v, %v without it", noise.name, at, b, a)
			}
		}
	}
	stats := n.Shell("bash", "grep ^limit view/noisy/stats")
	t.Logf("what is in use at the end:\n%s", stats)
}
