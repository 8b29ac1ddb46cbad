package stack

// The files of an interface: ctl, status, local, stats (ip(3), ipifc).

import (
	"fmt"
	"strings"

	"slashnet/ndp"
	"slashnet/nic"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

const ifVerbs = "bind ether NIC, unbind, add ADDR/LEN, try ADDR/LEN, remove ADDR/LEN, mtu N, rpfilter off|loose|strict, impair [in|out] …|off, up, down"

// Ctl carries out one line written to an interface's ctl.
func (i *Iface) Ctl(line string) error {
	s := i.stack
	line = strings.TrimSuffix(line, "\n")
	w := strings.Fields(line)
	if len(w) > 0 && w[0] == "bind" {
		return i.bindLine(line, w[1:])
	}
	s.lock()
	var end *stopped
	err := checkLine(line)
	if err == nil {
		end, err = i.verb(w[0], w[1:])
	}
	err = s.told(i.String(), line, err)
	s.unlock()
	if end != nil {
		end.stop()
	}
	return err
}

// wayNames are the directions of an interface.
var wayNames = [2]string{nic.In: "in", nic.Out: "out"}

func (i *Iface) verb(verb string, args []string) (end *stopped, err error) {
	if i.nic == nil {
		return nil, neterr.NotBound.With("%v: write `bind ether NIC` to its ctl first", i)
	}
	switch verb {
	case "unbind":
		if err := noArgs(verb, args); err != nil {
			return nil, err
		}
		if i.loopback {
			return nil, neterr.Permission.With("the stack talks to itself through %v", i)
		}
		return i.unbind(), nil
	case "add", "remove", "del", "try":
		p, rest, err := parsePrefix(args)
		if err != nil {
			return nil, err
		}
		if len(rest) > 0 && verb != "remove" && verb != "del" {
			return nil, neterr.BadControl.With("%s ADDR/LEN is wanted, not %q too", verb, clip(rest[0]))
		}
		switch {
		case verb == "try", verb == "add" && p.Addr().Is4() && i.stack.knobs.probe:
			return nil, i.try(p)
		case verb == "add":
			return nil, i.add(p)
		}
		return nil, i.remove(p)
	case "mtu":
		n, err := oneNumber(verb, args, MinMTU, uint64(i.nic.MTU()))
		if err == nil && i.ip6 != nil && n < wire.MinIPv6MTU {
			err = neterr.BadArg.With("mtu %d: %v speaks IPv6, which wants %d at least (RFC 8200 §5)", n, i, wire.MinIPv6MTU)
		}
		if err == nil {
			i.mtu = int(n)
		}
		return nil, err
	case "rpfilter":
		if len(args) != 1 {
			return nil, neterr.BadControl.With("rpfilter takes off, loose or strict")
		}
		check, err := parsePathCheck(args[0])
		if err == nil {
			i.pathCheck = check
		}
		return nil, err
	case "impair":
		return nil, impair(args, wayNames, func(d int, p nic.Impair) error { return i.lossy.Set(nic.Direction(d), p) })
	case "up", "down":
		err := noArgs(verb, args)
		if err == nil {
			i.down = verb == "down"
			if !i.down {
				i.claims.again()
			}
		}
		return nil, err
	}
	if known, err := i.verb6(verb, args); known {
		return nil, err
	}
	return nil, neterr.UnknownControl.With("%q: %s, %s are known", clip(verb), ifVerbs, ifVerbs6)
}

// MinMTU is the least MTU that is taken. RFC 791 §3.2 allows links of 68 bytes;
// there a TCP segment with its options would have no room for data.
const MinMTU = 100

// bindLine opens a NIC, which takes system calls and so is done without the lock.
func (i *Iface) bindLine(line string, args []string) error {
	s := i.stack
	s.lock()
	err := checkLine(line)
	switch {
	case err != nil:
	case s.ifaces[i.num] != i:
		err = neterr.NoInterface.With("%v has been taken away", i)
	case i.nic != nil:
		err = neterr.AlreadyBound.With("%v to %s", i, i.device)
	case len(args) != 2 || args[0] != "ether":
		err = neterr.BadArg.With("%q: bind ether %s is wanted", clip(line), nicSpecs)
	}
	s.told(i.String(), line, err)
	s.unlock()
	if err != nil {
		return err
	}
	n, spec, err := s.open(args[1], i)
	if err != nil {
		s.Logf("%v: %s: %v", i, clip(line), err)
		return err
	}
	return i.start(n, spec)
}

// start binds an opened NIC, unless somebody was faster.
func (i *Iface) start(n nic.NIC, spec string) error {
	s := i.stack
	s.lock()
	late := i.nic != nil || s.closing || s.ifaces[i.num] != i
	var begin func()
	if !late {
		begin = i.bind(n, false)
		i.spec = spec
	}
	s.unlock()
	if late {
		n.Close()
		return neterr.AlreadyBound.With("%v", i)
	}
	begin()
	return nil
}

// mediumHeader is what Plan 9 counts into the MTU of an ether.
const mediumHeader = 14

// StatusText is the file status: Plan 9's two kinds of lines.
func (i *Iface) StatusText() string {
	i.stack.lock()
	defer i.stack.unlock()
	var b strings.Builder
	linkMTU, reachable, retrans, ttl := i.heard6()
	fmt.Fprintf(&b, "device %s maxtu %d sendra 0 recvra %d mflag 0 oflag 0 maxraint 600000 minraint 200000 linkmtu %d reachtime %d rxmitra %d ttl %d routerlt 0 pktin %d pktout %d errin %d errout %d\n",
		i.deviceName(), i.mtu+mediumHeader, i.recvRA(), linkMTU, reachable.Milliseconds(), retrans.Milliseconds(), ttl, i.in.frames, i.sent.frames.Load(), i.drops.total(), i.sent.errors.Load())
	for _, a := range i.addrs {
		b.WriteString(i.addrRow(a.prefix, a.valid, a.preferred) + "\n")
	}
	tentative := i.tentative()
	for _, p := range tentative {
		b.WriteString(i.addrRow(p, ndp.Forever, ndp.Forever) + " tentative\n")
	}
	if len(i.addrs)+len(tentative) == 0 {
		b.WriteString("\n")
	}
	if i.nic != nil {
		b.WriteString(i.claims.text())
	}
	return b.String()
}

func (i *Iface) deviceName() string {
	if i.nic == nil {
		return "-"
	}
	return i.device
}

// LocalText is the file local: each address and what is linked to it.
func (i *Iface) LocalText() string {
	i.stack.lock()
	defer i.stack.unlock()
	var b strings.Builder
	for _, a := range i.addrs {
		fmt.Fprintf(&b, "%-40v->%40v", a.prefix.Addr(), a.prefix.Addr())
		if a.prefix.Addr().Is6() && !i.loopback {
			fmt.Fprintf(&b, "%40v", solicitedNode(a.prefix.Addr()))
		}
		if bc, ok := broadcastOf(a.prefix); ok && !i.loopback {
			fmt.Fprintf(&b, "%40v", bc)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// StatsText is the file stats: what went through and what was dropped, by reason.
func (i *Iface) StatsText() string {
	i.stack.lock()
	defer i.stack.unlock()
	var b strings.Builder
	row := func(name string, v any) { fmt.Fprintf(&b, "%s: %v\n", name, v) }
	row("addr", i.mac.Plan9())
	row("mtu", i.mtu)
	row("in", i.in.frames)
	row("in bytes", i.in.bytes)
	row("out", i.sent.frames.Load())
	row("out bytes", i.sent.bytes.Load())
	row("out errors", i.sent.errors.Load())
	for r := dropReason(1); r < dropReasons; r++ {
		row("dropped "+dropNames[r], i.drops[r])
	}
	if i.nic != nil {
		fmt.Fprintf(&b, "arp: %+v\n", i.arp.Stats())
		for d, name := range wayNames {
			row("impair "+name, i.lossy.Impaired(nic.Direction(d)))
			mischief(&b, name, i.lossy.Mischief(nic.Direction(d)))
		}
		row("snoop missed", i.captures.Missed())
	}
	if i.ip6 != nil {
		fmt.Fprintf(&b, "nd: %+v\n", i.ip6.cache.Stats())
	}
	return b.String()
}

func (d *dropCounters) total() (n uint64) {
	for _, c := range d {
		n += c
	}
	return n
}
