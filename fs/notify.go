package fs

// What the kernel is told unasked: that a file may be ready, and that a name has
// gone. The stack's goroutines leave word here, one goroutine says it: such a
// message may sleep for a directory's lock, whose holder waits for our loop.

import (
	"strconv"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/wire"
)

// maxGone is how many names may wait to be told. One more is not told; then the
// kernel finds out by ESTALE, as attributes are never cached.
const maxGone = 1 << 14

type notifier struct {
	dev  *device
	mu   sync.Mutex
	wake chan struct{} // holds one token while there is something to say
	stop chan struct{}
	done chan struct{}

	stopOnce sync.Once

	polls []*poll // each once, so no more than open files
	gone  []goneName
	known map[node]struct{} // conversations whose names the kernel has seen
}

// A goneName is a name in a protocol's directory.
type goneName struct {
	parent node
	name   string
}

func (n *notifier) start(dev *device) {
	n.dev = dev
	n.known = map[node]struct{}{}
	n.wake, n.stop, n.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go n.run()
}

// end stops the goroutine. The loop still runs, so that whoever holds a lock
// that a notice waits for gets its answer.
func (n *notifier) end() {
	n.stopOnce.Do(func() { close(n.stop) })
	<-n.done
}

func (n *notifier) run() {
	defer close(n.done)
	for {
		select {
		case <-n.stop:
			return
		case <-n.wake:
		}
		n.mu.Lock()
		polls, gone := n.polls, n.gone
		n.polls, n.gone = nil, nil
		n.mu.Unlock()
		for _, p := range polls {
			p.queued.Store(false)
			n.dev.notify(fuse.NOTIFY_POLL, bytesOf(&notifyPollOut{p.kh}))
		}
		for _, g := range gone {
			n.dev.invalidate(g)
		}
	}
}

func (d *device) invalidate(g goneName) {
	name := append([]byte(g.name), 0)
	d.notify(fuse.NOTIFY_INVAL_ENTRY, bytesOf(&fuse.NotifyInvalEntryOut{Parent: uint64(g.parent), NameLen: uint32(len(g.name))}), name)
}

func (n *notifier) rouse() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// poll has the kernel ask again whether a file is ready.
func (n *notifier) poll(p *poll) {
	if p.queued.Swap(true) {
		return
	}
	n.mu.Lock()
	n.polls = append(n.polls, p)
	n.mu.Unlock()
	n.rouse()
}

// seen notes that the kernel may keep the name of a conversation.
func (n *notifier) seen(c node) {
	n.mu.Lock()
	n.known[c] = struct{}{}
	n.mu.Unlock()
}

// unseen takes that back.
func (n *notifier) unseen(c node) {
	n.mu.Lock()
	delete(n.known, c)
	n.mu.Unlock()
}

// convGone has the kernel forget the names of a conversation, if it knows any.
// The stack calls it.
func (s *Server) convGone(view int, num wire.Proto, conv int, name string) {
	p := protoOf(num)
	n := &s.notes
	n.mu.Lock()
	defer n.mu.Unlock()
	parent := makeNode(view, p, 0, fileProto)
	for _, g := range []struct {
		node node
		name string
	}{{makeNode(view, p, conv, fileConv), strconv.Itoa(conv)}, {makeNode(view, p, conv, fileNamed), name}} {
		if _, ok := n.known[g.node]; !ok {
			continue
		}
		delete(n.known, g.node)
		if len(n.gone) < maxGone {
			n.gone = append(n.gone, goneName{parent, g.name})
			n.rouse()
		}
	}
}

func protoOf(num wire.Proto) proto {
	for p := range protos {
		if protos[p].num == num {
			return proto(p)
		}
	}
	return noProto
}
