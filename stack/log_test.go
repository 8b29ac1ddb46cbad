package stack

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"slashnet/wire"
)

// What a user writes must not reach another's terminal as it is.
func TestLogIsPrintable(t *testing.T) {
	var told []string
	s := newHost(t, Config{Log: func(line string) { told = append(told, line) }})
	c := clone(t, s, wire.TCP)
	for _, line := range []string{
		"\x1b[2J",
		"ttl \x00",
		"ttl \xff\xfe",
		"ttl \u202egnp.exe",
		"ttl " + strings.Repeat("\u65e5", 500),
	} {
		ctl(t, c, line)
		s.WriteCtl(line)
		s.WriteARP(line)
		told = append(told, strings.TrimSuffix(c.ErrText(), "\n"))
	}
	s.Logf("%s", strings.Repeat("\u65e5", 2000))
	told = append(told, strings.Split(strings.TrimSuffix(s.LogText(), "\n"), "\n")...)
	if len(told) < 30 {
		t.Errorf("only %d lines", len(told))
	}
	for _, line := range told {
		if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("not printable: %q", line)
		}
	}
}
