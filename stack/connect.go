package stack

// Connecting: from the words of `connect HOST:PORT` or dial/HOST:PORT to a
// connection, by way of names.go where HOST is a name. ctl.go calls
// connectVerb, op.go beginDial and tryDial, the protocols attemptFailed.

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slashnet/route"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// An attempt is a connect under way: the look-up of a name, then its addresses,
// until one answers (rivals.go).
type attempt struct {
	target destination
	user   User
	bound  netip.AddrPort // our end, as asked for
	hosts  []netip.Addr   // still to be tried
	tried  []string       // those that failed, and how

	rivals  []*Conv            // that try addresses beside the first
	rivalAt time.Duration      // when there is to be one more; 0: never
	cancel  context.CancelFunc // of the look-up; nil when it is over
}

// connectEnded reports how the connect that was begun has ended.
func (c *Conv) connectEnded() (done bool, err error) {
	switch c.phase {
	case connecting:
		return false, nil
	case connected:
		return true, nil
	case hungup:
		if c.cause != nil {
			return true, c.cause
		}
		return true, neterr.Aborted
	}
	c.failed = ""
	return true, c.connectErr
}

// outcomeFor is how long the outcome of a connect that nobody waited for is kept
// for whoever writes the same line again.
const outcomeFor = 5 * time.Second

// connectVerb begins to connect. Without O_NONBLOCK its operation waits for the
// end of it. With it the write gets EAGAIN, and the same line written again, once
// poll says that it can be, gets the outcome. So Go's os.WriteFile, which makes
// every file that polls nonblocking by itself, connects; EINPROGRESS would be an
// error to it.
func (c *Conv) connectVerb(u User, args []string) (done bool, err error) {
	if !isICMP(c.proto.num) {
		args = joinPort(args)
	}
	if len(args) < 1 || len(args) > 2 {
		return true, neterr.BadConnect.With("connect HOST:PORT [LOCALPORT] is wanted")
	}
	to, err := parseDestination(c.proto.num, args[0])
	if err != nil {
		return true, err
	}
	switch c.phase {
	case announced:
		return true, neterr.InUse.With("%s/%d is announced", c.proto.name, c.num)
	case connecting, connected:
		if c.attempt == nil {
			return true, neterr.InUse.With("%s/%d is a call from %v", c.proto.name, c.num, bang(c.remote))
		}
		// dash sends a whole write again after a signal: the same connect joins.
		if c.attempt.target == to {
			return c.connectEnded()
		}
		if c.phase == connecting {
			return true, neterr.Connecting.With("to %v", c.attempt.target)
		}
		return true, neterr.InUse.With("connected to %v", bang(c.remote))
	}
	if c.phase == idle && c.failed == to.String() && c.stack.now < c.changed+outcomeFor {
		return c.connectEnded()
	}
	a := &attempt{target: to, user: u, bound: c.bound}
	if len(args) == 2 {
		if a.bound, err = c.stack.parseLocal(c.proto.num, args[1]); err != nil {
			return true, err
		}
	}
	if err := c.mayBind(u, a.bound.Port()); err != nil {
		return true, err
	}
	return c.begin(a)
}

// begin starts an attempt: at once with an address, else with a look-up.
func (c *Conv) begin(a *attempt) (done bool, err error) {
	if a.target.addr.IsValid() {
		if c.only4 && a.target.addr.Is6() {
			return true, neterr.BadAddress.With("%v: an IPv4 address is wanted", a.target.addr)
		}
		a.hosts = []netip.Addr{a.target.addr}
		c.attempt = a
		if err := c.tryNext(); err != nil {
			c.attempt = nil
			return true, err
		}
		c.connectErr = nil
		return c.phase != connecting, nil
	}
	if err := c.stack.lookUp(c, a); err != nil {
		return true, err
	}
	c.attempt, c.connectErr = a, nil
	c.setPhase(connecting)
	return false, nil
}

// tryNext connects to the next address of the attempt that can be tried. The
// error is that of the last one.
func (c *Conv) tryNext() (err error) {
	a := c.attempt
	for len(a.hosts) > 0 {
		if err = a.next(c); err == nil {
			c.expectRival()
			return nil
		}
	}
	return err
}

// next has conversation c try the next address of an attempt.
func (a *attempt) next(c *Conv) (err error) {
	remote := netip.AddrPortFrom(c.stack.named(a.hosts[0]), a.target.port)
	a.hosts = a.hosts[1:]
	was := c.bound
	c.bound = a.bound
	if a.target.reserved {
		c.bound, err = c.reservedPort(a.user, remote)
	}
	if err == nil {
		err = c.proto.connect(c, remote)
	}
	c.bound = was
	if err != nil {
		a.failed(remote.Addr(), err)
	}
	return err
}

// failed notes an address that was tried in vain.
func (a *attempt) failed(addr netip.Addr, err error) {
	a.tried = append(a.tried, fmt.Sprintf("%v: %v", addr, err))
}

// maxTried is how many addresses an error tells of.
const maxTried = 4

// all is the error of the last address, with what the others said if there were any.
func (a *attempt) all(err error) error {
	n := len(a.tried) - 1
	if err == nil || n < 1 {
		return err
	}
	told := a.tried[max(0, n-maxTried):n]
	return fmt.Errorf("%w; before it %d in vain: %s", err, n, strings.Join(told, ", "))
}

