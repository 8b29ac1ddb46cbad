package stack

// How a view reaches the world: a cable to its parent, who routes for it, or a
// port of a switch that the parent's NIC hangs on. view.go calls connect, with
// Host.wiring held.

import (
	"fmt"
	"net/netip"
	"strings"

	"slashnet/nic"
	"slashnet/stack/neterr"
)

const (
	uplinkNone   = "none"
	uplinkRouted = "routed"
	uplinkSwitch = "switch"
)

// An uplink is what connects a view.
type uplink struct {
	ours    *Iface // of the view; nil: none
	parents *Iface // the parent's end of the cable; nil: there is no cable
}

// connect carries out `uplink …`.
func (v *View) connect(args []string) error {
	if args[0] == uplinkNone {
		if err := noArgs("uplink none", args[1:]); err != nil {
			return err
		}
		v.unplug()
		return nil
	}
	var plug func(ends []end) error
	switch args[0] {
	case uplinkRouted:
		plug = v.route
	case uplinkSwitch:
		plug = v.bridge
	default:
		return neterr.BadArg.With("uplink %q: none, routed ADDR/LEN or switch ADDR/LEN [GATEWAY] is wanted, for one family or for both", clip(args[0]))
	}
	ends, err := parseEnds(args[1:], args[0] == uplinkSwitch)
	if err != nil {
		return err
	}
	line := strings.Join(args, " ")
	if v.uplink.ours != nil {
		if line == v.line {
			return nil
		}
		return neterr.Busy.With("the uplink is %s: write `uplink none` first", v.line)
	}
	if err := plug(ends); err != nil {
		v.unplug()
		return err
	}
	v.connected(line)
	return nil
}

// connected notes the line that made the uplink.
func (v *View) connected(line string) {
	v.host.lock()
	v.line = line
	v.host.unlock()
}

// unplug takes the uplink away; without one it does nothing.
func (v *View) unplug() {
	if v.uplink.ours != nil {
		v.stack.RemoveInterface(v.uplink.ours)
	}
	if v.uplink.parents != nil {
		v.host.root.stack.RemoveInterface(v.uplink.parents)
		delete(v.host.cables, v.uplink.parents)
	}
	v.uplink = uplink{}
	v.connected("")
}

// An end is an address that a view gets, and the way from there; invalid: none.
type end struct {
	prefix  netip.Prefix
	gateway netip.Addr
}

// parseEnds reads ADDR/LEN, for a switch with a GATEWAY behind it, once for each
// family that the view is to have.
func parseEnds(words []string, gateways bool) (ends []end, err error) {
	for len(words) > 0 || len(ends) == 0 {
		var e end
		if e.prefix, words, err = parsePrefix(words); err == nil {
			err = hostAddress(e.prefix)
		}
		if err != nil {
			return nil, err
		}
		if gateways && len(words) > 0 && !strings.Contains(words[0], "/") {
			if e.gateway, err = netip.ParseAddr(words[0]); err != nil || !e.prefix.Contains(e.gateway) || e.gateway == e.prefix.Addr() {
				return nil, neterr.BadAddress.With("%q as a gateway: another address in %v is wanted", clip(words[0]), e.prefix.Masked())
			}
			words = words[1:]
		}
		if len(ends) > 0 && (len(ends) > 1 || ends[0].prefix.Addr().Is4() == e.prefix.Addr().Is4()) {
			return nil, neterr.BadAddress.With("%v: one address of each family is wanted", e.prefix)
		}
		ends = append(ends, e)
	}
	return ends, nil
}

// hostAddress reports why p is not the address of one host in a subnet with room
// for another.
func hostAddress(p netip.Prefix) error {
	most := p.Addr().BitLen() - 1
	b, hasBroadcast := broadcastOf(p)
	switch {
	case p.Bits() < 8 || p.Bits() > most:
		return neterr.BadAddress.With("%v: a subnet of /8 to /%d is wanted", p, most)
	case hasBroadcast && (p.Addr() == b || p.Addr() == p.Masked().Addr()):
		return neterr.BadAddress.With("%v is the address of the whole subnet: that of one host is wanted", p)
	case p.Addr().IsLinkLocalUnicast() && p.Addr().Is6():
		return neterr.BadAddress.With("%v: link-local addresses make themselves; one that is routed is wanted", p)
	}
	return nil
}

