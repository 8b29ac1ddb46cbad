package stack

// The files of the stack as a whole: ctl with its knobs, arp, iproute,
// ipselftab, stats. fs hands each line of a write to the Write method, and each
// open to the Text method.

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"slashnet/nic"
	"slashnet/route"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// told notes an error in the log, for files that have no err beside them.
func (s *Stack) told(file, line string, err error) error {
	if err != nil {
		s.logf("%s: %s: %v", file, clip(strings.TrimSpace(line)), err)
	}
	return err
}

// WriteCtl carries out one line of the stack's ctl: a knob and its value, sync,
// or reset.
func (s *Stack) WriteCtl(line string) error {
	line = strings.TrimSuffix(line, "\n")
	if line == "sync" {
		return s.Sync()
	}
	s.lock()
	defer s.unlock()
	return s.told("ctl", line, s.ctl(line))
}

func (s *Stack) ctl(line string) error {
	if err := checkLine(line); err != nil {
		return err
	}
	w, err := words(line)
	if err != nil {
		return err
	}
	if len(w) == 1 && w[0] == "reset" {
		for _, pr := range s.protos {
			for _, c := range pr.all() {
				c.hangup(neterr.Aborted)
				c.unlink()
			}
		}
		return nil
	}
	k := findKnob(w[0])
	if k == nil {
		return neterr.UnknownControl.With("%q: sync, reset or a knob is wanted; reading ctl lists them", clip(w[0]))
	}
	if len(w) != 2 {
		return neterr.BadControl.With("%s takes one value", k.name)
	}
	return s.setKnob(k, w[1])
}

// setKnob changes a knob; interfaces have copies of arp's.
func (s *Stack) setKnob(k *knob, value string) error {
	if err := k.set(&s.knobs, value); err != nil {
		return err
	}
	for _, i := range s.ifaces {
		mac := i.arpConfig.MAC
		i.arpConfig = s.knobs.arp
		i.arpConfig.MAC = mac
		i.setRate()
		if i.ip6 != nil {
			i.ip6.config = s.knobs.nd
		}
	}
	return nil
}

// CtlText lists the knobs.
func (s *Stack) CtlText() string {
	s.lock()
	defer s.unlock()
	var b strings.Builder
	for i := range knobTable {
		fmt.Fprintf(&b, "%s %s\n", knobTable[i].name, knobTable[i].get(&s.knobs))
	}
	return b.String()
}

// syncPatience is how long Sync waits for a NIC that is never drained, because
// frames come faster than they are read.
const syncPatience = 2 * time.Second

// Sync returns when all frames that had come before have been processed.
func (s *Stack) Sync() error { return s.SyncUntil(nil) }

// SyncUntil is Sync for somebody who may give up, by closing cancel.
func (s *Stack) SyncUntil(cancel <-chan struct{}) error {
	s.lock()
	var nics []nic.Drainer
	for _, n := range s.ifnums() {
		// In the order in which a frame passes them.
		for _, n := range []nic.NIC{s.ifaces[n].outside, s.ifaces[n].nic} {
			if d, ok := n.(nic.Drainer); ok {
				nics = append(nics, d)
			}
		}
	}
	s.unlock()
	patience := time.NewTimer(syncPatience)
	defer patience.Stop()
	for _, d := range nics {
		drained := make(chan struct{})
		d.Drained(func() { close(drained) })
		select {
		case <-drained:
		case <-cancel:
			return neterr.Interrupted
		case <-patience.C:
			return neterr.TryAgain.With("frames have been coming for %v faster than they are processed", syncPatience)
		}
	}
	return nil
}

// RouteText is the file iproute.
func (s *Stack) RouteText() string {
	s.lock()
	defer s.unlock()
	return s.routes.Text()
}

// WriteRoute carries out one line of iproute; tag is what routes are marked with
// that come through the same open file.
func (s *Stack) WriteRoute(line string, tag *string) error {
	s.lock()
	defer s.unlock()
	err := checkLine(strings.TrimSuffix(line, "\n"))
	if err == nil {
		var c route.Command
		if c, err = route.Parse(line); err == nil && c.Route.Via.IsLinkLocalUnicast() && c.Route.Via.Is6() {
			c.Route.Via = s.named(c.Route.Via)
			_, err = s.link6(c.Route.Via)
		}
		if err == nil {
			err = s.routes.Do(c, tag)
		}
	}
	return s.told("iproute", line, err)
}

// SelfText is the file ipselftab: our addresses.
func (s *Stack) SelfText() string {
	s.lock()
	defer s.unlock()
	var b strings.Builder
	row := func(a netip.Addr, flags string) { fmt.Fprintf(&b, "%-44s %02d %4s\n", a, 1, flags) }
	for _, n := range s.ifnums() {
		for _, a := range s.ifaces[n].addrs {
			row(s.ifaces[n].scoped(a.prefix.Addr()), "u")
			if bc, ok := broadcastOf(a.prefix); ok && !s.ifaces[n].loopback {
				row(bc, "b")
			}
		}
		if i := s.ifaces[n]; i.nic != nil && !i.loopback {
			for _, group := range append([]netip.Addr{allHosts}, i.groups.host.Groups()...) {
				row(group, "m")
			}
		}
	}
	return b.String()
}

