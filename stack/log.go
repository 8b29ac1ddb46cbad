package stack

// The log: a bounded ring of lines, the words behind every errno. One user's lines
// make room for those of others, and come at a bounded rate.

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"slashnet/stack/neterr"
)

const (
	// logBytes is the size of the ring, as on Plan 9.
	logBytes = 16 << 10
	// logBurst is how many lines a user may cause at once, logEvery when he may cause
	// one more: a script full of mistakes is told all of them, a loop is not.
	logBurst = 500
	logEvery = 20 * time.Millisecond
	// maxLogged is how many users' rates are known at a time.
	maxLogged = 1024
)

// nobody is whom lines are about that no user has caused.
const nobody = math.MaxUint32

type logRing struct {
	lines []logLine
	bytes int
	held  map[uint32]int      // bytes of each user's lines
	rates map[uint32]*logRate // of users
	muted map[string]bool     // kinds of lines that are not kept
}

type logLine struct {
	uid  uint32
	text string
}

// A logRate is how far a user is ahead of his rate.
type logRate struct {
	until time.Duration // when he may have burst again in full
	left  int           // lines that were left out
}

// admit reports whether a user may cause one more line, and how many were left out
// before it.
func (r *logRing) admit(uid uint32, now time.Duration) (left int, ok bool) {
	rate := r.rates[uid]
	if rate == nil {
		if len(r.rates) >= maxLogged {
			maps.DeleteFunc(r.rates, func(_ uint32, o *logRate) bool { return o.until <= now })
		}
		if len(r.rates) >= maxLogged {
			return 0, false
		}
		if r.rates == nil {
			r.rates = map[uint32]*logRate{}
		}
		rate = &logRate{}
		r.rates[uid] = rate
	}
	until := max(rate.until, now) + logEvery
	if until > now+logBurst*logEvery {
		rate.left++
		return 0, false
	}
	left, rate.until, rate.left = rate.left, until, 0
	return left, true
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

func (r *logRing) add(uid uint32, at time.Time, line string) {
	const most = 1 << 10
	if r.muted[kindOf(line)] {
		return
	}
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	line = at.Format("15:04:05.000 ") + line + "\n"
	if r.held == nil {
		r.held = map[uint32]int{}
	}
	r.lines = append(r.lines, logLine{uid, line})
	r.bytes += len(line)
	r.held[uid] += len(line)
	for r.bytes > logBytes {
		r.evict()
	}
}

// evict drops the oldest line of the user who has most.
func (r *logRing) evict() {
	who, most := uint32(0), -1
	for uid, n := range r.held {
		if n > most {
			who, most = uid, n
		}
	}
	at := slices.IndexFunc(r.lines, func(l logLine) bool { return l.uid == who })
	n := len(r.lines[at].text)
	r.lines = slices.Delete(r.lines, at, at+1)
	r.bytes -= n
	if r.held[who] -= n; r.held[who] == 0 {
		delete(r.held, who)
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
	var b strings.Builder
	for _, l := range s.log.lines {
		b.WriteString(l.text)
	}
	return b.String()
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

// logf writes a line to the log.
func (s *Stack) logf(format string, args ...any) { s.logFor(User{UID: nobody}, format, args...) }

// logFor writes a line that a user has caused.
func (s *Stack) logFor(u User, format string, args ...any) {
	left, ok := s.log.admit(u.UID, s.now)
	if !ok {
		return
	}
	lines := []string{clean(fmt.Sprintf(format, args...))}
	if left > 0 {
		lines = []string{fmt.Sprintf("log: %d lines of user %d were left out: they came too fast", left, u.UID), lines[0]}
	}
	for _, line := range lines {
		s.log.add(u.UID, s.wall(s.now), line)
		if s.cfg.Log != nil {
			s.effects.logs = append(s.effects.logs, line)
		}
	}
}

// LogFor adds a line about what a user did; fs has errors of its own to explain.
func (s *Stack) LogFor(u User, format string, args ...any) {
	s.lock()
	defer s.unlock()
	s.logFor(u, format, args...)
}

// Logf adds a line to the log.
func (s *Stack) Logf(format string, args ...any) {
	s.lock()
	defer s.unlock()
	s.logf(format, args...)
}
