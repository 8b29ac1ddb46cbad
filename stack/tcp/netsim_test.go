package tcp

import (
	"fmt"
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
		if w.a.wrote < w.a.want || w.b.Unread() > 0 {
			every = max(imp.delay/4, 50*time.Microsecond)
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

func TestNetsim(t *testing.T) {
	for _, rtt := range []time.Duration{100 * time.Microsecond, 10 * time.Millisecond, 100 * time.Millisecond} {
		for _, loss := range []float64{0, 0.001, 0.01, 0.05} {
			line := fmt.Sprintf("rtt %-6v loss %-5v", rtt, loss)
			for _, v := range []string{"cubic", "newreno", "nosack", "reorder"} {
				imp := impairment{delay: rtt / 2, loss: loss, merge: 0, rate: 12500000, queue: 125000}
				if v == "reorder" {
					imp.jitter = imp.delay / 2
				}
				took, w := transfer(t, 1, 10<<20, imp, func(c *Config) {
					if v == "newreno" {
						c.CC = "newreno"
					}
					c.SACK = v != "nosack"
				})
				line += fmt.Sprintf("  %s %6.2f Mbit/s r%d to%d", v, float64(10<<20)*8/1e6/took.Seconds(), w.a.Stats().Retrans, w.a.cfg.Counters.RetransTimeouts)
			}
			t.Log(line)
		}
	}
}