// ARPText is the file arp: medium, state, address, MAC, age in seconds,
// interface.
func (s *Stack) ARPText() string {
	s.lock()
	defer s.unlock()
	var b strings.Builder
	for _, n := range s.ifnums() {
		i := s.ifaces[n]
		if i.nic == nil {
			continue
		}
		row := func(state fmt.Stringer, ip netip.Addr, station wire.MAC, age time.Duration) {
			mac := station.Plan9()
			if station == (wire.MAC{}) {
				mac = "-"
			}
			fmt.Fprintf(&b, "%-6s %-10v %-40v %-12s %6d %3d\n", "ether", state, ip, mac, int(age/time.Second), n)
		}
		for _, e := range i.arp.Entries(s.now) {
			row(e.State, e.IP, e.MAC, e.Age)
		}
		if i.ip6 != nil {
			for _, e := range i.ip6.cache.Entries(s.now) {
				row(e.State, e.IP, e.MAC, e.Age)
			}
		}
	}
	return b.String()
}

// WriteARP carries out one line of arp: add [ether] IP MAC, del IP, flush.
func (s *Stack) WriteARP(line string) error {
	s.lock()
	defer s.unlock()
	return s.told("arp", line, s.arpLine(strings.TrimSuffix(line, "\n")))
}

const arpUsage = "add [ether] IP MAC, del IP or flush is wanted"

func (s *Stack) arpLine(line string) error {
	if err := checkLine(line); err != nil {
		return err
	}
	w := strings.Fields(line)
	switch {
	case len(w) == 1 && w[0] == "flush":
		for _, i := range s.ifaces {
			if i.nic != nil {
				i.arp.Flush()
			}
			if i.ip6 != nil {
				i.ip6.cache.Flush()
			}
		}
		return nil
	case len(w) == 2 && (w[0] == "del" || w[0] == "remove"):
		ip, i, err := s.neighbourIface(w[1])
		if err == nil && !i.forgetNeighbour(ip) {
			err = neterr.NotFound.With("%v is not in the table", ip)
		}
		return err
	case len(w) >= 3 && w[0] == "add":
		if len(w) == 4 && w[1] == "ether" {
			w = append(w[:1], w[2:]...)
		}
		if len(w) != 3 {
			break
		}
		return s.arpAdd(w[1], w[2])
	}
	return neterr.BadControl.With("%q: %s", clip(line), arpUsage)
}

func (s *Stack) neighbourIface(word string) (netip.Addr, *Iface, error) {
	ip, err := netip.ParseAddr(word)
	if err != nil {
		return ip, nil, neterr.BadAddress.With("%q: an address is wanted", clip(word))
	}
	if ip = s.named(ip); ip.Is6() {
		to, err := s.pathTo6(ip)
		if err != nil || to.out.ip6 == nil || to.hop != ip || to.group {
			return ip, nil, neterr.NoInterface.With("%v is on the network of none", ip)
		}
		return ip, to.out, nil
	}
	r, ok := s.routes.Lookup(ip)
	if !ok || r.Kind != route.OnLink || s.ifaces[r.Iface] == nil || s.ifaces[r.Iface].nic == nil {
		return ip, nil, neterr.NoInterface.With("%v is on the network of none", ip)
	}
	return ip, s.ifaces[r.Iface], nil
}

func (s *Stack) arpAdd(addr, station string) error {
	ip, i, err := s.neighbourIface(addr)
	if err != nil {
		return err
	}
	mac, err := wire.ParseMAC(station)
	if err != nil {
		return neterr.BadArg.With("%q: a MAC is wanted, as in 02:00:00:00:00:01", clip(station))
	}
	var ready []*outFrame
	if ip.Is6() {
		ready, err = i.ip6.cache.Add(s.now, ip, mac)
	} else {
		ready, err = i.arp.Add(s.now, ip, mac)
	}
	for _, f := range ready {
		i.address(f, mac)
		i.enqueue(f)
	}
	return err
}

// StatsText is the stats file of a protocol.
func (s *Stack) StatsText(p wire.Proto) string {
	s.lock()
	defer s.unlock()
	return s.proto(p).stats()
}

// StackStatsText is the stats file of the stack: IP's counters with Plan 9's
// names, then our own.
func (s *Stack) StackStatsText() string {
	s.lock()
	defer s.unlock()
	n := &s.counts.IP
	forwarding := 2
	if s.knobs.forward {
		forwarding = 1
	}
	r := s.reasm.Stats()
	var b strings.Builder
	row := func(name string, v any) { fmt.Fprintf(&b, "%s: %v\n", name, v) }
	row("Forwarding", forwarding)
	row("DefaultTTL", s.knobs.ttl)
	row("InReceives", n.InReceives)
	row("InHdrErrors", n.InHdrErrors)
	row("InAddrErrors", n.InAddrErrors)
	row("ForwDatagrams", n.ForwDatagrams)
	row("InUnknownProtos", n.InUnknownProtos)
	row("InDiscards", n.InDiscards)
	row("InDelivers", n.InDelivers)
	row("OutRequests", n.OutRequests)
	row("OutDiscards", n.OutDiscards)
	row("OutNoRoutes", n.OutNoRoutes)
	row("ReasmTimeout", s.knobs.reasm.Timeout.Seconds())
	row("ReasmReqds", n.ReasmReqds)
	row("ReasmOKs", n.ReasmOKs)
	row("ReasmFails", n.ReasmFails)
	row("FragOKs", n.FragOKs)
	row("FragFails", n.FragFails)
	row("FragCreates", n.FragCreates)
	row("rxdone", s.counts.RxDone)
	row("conversations", s.usage.convs)
	row("operations", s.usage.ops)
	row("memory", s.held())
	row("timers", len(s.timers))
	fmt.Fprintf(&b, "reassembly: %+v\n", r)
	for _, l := range s.shares() {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}
