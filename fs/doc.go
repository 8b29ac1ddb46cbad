// Package fs serves a stack as a tree of files, in the manner of Plan 9's ip(3),
// through FUSE. It is the only package that knows go-fuse.
//
// # The tree
//
//	tcp/ udp/ icmp/ icmpv6/
//	                  conversations, by protocol
//	ipifc/            interfaces
//	arp iproute ipselftab log events stats metrics ctl help version
//	cs dns            names: a query is written, each read gives an answer
//	dns.d/NAME[:TYPE] the answers to the query NAME TYPE of dns
//	view/             views: networks of their own
//	switch/ link/     switches and cables, to plug their interfaces into
//
// A protocol directory:
//
//	clone             opening it makes a conversation; the descriptor is its ctl
//	stats             counters
//	all.json          an array of all status.json
//	N/                a conversation; N grows and is not soon used again
//	by-state/ by-local/ by-remote/
//	                  links to the conversations: by-remote/10.0.0.1:80/7
//	dial/HOST:PORT    opening it connects, and is the stream; icmp/dial/HOST gives
//	                  a line for each ping
//	accept/PORT       opening it waits for a call, and is its stream (tcp, udp)
//
// mkdir NAME makes a conversation with a name, which lives until rmdir; rmdir of
// any conversation hangs it up. A named one is listed by its name and found by
// its number too.
//
// A conversation:
//
//	ctl               reads as its number; commands are written to it, one a line,
//	                  and end when they are carried out: connect waits
//	data              the stream; for udp and icmp, one datagram a read and a write
//	err               the last error, in words
//	listen            opening it waits for a call; the descriptor is the call's ctl
//	local remote      address!port
//	status            the state, then lines of a word and a number
//	why               one sentence on why it is as it is
//	status.json       the same as an object
//	events            a stream of its changes of state: those that are remembered,
//	                  then those to come; ends with it
//	peek              unread bytes, at most 64 KiB, which stay unread
//
// An interface has ctl, status, local, stats and snoop.
//
// mkdir view/NAME makes a view, an independent stack, and rmdir ends it: who waits
// there is answered, its connections are reset.
//
//	ctl               its uplink and limits, and lines for the files that configure it:
//	                  `iproute: add …`; what is wrong with a line is said in log
//	stats log         its own
//	net/              a whole tree of this shape, to be bound on a container's /net
//
// mkdir switch/NAME makes a learning switch, mkdir link/NAME a cable with the ends a
// and b; a view plugs in by `nic switch:NAME` in its ctl, an interface of the root by
// `bind ether switch:NAME`. rmdir takes one away that nothing is plugged into, and
// EBUSY says that something is, log what; a view that is ending is in nobody's way.
//
//	switch/NAME/ctl   plug link:NAME joins it to another switch, unplug; a second
//	                  way to the same switch is refused, as there is no spanning tree
//	switch/NAME/ports switch/NAME/table switch/NAME/stats
//	link/NAME/ctl     impair …: loss, delay and the like, of what a or b sends, or both
//	link/NAME/stats   who is at the ends, and what became of the frames
//	link/NAME/snoop   a capture
//
// snoop, of a link and of an interface, is an endless pcapng file for each open, of
// what passes from then on. That of a link has each frame once, as it goes in, what
// a sends as going out; a comment says what becomes of it: lost, duplicated,
// reordered, corrupted, no room in the queue. A reader who is slow misses frames,
// which the file and stats count; the traffic never waits for him. It ends with its
// link or interface; of a view that is removed, like all its files, with an error.
//
// In the tree of a view there is no view/, switch/ or link/, and what configures the stack can only
// be read, by root too. Whatever has a view's tree after it has ended gets ESTALE.
//
// # Reading and writing
//
// Files that wait (clone, ctl, data, listen, events, cs, dns, and those of dial and
// accept) have no position. data gives what is there, at most what was asked, and
// 0 bytes for ever once the peer has closed. A control file gives its number and a
// newline once, then nothing until something is written. What a read leaves of a
// datagram is kept for the next read of the same open file; with the verb
// headers it is lost, as on Plan 9.
//
// A line of events is the time, the conversation, the states from and to (- for
// none), both addresses, and the cause to the end of the line. The stack keeps the
// last 4096; a reader who is slower finds a line `TIME lost N: …`. States that one
// segment passes through at once are one change.
//
// A write to cs or dns waits for the answers, O_NONBLOCK or not: the resolver gives
// up soon enough. They are the handle's own until its next query, which needs no
// seek. Opening a file of dns.d waits likewise; a look-up, stat and ls ask nobody,
// so every name is there. The type is behind a colon, as NAME cannot be a file and
// the directory of NAME/TYPE; behind a ! if NAME is an IPv6 address.
//
// All others are texts. They are made when they are opened and do not change
// while open. Several lines may be written at once; they are carried out in
// order, and the first that fails is the answer.
//
// O_NONBLOCK is honoured at open and when set later; poll, select and epoll work.
// A connect that may not wait gets EAGAIN and goes on; the same line written again,
// once poll says so, gets its outcome. A dial that may not wait opens at once, and
// its reads and writes say how it went. A signal ends what waits, with EINTR if nothing has happened yet. `>` and
// `>>` are the same; the size, 4096 for every file, means nothing, and neither do
// truncate and touch, which succeed. Creating a file fails with EACCES; removing,
// renaming and linking with EPERM.
//
// # Lifetime
//
// A conversation whose clone or listen was opened for writing too ends with the
// last close of its ctl, data and err, as does that of a file of dial or accept.
// Opened read-only, it stays without (see package stack for how long). The end
// of an open file is its last close, in whatever process.
//
// # Rights
//
// The kernel checks modes (default_permissions). clone, dial and accept are open
// to all; the files of a conversation are 0660 of its maker, its local, remote,
// status and why 0444; what configures the stack is 0644 of the owner of the
// tree. chmod and chown change a conversation, chmod view/NAME: 0700 closes a view
// to others of the host, but for where its tree is bound. What is done through an open file
// is done in the name of who opened it.
//
// Who asks is the user that the kernel names, and that is one of the namespace in
// which the tree was mounted: root of a user namespace is whom it is mapped to, and
// sees its own files as root's, and those of users outside of its map as nobody's.
//
// # Errors
//
// The errno of the call says it all shortly, the file err, or log for files that
// have none, in words. ESTALE and ENOENT: the conversation has gone. ENFILE and
// ENOBUFS: a limit of the stack, or of what all share. Of that, open files, their
// texts, the workers' queue and look-ups, nobody gets more than he leaves to all
// others: a view, or in the root's tree a user.
//
// # How it works
//
// One goroutine reads /dev/fuse (loop.go). A request that may wait is an
// operation of the stack (call.go): it is answered by whoever makes it possible,
// on his goroutine, so that no byte changes hands on its way. Requests about names
// and attributes go through go-fuse's ProtocolServer to raw.go, which looks them
// up in the table of tree.go. What takes long goes to workers (jobs.go), and what the
// kernel is told unasked is told by one notifier (notify.go). Node ids are
// computed (node.go): the tree keeps nothing per file that is not open, but for
// the numbers of conversations, and of views, that the kernel has looked up.
//
// The process that serves a tree must not use it, nor hold a file of it open: the
// kernel would ask it while it waits. Opening clone makes a conversation and
// opening listen waits for one, so a walk that opens every file (grep -r) leaves
// traces; those of clone go away after a minute.
//
// Left out on purpose: extended attributes, locks and hard links; READDIRPLUS,
// which would make an inode for each name of a plain ls; idmapped mounts, through
// which the kernel does not say who asks; and mounting without root.
package fs