// otherHost is the first other host of a subnet.
func otherHost(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr()
	if p.Bits() < p.Addr().BitLen()-1 {
		a = a.Next()
	}
	if a == p.Addr() {
		a = a.Next()
	}
	return a
}

// nicName is a view's NIC; the number tells it from that of one of the same name
// that has not ended yet.
func (v *View) nicName() string { return fmt.Sprintf("%s.%d", v.name, v.id) }

// route lays a cable to the parent, who forwards.
func (v *View) route(ends []end) error {
	parent := v.host.root.stack
	for _, n := range parent.Networks() {
		for _, e := range ends {
			if n.Overlaps(e.prefix) {
				return neterr.AddrInUse.With("%v: the parent is in %v already; a subnet of its own is wanted", e.prefix, n.Masked())
			}
		}
	}
	ours, theirs, err := nic.NewPipe(nic.Options{Name: v.nicName()}, nic.Options{Name: v.nicName()})
	if err != nil {
		return err
	}
	if v.uplink.parents, err = parent.AddInterface(theirs); err != nil {
		theirs.Close()
		ours.Close()
		return err
	}
	v.host.cables[v.uplink.parents] = true
	if v.uplink.ours, err = v.stack.AddInterface(ours); err != nil {
		ours.Close()
		return err
	}
	for n, e := range ends {
		ends[n].gateway = otherHost(e.prefix)
		if err := v.uplink.parents.Ctl(fmt.Sprintf("add %v/%d", ends[n].gateway, e.prefix.Bits())); err != nil {
			return err
		}
	}
	if err := parent.WriteCtl("ip.forward on"); err != nil {
		return err
	}
	return v.address(ends)
}

// bridge plugs the view into the switch of the parent's NIC.
func (v *View) bridge(ends []end) error {
	sw, err := v.host.theBridge()
	if err != nil {
		return err
	}
	port, err := sw.Port(v.nicName())
	if err != nil {
		return err
	}
	if v.uplink.ours, err = v.stack.AddInterface(port); err != nil {
		port.Close()
		return err
	}
	return v.address(ends)
}

// address configures the view's end.
func (v *View) address(ends []end) error {
	for _, e := range ends {
		if err := v.uplink.ours.Ctl("add " + e.prefix.String()); err != nil {
			return err
		}
		if !e.gateway.IsValid() {
			continue
		}
		tag := ""
		if err := v.stack.WriteRoute(defaultRoute(e.gateway), &tag); err != nil {
			return err
		}
	}
	return nil
}

// defaultRoute is the line of iproute for a gateway.
func defaultRoute(gateway netip.Addr) string {
	if gateway.Is6() {
		return "add ::/0 " + gateway.String()
	}
	return "add 0.0.0.0/0 " + gateway.String()
}

// theBridge is the switch between the parent's first NIC, the parent and its
// views. The first one to ask has it made.
func (h *Host) theBridge() (*nic.Switch, error) {
	if h.bridge != nil {
		return h.bridge, nil
	}
	i, wire := h.firstNIC()
	if i == nil {
		return nil, neterr.NoInterface.With("the parent has no NIC that a switch could have")
	}
	sw, err := nic.NewSwitch(nic.SwitchOptions{MTU: wire.MTU()})
	if err != nil {
		return nil, err
	}
	port, err := sw.Port(i.String())
	if err != nil {
		return nil, err
	}
	// From here on frames that come in wait in the port, and go out as before,
	// until the interface has moved.
	if err := sw.Attach(wire); err != nil {
		port.Close()
		return nil, err
	}
	if err := i.Replug(wire, port); err != nil {
		sw.Close()
		port.Close()
		return nil, err
	}
	h.bridge = sw
	return sw, nil
}

// firstNIC is the root's first interface that leads outside: into no switch or link
// of ours, where a view can be plugged in itself.
func (h *Host) firstNIC() (*Iface, nic.NIC) {
	for _, num := range h.root.stack.Ifaces() {
		if i := h.root.stack.Iface(num); i != nil && !h.cables[i] {
			if n := i.NIC(); n != nil && !isPlug(i.Spec()) {
				return i, n
			}
		}
	}
	return nil, nil
}
