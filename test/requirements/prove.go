package main

// Running the tests: prove runs those of all rows at once, breakSome those of a
// few with a break in the source.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The verdicts of a row.
const (
	passed  = "pass"
	failed  = "FAIL"
	skipped = "SKIPPED"
	missing = "NO TEST" // the list names a package that has none
	decided = "decided"
	open    = "OPEN"
)

// An event is a line of go test -json.
type event struct {
	Action, Package, Test, Output, ImportPath string
}

// prove runs the tests of the rows, which are some of all, and gives each its
// verdict.
func prove(root string, rows, all []*row) (*report, error) {
	known := map[string]bool{}
	for _, r := range all {
		known[r.testName()] = true
	}
	var packages []string
	for _, r := range rows {
		packages = append(packages, r.Packages...)
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	rep := &report{Rows: rows}
	results, outputs := map[string]string{}, map[string]string{}
	if len(packages) > 0 {
		// The names make a line too long for some systems, the prefix does not.
		events, err := goTest(root, "^TestRFC[0-9]+_", packages)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			test, _, _ := strings.Cut(e.Test, "/")
			key := strings.TrimPrefix(e.Package, "slashnet/") + " " + test
			switch e.Action {
			case "build-fail":
				return nil, fmt.Errorf("%s does not compile:\n%s", e.ImportPath, buildOutput(events))
			case "output":
				outputs[key] += e.Output
			case "pass", "fail", "skip":
				if e.Test != "" && e.Test == test {
					results[key] = e.Action
				}
			}
		}
		for key := range results {
			if _, test, _ := strings.Cut(key, " "); !known[test] {
				rep.Strays = append(rep.Strays, key)
			}
		}
		slices.Sort(rep.Strays)
	}
	for _, r := range rows {
		r.Verdict, r.Output = r.judge(results, outputs)
	}
	return rep, nil
}

// judge is the verdict of one row.
func (r *row) judge(results, outputs map[string]string) (verdict, output string) {
	for _, pkg := range r.Packages {
		key := pkg + " " + r.testName()
		switch results[key] {
		case "pass":
		case "fail":
			return failed, outputs[key]
		case "skip":
			return skipped, outputs[key]
		default:
			return missing, pkg + " has no " + r.testName()
		}
	}
	switch {
	case r.Reason != "":
		return decided, ""
	case len(r.Packages) > 0:
		return passed, ""
	}
	return open, ""
}

// testTimeout bounds one run of go test: a break may make a test wait for ever.
const testTimeout = 5 * time.Minute

// goTest runs tests and returns what they say.
func goTest(root, pattern string, packages []string, more ...string) ([]event, error) {
	args := append([]string{"test", "-json", "-vet=off", "-timeout", testTimeout.String(), "-run", pattern}, more...)
	for _, p := range packages {
		args = append(args, "./"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	var events []event
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return events, lines.Err()
}

func buildOutput(events []event) string {
	var b strings.Builder
	for _, e := range events {
		if e.Action == "build-output" {
			b.WriteString(e.Output)
		}
	}
	return b.String()
}

// A mutant is a break that was tried.
type mutant struct {
	ID      string `json:"id"`
	Place   string `json:"place"` // in the list
	File    string `json:"file"`
	Outcome string `json:"outcome"`
	Error   string `json:"error,omitempty"`
}

// The outcomes of a break.
const (
	noticed  = "noticed"
	survived = "SURVIVED"
	useless  = "USELESS" // it could not be made, or does not compile
)

// breakSome draws n rows and breaks the lines that serve them, one break at a
// time; tell hears of each.
func breakSome(root string, rows []*row, n int, seed uint64, tell func(mutant)) {
	var candidates []*row
	for _, r := range rows {
		if len(r.breaks) > 0 && r.Verdict != failed && r.Verdict != missing {
			candidates = append(candidates, r)
		}
	}
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(candidates), func(i, j int) {
		candidates[i], candidates[j] = candidates[j], candidates[i]
	})
	for _, r := range candidates[:min(n, len(candidates))] {
		for _, b := range r.breaks {
			m := mutant{ID: r.ID, Place: b.place, File: b.file, Outcome: noticed}
			switch survives, err := b.survives(root, r); {
			case err != nil:
				m.Outcome, m.Error = useless, err.Error()
			case survives:
				m.Outcome = survived
			}
			tell(m)
		}
	}
}

// survives makes the change in an overlay and reports whether the row's tests
// all pass in spite of it.
func (b *change) survives(root string, r *row) (bool, error) {
	dir, err := os.MkdirTemp("", "requirements")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(root, b.file)
	source, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	broken, err := b.apply(string(source))
	if err != nil {
		return false, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{file: filepath.Join(dir, "broken.go")}})
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.go"), []byte(broken), 0o644); err != nil {
		return false, err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644); err != nil {
		return false, err
	}
	events, err := goTest(root, "^"+r.testName()+"$", r.Packages, "-overlay", filepath.Join(dir, "overlay.json"))
	if err != nil {
		return false, err
	}
	survives := true
	for _, e := range events {
		switch e.Action {
		case "build-fail":
			return false, fmt.Errorf("the break does not compile:\n%s", buildOutput(events))
		case "fail":
			survives = false
		}
	}
	return survives, nil
}
