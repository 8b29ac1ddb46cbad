package nic

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
)

func plugIn(t *testing.T, c *Cable, e CableEnd) (NIC, mailbox) {
	t.Helper()
	n, err := c.Plug(e, Options{Name: e.String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	in := newMailbox()
	n.Start(in)
	return n, in
}

func TestCable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCable("wire")
		defer c.Close()
		a, inA := plugIn(t, c, EndA)
		frame := &Frame{Head: plainFrame(stationMAC(1), stationMAC(2), 100, 1)}
		if err := a.Send(frame); err != nil { // to nobody
			t.Error(err)
		}
		b, inB := plugIn(t, c, EndB)
		if _, err := c.Plug(EndB, Options{}); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("a second plug at one end: %v", err)
		}
		segment := draft{gso: 1000, payload: make([]byte, 5000)}.frame(0, 777)
		a.Send(segment)
		b.Send(frame)
		synctest.Wait()
		if got := inB.all(); len(got) != 1 || !bytes.Equal(got[0].bytes, flatten(segment)) || got[0].Offload != segment.Offload {
			t.Errorf("b got %+v", got)
		}
		if got := inA.all(); len(got) != 1 || !bytes.Equal(got[0].bytes, frame.Head) {
			t.Errorf("a got %+v", got)
		}
		if s := c.Stats(EndA); s.Sent != 2 || s.Passed != 1 || s.Unplugged != 1 || s.PassedBytes != uint64(segment.Len()) {
			t.Errorf("from a: %+v", s)
		}
		// A bad cable cuts, and only in the one direction.
		if err := c.Impair(EndA, Impair{Delay: time.Second}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		a.Send(segment)
		b.Send(frame)
		synctest.Wait()
		if len(inA.all()) != 1 || len(inB.all()) != 0 {
			t.Error("the delay is in the wrong direction")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := inB.all(); len(got) != 5 || got[0].NeedsCsum || got[0].GSO != 0 || time.Since(begin) != time.Second {
			t.Errorf("after %v b has %d frames", time.Since(begin), len(got))
		}
		// What is on its way when the plug is pulled is gone; a new plug works.
		a.Send(frame)
		b.Close()
		time.Sleep(time.Second)
		synctest.Wait()
		_, inB = plugIn(t, c, EndB)
		a.Send(frame)
		time.Sleep(time.Second)
		synctest.Wait()
		if s := c.Stats(EndA); len(inB.all()) != 1 || s.Unplugged != 2 {
			t.Errorf("after it was plugged in again: %+v", s)
		}
		c.Close()
		a.Send(frame)
		if _, err := c.Plug(EndB, Options{}); err == nil {
			t.Error("a cable that is gone can be plugged into")
		}
	})
}

// Each frame that went in is passed, dropped for one reason, or doubled; the
// capture has each once, with the right remark.
func TestCableCaptureTellsWhatBecameOfEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCable("wire")
		defer c.Close()
		a, _ := plugIn(t, c, EndA)
		b, inB := plugIn(t, c, EndB)
		bad := Impair{Loss: 0.1, Duplicate: 0.1, Corrupt: 0.1, Reorder: 0.1, Delay: time.Millisecond, Rate: 10e6, Queue: 5, Seed: 1}
		if err := c.Impair(EndA, bad); err != nil || c.Impaired(EndA) != bad {
			t.Fatal(err, c.Impaired(EndA))
		}
		r, w := io.Pipe()
		capture, err := c.Capture(w)
		if err != nil {
			t.Fatal(err)
		}
		remarks := make(chan map[string]uint64)
		go func() { remarks <- tally(t, r) }()
		const n = 2000
		for i := range n {
			a.Send(&Frame{Head: plainFrame(stationMAC(1), stationMAC(2), 1000, uint64(i))})
			b.Send(&Frame{Head: plainFrame(stationMAC(2), stationMAC(1), 10, uint64(i))})
			if i%10 == 9 {
				time.Sleep(5 * time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		s := c.Stats(EndA)
		if s.Sent != n || s.Passed != uint64(len(inB.all())) || s.Sent+s.Duplicated != s.Passed+s.Lost+s.Full+s.Overrun {
			t.Errorf("%+v does not add up", s)
		}
		capture.Close()
		w.Close()
		got := <-remarks
		if got["out"] != n || got["in"] != n || got["lost"] != s.Lost || got["duplicated"] != s.Duplicated || got["corrupted"] == 0 ||
			got["reordered"] == 0 || got["no room in the queue"] == 0 || s.Lost < n/20 || s.Full == 0 {
			t.Errorf("the capture has %v, the counters %+v", got, s)
		}
	})
}

