package fs

// Open files. open.go makes them, the loop finds them by the number that the
// kernel repeats in each request, RELEASE ends them.

import (
	"sync"
	"syscall"
	"unsafe"

	"slashnet/stack"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

const (
	// maxHandles is how many files may be open at a time: for one user, two per
	// conversation of a stack that is full; some 200 MiB.
	maxHandles = 800_000
	// maxSnapshots is how many bytes the texts and listings of open files may take
	// together.
	maxSnapshots = 64 << 20
)

// A handle is an open file.
type handle struct {
	node  node
	file  *file
	user  stack.User   // who opened it; rights are bound here
	stack *stack.Stack // that counts it
	conv  *stack.Conv
	held  bool // conv counts us
	num   int  // of the conversation or interface

	text    []byte // of a text file, as of the open
	kept    int    // bytes of answers
	tag     string // iproute: for the lines to come
	appends bool   // ndb: opened by >>
	entries []entry
	iface   *stack.Iface
	stream  stack.Stream

	mu      sync.Mutex
	read    int      // control: how much of the number was read; query: of the first answer
	rests   [][]byte // data: what did not fit of datagrams, oldest first
	answers []string // query: not yet read

	poll poll
}

// size is the memory of what the handle keeps to be read.
func (h *handle) size() int { return len(h.text) + h.kept + len(h.entries)*int(unsafe.Sizeof(entry{})) }

// handles are the open files by number.
type handles struct {
	mu      sync.Mutex
	last    uint64
	open    map[uint64]*handle
	streams map[node]int // open dial and accept files: their conversations
	used    quota        // by all together
	takers  map[taker]*quota
}

// A quota is how much is in use.
type quota struct{ open, texts int }

func (q *quota) add(open, texts int) {
	q.open += open
	q.texts += texts
}

// A taker is who takes of what all share: a view, or in the root's tree a user.
// None is to have more than he leaves to all others; so whoever comes next finds as
// much as the greediest has.
type taker struct {
	view int
	uid  uint32
}

func takerOf(n node, u stack.User) taker {
	if owner := ownerView(n); owner != stack.RootView {
		return taker{view: owner}
	}
	return taker{stack.RootView, u.UID}
}

// ownerView is the view whose users use a node: of view/NAME/ctl, by which a view
// is told what it may have, the root.
func ownerView(n node) int {
	if n.valid() && files[n.file()].ofView {
		return stack.RootView
	}
	return n.view()
}

// room reports why one who has q may not have so much more.
func (t *handles) room(q *quota, open, texts int) error {
	if open > 0 && q.open+open > maxHandles-t.used.open-open {
		return neterr.NoConvs.With("%d files are open, %d by one user or view: that is its share", t.used.open, q.open)
	}
	if texts > 0 && q.texts+texts > maxSnapshots-t.used.texts-texts {
		return neterr.NoMemory.With("open files hold %d bytes of text, %d by one user or view: that is its share", t.used.texts, q.texts)
	}
	return nil
}

func (t *handles) quotaOf(h *handle) *quota {
	who := takerOf(h.node, h.user)
	q := t.takers[who]
	if q == nil {
		q = &quota{}
		t.takers[who] = q
	}
	return q
}

// enter makes h an open file, unless there is no room for it. The log says why.
func (s *Server) enter(h *handle) (uint64, error) {
	v := s.host.ByID(ownerView(h.node))
	if v == nil {
		return 0, syscall.ESTALE
	}
	h.stack = v.Stack()
	err := h.stack.OpenHandle()
	if err == nil {
		var fh uint64
		if fh, err = s.handles.add(h); err == nil {
			return fh, nil
		}
		h.stack.CloseHandle()
	}
	h.stack.LogFor(h.user, "fs: %s: %v", h.file.path, err)
	return 0, err
}

func (t *handles) add(h *handle) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open, t.streams, t.takers = map[uint64]*handle{}, map[node]int{}, map[taker]*quota{}
	}
	q := t.quotaOf(h)
	if err := t.room(q, 1, h.size()); err != nil {
		return 0, err
	}
	q.add(1, h.size())
	t.used.add(1, h.size())
	t.last++
	t.open[t.last] = h
	if h.file.kind == dial || h.file.kind == accept {
		t.streams[h.node] = h.num
	}
	return t.last, nil
}

func (t *handles) get(fh uint64) *handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[fh]
}

// remove takes a handle out; nil: there is none of that number.
func (t *handles) remove(fh uint64) *handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.open[fh]
	if h != nil {
		delete(t.open, fh)
		delete(t.streams, h.node)
		t.used.add(-1, -h.size())
		q := t.quotaOf(h)
		if q.add(-1, -h.size()); *q == (quota{}) {
			delete(t.takers, takerOf(h.node, h.user))
		}
	}
	return h
}

// all are the numbers of the open files.
func (t *handles) all() []uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []uint64
	for fh := range t.open {
		all = append(all, fh)
	}
	return all
}

// streamIno is the inode number of a file of dial/ or accept/: the number of its
// conversation while it is open.
func (t *handles) streamIno(n node) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if num, ok := t.streams[n]; ok {
		return uint64(num)
	}
	return uint64(n)
}

// release closes an open file. The last close of a conversation hangs it up.
func (s *Server) release(fh uint64) {
	h := s.handles.remove(fh)
	if h == nil {
		return
	}
	h.unpoll()
	h.stack.CloseHandle()
	h.close()
}

// close lets go of what the handle has.
func (h *handle) close() {
	if h.held {
		h.conv.Drop()
	}
	if h.stream != nil {
		h.stream.Close()
	}
}

// --- what is read and written without waiting

// number reads the number of a control file: once, then end of file until
// something is written.
func (h *handle) number(max int) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	rest := h.text[min(h.read, len(h.text)):]
	rest = rest[:min(max, len(rest))]
	h.read += len(rest)
	return rest
}

// rewind lets the number be read again.
func (h *handle) rewind() {
	h.mu.Lock()
	h.read = 0
	h.mu.Unlock()
}

// unread reports whether the number is still to be read.
func (h *handle) unread() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.read < len(h.text)
}

// rest is what an earlier read left of a datagram.
func (h *handle) rest(max int) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.rests) == 0 {
		return nil
	}
	r := h.rests[0]
	if len(r) > max {
		h.rests[0] = r[max:]
		return r[:max]
	}
	h.rests = h.rests[1:]
	return r
}

func (h *handle) hasRest() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.rests) > 0
}

// fit cuts what was read to max bytes; more than was asked would be an error for
// the kernel. The rest of a datagram waits for the next read, or is gone with
// headers on, as on Plan 9.
func (h *handle) fit(chunks []wire.Chunk, max int) []wire.Chunk {
	size := 0
	for _, c := range chunks {
		size += len(c.B)
	}
	if size <= max {
		return chunks
	}
	all := flatten(chunks)
	letGo(chunks)
	if h.stream != nil || h.conv.KeepsRest() {
		h.mu.Lock()
		h.rests = append(h.rests, all[max:])
		h.mu.Unlock()
	}
	return []wire.Chunk{{B: all[:max]}}
}

func letGo(chunks []wire.Chunk) {
	for _, c := range chunks {
		c.Buf.Release()
	}
}
