package test

// A view that does its worst, and what another one feels of it: the time of a
// request and its answer, in turns with and without the noise. In the same turns the
// same programs make the same noise and requests on the kernel's network, from
// namespaces behind a router: on a machine whose cores all have work, whoever makes
// noise takes time from whoever is there, and the kernel's figure says how much.

import (
	"cmp"
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
	// noiseRounds of each kind of noise, of so many requests each; as many again, up
	// to mostRounds, until the medians are bearable: who else is on the machine may
	// have been in some of them.
	noiseRounds, mostRounds = 5, 15
	requests                = 500
	// bearable is how many times as long a request may take as without the noise,
	// the median one of a round and its 99th percentile; or as many as the kernel's,
	// or a hiccup more.
	bearable = 2
)

// A neighbour is a view, or a namespace of the kernel's.
type neighbour struct {
	net  *netns.Net
	dir  string
	path string // of a server: protocol and address, the port is to follow
}

// shell is a script whose $tcp and $udp lead to the servers, with the port behind
// it, and $echo to one that does nothing else.
func (b neighbour) shell(script string) []string {
	to := func(proto, host string) string { return fmt.Sprintf(b.path, proto, host) }
	return []string{"bash", "-c", fmt.Sprintf("cd %s; tcp=%s; udp=%s; echo=%s7; %s",
		b.dir, to("tcp", netns.HostAddr), to("udp", netns.HostAddr), to("tcp", apart), script)}
}

// apart is the address of servers of the quiet ones, in a process of their own: one
// process would be noisy itself.
const apart = "10.115.0.1"

func serveApart(t *testing.T, n *netns.Net) {
	t.Helper()
	n.Run("ip", "addr", "add", apart+"/32", "dev", "lo")
	n.Serve(peer(t), "serve", apart)
}

// A street is where two neighbours live. limit bounds what one of them, the noisy one,
// sends and gets: bytes a second, or off.
type street struct {
	quiet, noisy neighbour
	limit        func(rate string)
	packets      func() int // that the noisy one has sent and received
}

// twoViews are trees of views that the root routes.
func twoViews(t *testing.T, n *netns.Net) (quiet, noisy string) {
	t.Helper()
	for i, name := range []string{"quiet", "noisy"} {
		n.Shell("bash", fmt.Sprintf("mkdir view/%s; echo uplink routed 10.7.%d.2/24 >view/%s/ctl", name, i, name))
		n.Run("ip", "route", "add", fmt.Sprintf("10.7.%d.0/24", i), "via", netns.Addr)
	}
	return filepath.Join(n.Root, "view/quiet/net"), filepath.Join(n.Root, "view/noisy/net")
}

// in is whoever uses a tree.
func in(n *netns.Net, tree string) neighbour {
	return neighbour{n, tree, "%s/dial/%s:"}
}

