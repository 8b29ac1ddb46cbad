package fs

// Open files. open.go makes them, the loop finds them by the number that the
// kernel repeats in each request, RELEASE ends them.

import (
	"sync"
	"unsafe"

	"slashnet/stack"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// maxHandles is how many files may be open at a time: two per conversation of a
// stack that is full, or some 100 MiB.
const maxHandles = 400_000

// maxViewHandles is how many of these one view's tree may have: no container takes
// them all.
const maxViewHandles = maxHandles / 8

// maxSnapshots is how many bytes the texts and listings of open files may take
// together, maxViewSnapshots those of one view.
const (
	maxSnapshots     = 64 << 20
	maxViewSnapshots = maxSnapshots / 8
)

// A handle is an open file.
type handle struct {
	node node
	file *file
	user stack.User // who opened it; rights are bound here
	conv *stack.Conv
	held bool // conv counts us
	num  int  // of the conversation or interface

	text    []byte // of a text file, as of the open
	kept    int    // bytes of answers
	tag     string // iproute: for the lines to come
	appends bool   // ndb: opened by >>
	entries []entry
	iface   *stack.Iface
	events  *stack.Events

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
	views   map[int]*quota
}

// A quota is how much is in use.
type quota struct{ open, texts int }

// admit reports why one more handle would be too much.
func (q quota) admit(h *handle, open, texts int) error {
	if q.open >= open {
		return neterr.NoConvs.With("%d files are open, the limit", q.open)
	}
	if q.texts+h.size() > texts {
		return neterr.NoMemory.With("open files hold %d bytes of text already", q.texts)
	}
	return nil
}

func (q *quota) add(h *handle, sign int) {
	q.open += sign
	q.texts += sign * h.size()
}

func (t *handles) add(h *handle) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open, t.streams, t.views = map[uint64]*handle{}, map[node]int{}, map[int]*quota{}
	}
	if err := t.used.admit(h, maxHandles, maxSnapshots); err != nil {
		return 0, err
	}
	if view := h.node.view(); view != stack.RootView {
		if t.views[view] == nil {
			t.views[view] = &quota{}
		}
		if err := t.views[view].admit(h, maxViewHandles, maxViewSnapshots); err != nil {
			return 0, err
		}
		t.views[view].add(h, 1)
	}
	t.used.add(h, 1)
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
		t.used.add(h, -1)
		if q := t.views[h.node.view()]; q != nil {
			if q.add(h, -1); q.open == 0 {
				delete(t.views, h.node.view())
			}
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
	if h.held {
		h.conv.Drop()
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
	if h.events != nil || h.conv.KeepsRest() {
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
