// Package stack is the hallway of the house: it wires the pure rooms (arp,
// route, stack/reasm, stack/tcp) into a TCP/IP host, and gives its users
// conversations.
//
// # Two roads
//
// A frame goes up, a write goes down, each on the goroutine that brought it,
// to the end (run to completion):
//
//	NIC ── Iface.Receive ── up.go ── icmp.go udp.go tcp.go ── engine ──┐
//	user ── Submit ── op.go ── conv ── engine ── down.go ──────────────┤
//	                                                                   ▼
//	                        settle (settle.go), unlock, effects (effects.go)
//
// # One lock
//
// A Stack has one lock. State changes under it, effects happen after it: frames
// leave through the interface's queue, operations are answered, and watchers
// are told once the lock is free. Exported methods take the lock, unexported
// ones assume it: the first letter is the annotation, and a test checks it.
//
// # Waiting
//
// Whoever has to wait is an Op, a value in a list. There is no second way to
// wait: the files, the Go API and the timers all go through it.
//
// # Time
//
// Everything with time has three verbs: input, tick(now) and deadline(). The
// deadlines are filed in one heap per stack, lazily (timer.go).
//
// # Views
//
// A Host (host.go) is a root stack and its views, each a Stack with a lock of its
// own. They meet only as hosts do: over a cable or a switch, be it the uplink of a
// view (uplink.go) or one of the owner's (plug.go, switch.go, link.go, viewnic.go).
//
// What a stack may hold is bounded, and usage.go has the books: everything queued is
// charged to limit.memory before it is kept, and what is acknowledged is kept. A queue
// has never more than it leaves to all others (tcp/memory.go), so that many get some.
// rate.go bounds what passes an interface.
//
// # Choices
//
// The host model is the weak one (RFC 1122 §3.3.4.2): an address is the host's, and
// answers on every interface. Redirects, source routes and directed broadcasts are
// heeded only where a knob wants them (ippolicy.go). An address that is added is
// used at once and defended (claim.go).
//
// # IPv6
//
// The protocols have one road for both families; what differs has files of its own:
// ip6.go and down6.go beside up.go and down.go, icmp6.go, forward6.go, pathmtu.go,
// iface6.go (neighbours, addresses, groups), ifctl6.go. An interface speaks IPv6 from
// its first address on. A link-local address carries the number of its interface as
// its zone wherever it is a key; on the cable and in subnets it has none. Plan 9's add
// takes an address at its user's word, try finds out first (RFC 4862 §5.4).
// ICMPv6's errors have the rate limit of ICMP's.
//
// What is left out on purpose: temporary addresses (RFC 8981), DHCPv6, version 1 of
// MLD, and advertising as a router; IPv4 options on segments of TCP; 802.3, which is
// received and not sent; a fragment is never reassembled in transit (RFC 1812
// §4.2.2.8).
//
// RFC 1122 (hosts), 1812 (forwarding), 8200, 8201, 4443, 4861, 4862, 6437, 6724, 791, 792, 768, 5227, 3376, 6864, 9293, 1191, 6056, 6528, 8305 §5 (addresses raced).
//
// Reading order: op.go, conv.go, life.go, up.go, down.go, udp.go (the smallest
// whole protocol), tcp.go, connect.go, rivals.go; names.go for how a resolver comes in; host.go and view.go.
package stack
