package test

// The harness itself: a namespace, the peer's servers in it, and the deadline of a
// command that hangs.

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

func TestPeer(t *testing.T) {
	n := netns.New(t)
	n.Serve(peer(t), "serve", "127.0.0.1")
	if out := n.Run(peer(t), "get", "127.0.0.1:80"); !strings.HasSuffix(out, kernelPage) {
		t.Errorf("web: %q", out)
	}
	for port, want := range map[int]string{
		7:    "one\ntwo\n",
		9:    fmt.Sprintf("8 %x\n", sha256.Sum256([]byte("one\ntwo\n"))),
		7001: fmt.Sprintf("8 %x\n", sha256.Sum256([]byte("one\ntwo\n"))),
		7004: "",
		7005: "one\n",
	} {
		out := n.Run("sh", "-c", fmt.Sprintf(`printf 'one\ntwo\n' | socat -t 5 - TCP:127.0.0.1:%d`, port))
		// Port 7005 ends before it has read all, so socat may be told of a reset.
		if !strings.HasPrefix(out, want) || port != 7005 && out != want {
			t.Errorf("port %d: %q, want %q", port, out, want)
		}
	}
	if out, want := n.Run("sh", "-c", `echo 1000 | socat -t 5 - TCP:127.0.0.1:19`), n.Run(peer(t), "text", "1000"); out != want || len(out) != 1000 {
		t.Errorf("source: %q, want %q", out, want)
	}
}

func TestNetnsLeavesNothing(t *testing.T) {
	var name string
	var sleeper *netns.Process
	t.Run("a test", func(t *testing.T) {
		n := netns.New(t)
		name = n.Name
		sleeper = n.Start("sleep", "1000")
	})
	select {
	case <-sleeper.Ended():
	case <-time.After(deadline):
		t.Error("a process outlived its test")
	}
	if _, err := os.Stat("/run/netns/" + name); !os.IsNotExist(err) {
		t.Errorf("the namespace outlived its test: %v", err)
	}
}
