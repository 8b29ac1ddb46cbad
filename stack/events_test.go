package stack

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// await reads the next lines of events.
func await(t testing.TB, r *Events) string {
	t.Helper()
	op := do(t, r.stack, &Op{Kind: OpStream, Stream: r, Max: 1 << 16})
	must(t, op.Err)
	return string(bytesOf(op))
}

// all reads the lines that are there.
func all(t testing.TB, r *Events) (text string) {
	t.Helper()
	for {
		op := do(t, r.stack, &Op{Kind: OpStream, Stream: r, Max: 1 << 10, NonBlock: true})
		if op.Err != nil {
			if !errors.Is(op.Err, syscall.EAGAIN) {
				t.Fatal(op.Err)
			}
			return text
		}
		more := string(bytesOf(op))
		if more == "" {
			return text // the end
		}
		text += more
	}
}

// timeless is lines without their times.
func timeless(t testing.TB, text string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(text) {
		at, rest, _ := strings.Cut(line, " ")
		if _, err := time.Parse(eventTime, at); err != nil {
			t.Error(err)
		}
		b.WriteString(rest)
	}
	return b.String()
}

func TestEventsOfALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		ours, theirs := a.Events(nil), b.Events(nil)
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		c := clone(t, a, wire.TCP)
		if err := ctl(t, c, "connect 10.0.0.2:81 1001"); err == nil {
			t.Error("somebody is at 81")
		}
		command(t, c, "connect 10.0.0.2:80 1000")
		peer := listen(t, l)
		command(t, c, "close")
		synctest.Wait()
		command(t, peer, "close")
		c.Drop()
		time.Sleep(2 * time.Minute)
		u := clone(t, a, wire.UDP)
		command(t, u, "connect 10.0.0.2:9 1002")
		write(t, u, []byte("anybody?"))
		synctest.Wait()
		i := clone(t, a, wire.ICMP)
		i.Drop()
		synctest.Wait()
		own := peer.stack.Events(peer)
		for _, end := range []struct {
			who  string
			r    *Events
			want string
		}{
			{"the caller", ours, `
tcp/0 - Closed ::!0 ::!0 made
tcp/0 Closed Syn_sent 10.0.0.1!1001 10.0.0.2!81 connect
tcp/0 Syn_sent Closed 10.0.0.1!1001 10.0.0.2!81 connection refused
tcp/0 Closed Syn_sent 10.0.0.1!1000 10.0.0.2!80 connect
tcp/0 Syn_sent Established 10.0.0.1!1000 10.0.0.2!80 the peer has answered
tcp/0 Established Finwait1 10.0.0.1!1000 10.0.0.2!80 closed here
tcp/0 Finwait1 Finwait2 10.0.0.1!1000 10.0.0.2!80 the peer has seen our end
tcp/0 Finwait2 Time_wait 10.0.0.1!1000 10.0.0.2!80 both ends have closed
tcp/0 Time_wait - 10.0.0.1!1000 10.0.0.2!80 the time is over
udp/0 - Closed ::!0 ::!0 made
udp/0 Closed Open 10.0.0.1!1002 10.0.0.2!9 connect
udp/0 Open Closed 10.0.0.1!1002 10.0.0.2!9 port unreachable: says 10.0.0.2
icmp/0 - Datagram ::!0 ::!0 made
icmp/0 Datagram - ::!0 ::!0 nothing is left to do
`},
			{"the called", theirs, `
tcp/0 - Closed ::!0 ::!0 made
tcp/0 Closed Listen ::!80 ::!0 announce
tcp/1 - Syn_received 10.0.0.2!80 10.0.0.1!1000 a call
tcp/1 Syn_received Established 10.0.0.2!80 10.0.0.1!1000 the peer has confirmed our answer
tcp/1 Established Close_wait 10.0.0.2!80 10.0.0.1!1000 the peer has closed
tcp/1 Close_wait Last_ack 10.0.0.2!80 10.0.0.1!1000 closed here
tcp/1 Last_ack Closed 10.0.0.2!80 10.0.0.1!1000 both ends have closed
`},
			{"history", own, `
tcp/1 - Syn_received 10.0.0.2!80 10.0.0.1!1000 a call
tcp/1 Syn_received Established 10.0.0.2!80 10.0.0.1!1000 the peer has confirmed our answer
tcp/1 Established Close_wait 10.0.0.2!80 10.0.0.1!1000 the peer has closed
tcp/1 Close_wait Last_ack 10.0.0.2!80 10.0.0.1!1000 closed here
tcp/1 Last_ack Closed 10.0.0.2!80 10.0.0.1!1000 both ends have closed
`},
		} {
			if got := "\n" + timeless(t, all(t, end.r)); got != end.want {
				t.Errorf("%s: %s\nwant %s", end.who, got, end.want)
			}
		}
		// A conversation's stream ends with it.
		r := start(b, &Op{Kind: OpStream, Stream: own, Max: 1 << 10})
		peer.Drop()
		if got := timeless(t, string(bytesOf(wait(t, r)))); got != "tcp/1 Closed - 10.0.0.2!80 10.0.0.1!1000 nothing is left to do\n" {
			t.Errorf("at the end %q", got)
		}
		if got := await(t, own); got != "" || own.Ready() != ReadyIn|ReadyHup {
			t.Errorf("after the end %q, ready %v", got, own.Ready())
		}
	})
}

