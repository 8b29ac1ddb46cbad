package stack

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// newRoom is a host with alice and bob, and a router between them: link/good on
// alice's side, link/bad on bob's.
func newRoom(t *testing.T) (h *Host, alice, bob *Stack) {
	t.Helper()
	root, _ := outside(t)
	h, _ = newHostOf(t, root)
	must(t, h.Write("mkdir", "link/good link/bad switch/lan", nil))
	a := mkview(t, h, "alice", "nic link:good 10.0.1.2/24 10.0.1.1")
	mkview(t, h, "router", "nic link:good 10.0.1.1/24", "nic link:bad 10.0.2.1/24", "ctl: ip.forward on")
	b := mkview(t, h, "bob", "nic link:bad 10.0.2.2/24 10.0.2.1")
	return h, a.Stack(), b.Stack()
}

// transfer sends bytes from alice to bob.
func transfer(t *testing.T, alice, bob *Stack, size int) (retrans int) {
	t.Helper()
	l, err := bob.Listen("tcp", ":7")
	must(t, err)
	defer l.Close()
	c, err := alice.Dial("tcp", "10.0.2.2:7")
	must(t, err)
	sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	var sender sync.WaitGroup
	sender.Go(func() {
		c.Write(sent)
		c.(interface{ CloseWrite() error }).CloseWrite()
	})
	call, err := l.Accept()
	must(t, err)
	got, err := io.ReadAll(call)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("bob got %d bytes of %d: %v", len(got), len(sent), err)
	}
	sender.Wait()
	for _, i := range alice.Convs(wire.TCP, -1, 100) {
		for line := range strings.Lines(alice.Conv(wire.TCP, i.Num).StatusText()) {
			fmt.Sscanf(line, "retrans %d", &retrans)
		}
	}
	call.Close()
	c.Close()
	return retrans
}

// What the bad cable loses, alice sends again: in virtual time.
func TestRetransmissionsAreWhatTheLinkLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alice, bob := newRoom(t)
		must(t, h.Write("link/bad/ctl", "impair delay 20ms loss 3% seed 7", nil))
		must(t, h.Write("link/bad/ctl", "impair b delay 20ms", nil)) // bob's acknowledgements arrive
		if text := h.Link("bad").CtlText(); text != "impair a delay 20ms loss 3% seed 7\nimpair b delay 20ms\n" {
			t.Errorf("ctl is %q", text)
		}
		retrans := transfer(t, alice, bob, 1<<20)
		stats := h.Link("bad").StatsText()
		lost := counter(t, stats, "a lost")
		if lost == "0" || retrans == 0 {
			t.Errorf("%s frames lost, %d sent again", lost, retrans)
		}
		if line := fmt.Sprintf("slashnet_link_lost_total{link=\"bad\",from=\"a\"} %s\n", lost); !strings.Contains(h.MetricsText(), line) {
			t.Errorf("%q is not in metrics", line)
		}
		if counter(t, stats, "b lost") != "0" || counter(t, h.Link("good").StatsText(), "a lost") != "0" {
			t.Error("frames are lost where no cable is bad")
		}
	})
}

