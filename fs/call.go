package fs

// Requests that may wait. Each is an operation of the stack: a value in a list,
// no goroutine. The loop begins them, whoever makes one possible ends it by
// finish, on his own goroutine, and INTERRUPT takes it back.

import (
	"sync"
	"syscall"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/stack"
	"slashnet/stack/neterr"
	"slashnet/wire"
)

// A call is a request that the loop answers by an operation.
type call struct {
	op     stack.Op
	stack  *stack.Stack // that carries it out: its conversation's, or its node's
	server *Server
	unique uint64
	block  *wire.Buf // READ, WRITE: what the request's bytes lie in, if kept
	handle *handle   // READ, WRITE
	node   node      // OPEN
}

// calls are those not yet answered, by the kernel's number.
type calls struct {
	mu   sync.Mutex
	wait map[uint64]*call
}

func (t *calls) add(c *call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wait == nil {
		t.wait = map[uint64]*call{}
	}
	t.wait[c.unique] = c
}

func (t *calls) remove(c *call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.wait, c.unique)
}

func (t *calls) get(unique uint64) *call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wait[unique]
}

func (t *calls) all() []*call {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*call, 0, len(t.wait))
	for _, c := range t.wait {
		all = append(all, c)
	}
	return all
}

// submit begins a call. It can be interrupted from then on, as the loop enters
// it before it reads the next request.
func (s *Server) submit(c *call) {
	c.server = s
	n := c.node
	if c.handle != nil {
		n = c.handle.node
	}
	if c.op.Conv != nil {
		c.stack = c.op.Conv.Stack()
	} else if c.stack = s.stackOf(n); c.stack == nil {
		s.fail(c.unique, syscall.ESTALE)
		return
	}
	c.op.Done = c.finish
	s.calls.add(c)
	c.stack.Submit(&c.op)
	if s.closing.Load() {
		// Close may have looked at the calls before this one was parked.
		c.stack.Cancel(&c.op, neterr.ShuttingDown)
	}
}

// interrupt answers a call with EINTR, if it still waits: then nothing has
// happened. A job that is under way ends as soon as it can. An unknown number is of
// a request whose answer is on its way: with one reader none can come before its
// request is entered.
func (s *Server) interrupt(unique uint64) {
	if w, ok := s.bulk.withdraw(unique); ok {
		s.serveBulk(w, make([]byte, smallReply)) // it may have to wait, and then is to be told
	}
	if c := s.calls.get(unique); c != nil {
		c.stack.Cancel(&c.op, neterr.Interrupted)
		return
	}
	switch queued, running := s.jobs.withdraw(unique); {
	case queued:
		s.fail(unique, syscall.EINTR)
	case running:
		s.hurry(unique)
	}
}

// hurry has go-fuse close the channel that raw's methods are given.
func (s *Server) hurry(unique uint64) {
	in := fuse.InterruptIn{Unique: unique}
	in.Opcode, in.Length = opInterrupt, uint32(unsafe.Sizeof(in))
	s.protocol.HandleRequest([][]byte{bytesOf(&in)}, [][]byte{make([]byte, smallReply)})
}

// finish answers the kernel.
func (c *call) finish(*stack.Op) {
	s := c.server
	s.calls.remove(c)
	switch c.op.Kind {
	case stack.OpRead, stack.OpStream:
		c.finishRead()
	case stack.OpWrite, stack.OpCtl:
		c.block.Release()
		if c.op.Err != nil {
			s.fail(c.unique, c.op.Err)
			return
		}
		s.dev.reply(c.unique, fuse.OK, bytesOf(&fuse.WriteOut{Size: uint32(c.op.N)}), nil)
	case stack.OpCS, stack.OpDNS:
		c.finishQuery()
	default:
		if c.op.Err != nil {
			s.fail(c.unique, c.op.Err)
			return
		}
		s.opened(c.unique, c.node, c.op.User, c.op.Call)
	}
}

func (c *call) finishRead() {
	s := c.server
	if c.op.Err != nil {
		letGo(c.op.Chunks)
		s.fail(c.unique, c.op.Err)
		return
	}
	chunks := c.handle.fit(c.op.Chunks, c.op.Max)
	s.dev.reply(c.unique, fuse.OK, nil, chunks)
	letGo(chunks)
}

