package stack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// racing is a pair of hosts, of which the second has port 80 open at 10.0.0.2. The
// stations of 10.0.0.90 and above are known, and silent.
func racing(t *testing.T) (a, b *Stack) {
	a, b = named(t, func(_ context.Context, name string) (all []netip.Addr, err error) {
		for _, host := range strings.Split(strings.TrimPrefix(name, "x"), "-") {
			all = append(all, netip.MustParseAddr("10.0.0."+host))
		}
		return all, nil
	})
	for i := 90; i < 100; i++ {
		must(t, a.WriteARP(fmt.Sprintf("add 10.0.0.%d 02:00:00:00:00:%d", i, i)))
	}
	return a, b
}

// alone checks that nothing is left of a race but c.
func alone(t *testing.T, c *Conv) {
	t.Helper()
	synctest.Wait()
	s := c.stack
	s.lock()
	defer s.unlock()
	pr := c.proto
	if s.usage.convs != 1 || len(pr.flows) > 1 || len(pr.convs) != 1 || len(s.timers) > 1+len(s.ifaces) || c.attempt != nil && len(c.attempt.rivals) > 0 {
		t.Errorf("left: %d conversations, %d flows, %d listed, %d timers", s.usage.convs, len(pr.flows), len(pr.convs), len(s.timers))
	}
	if n := s.counts.Tables.CurrEstab; n > 1 || (n == 1) != (c.phase == connected) {
		t.Errorf("CurrEstab is %d", n)
	}
}

// An address that is silent delays a connect by a quarter of a second, each.
func TestRivals(t *testing.T) {
	for hosts, want := range map[string]struct {
		took   time.Duration
		remote string
	}{
		"2":                {0, "10.0.0.2"},
		"2-90":             {0, "10.0.0.2"},
		"90-2":             {rivalAfter, "10.0.0.2"},
		"90-91-2":          {2 * rivalAfter, "10.0.0.2"},
		"90-91-92-2":       {3 * rivalAfter, "10.0.0.2"},
		"90-1-2":           {rivalAfter, "10.0.0.2"}, // 10.0.0.1, our own, refuses, and the next is tried at once
		"1-90-2":           {rivalAfter, "10.0.0.2"},
		"90-91-92-93-94-2": {3*time.Second + 4*rivalAfter, ""}, // no more than five at a time
	} {
		t.Run(hosts, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := racing(t)
				events := a.Events(nil)
				c := clone(t, a, wire.TCP)
				op := start(a, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect x" + hosts + ":80")})
				if want.remote == "" {
					time.Sleep(want.took)
					synctest.Wait()
					if n := len(c.attempt.rivals); n != maxRivals || len(c.attempt.hosts) != 1 {
						t.Errorf("%d rivals, %v to come", n, c.attempt.hosts)
					}
					must(t, ctl(t, c, "hangup"))
					wait(t, op)
					alone(t, c)
					return
				}
				begin := time.Now()
				if err := wait(t, op).Err; err != nil || time.Since(begin) != want.took {
					t.Errorf("%v after %v, want %v", err, time.Since(begin), want.took)
				}
				if got := c.RemoteText(); got != want.remote+"!80\n" {
					t.Errorf("connected to %s, want %s", got, want.remote)
				}
				alone(t, c)
				if op := do(t, a, &Op{Kind: OpRead, Conv: c, Max: 9}); op.N != 5 {
					t.Errorf("read %d bytes, %v", op.N, op.Err)
				}
				text := do(t, a, &Op{Kind: OpStream, Stream: events, Max: 1 << 16}).Chunks[0].B
				if n := strings.Count(string(text), " Syn_sent "); n != 2 || strings.Contains(string(text), "tcp/1 ") {
					t.Errorf("the events:\n%s", text)
				}
				c.Drop()
				synctest.Wait()
			})
		})
	}
}

// The first may still win, and those who lose are told of where all lose.
func TestRivalsLose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := racing(t)
		must(t, b.Iface(1).Ctl("down"))
		c := clone(t, a, wire.TCP)
		must(t, a.WriteARP("add 10.0.0.2 "+b.Iface(1).mac.String()))
		op := start(a, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect x2-90:80")})
		time.Sleep(700 * time.Millisecond)
		if why := c.WhyText(); !strings.Contains(why, "calling 10.0.0.2!80, 1 try without an answer, nor has 10.0.0.90 given one") {
			t.Error(why)
		}
		must(t, b.Iface(1).Ctl("up"))
		must(t, wait(t, op).Err) // by the SYN that is sent after a second
		alone(t, c)
		c.Drop()
		synctest.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		a, _ := racing(t)
		c := clone(t, a, wire.TCP)
		// The first has no station, the second is silent for two minutes, the third refuses.
		op := start(a, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect x9-90-2:81")})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := c.RemoteText(); got != "10.0.0.90!81\n" || c.StatusText()[:8] != "Syn_sent" {
			t.Errorf("it goes on with %q: %s", got, c.StatusText())
		}
		time.Sleep(5 * time.Minute)
		err := wait(t, op).Err
		if want := "connection timed out; before it 2 in vain: 10.0.0.2: connection refused, 10.0.0.9: host unreachable"; !errors.Is(err, syscall.ETIMEDOUT) || !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("%v, want %s", err, want)
		}
		alone(t, c)
		must(t, ctl(t, c, "connect 10.0.0.2:80")) // usable still
		alone(t, c)
		c.Drop()
	})
}

// Whoever gives up takes the rivals with him.
func TestRivalsEnd(t *testing.T) {
	for how, end := range map[string]func(t *testing.T, a *Stack, c *Conv){
		"hangup": func(t *testing.T, a *Stack, c *Conv) { must(t, ctl(t, c, "hangup")) },
		"close":  func(t *testing.T, a *Stack, c *Conv) { must(t, ctl(t, c, "close")) },
		"rmdir":  func(t *testing.T, a *Stack, c *Conv) { must(t, a.Rmdir(wire.TCP, "0", User{})) },
		"reset":  func(t *testing.T, a *Stack, c *Conv) { must(t, a.WriteCtl("reset")) },
		"limit":  func(t *testing.T, a *Stack, c *Conv) { must(t, ctl(t, c, "hangup")) },
		"stack":  func(t *testing.T, a *Stack, c *Conv) { shut(a) },
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := racing(t)
				if how == "limit" {
					must(t, a.WriteCtl("limit.conversations 1"))
				}
				c := clone(t, a, wire.TCP)
				op := start(a, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect x90-91-92:80")})
				time.Sleep(rivalAfter + time.Millisecond)
				synctest.Wait()
				if n := len(c.attempt.rivals); n != 1 && how != "limit" || n > 1 {
					t.Errorf("%d rivals", n)
				}
				end(t, a, c)
				if err := wait(t, op).Err; err == nil || errors.Is(err, neterr.Interrupted) {
					t.Errorf("it ended with %v", err)
				}
				c.Drop()
				synctest.Wait()
				a.lock()
				defer a.unlock()
				if n := a.usage.convs; n != 0 || len(c.proto.flows) != 0 {
					t.Errorf("%d conversations and %d flows are left", n, len(c.proto.flows))
				}
			})
		})
	}
}