// Plugging, unplugging, impairing and watching while others talk.
func TestWiringUnderTraffic(t *testing.T) {
	h, alice, bob := newRoom(t)
	stop := make(chan struct{})
	var workers sync.WaitGroup
	work := func(do func(n int)) {
		workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					do(n)
				}
			}
		})
	}
	check := func(what string, err error) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	say := func(path, line string) { check(path+": "+line, h.Write(path, line, nil)) }
	work(func(int) {
		say("view/alice/ctl", "nic switch:lan 10.5.0.1/24")
		say("view/alice/ctl", "nic switch:lan off")
	})
	work(func(n int) {
		say("link/bad/ctl", []string{"impair off", "impair a delay 100us", "impair loss 1%"}[n%3])
		say("view/bob/net/ipifc/1", []string{"impair off", "impair in dup 1%"}[n%2])
		time.Sleep(time.Millisecond)
	})
	work(func(int) {
		snoop, err := h.Link("bad").Snoop()
		if err != nil {
			t.Error(err)
			return
		}
		<-start(h.Root(), &Op{Kind: OpStream, Stream: snoop, Max: 1 << 20}).done
		h.Switch("lan").PortsText()
		h.MetricsText()
		snoop.Close()
	})
	work(func(n int) {
		name := fmt.Sprintf("v%d", n)
		say("mkdir", "view/"+name+" link/"+name+" switch/"+name)
		say("view/"+name+"/ctl", "nic link:"+name+" 10.6.0.1/24")
		say("view/"+name+"/ctl", "nic switch:"+name)
		say("switch/"+name+"/ctl", "plug link:"+name)
		say("switch/"+name+"/ctl", "unplug link:"+name)
		check("rmdir", h.Rmdir(name, User{}))
		check("rmdir", h.RemoveLink(name, User{}))
		check("rmdir", h.RemoveSwitch(name, User{}))
	})
	transfer(t, alice, bob, 1<<20)
	close(stop)
	workers.Wait()
	if ports := h.Switch("lan").PortsText(); ports != "" {
		t.Errorf("left in the switch: %s", ports)
	}
}

// One who opens a capture and does not read it loses his copy, counted, and nothing
// else.
func TestSnoopIsNotReadInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alice, bob := newRoom(t)
		slow, err := h.Link("bad").Snoop()
		must(t, err)
		transfer(t, alice, bob, 16<<20)
		synctest.Wait()
		if missed := counter(t, h.Link("bad").StatsText(), "snoop missed"); missed == "0" {
			t.Error("nothing is missed")
		}
		if slow.Ready() != ReadyIn {
			t.Errorf("ready %v", slow.Ready())
		}
		r := start(h.Root(), &Op{Kind: OpStream, Stream: slow, Max: 1 << 10})
		if op := wait(t, r); op.Err != nil || op.N != 1<<10 {
			t.Errorf("read %d, %v", op.N, op.Err)
		}
		slow.Close()
		slow.Close()
		if n := len(h.Root().snoops); n != 0 {
			t.Errorf("%d captures are left", n)
		}
		var all []*Snoop
		for range maxSnoops {
			s, err := h.Link([]string{"good", "bad"}[len(all)%2]).Snoop()
			must(t, err)
			all = append(all, s)
		}
		if _, err := h.Link("bad").Snoop(); err == nil {
			t.Error("one capture too many")
		}
		// Cancelled, as by Ctrl-C.
		r = start(h.Root(), &Op{Kind: OpStream, Stream: all[0], Max: 1 << 20})
		wait(t, r) // the head of the file
		r = start(h.Root(), &Op{Kind: OpStream, Stream: all[0], Max: 1 << 20})
		synctest.Wait()
		h.Root().Cancel(r.op, io.EOF)
		if op := wait(t, r); op.Err != io.EOF {
			t.Errorf("ended with %v", op.Err)
		}
		for _, s := range all {
			s.Close()
		}
	})
}

func TestFixturesAreBounded(t *testing.T) {
	root, _ := outside(t)
	h, _ := newHostOf(t, root)
	for n := range MaxSwitches {
		_, err := h.MakeSwitch(fmt.Sprintf("s%d", n), User{})
		must(t, err)
	}
	if _, err := h.MakeSwitch("more", User{}); err == nil {
		t.Error("one switch too many")
	}
	h.links.last = MaxConvNum - 1
	_, err := h.MakeLink("last", User{})
	must(t, err)
	if _, err := h.MakeLink("more", User{}); err == nil {
		t.Error("a link without a number")
	}
	for _, line := range []string{"rack/x", "link", "link/1", "switch/a b/c", "link/a:b", "switch/a:b"} {
		if err := h.Write("mkdir", line, nil); err == nil {
			t.Errorf("mkdir: %s was taken", line)
		}
	}
	for _, path := range []string{"link/no/ctl", "switch/no/ctl", "view/no/ctl", "link/last/stats", "view/no/net/ctl", "what"} {
		if err := h.Write(path, "impair off", new(string)); err == nil {
			t.Errorf("%s was written to", path)
		}
	}
}
