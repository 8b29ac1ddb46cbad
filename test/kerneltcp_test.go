package test

// What our TCP and the kernel's agree on, either one calling.

import (
	"strings"
	"testing"

	"slashnet/test/netns"
)

// weCall fetches some bytes from the kernel's source and prints the status of the
// conversation; theyCall has the kernel send and fetch some, through an echo of ours.
const (
	weCall = `
		exec 3<>tcp/clone
		read -r n <&3
		echo connect 10.114.0.1:19 >&3
		echo 300000 >tcp/$n/data
		cat tcp/$n/data | wc -c
		cat tcp/$n/status`
	theyCall = `
		exec 3<>tcp/clone
		read -r l <&3
		echo announce 8080 >&3
		(head -c 300000 /dev/zero | timeout 10 socat -t 9 - TCP:10.114.0.2:8080 | wc -c) &
		exec 4<>tcp/$l/listen
		read -r n <&4
		cat <tcp/$n/data | cat >tcp/$n/data
		cat tcp/$n/status
		echo shutdown wr >&4
		exec 4>&-
		wait`
)

// status is the value of a word of status.
func status(t *testing.T, text, word string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, word+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("no %q in\n%s", word, text)
	return ""
}

// TestKernelAgrees sees which options both ends agree on, under the settings of
// either.
func TestKernelAgrees(t *testing.T) {
	const all = "sack timestamps wscale"
	for name, tc := range map[string]struct {
		kernel, ours string
		we, they     string // what is agreed on when we call, and when they do
		cookies      string // taken by us
	}{
		"defaults":          {"tcp_ecn=2", "tcp.ecn passive", all, all, "0"},
		"ECN, both ask":     {"tcp_ecn=1", "tcp.ecn on", all + " ecn", all + " ecn", "0"},
		"ECN, we ask":       {"tcp_ecn=2", "tcp.ecn on", all + " ecn", all, "0"},
		"ECN, they ask":     {"tcp_ecn=1", "tcp.ecn passive", all, all + " ecn", "0"},
		"ECN is off":        {"tcp_ecn=1", "tcp.ecn off", all, all, "0"},
		"cookies":           {"tcp_ecn=1", "tcp.syncookies always", all, all + " ecn", "1"},
		"cookies, no clock": {"tcp_timestamps=0", "tcp.syncookies always", "sack wscale", "none", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			n := netns.Start(t)
			n.Run("sysctl", "-qw", "net.ipv4."+tc.kernel)
			n.Serve(peer(t), "serve", netns.HostAddr)
			n.Shell("dash", "echo "+tc.ours+" >ctl")
			for way, want := range map[string]string{weCall: tc.we, theyCall: tc.they} {
				out := n.Shell("dash", way)
				if got := status(t, out, "options"); got != want {
					t.Errorf("agreed on %q, want %q\n%s", got, want, out)
				}
				if !strings.Contains(out, "300000\n") {
					t.Errorf("not all came:\n%s", out)
				}
			}
			if got := n.Shell("dash", "sed -n 's/^CookiesTaken: //p' tcp/stats"); strings.TrimSpace(got) != tc.cookies {
				t.Errorf("%s cookies came back, want %s", got, tc.cookies)
			}
		})
	}
}
