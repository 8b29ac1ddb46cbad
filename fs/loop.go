package fs

// The loop: one goroutine reads the requests of the kernel and answers them.
// What the stack can answer at once never leaves this goroutine, and what has to
// wait is parked in the stack (call.go): nothing here may block, or nobody could
// interrupt anything. What is merely long goes to a worker.

import (
	"bytes"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/wire"
)

// serve reads requests until the tree is unmounted. One goroutine does: a second
// reader costs a fifth of the uploads and 60 % of latency on two cores, as they
// hand the descriptor to and fro; and interrupt relies on there being one.
func (s *Server) serve() error {
	out := make([]byte, blockLen)
	for {
		block := s.blocks.get()
		n, err := s.dev.read(block.B, s.bulk.empty())
		switch {
		case err == errNothing:
			block.Release()
			s.handleBulk(out)
			continue
		case err != nil:
			block.Release()
			s.bulk.drop()
			if err == errUnmounted {
				err = nil
			}
			return err
		case isBulk(block.B[:n]):
			if s.bulk.full() {
				s.handleBulk(out)
			}
			s.bulk.add(block, n)
			continue
		}
		s.handle(block.B[:n], block, out)
		block.Release()
		if s.bulk.passed() {
			s.handleBulk(out)
		}
	}
}

// pollHackNode is a file that go-fuse invents to switch poll off, which is the
// last thing we want.
const pollHackNode = ^uint64(0)

const pollHackName = ".go-fuse-epoll-hack"

func isPollHack(req []byte) bool {
	name := req[min(len(req), inHeaderLen):]
	return string(bytes.TrimRight(name, "\x00")) == pollHackName
}

// handle answers one request, which lies in block; out is room for the answer.
func (s *Server) handle(req []byte, block *wire.Buf, out []byte) {
	h := message[fuse.InHeader](req)
	if h == nil || int(h.Length) != len(req) {
		return // the kernel's mistake; there is no number to answer to
	}
	n := node(h.NodeId)
	waits := n.valid() && files[n.file()].kind.waits()
	switch h.Opcode {
	case opForget, opBatchForget:
		s.forget(h, req)
	case opNotifyReply:
		// Nobody waits for an answer.
	case opInterrupt:
		if in := message[fuse.InterruptIn](req); in != nil {
			s.interrupt(in.Unique)
		}
	case opPoll:
		s.servePoll(h, message[pollIn](req))
	case opBmap:
		s.dev.reply(h.Unique, fuse.ENOSYS, nil, nil) // go-fuse would log it each time
	case opRead:
		in := message[fuse.ReadIn](req)
		switch {
		case in == nil || in.ReadFlags&fuse.READ_LOCKOWNER == 0 || in.Size > maxWrite:
			// For the page cache, that is for sendfile, splice or mmap, which would
			// believe the size; refused, programs fall back to read.
			s.dev.reply(h.Unique, fuse.EINVAL, nil, nil)
		case waits:
			s.readStream(in)
		default:
			s.ordinary(h, req, out)
		}
	case opOpen, opWrite, opRelease:
		if !waits {
			s.ordinary(h, req, out)
			return
		}
		s.serveStream(h, req, block)
	default:
		s.ordinary(h, req, out)
	}
}

// forget is told what the kernel does not know any more. Of most nodes nothing is
// kept, and nobody waits for an answer.
func (s *Server) forget(h *fuse.InHeader, req []byte) {
	if h.Opcode == opForget {
		if in := message[fuse.ForgetIn](req); in != nil {
			s.trees.forget(node(h.NodeId), in.Nlookup)
		}
		return
	}
	in := message[batchForgetIn](req)
	if in == nil {
		return
	}
	rest := req[unsafe.Sizeof(*in):]
	for range in.Count {
		one := message[forgetOne](rest)
		if one == nil {
			return
		}
		s.trees.forget(node(one.NodeID), one.Nlookup)
		rest = rest[unsafe.Sizeof(*one):]
	}
}

// serveStream answers OPEN, WRITE and RELEASE of a file that waits.
func (s *Server) serveStream(h *fuse.InHeader, req []byte, block *wire.Buf) {
	switch h.Opcode {
	case opOpen:
		if in := message[fuse.OpenIn](req); in != nil {
			s.open(in)
			return
		}
	case opWrite:
		in := message[fuse.WriteIn](req)
		if in != nil && int(in.Size) == len(req)-writeInLen {
			s.writeStream(in, req[writeInLen:], block)
			return
		}
	case opRelease:
		if in := message[fuse.ReleaseIn](req); in != nil {
			s.release(in.Fh)
			s.dev.reply(h.Unique, fuse.OK, nil, nil)
			return
		}
	}
	s.dev.reply(h.Unique, fuse.EINVAL, nil, nil)
}

// ordinary has go-fuse take a request apart, raw carry it out, and answers it.
func (s *Server) ordinary(h *fuse.InHeader, req, out []byte) {
	if h.NodeId == pollHackNode || h.Opcode == opLookup && h.NodeId == fuse.FUSE_ROOT_ID && isPollHack(req) {
		s.dev.reply(h.Unique, fuse.ENOENT, nil, nil)
		return
	}
	if !s.slow(h) {
		s.answer(h, req, out)
		if h.Opcode == opInit {
			s.readyOnce.Do(func() { close(s.ready) })
		}
		return
	}
	kept := append([]byte(nil), req...)
	s.later(task{unique: h.Unique, taker: takerOf(node(h.NodeId), userOf(h)), waits: isSync(h, kept), do: func() {
		s.answer(message[fuse.InHeader](kept), kept, make([]byte, smallReply))
	}})
}

// isSync reports whether a request is `echo sync >ctl`.
func isSync(h *fuse.InHeader, req []byte) bool {
	return h.Opcode == opWrite && node(h.NodeId).file() == fileCtl && len(req) >= writeInLen && string(bytes.TrimSpace(req[writeInLen:])) == "sync"
}

// smallReply holds the answer to any request that carries no bytes.
const smallReply = 4096

func (s *Server) answer(h *fuse.InHeader, req, out []byte) {
	n, st := s.protocol.HandleRequest([][]byte{req}, [][]byte{out})
	switch {
	case n > 0:
		s.dev.send(out[:n])
	case st != fuse.OK:
		s.dev.reply(h.Unique, st, nil, nil)
	}
}

// slow reports whether a request may take as long as there are conversations or
// routes, or does what is not ours to time.
func (s *Server) slow(h *fuse.InHeader) bool {
	n := node(h.NodeId)
	if !n.valid() {
		return false
	}
	f := &files[n.file()]
	switch h.Opcode {
	case opOpen, opWrite:
		return f.slow
	case opOpendir:
		return f.group != nil
	case opLookup:
		return f.group != nil && !f.varies
	}
	return false
}
