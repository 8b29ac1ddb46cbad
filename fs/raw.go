package fs

// raw is the tree as go-fuse wants it. The loop hands it, through go-fuse's
// ProtocolServer, every request that it does not answer itself: look-ups
// (lookup.go), opens of texts (open.go) and directories (dir.go), and, here,
// attributes and what changes the tree. Nothing of it waits.

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/stack"
	"slashnet/stack/neterr"
)

// raw embeds go-fuse's answers to what we have nothing to say to. They are
// ENOSYS, so each operation for which the kernel takes that badly is below.
type raw struct {
	fuse.RawFileSystem
	*Server
}

const (
	// fileSize is what every file reports: with 0 the cat of busybox prints
	// nothing and exits 0, as it believes st_size; a page is the one fake size that
	// wc sees through.
	fileSize = 4096
	// entryTimeout is how long the kernel may keep a name that only goes when we
	// say so.
	entryTimeout = time.Hour
	// attrTimeout is how long it may keep the attributes of what changes: a tick of
	// its clock, so that of the LOOKUP, the GETATTR and the permission checks of one
	// stat only the first comes here. With what never changes kept for ever, ls -l
	// of 20,000 conversations takes 0.3 s; with no timeouts it took 6.
	attrTimeout = time.Millisecond
	// streamBlock is st_blksize of a stream: cat then reads and writes as much at a
	// time as one request carries.
	streamBlock = maxWrite
)

// --- attributes

func (r raw) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := node(in.NodeId)
	out.SetTimeout(attrsLast(n))
	err := r.attr(n, &out.Attr)
	// Asked through an open text, it is lseek that looks for the end, as tail does.
	if h := r.handles.get(in.Fh()); h != nil && in.Flags()&fuse.FUSE_GETATTR_FH != 0 && (h.file.kind == text || h.file.kind == answers) {
		out.Size = uint64(len(h.text))
	}
	return status(err)
}

// attrsLast is how long the attributes of a node hold: for ever, unless it is a
// conversation's or an interface's. A file of dial gets its inode number with the
// open, and a text that may be long has its true size for whoever has opened it,
// so they are asked for each time.
func attrsLast(n node) time.Duration {
	if !n.valid() {
		return 0
	}
	switch f := &files[n.file()]; {
	case f.kind == dial, f.kind == accept:
		return 0
	case f.ofConv, f.ofIface, f.ofFixture:
		return attrTimeout
	case f.kind == text, f.kind == answers:
		return 0
	}
	return entryTimeout
}

// attr fills in what stat shows. A conversation that has gone is ESTALE, upon
// which the kernel looks the name up again; but a text of it may be open still.
func (s *Server) attr(n node, out *fuse.Attr) error {
	if !n.valid() {
		return syscall.ESTALE
	}
	f := &files[n.file()]
	*out = fuse.Attr{Ino: n.ino(), Nlink: 1, Owner: fuse.Owner{Uid: s.opts.Owner.UID, Gid: s.opts.Owner.GID}, Mode: f.mode}
	if n == rootNode {
		out.Ino = uint64(rootNode)
	}
	changed := s.started
	if n.view() != stack.RootView {
		if f.config {
			out.Mode &^= 0o222
		}
		if s.stackOf(n) == nil {
			return syscall.ESTALE
		}
	}
	if f.ofConv {
		info, ok := s.row(n)
		switch {
		case ok:
			out.Uid, out.Gid = info.Owner.UID, info.Owner.GID
			if f.mode&0o007 == 0 {
				out.Mode &= info.Mode
			}
			changed = info.Changed
		case f.kind != text:
			return syscall.ESTALE
		}
	}
	if n.file() == fileView {
		at, err := s.at(n)
		if err != nil {
			return err
		}
		out.Mode = at.view.Mode()
	}
	if f.ofFixture {
		if _, err := s.at(n); err != nil {
			return err
		}
	}
	switch f.kind {
	case directory:
		out.Mode |= syscall.S_IFDIR
	case link:
		out.Mode |= syscall.S_IFLNK
	default:
		out.Mode |= syscall.S_IFREG
		out.Size = fileSize
		switch f.kind {
		case data:
			out.Blksize = streamBlock
		case dial, accept:
			out.Blksize = streamBlock
			out.Ino = s.handles.streamIno(n)
		}
	}
	out.Mode = s.shut(out.Mode)
	out.Mtime, out.Mtimensec = uint64(changed.Unix()), uint32(changed.Nanosecond())
	out.Atime, out.Atimensec = out.Mtime, out.Mtimensec
	out.Ctime, out.Ctimensec = out.Mtime, out.Mtimensec
	return nil
}

