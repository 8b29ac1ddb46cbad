package fs

// Look-ups: from a directory and a name to a node. Most names stand in the table
// of tree.go; numbers, addresses and states are looked for in the stack. raw.go
// has go-fuse's side of all that is not here.

import (
	"slices"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/stack"
	"slashnet/stack/neterr"
)

func (r raw) Lookup(_ <-chan struct{}, h *fuse.InHeader, text string, out *fuse.EntryOut) fuse.Status {
	if len(text) > stack.MaxName {
		return fuse.Status(syscall.ENAMETOOLONG)
	}
	n, err := r.child(node(h.NodeId), text)
	if err != nil {
		return status(err)
	}
	return status(r.entry(n, out))
}

// entry fills in the answer to a look-up.
func (s *Server) entry(n node, out *fuse.EntryOut) error {
	// Noted before the conversation is looked at, so that no removal is missed.
	isConv := n.file() == fileConv || n.file() == fileNamed
	if isConv {
		s.notes.seen(n)
	}
	if err := s.attr(n, &out.Attr); err != nil {
		if isConv {
			s.notes.unseen(n)
		}
		return err
	}
	out.NodeId = uint64(n)
	out.SetAttrTimeout(attrsLast(n))
	switch f := &files[n.file()]; {
	case f.kind.waits(), f.ofIface, f.group != nil && f.varies:
		// Timeout 0: a file that waits is fresh each time, the others come and go
		// without a notice.
	default:
		out.SetEntryTimeout(entryTimeout)
	}
	return nil
}

// child finds a name in a directory.
func (s *Server) child(parent node, text string) (node, error) {
	if !parent.valid() {
		return 0, syscall.ESTALE
	}
	dir := &files[parent.file()]
	if dir.kind != directory {
		return 0, syscall.ENOTDIR
	}
	for _, code := range dir.kids {
		f := &files[code]
		if !f.in(parent.proto()) {
			continue
		}
		if f.varies {
			if n, ok := s.variable(parent, code, text); ok {
				return n, nil
			}
			continue
		}
		if f.name == text {
			return s.fixed(parent, code)
		}
	}
	return 0, neterr.NotFound
}

// fixed makes the node of a file whose name stands in the table.
func (s *Server) fixed(parent node, code fileCode) (node, error) {
	f := &files[code]
	p, num := parent.proto(), 0
	switch {
	case code == fileIpifc:
		p = ipifc
	case f.ofConv:
		num = parent.conv()
		_, listed := s.row(p, num)
		if !listed || f.row == nil && s.stack.Conv(protos[p].num, num) == nil {
			return 0, neterr.NotFound
		}
	case f.ofIface:
		num = parent.conv()
	}
	n := makeNode(p, num, code)
	if f.kind.waits() {
		n = s.serials.fresh(n)
	}
	return n, nil
}

// variable makes the node of a file whose name stands for something, if it does.
func (s *Server) variable(parent node, code fileCode, text string) (node, bool) {
	p := parent.proto()
	f := &files[code]
	switch {
	case code == fileProto:
		for i := tcp; i < ipifc; i++ {
			if protos[i].name == text {
				return makeNode(i, 0, code), true
			}
		}
	case code == fileConv:
		num, ok := number(text)
		if !ok {
			return 0, false
		}
		_, ok = s.row(p, num)
		return makeNode(p, num, code), ok
	case code == fileNamed:
		c := s.stack.Named(protos[p].num, text)
		if c == nil {
			return 0, false
		}
		return makeNode(p, c.Num(), code), true
	case code == fileIface:
		num, ok := number(text)
		return makeNode(p, num, code), ok && s.stack.Iface(num) != nil
	case f.kind == dial || f.kind == accept:
		if isConvFile(text) {
			return 0, false
		}
		return ticketNode(p, code, s.names.add(name{p, code, text})), true
	case f.kind == answers: // nobody is asked before the open
		return ticketNode(p, code, s.names.add(name{p, code, text})), true
	case f.kind == directory: // a group
		group := sameGroup(text)
		found := false
		scan(s.stack, p, func(i stack.Info) bool {
			found = f.group(i) == group
			return !found
		})
		return ticketNode(p, code, s.names.share(name{p, code, group})), found
	case f.kind == link:
		num, ok := number(text)
		if !ok {
			return 0, false
		}
		info, ok := s.row(p, num)
		group, known := s.names.get(parent.ticket())
		return makeNode(p, num, code), ok && known && f.group(info) == group.text
	}
	return 0, false
}

// isConvFile reports whether a name is that of a file of a conversation. Such is
// no address: `cat tcp/*/status` means the conversations, not dial/status.
func isConvFile(text string) bool {
	return slices.ContainsFunc(files[fileConv].kids, func(code fileCode) bool { return files[code].name == text })
}

// number reads a name that is a number, in the one way that it is listed.
func number(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && n <= stack.MaxConvNum && strconv.Itoa(n) == text
}

// row finds a conversation's row. One in TIME-WAIT has nothing else left.
func (s *Server) row(p proto, num int) (stack.Info, bool) {
	return s.stack.Row(protos[p].num, num)
}

func (r raw) Forget(nodeID, nlookup uint64) {}

func (r raw) Readlink(_ <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	n := node(h.NodeId)
	if !n.valid() || files[n.file()].kind != link {
		return nil, fuse.EINVAL
	}
	return []byte("../../" + strconv.Itoa(n.conv())), fuse.OK
}
