package test

// Bad input by the hundred: every word of every control file, misspelt, cut,
// swollen and poisoned; and every file of the tree, in the hands of a vandal.
// bad_test.go has what people really mistype.

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"slashnet/test/netns"
)

// misspelt are lines that no file may take, made of one of its words.
func misspelt(word string) []string {
	return []string{
		"not" + word,
		word + "x",
		strings.ToUpper(word),
		word + "\x00",
		word + " \x00\x01",
		word + " \xff\xfe",
		"\xff" + word,
		word + " '",
		word + strings.Repeat(" ", 2000),
		word + " " + strings.Repeat("9", 2000),
		strings.Repeat(word+" ", 30000),
		word + strings.Repeat(" 7", 30),
		word + " 99999999999999999999999",
		word + " -1",
		word + " \u202e",
	}
}

func TestBadLines(t *testing.T) {
	n := world(t)
	// Without those to which any word may be a name: of a host, a device, a tag.
	verbs := map[string][]string{
		"tcp/0/ctl": {"connect", "announce", "bind", "close", "hangup", "shutdown", "keep", "linger", "keepalive", "nodelay", "ttl", "tos",
			"backlog", "rtimeout", "rcvbuf", "sndbuf", "mss", "headers", "ignoreadvice"},
		"udp/0/ctl":   {"connect", "announce", "bind", "close", "hangup", "keep", "ttl", "tos", "rtimeout", "headers", "ignoreadvice"},
		"icmp/0/ctl":  {"announce", "bind", "close", "hangup", "keep", "ttl", "tos", "rtimeout", "ignoreadvice"},
		"ipifc/1/ctl": {"unbind", "add", "remove", "mtu"},
		"iproute":     {"add", "remove"},
		"arp":         {"add", "del", "flush"},
		"ctl":         {"sync", "reset"},
	}
	for _, proto := range []string{"tcp", "udp", "icmp"} {
		if num := n.Run("cat", n.Root+"/"+proto+"/clone"); num != "0\n" {
			t.Fatalf("the first conversation of %s is %s", proto, num)
		}
	}
	for line := range strings.Lines(n.Run("cat", n.Root+"/ctl")) {
		verbs["ctl"] = append(verbs["ctl"], strings.Fields(line)[0])
	}
	const state = `cd "$SLASHNET_ROOT"; for p in tcp udp icmp; do grep -Ev "^(ends|idle|why)" $p/0/status; cat $p/0/local $p/0/remote; ls $p; done; cat ctl iproute ipselftab; sed 's/ pktin .*//' ipifc/1/status`
	before := n.Run("sh", "-c", state)
	for _, file := range slices.Sorted(maps.Keys(verbs)) {
		t.Run(strings.ReplaceAll(file, "/", "."), func(t *testing.T) {
			n := n.For(t)
			lines := []string{"", "\n", " ", "\x00", "\n\n\n", strings.Repeat("a", 1<<20), strings.Repeat("\n", 1<<20)}
			for _, verb := range verbs[file] {
				lines = append(lines, misspelt(verb)...)
			}
			refuses(t, n, file, lines)
		})
	}
	after := n.Run("sh", "-c", state)
	if before != after {
		t.Errorf("bad input changed something:\nbefore\n%s\nafter\n%s", before, after)
	}
	out := n.Shell("dash", "cat log | tail -n1; cat tcp/0/err")
	unprintable := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if strings.Count(out, "\n") != 2 || len(out) > 2000 || !utf8.ValidString(out) || strings.ContainsFunc(out, unprintable) {
		t.Errorf("the words of the last mistakes: %q", out)
	}
	if out := n.Run(peer(t), "both-at-once", n.Root+"/tcp/dial/"+netns.HostAddr+":7", "1000"); out != "ok\n" {
		t.Errorf("after all that, an echo is %q", out)
	}
}

// refuses writes each line to a file, which must say EINVAL to all but the empty
// write, which is none.
func refuses(t *testing.T, n *netns.Net, file string, lines []string) {
	t.Helper()
	var quoted strings.Builder
	for _, line := range lines {
		fmt.Fprintln(&quoted, strconv.Quote(line))
	}
	list := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(list, []byte(quoted.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	answers := strings.Fields(n.Run(peer(t), "write", filepath.Join(n.Root, file), list))
	if len(answers) != len(lines) {
		t.Fatalf("%d answers to %d lines", len(answers), len(lines))
	}
	for i, line := range lines {
		if answers[i] != "EINVAL" && line != "" {
			t.Errorf("%s: %.60q (%d bytes): %s, want EINVAL", file, line, len(line), answers[i])
		}
	}
}

// refusals are the errnos of a vandal's tries.
var refusals = map[string][]string{
	"unlink":   {"EPERM", "EISDIR"},
	"rename":   {"EPERM"},
	"replace":  {"ENOENT"},
	"exchange": {"EPERM", "EINVAL", "EBUSY", "EXDEV"},
	"link":     {"EPERM"},
	"symlink":  {"EPERM"},
	"mknod":    {"EPERM", "EACCES"},
	"create":   {"EACCES"},
	"setxattr": {"ENOTSUP", "EPERM"},
	"below":    {"ENOENT", "ENOTDIR"},
}

func TestVandal(t *testing.T) {
	n := world(t)
	detached(n)
	n.Start("cat", filepath.Join(n.Root, "tcp/dial", netns.HostAddr+":7004")).Blocked()
	const listing = `cd "$SLASHNET_ROOT"; find . | sort`
	before := n.Run("sh", "-c", listing)
	tries := n.Run(peer(t), "vandal", n.Root)
	count := 0
	for try := range strings.Lines(tries) {
		f := strings.Fields(try)
		if !slices.Contains(refusals[f[0]], f[2]) {
			t.Errorf("%s %s: %s, want one of %v", f[0], f[1], f[2], refusals[f[0]])
		}
		count++
	}
	if count < 500 {
		t.Errorf("only %d tries:\n%s", count, tries)
	}
	if after := n.Run("sh", "-c", listing); after != before {
		t.Errorf("the tree has changed:\nbefore\n%s\nafter\n%s", before, after)
	}
}
