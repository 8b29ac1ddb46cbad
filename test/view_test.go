package test

// Views on a TAP: containers of namespaces that have no network but a bind mount,
// the kernel as their peer.

import (
	"strings"
	"testing"

	"slashnet/test/netns"
)

func TestViews(t *testing.T) {
	n := world(t)
	slashnet := netns.Binary(t, "./cmd/slashnet")
	for _, uplink := range []string{"uplink switch 10.114.0.3/24", "uplink routed 10.7.0.2/24"} {
		out := n.Run(slashnet, "view", "add", "web", uplink, "limit conversations 50")
		if out != n.Root+"/view/web/net\n" {
			t.Errorf("add: %q", out)
		}
		own := strings.TrimSuffix(strings.Fields(uplink)[2], "/24")
		if strings.Contains(uplink, "routed") {
			n.Run("ip", "route", "add", "10.7.0.0/24", "via", netns.Addr)
		}
		// The container: no network, and a mount namespace of its own.
		container := func(script string) string {
			return n.Run("unshare", "-n", "-m", "bash", "-euc", `
				mount --make-rprivate /; mount -t tmpfs none /mnt; mkdir /mnt/net
				mount --bind "$SLASHNET_ROOT/view/web/net" /mnt/net; umount -l "$SLASHNET_ROOT"
				export SLASHNET_ROOT=/mnt/net; cd /mnt/net
				`+script)
		}
		out = container(`exec 3<>tcp/dial/` + netns.HostAddr + `:80; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3; ls tcp/by-remote | head -n1`)
		if !strings.HasPrefix(out, "HTTP/1.0 200 OK\r\n") || !strings.Contains(out, kernelPage) {
			t.Errorf("%s: fetched %q", uplink, out)
		}
		if out := container(slashnet + ` ping -c 1 ` + netns.HostAddr); !strings.Contains(out, netns.HostAddr) {
			t.Errorf("%s: %q", uplink, out)
		}
		call := "timeout 2 bash -c 'exec 3<>/dev/tcp/" + own + "/8080'"
		n.Shell("bash", "mkdir view/web/net/tcp/srv; echo announce 8080 >view/web/net/tcp/srv/ctl; "+call)
		// The root goes on beside it.
		if out := n.Shell("bash", `exec 3<>tcp/dial/10.114.0.1:80; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3; cat view/web/net/ipselftab`); !strings.Contains(out, kernelPage) || !strings.Contains(out, own) {
			t.Errorf("%s: the root fetched %q", uplink, out)
		}
		if out := n.Run(slashnet, "view", "ls"); !strings.Contains(out, "web") || !strings.Contains(out, strings.TrimPrefix(uplink, "uplink ")) {
			t.Errorf("ls: %q", out)
		}
		n.Run(slashnet, "view", "rm", "web")
		if out, err := n.Try("bash", "-c", call); err == nil {
			t.Errorf("%s: what is removed answers: %s", uplink, out)
		}
	}
	for _, bad := range [][]string{
		{"add", "web", "uplink routed nonsense"}, {"add", "a b"}, {"add", "../x"}, {"rm", "nobody"}, {"rm"}, {"what"},
	} {
		out, err := n.Try(append([]string{slashnet, "view"}, bad...)...)
		if err == nil || strings.Count(out, "\n") != 1 {
			t.Errorf("view %q: %v, %q", bad, err, out)
		}
	}
	if out := n.Shell("bash", "ls view"); out != "" {
		t.Errorf("left behind: %q", out)
	}
}
