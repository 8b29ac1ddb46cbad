package test

// Bytes over a bad cable: frames are lost, doubled, damaged and overtaken, and
// every byte arrives all the same, once and in order.

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"slashnet/test/netns"
)

// badCable is what both directions of the cable suffer: a round trip takes 20 ms.
const badCable = "delay 10ms loss 1% reorder 1% dup 0.1% corrupt 0.1% seed 1"

// lossyWorld is world with a bad cable.
func lossyWorld(t *testing.T, cable string) *netns.Net {
	t.Helper()
	n := world(t)
	n.Shell("dash", "echo impair "+cable+" >ipifc/1/ctl")
	return n
}

// transfer sends and fetches size bytes on each of some streams, all at once.
func transfer(t *testing.T, n *netns.Net, streams, size int, max time.Duration) {
	p := peer(t)
	want := sum(n, p, size)
	ways := map[string]string{"send": send(p, size), "fetch": fetch(size)}
	var all sync.WaitGroup
	for way, text := range ways {
		for i := range streams {
			all.Go(func() {
				begin := time.Now()
				out, err := n.TryFor(max, "dash", "-euc", "cd \"$SLASHNET_ROOT\"\n"+text)
				if err != nil || !strings.Contains(out, want) {
					t.Errorf("%s, stream %d: %v, %q; want %s", way, i, err, out, want)
				}
				if took := time.Since(begin); streams == 1 {
					t.Logf("%s: %v, %.1f Mbit/s", way, took.Round(time.Millisecond), float64(size)*8/took.Seconds()/1e6)
				}
			})
		}
	}
	begin := time.Now()
	all.Wait()
	took := time.Since(begin)
	t.Logf("both ways: %v, %.1f Mbit/s", took.Round(time.Millisecond), float64(2*streams*size)*8/took.Seconds()/1e6)
}

func TestLossy(t *testing.T) {
	n := lossyWorld(t, badCable)
	for _, test := range []struct{ streams, size int }{
		{1, 16 << 20},
		{16, 2 << 20},
	} {
		t.Run(fmt.Sprintf("%dx%dMiB", test.streams, test.size>>20), func(t *testing.T) {
			transfer(t, n.For(t), test.streams, test.size, bulkTime)
		})
	}
	// Or the cable was a good one.
	for name, file := range map[string]string{
		"RetransSegs": "tcp/stats", "OutOfOrder": "tcp/stats", "Duplicates": "tcp/stats",
		"dropped bad tcp checksum": "ipifc/1/stats",
	} {
		if stat(t, n, file, name) == 0 {
			t.Errorf("%s: %s is 0", file, name)
		}
	}
}

// TestSoak is for scripts/soak: it takes an hour.
func TestSoak(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("takes an hour: run scripts/soak")
	}
	n := lossyWorld(t, badCable)
	transfer(t, n, 1, 1<<30, 3*time.Hour)
}
