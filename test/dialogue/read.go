package dialogue

// Reading scripts: TestSegmentScripts and test/play call ReadDir, and Play works through
// what it returns.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A Script is one file.
type Script struct {
	Name   string
	About  string   // what is asked
	Knobs  []string // "name value"
	Family int      // 4 or 6; 0 for either
	lines  []line
}

type line struct {
	number int
	words  []string
}

// Base are the knobs that a script starts from: the protocol without what is
// optional, so that a script mentions what it is about.
var Base = []string{
	"tcp.timestamps off",
	"tcp.wscale off",
	"tcp.quickack 0",
	"tcp.mtuprobe off",
	"tcp.delack 200ms",
	"tcp.close.drain 2s",
	"tcp.timewait 60s",
	"tcp.ecn off",
	"tcp.sack on",
	"tcp.cc newreno",
	"tcp.rto.init 1s",
	"tcp.rto.min 200ms",
	"tcp.initcwnd 10",
	"tcp.challenge.limit 10",
	"tcp.syncookies off",
	"tcp.rcvbuf 65535",
	"tcp.sndbuf 1048576",
	"tcp.finwait2 60s",
}

// ReadDir reads the scripts of a directory.
func ReadDir(dir string) ([]*Script, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	var all []*Script
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s, err := Parse(strings.TrimSuffix(filepath.Base(file), ".txtar"), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Parse reads a script.
func Parse(name, text string) (*Script, error) {
	s := &Script{Name: name}
	section := ""
	number := 0
	for raw := range strings.Lines(text) {
		number++
		wrong := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: %s", name, number, fmt.Sprintf(format, args...))
		}
		raw = strings.TrimRight(raw, "\n")
		if head, ok := strings.CutPrefix(raw, "-- "); ok && strings.HasSuffix(head, " --") {
			section = strings.TrimSuffix(head, " --")
			if section != "knobs" && section != "script" {
				return nil, wrong("section %q: knobs or script is wanted", section)
			}
			continue
		}
		code, _, _ := strings.Cut(raw, "#")
		words := strings.Fields(code)
		switch {
		case section == "":
			s.About = strings.TrimSpace(s.About + "\n" + raw)
		case len(words) == 0:
		case section == "knobs" && len(words) == 2:
			s.Knobs = append(s.Knobs, strings.Join(words, " "))
		case section == "knobs":
			return nil, wrong("knob %q: a name and a value are wanted", raw)
		case words[0] == "family" && len(words) == 2 && (words[1] == "4" || words[1] == "6"):
			s.Family = int(words[1][0] - '0')
		default:
			l := line{number, words}
			if err := l.check(); err != nil {
				return nil, wrong("%v", err)
			}
			s.lines = append(s.lines, l)
		}
	}
	if s.About == "" || len(s.lines) == 0 {
		return nil, fmt.Errorf("%s: words about what is asked, and a section script, are wanted", name)
	}
	return s, nil
}

func (l line) String() string { return strings.Join(l.words, " ") }

// verbs are the lines without a segment: how many words follow, at least and at most.
var verbs = map[string][2]int{
	"open": {0, 0}, "listen": {0, 0}, "accept": {0, 0}, "write": {1, 1}, "read": {1, 1},
	"close": {0, 0}, "shutdown": {0, 0}, "abort": {0, 0}, "ctl": {1, 9}, "fails": {1, 1},
	"state": {1, 1}, "advance": {1, 1}, "toobig": {2, 2}, "inject": {2, 99}, "expect": {1, 99},
}

// check sees that a line means something, before any is played.
func (l line) check() error {
	bounds, ok := verbs[l.words[0]]
	if n := len(l.words) - 1; !ok || n < bounds[0] || n > bounds[1] {
		return fmt.Errorf("%q is no line of a script", l)
	}
	if _, err := l.span(); err != nil {
		return err
	}
	if text := l.segment(); text != nil {
		_, err := parseSegment(text, 1460)
		return err
	}
	return nil
}

// segment are the words of the segment in a line, if there is one.
func (l line) segment() []string {
	switch {
	case l.words[0] == "inject":
		return l.words[1:]
	case l.words[0] != "expect" || l.words[1] == "nothing" || l.words[1] == "data":
		return nil
	case l.words[1] == "in" && len(l.words) > 3:
		return l.words[3:]
	}
	return l.words[1:]
}

// span is how much time a line takes.
func (l line) span() (time.Duration, error) {
	switch {
	case l.words[0] == "advance":
		return time.ParseDuration(l.words[1])
	case l.words[0] == "expect" && l.words[1] == "in" && len(l.words) > 3:
		return time.ParseDuration(l.words[2])
	case l.words[0] == "expect" && len(l.words) == 4 && l.words[1] == "nothing" && l.words[2] == "for":
		return time.ParseDuration(l.words[3])
	case l.words[0] == "expect" && l.words[1] == "nothing" && len(l.words) != 2:
		return 0, fmt.Errorf("%q: expect nothing, or expect nothing for TIME, is wanted", l)
	}
	return 0, nil
}

// Span is how long a script takes.
func (s *Script) Span() (all time.Duration) {
	for _, l := range s.lines {
		d, _ := l.span()
		all += d
	}
	return all
}
