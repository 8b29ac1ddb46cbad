package stack

// limit.rate in virtual time: what it lets pass, and that nothing but datagrams is
// lost by it.

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// sends carries n bytes over one connection and reports how long that took.
func sends(t *testing.T, from, to *Stack, addr string, n int) time.Duration {
	t.Helper()
	l, err := to.Listen("tcp", ":7")
	must(t, err)
	defer l.Close()
	began := time.Now()
	go func() {
		c, err := from.Dial("tcp", addr+":7")
		if err != nil {
			t.Error(err)
			return
		}
		c.Write(make([]byte, n))
		c.Close()
	}()
	c, err := l.Accept()
	must(t, err)
	defer c.Close()
	if got, err := io.Copy(io.Discard, c); got != int64(n) || err != nil {
		t.Errorf("%d bytes of %d: %v", got, n, err)
	}
	return time.Since(began)
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := newHost(t, Config{})
		h, _ := newHostOf(t, root)
		v := mkview(t, h, "slow", "limit rate 100k", "uplink routed 10.1.0.2/24")
		const size, rate = 2 << 20, 100 << 10
		const ideal = size / rate * time.Second
		if took := sends(t, v.Stack(), root, "10.1.0.1", size); took < ideal*9/10 || took > ideal*12/10 {
			t.Errorf("%d bytes out took %v, %v are right", size, took, ideal)
		}
		if n := v.Stack().Iface(1).drops[dropQueueFull]; n > 0 {
			t.Errorf("TCP has lost %d frames to its own queue", n)
		}
		if took := sends(t, root, v.Stack(), "10.1.0.2", size); took < ideal*9/10 || took > ideal*2 {
			t.Errorf("%d bytes in took %v, %v are right", size, took, ideal)
		}
		if !strings.Contains(v.CtlText(), "limit rate.in 102400\nlimit rate.out 102400\n") {
			t.Error(v.CtlText())
		}

		// A flood of datagrams is cut to the rate, and counted.
		sink := clone(t, v.Stack(), wire.UDP)
		command(t, sink, "announce 9\nheaders")
		flood := clone(t, root, wire.UDP)
		command(t, flood, "connect 10.1.0.2:9")
		for range 10_000 {
			write(t, flood, make([]byte, 1000))
			time.Sleep(time.Millisecond)
			for sink.Info().Unread > 0 {
				read(t, sink)
			}
		}
		if n := v.Stack().Iface(1).drops[dropOverRate]; n < 8_000 || n > 9_500 {
			t.Errorf("%d datagrams of 10000 were over the rate", n)
		}
		must(t, v.Ctl("limit rate off"))
		if took := sends(t, v.Stack(), root, "10.1.0.1", size); took > time.Second {
			t.Errorf("without a rate %d bytes take %v", size, took)
		}
	})
}

func TestRateRefuses(t *testing.T) {
	s := newHost(t, Config{})
	for _, line := range []string{"limit.rate.in", "limit.rate.in x", "limit.rate.out 1", "limit.rate.out -5", "limit.rate.in on", "limit.rate.in 1m 1m", "limit.rate 5m"} {
		if err := s.WriteCtl(line); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
	if !strings.Contains(s.CtlText(), "limit.rate.in off\nlimit.rate.out off\n") {
		t.Error(s.CtlText())
	}
}
