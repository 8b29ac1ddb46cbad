package sim

import (
	"testing"
	"time"

	"slashnet/nic"
	"slashnet/stack"
)

// A sink is a station that notes what arrives, by its last byte, and when.
type sink struct {
	w    *World
	port *port
	got  []byte
	at   []time.Duration
}

func (s *sink) plug(p *port) error {
	s.port = p
	p.Start(s)
	return nil
}

func (s *sink) Receive(batch []*nic.Frame) {
	for _, f := range batch {
		if n := len(f.Head); n > 0 {
			s.got, s.at = append(s.got, f.Head[n-1]), append(s.at, s.w.Now())
		}
	}
}

// TestLink: a hundred numbered frames of 125 bytes, a thousand bits, through each
// kind of bad cable.
func TestLink(t *testing.T) {
	ordered := func(got []byte) bool {
		for i, b := range got {
			if int(b) != i {
				return false
			}
		}
		return true
	}
	for name, test := range map[string]struct {
		Impair
		fine func(s *sink) bool
	}{
		"nothing wrong": {Impair{}, func(s *sink) bool { return len(s.got) == 100 && ordered(s.got) && s.at[99] == 0 }},
		"delay":         {Impair{Delay: time.Second}, func(s *sink) bool { return ordered(s.got) && s.at[0] == time.Second }},
		"jitter":        {Impair{Delay: time.Second, Jitter: time.Second}, func(s *sink) bool { return ordered(s.got) && s.at[0] < s.at[99] }},
		"loss":          {Impair{Loss: 0.5}, func(s *sink) bool { return len(s.got) > 20 && len(s.got) < 80 }},
		"all lost":      {Impair{Loss: 1}, func(s *sink) bool { return len(s.got) == 0 }},
		"twice":         {Impair{Dup: 1}, func(s *sink) bool { return len(s.got) == 200 && s.got[0] == s.got[1] }},
		"order":         {Impair{Reorder: 0.5, Delay: time.Second}, func(s *sink) bool { return len(s.got) == 100 && !ordered(s.got) && s.at[0] == 0 }},
		"rate":          {Impair{Rate: 1000}, func(s *sink) bool { return ordered(s.got) && s.at[0] == time.Second && s.at[99] == 100*time.Second }},
		"queue":         {Impair{Rate: 1000, Queue: 10}, func(s *sink) bool { return len(s.got) == 10 && ordered(s.got) }},
	} {
		w := New(1)
		from, to := &sink{w: w}, &sink{w: w}
		w.Link(from, to, Cable{Impair: test.Impair})
		for n := range 100 {
			b := make([]byte, 125)
			b[124] = byte(n)
			from.port.Send(&nic.Frame{Head: b})
		}
		if err := w.Quiet(time.Hour); err != nil || !test.fine(to) {
			t.Errorf("%s: %d frames arrived: %v at %v; %v", name, len(to.got), to.got, to.at, err)
		}
	}
}

// TestDamageIsFound: a datagram with a bit turned round goes no further than the
// host that it comes to.
func TestDamageIsFound(t *testing.T) {
	w := New(1)
	defer w.Close()
	a, b, link := pair(w, Cable{})
	call, callee := connection(t, w, a, b, "10.0.0.2:5000")
	link.Impair(Impair{Corrupt: 1, Delay: time.Millisecond})
	before := b.TCPStat("InSegs")
	data := make([]byte, 10_000)
	fill(data, flow{call.Info().Local, call.Info().Remote}.name(), 0)
	submit(a, &stack.Op{Kind: stack.OpWrite, Conv: call, Data: data})
	must(t, w.Run(time.Minute))
	stats := b.Iface(0).StatsText()
	dropped := number(stats, "dropped bad tcp checksum: ") + number(stats, "dropped bad ip header: ") + number(stats, "dropped runts: ")
	if after := b.TCPStat("InSegs"); after != before || dropped < 5 {
		t.Errorf("of damaged frames %d were dropped, %d segments got through", dropped, after-before)
	}
	if callee.Info().Unread != 0 {
		t.Error("damaged data can be read")
	}
}
