package stack

// Multicast groups (RFC 1112, RFC 3376, RFC 3810): the verbs addmulti and remmulti
// of a conversation join them, packages igmp and mld tell routers, up.go, ip6.go
// and down.go ask.

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"slashnet/igmp"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

const (
	// maxMemberships bounds the groups that one conversation joins, maxGroups those
	// that an interface is in: each is a report to routers.
	maxMemberships = 64
	maxGroups      = 512
	// groupTTL is that of datagrams to a group whose sender says nothing else: they
	// stay on the network (RFC 1112 §6.1).
	groupTTL = 1
)

// allHosts is the group that every interface is in.
var allHosts = netip.AddrFrom4([4]byte{224, 0, 0, 1})

// A membership is a group that a conversation has joined.
type membership struct {
	iface *Iface
	group netip.Addr
}

// groups is the part of an interface that is in multicast groups.
type groups struct {
	iface *Iface
	host  *igmp.Host
	timer timer
}

// newGroups makes it as an interface is bound: what was joined before is over.
func newGroups(i *Iface) *groups {
	g := &groups{iface: i, host: igmp.New(i.stack.random.Uint64)}
	g.timer.what = g
	return g
}

func (g *groups) deadline() (time.Duration, bool) {
	if g.iface.loopback {
		return 0, false // no router is to be told
	}
	return g.host.Deadline()
}

// tick sends the reports that are due.
func (g *groups) tick() {
	i := g.iface
	s := i.stack
	for r, ok := g.host.Output(s.now); ok; r, ok = g.host.Output(s.now) {
		var b [8]byte
		message := b[:]
		if r.Records != nil {
			message = wire.AppendIGMPReport(nil, r.Records)
		} else {
			r.Message.Put(message)
		}
		// RFC 3376 §4.2.13: without an address it is zero.
		src, ok := i.addrFor(r.To)
		if !ok {
			src = netip.IPv4Unspecified()
		}
		f := i.queue.newFrame()
		f.carry(message)
		// RFC 3376 §4: for neighbours, but routers are to look.
		s.send(f, path{i, r.To, true}, &wire.IP{Src: src, Dst: r.To, Proto: wire.IGMP, TTL: 1, TOS: precedenceControl, Options: wire.RouterAlert}, 0)
	}
	s.file(&g.timer)
}

// igmpInput takes a message of IGMP.
func (s *Stack) igmpInput(p *packet) {
	m, err := wire.ParseIGMP(p.payload)
	if err != nil {
		p.in.drops.add(dropIGMP)
		return
	}
	p.in.groups.host.Input(s.now, m, p.ip.Dst)
	s.file(&p.in.groups.timer)
}

// hears reports whether an interface is in a group; loopback is in those of all.
func (i *Iface) hears(group netip.Addr) bool {
	if group.Is6() {
		return i.listens(group)
	}
	if !i.loopback {
		return i.groups.host.In(group)
	}
	for _, other := range i.stack.ifaces {
		if other.nic != nil && other.groups.host.In(group) {
			return true
		}
	}
	return false
}

// join is the verb addmulti IFADDR [GROUP]; without a group it is the one that the
// conversation is connected to.
func (c *Conv) join(args []string) error {
	s := c.stack
	if len(args) < 1 || len(args) > 2 {
		return neterr.BadControl.With("addmulti IFADDR [GROUP] is wanted")
	}
	group, err := c.remote.Addr(), error(nil)
	if len(args) == 2 {
		group, err = netip.ParseAddr(args[1])
	}
	if err != nil || group.Zone() != "" || !group.IsMulticast() {
		return neterr.BadAddress.With("addmulti %q: a group of 224.0.0.0/4 or ff00::/8 is wanted", clip(args[len(args)-1]))
	}
	i, err := s.groupIface(args[0], group)
	if err == nil && group.Is6() {
		err = i.speak6()
	}
	if err != nil {
		return err
	}
	m := membership{i, group}
	switch {
	case slices.Contains(c.groups, m):
		return nil // a shell sends a whole write again
	case len(c.groups) >= maxMemberships:
		return neterr.NoConvs.With("%s/%d is in %d groups, the limit", c.proto.name, c.num, maxMemberships)
	case !i.hears(group) && i.groupCount(group) >= maxGroups:
		return neterr.NoConvs.With("%v is in %d groups, the limit", i, maxGroups)
	}
	c.groups = append(c.groups, m)
	i.joinGroup(group)
	return nil
}

