package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The lists stay true: every row is whole, and every break finds its line. Whether
// tests pass, and breaks are noticed, is for scripts/requirements.
func TestListsMatchTheSource(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readRows(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for _, pkg := range r.Packages {
			if !declares(t, filepath.Join(root, pkg), r.testName()) {
				t.Errorf("%s: %s has no %s", r.place, pkg, r.testName())
			}
		}
		for _, b := range r.breaks {
			source, err := os.ReadFile(filepath.Join(root, b.file))
			if err != nil {
				t.Errorf("%s: %v", b.place, err)
				continue
			}
			if _, err := b.apply(string(source)); err != nil {
				t.Error(err)
			}
		}
	}
}

// declares reports whether a test file of a directory has a test.
func declares(t *testing.T, dir, test string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+test+"(") {
			return true
		}
	}
	return false
}

func TestParseRows(t *testing.T) {
	const head = "rfc1_MUST_1 MUST §1.2 says something\n"
	rows, err := parseRows("rfc1.rows", []byte("# a comment\n\n"+head+
		"\ttest a b/c\n\tbreak f.go\n\t- one\n\t- \ttwo\n\t+ three\n"+
		"rfc1_2 SHOULD §1 says\n\tdecided because\n\t\tof this\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := rows[0]
	if r.testName() != "TestRFC1_MUST_1" || r.group() != "RFC 1" || len(r.Packages) != 2 || rows[1].Reason != "because of this" {
		t.Errorf("%+v %+v", r, rows[1])
	}
	for source, want := range map[string]string{
		"\tone\n\t\ttwo\n":     "\tthree\n",
		"one two":              "",
		"one\ntwo\none\ntwo\n": "",
	} {
		got, err := r.breaks[0].apply(source)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q becomes %q (%v), want %q", source, got, err, want)
		}
	}
	for _, bad := range []string{
		"rfc1 MUST", "rfc1_MUST_1 OUGHT §1 x", "\ttest a", head + "\tnonsense", head + "\ttest a", head + "\t- x",
		head + "\tdecided by us", head + "\toverruled by us", head + "\tbreak f.go\n\t- x", head + "\t\tmore",
		head + "\ttest a\n\tbreak f.go\n\t- x\n\t+ x", head + "\ttest a\n\tbreak f.go",
	} {
		if _, err := parseRows("x.rows", []byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "x.rows:") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestVerdicts(t *testing.T) {
	results := map[string]string{"a TestRFC1_1": "pass", "b TestRFC1_1": "fail", "c TestRFC1_1": "skip"}
	for _, c := range []struct {
		packages, reason, want string
	}{
		{"a", "", passed}, {"a b", "", failed}, {"c", "", skipped}, {"a d", "", missing},
		{"", "why", decided}, {"a", "why", decided}, {"b", "why", failed}, {"", "", open},
	} {
		r := &row{ID: "rfc1_1", Level: "SHOULD", Packages: strings.Fields(c.packages), Reason: c.reason}
		if r.Verdict, _ = r.judge(results, nil); r.Verdict != c.want {
			t.Errorf("%q %q: %s, want %s", c.packages, c.reason, r.Verdict, c.want)
		}
		good := c.want == passed || c.want == decided
		if err := (&report{Rows: []*row{r}}).verdict(); (err == nil) != good {
			t.Errorf("%s: %v", c.want, err)
		}
	}
	if (&report{Rows: []*row{{ID: "rfc1_1", Level: "MAY", Verdict: open}}}).verdict() != nil {
		t.Error("an open MAY is an error")
	}
	if (&report{Mutants: []mutant{{Outcome: survived}}}).verdict() == nil || (&report{Strays: []string{"x"}}).verdict() == nil {
		t.Error("a survivor, or a test of no row, is no error")
	}
}
