package fs

// Node ids: what the kernel calls a file by. They are computed, not stored, so a
// tree of a hundred thousand conversations costs no memory here, and FORGET is
// nothing. tree.go gives them, everybody reads them.

import (
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/stack"
)

// A node is, from the top: the view (16 bits: a number of stack.Host, which is
// above zero and below 0xffff, so that no id is one that FUSE has given a meaning,
// the root's but for its own), the protocol (4), the
// conversation, interface, switch or link (26), the file (7: the row of the table), and a
// serial (11).
//
// Files that wait get a fresh serial by each look-up, hence an inode of their own
// in the kernel, which holds a lock on an inode while a write to it waits: a
// blocked connect must not stop `echo hangup > ctl`. Serials wrap, so of 2048 that
// look up the same file of a conversation and keep it open two share an inode; then
// the second waits for the first. clone and others that belong to no conversation
// have the bits of its number for their serial, too.
type node uint64

const (
	serialBits = 11
	fileBits   = 7
	convBits   = 26
	protoBits  = 4

	fileShift  = serialBits
	convShift  = fileShift + fileBits
	protoShift = convShift + convBits
	viewShift  = protoShift + protoBits
)

// rootNode is the root's, by decree of FUSE.
const rootNode node = fuse.FUSE_ROOT_ID

// makeNode makes the node of a file that does not wait, whose id is its inode
// number.
func makeNode(view int, p proto, conv int, f fileCode) node {
	return node(view)<<viewShift | node(p)<<protoShift | node(conv)&(1<<convBits-1)<<convShift | node(f)<<fileShift
}

// treeNode is the root of a view's tree.
func treeNode(view int) node {
	if view == stack.RootView {
		return rootNode
	}
	return makeNode(view, noProto, 0, fileRoot)
}

// view is the number of the view that a node belongs to: of view/NAME and what is
// below it, of the view NAME.
func (n node) view() int {
	if n == rootNode {
		return stack.RootView
	}
	return int(n >> viewShift)
}

func (n node) proto() proto {
	if n == rootNode {
		return noProto
	}
	return proto(n >> protoShift & (1<<protoBits - 1))
}

func (n node) conv() int { return int(n >> convShift & (1<<convBits - 1)) }

func (n node) file() fileCode {
	if n == rootNode {
		return fileRoot
	}
	return fileCode(n >> fileShift & (1<<fileBits - 1))
}

// ino is the inode number: the same for every serial.
func (n node) ino() uint64 {
	n &^= 1<<serialBits - 1
	if files[n.file()].wide() {
		n &^= (1<<convBits - 1) << convShift
	}
	return uint64(n)
}

// valid reports whether n can be one that we gave out.
func (n node) valid() bool {
	return n == rootNode || n.view() > 0 && int(n.proto()) < len(protos) && int(n.file()) < len(files)
}

// parent is the directory that a node lies in; the root's is itself.
func (n node) parent() node {
	f := &files[n.file()]
	switch {
	case n.file() == fileRoot && n.view() == stack.RootView:
		return rootNode
	case n.file() == fileRoot:
		return makeNode(n.view(), noProto, 0, fileView)
	case n.file() == fileView:
		return makeNode(stack.RootView, noProto, 0, fileViews)
	case f.of == fileRoot:
		return treeNode(n.view())
	case files[f.of].ofConv, files[f.of].ofIface, files[f.of].ofFixture:
		return makeNode(n.view(), n.proto(), n.conv(), f.of)
	}
	return makeNode(n.view(), n.proto(), 0, f.of)
}

// trees counts, for each view, what the kernel knows of the root of its tree: as
// long as it is bound somewhere or a file below it is open, the view's number
// stands for it and for no other.
type trees [1 << (64 - viewShift)]atomic.Int64

func (t *trees) seen(n node) {
	if n.file() == fileRoot {
		t[n.view()].Add(1)
	}
}

func (t *trees) forget(n node, lookups uint64) {
	if n.file() == fileRoot {
		t[n.view()].Add(-int64(lookups))
	}
}

// known reports whether the kernel has the tree of a view.
func (t *trees) known(view int) bool { return t[view].Load() > 0 }

// serials counts the look-ups of files that wait.
type serials struct{ n atomic.Uint64 }

func (s *serials) fresh(n node) node {
	serial := s.n.Add(1)
	if files[n.file()].wide() {
		n |= node(serial>>serialBits) & (1<<convBits - 1) << convShift
	}
	return n | node(serial)&(1<<serialBits-1)
}

// wide reports whether serials take the place of the conversation, too.
func (f *file) wide() bool {
	return f.kind.waits() && !f.ofConv && !f.ofIface && !f.ofFixture && !f.varies
}

// For a file with a name that we must remember (names.go), conversation and
// serial together are the number of the name.
const ticketBits = convBits + serialBits

func ticketNode(view int, p proto, f fileCode, ticket uint64) node {
	return makeNode(view, p, int(ticket>>serialBits), f) | node(ticket)&(1<<serialBits-1)
}

func (n node) ticket() uint64 {
	return uint64(n.conv())<<serialBits | uint64(n)&(1<<serialBits-1)
}