// What the events say adds up to what all.json says, at any time.
func TestEventsAgreeWithRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		r := b.Events(nil)
		states := map[string]string{}
		agree := func() {
			t.Helper()
			synctest.Wait()
			for line := range strings.Lines(timeless(t, all(t, r))) {
				f := strings.Fields(line)
				if was, ok := states[f[0]]; ok != (f[1] != "-") || ok && was != f[1] {
					t.Errorf("it is %q and %s", was, line)
				}
				if states[f[0]] = f[2]; f[2] == "-" {
					delete(states, f[0])
				}
			}
			count, rows := map[string]int{}, 0
			for _, pr := range b.protos {
				for _, row := range objects(t, b.AllJSON(pr.num, 1<<30)) {
					rows++
					count[pr.name+row["state"].(string)]++
					if name := fmt.Sprintf("%s/%v", pr.name, row["number"]); states[name] != row["state"] {
						t.Errorf("%s is %q by events, %v in all.json", name, states[name], row["state"])
					}
				}
				for state, n := range pr.states {
					if count[pr.name+state] != n {
						t.Errorf("%s: %d are counted in %s, %d are there", pr.name, n, state, count[pr.name+state])
					}
				}
			}
			if rows != len(states) {
				t.Errorf("%d by events, %d in all.json", len(states), rows)
			}
		}
		l, err := b.Clone(wire.TCP, User{}, true)
		must(t, err)
		command(t, l, "announce 80\nbacklog 8")
		b.Mkdir(wire.TCP, "web", User{})
		udp := clone(t, b, wire.UDP)
		command(t, udp, "announce 53")
		var calls []*Conv
		for n := range 200 {
			switch n % 10 {
			case 1, 2, 3, 4:
				start(a, &Op{Kind: OpDial, Proto: wire.TCP, Addr: "10.0.0.2:80"})
			case 5:
				synctest.Wait()
				if l.ReadyListen()&ReadyIn != 0 {
					calls = append(calls, listen(t, l))
				}
			case 6:
				if len(calls) > 2 {
					calls[0].Drop()
					command(t, calls[1], "hangup")
					calls[1].Drop()
					calls = calls[2:]
				}
			case 7:
				c := clone(t, b, wire.TCP)
				ctl(t, c, "connect 10.0.0.1:1")
				c.Drop()
			case 8:
				c := clone(t, a, wire.UDP)
				command(t, c, "connect 10.0.0.2:53")
				write(t, c, []byte("query"))
			case 9:
				time.Sleep(time.Duration(n) * time.Second)
			}
			agree()
		}
		must(t, b.Rmdir(wire.TCP, "web", User{}))
		must(t, b.WriteCtl("reset"))
		agree()
	})
}

// A reader who is slow loses the oldest and is told how many.
func TestEventsLost(t *testing.T) {
	s := newHost(t, Config{})
	c := clone(t, s, wire.TCP)
	command(t, c, "announce 80")
	all_, own := s.Events(nil), s.Events(c)
	for range maxEvents {
		clone(t, s, wire.UDP).Drop()
	}
	command(t, c, "close")
	text := timeless(t, all(t, all_))
	first, rest, _ := strings.Cut(text, "\n")
	if first != fmt.Sprintf("lost %d: they were not read in time", maxEvents+1) {
		t.Errorf("first %q", first)
	}
	if n := strings.Count(rest, "\n"); n != maxEvents || !strings.HasPrefix(rest[strings.LastIndex(rest[:len(rest)-1], "\n")+1:], "tcp/0 Listen Closed") {
		t.Errorf("%d lines", n)
	}
	want := "lost 2: they were not read in time\ntcp/0 Listen Closed ::!80 ::!0 closed here\n"
	if got := timeless(t, all(t, own)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	command(t, clone(t, s, wire.TCP), "announce 80")
	for range maxEvents {
		clone(t, s, wire.UDP).Drop()
	}
	c.Drop()
	for range maxEvents {
		clone(t, s, wire.UDP).Drop()
	}
	if got := timeless(t, all(t, own)); got != "lost 1: they were not read in time\n" {
		t.Errorf("the end: %q", got)
	}
	if n := len(s.events.ring); n != maxEvents {
		t.Errorf("%d are kept", n)
	}
}

// Readers wait like any other: one in a thousand is cancelled, all are told, a
// watcher too, and closing answers them.
func TestEventsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		c := clone(t, s, wire.TCP)
		all_ := s.Events(nil)
		notes := 0
		w := &Watch{Notify: func() { notes++ }}
		all_.Watch(w)
		if all_.Ready() != 0 {
			t.Error("ready before anything happened")
		}
		var waiting []running
		for range 1000 {
			waiting = append(waiting, start(s, &Op{Kind: OpStream, Stream: s.Events(nil), Max: 1 << 10}))
		}
		own := s.Events(c)
		await(t, own)
		mine := start(s, &Op{Kind: OpStream, Stream: own, Max: 1 << 10})
		s.Cancel(waiting[0].op, syscall.EINTR)
		if op := wait(t, waiting[0]); op.Err != syscall.EINTR {
			t.Errorf("cancelled: %v", op.Err)
		}
		command(t, c, "announce 80")
		for _, r := range append(waiting[1:], mine) {
			if got := timeless(t, string(bytesOf(wait(t, r)))); got != "tcp/0 Closed Listen ::!80 ::!0 announce\n" {
				t.Fatalf("%q", got)
			}
		}
		if notes != 1 || all_.Ready() != ReadyIn {
			t.Errorf("%d notices, ready %v", notes, all_.Ready())
		}
		all_.Unwatch(w)
		if n := counter(t, s.StackStatsText(), "operations"); n != "0" {
			t.Errorf("%s operations wait", n)
		}
		last := start(s, &Op{Kind: OpStream, Stream: s.Events(nil), Max: 1 << 10})
		go shut(s)
		if op := wait(t, last); !errors.Is(op.Err, syscall.ESHUTDOWN) || notes != 1 {
			t.Errorf("closing: %v, %d notices", op.Err, notes)
		}
	})
}
