package stack

// The log: a bounded ring of lines, the words behind every errno.

import (
	"strings"
	"time"
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
		line = line[:most] + "..."
	}
	line = at.Format("15:04:05.000 ") + strings.ToValidUTF8(strings.Map(printable, line), "?") + "\n"
	r.lines = append(r.lines, line)
	r.bytes += len(line)
	for r.bytes > logBytes {
		r.bytes -= len(r.lines[0])
		r.lines[0] = ""
		r.lines = r.lines[1:]
	}
}

// printable keeps control characters of users out of other users' terminals.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
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
