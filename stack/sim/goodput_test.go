package sim

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/goodput.golden anew")

// The link of the goodput table: slow enough that the table is played in seconds,
// with a queue of half of what a path of 100 ms holds.
const (
	goodputRate  = 10_000_000
	goodputQueue = 50
	goodputTime  = 10 * time.Second
)

// goodput is what a bulk transfer brings in ten seconds, in Mbit/s: the mean of
// several where luck matters.
func goodput(loss float64, rtt time.Duration, cc string) (float64, error) {
	runs := 1
	switch {
	case loss >= 0.1:
		runs = 10
	case loss > 0:
		runs = 3
	}
	sum := 0.0
	for seed := range runs {
		rate, err := transfer(uint64(seed), loss, rtt, cc)
		if err != nil {
			return 0, err
		}
		sum += rate
	}
	return sum / float64(runs), nil
}

func transfer(seed uint64, loss float64, rtt time.Duration, cc string) (float64, error) {
	w := New(seed)
	defer w.Close()
	a, b := w.Host("a", "tcp.cc "+cc), w.Host("b")
	w.Link(a.At("10.0.0.1/24"), b.At("10.0.0.2/24"), Cable{Impair: Impair{Loss: loss, Delay: rtt / 2, Rate: goodputRate, Queue: goodputQueue}})
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

// TestGoodput compares the table of loss, round-trip time and congestion control
// with the one that was kept, to the last digit: time is virtual, so a difference
// is a change of behaviour. Whoever means it writes it anew with -update.
func TestGoodput(t *testing.T) {
	var rows [][]string
	for _, cc := range []string{"newreno", "cubic"} {
		for _, percent := range []float64{0, 0.1, 1, 3, 10} {
			rows = append(rows, []string{cc, fmt.Sprintf("%g%%", percent), "", "", ""})
		}
	}
	t.Run("cells", func(t *testing.T) {
		for _, row := range rows {
			for n, rtt := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
				t.Run(fmt.Sprint(row[0], row[1], rtt), func(t *testing.T) {
					t.Parallel()
					percent, _ := strconv.ParseFloat(strings.TrimSuffix(row[1], "%"), 64)
					rate, err := goodput(percent/100, rtt, row[0])
					if err != nil {
						t.Fatal(err)
					}
					row[2+n] = fmt.Sprintf("%.3f", rate)
				})
			}
		}
	})
	var table strings.Builder
	fmt.Fprintf(&table, "Mbit/s of a bulk transfer in its first 10 s over a link of 10 Mbit/s with a\nqueue of 50 frames and loss in both directions; means of several. go test ./stack/sim -update\n\n")
	for _, row := range append([][]string{{"cc", "loss", "1ms", "20ms", "100ms"}}, rows...) {
		fmt.Fprintf(&table, "%-8s %-6s %8s %8s %8s\n", row[0], row[1], row[2], row[3], row[4])
	}
	const golden = "testdata/goodput.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if table.String() != string(want) {
		t.Errorf("the table has changed; with -update it becomes the new one.\ngot\n%swant\n%s", table.String(), want)
	}
}
