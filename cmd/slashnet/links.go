package main

// The NICs that up gives to the stack, from its flags.

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"slashnet/nic"
	"slashnet/stack"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// links are the flags about NICs.
type links struct {
	nics, addrs []string
	host, mac   string
	mtu         int
}

// A plan is what the flags ask for, checked before anything is made.
type plan struct {
	taps  []string // their names
	addrs []netip.Prefix
	host  netip.Prefix // the zero one: none
	mac   wire.MAC     // zero: random
	mtu   int
}

// parse checks the flags.
func (l *links) parse() (*plan, error) {
	p := &plan{mtu: l.mtu}
	for _, spec := range l.nics {
		name, ok := strings.CutPrefix(spec, "tap:")
		switch {
		case ok && name != "":
			p.taps = append(p.taps, name)
		case spec != "none":
			return nil, usageError(fmt.Sprintf("--nic %q: want tap:NAME, such as tap:slash0, or none", spec))
		}
	}
	if len(p.taps) > 0 {
		for _, text := range l.addrs {
			addr, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, usageError(fmt.Sprintf("--addr %q: want an address and its prefix length, such as 10.114.0.2/24", text))
			}
			p.addrs = append(p.addrs, addr)
		}
	}
	if l.mtu < stack.MinMTU {
		return nil, usageError(fmt.Sprintf("--mtu %d: at least %d is wanted", l.mtu, stack.MinMTU))
	}
	if l.host != "none" {
		var err error
		if p.host, err = netip.ParsePrefix(l.host); err != nil {
			return nil, usageError(fmt.Sprintf("--host-addr %q: want an address and its prefix length, such as 10.114.0.1/24, or none", l.host))
		}
	}
	if l.mac != "" {
		mac, err := net.ParseMAC(l.mac)
		if err != nil || len(mac) != len(p.mac) {
			return nil, usageError(fmt.Sprintf("--mac %q: want six bytes, such as 02:00:00:00:00:01", l.mac))
		}
		p.mac = wire.MAC(mac)
	}
	return p, nil
}

// attach opens the NICs, gives them to the stack, and configures both ends of
// the first. The stack closes them.
func (p *plan) attach(s *stack.Stack) error {
	for n, name := range p.taps {
		o, host := nic.Options{Name: name, MTU: p.mtu}, netip.Prefix{}
		if n == 0 {
			o.MAC, host = p.mac, p.host
		}
		tap, err := nic.OpenTAP(o)
		if err != nil {
			return err
		}
		ifc, err := s.AddInterface(tap)
		if err != nil {
			tap.Close()
			return err
		}
		if err := tap.ConfigureHost(host); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		for _, addr := range p.addrs {
			if err := ifc.Ctl("add " + addr.String()); err != nil {
				return fmt.Errorf("--addr %v: %w", addr, err)
			}
		}
	}
	return nil
}

// gateway is the default route's next hop: the one asked for, else the kernel's
// end of the cable, else none.
func (p *plan) gateway(asked string) string {
	switch {
	case asked == "none" || asked == "" && (len(p.taps) == 0 || !p.host.IsValid()):
		return ""
	case asked == "":
		return p.host.Addr().String()
	}
	return asked
}

// open opens the NIC that "bind ether" names in the tree: like one of the flags,
// and without an address on the kernel's end.
func (p *plan) open(spec string) (nic.NIC, error) {
	name, ok := strings.CutPrefix(spec, "tap:")
	if !ok || name == "" {
		return nil, neterr.BadBind.With("%q: want tap:NAME, such as tap:slash1", spec)
	}
	tap, err := nic.OpenTAP(nic.Options{Name: name, MTU: p.mtu})
	if err != nil {
		return nil, err
	}
	if err := tap.ConfigureHost(netip.Prefix{}); err != nil {
		tap.Close()
		return nil, err
	}
	return tap, nil
}
