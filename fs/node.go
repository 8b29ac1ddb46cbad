package fs

// Node ids: what the kernel calls a file by. They are computed, not stored, so a
// tree of a hundred thousand conversations costs no memory here, and FORGET is
// nothing. tree.go gives them, everybody reads them.

import (
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// A node is, from the top: the view (12 bits), the protocol (4), the
// conversation or interface (28), the file (6: the row of the table), and a
// serial (14).
//
// Files that wait get a fresh serial by each look-up, hence an inode of their own
// in the kernel, which holds a lock on an inode while a write to it waits: a
// blocked connect must not stop `echo hangup > ctl`. Serials wrap, so in one of
// 16384 cases two look-ups share an inode; then the second waits for the first.
type node uint64

const (
	serialBits = 14
	fileBits   = 6
	convBits   = 28
	protoBits  = 4

	fileShift  = serialBits
	convShift  = fileShift + fileBits
	protoShift = convShift + convBits
	viewShift  = protoShift + protoBits
)

// theView numbers the view. It is above zero, so that no node id but the root's
// is 0 or 1, and below 0xfff, so that none is all ones.
const theView = 1

// rootNode is the root's, by decree of FUSE.
const rootNode node = fuse.FUSE_ROOT_ID

// makeNode makes the node of a file that does not wait, whose id is its inode
// number.
func makeNode(p proto, conv int, f fileCode) node {
	return theView<<viewShift | node(p)<<protoShift | node(conv)&(1<<convBits-1)<<convShift | node(f)<<fileShift
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
func (n node) ino() uint64 { return uint64(n &^ (1<<serialBits - 1)) }

// valid reports whether n can be one that we gave out.
func (n node) valid() bool {
	return n == rootNode || n>>viewShift == theView && int(n.proto()) < len(protos) && int(n.file()) < len(files)
}

// serials counts the look-ups of files that wait.
type serials struct{ n atomic.Uint64 }

func (s *serials) fresh(n node) node {
	return n | node(s.n.Add(1))&(1<<serialBits-1)
}

// For a file with a name that we must remember (names.go), conversation and
// serial together are the number of the name.
const ticketBits = convBits + serialBits

func ticketNode(p proto, f fileCode, ticket uint64) node {
	return makeNode(p, int(ticket>>serialBits), f) | node(ticket)&(1<<serialBits-1)
}

func (n node) ticket() uint64 {
	return uint64(n.conv())<<serialBits | uint64(n)&(1<<serialBits-1)
}
