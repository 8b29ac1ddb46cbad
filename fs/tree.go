package fs

// The tree as a table: one row per file. raw.go looks names up in it and makes
// attributes from it, open.go opens its files by their kind, help.go prints it.

import (
	"path"
	"strings"

	"slashnet/stack"
	"slashnet/wire"
)

// A proto is a directory of conversations.
type proto uint8

const (
	noProto proto = iota
	tcp
	udp
	icmp
	icmpv6
	ipifc // its conversations are the interfaces
	switches
	links
)

var protos = [...]struct {
	name string
	num  wire.Proto
}{
	tcp:    {"tcp", wire.TCP},
	udp:    {"udp", wire.UDP},
	icmp:   {"icmp", wire.ICMP},
	icmpv6: {"icmpv6", wire.ICMPv6},
	ipifc:  {name: "ipifc"},
	// Fixtures, with numbers as conversations have.
	switches: {name: "switch"},
	links:    {name: "link"},
}

// A kind is how a file is served.
type kind uint8

const (
	directory kind = iota
	link
	text // a snapshot taken by open; lines are written to it
	// From here on files that wait: streams without a position.
	clone
	control
	data
	listen
	dial
	accept
	query   // cs and dns: a query is written, answers are read
	answers // of dns.d: a text, for which open asks
	events  // lines of what happened
	snoop   // a capture of what passes
)

// waits reports whether the loop serves files of this kind itself.
func (k kind) waits() bool { return k >= clone }

// A fileCode is a row's place in the table; it is a part of node ids.
type fileCode uint8

// A file is a row: all that there is to say about a file of the tree.
type file struct {
	// path is where it is. Words in capitals stand for what varies: PROTO is tcp,
	// udp, icmp or icmpv6, N a number, NAME and ADDR what they say.
	path  string
	kind  kind
	mode  uint32
	about string // a line of the file help

	only  []proto      // where a PROTO has it; nil: everywhere
	owner bool         // only in the owner's tree, not in that of a view
	slow  bool         // opening or writing it may take long: done by a worker
	holds bool         // an open one holds the conversation
	asks  stack.OpKind // query, answers: whom
	read  func(at place) string
	write func(at place, h *handle, line string) error
	// replace takes all of a write at once; more: at another place than the beginning,
	// as >> has it.
	replace func(at place, text string, more bool) error
	group   func(stack.Info) string   // by-*: what a conversation is listed under; or nothing
	row     func(stack.Record) string // the text when only a record is left, in TIME-WAIT

	// Derived by init.
	name      string // the last element of path
	of        fileCode
	ofConv    bool // of a conversation, hence with its owner and mode
	ofIface   bool
	ofFixture bool // of switch/NAME or link/NAME
	ofView    bool // of view/NAME
	config    bool // configures the stack: in the tree of a view it can only be read
	kids      []fileCode
	varies    bool // NAME, N, ADDR …
}

// A place is where a row is used: what its capitals stand for.
type place struct {
	view  *stack.View
	stack *stack.Stack // the view's
	proto proto
	conv  *stack.Conv
	iface *stack.Iface
	sw    *stack.Switch
	link  *stack.Link

	cancel <-chan struct{} // closed when whoever writes waits no more
}

// peekLen is how many unread bytes peek shows at most.
const peekLen = 64 << 10

// callers are the protocols with calls.
var callers = []proto{tcp, udp}

