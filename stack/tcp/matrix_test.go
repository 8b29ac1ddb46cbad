package tcp

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMatrix is RFC 9293 §3.10.7.4 as a matrix, states by segments: the verdict
// is the next state, the reply and the bytes for the user. The table is in
// testdata/matrix.txt; it was written by the engine and read by people.
// SLASHNET_WRITE=1 writes it anew.
func TestMatrix(t *testing.T) {
	segments := []string{
		"S 1", "S 0", "S. 1 ack 1", "- 1:11", "U. 1:11 ack 1 urg 5", "SFRPU. 1 ack 1",
		". 1 ack -70000", ". 1 ack 0", ". 1 ack 1", ". 1 ack 2", ". 1 ack 9",
		". -9:1 ack 1", ". -9:11 ack 1", ". 1:11 ack 1", ". 11:21 ack 1", ". 65000:66000 ack 1", ". 70000:70010 ack 1",
		"F. 1 ack 1", "F. 1 ack 2", "F. 1:11 ack 1", "F. 11 ack 1", "F. 70000 ack 1", "F 1",
		"R 1", "R 9", "R 0", "R 70000", "R. 1 ack 1", "R. 1:11 ack 9",
	}
	states := []State{SynReceived, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, TimeWaiting}
	var b strings.Builder
	for _, text := range segments {
		for _, state := range states {
			var s *script
			if state == SynReceived {
				s = newScript(t, nil)
				s.accept("S 0 mss 1460")
				s.expect("S. 0 ack 1", "SYN")
			} else {
				s = inState(t, state)
			}
			// the segment is written from where the peer is
			shift := s.c.rcvNxt - s.irs - 1
			h, n := s.parse(text)
			if !strings.Contains(text, " win ") {
				h.Window = 65535
			}
			absolute(&h, s.irs, s.iss)
			h.Seq += shift
			s.raw(&h, make([]byte, n))
			var reply []string
			var seg Segment
			for s.c.Output(s.now, &seg) {
				reply = append(reply, s.show(&seg))
				seg.Release()
			}
			if reply == nil {
				reply = []string{"nothing"}
			}
			fmt.Fprintf(&b, "%-22s in %-12v -> %-12v %2d bytes, says %s\n", text, state, s.c.State(), s.c.Unread(), strings.Join(reply, "; "))
			s.c.Free()
		}
		b.WriteString("\n")
	}
	file := filepath.Join("testdata", "matrix.txt")
	if os.Getenv("SLASHNET_WRITE") != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, old := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(old)) {
		if i >= len(got) || i >= len(old) || got[i] != old[i] {
			t.Fatalf("line %d of %s differs: got\n%s", i+1, file, got[min(i, len(got)-1)])
		}
	}
}
