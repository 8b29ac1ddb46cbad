// Package test is what needs a kernel, and the rules of the house: import and
// lock rules, shells, programs and tools of all kinds on a mounted tree. Its parts:
// netns, a namespace with a daemon; peer, the other side of the cable; bridge, a bad
// one. README.md has all families.
package test

import (
	"os"
	"testing"

	"slashnet/test/netns"
)

func TestMain(m *testing.M) {
	code := m.Run()
	netns.Clean()
	os.Exit(code)
}

// world is a namespace with a daemon, and peer's servers on the kernel's side.
func world(t *testing.T, flags ...string) *netns.Net {
	t.Helper()
	n := netns.Start(t, flags...)
	n.Serve(peer(t), "serve", netns.HostAddr)
	return n
}

func peer(t *testing.T) string { return netns.Binary(t, "./test/peer") }

// shells are those that the transcripts must pass.
var shells = []string{"bash", "dash", "busybox ash"}
