package nic

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// captured reads a pcapng file.
func captured(t *testing.T, r io.Reader) (frames [][]byte, times []time.Time) {
	t.Helper()
	file, err := pcapgo.NewNgReader(r, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	if file.LinkType() != layers.LinkTypeEthernet {
		t.Errorf("link type %v", file.LinkType())
	}
	if i, err := file.Interface(0); err != nil || i.Name != "fake" {
		t.Errorf("interface %+v, %v", i, err)
	}
	for {
		b, info, err := file.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return frames, times
		}
		if err != nil {
			t.Fatal(err)
		}
		frames, times = append(frames, bytes.Clone(b)), append(times, info.Timestamp)
	}
}

func newTee(t *testing.T) (*Tee, *fakeNIC, mailbox) {
	t.Helper()
	inner := newFake(t, Options{})
	tee := NewTee(inner, NewCaptures("fake"))
	in := newMailbox()
	tee.Start(in)
	t.Cleanup(func() { tee.Close(); tee.End() })
	return tee, inner, in
}

func TestTee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tee, inner, in := newTee(t)
		up := plainFrame(stationMAC(1), stationMAC(2), 100, 1)
		down := draft{gso: 1448, payload: make([]byte, 60000)}.frame(0, 4096)
		pass := func() {
			t.Helper()
			inner.up.Receive([]*Frame{{Head: up}, {Head: up[:64]}})
			if err := tee.Send(down); err != nil {
				t.Fatal(err)
			}
		}
		pass() // nobody looks
		var file bytes.Buffer
		c, err := tee.Capture(&file)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if file.Len() == 0 {
			t.Error("the description of the interface is not there at once")
		}
		pass()
		synctest.Wait()
		live := file.Len() // all of it, without waiting for more
		time.Sleep(time.Second)
		pass()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		size := file.Len()
		pass() // nobody looks any more
		if file.Len() != size || live < 60000 || size < 2*60000 {
			t.Errorf("%d bytes while live, %d in all, %d after Close", live, size, file.Len())
		}
		frames, times := captured(t, &file)
		want := [][]byte{up, up[:64], flatten(down), up, up[:64], flatten(down)}
		if len(frames) != len(want) {
			t.Fatalf("%d frames in the file, want %d", len(frames), len(want))
		}
		for i := range want {
			if !bytes.Equal(frames[i], want[i]) {
				t.Errorf("frame %d is another", i)
			}
		}
		if d := times[3].Sub(times[2]); d != time.Second {
			t.Errorf("a second later is %v later in the file", d)
		}
		if written, dropped := c.Frames(); written != 6 || dropped != 0 {
			t.Errorf("%d written, %d dropped", written, dropped)
		}
		if s := tee.Stats(); s != inner.Stats() {
			t.Errorf("counters %+v", s)
		}
		asked := false
		tee.Drained(func() { asked = true })
		if !asked {
			t.Error("a NIC that keeps nothing is not drained")
		}
		if n, m := len(inner.take()), len(in.all()); n != 4 || m != 8 {
			t.Errorf("%d frames went out, %d came in", n, m)
		}
	})
}

// A writer that hangs loses its own copy; traffic and other captures go on.
func TestTeeSlowWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tee, inner, _ := newTee(t)
		r, w := io.Pipe()
		slow, err := tee.Capture(w)
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		quick, err := tee.Capture(&file)
		if err != nil {
			t.Fatal(err)
		}
		const n = 10_000
		frame := &Frame{Head: plainFrame(stationMAC(1), stationMAC(2), 1000, 1)}
		for range n {
			if err := tee.Send(frame); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if got := len(inner.take()); got != n {
			t.Errorf("%d frames went out of %d", got, n)
		}
		if err := quick.Close(); err != nil {
			t.Error(err)
		}
		if written, dropped := quick.Frames(); written != n || dropped != 0 {
			t.Errorf("the quick writer: %d written, %d dropped", written, dropped)
		}
		if n := tee.Missed(); n != 10_000-captureBytes/smallBlock {
			t.Errorf("%d are counted as missed", n)
		}
		if _, dropped := slow.Frames(); dropped != n-captureBytes/smallBlock {
			t.Errorf("the slow writer lost %d, want all but %d", dropped, captureBytes/smallBlock)
		}
		r.Close() // what interrupts a writer that hangs
		if err := slow.Close(); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the slow writer ended with %v", err)
		}
		if written, dropped := slow.Frames(); written+dropped != n {
			t.Errorf("%d written and %d dropped are not %d", written, dropped, n)
		}
		if held := captureHeld.Load(); held != 0 {
			t.Errorf("%d bytes are held for nobody", held)
		}
	})
}

// Whoever opens many captures and reads none leaves room for others'.
func TestCapturesShareMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ends []io.Closer
		var all []*Capture
		frame := &Frame{Head: make([]byte, 1500)}
		fill := func(of *Captures, n int) {
			for range n {
				r, w := io.Pipe()
				c, err := of.Capture(w)
				if err != nil {
					t.Fatal(err)
				}
				ends, all = append(ends, r), append(all, c)
			}
			for range captureBytes / 1500 {
				of.show(frame, In, "")
			}
		}
		for range 10 {
			fill(NewCaptures("greedy"), capturesMax)
		}
		others := NewCaptures("other")
		fill(others, 1)
		if other := all[len(all)-1]; other.held < 64<<10 {
			t.Errorf("another capture has %d bytes, beside %d of the process", other.held, captureHeld.Load())
		}
		for i, c := range all {
			ends[i].Close()
			c.Close()
		}
		if held := captureHeld.Load(); held != 0 {
			t.Errorf("%d bytes are held for nobody", held)
		}
	})
}

func TestTeeBrokenWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tee, _, _ := newTee(t)
		r, w := io.Pipe()
		r.Close()
		c, err := tee.Capture(w)
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done() // by itself
		if tee.watched() {
			t.Error("the capture is still there")
		}
		if err := c.Close(); !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
}

func TestTeeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tee, _, _ := newTee(t)
		var file bytes.Buffer
		c, err := tee.Capture(&file)
		if err != nil {
			t.Fatal(err)
		}
		for range capturesMax - 1 {
			if _, err := tee.Capture(io.Discard); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tee.Capture(io.Discard); err == nil {
			t.Error("one capture too many")
		}
		tee.Send(&Frame{Head: plainFrame(stationMAC(1), stationMAC(2), 100, 1)})
		tee.End()
		<-c.Done()
		if frames, _ := captured(t, &file); len(frames) != 1 {
			t.Errorf("%d frames in the file", len(frames))
		}
		if _, err := tee.Capture(io.Discard); err == nil {
			t.Error("a capture of what has ended")
		}
	})
}

func TestTeeAllocs(t *testing.T) {
	inner, _, err := NewPipe(Options{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	tee := NewTee(inner, NewCaptures("fake"))
	defer tee.Close()
	f := &Frame{Head: make([]byte, 64), Body: [][]byte{make([]byte, 1000)}}
	if n := testing.AllocsPerRun(100, func() { tee.Send(f) }); n != 0 {
		t.Errorf("%v allocations a frame when nobody looks", n)
	}
}
