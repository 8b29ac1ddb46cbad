package test

// Ten thousand at once: what a conversation costs, what a blocked reader costs,
// and that neither costs a goroutine.

import (
	"fmt"
	"os"
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
	// many is as many as a busy host has.
	many = 10_000
	// readersMemory is what that many blocked readers may take.
	readersMemory = 50 << 20
	// listing is how long ls of them may take.
	listing = 50 * time.Millisecond
	// census is how many goroutines the daemon may have, whatever it carries.
	census = 40
)

func TestTenThousand(t *testing.T) {
	n := world(t)
	tcp := n.Root + "/tcp"
	before := resident(t, n)
	hold := func() *netns.Process {
		p := n.Start(peer(t), "hold", tcp, netns.HostAddr+":7004", fmt.Sprint(many))
		p.Expect("held")
		return p
	}
	holder := hold()
	held := resident(t, n)
	t.Logf("%d conversations: %d bytes each of resident memory", many, (held-before)/many)

	if got := strings.Count(n.Run("ls", tcp+"/by-state/Established"), "\n"); got != many {
		t.Errorf("%d are established, want %d", got, many)
	}
	list := func() {
		for _, command := range []string{"ls tcp", "ls -l tcp/by-state"} {
			took := median(t, n, command)
			t.Logf("%v  %s", took.Round(100*time.Microsecond), command)
			if took > listing {
				t.Errorf("%s took %v, want at most %v", command, took, listing)
			}
		}
	}
	list()
	begin := time.Now()
	n.Run("ls", "-l", tcp)
	t.Logf("%v  ls -l tcp, once", time.Since(begin).Round(time.Millisecond))

	listed := resident(t, n)
	readers := n.Start(peer(t), "readers", tcp)
	awaitStat(t, n, "operations", many)
	read := resident(t, n)
	t.Logf("%d blocked readers: %d KiB of resident memory more", many, (read-listed)>>10)
	if read-listed > readersMemory {
		t.Errorf("%d blocked readers took %d bytes, want at most %d", many, read-listed, readersMemory)
	}

	if out := n.Run(peer(t), "both-at-once", tcp+"/dial/"+netns.HostAddr+":7", "100000"); out != "ok\n" {
		t.Errorf("beside them, an echo is %q", out)
	}
	begin = time.Now()
	readers.Signal(syscall.SIGKILL)
	readers.Wait(deadline)
	awaitStat(t, n, "operations", 0)
	t.Logf("killed readers were gone after %v", time.Since(begin).Round(time.Millisecond))

	holder.Kill()
	awaitStat(t, n, "conversations", 0)
	ended := resident(t, n)
	t.Logf("%d in TIME-WAIT: %d bytes each of resident memory more than at the start", many, (ended-before)/many)
	list()

	hold()
	n.Start(peer(t), "readers", tcp)
	awaitStat(t, n, "operations", many)
	n.Daemon().Dump() // which ends it
	goroutines := strings.Count(n.Daemon().Output(), "\ngoroutine ")
	t.Logf("%d goroutines", goroutines)
	if goroutines == 0 || goroutines > census {
		t.Errorf("%d conversations and as many blocked readers: %d goroutines, want at most %d", many, goroutines, census)
	}
}

// resident is the daemon's memory that is not swapped out, in bytes.
func resident(t *testing.T, n *netns.Net) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Daemon().Pid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == "VmRSS:" {
			kilobytes, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatalf("no VmRSS in:\n%s", status)
	return 0
}

// median is how long a command takes, warm.
func median(t *testing.T, n *netns.Net, command string) time.Duration {
	t.Helper()
	const turns = 7
	script := fmt.Sprintf(`cd "$SLASHNET_ROOT"; for i in 0 1 2 3 4 5 6 7; do s=${EPOCHREALTIME/.}; %s >/dev/null; echo $((${EPOCHREALTIME/.} - s)); done`, command)
	times := strings.Fields(n.Run("bash", "-euc", script))[1:]
	var all []int
	for _, text := range times {
		micros, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, micros)
	}
	slices.Sort(all)
	return time.Duration(all[turns/2]) * time.Microsecond
}

// stat is a number of a file of counters.
func stat(t *testing.T, n *netns.Net, file, name string) int {
	t.Helper()
	out := n.Run("cat", filepath.Join(n.Root, file))
	for line := range strings.Lines(out) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+": "); ok {
			number, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			return number
		}
	}
	t.Fatalf("no %s in %s:\n%s", name, file, out)
	return 0
}

// awaitStat waits until a number of the file stats has a value.
func awaitStat(t *testing.T, n *netns.Net, name string, want int) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		got := stat(t, n, "stats", name)
		if got == want {
			return
		}
		if time.Since(begin) > deadline {
			t.Fatalf("stats: %s is %d, want %d", name, got, want)
		}
	}
}
