package stack

// A listener under a flood of SYNs whose senders do not exist: it keeps a bounded
// number of them, and serves those who do.

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/nic"
	"slashnet/wire"
)

func TestFloodedListenerServes(t *testing.T) {
	for _, use := range []string{"off", "auto", "always"} {
		t.Run(use, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				far := newFarEnd(t)
				b := far.host
				must(t, b.WriteCtl("tcp.syncookies "+use))
				a := newHost(t, Config{})
				join(t, a, "10.0.1.1/24", b, "10.0.1.2/24", nic.Options{})
				l := clone(t, b, wire.TCP)
				command(t, l, "announce 80\nbacklog 8")
				const floods = 2000
				for i := range floods {
					far.syn(t, uint16(2000+i))
					if i%500 != 250 {
						continue
					}
					c := clone(t, a, wire.TCP)
					command(t, c, "connect 10.0.1.2:80")
					call := listen(t, l)
					write(t, c, []byte("ask"))
					if got := read(t, call); string(got) != "ask" {
						t.Errorf("the call brought %q", got)
					}
					write(t, call, []byte("answer"))
					if got := read(t, c); string(got) != "answer" {
						t.Errorf("the answer is %q", got)
					}
					c.Drop()
					call.Drop()
				}
				if n := len(b.Convs(wire.TCP, -1, floods)); n > 1+8+8 {
					t.Errorf("%d conversations are open, of a listener with a backlog of 8", n)
				}
				stats := b.StatsText(wire.TCP)
				for name, want := range map[string]map[string]string{
					"off":    {"CookiesSent": "0", "CookiesTaken": "0", "EmbryosEvicted": fmt.Sprint(floods - 8)},
					"auto":   {"CookiesTaken": "4", "EmbryosEvicted": "0", "SynsDropped": "0"},
					"always": {"CookiesSent": fmt.Sprint(floods + 4), "CookiesTaken": "4", "EmbryosEvicted": "0"},
				}[use] {
					if got := counter(t, stats, name); got != want {
						t.Errorf("%s is %s, want %s", name, got, want)
					}
				}
				// All of it passes by itself.
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				if n := len(b.Convs(wire.TCP, -1, floods)); n != 1 {
					t.Errorf("%d conversations are left, want the listener alone", n)
				}
			})
		})
	}
}

// When there are more calls than anybody takes, cookies bring no more of them.
func TestCookiesRespectTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		must(t, b.WriteCtl("tcp.syncookies always"))
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80\nbacklog 2")
		var waiting []running
		var callers []*Conv
		for range 4 {
			c := clone(t, a, wire.TCP)
			waiting = append(waiting, start(a, &Op{Kind: OpCtl, Conv: c, Data: []byte("connect 10.0.0.2:80")}))
			callers = append(callers, c)
			synctest.Wait()
		}
		if n := len(l.calls); n != 2 {
			t.Errorf("%d calls wait, want 2: the backlog", n)
		}
		for range 4 { // as calls are taken, the callers' next tries succeed
			call := listen(t, l)
			call.Drop()
		}
		for i := range waiting {
			must(t, wait(t, waiting[i]).Err)
			callers[i].Drop()
		}
	})
}