// shut takes the permissions away that Options.Mode does not leave to anybody:
// 0600 nothing to group and others, 0644 no writing.
func (s *Server) shut(mode uint32) uint32 {
	if s.opts.Mode == 0 {
		return mode
	}
	for _, class := range []uint32{0o700, 0o070, 0o007} {
		if s.opts.Mode&class == 0 {
			mode &^= class // to search directories, too
		}
	}
	return mode &^ (0o666 &^ s.opts.Mode)
}

func (r raw) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := node(in.NodeId)
	if !n.valid() {
		return status(syscall.ESTALE)
	}
	out.SetTimeout(attrsLast(n))
	// The size is set by every `>`, the times by touch and cp -p: both succeed and
	// mean nothing.
	if in.Valid&(fuse.FATTR_MODE|fuse.FATTR_UID|fuse.FATTR_GID) != 0 {
		if err := r.chattr(n, in); err != nil {
			return status(err)
		}
	}
	return status(r.attr(n, &out.Attr))
}

// chattr is chmod and chown, which a conversation has, and chmod of a view; nothing
// else has either.
func (s *Server) chattr(n node, in *fuse.SetAttrIn) error {
	if n.file() == fileView && in.Valid&(fuse.FATTR_UID|fuse.FATTR_GID) == 0 {
		at, err := s.at(n)
		if err != nil {
			return err
		}
		return at.view.Chmod(userOf(&in.InHeader), in.Mode)
	}
	if !files[n.file()].ofConv {
		return neterr.NotOwner
	}
	c := s.conv(n)
	if c == nil {
		return syscall.ESTALE
	}
	u := userOf(&in.InHeader)
	if mode, ok := in.GetMode(); ok {
		if err := c.Chmod(u, mode); err != nil {
			return err
		}
	}
	to := c.Info().Owner
	uid, setsUID := in.GetUID()
	gid, setsGID := in.GetGID()
	if setsUID {
		to.UID = uid
	}
	if setsGID {
		to.GID = gid
	}
	if setsUID || setsGID {
		return c.Chown(u, to)
	}
	return nil
}

func userOf(h *fuse.InHeader) stack.User { return stack.User{UID: h.Uid, GID: h.Gid} }

// Access is never asked, as the kernel checks (default_permissions).
func (r raw) Access(_ <-chan struct{}, _ *fuse.AccessIn) fuse.Status { return fuse.OK }

func (r raw) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	*out = fuse.StatfsOut{Bsize: fileSize, Frsize: fileSize, NameLen: stack.MaxName}
	return fuse.OK
}

// --- directories that change

func (r raw) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, text string, out *fuse.EntryOut) fuse.Status {
	parent := node(in.NodeId)
	switch {
	case !parent.valid():
		return fuse.EPERM
	case parent.file() == fileViews:
		u := userOf(&in.InHeader)
		v, err := r.host.Mkdir(text, u)
		if err == nil {
			err = v.Chmod(u, in.Mode)
		}
		if err != nil {
			return status(err)
		}
		return status(r.entry(makeNode(v.ID(), noProto, 0, fileView), out))
	case parent.file() == fileSwitches:
		w, err := r.host.MakeSwitch(text, userOf(&in.InHeader))
		if err != nil {
			return status(err)
		}
		return status(r.entry(makeNode(stack.RootView, switches, w.ID(), fileSwitch), out))
	case parent.file() == fileLinks:
		l, err := r.host.MakeLink(text, userOf(&in.InHeader))
		if err != nil {
			return status(err)
		}
		return status(r.entry(makeNode(stack.RootView, links, l.ID(), fileLink), out))
	case parent.file() != fileProto:
		return fuse.EPERM
	}
	of := r.stackOf(parent)
	if of == nil {
		return status(syscall.ESTALE)
	}
	c, err := of.Mkdir(protos[parent.proto()].num, text, userOf(&in.InHeader))
	if err != nil {
		return status(err)
	}
	return status(r.entry(makeNode(parent.view(), parent.proto(), c.Num(), fileNamed), out))
}

