package main

import (
	"strings"
	"testing"
)

// rounds makes rounds of one reading.
func rounds(values ...float64) (all [][]reading) {
	for _, v := range values {
		all = append(all, []reading{{"", "Gbit/s", v}})
	}
	return all
}

func TestRatiosAreTakenWithinRounds(t *testing.T) {
	kernel := &series{path: "kernel", rounds: rounds(10, 40, 20)}
	ours := &series{path: "inproc", rounds: rounds(5, 10, 20)}
	f := ours.figures("bulk", kernel)[0]
	if f.Value != 10 || f.Min != 5 || f.Max != 20 || f.N != 3 {
		t.Errorf("got %v (%v-%v) of %d, want 10 (5-20) of 3", f.Value, f.Min, f.Max, f.N)
	}
	if f.Ratio != 0.5 || f.ratioMin != 0.25 || f.ratioMax != 1 || f.RatioTo != "kernel/bulk" {
		t.Errorf("got %v (%v-%v) of %s, want 0.5 (0.25-1) of kernel/bulk", f.Ratio, f.ratioMin, f.ratioMax, f.RatioTo)
	}
}

func TestCheckAllowsHalfOfABar(t *testing.T) {
	for _, test := range []struct {
		name   string
		ratio  float64
		missed bool
	}{
		{"inproc/bulk-to-1", 0.16, false},
		{"inproc/bulk-to-1", 0.14, true},
		{"files/fdrtt-1/p50", 11.9, false},
		{"files/fdrtt-1/p50", 12.1, true},
		{"files/cat-to", 0.01, false}, // no bar
	} {
		var out strings.Builder
		r := &report{out: &out}
		r.add(figure{Name: test.name, Ratio: test.ratio, RatioTo: "kernel"})
		if missed := len(r.missed) > 0; missed != test.missed {
			t.Errorf("%s at %v: missed %v, want %v", test.name, test.ratio, missed, test.missed)
		}
	}
}

func TestEveryBarHasAMeasure(t *testing.T) {
	for name := range bars {
		path, measure, _ := strings.Cut(name, "/")
		measure, _, _ = strings.Cut(measure, "/")
		some := selected(path + "/" + measure)
		if len(some) != 1 || some[0].name != measure {
			t.Errorf("%s: selects %d measures, want one", name, len(some))
		}
	}
}
