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
	s.trees.seen(n)
	out.NodeId = uint64(n)
	out.SetAttrTimeout(attrsLast(n))
	switch f := &files[n.file()]; {
	case f.kind.waits(), f.ofIface, f.ofView, f.ofFixture, f.group != nil && f.varies:
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
	v := s.host.ByID(parent.view())
	if v == nil {
		return 0, syscall.ESTALE
	}
	for _, code := range dir.kids {
		f := &files[code]
		if !f.in(parent) {
			continue
		}
		if f.varies {
			if n, ok := s.variable(v, parent, code, text); ok {
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
	case code == fileNet:
		return treeNode(parent.view()), nil
	case code == fileIpifc:
		p = ipifc
	case code == fileSwitches:
		p = switches
	case code == fileLinks:
		p = links
	case f.ofConv:
		num = parent.conv()
		_, listed := s.row(parent)
		if !listed || f.row == nil && s.conv(parent) == nil {
			return 0, neterr.NotFound
		}
	case f.ofIface, f.ofFixture:
		num = parent.conv()
	}
	n := makeNode(parent.view(), p, num, code)
	if f.kind.waits() {
		n = s.serials.fresh(n)
	}
	return n, nil
}

// variable makes the node of a file whose name stands for something, if it does.
func (s *Server) variable(v *stack.View, parent node, code fileCode, text string) (node, bool) {
	p := parent.proto()
	f := &files[code]
	switch {
	case code == fileProto:
		for i := tcp; i < ipifc; i++ {
			if protos[i].name == text {
				return makeNode(v.ID(), i, 0, code), true
			}
		}
	case code == fileView:
		named := s.host.View(text)
		if named == nil {
			return 0, false
		}
		return makeNode(named.ID(), noProto, 0, code), true
	case code == fileSwitch:
		w := s.host.Switch(text)
		if w == nil {
			return 0, false
		}
		return makeNode(stack.RootView, switches, w.ID(), code), true
	case code == fileLink:
		l := s.host.Link(text)
		if l == nil {
			return 0, false
		}
		return makeNode(stack.RootView, links, l.ID(), code), true
	case code == fileConv:
		num, ok := number(text)
		if !ok {
			return 0, false
		}
		n := makeNode(v.ID(), p, num, code)
		_, ok = s.row(n)
		return n, ok
	case code == fileNamed:
		c := v.Stack().Named(protos[p].num, text)
		if c == nil {
			return 0, false
		}
		return makeNode(v.ID(), p, c.Num(), code), true
	case code == fileIface:
		num, ok := number(text)
		return makeNode(v.ID(), p, num, code), ok && v.Stack().Iface(num) != nil
	case f.kind == dial || f.kind == accept:
		if isConvFile(text) {
			return 0, false
		}
		return ticketNode(v.ID(), p, code, s.names.add(name{v.ID(), p, code, text})), true
	case f.kind == answers: // nobody is asked before the open
		return ticketNode(v.ID(), p, code, s.names.add(name{v.ID(), p, code, text})), true
	case f.kind == directory: // a group
		group := sameGroup(text)
		found := false
		scan(v.Stack(), p, func(i stack.Info) bool {
			found = f.group(i) == group
			return !found
		})
		return ticketNode(v.ID(), p, code, s.names.share(name{v.ID(), p, code, group})), found
	case f.kind == link:
		num, ok := number(text)
		if !ok {
			return 0, false
		}
		n := makeNode(v.ID(), p, num, code)
		info, ok := s.row(n)
		group, known := s.names.get(parent.ticket())
		return n, ok && known && f.group(info) == group.text
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

// stackOf finds the stack that a node is about; nil: its view has gone.
func (s *Server) stackOf(n node) *stack.Stack {
	if v := s.host.ByID(n.view()); v != nil {
		return v.Stack()
	}
	return nil
}

// row finds the row of the conversation that a node is of. One in TIME-WAIT has
// nothing else left.
func (s *Server) row(n node) (info stack.Info, ok bool) {
	if of := s.stackOf(n); of != nil {
		return of.Row(protos[n.proto()].num, n.conv())
	}
	return info, false
}

// conv finds the conversation that a node is of; nil: there is none.
func (s *Server) conv(n node) *stack.Conv {
	if of := s.stackOf(n); of != nil {
		return of.Conv(protos[n.proto()].num, n.conv())
	}
	return nil
}

func (r raw) Forget(nodeID, nlookup uint64) {}

func (r raw) Readlink(_ <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	n := node(h.NodeId)
	if !n.valid() || files[n.file()].kind != link {
		return nil, fuse.EINVAL
	}
	return []byte("../../" + strconv.Itoa(n.conv())), fuse.OK
}