// opened answers the open of a conversation that the caller holds.
func (s *Server) opened(unique uint64, n node, u stack.User, c *stack.Conv) {
	fh, err := s.stream(n, u, c)
	if err != nil {
		s.fail(unique, err)
		return
	}
	s.giveHandle(unique, fh, streamFlags)
}

// giveHandle answers an open. Nobody will release one that the kernel did not
// want any more, so we do.
func (s *Server) giveHandle(unique, fh uint64, flags uint32) {
	if !s.dev.reply(unique, fuse.OK, bytesOf(&fuse.OpenOut{Fh: fh, OpenFlags: flags}), nil) {
		s.release(fh)
	}
}

func (s *Server) fail(unique uint64, err error) {
	s.dev.reply(unique, status(err), nil, nil)
}

// --- requests, as they come from the loop

// open opens a file that waits.
func (s *Server) open(in *fuse.OpenIn) {
	n, u := node(in.NodeId), userOf(&in.InHeader)
	f := &files[n.file()]
	at, err := s.at(n)
	if err == nil {
		err = s.mayOpen(n, in.Flags)
	}
	switch {
	case err != nil:
		s.fail(in.Unique, err)
	case f.kind == snoop:
		s.openSnoop(in, n, u, at)
	case n.proto() == ipifc:
		s.openIface(in.Unique, n, u, at)
	case f.kind == events:
		h := &handle{node: n, file: f, user: u, stream: at.stack.Events(at.conv)}
		s.add(in.Unique, h)
	case f.kind == clone:
		conv, err := at.stack.Clone(protos[n.proto()].num, u, detached(in))
		if err != nil {
			s.fail(in.Unique, err)
			return
		}
		s.opened(in.Unique, n, u, conv)
	case f.kind == control, f.kind == data:
		if !at.conv.Hold() {
			s.fail(in.Unique, syscall.ESTALE)
			return
		}
		s.opened(in.Unique, n, u, at.conv)
	case f.kind == query:
		s.openQuery(in, n)
	default:
		s.openCall(in, n, at)
	}
}

// detached reports whether the conversation that an open makes lives without
// handles: what `n=$(cat clone)` is done with at once is to stay.
func detached(in *fuse.OpenIn) bool { return in.Flags&syscall.O_ACCMODE == syscall.O_RDONLY }

// openCall opens listen, or a file of dial or accept: it waits for a connection;
// or a file of dns.d, which waits for answers.
func (s *Server) openCall(in *fuse.OpenIn, n node, at place) {
	c := &call{unique: in.Unique, node: n}
	c.op.User, c.op.NonBlock = userOf(&in.InHeader), in.Flags&syscall.O_NONBLOCK != 0
	kind := files[n.file()].kind
	if kind == listen {
		c.op.Kind, c.op.Conv, c.op.Detached = stack.OpListen, at.conv, detached(in)
		s.submit(c)
		return
	}
	name, ok := s.names.get(n.ticket())
	if !ok {
		s.fail(in.Unique, syscall.ESTALE)
		return
	}
	if kind == answers {
		s.openAnswers(in, n, name.text)
		return
	}
	c.op.Kind, c.op.Proto, c.op.Addr = stack.OpAccept, protos[n.proto()].num, name.text
	if kind == dial {
		c.op.Kind = stack.OpDial
	}
	s.submit(c)
}

// openIface opens clone or ctl of ipifc: interfaces are not held.
func (s *Server) openIface(unique uint64, n node, u stack.User, at place) {
	f := &files[n.file()]
	if f.kind == clone {
		i, err := at.stack.CloneIface()
		if err != nil {
			s.fail(unique, err)
			return
		}
		at.iface = i
	}
	s.add(unique, &handle{node: n, file: f, user: u, iface: at.iface, num: at.iface.Num(), text: numberText(at.iface.Num())})
}

