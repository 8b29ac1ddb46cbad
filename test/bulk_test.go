package test

// Bytes in bulk: whatever is written arrives, all of it, once, in order; also with
// many streams at once, and when clients are killed in the middle.

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"slashnet/test/netns"
)

// bulkTime is how long a bulk transfer may take: a thousand times what it needs.
const bulkTime = 3 * time.Minute

// send is a script that sends size bytes of text to the discard server, and prints
// what the server says of them; fetch gets them from the source.
func send(peer string, size int) string {
	return fmt.Sprintf(`
		exec 3<>tcp/clone
		read -r n <&3
		echo connect 10.114.0.1 discard >&3
		%s text %d | dd of=tcp/$n/data bs=1M iflag=fullblock status=none
		echo shutdown wr >&3
		cat tcp/$n/data`, peer, size)
}

func fetch(size int) string {
	return fmt.Sprintf(`
		exec 3<>tcp/dial/10.114.0.1:19
		echo %d >&3
		cat <&3 | sha256sum`, size)
}

// sum is the text's hash in hexadecimal.
func sum(n *netns.Net, peer string, size int) string {
	hash, _, _ := strings.Cut(n.Run("sh", "-c", fmt.Sprintf("%s text %d | sha256sum", peer, size)), " ")
	return hash
}

func script(n *netns.Net, t *testing.T, text string) string {
	out, err := n.TryFor(bulkTime, "dash", "-euc", "cd \"$SLASHNET_ROOT\"\n"+text)
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, text, out)
	}
	return out
}

func TestBulk(t *testing.T) {
	n := world(t)
	p := peer(t)
	for _, test := range []struct{ streams, size int }{
		{1, 1 << 30},
		{16, 64 << 20},
	} {
		want := sum(n, p, test.size)
		for way, text := range map[string]string{"send": send(p, test.size), "fetch": fetch(test.size)} {
			t.Run(fmt.Sprintf("%s/%dx%dMiB", way, test.streams, test.size>>20), func(t *testing.T) {
				n := n.For(t)
				begin := time.Now()
				var all sync.WaitGroup
				outs := make([]string, test.streams)
				for i := range outs {
					all.Go(func() { outs[i] = script(n, t, text) })
				}
				all.Wait()
				took := time.Since(begin)
				for i, out := range outs {
					if !strings.Contains(out, want) {
						t.Errorf("stream %d: %q, want %s", i, out, want)
					}
				}
				t.Logf("%.2f Gbit/s", float64(test.streams*test.size)*8/took.Seconds()/1e9)
			})
		}
	}
}

// TestBulkBothWays is a Go program that reads and writes one descriptor at once.
func TestBulkBothWays(t *testing.T) {
	n := world(t)
	out, err := n.TryFor(bulkTime, peer(t), "both-at-once", filepath.Join(n.Root, "tcp/dial", netns.HostAddr+":7"), fmt.Sprint(256<<20))
	if err != nil || out != "ok\n" {
		t.Errorf("%v, %q", err, out)
	}
}

// TestKilledClients kills clients at random moments; nothing of them stays.
func TestKilledClients(t *testing.T) {
	const (
		rounds  = 20
		clients = 50 // at once
	)
	n := world(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		var ps []*netns.Process
		for i := range clients {
			ps = append(ps, n.Start("sh", "-c", []string{
				"exec cat " + filepath.Join(n.Root, "tcp/dial/10.114.0.1:7004"),
				"exec dd if=/dev/zero bs=64k conv=notrunc of=" + filepath.Join(n.Root, "tcp/dial/10.114.0.1:9"),
				"exec cat " + filepath.Join(n.Root, "tcp/dial/10.114.0.1:7002"),
				"cd " + n.Root + "; exec 3<>tcp/clone; read n <&3; echo connect 10.114.0.1:7 >&3; while :; do echo a line; done >tcp/$n/data",
				"exec cat " + filepath.Join(n.Root, "tcp/accept/9001"),
				"exec cat " + filepath.Join(n.Root, "tcp/dial", blackHole+":80"),
				"cd " + n.Root + "; exec 3<>tcp/clone; read n <&3; echo announce 0 >&3; exec cat tcp/$n/listen",
			}[i%7]))
		}
		for _, i := range r.Perm(clients) {
			// The moment is what is tested, so it is drawn.
			time.Sleep(time.Duration(r.IntN(int(4 * time.Millisecond))))
			ps[i].Signal(syscall.SIGKILL)
		}
		begin := time.Now()
		for _, p := range ps {
			p.Wait(deadline)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("killed clients ended after %v", took)
		}
	}
	settled(t, n)
	if out := n.Shell("dash", "exec 3<>tcp/dial/10.114.0.1:7005; echo alive >&3; cat <&3"); out != "alive\n" {
		t.Errorf("after all that, an echo is %q", out)
	}
}
