package test

// Goodput over a long and bad path, ours against a kernel's: in each pair both run
// the same race with the same kernel, one after the other, under the same seed of
// losses. The stack that sends does the recovery; the one that receives tells it
// what is missing.

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

// raceTime is how long one race may take: ten times what is usual.
const raceTime = 2 * time.Minute

// races are run over 50 ms there and back. bar is the least median of the ratio of
// ours to the kernel's when we send. Without loss there is a rate, and a queue of
// what is on the way: whoever begins too fast loses frames there.
var races = []struct {
	name, cable string
	size        int // takes some seconds
	bar         float64
}{
	{"no loss", "delay 25ms rate 50mbit queue 210", 16 << 20, 0.95},
	{"loss 1%", "delay 25ms loss 1%", 3 << 20, 1.0},
	{"loss 3%", "delay 25ms loss 3%", 3 << 19, 1.0},
}

// receiveBar is for when a kernel sends in either race: the best is to be as good, and
// chance is around that.
const receiveBar = 0.95

// TestGoodput runs three pairs of short races and asks for half of the bars:
// chance is large in so few, so where they fall short there are up to nine.
// GOODPUT_PAIRS=15 is for scripts/goodput, with all of the bars.
func TestGoodput(t *testing.T) {
	pairs, most, shorter, part := 3, 9, 8, 0.5
	if s := os.Getenv("GOODPUT_PAIRS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("GOODPUT_PAIRS=%s: a number of pairs is wanted", s)
		}
		pairs, most, shorter, part = n, n, 1, 1
	}
	for _, r := range races {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel() // the path is what is slow
			ends := []*far{ourEnd(t), kernelEnd(t)}
			for _, f := range ends {
				f.near.Serve(peer(t), "serve", netns.HostAddr)
			}
			for _, way := range []string{"send", "fetch"} {
				verb, bar := "we send", r.bar
				if way == "fetch" {
					verb, bar = "we receive", receiveBar
				}
				var ratios []float64
				var rates [2][]float64
				var low, median, high float64
				for seed := 0; seed < pairs || seed < most && median < bar*part; seed++ {
					for i, f := range ends {
						f.set(fmt.Sprintf("%s seed %d", r.cable, 1000+seed))
						rates[i] = append(rates[i], f.race(t, way, r.size/shorter))
					}
					ratios = append(ratios, rates[0][seed]/rates[1][seed])
					low, median, high = quartiles(ratios)
				}
				_, ours, _ := quartiles(rates[0])
				_, theirs, _ := quartiles(rates[1])
				t.Logf("%s | %s | %.2f | %.2f | %.2f (%.2f … %.2f) | %.2f", r.name, verb, ours, theirs, median, low, high, bar)
				if median < bar*part {
					t.Errorf("%s, %s: %.2f of a kernel's goodput, at least %.2f is wanted; pair by pair %.2f", r.name, verb, median, bar*part, ratios)
				}
			}
		})
	}
}

// race is the goodput of one race, in Mbit/s.
func (f *far) race(t *testing.T, way string, size int) float64 {
	t.Helper()
	out, err := f.at.TryFor(raceTime, peer(t), "race", way, fmt.Sprint(size), f.call(ports[way]))
	ns, e := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil || e != nil {
		t.Fatalf("%s of %s: %v, %q", way, f.whose(), err, out)
	}
	return float64(size) * 8 / time.Duration(ns).Seconds() / 1e6
}

func quartiles(v []float64) (low, median, high float64) {
	v = slices.Sorted(slices.Values(v))
	at := func(q float64) float64 {
		x := q * float64(len(v)-1)
		i := int(x)
		j := min(i+1, len(v)-1)
		return v[i] + (x-float64(i))*(v[j]-v[i])
	}
	return at(0.25), at(0.5), at(0.75)
}
