package test

// examples/classroom as a pupil runs it, and the same room by --boot and by --nic.

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

// remark is a comment of a pcapng packet: its type, its length, and the words.
const remark = "\x01\x00\x04\x00lost"

func TestClassroom(t *testing.T) {
	n := netns.New(t)
	n.UpAs(netns.Binary(t, "./cmd/slashnet"), "up", "--ready-fd", "3", "--nic", "none")
	script, err := filepath.Abs("../examples/classroom/classroom")
	if err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("a lesson in patience\n"), 50_000)
	for _, shell := range shells {
		dir := t.TempDir()
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, sent, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := n.TryFor(time.Minute, append(strings.Fields(shell), script, file, dir)...)
		if err != nil {
			t.Fatalf("%s: %v\n%s\n%s", shell, err, out, n.Shell("dash", "cat log view/*/log"))
		}
		got, err := os.ReadFile(filepath.Join(dir, "copy"))
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%s: bob has %d bytes of %d: %v", shell, len(got), len(sent), err)
		}
		for _, line := range []string{"nic link:good/b 10.0.1.1/24\n", "nic link:bad/a 10.0.2.1/24\n", "ctl: ip.forward on\n", "impair delay 10ms loss 3% seed 42\n"} {
			if !strings.Contains(out, line) {
				t.Errorf("%s: %q is not in\n%s", shell, line, out)
			}
		}
		number := func(name string) int {
			_, rest, _ := strings.Cut(out, "\n"+name+" ")
			value, err := strconv.Atoi(rest[:strings.IndexByte(rest, '\n')])
			if err != nil {
				t.Fatalf("%s: no number %s in\n%s", shell, name, out)
			}
			return value
		}
		frames, lost := number("a sent:")+number("b sent:"), number("a lost:")+number("b lost:")
		if number("retrans") == 0 || lost == 0 {
			t.Errorf("%s: the lesson fails: %d retransmissions, %d frames lost", shell, number("retrans"), lost)
		}
		// The capture goes on while everybody goes home.
		const parting = 20
		capture := filepath.Join(dir, "bad.pcapng")
		lines, err := exec.Command("tcpdump", "-n", "-r", capture).Output()
		if had := bytes.Count(lines, []byte("\n")); err != nil || had < frames || had > frames+parting {
			t.Errorf("%s: tcpdump reads %d frames, %v; the counters say %d", shell, had, err, frames)
		}
		raw, err := os.ReadFile(capture)
		if had := bytes.Count(raw, []byte(remark)); err != nil || had < lost || had > lost+parting {
			t.Errorf("%s: the capture calls %d frames lost, the counters %d", shell, had, lost)
		}
		if out := n.Shell("dash", "ls view link switch"); out != "link:\n\nswitch:\n\nview:\n" {
			t.Errorf("%s: left behind: %q", shell, out)
		}
	}
}

// The same room from a boot script; the root is alice, plugged in by --nic.
func TestClassroomBoots(t *testing.T) {
	n := netns.New(t)
	boot := filepath.Join(n.Dir, "boot")
	script := `# a room
mkdir: view/router view/bob link/bad
view/router/ctl: nic switch:lan 10.0.1.1/24
view/router/ctl: nic link:bad 10.0.2.1/24
view/router/net/ctl: ip.forward on
view/bob/ctl: nic link:bad 10.0.2.2/24 10.0.2.1
link/bad/ctl: impair b delay 1ms
`
	if err := os.WriteFile(boot, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	n.UpAs(netns.Binary(t, "./cmd/slashnet"), "up", "--ready-fd", "3", "--nic", "switch:lan", "--nic", "link:spare",
		"--addr", "10.0.1.2/24", "--gateway", "10.0.1.1", "--boot", boot)
	out := n.Shell("dash", netns.Binary(t, "./cmd/slashnet")+" ping -c 2 10.0.2.2; cat link/bad/ctl; cut -d' ' -f1-2 switch/lan/ports; wc -l <switch/lan/table; head -n2 link/spare/stats")
	for _, want := range []string{
		"2 sent, 2 answered", "impair a off\nimpair b delay 1ms\nswitch:lan/1 ipifc/1\nswitch:lan/2 view/router/net/ipifc/1\n2\na: ipifc/2\nb: -\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %q", want, out)
		}
	}
}
