package test

// Many views: what one costs, how fast it is made, that all of them can be used,
// removed in the middle of that, and tell each other nothing.

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

const (
	manyViews = 1000
	// viewMemory is what an idle view may take of memory.
	viewMemory = 256 << 10
	// viewMade is how long its mkdir may take.
	viewMade = 5 * time.Millisecond
	// viewGoroutines is how many goroutines an idle view may have.
	viewGoroutines = 3
)

// goroutines of the daemon.
func goroutines(t *testing.T, n *netns.Net) int {
	t.Helper()
	out := n.Shell("bash", "grep ^slashnet_process_goroutines metrics")
	count, err := strconv.Atoi(strings.Fields(out)[1])
	if err != nil {
		t.Fatal(out)
	}
	return count
}

func durations(t *testing.T, out string) (all []time.Duration) {
	t.Helper()
	for line := range strings.Lines(out) {
		ns, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(line)
		}
		all = append(all, time.Duration(ns))
	}
	return all
}

func TestThousandViews(t *testing.T) {
	n := world(t)
	before, crew := resident(t, n), goroutines(t, n)
	made := durations(t, n.Run(peer(t), "views", n.Root+"/view", fmt.Sprint(manyViews)))
	t.Logf("mkdir takes %v, %v at the 99th percentile", percentile(made, 50), percentile(made, 99))
	if took := percentile(made, 50); took > viewMade {
		t.Errorf("a view is made in %v, want %v at most", took, viewMade)
	}
	each, hands := (resident(t, n)-before)/manyViews, (goroutines(t, n)-crew)/manyViews
	t.Logf("an idle view takes %d KiB and %d goroutines", each>>10, hands)
	if each > viewMemory || hands > viewGoroutines {
		t.Errorf("want at most %d KiB and %d goroutines", viewMemory>>10, viewGoroutines)
	}
	took := median(t, n, "ls view")
	t.Logf("%v  ls view", took)
	if took > listing {
		t.Errorf("ls view takes %v", took)
	}
	// The first and the last are as good as any, and meet nobody else.
	for _, v := range []int{0, manyViews - 1} {
		n.Shell("bash", fmt.Sprintf(`cd view/v%d/net; mkdir tcp/srv; echo announce 80 >tcp/srv/ctl
			exec 3<>tcp/dial/127.0.0.1:80; echo hello >&3; read -r line <tcp/$(cat tcp/srv/listen)/data; [ "$line" = hello ]`, v))
	}
	begin := time.Now()
	n.Run("bash", "-c", "cd $SLASHNET_ROOT/view; rmdir *")
	t.Logf("%v  rmdir of all", time.Since(begin).Round(time.Millisecond))
	if out := n.Shell("bash", "ls view"); out != "" {
		t.Errorf("left: %q", out)
	}
	for begin := time.Now(); goroutines(t, n) > crew+workersAtMost; time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > deadline {
			t.Fatalf("%d goroutines, %d before", goroutines(t, n), crew)
		}
	}
}

// workersAtMost is by how many goroutines a daemon at rest may differ from one.
const workersAtMost = 5

// A thousand views are made and removed while somebody waits in each, has a
// conversation open, stands in its directory.
func TestViewsEndInUse(t *testing.T) {
	n := world(t)
	turns := manyViews
	if testing.Short() {
		turns = 50
	}
	crew := goroutines(t, n)
	script := fmt.Sprintf(`cd "$SLASHNET_ROOT"
		for i in {1..%d}; do
			mkdir view/w$1; echo uplink routed 10.$((100+$1)).$((i%%250)).2/24 >view/w$1/ctl
			(cd view/w$1/net/tcp || exit; exec 3<>clone; read n <&3; echo announce 80 >&3; cat $n/listen & exec cat ../events) >/dev/null 2>&1 &
			(cd view/w$1/net && exec 3<>udp/clone && read n <&3 && echo connect %s:7 >&3 && exec cat udp/$n/data) >/dev/null 2>&1 &
			rmdir view/w$1
		done; wait`, turns/4, netns.HostAddr)
	var all []*netns.Process
	for w := range 4 {
		all = append(all, n.Start("bash", "-euc", script, "bash", fmt.Sprint(w)))
	}
	for _, p := range all {
		if err := p.Wait(2 * time.Minute); err != nil {
			t.Fatalf("%v\n%s", err, p.Output())
		}
	}
	if out := n.Shell("bash", "ls view; ls ipifc"); out != "0\n1\nclone\nstats\n" {
		t.Errorf("left: %q", out)
	}
	for begin := time.Now(); goroutines(t, n) > crew+workersAtMost; time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > deadline {
			t.Fatalf("%d goroutines, %d before", goroutines(t, n), crew)
		}
	}
}

