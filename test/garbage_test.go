package test

// Frames that nobody should send: random bytes, and good frames with some bits
// turned, as fast as they go. The daemon must count them, drop them and go on.

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"slashnet/test/netns"
)

const (
	// garbageTime is how long it rains.
	garbageTime = 5 * time.Second
	// garbageMemory is how much the daemon may grow by it: its tables are bounded,
	// and the rest is what Go's collector has not come to yet.
	garbageMemory = 64 << 20
)

func TestGarbage(t *testing.T) {
	n := world(t)
	slashnet := netns.Binary(t, "./cmd/slashnet")
	echo := func(when string) time.Duration {
		t.Helper()
		begin := time.Now()
		out, err := n.Try(peer(t), "both-at-once", n.Root+"/tcp/dial/"+netns.HostAddr+":7", "100000")
		if err != nil || out != "ok\n" {
			t.Errorf("%s, an echo is %q, %v", when, out, err)
		}
		return time.Since(begin)
	}
	garbage := n.Start(peer(t), "garbage", "slash0", fmt.Sprint(garbageTime))
	garbage.Expect("listening")
	// One of each kind, to be mutated; the listeners and a connection stay.
	n.Start("cat", n.Root+"/tcp/accept/8080").Blocked()
	n.Start("cat", n.Root+"/udp/accept/8080").Blocked()
	n.Start("cat", n.Root+"/tcp/dial/"+netns.HostAddr+":7004").Blocked()
	n.Run(slashnet, "ping", "-c", "2", "-i", "10ms", netns.HostAddr)
	n.Shell("dash", "exec 3<>udp/dial/"+netns.HostAddr+":7; echo hello >&3; read -r answer <&3")
	n.Run("bash", "-c", "exec 3<>/dev/tcp/"+netns.Addr+"/8080; : >/dev/udp/"+netns.Addr+"/8080")
	echo("before")
	// ARP believes whoever speaks last (RFC 826): what is noted by hand stays.
	n.Shell("dash", "echo add "+netns.HostAddr+" $(ip -brief link show slash0 | grep -o '..:..:..:..:..:..') > arp")
	dropped, before := drops(t, n), resident(t, n)

	garbage.Signal(syscall.SIGUSR1)
	garbage.Expect("seen")
	var longest time.Duration
	echoes := 0
	for ; !over(garbage); echoes++ {
		longest = max(longest, echo("during"))
	}
	if err := garbage.Wait(deadline); err != nil {
		t.Fatalf("%v: %s", err, garbage.Output())
	}
	t.Log(strings.TrimSpace(garbage.Output()))
	n.Shell("dash", "echo sync > ctl")
	echo("after")
	dropped, after := drops(t, n)-dropped, resident(t, n)
	t.Logf("%d echoes meanwhile, the longest %v; %d frames dropped and counted; %d KiB of memory more",
		echoes, longest.Round(time.Millisecond), dropped, (after-before)>>10)
	if dropped < 1000 {
		t.Errorf("only %d frames were dropped", dropped)
	}
	if stat(t, n, "stats", "InHdrErrors") == 0 {
		t.Error("no bad IP header was counted")
	}
	if after-before > garbageMemory {
		t.Errorf("the daemon grew by %d bytes, want at most %d", after-before, garbageMemory)
	}
	if t.Failed() {
		t.Log(n.Run("sh", "-c", "cd $SLASHNET_ROOT; cat stats tcp/stats udp/stats icmp/stats ipifc/*/stats arp"))
	}
}

// drops is the sum of the interfaces' drops.
func drops(t *testing.T, n *netns.Net) int {
	t.Helper()
	sum := 0
	for line := range strings.Lines(n.Run("sh", "-c", "cat $SLASHNET_ROOT/ipifc/*/stats")) {
		if _, number, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(line, "dropped ") {
			var count int
			fmt.Sscan(number, &count)
			sum += count
		}
	}
	return sum
}
