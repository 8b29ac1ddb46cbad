package sim

// The goodput table: what a bulk transfer brings, beside what theory allows.
// TestGoodput plays it; testdata/goodput.golden is what it was.

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/goodput.golden anew")

// The link of the table: slow enough that the table is played in seconds.
const (
	goodputRate = 10_000_000
	goodputTime = 10 * time.Second
	// wireFrame and payload are of a full segment on an Ethernet, with timestamps.
	wireFrame, payload = 1514, 1448
	// leastQueue is the shortest queue, in frames: next door a product of bandwidth and
	// delay is less than one.
	leastQueue = 10
	// worse is by how much a row may fall below the kept one. Time is virtual and the
	// luck always the same, so anything else is a change of behaviour; but every change
	// of when a segment leaves changes which ones are lost.
	worse = 0.05
	// enough is how much of the bound is wanted, less what timeouts take of it.
	enough = 0.8
)

// A goodput is a row of the table.
type goodput struct {
	cc    string
	loss  float64 // of each direction
	rtt   time.Duration
	depth float64 // of the queue, in products of bandwidth and delay
	rate  float64 // Mbit/s
}

// queue is the length of the queue in frames.
func (g *goodput) queue() int {
	return max(leastQueue, int(g.depth*goodputRate*g.rtt.Seconds()/8/wireFrame))
}

// bound is the rate that theory allows, in Mbit/s: that of the link, or the response
// function of the congestion control.
func (g *goodput) bound() float64 {
	link := float64(goodputRate) * payload / wireFrame / 1e6
	if g.loss == 0 {
		return link
	}
	// Mathis et al. 1997, in segments, with C for growth that counts bytes (RFC 3465)
	window := math.Sqrt(1.5 / g.loss)
	if g.cc == "cubic" {
		// RFC 9438 §5.1, figure 6, and not below Reno's, §4.3
		const c, beta = 0.4, 0.7
		window = max(window, math.Pow(c*(3+beta)/(4*(1-beta)), 0.25)*math.Pow(g.rtt.Seconds()/g.loss, 0.75))
	}
	return min(link, window*payload*8/g.rtt.Seconds()/1e6)
}

// withTimeouts is what is left of the bound where a loss may cost a timeout: Padhye
// et al. 1998, equation 30, with our least timeout. It is Reno's.
func (g *goodput) withTimeouts() float64 {
	if g.loss == 0 {
		return g.bound()
	}
	const rto = 0.2
	p := g.loss
	took := g.rtt.Seconds()*math.Sqrt(p/1.5) + rto*min(1, 3*math.Sqrt(p*3/8))*p*(1+32*p*p) // of a segment
	return min(g.bound(), payload*8/took/1e6)
}

// name is the row without its result.
func (g *goodput) name() string {
	return fmt.Sprintf("%-8s %5g%% %6v %6.1f %6d", g.cc, g.loss*100, g.rtt, g.depth, g.queue())
}

func (g *goodput) String() string {
	text := fmt.Sprintf("%s %8.3f %8.3f %6.2f %8.3f", g.name(), g.rate, g.bound(), g.rate/g.bound(), g.withTimeouts())
	if g.rate < enough*g.bound() {
		text += "  <"
	}
	return text
}

// measure is the mean of several transfers where luck matters.
func (g *goodput) measure() error {
	runs := 1
	switch {
	case g.loss >= 0.1:
		runs = 6
	case g.loss > 0:
		runs = 3
	}
	sum := 0.0
	for seed := range runs {
		rate, err := g.transfer(uint64(seed))
		if err != nil {
			return err
		}
		sum += rate
	}
	g.rate = sum / float64(runs)
	return nil
}

func (g *goodput) transfer(seed uint64) (float64, error) {
	w := New(seed)
	defer w.Close()
	a, b := w.Host("a", "tcp.cc "+g.cc), w.Host("b")
	w.Link(a.At("10.0.0.1/24"), b.At("10.0.0.2/24"), Cable{Impair: Impair{Loss: g.loss, Delay: g.rtt / 2, Rate: goodputRate, Queue: g.queue()}})
	talk := w.Talk(a, b, "10.0.0.2:5000", [2]Plan{{Bytes: 1 << 30, Bulk: true}, {Bulk: true}})
	// The clock of the table begins when the first byte arrives: how long a lost
	// SYN takes is not its subject.
	started := func() bool { return len(talk.callees) > 0 && talk.callees[0].read > 0 }
	if err := w.Until(started, time.Minute); err != nil {
		return 0, err
	}
	if err := w.Run(goodputTime); err != nil {
		return 0, err
	}
	return float64(talk.callees[0].read) * 8 / 1e6 / goodputTime.Seconds(), nil
}

// goodputs are the rows. How deep the queue is matters where it is what overflows.
func goodputs() (rows []*goodput) {
	for _, cc := range []string{"newreno", "cubic"} {
		for _, loss := range []float64{0, 0.001, 0.01, 0.03, 0.1} {
			for _, rtt := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
				depths := []float64{0.5, 1, 4}
				if loss >= 0.01 || rtt == time.Millisecond {
					depths = []float64{1}
				}
				for _, depth := range depths {
					rows = append(rows, &goodput{cc: cc, loss: loss, rtt: rtt, depth: depth})
				}
			}
		}
	}
	return rows
}

const goodputHead = `Mbit/s of a bulk transfer in its first 10 s, slow start included, over a link of 10 Mbit/s
with loss in both directions; means of several. The queue is in products of bandwidth and
delay, at least 10 frames, and in frames. The bound is the link's rate, or the response
function: Mathis for Reno, RFC 9438 §5.1 for CUBIC. It knows no timeouts, of 200 ms at
least; the last column (Padhye) does, for Reno. < is below 0.8 of the bound. With 10 %
that is timeouts. With 1 and 3 % and 20 ms it is the round trip, which is 26 and 28 ms:
a segment takes 1.2 ms, and every second one waits for the next to be acknowledged (RFC
5681 §4.2). go test ./stack/sim -run TestGoodput -update

cc        loss    rtt  queue frames   Mbit/s    bound  ratio timeouts
`

// TestGoodput compares the table with the one that was kept: no row may have become
// worse, nor be far below what theory allows. Whoever means it writes it anew with -update.
func TestGoodput(t *testing.T) {
	const golden = "testdata/goodput.golden"
	rows := goodputs()
	t.Run("rows", func(t *testing.T) {
		for _, g := range rows {
			t.Run(g.name(), func(t *testing.T) {
				t.Parallel()
				if err := g.measure(); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
	table := goodputHead
	for _, g := range rows {
		table += g.String() + "\n"
	}
	if *update {
		if err := os.WriteFile(golden, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range rows {
		_, rest, ok := strings.Cut(string(kept), g.name())
		was := 0.0
		if _, err := fmt.Sscan(rest, &was); !ok || err != nil {
			t.Errorf("%s\n\tis not in %s: write it anew with -update", g, golden)
		} else if g.rate < was*(1-worse) {
			t.Errorf("%s\n\twas %.3f: worse by %.0f %%", g, was, 100*(1-g.rate/was))
		}
		if least := enough * g.withTimeouts(); g.rate < least {
			t.Errorf("%s\n\tis less than %.3f, %g of what theory allows", g, least, enough)
		}
	}
}
