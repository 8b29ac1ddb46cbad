package fs

// Opening. A text file is a snapshot: its words are made here and read later, so
// that no reader sees half of an old and half of a new one. A listing of by-* is
// one too. What waits (call.go) ends here as well, with stream.

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/stack"
	"slashnet/stack/neterr"
)

const (
	// textFlags: no page cache, hence offsets that we see, and a position, so that
	// `read line` and head work. A close needs no message of its own.
	textFlags = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH
	// streamFlags: no position, so that a write does not wait for a blocked read
	// on the same descriptor.
	streamFlags = textFlags | fuse.FOPEN_STREAM | fuse.FOPEN_NONSEEKABLE | fuse.FOPEN_PARALLEL_DIRECT_WRITES
)

func (r raw) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	fh, err := r.openText(node(in.NodeId), userOf(&in.InHeader))
	out.Fh, out.OpenFlags = fh, textFlags
	return status(err)
}

// at finds what a node's file is about.
func (s *Server) at(n node) (place, error) {
	at := place{stack: s.stack, proto: n.proto()}
	switch f := &files[n.file()]; {
	case f.ofConv:
		if at.conv = s.stack.Conv(protos[at.proto].num, n.conv()); at.conv == nil {
			return at, syscall.ESTALE
		}
	case f.ofIface:
		if at.iface = s.stack.Iface(n.conv()); at.iface == nil {
			return at, syscall.ESTALE
		}
	}
	return at, nil
}

func (s *Server) openText(n node, u stack.User) (uint64, error) {
	if !n.valid() || files[n.file()].kind != text {
		return 0, syscall.ESTALE
	}
	h := &handle{node: n, file: &files[n.file()], user: u, num: n.conv()}
	at, err := s.at(n)
	if err != nil {
		info, ok := s.row(n.proto(), n.conv())
		if h.file.row == nil || !ok {
			return 0, err
		}
		h.text = []byte(h.file.row(info))
		return s.handles.add(h)
	}
	if h.file.holds {
		if !at.conv.Hold() {
			return 0, syscall.ESTALE
		}
		h.conv, h.held = at.conv, true
	}
	h.text = []byte(h.file.read(at))
	fh, err := s.handles.add(h)
	if err != nil && h.held {
		h.conv.Drop()
	}
	return fh, err
}

// stream makes the open file of a conversation that the caller holds, which the
// handle holds from now on.
func (s *Server) stream(n node, u stack.User, c *stack.Conv) (uint64, error) {
	h := &handle{node: n, file: &files[n.file()], user: u, conv: c, held: true, num: c.Num(), text: numberText(c.Num())}
	fh, err := s.handles.add(h)
	if err != nil {
		c.Drop()
	}
	return fh, err
}

func numberText(n int) []byte { return append(strconv.AppendInt(nil, int64(n), 10), '\n') }

func (r raw) Read(_ <-chan struct{}, in *fuse.ReadIn, _ []byte) (fuse.ReadResult, fuse.Status) {
	h := r.handles.get(in.Fh)
	if h == nil {
		return nil, fuse.EBADF
	}
	from := min(in.Offset, uint64(len(h.text)))
	to := min(from+uint64(in.Size), uint64(len(h.text)))
	return fuse.ReadResultData(h.text[from:to]), fuse.OK
}

func (r raw) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	h := r.handles.get(in.Fh)
	if h == nil {
		return 0, fuse.EBADF
	}
	if h.file.write == nil {
		return 0, fuse.EACCES
	}
	at, err := r.at(h.node)
	if err == nil {
		h.mu.Lock() // of the tag
		defer h.mu.Unlock()
		err = eachLine(data, func(line string) error { return h.file.write(at, h, line) })
	}
	if err != nil {
		return 0, status(err)
	}
	return uint32(len(data)), fuse.OK
}

// Writev is for pieces; there is always one.
func (r raw) Writev(_ <-chan struct{}, _ *fuse.WriteIn, _ [][]byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

// eachLine carries out the lines of a write in order, until one fails. One
// newline at the end belongs to the last line.
func eachLine(data []byte, do func(line string) error) error {
	body := strings.TrimSuffix(string(data), "\n")
	if body == "" {
		return neterr.ShortControl
	}
	for line := range strings.SplitSeq(body, "\n") {
		if err := do(line); err != nil {
			return err
		}
	}
	return nil
}

func (r raw) Release(_ <-chan struct{}, in *fuse.ReleaseIn) { r.release(in.Fh) }

// --- directories

// An entry is a line of a listing.
type entry struct {
	name string
	node node
}

// maxListing is how many entries a listing of by-* has at most.
const maxListing = 1 << 17

func (r raw) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n := node(in.NodeId)
	if !n.valid() {
		return status(syscall.ESTALE)
	}
	f := &files[n.file()]
	if f.kind != directory {
		return fuse.ENOTDIR
	}
	if f.ofConv {
		if _, ok := r.row(n.proto(), n.conv()); !ok {
			return status(syscall.ESTALE)
		}
	}
	h := &handle{node: n, file: f, user: userOf(&in.InHeader)}
	var err error
	if f.group != nil {
		h.entries, err = r.groups(n)
	}
	if err == nil {
		out.Fh, err = r.handles.add(h)
	}
	return status(err)
}

