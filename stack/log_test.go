package stack

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

// Who makes more mistakes than anybody reads loses his own lines, not those of
// others, and is told how many.
func TestLogIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		s := newHost(t, Config{Log: func(string) { told++ }})
		alices := cloneAs(t, s, wire.TCP, alice, false)
		ctlAs(t, alices, alice, "a mistake of alice")
		bobs := cloneAs(t, s, wire.TCP, bob, false)
		for range 100_000 {
			ctlAs(t, bobs, bob, "a mistake of bob that is as long as he likes")
		}
		if told > logBurst+2 || s.log.bytes > logBytes {
			t.Errorf("%d lines were told, and the log has %d bytes", told, s.log.bytes)
		}
		time.Sleep(logBurst * logEvery)
		ctlAs(t, bobs, bob, "one more of bob")
		text := s.LogText()
		for _, want := range []string{"a mistake of alice", "one more of bob", fmt.Sprintf(" log: %d lines of user %d were left out", 100_000-logBurst, bob.UID)} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in the log\n%s", want, text)
			}
		}
	})
}

// clear keeps kinds of lines out, set lets them in; a bad line changes nothing.
func TestLogKinds(t *testing.T) {
	s := newHost(t, Config{})
	lines := map[string]string{
		"ip": "ipifc/1: no", "arp": "arp: no", "tcp": "tcp/3: no", "udp": "udp/3: no", "icmp": "icmp/dial/x: no", "dns": "dns x: no", "fs": "200 operations wait already",
	}
	if len(lines) != len(logKinds) {
		t.Fatalf("%d kinds are tested of %d", len(lines), len(logKinds))
	}
	kept := func(line string) bool {
		before := strings.Count(s.LogText(), line+"\n")
		s.Logf("%s", line)
		return strings.Count(s.LogText(), line+"\n") > before
	}
	for kind, line := range lines {
		if !kept(line) {
			t.Errorf("%s is not kept by default", kind)
		}
		must(t, s.WriteLog("clear "+kind+"\n"))
		for other, line := range lines {
			if got := kept(line); got == (other == kind) {
				t.Errorf("after clear %s a line about %s is kept: %v", kind, other, got)
			}
		}
		must(t, s.WriteLog("set "+kind))
	}
	must(t, s.WriteLog("clear tcp udp"))
	must(t, s.WriteLog("set udp arp"))
	for _, bad := range []string{"", "set", "clear", "set tcp sctp", "clear everything", "reset tcp", "set tcp\x00"} {
		if err := s.WriteLog(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if kept(lines["tcp"]) || !kept(lines["udp"]) {
		t.Error("a bad line changed something, or two words are not two")
	}
	if !strings.Contains(s.LogText(), `log: set tcp sctp: bad arg in system call: "sctp" is not one of arp dns fs icmp ip tcp udp`) {
		t.Error(s.LogText())
	}
}
