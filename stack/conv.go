package stack

// Conv is a conversation: what Plan 9 calls a connection slot and Unix a socket.
// The protocols (tcp.go, udp.go, icmp.go) fill its protocol part, life.go says
// how long it lives, op.go what its users wait for.

import (
	"net/netip"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"slashnet/stack/neterr"
	"slashnet/stack/tcp"
	"slashnet/wire"
)

// A phase is how far a conversation has come, whatever its protocol. TCP's
// states are a second layer below it.
type phase uint8

const (
	idle phase = iota
	announced
	connecting
	connected
	hungup // no more of it: only what was queued can be read
)

// Conv is a conversation. Its exported methods may be called from anywhere.
type Conv struct {
	stack *Stack
	proto *protocol
	num   int
	name  string // given by mkdir; or empty
	owner User
	mode  uint32

	phase         phase
	local, remote netip.AddrPort // as the user has set or got them
	bound         netip.AddrPort // by the verb bind, for a later connect
	connectErr    error          // how the last connect failed
	failed        string         // where it went to, until somebody was told
	attempt       *attempt       // to connect, under way or done
	runsFor       *Conv          // of a rival: whom it tries an address for
	cause         error          // why it is hung up; nil: gracefully
	lastErr       string         // the words for the file err

	// Users.
	held     int  // open handles
	waiting  int  // opens of listen under way
	detached bool // lives without handles
	unlinked bool // its directory is gone; it ends with the last handle
	freed    bool
	closing  bool // closed by its user: only the protocol's goodbye is left
	parked   opList
	watches  []*Watch
	changed  time.Duration // last change of state or traffic
	left     time.Duration // when the last handle closed
	keep     time.Duration // how long without handle and traffic
	timer    timer
	dirty    bool // on the list of those to settle
	told     told
	ending   string // why its clock has closed it

	// Settings.
	ttl, tos     uint8
	ipOptions    []byte // of datagrams
	ignoreAdvice bool
	headers      bool
	checksum     checksumUse // of udp
	groups       []membership
	ttlSet       bool
	readTimeout  time.Duration
	backlog      int

	heard heard // with what the last datagram came

	// The protocol's part.
	listener  *Conv // that this call came to, until it is taken
	calls     []*Conv
	embryos   []*Conv // calls not yet through the handshake, the oldest first
	children  int     // calls taken that live
	parent    *Conv
	tcb       *tcp.Conn
	flow      uint32 // label of its IPv6 datagrams
	only4     bool   // its peer is to be one of IPv4: net.go's tcp4 and udp4
	opts      tcpOptions
	starved   bool // waits for room in its interface's queue
	squeezed  bool // waits for memory to open its window
	datagrams datagramQueue
	ping      *pinger
	settled   tcp.State // as of the last settle, to see changes
}

// heard is what IP had to say of a datagram (RFC 1122 §3.4).
type heard struct {
	ttl, tos uint8
	options  []byte
}

// hear notes with what a datagram for c came.
func (c *Conv) hear(p *packet) {
	c.heard = heard{ttl: p.ip.TTL, tos: p.ip.TOS}
	if len(p.ip.Options) > 0 {
		c.heard.options = slices.Clone(p.ip.Options)
	}
}

// Info is one row of what there is to know of a conversation.
type Info struct {
	Num           int
	Name          string
	Proto         wire.Proto
	Owner         User
	Mode          uint32
	State         string
	Local, Remote netip.AddrPort
	Changed       time.Time
	Unread        int
}

// newConv makes a conversation, listed and not held.
func (s *Stack) newConv(pr *protocol, u User) (*Conv, error) {
	if s.usage.convs >= s.knobs.maxConvs {
		return nil, neterr.NoConvs.With("%d conversations are open, the limit", s.usage.convs)
	}
	c := &Conv{stack: s, proto: pr, owner: u, mode: 0o660, changed: s.now, left: s.now, keep: s.knobs.keep,
		ttl: s.knobs.ttl, backlog: s.knobs.backlog}
	c.timer.what = c
	pr.add(c)
	s.usage.convs++
	s.touch(c)
	return c, nil
}

// Clone makes a conversation, held once by the caller. A detached one lives on
// without handles.
func (s *Stack) Clone(p wire.Proto, u User, detached bool) (*Conv, error) {
	s.lock()
	defer s.unlock()
	return s.clone(p, u, detached)
}

func (s *Stack) clone(p wire.Proto, u User, detached bool) (*Conv, error) {
	if s.closing {
		return nil, neterr.ShuttingDown
	}
	if detached {
		if err := s.mayDetach(u); err != nil {
			return nil, err
		}
	}
	c, err := s.newConv(s.proto(p), u)
	if err != nil {
		return nil, err
	}
	c.detach(detached)
	c.held++
	return c, nil
}

// mayDetach reports why u may not have one more conversation that lives without
// handles.
func (s *Stack) mayDetach(u User) error {
	switch {
	case s.closing:
		return neterr.ShuttingDown
	case s.usage.detached[u.UID] >= s.knobs.maxDetached:
		return neterr.NoConvs.With("user %d has %d conversations that live without a handle, the limit", u.UID, s.knobs.maxDetached)
	}
	return nil
}

// Mkdir makes a conversation with a name, which lives until Rmdir.
func (s *Stack) Mkdir(p wire.Proto, name string, u User) (*Conv, error) {
	s.lock()
	defer s.unlock()
	pr := s.proto(p)
	if err := checkName(name); err != nil {
		return nil, err
	}
	if pr.names[name] != nil {
		return nil, neterr.Exists.With("%s", name)
	}
	if err := s.mayDetach(u); err != nil {
		return nil, err
	}
	c, err := s.newConv(pr, u)
	if err != nil {
		return nil, err
	}
	c.detach(true)
	c.name = name
	pr.names[name] = c
	return c, nil
}

