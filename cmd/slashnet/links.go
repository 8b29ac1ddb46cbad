package main

// The NICs that up gives to the stack, from its flags.

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"slashnet/nic"
	"slashnet/stack"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// links are the flags about NICs.
type links struct {
	nics, addrs, hosts []string
	mac                string
	mtu                int
}

// A plan is what the flags ask for, checked before anything is made.
type plan struct {
	nics  []string // as tap:NAME
	addrs []netip.Prefix
	hosts []netip.Prefix // of the kernel's end of the first
	mac   wire.MAC       // zero: random
	mtu   int
}

// parse checks the flags.
func (l *links) parse() (*plan, error) {
	p := &plan{mtu: l.mtu}
	for _, spec := range l.nics {
		switch kind, name, _ := strings.Cut(spec, ":"); {
		case name != "" && (kind == "tap" || kind == "switch" || kind == "link"):
			p.nics = append(p.nics, spec)
		case spec != "none":
			return nil, usageError(fmt.Sprintf("--nic %q: want tap:NAME, such as tap:slash0, switch:NAME, link:NAME or none", spec))
		}
	}
	if len(p.nics) > 0 {
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
	for _, text := range l.hosts {
		host, err := netip.ParsePrefix(text)
		switch {
		case err == nil:
			p.hosts = append(p.hosts, host)
		case text != "none":
			return nil, usageError(fmt.Sprintf("--host-addr %q: want an address and its prefix length, such as 10.114.0.1/24, or none", text))
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
func (p *plan) attach(h *stack.Host) error {
	for n, spec := range p.nics {
		ifc, err := p.add(h, spec, n == 0)
		if err != nil {
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

// add makes an interface of a NIC. The first TAP has more flags.
func (p *plan) add(h *stack.Host, spec string, first bool) (*stack.Iface, error) {
	name, ok := strings.CutPrefix(spec, "tap:")
	if !ok {
		return p.plug(h, spec)
	}
	o, hosts := nic.Options{Name: name, MTU: p.mtu}, []netip.Prefix{{}}
	if first {
		o.MAC, hosts = p.mac, append(hosts, p.hosts...)
	}
	tap, err := nic.OpenTAP(o)
	if err != nil {
		return nil, err
	}
	ifc, err := h.Root().AddInterface(tap)
	if err != nil {
		tap.Close()
		return nil, err
	}
	for _, host := range hosts {
		if err := tap.ConfigureHost(host); err != nil {
			return nil, err
		}
	}
	return ifc, nil
}

// plug makes an interface that is plugged into a switch or a link, which is made if
// it is not there.
func (p *plan) plug(h *stack.Host, spec string) (*stack.Iface, error) {
	kind, name, _ := strings.Cut(spec, ":")
	name, _, _ = strings.Cut(name, "/") // the end of a link
	err := h.Write("mkdir", kind+"/"+name, nil)
	if err != nil && !errors.Is(err, syscall.EEXIST) {
		return nil, fmt.Errorf("--nic %s: %w", spec, err)
	}
	ifc, err := h.Root().CloneIface()
	if err != nil {
		return nil, err
	}
	if err := ifc.Ctl("bind ether " + spec); err != nil {
		return nil, fmt.Errorf("--nic %s: %w", spec, err)
	}
	return ifc, nil
}

// onTAP reports whether the first NIC is one, with the kernel at the other end.
func (p *plan) onTAP() bool { return len(p.nics) > 0 && strings.HasPrefix(p.nics[0], "tap:") }

// gateways are the next hops of the default routes, one of a family: those asked
// for, else the kernel's end of the cable, else none. Of a family of which we have
// no address there is none.
func (p *plan) gateways(asked []string) []string {
	if slices.Contains(asked, "none") {
		return nil
	}
	if len(asked) > 0 || !p.onTAP() {
		return asked
	}
	var all []string
	for _, is4 := range []bool{true, false} {
		of := func(p netip.Prefix) bool { return p.Addr().Is4() == is4 }
		if at := slices.IndexFunc(p.hosts, of); at >= 0 && slices.ContainsFunc(p.addrs, of) {
			all = append(all, p.hosts[at].Addr().String())
		}
	}
	return all
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
