package stack

// Neighbours (RFC 826): the cache is in package arp, its wiring here. up.go brings
// the packets, down.go those that wait for an answer, the timer the rest.

import (
	"net/netip"
	"time"

	"slashnet/arp"
	"slashnet/ndp"
	"slashnet/wire"
)

// deadline and tick are the neighbour cache's.
func (i *Iface) deadline() (time.Duration, bool) {
	if i.arp == nil || i.nic == nil {
		return 0, false
	}
	return i.arp.Deadline()
}

func (i *Iface) tick() {
	for _, f := range i.arp.Tick(i.stack.now) {
		i.stack.undeliverable(f)
	}
	i.ask()
}

// ask sends the requests that the cache wants.
func (i *Iface) ask() {
	for {
		req, ok := i.arp.Output(i.stack.now)
		if !ok {
			break
		}
		src, ok := i.addrFor(req.IP)
		if !ok {
			continue
		}
		to := req.To
		if to == (wire.MAC{}) {
			to = wire.Broadcast
		}
		i.sendARP(to, &wire.ARP{Op: wire.ARPRequest, SenderMAC: i.mac, SenderIP: src, TargetIP: req.IP})
	}
	i.stack.file(&i.timer)
}

func (i *Iface) sendARP(to wire.MAC, a *wire.ARP) {
	f := i.queue.newFrame()
	wire.Ethernet{Dst: to, Src: i.mac, Type: wire.EtherARP}.Put(f.head[:])
	a.Put(f.head[wire.EthernetLen:])
	f.Head = f.head[:wire.EthernetLen+wire.ARPLen]
	i.enqueue(f)
}

func (i *Iface) arpInput(a *wire.ARP) {
	i.claims.hear(a)
	r := i.arp.Input(i.stack.now, a, i.mine)
	i.stack.gateways.heard(a.SenderIP)
	for _, f := range r.Ready {
		i.address(f, r.MAC)
		i.enqueue(f)
	}
	if r.Reply.Op != 0 {
		i.sendARP(r.Reply.TargetMAC, &r.Reply)
	}
	i.ask()
}

// complainEvery is how often the log is told that somebody uses our address.
const complainEvery = 10 * time.Second

// mine reports whether an address is of this very interface.
func (i *Iface) mine(a netip.Addr) bool { return i.stack.own[a] == i }

// forgetNeighbour reports whether there was one.
func (i *Iface) forgetNeighbour(a netip.Addr) bool {
	if a.Is6() {
		return i.ip6.cache.Delete(a)
	}
	return i.arp.Delete(a)
}

// doubt has a neighbour asked whether it is there.
func (i *Iface) doubt(hop netip.Addr) {
	if hop.Is6() {
		i.ip6.cache.Doubt(i.stack.now, hop)
		i.ip6.settle()
		return
	}
	i.arp.Doubt(hop)
	i.ask()
}

// unanswered reports whether a neighbour was asked for and does not answer.
func (i *Iface) unanswered(hop netip.Addr) bool {
	if i.loopback {
		return false
	}
	if hop.Is6() {
		state, asked := i.ip6.cache.State(hop)
		return asked && (state == ndp.Incomplete || state == ndp.Failed)
	}
	state, asked := i.arp.State(hop)
	return asked && (state == arp.Incomplete || state == arp.Failed)
}
