// Command requirements proves what the stack says of itself: each requirement
// of RFC 9293 (TCP), 1122 (hosts) and 1812 (routers) is a row of a list in this
// directory, and each row is a passing test of its name, or a decision with its
// reason. scripts/requirements runs it, and scripts/test runs that.
//
//	scripts/requirements               the table; exit 1 if a MUST or SHOULD is neither
//	scripts/requirements rfc9293_MUST  only the rows whose names begin with these words
//	scripts/requirements --json        the same for programs
//	scripts/requirements --mutate 20   and break the line that serves a row, for 20 rows
//
// A break is made in an overlay of the compiler, never in the tree; the row's
// test has to fail of it. A break that no test notices is an error: then the
// test proves nothing. --seed repeats a draw.
//
// # The lists
//
// A file *.rows, of one document or of a theme, has one row per requirement, and what is known of it indented
// below:
//
//	rfc9293_MUST_13 MUST §3.6.1 the end that closes first stays in TIME-WAIT for 2 MSL
//		test stack/tcp
//		break stack/tcp/close.go
//		- c.start(tWait, now+c.cfg.TimeWait)
//		+ c.start(tWait, now)
//
// The first line is the name, the level (MUST, MUST_NOT, SHOULD, SHOULD_NOT, MAY,
// or OWN for a row that is ours), the section, and what it says in our words.
//
// test names the packages that prove it: each has a test of the row's name, here
// TestRFC9293_MUST_13, so that
//
//	go test ./stack/tcp -run RFC9293_MUST_13
//
// runs it alone. A skipped test proves nothing.
//
// break is a change after which the test fails: a file, the text that is there
// (after -, of one line or several, found exactly once; the indentation of a line
// does not count) and what stands there instead (after +, or nothing). Every row
// with a test has one; it has to compile. One that matches no more is an error, so
// that the list stays true.
//
// decided is why a SHOULD or MAY is not followed. A MUST can only be overruled, by
// a clause of a later RFC:
//
//	overruled RFC 7126 §4.3.3: datagrams with a source route are dropped by default
//
// A row with neither is open. A line indented by one tab more goes on with the
// line above; # begins a comment.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
)

func main() {
	asJSON := flag.Bool("json", false, "print the table as JSON")
	mutate := flag.Int("mutate", 0, "break the line that serves a row, for `N` rows drawn at random; each break must fail its test")
	seed := flag.Uint64("seed", rand.Uint64()%1e6, "of the draw")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: scripts/requirements [--json] [--mutate N [--seed S]] [NAME…]\nNAME is that of a row, or its first words: rfc9293_MUST_13, rfc9293_MUST, rfc9293.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*asJSON, *mutate, *seed, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "requirements:", err)
		os.Exit(1)
	}
}

func run(asJSON bool, mutate int, seed uint64, names []string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	all, err := readRows(root)
	if err != nil {
		return err
	}
	rows := chosen(all, names)
	if len(rows) == 0 {
		return fmt.Errorf("no row is named %s", strings.Join(names, " or "))
	}
	report, err := prove(root, rows, all)
	if err != nil {
		return err
	}
	if !asJSON {
		report.table(os.Stdout)
	}
	if mutate > 0 {
		report.Seed = seed
		breakSome(root, report.Rows, mutate, seed, func(m mutant) {
			report.Mutants = append(report.Mutants, m)
			if !asJSON {
				m.print(os.Stdout)
			}
		})
	}
	if asJSON {
		if err := report.json(os.Stdout); err != nil {
			return err
		}
	} else {
		fmt.Printf("\n%s", report.summary())
	}
	return report.verdict()
}

// chosen are the rows with one of the names, or with one of them as first words.
func chosen(rows []*row, names []string) []*row {
	if len(names) == 0 {
		return rows
	}
	var some []*row
	for _, r := range rows {
		for _, name := range names {
			if r.ID == name || strings.HasPrefix(r.ID, strings.TrimSuffix(name, "_")+"_") {
				some = append(some, r)
				break
			}
		}
	}
	return some
}
