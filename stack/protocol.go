package stack

// A protocol is a row of functions and a table of conversations: Plan 9's Proto.
// tcp.go, udp.go and icmp.go each make one; everything else goes through the row.

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"slashnet/stack/neterr"
	"slashnet/stack/tcp"
	"slashnet/wire"
)

type protocol struct {
	stack *Stack
	num   wire.Proto
	name  string

	input    func(p *packet)                            // a datagram for us
	advise   func(q *quoted, err error, hard bool)      // an ICMP error about one of ours; hard: it will not get better
	connect  func(c *Conv, to netip.AddrPort) error     // begins; settle sees the end of it
	announce func(c *Conv) error                        // c.local is set
	read     func(c *Conv, op *Op) (done bool, e error) // try a read
	write    func(c *Conv, op *Op) (done bool, e error)
	close    func(c *Conv) // gracefully
	hangup   func(c *Conv) // at once
	control  func(c *Conv, verb string, args []string) (known bool, e error)
	state    func(c *Conv) string
	status   func(c *Conv) string // Plan 9's line
	unread   func(c *Conv) int
	ready    func(c *Conv) Ready
	stats    func() string
	settle   func(c *Conv)                       // after something happened to c
	flush    func(c *Conv)                       // sends what there is to send
	ended    func(c *Conv) bool                  // the peer has closed
	free     func(c *Conv) (lingers bool)        // lets go of all memory; the number may live on
	over     func(c *Conv) bool                  // nothing of the protocol is left
	due      func(c *Conv) (time.Duration, bool) // its deadline
	tick     func(c *Conv)

	// The table. order is ascending and has holes where conversations were.
	convs map[int]*Conv
	order []*Conv
	names map[string]*Conv
	next  int
	// flows finds connected conversations, listeners the announced ones.
	flows     map[tuple]*Conv
	listeners map[netip.AddrPort]*Conv
	waits     *timeWaits     // of TCP; empty for others
	states    map[string]int // how many are in each, as the events say
}

// A tuple names a connection, from our side.
type tuple struct{ local, remote netip.AddrPort }

func newProtocol(s *Stack, num wire.Proto, name string) *protocol {
	pr := &protocol{stack: s, num: num, name: name, convs: map[int]*Conv{}, names: map[string]*Conv{}, states: map[string]int{},
		flows: map[tuple]*Conv{}, listeners: map[netip.AddrPort]*Conv{},
		settle: func(*Conv) {}, flush: func(*Conv) {}, free: func(*Conv) bool { return false }, ended: func(*Conv) bool { return false }, over: func(*Conv) bool { return true }, tick: func(*Conv) {},
		due: func(*Conv) (time.Duration, bool) { return 0, false }}
	pr.waits = newTimeWaits(s, pr)
	return pr
}

// MaxConvNum is where numbers wrap, so that they fit the files' inode numbers.
const MaxConvNum = 1<<26 - 1

// add gives c the next free number. Numbers grow, so that an old one does not
// soon mean somebody else.
func (pr *protocol) add(c *Conv) {
	for pr.convs[pr.next] != nil || pr.waits.byNum[pr.next] != nil {
		pr.next++
	}
	c.num = pr.next
	pr.convs[c.num] = c
	if pr.next++; pr.next > MaxConvNum {
		pr.next = 0
		pr.compact()
		at, _ := slices.BinarySearchFunc(pr.order, c.num, byNum)
		pr.order = slices.Insert(pr.order, at, c)
		return
	}
	if n := len(pr.order); n > 0 && pr.order[n-1] != nil && pr.order[n-1].num > c.num {
		at, _ := slices.BinarySearchFunc(pr.order, c.num, byNum)
		pr.order = slices.Insert(pr.order, at, c)
		return
	}
	pr.order = append(pr.order, c)
}

func byNum(c *Conv, num int) int { return cmp.Compare(c.num, num) }

// compactAfter is how many conversations order may have lost before its holes
// are closed: rare enough to cost nothing per conversation.
const compactAfter = 1024

// remove takes c out of the table.
func (pr *protocol) remove(c *Conv) {
	if pr.convs[c.num] != c {
		return
	}
	delete(pr.convs, c.num)
	if c.name != "" {
		delete(pr.names, c.name)
	}
	if len(pr.order) > 2*len(pr.convs)+compactAfter {
		pr.compact()
	}
}

