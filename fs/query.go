package fs

// Names: the files cs and dns, to which a query is written, and dns.d, where it
// is the name of the file. call.go comes here; the stack has somebody answer, and
// whoever asks may wait, and be interrupted.

import (
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/wire"
)

// openQuery opens cs or dns. What is asked and answered is the handle's own.
func (s *Server) openQuery(in *fuse.OpenIn, n node) {
	fh, err := s.enter(&handle{node: n, file: &files[n.file()], user: userOf(&in.InHeader)})
	if err != nil {
		s.fail(in.Unique, err)
		return
	}
	s.giveHandle(in.Unique, fh, streamFlags)
}

// writeQuery asks. What was answered before is not for this question.
func (s *Server) writeQuery(in *fuse.WriteIn, h *handle, payload []byte) {
	s.handles.keep(h, nil)
	c := &call{unique: in.Unique, handle: h}
	c.op.Kind, c.op.User, c.op.Data = h.file.asks, h.user, append([]byte(nil), payload...)
	s.submit(c)
}

// openAnswers opens a file of dns.d: its text is what is filed under its name.
func (s *Server) openAnswers(in *fuse.OpenIn, n node, name string) {
	if in.Flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		s.fail(in.Unique, syscall.EACCES) // root's to open, and nothing to write to
		return
	}
	c := &call{unique: in.Unique, node: n}
	c.op.Kind, c.op.User, c.op.Data = files[n.file()].asks, userOf(&in.InHeader), []byte(queryOf(name))
	s.submit(c)
}

// queryOf makes the query NAME TYPE of a file's name NAME:TYPE or NAME!TYPE. A
// name with more colons is an address.
func queryOf(name string) string {
	at := strings.LastIndexByte(name, '!')
	if at < 0 && strings.Count(name, ":") == 1 {
		at = strings.IndexByte(name, ':')
	}
	if at < 0 {
		return name
	}
	return name[:at] + " " + name[at+1:]
}

// finishQuery answers the write to cs or dns, or the open of a file of dns.d.
func (c *call) finishQuery() {
	s, h := c.server, c.handle
	if c.op.Err != nil {
		s.fail(c.unique, c.op.Err)
		return
	}
	if h == nil {
		var text []byte
		for _, line := range c.op.Answers {
			text = append(append(text, line...), '\n')
		}
		fh, err := s.enter(&handle{node: c.node, file: &files[c.node.file()], user: c.op.User, text: text})
		if err != nil {
			s.fail(c.unique, err)
			return
		}
		s.giveHandle(c.unique, fh, textFlags)
		return
	}
	if err := s.handles.keep(h, c.op.Answers); err != nil {
		s.fail(c.unique, err)
		return
	}
	s.dev.reply(c.unique, fuse.OK, bytesOf(&fuse.WriteOut{Size: uint32(c.op.N)}), nil)
}

// keep gives a handle its answers, in the place of earlier ones.
func (t *handles) keep(h *handle, answers []string) error {
	size := 0
	for _, line := range answers {
		size += len(line)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.quotaOf(h)
	if err := t.room(q, 0, size-h.kept); err != nil {
		return err
	}
	q.add(0, size-h.kept)
	t.used.add(0, size-h.kept)
	h.kept = size
	h.mu.Lock()
	h.answers, h.read = answers, 0
	h.mu.Unlock()
	return nil
}

// readQuery gives one answer and a newline, or what an earlier read left of them;
// nothing when there are no more.
func (s *Server) readQuery(in *fuse.ReadIn, h *handle) {
	s.dev.reply(in.Unique, fuse.OK, nil, []wire.Chunk{{B: h.answer(int(in.Size))}})
}

func (h *handle) answer(max int) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.answers) == 0 {
		return nil
	}
	rest := (h.answers[0] + "\n")[h.read:]
	if len(rest) > max {
		h.read += max
		return []byte(rest[:max])
	}
	h.answers, h.read = h.answers[1:], 0
	return []byte(rest)
}