// groupIface is the interface with an address, or, with *, the one that the way to
// a group leads through.
func (s *Stack) groupIface(word string, group netip.Addr) (*Iface, error) {
	if word == "*" {
		to, err := s.pathTo(group)
		return to.out, err
	}
	a, err := netip.ParseAddr(word)
	if err != nil {
		return nil, neterr.BadAddress.With("%q: an address of an interface or * is wanted", clip(word))
	}
	i := s.own[s.named(a)]
	if i == nil {
		return nil, neterr.NotLocal.With("%v: this stack has %s", a, s.ownText())
	}
	return i, nil
}

// leave is the verb remmulti GROUP.
func (c *Conv) leave(args []string) error {
	if len(args) != 1 {
		return neterr.BadControl.With("remmulti GROUP is wanted")
	}
	group, err := netip.ParseAddr(args[0])
	if err != nil {
		return neterr.BadAddress.With("remmulti %q: the address of a group is wanted", clip(args[0]))
	}
	c.leaveIf(func(m membership) bool { return m.group == group })
	return nil
}

// leaveIf ends memberships. Those of an interface that has lost its NIC since are
// over already.
func (c *Conv) leaveIf(over func(membership) bool) {
	c.groups = slices.DeleteFunc(c.groups, func(m membership) bool {
		if !over(m) {
			return false
		}
		m.iface.leaveGroup(m.group)
		return true
	})
}

func (i *Iface) joinGroup(group netip.Addr) {
	switch {
	case group.Is4():
		i.groups.host.Join(i.stack.now, group)
		i.groups.tick()
	case i.ip6 != nil:
		i.ip6.groups.Join(i.stack.now, group)
		i.ip6.settle()
	}
}

// groupCount is how many groups of the family an interface is in.
func (i *Iface) groupCount(group netip.Addr) int {
	switch {
	case group.Is4():
		return len(i.groups.host.Groups())
	case i.ip6 != nil:
		return len(i.ip6.groups.Groups())
	}
	return 0
}

func (i *Iface) leaveGroup(group netip.Addr) {
	switch {
	case group.Is6():
		if i.ip6 != nil {
			i.ip6.groups.Leave(i.stack.now, group)
			i.ip6.settle()
		}
	case i.nic != nil:
		i.groups.host.Leave(i.stack.now, group)
		i.groups.tick()
	}
}

// loseGroups ends the memberships of all conversations on an interface that loses
// its NIC.
func (i *Iface) loseGroups() {
	i.stack.unfile(&i.groups.timer)
	for _, c := range i.stack.proto(wire.UDP).all() {
		c.groups = slices.DeleteFunc(c.groups, func(m membership) bool { return m.iface == i })
	}
}

// groupPath is the way to a group: through the interface whose address src is;
// without one, through that of the route, else the first (RFC 1112 §6.1).
func (s *Stack) groupPath(src, dst netip.Addr) (path, error) {
	i := s.own[src]
	if r, ok := s.lookup(dst); ok && i == nil {
		i = s.ifaces[r.Iface]
	}
	for _, n := range s.ifnums() {
		if first := s.ifaces[n]; i == nil && first.nic != nil && !first.down && !first.loopback {
			i = first
		}
	}
	if i == nil {
		return path{}, neterr.NoRoute.With("to %v: there is no interface to send it from", dst)
	}
	return path{i, dst, true}, nil
}

// pathFrom is pathTo for a datagram with a source, which says where those to all
// leave.
func (s *Stack) pathFrom(src, dst netip.Addr) (path, error) {
	if dst.Is4() && (dst.IsMulticast() || dst == limitedBroadcast) && s.own[src] != nil {
		return s.groupPath(src, dst)
	}
	return s.pathTo(dst)
}

// groupsText are the groups of a conversation, as its status tells them.
func (c *Conv) groupsText() (all []string) {
	for _, m := range c.groups {
		all = append(all, fmt.Sprintf("%v@%d", m.group, m.iface.num))
	}
	return all
}
