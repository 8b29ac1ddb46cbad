package main

// What becomes of a segment in each state of a stranger's TCP, as far as it can be
// brought there from outside: states × segments of RFC 9293 §3.10.7. The test runs
// it against the kernel and against us and compares.

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The ports of the services at the other end, see poses; and those of the station
// that the other end calls, one for each case in SYN-SENT.
const (
	portClosed = 1
	portHold   = 7010
	portHalf   = 7011
	portLast   = 7012
	portCalled = 30_000
)

const (
	silence  = 300 * time.Millisecond // after which no more of an answer comes: beyond a delayed ACK
	setup    = 5 * time.Second        // for what must come
	atOnce   = 64                     // cases
	beyond   = 1 << 20                // outside of any window without scale
	tooOld   = 70_000                 // before any window that was advertised
	basePort = 20_000                 // of the cases
)

// A dialogue is one case: our end of a connection that is brought into a state.
// Sequence numbers are those that the other end has: nxt is its RCV.NXT, theirs its
// SND.NXT.
type dialogue struct {
	s           *station
	in          chan segment
	port, to    uint16
	nxt, theirs uint32
	fins        map[uint32]bool // seen: what is repeated later is no answer
}

func (d *dialogue) say(flags byte, seq, ack uint32, data string) {
	d.s.send(segment{from: d.port, to: d.to, flags: flags, seq: seq, ack: ack, data: []byte(data)})
}

// hear waits for a segment with some flags.
func (d *dialogue) hear(flags byte) error {
	for end := time.After(setup); ; {
		select {
		case g := <-d.in:
			if g.flags&fin != 0 {
				d.fins[g.seq] = true
			}
			if g.flags&flags == flags {
				d.to = g.from
				d.theirs = g.seq + uint32(len(g.data))
				if g.flags&(syn|fin) != 0 {
					d.theirs++
				}
				return nil
			}
		case <-end:
			return fmt.Errorf("no segment with flags %s", letters(flags))
		}
	}
}

// call opens a connection to a port, to the end or only to SYN-RECEIVED.
func (d *dialogue) call(port uint16, whole bool) error {
	d.to = port
	d.say(syn, d.nxt, 0, "")
	d.nxt++
	if err := d.hear(syn | ack); err != nil || !whole {
		return err
	}
	d.say(ack, d.nxt, d.theirs, "")
	return nil
}

// end sends a FIN that acknowledges up to a number.
func (d *dialogue) end(upTo uint32) {
	d.say(fin|ack, d.nxt, upTo, "")
	d.nxt++
}

// half opens a connection whose other end shuts its half down.
func (d *dialogue) half() error {
	if err := d.call(portHalf, true); err != nil {
		return err
	}
	d.say(ack|psh, d.nxt, d.theirs, "x\n")
	d.nxt += 2
	return d.hear(fin)
}

// A posture is a state of the other end, and how it is brought there.
type posture struct {
	name string
	take func(d *dialogue) error
}

var postures = []posture{
	{"CLOSED", func(d *dialogue) error { d.to = portClosed; return nil }},
	{"LISTEN", func(d *dialogue) error { d.to = portHold; return nil }},
	{"SYN-SENT", func(d *dialogue) error { return d.hear(syn) }},
	{"SYN-RECEIVED", func(d *dialogue) error { return d.call(portHold, false) }},
	{"ESTABLISHED", func(d *dialogue) error { return d.call(portHold, true) }},
	{"FIN-WAIT-1", (*dialogue).half},
	{"FIN-WAIT-2", func(d *dialogue) error {
		err := d.half()
		d.say(ack, d.nxt, d.theirs, "")
		return err
	}},
	{"CLOSING", func(d *dialogue) error {
		err := d.half()
		d.end(d.theirs - 1)
		return err
	}},
	{"TIME-WAIT", func(d *dialogue) error {
		err := d.half()
		d.end(d.theirs)
		return err
	}},
	{"CLOSE-WAIT", func(d *dialogue) error {
		err := d.call(portHold, true)
		d.end(d.theirs)
		return err
	}},
	{"LAST-ACK", func(d *dialogue) error {
		if err := d.call(portLast, true); err != nil {
			return err
		}
		d.end(d.theirs)
		return d.hear(fin)
	}},
}

// A stimulus is a segment, its numbers relative to what the other end expects.
type stimulus struct {
	name     string
	flags    byte
	seq, ack int
	data     string
}

