package stack

// The log: a bounded ring of lines, the words behind every errno.

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"slashnet/stack/neterr"
)

// logBytes is the size of the ring, as on Plan 9.
const logBytes = 16 << 10

type logRing struct {
	lines []string
	bytes int
	muted map[string]bool // kinds of lines that are not kept
}

// logKinds are what lines are about, with Plan 9's names, and the words that such
// lines begin with; fs is all the rest.
var logKinds = map[string][]string{
	"ip": {"iproute", "ipifc"}, "arp": {"arp"}, "icmp": {"icmp"}, "udp": {"udp"}, "tcp": {"tcp"}, "dns": {"cs", "dns"}, "fs": nil,
}

// kindOf is the kind of a line.
func kindOf(line string) string {
	first := line
	if at := strings.IndexAny(line, " /:"); at >= 0 {
		first = line[:at]
	}
	for kind, words := range logKinds {
		if slices.Contains(words, first) {
			return kind
		}
	}
	return "fs"
}

func (r *logRing) add(at time.Time, line string) {
	const most = 1 << 10
	if r.muted[kindOf(line)] {
		return
	}
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	line = at.Format("15:04:05.000 ") + line + "\n"
	r.lines = append(r.lines, line)
	r.bytes += len(line)
	for r.bytes > logBytes {
		r.bytes -= len(r.lines[0])
		r.lines[0] = ""
		r.lines = r.lines[1:]
	}
}

// clean keeps what is not for print, in what users wrote, out of other users'
// terminals.
func clean(line string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, line)
}

// LogText is what the ring holds.
func (s *Stack) LogText() string {
	s.lock()
	defer s.unlock()
	return strings.Join(s.log.lines, "")
}

// WriteLog carries out one line of the file log: set KIND... and clear KIND... say
// which kinds of lines are kept. What is kept already stays.
func (s *Stack) WriteLog(line string) error {
	s.lock()
	defer s.unlock()
	return s.told("log", line, s.log.command(strings.TrimSuffix(line, "\n")))
}

func (r *logRing) command(line string) error {
	if err := checkLine(line); err != nil {
		return err
	}
	w := strings.Fields(line)
	kinds := strings.Join(slices.Sorted(maps.Keys(logKinds)), " ")
	if len(w) < 2 || w[0] != "set" && w[0] != "clear" {
		return neterr.BadControl.With("%q: set or clear is wanted, and some of %s", clip(line), kinds)
	}
	for _, kind := range w[1:] {
		if _, ok := logKinds[kind]; !ok {
			return neterr.BadArg.With("%q is not one of %s", clip(kind), kinds)
		}
	}
	if r.muted == nil {
		r.muted = map[string]bool{}
	}
	for _, kind := range w[1:] {
		r.muted[kind] = w[0] == "clear"
	}
	return nil
}

// Logf adds a line to the log; fs has errors of its own to explain.
func (s *Stack) Logf(format string, args ...any) {
	s.lock()
	defer s.unlock()
	s.logf(format, args...)
}