func (r raw) Rmdir(_ <-chan struct{}, h *fuse.InHeader, text string) fuse.Status {
	parent := node(h.NodeId)
	switch {
	case !parent.valid():
		return fuse.EPERM
	case parent.file() == fileViews:
		return status(r.host.Rmdir(text, userOf(h)))
	case parent.file() == fileSwitches:
		return status(r.host.RemoveSwitch(text, userOf(h)))
	case parent.file() == fileLinks:
		return status(r.host.RemoveLink(text, userOf(h)))
	case parent.file() != fileProto:
		return fuse.EPERM
	}
	n, err := r.child(parent, text)
	if err != nil {
		return status(err)
	}
	if !files[n.file()].ofConv {
		return fuse.EPERM
	}
	of := r.stackOf(n)
	if of == nil {
		return status(syscall.ESTALE)
	}
	return status(of.Rmdir(protos[n.proto()].num, text, userOf(h)))
}

// A name that is not there is most often a slip, as in `> tcp/7/ctrl`: the
// answer is "Permission denied" for what would make a file, and "Operation not
// permitted" for what would change one.

func (r raw) Create(_ <-chan struct{}, _ *fuse.CreateIn, _ string, _ *fuse.CreateOut) fuse.Status {
	return fuse.EACCES
}

func (r raw) Mknod(_ <-chan struct{}, _ *fuse.MknodIn, _ string, _ *fuse.EntryOut) fuse.Status {
	return fuse.EACCES
}

func (r raw) Symlink(_ <-chan struct{}, _ *fuse.InHeader, _, _ string, _ *fuse.EntryOut) fuse.Status {
	return fuse.EPERM
}

func (r raw) Link(_ <-chan struct{}, _ *fuse.LinkIn, _ string, _ *fuse.EntryOut) fuse.Status {
	return fuse.EPERM
}

func (r raw) Unlink(_ <-chan struct{}, _ *fuse.InHeader, _ string) fuse.Status { return fuse.EPERM }

func (r raw) Rename(_ <-chan struct{}, _ *fuse.RenameIn, _, _ string) fuse.Status { return fuse.EPERM }

func (r raw) Tmpfile(_ <-chan struct{}, _ *fuse.CreateIn, _ *fuse.CreateOut) fuse.Status {
	return fuse.ENOTSUP
}

// --- operations on open files that mean nothing here

// Lseek is asked for SEEK_DATA and SEEK_HOLE only. EINVAL makes cp read the file
// as it is; it would believe an answer, and the size.
func (r raw) Lseek(_ <-chan struct{}, _ *fuse.LseekIn, _ *fuse.LseekOut) fuse.Status {
	return fuse.EINVAL
}

func (r raw) Ioctl(_ <-chan struct{}, _ *fuse.IoctlIn, _ []byte, _ *fuse.IoctlOut, _ []byte) fuse.Status {
	return fuse.Status(syscall.ENOTTY)
}

// Flush is a close of one of several descriptors: it hangs nothing up.
func (r raw) Flush(_ <-chan struct{}, _ *fuse.FlushIn) fuse.Status { return fuse.OK }

func (r raw) GetLk(_ <-chan struct{}, _ *fuse.LkIn, _ *fuse.LkOut) fuse.Status { return fuse.EINVAL }

func (r raw) SetLk(_ <-chan struct{}, _ *fuse.LkIn) fuse.Status { return fuse.EINVAL }

func (r raw) SetLkw(_ <-chan struct{}, _ *fuse.LkIn) fuse.Status { return fuse.EINVAL }
