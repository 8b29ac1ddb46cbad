package test

// Segment scripts, those of the engine, played against the daemon: through its
// files, and from the kernel's side of its TAP, in real time.

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

// playScripts plays scripts in a namespace of their own and returns the lines of
// play. Nobody but it answers for the peers' addresses.
func playScripts(t *testing.T, patience time.Duration, args ...string) []string {
	t.Helper()
	n := netns.New(t)
	n.UpAs(netns.Binary(t, "./cmd/slashnet"), "up", "--ready-fd", "3", "--nic", "tap:slash0", "--mac", "02:53:4c:00:00:02",
		"--addr", netns.Addr+"/16", "--addr", "fd00:114::2/64", "--host-addr", "none", "--gateway", "none", "--set", "ip6.dad=0", "--set", "arp.probe=off")
	scripts, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{netns.Binary(t, "./test/play")}, append(args, scripts+"/../stack/tcp/testdata/scripts")...)
	out, err := n.TryFor(patience, args...)
	if err != nil {
		t.Fatalf("play: %v\n%s", err, out)
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

// verdict takes a line of play apart; what is empty for a script that passed.
func verdict(t *testing.T, line string) (name, what string) {
	t.Helper()
	if name, ok := strings.CutPrefix(line, "ok "); ok {
		return name, ""
	}
	rest, failed := strings.CutPrefix(line, "FAIL ")
	at := strings.LastIndex(rest, ` "`) // quotes inside have a backslash
	if !failed || at < 0 {
		t.Fatalf("a line of play: %q", line)
	}
	if _, err := fmt.Sscanf(rest[at:], "%q", &what); err != nil {
		t.Fatalf("a line of play: %q: %v", line, err)
	}
	return rest[:at], what
}

func TestSegmentScripts(t *testing.T) {
	span, patience := "5s", 5*time.Minute
	if os.Getenv("SOAK") != "" {
		span, patience = "10m", 3*time.Hour
	}
	for _, line := range playScripts(t, patience, "--span", span) {
		name, what := verdict(t, line)
		t.Run(name, func(t *testing.T) {
			if what != "" {
				t.Error(what)
			}
		})
	}
}

// TestSegmentScriptsSeeWrongOnes is the test of play: what has to fail does, for
// the reason that it is named after.
func TestSegmentScriptsSeeWrongOnes(t *testing.T) {
	lines := playScripts(t, time.Minute, "--wrong")
	if len(lines) < 40 {
		t.Errorf("only %d were played", len(lines))
	}
	for _, line := range lines {
		name, what := verdict(t, line)
		if want := name[:strings.LastIndex(name, "/")]; !strings.Contains(what, want) {
			t.Errorf("a script with a wrong expectation ends so: %s: %q, want words with %q", name, what, want)
		}
	}
}