// openSnoop begins a capture.
func (s *Server) openSnoop(in *fuse.OpenIn, n node, u stack.User, at place) {
	var capture *stack.Snoop
	var err error
	if at.link != nil {
		capture, err = at.link.Snoop()
	} else {
		capture, err = at.iface.Snoop()
	}
	if err != nil {
		at.stack.Logf("fs: %s: %v", files[n.file()].path, err)
		s.fail(in.Unique, err)
		return
	}
	s.add(in.Unique, &handle{node: n, file: &files[n.file()], user: u, stream: capture})
}

// add answers an open with a handle that holds nothing.
func (s *Server) add(unique uint64, h *handle) {
	fh, err := s.enter(h)
	if err != nil {
		h.close()
		s.fail(unique, err)
		return
	}
	s.giveHandle(unique, fh, streamFlags)
}

// readStream reads from a file that waits.
func (s *Server) readStream(in *fuse.ReadIn) {
	h := s.handles.get(in.Fh)
	if h == nil {
		s.fail(in.Unique, syscall.EBADF)
		return
	}
	switch {
	case h.file.kind == query:
		s.readQuery(in, h)
		return
	case h.file.kind == answers:
		s.dev.reply(in.Unique, fuse.OK, nil, []wire.Chunk{{B: h.textAt(in.Offset, in.Size)}})
		return
	case !h.isStream() && h.stream == nil:
		s.dev.reply(in.Unique, fuse.OK, nil, []wire.Chunk{{B: h.number(int(in.Size))}})
		return
	}
	if rest := h.rest(int(in.Size)); rest != nil {
		s.dev.reply(in.Unique, fuse.OK, nil, []wire.Chunk{{B: rest}})
		return
	}
	c := &call{unique: in.Unique, handle: h}
	c.op.Kind, c.op.Conv, c.op.User, c.op.Max = stack.OpRead, h.conv, h.user, int(in.Size)
	if h.stream != nil {
		c.op.Kind, c.op.Stream = stack.OpStream, h.stream
	}
	c.op.NonBlock = in.Flags&syscall.O_NONBLOCK != 0
	s.submit(c)
}

// isStream reports whether reads and writes are of the bytes of a conversation,
// rather than of its number and commands.
func (h *handle) isStream() bool {
	return h.file.kind == data || h.file.kind == dial || h.file.kind == accept
}

// writeStream writes to a file that waits. block is what the request lies in.
func (s *Server) writeStream(in *fuse.WriteIn, payload []byte, block *wire.Buf) {
	h := s.handles.get(in.Fh)
	if h == nil {
		s.fail(in.Unique, syscall.EBADF)
		return
	}
	switch {
	case h.iface != nil:
		s.writeIface(in.Unique, h, payload)
		return
	case h.file.kind == query:
		s.writeQuery(in, h, payload)
		return
	case h.file.kind == answers, h.stream != nil: // root may open them for writing
		s.fail(in.Unique, syscall.EBADF)
		return
	}
	c := &call{unique: in.Unique, handle: h}
	c.op.Kind, c.op.Conv, c.op.User = stack.OpCtl, h.conv, h.user
	c.op.NonBlock = in.Flags&syscall.O_NONBLOCK != 0
	if h.isStream() {
		c.op.Kind = stack.OpWrite
	} else {
		h.rewind()
	}
	switch {
	case len(payload) < handOver || c.op.Kind == stack.OpCtl:
		// It may be parked, and a block is too large to wait with it.
		c.op.Data = append([]byte(nil), payload...)
	case s.blocks.scarce():
		c.op.Data = append([]byte(nil), payload...)
		c.block = wire.NewBuf(c.op.Data, nil)
		c.op.Buf = c.block
	default:
		block.Hold()
		c.op.Data, c.op.Buf, c.block = payload, block, block
	}
	s.submit(c)
}

// writeIface carries out lines for an interface, which may make a device: a
// worker does it.
func (s *Server) writeIface(unique uint64, h *handle, payload []byte) {
	h.rewind()
	lines := append([]byte(nil), payload...)
	s.later(task{unique: unique, taker: takerOf(h.node, h.user), do: func() {
		if err := eachLine(lines, h.iface.Ctl); err != nil {
			s.fail(unique, err)
			return
		}
		s.dev.reply(unique, fuse.OK, bytesOf(&fuse.WriteOut{Size: uint32(len(lines))}), nil)
	}})
}
