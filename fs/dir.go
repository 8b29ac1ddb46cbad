package fs

// Directories. What stands in the table and the conversations of a protocol are
// listed from where the last reply ended, so that a listing stays right while
// conversations come and go; one of by-* is a snapshot taken by its open.

import (
	"cmp"
	"slices"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/stack"
)

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
	if r.stackOf(n) == nil {
		return status(syscall.ESTALE)
	}
	if f.ofConv {
		if _, ok := r.row(n); !ok {
			return status(syscall.ESTALE)
		}
	}
	h := &handle{node: n, file: f, user: userOf(&in.InHeader)}
	var err error
	if f.group != nil {
		h.entries, err = r.groups(n)
	}
	if err == nil {
		out.Fh, err = r.enter(h)
	}
	return status(err)
}

// groups lists a by-* directory, or one group of it.
func (s *Server) groups(n node) ([]entry, error) {
	f := &files[n.file()]
	kid := f.kids[0]
	of := s.stackOf(n)
	if of == nil {
		return nil, syscall.ESTALE
	}
	var list []entry
	if files[kid].kind == link {
		group, ok := s.names.get(n.ticket())
		if !ok {
			return nil, syscall.ESTALE
		}
		scan(of, n.proto(), func(i stack.Info) bool {
			if f.group(i) == group.text {
				list = append(list, entry{strconv.Itoa(i.Num), makeNode(n.view(), n.proto(), i.Num, kid)})
			}
			return len(list) < maxListing
		})
		return list, nil
	}
	seen := map[string]bool{"": true}
	scan(of, n.proto(), func(i stack.Info) bool {
		if g := f.group(i); !seen[g] {
			seen[g] = true
			list = append(list, entry{name: g, node: makeNode(n.view(), n.proto(), 0, kid)})
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
	list = append([]entry{{".", h.node}, {"..", h.node.parent()}}, list...)
	if in.Offset < convCookie || h.file.group != nil {
		for i := in.Offset; i < uint64(len(list)); i++ {
			if !addEntry(out, list[i], i+1) {
				return fuse.OK
			}
		}
	}
	if h.node.file() == fileProto {
		r.listConvs(h.node, in, out)
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
	v := s.host.ByID(dir.view())
	if v == nil {
		return nil // it has gone since this was opened
	}
	for _, code := range files[dir.file()].kids {
		f := &files[code]
		switch {
		case code == fileProto:
			for p := tcp; p < ipifc; p++ {
				list = append(list, entry{protos[p].name, makeNode(v.ID(), p, 0, code)})
			}
		case code == fileIface:
			for _, n := range v.Stack().Ifaces() {
				list = append(list, entry{strconv.Itoa(n), makeNode(v.ID(), ipifc, n, code)})
			}
		case code == fileView:
			for _, v := range s.host.Views() {
				list = append(list, entry{v.Name(), makeNode(v.ID(), noProto, 0, code)})
			}
		case code == fileSwitch:
			for _, w := range s.host.Switches() {
				list = append(list, entry{w.Name(), makeNode(stack.RootView, switches, w.ID(), code)})
			}
		case code == fileLink:
			for _, l := range s.host.Links() {
				list = append(list, entry{l.Name(), makeNode(stack.RootView, links, l.ID(), code)})
			}
		case f.varies || !f.in(dir):
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
func (s *Server) listConvs(dir node, in *fuse.ReadIn, out *fuse.DirEntryList) {
	after := -1
	if in.Offset >= convCookie {
		after = int(in.Offset) - convCookie
	}
	of, p := s.stackOf(dir), dir.proto()
	if of == nil {
		return
	}
	for _, i := range of.Convs(protos[p].num, after, int(in.Size)/direntLen+1) {
		e := entry{i.Name, makeNode(dir.view(), p, i.Num, fileNamed)}
		if i.Name == "" {
			e = entry{strconv.Itoa(i.Num), makeNode(dir.view(), p, i.Num, fileConv)}
		}
		if !addEntry(out, e, uint64(i.Num)+convCookie) {
			return
		}
	}
}

func (r raw) ReleaseDir(in *fuse.ReleaseIn) { r.release(in.Fh) }

func (r raw) FsyncDir(_ <-chan struct{}, _ *fuse.FsyncIn) fuse.Status { return fuse.OK }
