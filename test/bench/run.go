package main

// The first process of the namespaces: it goes through the measures, lays each
// on its paths in turns, and hands the rounds to the report.

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A bench is one run.
type bench struct {
	*options
	sizes  sizes
	paths  map[string]*path
	report report
	failed bool
}

// catPath is the file that cat sends.
var catPath string

func scratch(o *options) string { return filepath.Join(o.bin, "scratch") }

func measureAll(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	b := &bench{options: o, sizes: fullSizes, paths: map[string]*path{}, report: report{out: os.Stdout, json: o.json}}
	if o.quick {
		b.sizes = quickSizes
	}
	if err := prepare(o); err != nil {
		return err
	}
	b.report.head()
	for _, m := range selected(o.only) {
		b.measure(&m)
		b.report.gap()
	}
	for _, p := range b.paths {
		p.end()
	}
	for _, words := range b.report.missed {
		fmt.Fprintln(os.Stderr, "bench: less than half of the bar:", words)
	}
	if b.failed || o.check && len(b.report.missed) > 0 {
		return errMissed
	}
	return nil
}

// prepare makes a directory in memory that ends with us, and processes be seen
// by the numbers that they have here.
func prepare(o *options) error {
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	dir := scratch(o)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", dir, err)
	}
	catPath = filepath.Join(dir, "cat")
	return os.WriteFile(catPath, bytes.Repeat([]byte("the network is a directory\n"), catPiece/27+1)[:catPiece], 0o644)
}

// measure is one measure on all its paths, in turns. A path that fails is out,
// and the others go on without it.
func (b *bench) measure(m *measure) {
	all := make([]*series, len(m.paths))
	for i, name := range m.paths {
		all[i] = &series{path: name}
	}
	out := map[*series]bool{}
	rounds := b.rounds
	if m.fresh {
		rounds = 1
		b.dropAll(m)
		defer b.dropAll(m)
	} else {
		for _, s := range all {
			out[s] = !b.turn(m, s, b.sizes.smaller())
			s.rounds = nil
		}
	}
	for range rounds {
		for _, s := range all {
			if !out[s] && !b.turn(m, s, b.sizes) {
				out[s] = true
			}
		}
	}
	var reference *series
	for i, s := range all {
		if out[s] {
			continue
		}
		for _, f := range s.figures(m.name, reference) {
			b.report.add(f)
		}
		if i == 0 {
			reference = s
		}
	}
	for _, s := range all {
		for _, rival := range all {
			if s.path == subject && rivals[rival.path] && !out[s] && !out[rival] {
				b.report.add(s.over(m.name, rival))
			}
		}
	}
}

// turn is one round on one path.
func (b *bench) turn(m *measure, s *series, sizes sizes) bool {
	readings, err := b.round(m, s.path, sizes)
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s/%s: %v\n", s.path, m.name, err)
		b.failed = true
		b.drop(s.path)
		return false
	}
	s.rounds = append(s.rounds, readings)
	return true
}

func (b *bench) round(m *measure, name string, sizes sizes) ([]reading, error) {
	p := b.paths[name]
	if p == nil {
		var err error
		if p, err = builders[name](b.options); err != nil {
			return nil, err
		}
		b.paths[name] = p
	}
	return m.run(p, sizes)
}

// drop ends a path; whoever needs it next builds it anew.
func (b *bench) drop(name string) {
	if p := b.paths[name]; p != nil {
		p.end()
		delete(b.paths, name)
	}
}

func (b *bench) dropAll(m *measure) {
	for _, name := range m.paths {
		b.drop(name)
	}
}