func (pr *protocol) compact() {
	pr.order = slices.DeleteFunc(pr.order, func(c *Conv) bool { return pr.convs[c.num] != c })
}

// all is every conversation, in the order of their numbers.
func (pr *protocol) all() []*Conv {
	pr.compact()
	return slices.Clone(pr.order)
}

// find looks a conversation up by number or name.
func (pr *protocol) find(name string) *Conv {
	if n, err := strconv.Atoi(name); err == nil {
		return pr.convs[n]
	}
	return pr.names[name]
}

func (pr *protocol) inTimeWait(name string) bool {
	n, err := strconv.Atoi(name)
	return err == nil && pr.waits.byNum[n] != nil
}

// rows are the conversations after a number, those in TIME-WAIT among them.
func (pr *protocol) rows(after, max int) []Info {
	var rows []Info
	pr.walk(after, max, func(c *Conv, w *timeWait) {
		if c != nil {
			rows = append(rows, c.info())
		} else {
			rows = append(rows, w.info(pr))
		}
	})
	return rows
}

// walk calls f with at most max conversations after a number, in order; each is
// either there or only its record of TIME-WAIT.
func (pr *protocol) walk(after, max int, f func(*Conv, *timeWait)) {
	at, _ := slices.BinarySearchFunc(pr.order, after+1, byNum)
	live, ended := pr.order[at:], pr.waits.after(after)
	for max > 0 && len(live)+len(ended) > 0 {
		if len(ended) == 0 || len(live) > 0 && live[0].num < ended[0].num {
			if c := live[0]; pr.convs[c.num] == c {
				f(c, nil)
				max--
			}
			live = live[1:]
			continue
		}
		if r := ended[0]; !r.gone {
			f(nil, r)
			max--
		}
		ended = ended[1:]
	}
}

// idle reports whether no connection is left that a peer would miss.
func (pr *protocol) idle() bool {
	for _, c := range pr.flows {
		if c.tcb != nil && c.tcb.State() != tcp.Closed && c.tcb.State() != tcp.TimeWaiting {
			return false
		}
	}
	return true
}

// listenAt makes c the listener of its local address.
func (s *Stack) listenAt(c *Conv) error {
	if c.local.Port() == 0 {
		port, err := s.ephemeral(c.proto, c.local.Addr(), netip.AddrPort{})
		if err != nil {
			return err
		}
		c.local = netip.AddrPortFrom(c.local.Addr(), port)
	}
	if l := c.proto.overlaps(c); l != nil {
		return neterr.AddrInUse.With("%v: %v is announced by another user, as %s/%d", bang(c.local), bang(l.local), c.proto.name, l.num)
	}
	if l := c.proto.listeners[c.local]; l != nil {
		// A script that was restarted takes its port over.
		if l.owner.UID != c.owner.UID || l.held > 0 || l.waiting > 0 || l.name != "" {
			return neterr.AddrInUse.With("%v is announced by %s/%d", bang(c.local), c.proto.name, l.num)
		}
		l.closeGracefully()
	}
	c.proto.listeners[c.local] = c
	return nil
}

// overlaps finds another user's listener that takes calls which c would take: a
// specific address beside the wildcard is only for its owner.
func (pr *protocol) overlaps(c *Conv) *Conv {
	for at, l := range pr.listeners {
		if at.Port() == c.local.Port() && l.owner.UID != c.owner.UID && (covers(at.Addr(), c.local.Addr()) || covers(c.local.Addr(), at.Addr())) {
			return l
		}
	}
	return nil
}

// covers reports whether a wildcard takes calls to another address: 0.0.0.0 those of
// IPv4, :: those of both families.
func covers(any, a netip.Addr) bool { return any.IsUnspecified() && (any.Is6() || a.Is4()) }

// unflow takes c out of the connections; one that has come after it under the
// same name stays.
func (pr *protocol) unflow(c *Conv) {
	if t := (tuple{c.local, c.remote}); pr.flows[t] == c {
		delete(pr.flows, t)
	}
}

// unannounce gives the address up.
func (s *Stack) unannounce(c *Conv) {
	if c.proto.listeners[c.local] == c {
		delete(c.proto.listeners, c.local)
	}
}