// attemptFailed is told that the address under way does not answer; the next one
// is tried, or the conversation is as it was before.
func (c *Conv) attemptFailed(err error) {
	if a := c.attempt; a != nil {
		a.failed(c.remote.Addr(), err)
		if len(a.rivals) > 0 {
			c.takeOver(a.rivals[0])
			c.startRival()
			return
		}
		if len(a.hosts) > 0 {
			if err = c.tryNext(); err == nil {
				return
			}
		}
		err = a.all(err)
	}
	c.giveUp(err)
}

// giveUp ends an attempt that has failed.
func (c *Conv) giveUp(err error) {
	c.connectErr = err
	c.local, c.remote = netip.AddrPort{}, netip.AddrPort{}
	if c.attempt != nil {
		c.failed = c.attempt.target.String()
		c.fail(fmt.Errorf("%w: connect to %v", err, c.attempt.target))
		c.attempt = nil
	}
	c.setPhase(idle)
}

// endAttempt stops the look-up of a conversation that is being closed, and whoever
// tries other addresses.
func (c *Conv) endAttempt() {
	if c.attempt != nil {
		c.attempt.retireRivals()
	}
	if c.attempt != nil && c.attempt.cancel != nil {
		c.attempt.cancel()
		c.attempt.cancel = nil
	}
}

// --- our own end

// localFor is our end of a connection: as bound, else by the route.
func (s *Stack) localFor(c *Conv, remote netip.AddrPort) (netip.AddrPort, path, error) {
	src, to, err := s.source(remote.Addr())
	if err != nil {
		return netip.AddrPort{}, to, err
	}
	if b := c.bound.Addr(); b.IsValid() && !b.IsUnspecified() {
		if s.own[b] == nil {
			return netip.AddrPort{}, to, neterr.NotLocal.With("%v", b)
		}
		src = b
	}
	return netip.AddrPortFrom(src, c.bound.Port()), to, nil
}

// localPort is localFor with a port that is free towards the other end.
func (s *Stack) localPort(c *Conv, remote netip.AddrPort) (netip.AddrPort, path, error) {
	local, to, err := s.localFor(c, remote)
	if err != nil {
		return local, to, err
	}
	if local.Port() == 0 {
		port, err := s.ephemeral(c.proto, local.Addr(), remote)
		return netip.AddrPortFrom(local.Addr(), port), to, err
	}
	t := tuple{local, remote}
	if l := c.proto.listener(local); l != nil && l.owner.UID != c.owner.UID {
		return local, to, neterr.AddrInUse.With("%v is announced by another user, as %s/%d", bang(local), c.proto.name, l.num)
	}
	if c.proto.flows[t] != nil || c.proto.waits.byTuple[t] != nil {
		return local, to, neterr.AddrInUse.With("%v to %v", bang(local), bang(remote))
	}
	return local, to, nil
}

// --- names

// lookUp has the addresses of an attempt's host found.
func (s *Stack) lookUp(c *Conv, a *attempt) (err error) {
	a.cancel, err = s.ask(a.user, func(ctx context.Context) func() {
		addrs, err := s.cfg.Names.Lookup(ctx, a.target.host)
		return func() { s.found(c, a, addrs, err) }
	})
	return err
}

// found is the end of a look-up.
func (s *Stack) found(c *Conv, a *attempt, addrs []netip.Addr, err error) {
	if c.attempt != a || c.phase != connecting {
		return // hung up meanwhile
	}
	a.cancel = nil
	a.hosts = s.inOrder(c.proto, c.only4, addrs)
	if err == nil && len(a.hosts) == 0 {
		err = neterr.UnknownName.With("%q has no address that %s can use", a.target.host, c.proto.name)
	}
	if err == nil {
		err = a.all(c.tryNext())
	}
	if err != nil {
		c.giveUp(err)
	}
	s.touch(c)
}

// inOrder are the addresses of a name that a protocol can use, in the order in
// which they are to be tried (RFC 6724 §6).
func (s *Stack) inOrder(pr *protocol, only4 bool, addrs []netip.Addr) []netip.Addr {
	addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		return a.Is6() && (pr.num == wire.ICMP || only4) || pr.num == wire.ICMPv6 && a.Is4()
	})
	route.Sort(addrs, func(a netip.Addr) (netip.Addr, bool) {
		src, _, err := s.source(s.named(a))
		return src, err == nil
	})
	return addrs
}

// --- the path dial/HOST:PORT

// beginDial makes the conversation of a dial and begins to connect it.
func (s *Stack) beginDial(op *Op) bool {
	if err := checkLine(op.Addr); err != nil {
		return s.refuse(op, neterr.BadAddress.With("%q", clip(op.Addr)))
	}
	c, err := s.clone(op.Proto, op.User, false)
	if err != nil {
		return s.refuse(op, err)
	}
	c.only4 = op.only4
	if _, err := c.connectVerb(op.User, []string{op.Addr}); err != nil {
		c.drop()
		s.logFor(op.User, "%s/dial/%s: %v", c.proto.name, clip(op.Addr), err)
		s.finish(op, err)
		return false
	}
	if isICMP(op.Proto) {
		c.ping = &pinger{next: s.now}
	}
	op.Conv = c
	return true
}

func (s *Stack) tryDial(op *Op) (done bool, err error) {
	if done, err = op.Conv.connectEnded(); !done {
		return false, nil
	}
	if err != nil {
		op.Conv.drop()
		s.logFor(op.User, "%s/dial/%s: %v", op.Conv.proto.name, clip(op.Addr), err)
		return true, err
	}
	op.Call = op.Conv
	return true, nil
}