// groups lists a by-* directory, or one group of it.
func (s *Server) groups(n node) ([]entry, error) {
	f := &files[n.file()]
	kid := f.kids[0]
	var list []entry
	if files[kid].kind == link {
		group, ok := s.names.get(n.ticket())
		if !ok {
			return nil, syscall.ESTALE
		}
		scan(s.stack, n.proto(), func(i stack.Info) bool {
			if f.group(i) == group.text {
				list = append(list, entry{strconv.Itoa(i.Num), makeNode(n.proto(), i.Num, kid)})
			}
			return len(list) < maxListing
		})
		return list, nil
	}
	seen := map[string]bool{"": true}
	scan(s.stack, n.proto(), func(i stack.Info) bool {
		if g := f.group(i); !seen[g] {
			seen[g] = true
			list = append(list, entry{name: g, node: makeNode(n.proto(), 0, kid)})
		}
		return len(list) < maxListing
	})
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return list, nil
}

// convCookie is where the conversations begin in the offsets of a protocol
// directory: an offset says what comes after it, so it stays right while others
// come and go.
const convCookie = 64

func (r raw) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	h := r.handles.get(in.Fh)
	if h == nil {
		return fuse.EBADF
	}
	list := h.entries
	if h.file.group == nil {
		list = r.list(h.node)
	}
	list = append([]entry{{".", h.node}, {"..", rootNode}}, list...)
	if in.Offset < convCookie || h.file.group != nil {
		for i := in.Offset; i < uint64(len(list)); i++ {
			if !addEntry(out, list[i], i+1) {
				return fuse.OK
			}
		}
	}
	if h.node.file() == fileProto {
		r.listConvs(h.node.proto(), in, out)
	}
	return fuse.OK
}

// ReadDirPlus is never asked, as it is not negotiated.
func (r raw) ReadDirPlus(_ <-chan struct{}, _ *fuse.ReadIn, _ *fuse.DirEntryList) fuse.Status {
	return fuse.ENOTSUP
}

func addEntry(out *fuse.DirEntryList, e entry, next uint64) bool {
	mode := uint32(syscall.S_IFREG)
	switch files[e.node.file()].kind {
	case directory:
		mode = syscall.S_IFDIR
	case link:
		mode = syscall.S_IFLNK
	}
	return out.AddDirEntry(fuse.DirEntry{Name: e.name, Ino: e.node.ino(), Mode: mode, Off: next})
}

// list is what of a directory stands in the table.
func (s *Server) list(dir node) []entry {
	var list []entry
	for _, code := range files[dir.file()].kids {
		f := &files[code]
		switch {
		case code == fileProto:
			for p := tcp; p < ipifc; p++ {
				list = append(list, entry{protos[p].name, makeNode(p, 0, code)})
			}
		case code == fileIface:
			for _, n := range s.stack.Ifaces() {
				list = append(list, entry{strconv.Itoa(n), makeNode(ipifc, n, code)})
			}
		case f.varies || !f.in(dir.proto()):
		default:
			if n, err := s.fixed(dir, code); err == nil {
				list = append(list, entry{f.name, n})
			}
		}
	}
	return list
}

// direntLen is the least that an entry takes: its header and a short name.
const direntLen = 32

// listConvs lists the conversations from where the last reply ended.
func (s *Server) listConvs(p proto, in *fuse.ReadIn, out *fuse.DirEntryList) {
	after := -1
	if in.Offset >= convCookie {
		after = int(in.Offset) - convCookie
	}
	for _, i := range s.stack.Convs(protos[p].num, after, int(in.Size)/direntLen+1) {
		e := entry{i.Name, makeNode(p, i.Num, fileNamed)}
		if i.Name == "" {
			e = entry{strconv.Itoa(i.Num), makeNode(p, i.Num, fileConv)}
		}
		if !addEntry(out, e, uint64(i.Num)+convCookie) {
			return
		}
	}
}

func (r raw) ReleaseDir(in *fuse.ReleaseIn) { r.release(in.Fh) }

func (r raw) FsyncDir(_ <-chan struct{}, _ *fuse.FsyncIn) fuse.Status { return fuse.OK }