// twoNamespaces are behind a router that leads to the same host.
func twoNamespaces(t *testing.T, host *netns.Net) street {
	router := netns.New(t)
	router.Run("sysctl", "-qw", "net.ipv4.ip_forward=1")
	lay := func(n *netns.Net, port, subnet, to string) neighbour {
		router.Run("ip", "link", "add", port, "type", "veth", "peer", "name", "router", "netns", n.Name)
		for on, addr := range map[*netns.Net][2]string{router: {port, "1"}, n: {"router", "2"}} {
			on.Run("ip", "addr", "add", subnet+addr[1]+"/24", "dev", addr[0])
			on.Run("ip", "link", "set", addr[0], "up")
		}
		n.Run("ip", "route", "add", to, "via", subnet+"1")
		return neighbour{n, n.Dir, "/dev/%s/%s/"}
	}
	lay(host, "host", "10.8.2.", "10.8.0.0/23")
	router.Run("ip", "route", "add", "default", "via", "10.8.2.2")
	noisy := netns.New(t)
	limit := func(rate string) {
		for n, device := range map[*netns.Net]string{router: "noisy", noisy: "router"} {
			if rate == "off" {
				n.Try("tc", "qdisc", "delete", "dev", device, "root") // there may be none
				continue
			}
			n.Run("tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", rate+"bps", "burst", "256kb", "latency", "200ms")
		}
	}
	packets := func() int {
		sum, err := strconv.Atoi(strings.TrimSpace(noisy.Run("awk", "/router:/ { print $3 + $11 }", "/proc/net/dev")))
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	return street{lay(netns.New(t), "quiet", "10.8.0.", "default"), lay(noisy, "noisy", "10.8.1.", "default"), limit, packets}
}

// marks are the percentiles that are compared. hiccup is what turns of others on a
// core add to them where every core is in use, whatever the stack does: the kernel
// carries a frame inside of somebody's turn, while we are a process and wait for ours.
var (
	marks  = [...]int{50, 99}
	hiccup = [...]time.Duration{time.Millisecond, 20 * time.Millisecond}
)

// latencies are what requests of a neighbour take.
func (b neighbour) latencies(t *testing.T) (all []time.Duration) {
	t.Helper()
	for line := range strings.Lines(b.net.Run(b.shell(fmt.Sprintf("exec %s turns %d <>$echo", peer(t), requests))...)) {
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

// A suffering is what rounds gave, at one mark.
type suffering struct {
	still, loud []time.Duration
	times       []float64 // loud by still, of each round
}

func (s *suffering) add(still, loud time.Duration) {
	s.still, s.loud = append(s.still, still), append(s.loud, loud)
	s.times = append(s.times, float64(loud)/float64(still))
}

func (s *suffering) String() string {
	return fmt.Sprintf("%6d µs, %6d with the noise: %5.2f times", middle(s.still).Microseconds(), middle(s.loud).Microseconds(), middle(s.times))
}

func middle[T cmp.Ordered](all []T) T {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

// A din is a noise in a street, until its test ends.
type din struct {
	street
	noise *netns.Process
	made  int // packets, in all rounds
	felt  [len(marks)]suffering
}

// begin makes a noise, which pauses at once.
func (s street) begin(t *testing.T, script string) *din {
	b := s.noisy
	d := &din{street: s, noise: b.net.For(t).Start(b.shell(script)...)}
	time.Sleep(noiseStarts)
	d.signal(syscall.SIGSTOP)
	return d
}

// How long a noise needs until it is at its worst: at first, and after a pause.
const noiseStarts, noiseGrows = 500 * time.Millisecond, 100 * time.Millisecond

func (d *din) signal(s syscall.Signal) { syscall.Kill(-d.noise.Pid(), s) }

// round measures without and with the noise.
func (d *din) round(t *testing.T) {
	t.Helper()
	still := d.quiet.latencies(t)
	before := d.packets()
	d.signal(syscall.SIGCONT)
	time.Sleep(noiseGrows)
	loud := d.quiet.latencies(t)
	d.signal(syscall.SIGSTOP)
	d.made += d.packets() - before
	for i, p := range marks {
		d.felt[i].add(percentile(still, p), percentile(loud, p))
	}
}

func TestNoisyNeighbour(t *testing.T) {
	n := world(t)
	serveApart(t, n)
	quiet, noisy := twoViews(t, n)
	kernels, ours := twoNamespaces(t, n), street{in(n, quiet), in(n, noisy), func(rate string) {
		n.Run("bash", "-c", "echo limit rate "+rate+" >$SLASHNET_ROOT/view/noisy/ctl")
	}, func() int {
		return stat(t, n, "view/noisy/stats", "OutRequests") + stat(t, n, "view/noisy/stats", "rxdone")
	}}
	n.Shell("bash", `cd view/noisy; echo limit memory 4m >ctl; echo limit handles 3000 >ctl; echo limit conversations 2500 >ctl; echo ndb: dns=10.7.1.99 >ctl`)
	const (
		// An open that the pause interrupts is tried again.
		tcpOut = "for i in 1 2 3; do while :; do dd if=/dev/zero bs=1M >${tcp}9; done 2>/dev/null & done; wait"
		tcpIn  = "for i in 1 2 3; do while :; do (exec 3<>${tcp}19; echo 1000000000000 >&3; exec cat <&3 >/dev/null); done 2>/dev/null & done; wait"
		udpOut = "while :; do dd if=/dev/zero bs=1400 >${udp}7; done 2>/dev/null"
	)
	for _, noise := range []struct {
		name   string
		ours   string // a script in the noisy tree; it goes on until it is killed
		kernel string // what is most like it, of the kernel
		rate   string
	}{
		{"nothing", "sleep 1000", "sleep 1000", "off"},
		{"TCP out", tcpOut, tcpOut, "off"},
		{"TCP in", tcpIn, tcpIn, "off"},
		{"UDP out", udpOut, udpOut, "off"},
		{"TCP out, limit rate", tcpOut, tcpOut, "10m"},
		{"TCP in, limit rate", tcpIn, tcpIn, "10m"},
		{"UDP out, limit rate", udpOut, udpOut, "10m"},
		{"2,000 blocked readers", peer(t) + " hold tcp ${tcp#tcp/dial/}7004 2000 & sleep 2; " + peer(t) + " readers tcp; wait", "sleep 1000", "off"},
		{"conversations and handles at their caps", peer(t) + " hoard tcp/clone 4000 & while :; do cat tcp/clone; mkdir tcp/x; done 2>/dev/null; wait",
			"while :; do cat /proc/net/x; mkdir /proc/x; done 2>/dev/null", "off"},
		{"memory at its cap", "for i in {1..40}; do dd if=/dev/zero bs=64k >${tcp}7004 2>/dev/null & done; wait; sleep 1000", tcpOut, "off"},
		{"look-ups of a dead server", "while :; do for i in {1..50}; do cat dns.d/x$i.example & done 2>/dev/null; wait; done",
			"while :; do for i in {1..50}; do sleep 5 & done; wait; done", "off"},
		{"listings", "while :; do ls -lR tcp udp; cat tcp/all.json metrics arp iproute; done >/dev/null 2>&1",
			"while :; do ls -lR /proc/sys/net/ipv4; cat /proc/net/tcp /proc/net/snmp /proc/net/arp /proc/net/route; done >/dev/null 2>&1", "off"},
	} {
		t.Run(noise.name, func(t *testing.T) {
			ours.limit(noise.rate)
			kernels.limit(noise.rate)
			mine, theirs := ours.begin(t, noise.ours), kernels.begin(t, noise.kernel)
			for round := 1; round <= mostRounds; round++ {
				mine.round(t)
				theirs.round(t)
				if round%noiseRounds == 0 && mine.bearable(theirs) {
					break
				}
			}
			t.Logf("the noise: %d packets; the kernel's: %d", mine.made, theirs.made)
			for i, p := range marks {
				t.Logf("p%d  a view %v;  the kernel %v", p, &mine.felt[i], &theirs.felt[i])
			}
			if flood := noise.ours == tcpOut || noise.ours == tcpIn || noise.ours == udpOut; flood && (mine.made == 0 || theirs.made == 0) {
				t.Error("there was no noise")
			}
			if !mine.bearable(theirs) {
				t.Errorf("a neighbour's requests take more than %d times as long, and suffer more than the kernel's", bearable)
			}
		})
	}
	t.Logf("what is in use at the end:\n%s", n.Shell("bash", "grep ^limit view/noisy/stats"))
}

// bearable reports whether a neighbour's requests take little longer, or are not
// worse off than the kernel's.
func (d *din) bearable(kernel *din) bool {
	for i := range marks {
		felt := &d.felt[i]
		most := max(bearable, middle(kernel.felt[i].times))
		if middle(felt.times) > most && middle(felt.loud) > bearable*middle(felt.still)+hiccup[i] {
			return false
		}
	}
	return true
}
