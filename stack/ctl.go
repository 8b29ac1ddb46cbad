package stack

// The language of a conversation's ctl: one command a line. op.go calls beginCtl
// and tryCtl for what is written, and beginAccept for the path; connect.go has connect
// and dial, tcpctl.go the verbs that only TCP has.

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

const (
	// maxCtl bounds one write to a ctl, so that nobody parses a megabyte under the
	// lock.
	maxCtl = 64 << 10
	// maxLine bounds one command: the longest name of a host, twice, and its verb.
	maxLine = 1024
)

// ctlLines splits a write into its commands.
func ctlLines(data []byte) ([]string, error) {
	if len(data) > maxCtl {
		return nil, neterr.BadArg.With("%d bytes of control: at most %d", len(data), maxCtl)
	}
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			return nil, neterr.ShortControl.With("a verb is wanted: %s", verbList)
		}
		if err := checkLine(line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func checkLine(line string) error {
	switch {
	case len(line) > maxLine:
		return neterr.BadArg.With("a line of %d bytes: at most %d", len(line), maxLine)
	case !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' && r != '\r' }):
		return neterr.BadArg.With("%q: not a line of text", clip(line))
	case strings.TrimSpace(line) == "":
		return neterr.ShortControl.With("the line is empty")
	}
	return nil
}

// words splits a command at blanks, with rc's quotes.
func words(line string) (out []string, err error) {
	var word strings.Builder
	inWord, quoted := false, false
	for n := 0; n < len(line); n++ {
		switch b := line[n]; {
		case b == '\'' && quoted && n+1 < len(line) && line[n+1] == '\'':
			word.WriteByte(b)
			n++
		case b == '\'':
			quoted, inWord = !quoted, true
		case !quoted && (b == ' ' || b == '\t' || b == '\r'):
			if inWord {
				out = append(out, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteByte(b)
			inWord = true
		}
	}
	if quoted {
		return nil, neterr.BadControl.With("%q: a quote is not closed", clip(line))
	}
	if inWord {
		out = append(out, word.String())
	}
	return out, nil
}

func (s *Stack) beginCtl(op *Op) bool {
	lines, err := ctlLines(op.Data)
	if err != nil {
		return s.refuse(op, err)
	}
	op.lines = lines
	return true
}

// tryCtl runs the lines that are left; a connect under way stops it until the
// conversation is settled.
func (s *Stack) tryCtl(op *Op) (done bool, err error) {
	c := op.Conv
	for len(op.lines) > 0 {
		line := op.lines[0]
		if op.started {
			done, err = c.connectEnded()
		} else {
			done, err = c.command(op, line)
			op.started = !done
		}
		if !done {
			return false, nil
		}
		op.started = false
		if err != nil {
			c.fail(fmt.Errorf("%s: %w", clip(line), err))
			return true, err
		}
		op.lines = op.lines[1:]
	}
	op.N = len(op.Data)
	return true, nil
}

const verbList = "connect announce bind close hangup shutdown keep linger keepalive retries nodelay ttl tos ipoptions backlog rtimeout rcvbuf sndbuf mss headers addmulti remmulti checksum ignoreadvice accept reject"

// command runs one line. Not done: it is a connect whose end is to be waited for.
func (c *Conv) command(op *Op, line string) (done bool, err error) {
	w, err := words(line)
	if err != nil {
		return true, err
	}
	verb, args := w[0], w[1:]
	if c.phase == hungup && verb != "hangup" && verb != "close" {
		return true, neterr.Hungup
	}
	switch verb {
	case "connect":
		return c.connectVerb(op.User, args)
	case "announce":
		return true, c.announceVerb(op.User, args)
	case "bind":
		return true, c.bindVerb(op.User, args)
	case "hangup":
		if err := noArgs(verb, args); err != nil {
			return true, err
		}
		c.hangup(neterr.Aborted)
		c.closing = true
		return true, nil
	case "close":
		if err := noArgs(verb, args); err != nil {
			return true, err
		}
		c.closeGracefully()
		return true, nil
	case "accept", "reject": // Plan 9's programs say so to a call: nothing to do
		return true, nil
	}
	if known, err := c.setting(verb, args); known {
		return true, err
	}
	if known, err := c.proto.control(c, verb, args); known {
		return true, err
	}
	return true, neterr.UnknownControl.With("%q: %s are known", clip(verb), verbList)
}

func noArgs(verb string, args []string) error {
	if len(args) > 0 {
		return neterr.BadControl.With("%s takes no argument, not %q", verb, clip(args[0]))
	}
	return nil
}

// joinPort lets `connect host port` mean host:port, for shells whose users cannot
// type an exclamation mark.
func joinPort(args []string) []string {
	if len(args) >= 2 && !strings.ContainsAny(args[0], "!") && !strings.Contains(args[0], ":") {
		return append([]string{args[0] + "!" + args[1]}, args[2:]...)
	}
	return args
}

// reservedPort finds a port of 600-1023, for rlogin and its like (connect's !r).
func (c *Conv) reservedPort(u User, remote netip.AddrPort) (netip.AddrPort, error) {
	const lo, hi = 600, 1023
	if err := c.mayBind(u, lo); err != nil {
		return c.bound, err
	}
	src, _, err := c.stack.source(remote.Addr())
	if err != nil {
		return c.bound, err
	}
	for p := uint16(lo); p <= hi; p++ {
		if c.proto.free4(tuple{netip.AddrPortFrom(src, p), remote}) {
			return netip.AddrPortFrom(src, p), nil
		}
	}
	return c.bound, neterr.NoPorts.With("%d-%d are in use towards %v", lo, hi, bang(remote))
}

// mayBind: ports below the knob ip.unprivileged are for the owner of the tree and
// root. Identifiers of icmp are not ports.
func (c *Conv) mayBind(u User, port uint16) error {
	lowest := c.stack.knobs.unprivileged
	if port == 0 || int(port) >= lowest || isICMP(c.proto.num) || u.UID == 0 || u.UID == c.stack.cfg.Owner.UID {
		return nil
	}
	return neterr.Permission.With("port %d: those below %d, the knob ip.unprivileged, are for the owner of the tree and root", port, lowest)
}

func (c *Conv) announceVerb(u User, args []string) error {
	args = joinPort(args)
	if len(args) != 1 {
		return neterr.BadAnnounce.With("announce PORT or announce ADDR:PORT is wanted")
	}
	local, err := c.stack.parseLocal(c.proto.num, args[0])
	if err != nil {
		return err
	}
	return c.announce(u, local)
}

func (c *Conv) announce(u User, local netip.AddrPort) error {
	switch c.phase {
	case announced:
		if c.local == local {
			return nil
		}
		return neterr.InUse.With("%s/%d is announced at %v", c.proto.name, c.num, bang(c.local))
	case connecting, connected:
		return neterr.InUse.With("%s/%d is connected to %v", c.proto.name, c.num, bang(c.remote))
	}
	if err := c.mayBind(u, local.Port()); err != nil {
		return err
	}
	was := c.local
	c.local = local
	if err := c.proto.announce(c); err != nil {
		c.local = was
		return err
	}
	c.setPhase(announced)
	return nil
}

// bindVerb remembers our end for a later connect; it reserves nothing.
func (c *Conv) bindVerb(u User, args []string) error {
	args = joinPort(args)
	if len(args) != 1 {
		return neterr.BadBind.With("bind [ADDR:]PORT is wanted")
	}
	if c.phase != idle {
		return neterr.InUse.With("%s/%d has its address already", c.proto.name, c.num)
	}
	local, err := c.stack.parseLocal(c.proto.num, args[0])
	if err != nil {
		return err
	}
	if err := c.mayBind(u, local.Port()); err != nil {
		return err
	}
	c.bound = local
	return nil
}

// setting is a verb that every protocol has and that only notes something.
func (c *Conv) setting(verb string, args []string) (known bool, err error) {
	switch verb {
	case "ttl":
		ttl := uint64(255) // as on Plan 9
		if ttl, err = optionalNumber(verb, args, ttl, 1, 255); err == nil {
			c.ttl, c.ttlSet = uint8(ttl), true
		}
	case "tos":
		var tos uint64
		if tos, err = optionalNumber(verb, args, 0, 0, 255); err == nil {
			c.tos = uint8(tos)
		}
	case "ignoreadvice":
		if err = noArgs(verb, args); err == nil {
			c.ignoreAdvice = true
		}
	case "headers":
		if c.proto.num != wire.UDP {
			return true, neterr.NotSupported.With("headers is a verb of udp")
		}
		if err = noArgs(verb, args); err == nil {
			c.headers = true
			c.stack.touch(c) // who listens learns that he cannot any more
		}
	case "ipoptions":
		return true, c.ipOptionsVerb(args)
	case "rtimeout":
		var d time.Duration
		if d, err = oneDuration(verb, args, time.Millisecond); err == nil {
			c.readTimeout = d
		}
	case "keep":
		if len(args) == 1 && args[0] == "forever" {
			c.keep = keepForever
			return true, nil
		}
		var d time.Duration
		if d, err = oneDuration(verb, args, time.Second); err == nil {
			c.keep = d
		}
	case "backlog":
		var n uint64
		if n, err = oneNumber(verb, args, 1, 65535); err == nil {
			c.backlog = int(n)
		}
	default:
		return false, nil
	}
	return true, err
}

func optionalNumber(verb string, args []string, none, lo, hi uint64) (uint64, error) {
	if len(args) == 0 {
		return none, nil
	}
	return oneNumber(verb, args, lo, hi)
}

func oneNumber(verb string, args []string, lo, hi uint64) (uint64, error) {
	if len(args) != 1 {
		return 0, neterr.BadControl.With("%s takes a number of %d-%d", verb, lo, hi)
	}
	n, err := strconv.ParseUint(args[0], 0, 64)
	if err != nil || n < lo || n > hi {
		return 0, neterr.BadArg.With("%s %q: a number of %d-%d is wanted", verb, clip(args[0]), lo, hi)
	}
	return n, nil
}

// longest is the longest time that a verb takes: six weeks, and far from where
// sums of times overflow.
const longest = 1000 * time.Hour

func oneDuration(verb string, args []string, unit time.Duration) (time.Duration, error) {
	if len(args) == 1 {
		if d, ok := parseDuration(args[0], unit); ok && d <= longest {
			return d, nil
		}
		return 0, neterr.BadArg.With("%s %q: a time of up to %v is wanted, as in 500ms or 5s; a bare number counts %v", verb, clip(args[0]), longest, unit)
	}
	return 0, neterr.BadControl.With("%s takes a time, as in 500ms or 5s", verb)
}

// --- the path accept/PORT

// beginAccept finds the listener of a path or makes it.
func (s *Stack) beginAccept(op *Op) bool {
	pr := s.proto(op.Proto)
	local, err := netip.AddrPort{}, checkLine(op.Addr)
	if err == nil {
		local, err = s.parseLocal(op.Proto, op.Addr)
	}
	if err == nil && local.Port() == 0 {
		err = neterr.BadPort.With("%q: a port of 1-65535 is wanted", clip(op.Addr))
	}
	if err != nil {
		return s.refuse(op, err)
	}
	l := pr.listeners[local]
	if l == nil {
		if l, err = s.clone(op.Proto, op.User, true); err != nil {
			return s.refuse(op, err)
		}
		l.held--
		l.keep = lifeAccept
		if err := l.announce(op.User, local); err != nil {
			l.closeGracefully()
			return s.refuse(op, err)
		}
	}
	if l.owner.UID != op.User.UID {
		return s.refuse(op, neterr.AddrInUse.With("%v is announced by another user, as %s/%d", bang(local), pr.name, l.num))
	}
	op.Conv = l
	if err := l.listening(); err != nil {
		return s.refuse(op, err)
	}
	l.waiting++
	return true
}
