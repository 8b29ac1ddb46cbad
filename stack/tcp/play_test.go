package tcp

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Scripts in testdata, one file for a clause of RFC 9293, in the form of txtar: a
// line `-- NAME --` begins a script. They say only what a user and a peer can see
// and do, so they could be played over a cable as well.
//
//	connect              we open; listen: the peer does; established: both is done
//	< S. 0 ack 1         the peer sends a segment, written as in script_test.go
//	> . 1 ack 1          we send exactly this next
//	silence 2s           time goes by, and we send nothing
//	wait 2s              time goes by
//	write 10, read 1:11  what the user does; read expects the peer's bytes 1 to 10
//	close, shutdown wr, hangup, eof
//	set KNOB VALUE       before connect or listen
//	state Finwait1, ends, ends WORDS   as status and err say it
//
// Behind # is the reason why.

// TestScripts plays all of them.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		for _, part := range scriptsIn(t, file) {
			t.Run(part.name, part.play)
		}
	}
}

// played plays the script of a row.
func played(t *testing.T, row string) {
	t.Helper()
	files, _ := filepath.Glob("testdata/*.txtar")
	n := 0
	for _, file := range files {
		for _, part := range scriptsIn(t, file) {
			if part.name == row || strings.HasPrefix(part.name, row+" ") {
				n++
				t.Run(part.name, part.play)
			}
		}
	}
	if n == 0 {
		t.Fatalf("no script is named %s", row)
	}
}

// A part is one script of a file.
type part struct {
	file, name string
	first      int // line
	lines      []string
}

func scriptsIn(t *testing.T, file string) (all []part) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(text), "\n") {
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			all = append(all, part{file: file, name: strings.TrimSuffix(name, " --"), first: n + 2})
		} else if len(all) > 0 {
			last := &all[len(all)-1]
			last.lines = append(last.lines, line)
		}
	}
	return all
}

func (p *part) play(t *testing.T) {
	s := newScript(t, nil)
	for n, line := range p.lines {
		command, why, _ := strings.Cut(line, "#")
		if command = strings.TrimSpace(command); command == "" {
			continue
		}
		why = fmt.Sprintf("%s:%d: %s", p.file, p.first+n, strings.TrimSpace(why))
		if err := s.do(command, why); err != nil {
			t.Fatalf("%s: %q: %v", why, command, err)
		}
		if t.Failed() {
			t.Fatal(why)
		}
	}
}

// do carries one line out.
func (s *script) do(line, why string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "set":
		return s.set(rest)
	case "connect":
		s.c.Open(s.now, s.setup())
	case "listen":
		s.listening = true
	case "established":
		s.c.Open(s.now, s.setup())
		s.expect("S 0", why)
		s.advance(10 * time.Millisecond)
		s.inject("S. 0 ack 1 win 65535 mss 1460 sackok")
		s.expect(". 1 ack 1", why)
	case "<":
		if s.listening {
			s.listening = false
			s.accept(rest)
			break
		}
		s.inject(rest)
	case ">":
		s.expect(rest, why)
	case "silence", "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return err
		}
		for end := s.now + d; s.now < end; {
			at, ok := s.c.Deadline()
			if !ok || at > end {
				at = end
			}
			s.advance(at - s.now)
			if verb == "silence" {
				s.expectIdle(why)
			}
		}
		if verb == "silence" {
			s.expectIdle(why)
		}
	case "close":
		s.c.Close(s.now)
	case "shutdown":
		if rest != "wr" {
			return fmt.Errorf("shutdown wr is wanted")
		}
		s.c.CloseWrite(s.now)
	case "hangup":
		s.c.Abort(s.now)
	case "eof":
		if !s.c.EOF() {
			return fmt.Errorf("%d bytes are unread, in %v", s.c.Unread(), s.c.State())
		}
	case "write":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		s.write(n)
	case "read":
		var from, to int
		if _, err := fmt.Sscanf(rest, "%d:%d", &from, &to); err != nil {
			return err
		}
		s.read(from, to-from, why)
	case "state":
		if got := s.c.State().String(); got != rest {
			return fmt.Errorf("it is in %s", got)
		}
	case "ends":
		s.state(Closed)
		if err := s.c.Err(); err == nil && rest != "" || err != nil && err.Error() != rest {
			return fmt.Errorf("it ended with %v", err)
		}
	default:
		return fmt.Errorf("no such verb")
	}
	return nil
}

// set turns a knob, as the tree names it.
func (s *script) set(setting string) error {
	knob, value, _ := strings.Cut(setting, " ")
	n, err := strconv.Atoi(value)
	if err != nil {
		return err
	}
	switch knob {
	case "tcp.rcvbuf":
		s.cfg.RcvBuf = n
	case "tcp.quickack":
		s.cfg.QuickAck = n
	case "close.drain":
		s.cfg.CloseDrain = time.Duration(n) * time.Millisecond
	default:
		return fmt.Errorf("no such knob")
	}
	return nil
}
