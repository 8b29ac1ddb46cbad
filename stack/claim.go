package stack

// IPv4 addresses and whoever else has them (RFC 5227): package arp decides,
// ifaddr.go and ifctl.go claim addresses here, neighbour.go brings what is heard.
//
// The verb add takes the user's word that an address is free: it is ours at once,
// so that a tree is ready when it says so, is announced, and is defended. try asks
// first, which takes some seconds; so does add while the knob arp.probe is on.

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slashnet/arp"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// claims is the part of an interface that claims addresses.
type claims struct {
	iface *Iface
	arp   *arp.Claims
	timer timer
	tried []netip.Prefix // being asked for
	lost  []lostAddr     // that somebody else has, until they are added again
}

// A lostAddr is an address that turned out to be another station's.
type lostAddr struct {
	prefix netip.Prefix
	mac    wire.MAC
}

func newClaims(i *Iface) *claims {
	c := &claims{iface: i, arp: arp.NewClaims(i.mac, i.stack.random.Uint64)}
	c.timer.what = c
	return c
}

func (c *claims) deadline() (time.Duration, bool) { return c.arp.Deadline() }

// tick takes what nobody has answered for, and sends what is due.
func (c *claims) tick() {
	i := c.iface
	for _, won := range c.arp.Tick(i.stack.now) {
		at := slices.IndexFunc(c.tried, func(p netip.Prefix) bool { return p.Addr() == won })
		p := c.tried[at]
		c.tried = slices.Delete(c.tried, at, at+1)
		if err := i.mayAdd4(p); err != nil { // somebody has added it meanwhile
			i.stack.logf("%v: %v is free, but: %v", i, won, err)
			c.arp.Release(won)
			continue
		}
		i.have4(p)
	}
	for a, ok := c.arp.Output(i.stack.now); ok; a, ok = c.arp.Output(i.stack.now) {
		i.sendARP(wire.Broadcast, &a)
	}
	i.stack.file(&c.timer)
}

// try has an address that may be added asked for (RFC 5227 §2.1).
func (c *claims) try(p netip.Prefix) error {
	if err := c.iface.mayAdd4(p); err != nil {
		return err
	}
	if len(c.tried) >= maxAddrs {
		return neterr.NoConvs.With("%v tries %d addresses, the limit", c.iface, maxAddrs)
	}
	c.forget(p.Addr())
	c.tried = append(c.tried, p)
	c.arp.Try(c.iface.stack.now, p.Addr())
	c.tick()
	return nil
}

// take announces an address of ours (RFC 5227 §2.3). Nobody else is on loopback.
func (c *claims) take(a netip.Addr) {
	c.forget(a)
	if !c.iface.loopback {
		c.arp.Take(c.iface.stack.now, a)
		c.tick()
	}
}

// forget ends all that is known of an address.
func (c *claims) forget(a netip.Addr) {
	c.arp.Release(a)
	c.tried = slices.DeleteFunc(c.tried, func(p netip.Prefix) bool { return p.Addr() == a })
	c.lost = slices.DeleteFunc(c.lost, func(l lostAddr) bool { return l.prefix.Addr() == a })
}

// drop forgets an address that is tried or lost; false: it is neither.
func (c *claims) drop(p netip.Prefix) bool {
	known := slices.Contains(c.tried, p) || slices.ContainsFunc(c.lost, func(l lostAddr) bool { return l.prefix == p })
	if known {
		c.forget(p.Addr())
	}
	return known
}

// hear is told of each packet: somebody else may use an address of ours, or try
// what we try.
func (c *claims) hear(a *wire.ARP) {
	i := c.iface
	addr, verdict := c.arp.Hear(i.stack.now, a, i.stack.knobs.defence)
	switch verdict {
	case arp.NoConflict:
		return
	case arp.Defended:
		if i.stack.now >= i.complained+complainEvery {
			i.complained = i.stack.now
			i.stack.logf("%v: %v uses our address %v: it was told that we do", i, a.SenderMAC, addr)
		}
	case arp.Lost:
		c.lose(addr, a.SenderMAC)
	}
	c.tick()
}

// lose gives an address up (RFC 5227 §2.1.1, §2.4).
func (c *claims) lose(addr netip.Addr, mac wire.MAC) {
	i := c.iface
	same := func(p netip.Prefix) bool { return p.Addr() == addr }
	var p netip.Prefix
	if at := slices.IndexFunc(c.tried, same); at >= 0 {
		p = c.tried[at]
		c.tried = slices.Delete(c.tried, at, at+1)
		i.stack.logf("%v: %v has the address %v: it is not taken", i, mac, addr)
	} else if at := slices.IndexFunc(i.addrs, func(a address) bool { return same(a.prefix) }); at >= 0 {
		p = i.addrs[at].prefix
		i.remove(p)
		i.stack.logf("%v: %v uses our address %v again: we have given it up; remove it there and add it again here", i, mac, addr)
	} else {
		return
	}
	c.lost = append(c.lost, lostAddr{p, mac})
	if len(c.lost) > maxAddrs {
		c.lost = c.lost[1:]
	}
}

// again announces all addresses, as the interface comes up.
func (c *claims) again() {
	for _, a := range c.iface.addrs {
		if a.prefix.Addr().Is4() {
			c.take(a.prefix.Addr())
		}
	}
}

// text are the lines of the file status about what is no address of ours yet, or
// any more.
func (c *claims) text() string {
	var b strings.Builder
	for _, p := range c.tried {
		fmt.Fprintf(&b, "tentative %v\n", p)
	}
	for _, l := range c.lost {
		fmt.Fprintf(&b, "duplicate %v %v\n", l.prefix, l.mac.Plan9())
	}
	return b.String()
}

// setDefence is the knob arp.defend.
func setDefence(k *Knobs, v string) error {
	for how, name := range defenceNames {
		if v == name {
			k.defence = arp.Defence(how)
			return nil
		}
	}
	return neterr.BadArg.With("arp.defend %q: once, always or never is wanted", clip(v))
}

var defenceNames = [...]string{arp.DefendOnce: "once", arp.DefendAlways: "always", arp.DefendNever: "never"}
