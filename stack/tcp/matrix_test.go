package tcp

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slashnet/wire"
)

// The matrix of RFC 9293 §3.10.7: each state by each kind of segment. A verdict
// is the next state, what is said now, and how many bytes the user gets. The
// engine's is compared with rfc, which is the text of the clause in the fewest
// words, and written to testdata/matrix.txt for people to read. The engine does
// not know IPv4 from IPv6, so one matrix does for both.

// A kind of segment. Its numbers are from where the two ends are: seq counts from
// the next byte that we expect, or from the right edge of our window, and ack is
// about what is outstanding.
type kind struct {
	name  string
	flags wire.TCPFlags
	seq   int
	edge  bool // seq counts from the right edge
	n     int  // payload
	ack   acks
}

type acks int

const (
	all     acks = iota // acknowledges all that we have sent
	old                 // nothing new
	ancient             // less than could still be under way
	future              // more than we have sent
)

var kinds = []kind{
	{name: "SYN", flags: wire.SYN},
	{name: "SYN, ACK", flags: wire.SYN | wire.ACK},
	{name: "ACK, ancient", flags: wire.ACK, ack: ancient},
	{name: "ACK, old", flags: wire.ACK, ack: old},
	{name: "ACK, in", flags: wire.ACK},
	{name: "ACK, future", flags: wire.ACK, ack: future},
	{name: "data, left of the window", flags: wire.ACK, seq: -10, n: 10},
	{name: "data, straddling the left edge", flags: wire.ACK, seq: -5, n: 10},
	{name: "data, next", flags: wire.ACK, n: 10},
	{name: "data, next, ACK future", flags: wire.ACK, n: 10, ack: future},
	{name: "data, behind a hole", flags: wire.ACK, seq: 10, n: 10},
	{name: "data, straddling the right edge", flags: wire.ACK, seq: -5, edge: true, n: 10},
	{name: "data, right of the window", flags: wire.ACK, edge: true, n: 10},
	{name: "FIN", flags: wire.FIN | wire.ACK},
	{name: "FIN, ours not acknowledged", flags: wire.FIN | wire.ACK, ack: old},
	{name: "FIN with data", flags: wire.FIN | wire.ACK, n: 10},
	{name: "FIN, behind a hole", flags: wire.FIN | wire.ACK, seq: 10},
	{name: "FIN, right of the window", flags: wire.FIN | wire.ACK, seq: 5, edge: true},
	{name: "FIN without ACK", flags: wire.FIN},
	{name: "RST, exact", flags: wire.RST},
	{name: "RST, ACK, exact", flags: wire.RST | wire.ACK},
	{name: "RST, in the window", flags: wire.RST, seq: 5},
	{name: "RST, left of the window", flags: wire.RST, seq: -1},
	{name: "RST, right of the window", flags: wire.RST, seq: 5, edge: true},
	{name: "URG, data", flags: wire.URG | wire.ACK, n: 10},
	{name: "no flags, data", n: 10},
	{name: "all flags", flags: wire.SYN | wire.FIN | wire.RST | wire.PSH | wire.ACK | wire.URG},
}

var states = []State{Closed, Listen, SynSent, SynReceived, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, TimeWaiting}

// A verdict; say is the flags of the reply, empty for silence.
type verdict struct {
	next  State
	say   string
	bytes int
}

func (v verdict) String() string {
	say := v.say
	if say == "" {
		say = "nothing"
	}
	return fmt.Sprintf("%v, says %s, %d bytes", v.next, say, v.bytes)
}

func TestMatrix(t *testing.T) {
	var b strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&b, "%s\n", k.name)
		for _, st := range states {
			got, want := k.try(t, st), k.rfc(st)
			if got != want {
				t.Errorf("%s in %v: %v, want %v", k.name, st, got, want)
			}
			fmt.Fprintf(&b, "\t%-12v %v\n", st, got)
		}
	}
	file := filepath.Join("testdata", "matrix.txt")
	if os.Getenv("SLASHNET_WRITE") != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(read) != b.String() {
		t.Errorf("%s is not what the engine does: write it with SLASHNET_WRITE=1, and read what has changed", file)
	}
}

