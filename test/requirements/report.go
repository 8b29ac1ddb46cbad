package main

// What is printed.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A report is the outcome of a run.
type report struct {
	Rows    []*row   `json:"rows"`
	Strays  []string `json:"strays,omitempty"` // tests named after no row
	Mutants []mutant `json:"mutants,omitempty"`
	Seed    uint64   `json:"seed,omitempty"`
}

func (rep *report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	e.SetEscapeHTML(false)
	return e.Encode(rep)
}

// table prints the rows.
func (rep *report) table(w io.Writer) {
	for _, r := range rep.Rows {
		test := "-"
		if len(r.Packages) > 0 {
			test = strings.Join(r.Packages, " ") + " " + r.testName()
		}
		fmt.Fprintf(w, "%-18s %-10s %-13s %-8s %-34s %s\n", r.ID, r.Level, r.Section, r.Verdict, test, r.Says)
		if r.Reason != "" {
			fmt.Fprintf(w, "\t%s: %s\n", map[bool]string{false: "decided", true: "overruled by"}[r.overruled], r.Reason)
		}
		if r.Output != "" {
			fmt.Fprintf(w, "\t%s\n", strings.ReplaceAll(strings.TrimSpace(r.Output), "\n", "\n\t"))
		}
	}
	for _, s := range rep.Strays {
		fmt.Fprintf(w, "%s: a test named after a row that is in no list\n", s)
	}
}

// print is the line of a break that was tried.
func (m *mutant) print(w io.Writer) {
	fmt.Fprintf(w, "break %-18s %-26s %s (%s)\n", m.ID, m.File, m.Outcome, m.Place)
	if m.Error != "" {
		fmt.Fprintf(w, "\t%s\n", strings.ReplaceAll(strings.TrimSpace(m.Error), "\n", "\n\t"))
	}
}

// summary is a line for each document.
func (rep *report) summary() string {
	var groups []string
	counts := map[string]map[string]int{}
	for _, r := range rep.Rows {
		g := r.group()
		if counts[g] == nil {
			counts[g] = map[string]int{}
			groups = append(groups, g)
		}
		counts[g][""]++
		counts[g][r.Verdict]++
	}
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "%s: %d rows, %d pass", g, counts[g][""], counts[g][passed])
		for _, v := range []string{decided, failed, skipped, missing, open} {
			if n := counts[g][v]; n > 0 {
				fmt.Fprintf(&b, ", %d %s", n, strings.ToLower(v))
			}
		}
		b.WriteString("\n")
	}
	if n := len(rep.Mutants); n > 0 {
		fmt.Fprintf(&b, "breaks: %d, %d noticed (seed %d)\n", n, n-len(rep.unnoticed()), rep.Seed)
	}
	return b.String()
}

// unnoticed are the rows whose breaks no test has failed of.
func (rep *report) unnoticed() (ids []string) {
	for _, m := range rep.Mutants {
		if m.Outcome != noticed {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// verdict is an error unless every MUST and SHOULD is met or decided, every test
// passes, and every break was noticed.
func (rep *report) verdict() error {
	var wrong []string
	for _, r := range rep.Rows {
		switch r.Verdict {
		case passed, decided:
		case open:
			if r.required() {
				wrong = append(wrong, r.ID)
			}
		default:
			wrong = append(wrong, r.ID)
		}
	}
	var errs []error
	complain := func(names []string, what string) {
		if n := len(names); n > 0 {
			errs = append(errs, fmt.Errorf("%d %s: %s", n, what, strings.Join(names, " ")))
		}
	}
	complain(wrong, "rows neither met nor decided")
	complain(rep.Strays, "tests named after no row")
	complain(rep.unnoticed(), "breaks that no test has noticed")
	return errors.Join(errs...)
}
