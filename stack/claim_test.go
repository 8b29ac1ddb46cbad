package stack

// Addresses that others may have: the rows of RFC 5227, and of RFC 826;
// test/requirements/ipv4.rows tells them.

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/wire"
)

// is reports whether all packets are this one, n times.
func are(all []wire.ARP, a wire.ARP, n int) bool {
	for _, got := range all {
		if got != a {
			return false
		}
	}
	return len(all) == n
}

func probeOf(i *Iface, ip string) wire.ARP {
	return wire.ARP{Op: wire.ARPRequest, SenderMAC: i.mac, SenderIP: addr("0.0.0.0"), TargetIP: addr(ip)}
}

func announcementOf(i *Iface, ip string) wire.ARP {
	return wire.ARP{Op: wire.ARPRequest, SenderMAC: i.mac, SenderIP: addr(ip), TargetIP: addr(ip)}
}

// try asks three times for an address before it is used; then it is announced
// twice.
func TestRFC5227_PROBE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		time.Sleep(5 * time.Second)
		st.claims()
		answers := func() bool {
			st.send(wire.IP{Dst: addr("10.0.0.3"), Proto: wire.ICMP}, ping("x"))
			return len(st.seen()) == 1
		}
		must(t, st.iface.Ctl("try 10.0.0.3/24"))
		time.Sleep(3900 * time.Millisecond) // at least 2 s for the probes, and 2 s after
		if answers() {
			t.Error("used before it was asked for three times")
		}
		time.Sleep(3200 * time.Millisecond)
		all := st.claims()
		if !answers() || len(all) < 4 || !are(all[:3], probeOf(st.iface, "10.0.0.3"), 3) || !are(all[3:], announcementOf(st.iface, "10.0.0.3"), len(all)-3) {
			t.Errorf("asked and told %+v", all)
		}
		must(t, s.WriteCtl("arp.probe on"))
		must(t, st.iface.Ctl("add 10.0.0.4/24"))
		if got := st.iface.StatusText(); !strings.Contains(got, "\ntentative 10.0.0.4/24\n") {
			t.Errorf("with arp.probe on, add does as try:\n%s", got)
		}
		must(t, st.iface.Ctl("remove 10.0.0.4/24"))
		if got := st.iface.StatusText(); strings.Contains(got, "tentative") {
			t.Errorf("taken back:\n%s", got)
		}
	})
}

// An address that somebody has is not taken; the log and status say who has it.
func TestRFC5227_CONFLICT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		must(t, st.iface.Ctl("try 10.0.0.3/24"))
		time.Sleep(2 * time.Second)
		st.arp(wire.ARP{Op: wire.ARPReply, SenderMAC: st.mac, SenderIP: addr("10.0.0.3"), TargetMAC: st.iface.mac, TargetIP: addr("0.0.0.0")})
		time.Sleep(10 * time.Second)
		if got := s.SelfText(); strings.Contains(got, "10.0.0.3") {
			t.Errorf("taken:\n%s", got)
		}
		if got, want := st.iface.StatusText(), "\nduplicate 10.0.0.3/24 020000000101\n"; !strings.Contains(got, want) {
			t.Errorf("status\n%s, want %q", got, want)
		}
		if got := s.LogText(); !strings.Contains(got, "02:00:00:00:01:01 has the address 10.0.0.3: it is not taken") {
			t.Errorf("the log says\n%s", got)
		}
		must(t, st.iface.Ctl("add 10.0.0.3/24"))
		if got := st.iface.StatusText(); strings.Contains(got, "duplicate") {
			t.Errorf("added all the same:\n%s", got)
		}
	})
}

// add takes an address at once, and tells everybody twice.
func TestRFC5227_ANNOUNCE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, st := newSite(t)
		if all := st.claims(); !are(all, announcementOf(st.iface, "10.0.0.2"), 1) {
			t.Errorf("at once: %+v", all)
		}
		st.send(wire.IP{Dst: addr("10.0.0.2"), Proto: wire.ICMP}, ping("x"))
		st.one()
		time.Sleep(10 * time.Second)
		if all := st.claims(); !are(all, announcementOf(st.iface, "10.0.0.2"), 1) {
			t.Errorf("after it: %+v", all)
		}
		must(t, st.iface.Ctl("down"))
		must(t, st.iface.Ctl("up"))
		time.Sleep(10 * time.Second)
		if all := st.claims(); !are(all, announcementOf(st.iface, "10.0.0.2"), 2) {
			t.Errorf("up again: %+v", all)
		}
	})
}