// try gives the segment to an end in a state.
func (k *kind) try(t *testing.T, st State) verdict {
	t.Helper()
	h := wire.TCPHeader{Seq: scriptIRS + wire.Seq(k.seq), Flags: k.flags, Window: 65535, Urgent: 5}
	if k.edge {
		h.Seq += 65535
	}
	if k.flags&wire.ACK != 0 {
		h.Ack = scriptISS + 1
	}
	switch st {
	case Closed:
		rst, send := RefuseSegment(&h, k.n)
		return verdict{Closed, said(rst.Flags, send), 0}
	case Listen:
		accept, rst, send := ListenSegment(&h, k.n)
		if !accept {
			return verdict{Listen, said(rst.Flags, send), 0}
		}
		s := newScript(t, nil)
		s.c.Accept(s.now, s.setup(), &h)
		return s.verdict()
	}
	s := inState(t, st)
	if st != SynSent {
		h.Seq += s.c.rcvNxt - scriptIRS
	}
	if k.edge {
		h.Seq += s.c.adv - s.c.rcvNxt - 65535
	}
	if k.flags&wire.ACK != 0 {
		h.Ack = map[acks]wire.Seq{all: s.c.nxt, old: s.c.una, future: s.c.nxt + 10, ancient: s.c.una - 70000}[k.ack]
	}
	s.raw(&h, make([]byte, k.n))
	return s.verdict()
}

// said are the flags of a reply.
func said(flags wire.TCPFlags, send bool) string {
	if !send {
		return ""
	}
	return flags.String()
}

// verdict is what the engine has made of a segment.
func (s *script) verdict() verdict {
	v := verdict{next: s.c.State(), bytes: s.c.Unread()}
	var words []string
	for _, seg := range s.sent() {
		words = append(words, seg.H.Flags.String())
	}
	v.say = strings.Join(words, " ")
	return v
}

// rfc is RFC 9293 §3.10.7 with RFC 5961, and the places where we differ.
func (k *kind) rfc(st State) verdict {
	syn, rst, fin, ack := k.flags&wire.SYN != 0, k.flags&wire.RST != 0, k.flags&wire.FIN != 0, k.flags&wire.ACK != 0
	stays := verdict{next: st}
	switch st {
	case Closed: // §3.10.7.1
		switch {
		case rst:
			return stays
		case ack:
			return verdict{st, "RST", 0}
		}
		return verdict{st, "RST|ACK", 0}
	case Listen: // §3.10.7.2
		switch {
		case rst:
			return stays
		case ack:
			return verdict{st, "RST", 0}
		case syn:
			return verdict{SynReceived, "SYN|ACK", 0}
		}
		return stays
	case SynSent: // §3.10.7.3
		switch {
		case ack && k.ack != all && rst:
			return stays
		case ack && k.ack != all:
			return verdict{st, "RST", 0}
		case rst && ack:
			return verdict{next: Closed}
		case rst || !syn:
			return stays
		case ack:
			return verdict{Established, "ACK", 0}
		}
		return verdict{SynReceived, "SYN|ACK", 0}
	}
	return k.rfc4(st, syn, rst, fin, ack)
}

// rfc4 is §3.10.7.4.
func (k *kind) rfc4(st State, syn, rst, fin, ack bool) verdict {
	stays, answer := verdict{next: st}, verdict{st, "ACK", 0}
	if st == TimeWaiting {
		switch {
		case rst: // RFC 1337: not believed
			return stays
		case !ack && !syn, k.name == "ACK, in", k.name == "ACK, old", k.name == "ACK, ancient", k.name == "ACK, future":
			return stays
		}
		return answer
	}
	length := k.n
	if syn {
		length++
	}
	if fin {
		length++
	}
	// first; we differ: what is empty may be just at the right edge
	acceptable := length > 0 && k.seq+length > 0 || length == 0 && k.seq >= 0
	if k.edge {
		acceptable = k.seq < 0
	}
	switch {
	case !acceptable && rst:
		return stays
	case !acceptable:
		return answer
	case rst && k.seq == 0: // second
		return verdict{next: Closed}
	case rst:
		return answer // RFC 5961 §3
	case syn && st == SynReceived: // fourth: a passive end returns to LISTEN
		return verdict{next: Closed}
	case syn:
		return answer // RFC 5961 §4
	case !ack: // fifth
		return stays
	case st == SynReceived && k.ack != all:
		return verdict{st, "RST", 0}
	case k.ack == future, k.ack == ancient: // RFC 5961 §5
		return answer
	}
	v := stays
	switch {
	case st == SynReceived:
		v.next = Established
	case k.ack == old:
	case st == FinWait1:
		v.next = FinWait2
	case st == Closing:
		v.next = TimeWaiting
	case st == LastAck:
		return verdict{next: Closed}
	}
	if k.edge { // cut there, and answered: a probe wants to know the window
		v.say = "ACK"
	}
	if !v.next.receiving() { // seventh: "this should not occur"
		return v
	}
	switch {
	case k.edge:
	case k.seq > 0: // behind a hole
		v.say = "ACK"
		return v
	case k.n > 0:
		v.bytes = k.seq + k.n
	}
	if fin { // eighth
		v.say = "ACK"
		v.next = map[State]State{Established: CloseWait, FinWait1: Closing, FinWait2: TimeWaiting}[v.next]
	}
	return v
}
