package main

// The lists: main reads them, and so does the test that keeps them true.

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A row is one requirement.
type row struct {
	ID       string   `json:"id"`
	Level    string   `json:"level"`
	Section  string   `json:"section"`
	Says     string   `json:"says"`
	Packages []string `json:"packages,omitempty"` // whose tests prove it
	Test     string   `json:"test,omitempty"`     // their name
	Reason   string   `json:"reason,omitempty"`   // why it is decided otherwise
	Verdict  string   `json:"verdict"`
	Output   string   `json:"output,omitempty"` // of a test that failed

	overruled bool
	breaks    []change
	place     string // file:line of the list
}

// A change is made to a source file to see a test fail.
type change struct {
	file     string // from the module's root
	was, now []string
	place    string
}

// levels are the words that a row may have, and whether it has to be met.
var levels = map[string]bool{
	"MUST": true, "MUST_NOT": true, "SHOULD": true, "SHOULD_NOT": true, "MAY": false, "OWN": false,
}

// required reports whether a row has to be met or decided.
func (r *row) required() bool { return levels[r.Level] }

// testName is the Go test of a row.
func (r *row) testName() string { return "Test" + strings.ToUpper(r.ID[:3]) + r.ID[3:] }

// group is the list that a row is in: a document, or a theme of several.
func (r *row) group() string {
	list, _, _ := strings.Cut(r.place, ".rows:")
	if n, one := strings.CutPrefix(list, "rfc"); one {
		return "RFC " + n
	}
	return "further, " + list
}

// moduleRoot is the directory of go.mod.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// readRows reads the lists of the module at root.
func readRows(root string) ([]*row, error) {
	files, err := filepath.Glob(filepath.Join(root, "test/requirements/*.rows"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no lists in %s: %v", root, err)
	}
	var rows []*row
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		more, err := parseRows(filepath.Base(file), text)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	seen := map[string]*row{}
	for _, r := range rows {
		if was := seen[r.ID]; was != nil {
			return nil, fmt.Errorf("%s: %s is at %s already", r.place, r.ID, was.place)
		}
		seen[r.ID] = r
	}
	return rows, nil
}

var (
	rowLine = regexp.MustCompile(`^(rfc\d+_[A-Za-z0-9_]+) ([A-Z_]+) (§\S+|-) (\S.*)$`)
	clause  = regexp.MustCompile(`^RFC \d+ §[0-9A-Z.]+: \S`)
)

// parseRows reads one list.
func parseRows(file string, text []byte) ([]*row, error) {
	var rows []*row
	in := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; in.Scan(); n++ {
		line, place := in.Text(), fmt.Sprintf("%s:%d", file, n)
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		rest, indented := strings.CutPrefix(line, "\t")
		if !indented {
			f := rowLine.FindStringSubmatch(line)
			if f == nil {
				return nil, fmt.Errorf("%s: %q: want `rfcN_NAME LEVEL §SECTION what it says`", place, line)
			}
			if _, ok := levels[f[2]]; !ok {
				return nil, fmt.Errorf("%s: %s is no level: MUST, MUST_NOT, SHOULD, SHOULD_NOT, MAY or OWN", place, f[2])
			}
			rows = append(rows, &row{ID: f[1], Level: f[2], Section: f[3], Says: f[4], place: place})
			continue
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("%s: %q belongs to no row", place, line)
		}
		if err := rows[len(rows)-1].add(rest, place); err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
	}
	for _, r := range rows {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("%s: %s %w", r.place, r.ID, err)
		}
	}
	return rows, in.Err()
}

// add takes an indented line of a row.
func (r *row) add(line, place string) error {
	if more, ok := strings.CutPrefix(line, "\t"); ok {
		if r.Reason == "" {
			return fmt.Errorf("%q goes on with no reason", line)
		}
		r.Reason += " " + strings.TrimSpace(more)
		return nil
	}
	word, rest, _ := strings.Cut(line, " ")
	last := len(r.breaks) - 1
	switch word {
	case "test":
		r.Packages, r.Test = append(r.Packages, strings.Fields(rest)...), r.testName()
	case "break":
		r.breaks = append(r.breaks, change{file: rest, place: place})
	case "-", "+":
		if last < 0 {
			return fmt.Errorf("%q belongs to no break", line)
		}
		b := &r.breaks[last]
		if word == "-" {
			b.was = append(b.was, strings.TrimSpace(rest))
		} else {
			b.now = append(b.now, rest)
		}
	case "decided", "overruled":
		r.Reason, r.overruled = rest, word == "overruled"
	default:
		return fmt.Errorf("%q: test, break, -, +, decided or overruled is wanted", word)
	}
	return nil
}

// check sees that a row is whole.
func (r *row) check() error {
	switch {
	case r.overruled && !clause.MatchString(r.Reason):
		return fmt.Errorf("is overruled by %q: want `RFC N §S: why`", r.Reason)
	case r.Reason != "" && !r.overruled && (r.Level == "MUST" || r.Level == "MUST_NOT"):
		return fmt.Errorf("is a %s: only a clause of a later RFC overrules it", r.Level)
	case len(r.Packages) > 0 && len(r.breaks) == 0:
		return fmt.Errorf("has a test and no break: nobody knows whether the test can fail")
	case len(r.Packages) == 0 && len(r.breaks) > 0:
		return fmt.Errorf("has a break and no test")
	}
	for _, b := range r.breaks {
		if b.file == "" || len(b.was) == 0 || slices.Equal(b.was, b.now) {
			return fmt.Errorf("has a break that changes nothing (%s)", b.place)
		}
	}
	return nil
}

// apply makes the change to the text of its file.
func (b *change) apply(source string) (string, error) {
	lines := make([]string, len(b.was))
	for i, l := range b.was {
		lines[i] = regexp.QuoteMeta(l)
	}
	found := regexp.MustCompile(strings.Join(lines, `\n[\t ]*`)).FindAllStringIndex(source, -1)
	if len(found) != 1 {
		return "", fmt.Errorf("%s: %d places in %s read `%s`, want 1: the code has changed, so choose the line that now serves the row",
			b.place, len(found), b.file, strings.Join(b.was, " ⏎ "))
	}
	at := found[0]
	return source[:at[0]] + strings.Join(b.now, "\n") + source[at[1]:], nil
}