// One view opens files without end: it gets as many as it may have, another feels
// nothing of it, and in the end nothing is left.
func TestHundredThousandFiles(t *testing.T) {
	n := world(t)
	serveApart(t, n)
	quiet, noisy := twoViews(t, n)
	const limit = 30_000
	n.Shell("bash", fmt.Sprintf("echo limit handles %d >view/noisy/ctl", limit))
	before := resident(t, n)
	// By ten processes: the kernel bounds what one may have.
	var all []*netns.Process
	got := 0
	for range 10 {
		p := n.Start(peer(t), "hoard", noisy+"/stats", "10000")
		p.Expect("hoarded")
		var opened int
		if _, err := fmt.Sscanf(p.Output(), "hoarded %d", &opened); err != nil || opened < 10_000 && !strings.Contains(p.Output(), "too many open files in system") {
			t.Errorf("%q", p.Output())
		}
		got += opened
		all = append(all, p)
	}
	if got != limit {
		t.Errorf("%d files of 100000 were opened, want %d", got, limit)
	}
	t.Logf("%d open files of a view: %d bytes each", limit, (resident(t, n)-before)/limit)
	if out, err := n.Try("cat", noisy+"/version"); err == nil || !strings.Contains(out, "Too many open files in system") {
		t.Errorf("one more: %v, %q", err, out)
	}
	n.Run("cat", quiet+"/version", n.Root+"/version")
	n.Shell("bash", fmt.Sprintf("grep 'limit.handles: %d/%d' view/noisy/stats; grep 'files are open, the limit' view/noisy/log", limit, limit))
	if len(in(n, quiet).latencies(t)) != requests {
		t.Error("another view is not served")
	}
	for _, p := range all {
		p.Kill()
	}
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if out := n.Shell("bash", "grep limit.handles view/noisy/stats"); strings.HasPrefix(out, "limit.handles: 0/") {
			break
		} else if time.Since(begin) > deadline {
			t.Fatal(out)
		}
	}
}

// Nothing of one view is to be read in another's tree, whatever file one reads, and
// nothing is to be changed from it.
func TestViewsTellNothing(t *testing.T) {
	n := world(t)
	a, b := twoViews(t, n)
	// What a has, each with a mark: its address 10.7.0.2, port 4711, a knob, a neighbour
	// and a route, a name, a conversation by name, and words in its log.
	n.Shell("bash", `cd view/quiet; for line in 'ctl: ip.ttl 77' 'arp: add 10.7.0.78 02:00:00:00:47:11' 'iproute: add 10.78.0.0/16 10.7.0.78' \
			'ndb: ip=10.7.0.79 dom=xyzzy.example' 'limit conversations 4711'; do echo "$line" >ctl; done
		cd net; mkdir tcp/xyzzyconv; echo announce 4711 >tcp/xyzzyconv/ctl; ! echo xyzzynonsense >tcp/xyzzyconv/ctl
		mkdir udp/xyzzyudp; echo connect 10.7.0.78:4711 >udp/xyzzyudp/ctl; ! cat tcp/dial/xyzzy.invalid:1`+" 2>/dev/null")
	marks := []string{"10.7.0.", "4711", "0000004711", "ip.ttl 77", "10.78.0.", "xyzzy"}
	// Every file that ends; opening listen, events and the like waits.
	walk := func(tree string) string {
		return n.Run("bash", "-c", "cd "+tree+`; find . -type d; find . -type l -printf '%p %l\n'
			find . -type f ! -name listen ! -name clone ! -name events ! -name data ! -name help | while read -r f; do echo "$f"; timeout 5 cat "$f" 2>&1; done`)
	}
	own := walk(a)
	for _, mark := range marks {
		if !strings.Contains(own, mark) {
			t.Errorf("%q is not in its own tree: the test looks for nothing", mark)
		}
	}
	for name, text := range map[string]string{"another view": walk(b)} {
		for line := range strings.Lines(text) {
			for _, mark := range marks {
				if strings.Contains(line, mark) {
					t.Errorf("%s says %q", name, line)
				}
			}
		}
	}
	// A stream of b's events has none of a's.
	p := n.Start("cat", b+"/events")
	n.Shell("bash", "cat view/quiet/net/tcp/clone view/noisy/net/udp/clone >/dev/null")
	p.Expect("udp/")
	if out := p.Output(); strings.Contains(out, "tcp/") {
		t.Errorf("events of another view: %q", out)
	}
	p.Kill()
	// And root, in b, changes nothing, of b or of anybody.
	for _, line := range []string{"ctl ip.ttl 9", "arp flush", "iproute flush", "log clear tcp", "ndb dom=x", "ipifc/0/ctl remove 127.0.0.1/8"} {
		file, text, _ := strings.Cut(line, " ")
		if out, err := n.Try("bash", "-c", "echo "+text+" >"+b+"/"+file); err == nil {
			t.Errorf("%s can be written in a view: %s", file, out)
		}
	}
	for _, path := range []string{"view", "ipifc/clone", "../quiet/net"} {
		if out, err := n.Try("unshare", "-m", "bash", "-c", "mount --make-rprivate /; mount --bind "+b+" /mnt && cd /mnt && ls /mnt/"+path); err == nil {
			t.Errorf("%s can be seen: %s", path, out)
		}
	}
	if after := walk(a); strings.Count(after, "ip.ttl 77") != strings.Count(own, "ip.ttl 77") {
		t.Error("something has changed")
	}
}

// A server for which there is no room for a while goes on when there is.
func TestServeOutlivesWantOfRoom(t *testing.T) {
	n := world(t)
	tree, _ := twoViews(t, n)
	p := n.Start("env", "SLASHNET_ROOT="+tree, netns.Binary(t, "./cmd/slashnet"), "serve", "-v", ":8080", "--", "head", "-n1")
	p.Expect("serving")
	n.Shell("bash", "echo limit handles 1 >view/quiet/ctl")
	n.Run("bash", "-c", "exec 3<>/dev/tcp/10.7.0.2/8080; cat <&3 || :")
	p.Expect("trying again")
	n.Shell("bash", "echo limit handles 100 >view/quiet/ctl")
	if out := n.Run("bash", "-c", "exec 3<>/dev/tcp/10.7.0.2/8080; echo hello >&3; head -n1 <&3"); out != "hello\n" {
		t.Errorf("%q, and the server says %q", out, p.Output())
	}
}
