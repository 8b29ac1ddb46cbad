package main

// Figures: what the rounds of one measure on one path come to, as a row of the
// table and as a line of JSON; and the bars.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A reading is one number of one round.
type reading struct {
	name  string // what is added to the name of the measure: "", "p50", "cpu"
	unit  string
	value float64
}

// A figure is a reading's median over the rounds. Ratio is the median of what
// the rounds gave against the same reading of the same round of another path.
type figure struct {
	Name     string  `json:"name"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	N        int     `json:"n"`
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	Ratio    float64 `json:"ratio,omitempty"`
	RatioTo  string  `json:"ratio_to,omitempty"`
	ratioMin float64
	ratioMax float64
}

// A series is the readings of one path, in the order of the rounds; each round
// has the same ones.
type series struct {
	path   string
	rounds [][]reading
}

// figures are those of s, with ratios to a reference, if there is one.
func (s *series) figures(measure string, to *series) (all []figure) {
	for i, r := range s.rounds[0] {
		f := figure{Name: s.path + "/" + measure + suffix(r.name), Unit: r.unit, N: len(s.rounds)}
		values := column(s.rounds, i)
		f.Value, f.Min, f.Max = middle(values)
		if to != nil {
			ratios := column(to.rounds, i)
			for n := range ratios {
				ratios[n] = values[n] / ratios[n]
			}
			f.Ratio, f.ratioMin, f.ratioMax = middle(ratios)
			f.RatioTo = to.path + "/" + measure + suffix(r.name)
		}
		all = append(all, f)
	}
	return all
}

// over is how many times the first reading of a rival s gives, as a figure of its
// own: the median of what the rounds gave.
func (s *series) over(measure string, rival *series) figure {
	f := figure{Name: s.path + "/" + measure + "/over-" + rival.path, Unit: "times", N: len(s.rounds)}
	ratios := column(s.rounds, 0)
	for n, theirs := range column(rival.rounds, 0) {
		ratios[n] /= theirs
	}
	f.Value, f.Min, f.Max = middle(ratios)
	return f
}

func suffix(name string) string {
	if name == "" {
		return ""
	}
	return "/" + name
}

func column(rounds [][]reading, i int) []float64 {
	values := make([]float64, len(rounds))
	for n, r := range rounds {
		values[n] = r[i].value
	}
	return values
}

// middle is the median, the least and the greatest.
func middle(values []float64) (median, least, greatest float64) {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1]
}

// A bar is what a ratio is to reach: at least, or at most.
type bar struct {
	least, most float64
}

// bars are those that the first form of slashnet is to reach.
var bars = map[string]bar{
	"inproc/bulk-to-1":   {least: 0.3},
	"inproc/bulk-from-1": {least: 0.3},
	"files/dd-1m-to":     {least: 0.15},
	"files/dd-1m-from":   {least: 0.15},
	"files/fdrtt-1/p50":  {most: 6},

	"inproc/bulk-to-1/over-gvisor":       {least: 20},
	"inproc/bulk-from-1/over-gvisor":     {least: 12},
	"inproc/bulk-to-1/over-gvisor-nic":   {least: 2.5},
	"inproc/bulk-from-1/over-gvisor-nic": {least: 1.15},
}

// slack is by how much --check lets a bar be missed: CI is noisier than a
// person's machine.
const slack = 2

func (b bar) String() string {
	if b.most > 0 {
		return fmt.Sprintf("at most %g", b.most)
	}
	return fmt.Sprintf("at least %g", b.least)
}

// reached compares a ratio with the bar, or with a part of it.
func (b bar) reached(ratio, slack float64) bool {
	if b.most > 0 {
		return ratio <= b.most*slack
	}
	return ratio >= b.least/slack
}

// errMissed ends bench with 1; what was missed is printed by then.
var errMissed = errors.New("not all was measured, or a bar was missed")

// A report prints figures as they come.
type report struct {
	out    io.Writer
	json   bool
	missed []string // half of a bar
}

func (r *report) head() {
	if !r.json {
		fmt.Fprintf(r.out, "%-29s %20s %-6s %20s  %s\n", "", "median (min-max)", "", "times the kernel's", "bar")
	}
}

func (r *report) add(f figure) {
	b, judged := bars[f.Name]
	times := f.Ratio
	if f.RatioTo == "" {
		times = f.Value // is a ratio itself
	}
	if judged && !b.reached(times, slack) {
		r.missed = append(r.missed, fmt.Sprintf("%s: %.2f times; the bar is %v", f.Name, times, b))
	}
	if r.json {
		json.NewEncoder(r.out).Encode(f)
		return
	}
	ratio, verdict := "", ""
	if f.RatioTo != "" {
		ratio = fmt.Sprintf("%.2f (%.2f-%.2f)", f.Ratio, f.ratioMin, f.ratioMax)
	}
	if judged {
		verdict = b.String() + ": reached"
		if !b.reached(times, 1) {
			verdict = b.String() + ": MISSED"
		}
	}
	fmt.Fprintf(r.out, "%-29s %20s %-6s %20s  %s\n", f.Name,
		fmt.Sprintf("%s (%s-%s)", short(f.Value), short(f.Min), short(f.Max)), f.Unit, ratio, verdict)
}

// short is three digits or more, as many as a reader can use.
func short(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func (r *report) gap() {
	if !r.json {
		fmt.Fprintln(r.out)
	}
}
