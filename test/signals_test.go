package test

// Signals: whatever waits in the tree ends at once when it is told to, and keeps
// nobody else waiting.

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"slashnet/test/netns"
)

// promptly is how soon a signal ends a call that waits.
const promptly = 100 * time.Millisecond

// blackHole is an address behind the gateway where nobody answers: the kernel
// does not forward.
const blackHole = "192.0.2.1"

func stop(n *netns.Net) error {
	n.Daemon().Signal(syscall.SIGTERM)
	return n.Daemon().Wait(deadline)
}

// waiters start a client that waits, by the call that it waits in.
var waiters = map[string]func(n *netns.Net) *netns.Process{
	"read": func(n *netns.Net) *netns.Process {
		return n.Start("cat", filepath.Join(n.Root, "tcp/dial", netns.HostAddr+":7004"))
	},
	"write": func(n *netns.Net) *netns.Process {
		return n.Start("dd", "if=/dev/zero", "of="+filepath.Join(n.Root, "tcp/dial", netns.HostAddr+":7001"), "bs=1M", "conv=notrunc")
	},
	"connect": func(n *netns.Net) *netns.Process {
		return n.Start("sh", "-c", fmt.Sprintf("exec dd of=%s status=none <<-EOF\nconnect %s:80\nEOF", filepath.Join(n.Root, "tcp", detached(n), "ctl"), blackHole))
	},
	"dial": func(n *netns.Net) *netns.Process {
		return n.Start("cat", filepath.Join(n.Root, "tcp/dial", blackHole+":80"))
	},
	"listen": func(n *netns.Net) *netns.Process {
		num := detached(n)
		n.Shell("dash", "echo announce 0 > tcp/"+num+"/ctl")
		return n.Start("cat", filepath.Join(n.Root, "tcp", num, "listen"))
	},
	"accept": func(n *netns.Net) *netns.Process {
		return n.Start("cat", filepath.Join(n.Root, "tcp/accept/9001"))
	},
}

// TestSignals ends every kind of call that waits, with each signal.
func TestSignals(t *testing.T) {
	n := world(t)
	for name, start := range waiters {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(name+"/"+signal.String(), func(t *testing.T) {
				n := n.For(t)
				p := start(n)
				p.Blocked()
				begin := time.Now()
				p.Signal(signal)
				p.Wait(deadline)
				if took := time.Since(begin); took > promptly {
					t.Errorf("ended after %v, want at most %v", took, promptly)
				}
			})
		}
	}
}

// detached makes a conversation as a shell does, and returns its number.
func detached(n *netns.Net) string {
	return strings.TrimSpace(n.Run("cat", filepath.Join(n.Root, "tcp/clone")))
}

// TestBlockedConnect: one that waits keeps nobody waiting, and hangup ends it.
func TestBlockedConnect(t *testing.T) {
	n := world(t)
	num := detached(n)
	ctl := filepath.Join(n.Root, "tcp", num, "ctl")
	p := n.Start("sh", "-c", "echo connect "+blackHole+":80 > "+ctl)
	p.Blocked()
	begin := time.Now()
	n.Shell("dash", `
		cat tcp/`+num+`/status tcp/`+num+`/why
		ls -l tcp tcp/`+num+`
		n=$(cat tcp/clone)
		echo connect 10.114.0.1:7 > tcp/$n/ctl
		rmdir tcp/$n`)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("others took %v beside a connect that waits", took)
	}
	begin = time.Now()
	n.Shell("dash", "echo hangup > tcp/"+num+"/ctl")
	if err := p.Wait(deadline); err == nil {
		t.Error("a connect that was hung up succeeded")
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("hangup ended the connect after %v", took)
	}
}
