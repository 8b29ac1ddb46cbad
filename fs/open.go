package fs

// Opening. A text file is a snapshot: its words are made here and read later, so
// that no reader sees half of an old and half of a new one. What waits (call.go)
// ends here as well, with stream.

import (
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
	n := node(in.NodeId)
	if err := r.mayOpen(n, in.Flags); err != nil {
		return status(err)
	}
	fh, err := r.openText(n, userOf(&in.InHeader), in.Flags&syscall.O_APPEND != 0)
	out.Fh, out.OpenFlags = fh, textFlags
	return status(err)
}

// mayOpen refuses to let a view be configured from its own tree, which the modes
// do not keep root from.
func (s *Server) mayOpen(n node, flags uint32) error {
	if !n.valid() {
		return syscall.ESTALE
	}
	if n.view() != stack.RootView && files[n.file()].config && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return neterr.Permission.With("a view is configured by its owner, in view/NAME/ctl")
	}
	return nil
}

// at finds what a node's file is about.
func (s *Server) at(n node) (place, error) {
	at := place{view: s.host.ByID(n.view()), proto: n.proto()}
	if at.view == nil {
		return at, syscall.ESTALE
	}
	at.stack = at.view.Stack()
	switch f := &files[n.file()]; {
	case f.ofConv:
		if at.conv = at.stack.Conv(protos[at.proto].num, n.conv()); at.conv == nil {
			return at, syscall.ESTALE
		}
	case f.ofIface:
		if at.iface = at.stack.Iface(n.conv()); at.iface == nil {
			return at, syscall.ESTALE
		}
	case f.ofFixture && n.proto() == switches:
		if at.sw = s.host.SwitchByID(n.conv()); at.sw == nil {
			return at, syscall.ESTALE
		}
	case f.ofFixture:
		if at.link = s.host.LinkByID(n.conv()); at.link == nil {
			return at, syscall.ESTALE
		}
	}
	return at, nil
}

func (s *Server) openText(n node, u stack.User, appends bool) (uint64, error) {
	if !n.valid() || files[n.file()].kind != text {
		return 0, syscall.ESTALE
	}
	h := &handle{node: n, file: &files[n.file()], user: u, num: n.conv(), appends: appends}
	at, err := s.at(n)
	if err != nil {
		if h.file.row == nil || at.stack == nil {
			return 0, err
		}
		record, ok := at.stack.Record(protos[n.proto()].num, n.conv())
		if !ok {
			return 0, err
		}
		h.text = []byte(h.file.row(record))
		return s.enter(h)
	}
	if h.file.holds {
		if !at.conv.Hold() {
			return 0, syscall.ESTALE
		}
		h.conv, h.held = at.conv, true
	}
	h.text = []byte(h.file.read(at))
	fh, err := s.enter(h)
	if err != nil && h.held {
		h.conv.Drop()
	}
	return fh, err
}

// stream makes the open file of a conversation that the caller holds, which the
// handle holds from now on.
func (s *Server) stream(n node, u stack.User, c *stack.Conv) (uint64, error) {
	h := &handle{node: n, file: &files[n.file()], user: u, conv: c, held: true, num: c.Num(), text: numberText(c.Num())}
	fh, err := s.enter(h)
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
	return fuse.ReadResultData(h.textAt(in.Offset, in.Size)), fuse.OK
}

// textAt is a piece of the text.
func (h *handle) textAt(offset uint64, size uint32) []byte {
	from := min(offset, uint64(len(h.text)))
	to := min(from+uint64(size), uint64(len(h.text)))
	return h.text[from:to]
}

func (r raw) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	h := r.handles.get(in.Fh)
	if h == nil {
		return 0, fuse.EBADF
	}
	if h.file.write == nil && h.file.replace == nil {
		return 0, fuse.EACCES
	}
	at, err := r.at(h.node)
	at.cancel = cancel
	switch {
	case err != nil:
	case h.file.replace != nil:
		err = h.file.replace(at, string(data), h.appends || in.Offset > 0)
	default:
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