// files is the tree. The order is that of a listing.
var files = []file{
	{path: "/", kind: directory, mode: 0o755},
	{path: "/PROTO", kind: directory, mode: 0o1777, about: "conversations; mkdir makes one with a name, rmdir hangs one up"},
	{path: "/arp", kind: text, mode: 0o644, slow: true, about: "neighbours; add IP MAC, del IP, flush",
		read:  func(at place) string { return at.stack.ARPText() },
		write: func(at place, _ *handle, line string) error { return at.stack.WriteARP(line) }},
	{path: "/ipifc", kind: directory, mode: 0o555, about: "interfaces"},
	{path: "/iproute", kind: text, mode: 0o644, slow: true, about: "routes; add NET MASK GATEWAY, remove NET MASK, flush, tag T",
		read:  func(at place) string { return at.stack.RouteText() },
		write: func(at place, h *handle, line string) error { return at.stack.WriteRoute(line, &h.tag) }},
	{path: "/ipselftab", kind: text, mode: 0o444, slow: true, about: "the addresses that are ours",
		read: func(at place) string { return at.stack.SelfText() }},
	{path: "/cs", kind: query, mode: 0o666, asks: stack.OpCS, about: "write tcp!HOST!SERVICE, read the file to open and what to write there, an answer a read"},
	{path: "/dns", kind: query, mode: 0o666, asks: stack.OpDNS, about: "write NAME TYPE, read what is filed under it, an answer a read"},
	{path: "/dns.d", kind: directory, mode: 0o555, about: "reading dns.d/NAME or dns.d/NAME:TYPE asks dns"},
	{path: "/ndb", kind: text, mode: 0o644, slow: true, about: "whom names are asked of, and names of our own, as ATTR=VALUE; > replaces what was written before, >> adds to it",
		read:    func(at place) string { return at.stack.NdbText() },
		replace: func(at place, text string, more bool) error { return at.stack.WriteNdb(text, more) }},
	{path: "/log", kind: text, mode: 0o644, slow: true, about: "what happened lately, with the words of errors; clear tcp udp … keeps lines about those out, set tcp … lets them in",
		read:  func(at place) string { return at.stack.LogText() },
		write: func(at place, _ *handle, line string) error { return at.stack.WriteLog(line) }},
	{path: "/events", kind: events, mode: 0o444, about: "changes of state from now on, a line each: time, conversation, from, to, local, remote, cause"},
	{path: "/stats", kind: text, mode: 0o444, about: "counters of the whole stack, one for every reason to drop",
		read: func(at place) string { return at.stack.StackStatsText() }},
	{path: "/metrics", kind: text, mode: 0o444, slow: true, about: "the same and what is held, in Prometheus's format",
		read: func(at place) string {
			if at.view.ID() != stack.RootView {
				return at.stack.MetricsText() // what the others need is none of a view's business
			}
			return at.stack.MetricsText() + at.view.Host().MetricsText() + stack.ProcessMetrics()
		}},
	{path: "/ctl", kind: text, mode: 0o644, slow: true, about: "settings, NAME VALUE; sync waits for all frames received so far, reset drops every conversation",
		read: func(at place) string { return at.stack.CtlText() },
		write: func(at place, _ *handle, line string) error {
			if line == "sync" {
				return at.stack.SyncUntil(at.cancel)
			}
			return at.stack.WriteCtl(line)
		}},
	{path: "/view", kind: directory, owner: true, mode: 0o755, about: "networks of their own; mkdir makes one, rmdir ends it"},
	{path: "/switch", kind: directory, owner: true, mode: 0o755, about: "switches; mkdir makes one, rmdir takes one away that nothing is plugged into"},
	{path: "/link", kind: directory, owner: true, mode: 0o755, about: "cables with the ends a and b; mkdir and rmdir likewise"},
	{path: "/help", kind: text, mode: 0o444, about: "this text",
		read: func(place) string { return helpText }},
	{path: "/version", kind: text, mode: 0o444, about: "what serves this tree",
		read: func(place) string { return versionText }},

	{path: "/dns.d/NAME", kind: answers, mode: 0o444, asks: stack.OpDNS},

	{path: "/PROTO/clone", kind: clone, mode: 0o666, about: "opened read-write: a new conversation's ctl, whose last close hangs up; read-only: one that stays"},
	{path: "/PROTO/stats", kind: text, mode: 0o444, about: "counters",
		read: func(at place) string { return at.stack.StatsText(protos[at.proto].num) }},
	{path: "/PROTO/all.json", kind: text, mode: 0o444, slow: true, about: "every conversation's status.json, one array",
		read: func(at place) string { return at.stack.AllJSON(protos[at.proto].num, maxSnapshots/2) }},
	{path: "/PROTO/by-state", kind: directory, mode: 0o555, about: "links to the conversations, by their state", group: byState},
	{path: "/PROTO/by-local", kind: directory, mode: 0o555, about: "… by local address", group: byLocal},
	{path: "/PROTO/by-remote", kind: directory, mode: 0o555, about: "… by remote address", group: byRemote},
	{path: "/PROTO/dial", kind: directory, mode: 0o555, about: "opening dial/HOST:PORT connects and is the stream; cat icmp/dial/HOST pings, icmpv6 by IPv6"},
	{path: "/PROTO/accept", kind: directory, mode: 0o555, only: callers, about: "opening accept/PORT waits for a call and is its stream"},
	{path: "/PROTO/N", kind: directory, mode: 0o555, about: "a conversation"},
	{path: "/PROTO/NAME", kind: directory, mode: 0o555},
	{path: "/PROTO/by-state/NAME", kind: directory, mode: 0o555, group: byState},
	{path: "/PROTO/by-local/NAME", kind: directory, mode: 0o555, group: byLocal},
	{path: "/PROTO/by-remote/NAME", kind: directory, mode: 0o555, group: byRemote},
	{path: "/PROTO/by-state/NAME/N", kind: link, mode: 0o777, group: byState},
	{path: "/PROTO/by-local/NAME/N", kind: link, mode: 0o777, group: byLocal},
	{path: "/PROTO/by-remote/NAME/N", kind: link, mode: 0o777, group: byRemote},
	{path: "/PROTO/dial/ADDR", kind: dial, mode: 0o666},
	{path: "/PROTO/accept/ADDR", kind: accept, mode: 0o666},

	{path: "/PROTO/N/ctl", kind: control, mode: 0o660, about: "its number; commands: connect ADDR, announce PORT, close, hangup, …"},
	{path: "/PROTO/N/data", kind: data, mode: 0o660, about: "the stream, or one datagram per read and write"},
	{path: "/PROTO/N/err", kind: text, mode: 0o440, holds: true, about: "the last error in words",
		read: func(at place) string { return at.conv.ErrText() }},
	{path: "/PROTO/N/listen", kind: listen, mode: 0o660, only: callers, about: "opening waits for a call and is its ctl"},
	{path: "/PROTO/N/local", kind: text, mode: 0o444, about: "address!port",
		read: func(at place) string { return at.conv.LocalText() },
		row:  func(r stack.Record) string { return r.Local.String() + "\n" }},
	{path: "/PROTO/N/remote", kind: text, mode: 0o444, about: "address!port",
		read: func(at place) string { return at.conv.RemoteText() },
		row:  func(r stack.Record) string { return r.Remote.String() + "\n" }},
	{path: "/PROTO/N/status", kind: text, mode: 0o444, about: "its state, then a line per number",
		read: func(at place) string { return at.conv.StatusText() },
		row:  func(r stack.Record) string { return r.State + " qin 0 qout 0\n" + r.Text() }},
	{path: "/PROTO/N/status.json", kind: text, mode: 0o444, about: "the same as one JSON object; times are seconds",
		read: func(at place) string { return at.conv.JSONText() },
		row:  func(r stack.Record) string { return string(r.JSON()) + "\n" }},
	{path: "/PROTO/N/why", kind: text, mode: 0o444, about: "a sentence on why it is as it is",
		read: func(at place) string { return at.conv.WhyText() },
		row:  func(r stack.Record) string { return r.Why + "\n" }},
	{path: "/PROTO/N/events", kind: events, mode: 0o444, about: "its changes of state, those that are remembered and those to come"},
	{path: "/PROTO/N/peek", kind: text, mode: 0o440, about: "unread bytes, not consumed",
		read: func(at place) string { return string(at.conv.Peek(peekLen)) }},

	// 0755, as the root: docker run -v makes what is not there, and insists on it.
	{path: "/view/NAME", kind: directory, mode: 0o755, about: "a view; chmod 700 closes its tree to other users, wherever it is not bound"},
	{path: "/view/NAME/ctl", kind: text, mode: 0o644, slow: true, about: "uplink none, uplink routed ADDR/LEN, uplink switch ADDR/LEN [GATEWAY], of both families one behind the other; nic SPEC [ADDR/LEN [GATEWAY]], nic SPEC off; limit conversations|detached|operations|handles N, limit memory BYTES, limit rate|rate.in|rate.out BYTES a second; iproute: add …; ndb: dns=ADDR",
		read:  func(at place) string { return at.view.CtlText() },
		write: func(at place, _ *handle, line string) error { return at.view.Ctl(line) }},
	{path: "/view/NAME/stats", kind: text, mode: 0o444, about: "its counters, and what is in use of each limit: used/limit",
		read: func(at place) string { return at.stack.StackStatsText() }},
	{path: "/view/NAME/log", kind: text, mode: 0o444, slow: true, about: "its log",
		read: func(at place) string { return at.stack.LogText() }},
	{path: "/view/NAME/net", kind: directory, mode: 0o755, about: "its tree, to be bound on a container's /net"},

	{path: "/switch/NAME", kind: directory, mode: 0o555},
	{path: "/switch/NAME/ctl", kind: text, mode: 0o644, slow: true, about: "plug link:NAME, unplug link:NAME: joins it to another switch",
		read:  func(at place) string { return at.sw.CtlText() },
		write: func(at place, _ *handle, line string) error { return at.sw.Ctl(line) }},
	{path: "/switch/NAME/ports", kind: text, mode: 0o444, slow: true, about: "who is plugged in, and what has gone into the switch and out",
		read: func(at place) string { return at.sw.PortsText() }},
	{path: "/switch/NAME/table", kind: text, mode: 0o444, slow: true, about: "what it has learnt: address, port, seconds since it was heard",
		read: func(at place) string { return at.sw.TableText() }},
	{path: "/switch/NAME/stats", kind: text, mode: 0o444, slow: true, about: "its counters",
		read: func(at place) string { return at.sw.StatsText() }},
	{path: "/link/NAME", kind: directory, mode: 0o555},
	{path: "/link/NAME/ctl", kind: text, mode: 0o644, about: "impair [a|b] delay 50ms jitter 5ms loss 1% dup 1% reorder 1% corrupt 1% rate 10mbit queue 100 seed 42; impair off",
		read:  func(at place) string { return at.link.CtlText() },
		write: func(at place, _ *handle, line string) error { return at.link.Ctl(line) }},
	{path: "/link/NAME/stats", kind: text, mode: 0o444, about: "who is at its ends, and what became of what they sent",
		read: func(at place) string { return at.link.StatsText() }},
	{path: "/link/NAME/snoop", kind: snoop, mode: 0o400, about: "what goes in, and what becomes of it, as pcapng: tcpdump -r FILE"},

	{path: "/ipifc/clone", kind: clone, owner: true, mode: 0o600, about: "a new interface"},
	{path: "/ipifc/stats", kind: text, mode: 0o444, about: "counters of IP",
		read: func(at place) string { return at.stack.StackStatsText() }},
	{path: "/ipifc/N", kind: directory, mode: 0o555, about: "an interface"},
	{path: "/ipifc/N/ctl", kind: control, mode: 0o644, slow: true, about: "its number; commands: bind ether NIC, unbind, add CIDR, try CIDR, remove CIDR, ra6 recvra 1, mtu N, impair …; a NIC is tap:NAME, switch:NAME or link:NAME"},
	{path: "/ipifc/N/status", kind: text, mode: 0o444, about: "device, counters, addresses",
		read: func(at place) string { return at.iface.StatusText() }},
	{path: "/ipifc/N/local", kind: text, mode: 0o444, about: "its addresses and who listens to them",
		read: func(at place) string { return at.iface.LocalText() }},
	{path: "/ipifc/N/stats", kind: text, mode: 0o444, about: "its counters",
		read: func(at place) string { return at.iface.StatsText() }},
	{path: "/ipifc/N/snoop", kind: snoop, mode: 0o400, about: "what passes it from now on, as pcapng: tcpdump -r FILE"},
}