// MaxName is the longest name of a conversation, as of a file on Linux.
const MaxName = 255

// reserved are the names that a protocol directory has itself.
var reserved = []string{"clone", "stats", "all.json", "by-state", "by-local", "by-remote", "dial", "accept"}

func checkName(name string) error {
	if name == "" || len(name) > MaxName || name[0] == '.' || name[0] >= '0' && name[0] <= '9' {
		return neterr.BadArg.With("%q as a name: 1 to %d characters, not beginning with a digit or a dot", name, MaxName)
	}
	for _, r := range name {
		// U+FFFD stands for what is not UTF-8.
		if !unicode.IsPrint(r) || r == ' ' || r == '/' || r == utf8.RuneError {
			return neterr.BadArg.With("%q as a name: no blanks, slashes or control characters", name)
		}
	}
	if slices.Contains(reserved, name) {
		return neterr.Exists.With("%s", name)
	}
	return nil
}

// Rmdir hangs a conversation up, by its number or name, and takes its directory
// away. It is for the conversation's owner, the tree's, and root.
func (s *Stack) Rmdir(p wire.Proto, name string, u User) error {
	s.lock()
	defer s.unlock()
	pr := s.proto(p)
	c := pr.find(name)
	if c == nil {
		if pr.inTimeWait(name) {
			return neterr.Busy.With("%s is in Time_wait and ends by itself", name)
		}
		return neterr.NotFound.With("%s", name)
	}
	if !s.may(u, c) {
		return neterr.NotOwner
	}
	c.hangup(neterr.Aborted)
	c.unlink()
	return nil
}

// may reports whether u may change a conversation.
func (s *Stack) may(u User, c *Conv) bool {
	return u.UID == 0 || u.UID == c.owner.UID || u.UID == s.cfg.Owner.UID
}

// Conv finds a conversation by its number; nil: there is none.
func (s *Stack) Conv(p wire.Proto, num int) *Conv {
	s.lock()
	defer s.unlock()
	return s.proto(p).convs[num]
}

// Named finds a conversation by the name that mkdir gave it.
func (s *Stack) Named(p wire.Proto, name string) *Conv {
	s.lock()
	defer s.unlock()
	return s.proto(p).names[name]
}

// Num is the conversation's number, which never changes.
func (c *Conv) Num() int { return c.num }

// Hold notes one more open handle. False: the conversation has just gone.
func (c *Conv) Hold() bool {
	c.stack.lock()
	defer c.stack.unlock()
	if c.unlinked || c.freed {
		return false
	}
	c.held++
	return true
}

// Drop notes that a handle was closed.
func (c *Conv) Drop() {
	c.stack.lock()
	defer c.stack.unlock()
	c.drop()
}

func (c *Conv) drop() {
	c.held--
	c.left = c.stack.now
	c.stack.touch(c)
}

// Chmod changes the mode of a conversation's files, for its owner and root.
func (c *Conv) Chmod(u User, mode uint32) error {
	c.stack.lock()
	defer c.stack.unlock()
	if u.UID != 0 && u.UID != c.owner.UID {
		return neterr.NotOwner
	}
	c.mode = mode & 0o666
	return nil
}

// Chown gives a conversation away, for root.
func (c *Conv) Chown(u User, to User) error {
	c.stack.lock()
	defer c.stack.unlock()
	if u.UID != 0 && (u.UID != c.owner.UID || to.UID != c.owner.UID) {
		return neterr.NotOwner
	}
	detached := c.detached
	c.detach(false)
	c.owner = to
	c.detach(detached)
	return nil
}

// Info is a consistent row.
func (c *Conv) Info() Info {
	c.stack.lock()
	defer c.stack.unlock()
	return c.info()
}

func (c *Conv) info() Info {
	return Info{Num: c.num, Name: c.name, Proto: c.proto.num, Owner: c.owner, Mode: c.mode, State: c.proto.state(c),
		Local: c.local, Remote: c.remote, Changed: c.stack.wall(c.changed), Unread: c.proto.unread(c)}
}

// Convs lists the conversations of a protocol with numbers above after, in
// order, at most max of them.
func (s *Stack) Convs(p wire.Proto, after, max int) []Info {
	s.lock()
	defer s.unlock()
	return s.proto(p).rows(after, max)
}

// Row finds the row of one conversation, which may be in TIME-WAIT and have
// nothing else left.
func (s *Stack) Row(p wire.Proto, num int) (Info, bool) {
	s.lock()
	defer s.unlock()
	pr := s.proto(p)
	if c := pr.convs[num]; c != nil {
		return c.info(), true
	}
	if w := pr.waits.byNum[num]; w != nil {
		return w.info(pr), true
	}
	return Info{}, false
}

// ErrText is the last error of a conversation in full words.
func (c *Conv) ErrText() string {
	c.stack.lock()
	defer c.stack.unlock()
	if c.lastErr == "" {
		return ""
	}
	return c.lastErr + "\n"
}

// fail notes an error for the file err and the log.
func (c *Conv) fail(err error) {
	c.lastErr = clean(err.Error())
	c.stack.logFor(c.owner, "%s/%d: %v", c.proto.name, c.num, err)
}

// setPhase moves a conversation on.
func (c *Conv) setPhase(p phase) {
	c.phase = p
	c.changed = c.stack.now
	c.stack.touch(c)
}