var stimuli = []stimulus{
	{"SYN", syn, 0, 0, ""},
	{"SYN in the window", syn, 100, 0, ""},
	{"SYN left of the window", syn, -100, 0, ""},
	{"SYN again", syn, -1, 0, ""},
	{"SYN with data", syn, 0, 0, "data"},
	{"SYN+ACK", syn | ack, 0, 0, ""},
	{"SYN+ACK, old ACK", syn | ack, 0, -1, ""},
	{"SYN+ACK, future ACK", syn | ack, 0, 1, ""},
	{"SYN+FIN", syn | fin, 0, 0, ""},
	{"SYN+RST", syn | rst, 0, 0, ""},
	{"ACK", ack, 0, 0, ""},
	{"ACK, old", ack, 0, -1, ""},
	{"ACK, before any window", ack, 0, -tooOld, ""},
	{"ACK, future", ack, 0, 1, ""},
	{"ACK, left of the window", ack, -1, 0, ""},
	{"ACK, right of the window", ack, beyond, 0, ""},
	{"data", ack | psh, 0, 0, "data"},
	{"data, future ACK", ack | psh, 0, 1, "data"},
	{"data, ACK before any window", ack | psh, 0, -tooOld, "data"},
	{"data after a hole", ack, 10, 0, "data"},
	{"data left of the window", ack, -4, 0, "data"},
	{"data across the left edge", ack, -2, 0, "data"},
	{"data right of the window", ack, beyond, 0, "data"},
	{"data without ACK", psh, 0, 0, "data"},
	{"urgent data", ack | urg, 0, 0, "data"},
	{"FIN", fin | ack, 0, 0, ""},
	{"FIN with data", fin | ack, 0, 0, "data"},
	{"FIN after a hole", fin | ack, 10, 0, ""},
	{"FIN, old ACK", fin | ack, 0, -1, ""},
	{"FIN, future ACK", fin | ack, 0, 1, ""},
	{"FIN again", fin | ack, -1, 0, ""},
	{"FIN without ACK", fin, 0, 0, ""},
	{"RST", rst, 0, 0, ""},
	{"RST+ACK", rst | ack, 0, 0, ""},
	{"RST+ACK, old ACK", rst | ack, 0, -1, ""},
	{"RST in the window", rst, 100, 0, ""},
	{"RST left of the window", rst, -1, 0, ""},
	{"RST right of the window", rst, beyond, 0, ""},
	{"RST with data", rst, 0, 0, "data"},
	{"no flags", 0, 0, 0, ""},
	{"no flags, data", 0, 0, 0, "data"},
	{"all flags", fin | syn | rst | psh | ack | urg, 0, 0, "data"},
}

// states DEVICE ADDR PEER WHERE prints a line for each state and segment: what the
// other end answers, and its state then, which WHERE tells: a tcp directory of a tree,
// or a kernel's /proc/…/net/tcp.
func states(args []string) error {
	s, err := newStation(args[0], netip.MustParseAddr(args[1]), netip.MustParseAddr(args[2]))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	free := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	var mu sync.Mutex
	var report []string
	port := uint16(basePort)
	for i, p := range postures {
		for j, m := range stimuli {
			free <- struct{}{}
			d := &dialogue{s: s, port: port, nxt: rand.Uint32(), fins: map[uint32]bool{}}
			port++
			if p.name == "SYN-SENT" {
				d.port = portCalled + uint16(j)
			}
			all.Go(func() {
				defer func() { <-free }()
				verdict := d.try(p, m, args[3])
				mu.Lock()
				report = append(report, fmt.Sprintf("%02d %02d\t%s\t%s\t%s", i, j, p.name, m.name, verdict))
				mu.Unlock()
			})
		}
	}
	all.Wait()
	slices.Sort(report)
	for _, line := range report {
		_, line, _ = strings.Cut(line, "\t")
		fmt.Println(line)
	}
	return nil
}

// try is one case.
func (d *dialogue) try(p posture, m stimulus, where string) string {
	d.in = d.s.open(d.port)
	if err := p.take(d); err != nil {
		return "NOT REACHED: " + err.Error()
	}
	d.collect() // what still belongs to the way there
	seq, ackn := d.nxt+uint32(m.seq), d.theirs+uint32(m.ack)
	if m.flags&ack == 0 {
		ackn = 0
	}
	d.say(m.flags, seq, ackn, m.data)
	answers := d.collect()
	if len(answers) == 0 {
		answers = []string{"nothing"}
	}
	return strings.Join(answers, ", ") + "; " + stateOf(where, d.s.addr, d.port)
}

// collect is what comes until nothing more does: flags, sequence and
// acknowledgement numbers relative to those that were expected.
func (d *dialogue) collect() (answers []string) {
	for end := time.After(silence); ; {
		select {
		case g := <-d.in:
			if g.flags&fin != 0 && d.fins[g.seq] || g.flags&(syn|ack) == syn {
				continue // sent before, and repeated by the clock
			}
			text := letters(g.flags)
			if g.flags&rst != 0 && g.seq == 0 {
				text += " seq 0"
			} else if g.flags&syn == 0 {
				text += fmt.Sprintf(" seq%+d", int32(g.seq-d.theirs))
			}
			if g.flags&ack != 0 {
				text += fmt.Sprintf(" ack%+d", int32(g.ack-d.nxt))
			}
			answers = append(answers, text)
		case <-end:
			return answers
		}
	}
}

// letters are flags as tcpdump spells them, but for the push: where one is set is a
// matter of taste.
func letters(flags byte) string {
	text := ""
	for i, letter := range "FSRPAU" {
		if flags&(1<<i) != 0 && letter != 'P' {
			text += string(letter)
		}
	}
	return text
}

var kernelStates = map[string]string{
	"01": "Established", "02": "Syn_sent", "03": "Syn_received", "04": "Finwait1", "05": "Finwait2",
	"06": "Time_wait", "07": "Closed", "08": "Close_wait", "09": "Last_ack", "0A": "Listen", "0B": "Closing",
}

// stateOf is the state of the connection with an address, Closed if there is none.
func stateOf(where string, addr netip.Addr, port uint16) string {
	if strings.HasPrefix(where, "/proc/") {
		table, err := os.Open(where)
		if err != nil {
			return err.Error()
		}
		defer table.Close()
		a := addr.As4()
		remote := fmt.Sprintf("%02X%02X%02X%02X:%04X", a[3], a[2], a[1], a[0], port)
		for in := bufio.NewScanner(table); in.Scan(); {
			if f := strings.Fields(in.Text()); len(f) > 3 && f[2] == remote {
				return kernelStates[f[3]]
			}
		}
		return "Closed"
	}
	found, _ := filepath.Glob(filepath.Join(where, "by-remote", fmt.Sprintf("%v:%d", addr, port), "*", "status"))
	if len(found) == 0 {
		return "Closed"
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return "Closed" // since it was looked up
	}
	state, _, _ := strings.Cut(string(text), " ")
	return state
}
