package test

// Bad input, from the files' side: each mistake has its errno, changes nothing,
// and hangs nobody.

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"slashnet/test/netns"
)

func TestBadInput(t *testing.T) {
	n := netns.Start(t)
	num := detached(n)
	before := n.Shell("dash", "cat tcp/"+num+"/status tcp/"+num+"/local ipifc/*/status iproute ctl; ls tcp")
	for _, test := range []struct{ command, want string }{
		// Lines of ctl.
		{"echo > tcp/N/ctl", "Invalid argument"},
		{"echo '   ' > tcp/N/ctl", "Invalid argument"},
		{"echo conect 10.114.0.1:80 > tcp/N/ctl", "Invalid argument"},
		{"echo connect > tcp/N/ctl", "Invalid argument"},
		{"echo connect 10.114.0.1 > tcp/N/ctl", "Invalid argument"},
		{"echo connect 10.114.0.1:0 > tcp/N/ctl", "Invalid argument"},
		{"echo connect 10.114.0.1:65536 > tcp/N/ctl", "Invalid argument"},
		{"echo connect 10.114.0.1:-1 > tcp/N/ctl", "Invalid argument"},
		{"echo connect 10.114.0.256:80 > tcp/N/ctl", ""},
		{"echo connect 10.114.0.1:80 1 2 3 4 > tcp/N/ctl", "Invalid argument"},
		{"echo announce 65536 > tcp/N/ctl", "Invalid argument"},
		{"echo announce 10.9.9.9:80 > tcp/N/ctl", "Cannot assign requested address"},
		{"echo ttl 999 > tcp/N/ctl", "Invalid argument"},
		{"echo keep soon > tcp/N/ctl", "Invalid argument"},
		{"printf 'connect\\0 10.114.0.1:80' > tcp/N/ctl", "Invalid argument"},
		{"printf '\\377\\376\\375' > tcp/N/ctl", "Invalid argument"},
		{"head -c 100000 /dev/zero | dd of=tcp/N/ctl bs=100000 iflag=fullblock", "Invalid argument"},
		{"head -c 100000 /dev/zero | tr '\\0' a | dd of=tcp/N/ctl bs=100000 iflag=fullblock", "Invalid argument"},
		// Files of the stack.
		{"echo no.such.knob 1 > ctl", "Invalid argument"},
		{"echo ip.ttl 0 > ctl", "Invalid argument"},
		{"echo ip.ttl many > ctl", "Invalid argument"},
		{"echo add 10.0.0.0/33 10.114.0.1 > iproute", "Invalid argument"},
		{"echo add > iproute", "Invalid argument"},
		{"echo nonsense > arp", "Invalid argument"},
		{"echo add 300.0.0.1/24 > ipifc/1/ctl", "Invalid argument"},
		{"echo mtu 10 > ipifc/1/ctl", "Invalid argument"},
		// Queries that nobody is asked.
		{"echo > cs", "Invalid argument"},
		{"echo > dns", "Invalid argument"},
		{"echo 'tcp!10.0.0.1!99999' > cs", "Invalid argument"},
		{"echo 'tcp!10.0.0.1!no-such-service' > cs", "Invalid argument"},
		{"printf 'tcp!10.0.0.1!80\\n\\n' > cs", "Invalid argument"},
		{"printf 'tcp!\\377\\0!80' > cs", "Invalid argument"},
		{"echo a.example ip ip > dns", "Invalid argument"},
		{"echo a.example no-such-type > dns", "Invalid argument"},
		{"cat dns.d/a.example:no-such-type", "Invalid argument"},
		{"cat dns.d/a..example", "Invalid argument"},
		{"cat dns.d/:", "Invalid argument"},
		{"cat dns.d/$(head -c 300 /dev/zero | tr '\\0' a)", "File name too long"},
		{"head -c 10000 /dev/zero | tr '\\0' a | dd of=cs bs=100000 iflag=fullblock", "Message too long"},
		{"head -c 10000 /dev/zero | tr '\\0' a | dd of=dns bs=100000 iflag=fullblock", "Message too long"},
		{"echo x > dns.d/a.example", ""},
		{"rm dns.d/a.example", "not permitted"},
		// What does not exist, and what is not for that.
		{"cat tcp/999999/status", "No such file or directory"},
		{"cat tcp/nothing", "No such file or directory"},
		{"cat 'tcp/dial/nowhere'", ""},
		{"cat tcp/dial/10.114.0.1:99999", ""},
		{"echo x > tcp/N/status", ""},
		{"echo x > tcp/N/local", ""},
		{"echo x > help", ""},
		{"rm tcp/N/ctl", "not permitted"},
		{"rm -f tcp/clone", "not permitted"},
		{"mv tcp/N/ctl tcp/N/data", ""},
		{"mv tcp udp2", ""},
		{"ln tcp/N/ctl tcp/N/ctl2", ""},
		{"ln -s tcp tcp2", ""},
		{"touch new", ""},
		{"mkdir new", ""},
		{"mkdir tcp/N/new", ""},
		{"mknod new p", ""},
		{"rmdir tcp", ""},
		{"cat tcp", "Is a directory"},
	} {
		command := strings.ReplaceAll(test.command, "tcp/N", "tcp/"+num)
		out, err := n.Try("bash", "-c", "set -o pipefail; cd \"$SLASHNET_ROOT\"; "+command)
		if err == nil || !strings.Contains(out, test.want) {
			t.Errorf("%s: %v, want an error with %q; printed:\n%s", command, err, test.want, out)
		}
	}
	after := n.Shell("dash", "cat tcp/"+num+"/status tcp/"+num+"/local ipifc/*/status iproute ctl; ls tcp")
	if passing := []string{"pktin", "idle ", "ends ", "why "}; without(before, passing) != without(after, passing) {
		t.Errorf("bad input changed something:\nbefore\n%s\nafter\n%s", before, after)
	}
}

// without leaves the lines out in which a word tells of the time that has passed.
func without(text string, words []string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(line, word) }) {
			fmt.Fprint(&kept, line)
		}
	}
	return kept.String()
}

// TestHarmlessOperations: what shells and tools do on the way must not fail.
func TestHarmlessOperations(t *testing.T) {
	n := netns.Start(t)
	num := detached(n)
	for _, command := range []string{
		"ls -lR . > /dev/null",
		"find . -maxdepth 3 > /dev/null",
		"stat -c %s tcp/N/data | grep -qx 4096",
		"echo keep 100 >> tcp/N/ctl",
		"test -w tcp/N/ctl",
		"df . > /dev/null",
		"ls tcp/dial tcp/accept",
		"cat help ctl stats arp iproute ipselftab log tcp/stats > /dev/null",
		"chmod 600 tcp/N/ctl",
		"echo sync > ctl",
		"rmdir tcp/N",
	} {
		out, err := n.Try("bash", "-c", "set -o pipefail; cd \"$SLASHNET_ROOT\"; "+strings.ReplaceAll(command, "tcp/N", "tcp/"+num))
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}
