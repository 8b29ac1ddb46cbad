package stack

// The NICs of a view besides its uplink: the verb nic of view/NAME/ctl, and what
// of its configuration is read there.

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"slashnet/nic"
	"slashnet/route"
	"slashnet/stack/neterr"
)

// nic carries out `nic SPEC [ADDR/LEN [GATEWAY]]` and `nic SPEC off`. A view has
// each switch, and each end of a link, once.
func (v *View) nic(args []string) error {
	spec, args := args[0], args[1:]
	has := v.bound(spec)
	if len(args) == 1 && args[0] == "off" {
		if has == nil {
			return neterr.NotFound.With("the view has no NIC %s", clip(spec))
		}
		v.stack.RemoveInterface(has)
		return nil
	}
	if len(args) > 2 {
		return neterr.BadControl.With("nic %s ADDR/LEN GATEWAY is wanted, not %q too", clip(spec), clip(args[2]))
	}
	lines := []string{"bind ether " + spec}
	if len(args) > 0 {
		lines = append(lines, "add "+args[0])
	}
	route, err := routeBy(args)
	if err != nil {
		return err
	}
	if has != nil {
		if len(args) == 0 || v.begins(has, args) {
			return nil
		}
		return neterr.Busy.With("it has %s already: write `%s` first, or, for another address, `%v: add %s`", has.Spec(), "nic "+has.Spec()+" off", has, clip(args[0]))
	}
	i, err := v.stack.CloneIface()
	if err != nil {
		return err
	}
	for _, line := range lines {
		if err = i.Ctl(line); err != nil {
			break
		}
	}
	if err == nil && route != "" {
		tag := ""
		err = v.stack.WriteRoute(route, &tag)
	}
	if err != nil {
		v.stack.RemoveInterface(i)
	}
	return err
}

// routeBy is the default route by the gateway of a line nic, which must be a
// neighbour.
func routeBy(args []string) (line string, err error) {
	if len(args) < 2 {
		return "", nil
	}
	p, err := netip.ParsePrefix(args[0])
	if err != nil {
		return "", neterr.BadAddress.With("%q: ADDR/LEN is wanted, as in 10.0.0.2/24", clip(args[0]))
	}
	gateway, err := netip.ParseAddr(args[1])
	if err != nil || !p.Contains(gateway) || gateway == p.Addr() {
		return "", neterr.BadAddress.With("%q as a gateway: another address in %v is wanted", clip(args[1]), p.Masked())
	}
	return defaultRoute(gateway), nil
}

// bound finds the interface that is plugged in where spec says.
func (v *View) bound(spec string) *Iface {
	for _, num := range v.stack.Ifaces() {
		if i := v.stack.Iface(num); i != nil && i.Spec() != "" && sameSpec(i.Spec(), spec) {
			return i
		}
	}
	return nil
}

// begins reports whether an interface is what a line nic with these arguments
// makes.
func (v *View) begins(i *Iface, args []string) bool {
	line := strings.Fields(v.nicLine(i))
	return len(line) >= 2+len(args) && strings.Join(line[2:2+len(args)], " ") == strings.Join(args, " ")
}

// nicLine is the line that makes an interface.
func (v *View) nicLine(i *Iface) string {
	line := "nic " + i.Spec()
	addrs := i.Addrs()
	if len(addrs) == 0 {
		return line
	}
	line += " " + addrs[0].String()
	for _, r := range v.stack.Gateways() {
		if defaultBy(r, addrs[0]) {
			return line + " " + r.Via.String()
		}
	}
	return line
}

// defaultBy reports whether r is the plain default route by a neighbour in p.
func defaultBy(r route.Route, p netip.Prefix) bool {
	return r.Prefix.Bits() == 0 && r.Metric == 0 && p.Contains(r.Via)
}

// wiringText is what makes the NICs, the routes, the names and the settings of a
// view: lines of its ctl.
func (v *View) wiringText() string {
	var b strings.Builder
	var firsts []netip.Prefix // the line nic, or uplink, brings the default route by one of these back
	for _, num := range v.stack.Ifaces() {
		i := v.stack.Iface(num)
		if i == nil {
			continue
		}
		addrs := i.Addrs()
		if i.Spec() != "" {
			fmt.Fprintln(&b, v.nicLine(i))
			for _, a := range addrs[min(1, len(addrs)):] {
				fmt.Fprintf(&b, "%v: add %v\n", i, a)
			}
		}
		b.WriteString(i.ImpairText())
		if len(addrs) > 0 {
			firsts = append(firsts, addrs[0])
		}
	}
	for _, r := range v.stack.Gateways() {
		if !slices.ContainsFunc(firsts, func(p netip.Prefix) bool { return defaultBy(r, p) }) {
			fmt.Fprintf(&b, "iproute: add %v %v %d\n", r.Prefix, r.Via, r.Metric)
		}
	}
	if names := v.stack.cfg.Names; names != nil {
		for line := range strings.Lines(names.Written()) {
			b.WriteString("ndb: " + line)
		}
	}
	for _, line := range v.stack.Changed() {
		if !strings.HasPrefix(line, "limit.") {
			b.WriteString("ctl: " + line + "\n")
		}
	}
	return b.String()
}

// Spec is what named the NIC of an interface in a line of control; empty: it was
// not one.
func (i *Iface) Spec() string {
	i.stack.lock()
	defer i.stack.unlock()
	return i.spec
}

// Addrs are the addresses that an interface was given, with their subnets: not those
// that it has formed itself.
func (i *Iface) Addrs() (all []netip.Prefix) {
	i.stack.lock()
	defer i.stack.unlock()
	for _, a := range i.addrs {
		if !a.formed && !linkLocal6.Contains(a.prefix.Addr()) {
			all = append(all, a.prefix)
		}
	}
	return all
}

// ImpairText are the lines that make a bad cable of that of an interface.
func (i *Iface) ImpairText() string {
	i.stack.lock()
	defer i.stack.unlock()
	if i.lossy == nil {
		return ""
	}
	var b strings.Builder
	for d, name := range wayNames {
		if p := i.lossy.Impaired(nic.Direction(d)); p != (nic.Impair{}) {
			fmt.Fprintf(&b, "%v: impair %s %v\n", i, name, p)
		}
	}
	return b.String()
}

// Gateways are the routes that somebody has added.
func (s *Stack) Gateways() (all []route.Route) {
	s.lock()
	defer s.unlock()
	for _, r := range s.routes.All() {
		if r.Kind == route.Gateway {
			all = append(all, r)
		}
	}
	return all
}

// Changed are the knobs that do not have their first value, as lines of ctl.
func (s *Stack) Changed() (lines []string) {
	s.lock()
	defer s.unlock()
	first := defaultKnobs()
	for i := range knobTable {
		k := &knobTable[i]
		if value := k.get(&s.knobs); value != k.get(&first) {
			lines = append(lines, k.name+" "+value)
		}
	}
	return lines
}