// An address is defended once in ten seconds; a second conflict ends its use,
// unless the knob wants otherwise.
func TestRFC5227_DEFEND(t *testing.T) {
	for how, kept := range map[string]bool{"once": false, "always": true, "never": false} {
		synctest.Test(t, func(t *testing.T) {
			s, st := newSite(t)
			if how != "once" { // the default
				must(t, s.WriteCtl("arp.defend "+how))
			}
			time.Sleep(10 * time.Second)
			st.claims()
			thief := wire.ARP{Op: wire.ARPRequest, SenderMAC: st.mac, SenderIP: addr("10.0.0.2"), TargetIP: addr("10.0.0.7")}
			st.arp(thief)
			if all, n := st.claims(), map[string]int{"once": 1, "always": 1, "never": 0}[how]; !are(all, announcementOf(st.iface, "10.0.0.2"), n) {
				t.Errorf("%s: answered by %+v", how, all)
			}
			if how == "once" {
				time.Sleep(11 * time.Second)
				st.arp(thief)
				if all := st.claims(); !are(all, announcementOf(st.iface, "10.0.0.2"), 1) {
					t.Errorf("again, after more than ten seconds: %+v", all)
				}
			}
			time.Sleep(3 * time.Second)
			st.arp(thief)
			if all := st.claims(); len(all) != 0 {
				t.Errorf("%s: a second time within ten seconds: %+v", how, all)
			}
			if got := strings.Contains(s.SelfText(), "10.0.0.2"); got != kept {
				t.Errorf("%s: kept: %v", how, got)
			}
			if got := s.LogText(); strings.Contains(got, "given it up") == kept {
				t.Errorf("%s: the log says\n%s", how, got)
			}
			if got := st.iface.StatusText(); strings.Contains(got, "\nduplicate 10.0.0.2/24 ") == kept {
				t.Errorf("%s: status\n%s", how, got)
			}
		})
	}
}

// A request for us makes its sender known and is answered to him alone; others
// only renew what is known; and what cannot be a station's is not heard.
func TestRFC826_INPUT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newSite(t)
		st.asks()
		knows := func(ip string) bool { return strings.Contains(s.ARPText(), " "+ip+" ") }
		request := wire.ARP{Op: wire.ARPRequest, SenderMAC: st.mac, SenderIP: addr("10.0.0.5"), TargetIP: addr("10.0.0.9")}
		st.arp(request)
		if asked := st.asks(); len(asked) != 0 || knows("10.0.0.5") {
			t.Errorf("a request for another: answered %+v, known: %v", asked, knows("10.0.0.5"))
		}
		request.TargetIP = addr("10.0.0.2")
		st.arp(request)
		want := wire.ARP{Op: wire.ARPReply, SenderMAC: st.iface.mac, SenderIP: addr("10.0.0.2"), TargetMAC: st.mac, TargetIP: addr("10.0.0.5")}
		if asked := st.asks(); !are(asked, want, 1) || !knows("10.0.0.5") {
			t.Errorf("a request for us: answered %+v, known: %v", asked, knows("10.0.0.5"))
		}
		// A gratuitous one of a neighbour that is known moves it.
		moved := wire.MAC{2, 0, 0, 0, 1, 99}
		st.arp(wire.ARP{Op: wire.ARPRequest, SenderMAC: moved, SenderIP: addr("10.0.0.5"), TargetIP: addr("10.0.0.5")})
		st.send(wire.IP{Src: addr("10.0.0.5"), Dst: addr("10.0.0.2"), Proto: wire.ICMP}, ping("x"))
		if d := st.one(); d.eth.Dst != moved {
			t.Errorf("sent to %v, want %v", d.eth.Dst, moved)
		}
		st.arp(wire.ARP{Op: wire.ARPReply, SenderMAC: st.mac, SenderIP: addr("10.0.0.6"), TargetMAC: st.iface.mac, TargetIP: addr("10.0.0.2")})
		if knows("10.0.0.6") {
			t.Error("a reply that nobody asked for is believed")
		}
		request.SenderIP = addr("10.0.0.8")
		for what, mac := range map[string]wire.MAC{"broadcast": wire.Broadcast, "group": {1, 0, 0x5e, 0, 0, 1}, "zero": {}} {
			request.SenderMAC = mac
			st.arp(request)
			if asked := st.asks(); len(asked) != 0 || knows("10.0.0.8") {
				t.Errorf("from a %s MAC: answered %+v", what, asked)
			}
		}
		good := make([]byte, wire.ARPLen)
		(&wire.ARP{Op: wire.ARPRequest, SenderMAC: st.mac, SenderIP: addr("10.0.0.8"), TargetIP: addr("10.0.0.2")}).Put(good)
		for at := range 6 { // hardware and protocol, types and lengths
			b := append([]byte(nil), good...)
			b[at] ^= 0x40
			st.frame(wire.Broadcast, wire.EtherARP, b)
		}
		st.frame(wire.Broadcast, wire.EtherARP, good[:wire.ARPLen-1])
		if asked := st.asks(); len(asked) != 0 {
			t.Errorf("answered what is no ARP for IPv4 on Ethernet: %+v", asked)
		}
		if n := drops(t, st.iface, "bad arp"); n != "7" {
			t.Errorf("%s dropped, want 7", n)
		}
	})
}
