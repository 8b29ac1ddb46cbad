package stack

// The log: a bounded ring of lines, the words behind every errno.

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// logBytes is the size of the ring, as on Plan 9.
const logBytes = 16 << 10

type logRing struct {
	lines []string
	bytes int
}

func (r *logRing) add(at time.Time, line string) {
	const most = 1 << 10
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

// Logf adds a line to the log; fs has errors of its own to explain.
func (s *Stack) Logf(format string, args ...any) {
	s.lock()
	defer s.unlock()
	s.logf(format, args...)
}