// tally counts directions and remarks of a pcapng stream.
func tally(t *testing.T, r io.Reader) map[string]uint64 {
	file, err := pcapgo.NewNgReader(r, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Error(err)
		return nil
	}
	all := map[string]uint64{}
	for {
		_, _, options, err := file.ReadPacketDataWithOptions()
		if err != nil {
			return all
		}
		way := "in"
		if options.Flags.Direction == pcapgo.NgEpbFlagDirectionOutbound {
			way = "out"
		}
		all[way]++
		for _, c := range options.Comments {
			for word := range strings.SplitSeq(c, ", ") {
				all[word]++
			}
		}
	}
}

// Plugging and impairing while frames flow, for the race detector; at the end
// nothing is delivered any more.
func TestCableUnderTraffic(t *testing.T) {
	c := NewCable("wire")
	a, err := c.Plug(EndA, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.Start(newMailbox())
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		f := draft{gso: 1000, payload: make([]byte, 3000)}.frame(0, 777)
		for {
			select {
			case <-stop:
				return
			default:
				a.Send(f)
			}
		}
	})
	for i := range 100 {
		b, err := c.Plug(EndB, Options{})
		if err != nil {
			t.Fatal(err)
		}
		b.Start(discard{})
		if err := c.Impair(EndA, Impair{Loss: float64(i%3) / 2, Delay: time.Duration(i%2) * time.Microsecond}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Microsecond)
		b.Close()
	}
	c.Close()
	close(stop)
	sender.Wait()
}

type discard struct{}

func (discard) Receive([]*Frame) {}

func TestImpairText(t *testing.T) {
	for _, text := range []string{
		"off", "delay 50ms", "loss 7% seed 42", "loss 0.07% seed 0", "rate 1gbit queue 1000", "rate 1500kbit queue 3",
		"delay 50ms jitter 5ms loss 1% dup 0.1% reorder 1% corrupt 0.01% rate 10mbit queue 100 seed 42",
	} {
		p, err := ParseImpair(strings.Fields(text))
		if p.Rate > 0 && p.Queue == 0 {
			p.Queue = queueDefault
		}
		if err != nil || p.String() != text {
			t.Errorf("%q became %q, %v", text, p, err)
		}
	}
	drawn, err := ParseImpair([]string{"loss", "1%"})
	if again, _ := ParseImpair(strings.Fields(drawn.String())); err != nil || again != drawn || !strings.Contains(drawn.String(), " seed ") {
		t.Errorf("%q is %+v, not %+v: what was drawn must be told", drawn, again, drawn)
	}
	for _, bad := range []string{
		"", "off loss 1%", "loss", "loss 1", "loss x%", "loss nan%", "loss 101%", "loss -1%", "loss 1% loss 2%", "speed 3", "delay", "delay 5",
		"delay 2h", "jitter 5ms", "reorder 1%", "rate 5", "rate 1bit", "rate 0.5bit", "rate nanbit", "rate infgbit", "rate 9999999gbit", "rate -1mbit", "queue 5", "seed x", "seed -1", "rate 1mbit queue 1e9",
	} {
		if p, err := ParseImpair(strings.Fields(bad)); err == nil || p != (Impair{}) {
			t.Errorf("%q was taken as %v", bad, p)
		}
	}
}

func FuzzParseImpair(f *testing.F) {
	f.Add("delay 50ms jitter 5ms loss 1% dup 0.1% reorder 1% corrupt 0.01% rate 10mbit queue 100 seed 42")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseImpair(strings.Fields(text))
		if err != nil {
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if again, err := ParseImpair(strings.Fields(p.String())); err != nil && p.String() != "off" {
			t.Fatalf("%q became %q, then %v, %v", text, p, again, err)
		}
	})
}
