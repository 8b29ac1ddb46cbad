package tcp

import (
	"math"
	"testing"
	"time"
)

// transfer moves n bytes from a to b over a link and returns how long it took.
func transfer(t testing.TB, seed uint64, n int, imp impairment, cfg func(*Config)) (time.Duration, *world) {
	w := newWorld(t, seed, imp, cfg)
	w.a.want = n
	w.a.closeAt, w.b.closeAt = true, true
	w.a.started = true
	w.a.Open(w.now, w.setup(1500))
	w.a.drain()
	begin := w.now
	for !w.b.sawEOF {
		every := time.Duration(0)
		if w.a.writes() || w.b.Unread() > 0 {
			every = max(imp.delay/4, 100*time.Microsecond)
		}
		if !w.step(every) {
			break
		}
		if w.a.Err() != nil {
			t.Fatal(w.a.Err())
		}
	}
	if w.b.got != n {
		t.Fatalf("%d of %d bytes", w.b.got, n)
	}
	return w.now - begin, w
}

// TestNetsim sees that recovery is not only right but fast: on a link of 100
// Mbit/s the throughput is at least a good part of what the loss allows by the
// formula of Mathis, or of the link.
func TestNetsim(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const size, rate = 4 << 20, 12500000
	for _, tc := range []struct {
		rtt  time.Duration
		loss float64
	}{
		{100 * time.Microsecond, 0}, {100 * time.Microsecond, 0.01},
		{10 * time.Millisecond, 0}, {10 * time.Millisecond, 0.001}, {10 * time.Millisecond, 0.01}, {10 * time.Millisecond, 0.05},
		{100 * time.Millisecond, 0}, {100 * time.Millisecond, 0.01}, {100 * time.Millisecond, 0.05},
	} {
		limit := math.Inf(1)
		if tc.loss > 0 {
			limit = 1.22 * 1448 / (tc.rtt.Seconds() * math.Sqrt(tc.loss))
		}
		limit = min(limit, rate, size/(12*tc.rtt.Seconds())) // slow start takes a dozen round trips
		for _, v := range []struct {
			name string
			part float64 // of the limit
			cfg  func(*Config)
		}{
			{"cubic", 0.5, func(*Config) {}},
			{"newreno", 0.4, newRenoCC},
			{"reordering", 0.3, func(*Config) {}},
			{"no SACK", 0.1, noSACK},
		} {
			imp := impairment{delay: tc.rtt / 2, loss: tc.loss, rate: rate, queue: 250000}
			if v.name == "reordering" {
				imp.jitter = imp.delay / 2
			}
			took, w := transfer(t, 1, size, imp, v.cfg)
			got := size / took.Seconds()
			t.Logf("rtt %-6v loss %-5v %-10s %6.2f MB/s of %6.2f, %3d resent, %2d timeouts", tc.rtt, tc.loss, v.name,
				got/1e6, limit/1e6, w.a.Stats().Retrans, w.a.cfg.Counters.RetransTimeouts)
			if got < v.part*limit {
				t.Errorf("rtt %v, loss %v, %s: %.2f MB/s, want %.2f", tc.rtt, tc.loss, v.name, got/1e6, v.part*limit/1e6)
			}
		}
	}
}