// The rows that code speaks of.
var (
	fileRoot     = code("/")
	fileCtl      = code("/ctl")
	fileProto    = code("/PROTO")
	fileIpifc    = code("/ipifc")
	fileConv     = code("/PROTO/N")
	fileNamed    = code("/PROTO/NAME")
	fileIface    = code("/ipifc/N")
	fileViews    = code("/view")
	fileView     = code("/view/NAME")
	fileNet      = code("/view/NAME/net")
	fileSwitches = code("/switch")
	fileSwitch   = code("/switch/NAME")
	fileLinks    = code("/link")
	fileLink     = code("/link/NAME")
)

// code finds a row by its path; a path that is not there is a mistake in this
// package.
func code(path string) fileCode {
	for i := range files {
		if files[i].path == path {
			return fileCode(i)
		}
	}
	panic("fs: no row " + path)
}

func init() {
	for i := range files {
		f := &files[i]
		var dir string
		dir, f.name = path.Split(f.path)
		f.varies = f.name != "" && f.name == strings.ToUpper(f.name)
		f.ofConv = strings.HasPrefix(f.path, "/PROTO/N") // and NAME
		f.ofIface = strings.HasPrefix(f.path, "/ipifc/N")
		f.ofView = strings.HasPrefix(f.path, "/view/NAME")
		f.ofFixture = strings.HasPrefix(f.path, "/switch/NAME") || strings.HasPrefix(f.path, "/link/NAME")
		f.config = f.mode == 0o644 && !f.ofView
		if fileCode(i) == fileRoot {
			continue
		}
		if dir != "/" {
			dir = strings.TrimSuffix(dir, "/")
		}
		f.of = code(dir)
		parent := &files[f.of]
		parent.kids = append(parent.kids, fileCode(i))
	}
	// A named conversation is the same thing under another name.
	files[fileNamed].kids = files[fileConv].kids
	helpText = makeHelp()
}

// in reports whether the directory dir, of a protocol perhaps, has the file.
func (f *file) in(dir node) bool {
	if f.owner && dir.view() != stack.RootView {
		return false
	}
	p := dir.proto()
	if f.only == nil {
		return true
	}
	for _, o := range f.only {
		if o == p {
			return true
		}
	}
	return false
}
