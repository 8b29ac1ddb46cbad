package test

// Our router beside the kernel's: the same datagrams go through both, and what
// comes out behind them, and comes back as errors, has to be the same.

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

// through.py sends the datagrams and tells what became of them.
//
//go:embed through.py
var through string

// The names of the namespaces are those of the test's with a letter: r is the
// kernel's router, f what is behind both.
func TestRouterIsAsTheKernels(t *testing.T) {
	n := netns.Start(t, "--nic", "tap:slash1")
	router, far := n.Name+"r", n.Name+"f"
	for _, ns := range []string{router, far} {
		ip(t, "netns", "add", ns)
		t.Cleanup(func() { ip(t, "netns", "delete", ns) })
	}
	n.Shell("bash", `set -e
echo add 10.115.0.2/24 >ipifc/2/ctl
echo mtu 600 >ipifc/2/ctl
echo remove 0.0.0.0/0 >iproute
echo ip.forward on >ctl`)
	ip(t, "-n", n.Name, "link", "set", "slash1", "netns", far)
	ip(t, "-n", n.Name, "link", "add", "kr", "type", "veth", "peer", "name", "rk", "netns", router)
	ip(t, "-n", far, "link", "add", "fr", "type", "veth", "peer", "name", "rf", "netns", router)
	for _, line := range []string{
		n.Name + " addr add 10.116.0.1/24 dev kr", n.Name + " link set kr up",
		router + " addr add 10.116.0.2/24 dev rk", router + " link set rk up",
		router + " addr add 10.117.0.2/24 dev rf", router + " link set rf mtu 600 up",
		far + " addr add 10.117.0.1/24 dev fr", far + " link set fr up",
		far + " addr add 10.115.0.1/24 dev slash1", far + " link set slash1 up",
		far + " route add 10.114.0.0/24 via 10.115.0.2", far + " route add 10.116.0.0/24 via 10.117.0.2",
		n.Name + " route add 10.115.0.0/24 via 10.114.0.2", n.Name + " route add 10.117.0.0/24 via 10.116.0.2",
		n.Name + " route add 198.51.100.1 via 10.114.0.2", n.Name + " route add 198.51.100.2 via 10.116.0.2",
	} {
		ip(t, append([]string{"-n"}, strings.Fields(line)...)...)
	}
	n.Run("nsenter", "--net=/run/netns/"+router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

	script := filepath.Join(n.Dir, "through.py")
	if err := os.WriteFile(script, []byte(through), 0o644); err != nil {
		t.Fatal(err)
	}
	ours := n.Run("python3", script, far, "10.114.0.2", "10.115.0.2", "10.115.0.1", "198.51.100.1")
	kernels := n.Run("python3", script, far, "10.116.0.2", "10.117.0.2", "10.117.0.1", "198.51.100.2")
	if ours != kernels {
		t.Errorf("ours:\n%s\nthe kernel's:\n%s", ours, kernels)
	}
	if lines := strings.Count(ours, "\n"); lines < 20 {
		t.Errorf("%d lines only:\n%s", lines, ours)
	}
}

// ip runs the command in the test's own place.
func ip(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
