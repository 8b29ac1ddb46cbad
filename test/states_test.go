package test

// Our TCP and the kernel's are sent the same segments in the same states, and answer
// the same; or it is written here why not.

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

// stationAddr is the host that sends the segments.
const stationAddr = "10.114.0.77"

// interrogate begins to try all states of a far end.
func interrogate(t *testing.T, f *far) *netns.Process {
	t.Helper()
	link, where, poser, called := "a0", "", netns.Addr, stationAddr
	if f.us {
		link = "slash0"
		where = filepath.Join(f.at.Root, "tcp")
		poser, called = where, filepath.Join(where, "dial", stationAddr)
	}
	p := f.at.Start(peer(t), "pose", poser)
	p.Expect("posing")
	if !f.us {
		where = fmt.Sprintf("/proc/%d/net/tcp", p.Pid())
	}
	states := f.near.Start(peer(t), "states", link, stationAddr, netns.Addr, where)
	states.Expect("ready")
	f.at.Start(peer(t), "callers", called)
	return states
}

// verdicts are what it found, by state and segment.
func verdicts(t *testing.T, states *netns.Process) map[string]string {
	t.Helper()
	if err := states.Wait(time.Minute); err != nil {
		t.Fatalf("%v\n%s", err, states.Output())
	}
	found := map[string]string{}
	for line := range strings.Lines(states.Output()) {
		if w := strings.Split(strings.TrimSpace(line), "\t"); len(w) == 3 {
			found[w[0]+": "+w[1]] = w[2]
		}
	}
	return found
}

// A departure is accepted: where, what either does, and why ours is right.
type departure struct {
	kernel, ours string
	why          string
	at           []string
}

var departures = []departure{
	{"nothing; Closed", "nothing; Time_wait", "RFC 1337 §3: an old RST does not end TIME-WAIT", []string{
		"TIME-WAIT: RST", "TIME-WAIT: RST+ACK", "TIME-WAIT: RST+ACK, old ACK", "TIME-WAIT: RST with data", "TIME-WAIT: SYN+RST", "TIME-WAIT: all flags",
	}},
	{"A seq+0 ack+0; Time_wait", "nothing; Time_wait", "RFC 9293 §3.10.7.4, fifth: without ACK it is dropped", []string{
		"TIME-WAIT: no flags, data", "TIME-WAIT: data without ACK", "TIME-WAIT: FIN without ACK",
	}},
	{"SA ack+101; Syn_received", "A seq+0 ack+0; Time_wait", "RFC 9293 §3.6.1, MAY-2: not while the user holds the old conversation", []string{
		"TIME-WAIT: SYN in the window",
	}},
	{"A seq+0 ack+0; Established", "nothing; Established", oldACK, []string{"ESTABLISHED: ACK, old"}},
	{"A seq+0 ack+0; Established", "A seq+0 ack+1; Close_wait", oldACK, []string{"ESTABLISHED: FIN, old ACK"}},
	{"A seq+0 ack+0; Close_wait", "nothing; Close_wait", oldACK, []string{"CLOSE-WAIT: ACK, old", "CLOSE-WAIT: FIN, old ACK"}},
	{"nothing; Closed", "nothing; Close_wait", staleRST, []string{"CLOSE-WAIT: RST left of the window"}},
	{"nothing; Closed", "nothing; Closing", staleRST, []string{"CLOSING: RST left of the window"}},
	{"nothing; Closed", "nothing; Last_ack", staleRST, []string{"LAST-ACK: RST left of the window"}},
	{"R seq+0; Closed", "nothing; Close_wait", "RFC 9293 §3.10.7.4, seventh: after a FIN, text is ignored", []string{
		"CLOSE-WAIT: data across the left edge",
	}},
	{"A seq+0 ack+0; Finwait2", "A seq+0 ack+0; Finwait1", outside, []string{"FIN-WAIT-1: data left of the window", "FIN-WAIT-1: FIN again"}},
	{"nothing; Time_wait", "A seq+0 ack+0; Closing", outside, []string{"CLOSING: data left of the window", "CLOSING: FIN again"}},
	{"nothing; Closed", "A seq+0 ack+0; Last_ack", outside, []string{"LAST-ACK: data left of the window", "LAST-ACK: FIN again"}},
	{"R seq-1; Syn_received", "nothing; Closed", fourth, []string{"SYN-RECEIVED: SYN+ACK, old ACK"}},
	{"R seq+1; Syn_received", "nothing; Closed", fourth, []string{"SYN-RECEIVED: SYN+ACK, future ACK"}},
	{"R seq+0; Closed", "nothing; Closed", fourth, []string{"SYN-RECEIVED: SYN+ACK"}},
	{"RA seq 0 ack+1; Closed", "nothing; Closed", fourth, []string{"SYN-RECEIVED: SYN"}},
	{"RA seq 0 ack+2; Closed", "nothing; Closed", fourth, []string{"SYN-RECEIVED: SYN+FIN"}},
	{"RA seq 0 ack+5; Closed", "nothing; Closed", fourth, []string{"SYN-RECEIVED: SYN with data"}},
	{"RA seq 0 ack+101; Closed", "nothing; Closed", fourth, []string{"SYN-RECEIVED: SYN in the window"}},
}

const (
	oldACK   = "RFC 5961 §5.2: an ACK from SND.UNA-MAX.SND.WND on is acceptable; the kernel asks for one of a byte that was sent"
	staleRST = "RFC 9293 §3.10.7.4, first: an RST left of the window is dropped; the kernel believes one with the number of the FIN"
	outside  = "RFC 9293 §3.10.7.4, first: what lies left of RCV.NXT is not acceptable, and its ACK is not looked at; the kernel begins at the last ACK it sent"
	fourth   = "RFC 9293 §3.10.7.4, fourth: after a passive open, a SYN in the window returns to LISTEN"
)

func TestStates(t *testing.T) {
	accepted := map[string]departure{}
	for _, d := range departures {
		for _, at := range d.at {
			accepted[at] = d
		}
	}
	us, kernel := interrogate(t, ourEnd(t)), interrogate(t, kernelEnd(t))
	ours, theirs := verdicts(t, us), verdicts(t, kernel)
	if len(theirs) < 400 || len(ours) != len(theirs) {
		t.Fatalf("%d verdicts of ours, %d of the kernel's: want as many, and over 400", len(ours), len(theirs))
	}
	same := 0
	for at, kernel := range theirs {
		d := accepted[at]
		switch {
		case strings.Contains(kernel, "NOT REACHED"), strings.Contains(ours[at], "NOT REACHED"):
			t.Errorf("%s\n\tkernel:   %s\n\tslashnet: %s", at, kernel, ours[at])
		case ours[at] == kernel:
			same++
		case d.kernel != kernel || d.ours != ours[at]:
			t.Errorf("%s\n\tkernel:   %s\n\tslashnet: %s", at, kernel, ours[at])
		}
	}
	t.Logf("%d of %d the same", same, len(theirs))
}
