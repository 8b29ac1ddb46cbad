package fs

// The files that answer what is going on: events, status.json, all.json.

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"slashnet/stack"
	"slashnet/wire"
)

// The stream of events waits, is interrupted, polled and read in pieces as data
// is, and takes no word from root.
func TestEventsAreAStream(t *testing.T) {
	h := newHost(t)
	s := h.Root()
	k := newKernel(t, h)
	n := k.walk("events")
	fh, how := k.open(n, syscall.O_RDWR)
	if how != streamFlags {
		t.Errorf("flags %#x", how)
	}
	read := fuse.ReadIn{Fh: fh, Size: 4096, ReadFlags: fuse.READ_LOCKOWNER}
	blocked := k.send(opRead, n, read)
	until(t, "the read waits", func() bool { return len(k.srv.calls.all()) == 1 })
	k.send(opInterrupt, 0, fuse.InterruptIn{Unique: blocked})
	if a, err := k.recv(); err != nil || a.unique != blocked || a.errno() != syscall.EINTR {
		t.Error(a, err)
	}
	nonblock := read
	nonblock.Flags = syscall.O_NONBLOCK
	if a := k.ask(opRead, n, nonblock); a.errno() != syscall.EAGAIN {
		t.Error(a)
	}
	if a := k.writeTo(n, fh, "words"); a.errno() != syscall.EBADF {
		t.Error(a)
	}
	poll := pollIn{Fh: fh, Kh: 5, Flags: pollScheduleNotify}
	if r := message[pollOut](k.ask(opPoll, n, poll).body).Revents; r != 0 {
		t.Errorf("poll: %#x", r)
	}

	c, err := s.Clone(wire.UDP, stack.User{}, false)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := k.recv(); err != nil || a.unique != 0 || message[notifyPollOut](a.body).Kh != 5 {
		t.Error("no notice", a, err)
	}
	var text string
	for !strings.HasSuffix(text, "\n") {
		text += string(k.read(n, fh, 7).body)
	}
	if !strings.Contains(text, " udp/0 - Closed ") {
		t.Errorf("in pieces %q", text)
	}

	k.ask(opRelease, n, fuse.ReleaseIn{Fh: fh})
	own := k.walk("udp", "0", "events")
	ofh, _ := k.open(own, syscall.O_RDONLY)
	if a := k.read(own, ofh, 4096); !strings.HasSuffix(string(a.body), " udp/0 - Closed ::!0 ::!0 made\n") {
		t.Errorf("history %q", a.body)
	}
	c.Drop()
	if a, err := k.recv(); err != nil || a.unique != 0 {
		t.Error("the name was not taken back", a, err)
	}
	if a := k.read(own, ofh, 4096); !strings.Contains(string(a.body), " udp/0 Closed - ") {
		t.Errorf("the end %q", a.body)
	}
	if a := k.read(own, ofh, 4096); a.status != 0 || len(a.body) != 0 {
		t.Errorf("after the end %v", a)
	}
	if r := message[pollOut](k.ask(opPoll, own, pollIn{Fh: ofh}).body).Revents; r&(unix.POLLIN|unix.POLLHUP) != unix.POLLIN|unix.POLLHUP {
		t.Errorf("poll at the end: %#x", r)
	}
	k.ask(opRelease, own, fuse.ReleaseIn{Fh: ofh})
}

func TestEventsInAShell(t *testing.T) {
	w := newWorld(t)
	all := w.background("cat $NET/events")
	w.waiting(1)
	n := strings.TrimSpace(w.ok("n=$(cat $NET/tcp/clone); echo announce 7777 >$NET/tcp/$n/ctl; echo $n"))
	own := w.background(fmt.Sprintf("cut -d' ' -f2- <$NET/tcp/%s/events", n))
	w.waiting(2)
	w.ok("rmdir $NET/tcp/" + n)
	want := fmt.Sprintf("tcp/%[1]s - Closed ::!0 ::!0 made\ntcp/%[1]s Closed Listen ::!7777 ::!0 announce\n"+
		"tcp/%[1]s Listen Closed ::!7777 ::!0 connection hung up\ntcp/%[1]s Closed - ::!7777 ::!0 nothing is left to do\n", n)
	if r := own.end(); r.out != want || r.code != 0 {
		t.Errorf("%+v\nwant %s", r, want)
	}
	syscall.Kill(-all.Process.Pid, syscall.SIGINT)
	if r := all.end(); strings.Count(r.out, " tcp/"+n+" ") != 4 {
		t.Errorf("all: %q", r.out)
	}
	w.waiting(0)
}

// What is read whole agrees with what is read in parts, also from a shell.
func TestJSON(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair()
	var rows []struct {
		Number        int
		State, Why    string
		Local, Remote struct {
			Addr string
			Port int
		}
	}
	if err := json.Unmarshal([]byte(w.ok("cat $NET/tcp/all.json")), &rows); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range rows {
		if r.Number != a && r.Number != b {
			continue
		}
		found++
		w.want(fmt.Sprintf("cat $NET/tcp/%d/{local,remote}", r.Number), fmt.Sprintf("%s!%d\n%s!%d\n", r.Local.Addr, r.Local.Port, r.Remote.Addr, r.Remote.Port))
		if r.State != "Established" || !strings.HasPrefix(r.Why, "Established for ") {
			t.Errorf("%+v", r)
		}
	}
	if found != 2 {
		t.Errorf("%d of 2 in %+v", found, rows)
	}
	for _, file := range []string{"udp", "icmp"} {
		w.ok(fmt.Sprintf("n=$(cat $NET/%[1]s/clone); python3 -m json.tool $NET/%[1]s/$n/status.json >/dev/null; python3 -m json.tool $NET/%[1]s/all.json >/dev/null", file))
	}
}

// A snapshot over the limit is refused, in words.
func TestAllJSONLimit(t *testing.T) {
	h := newHost(t)
	s := h.Root()
	k := newKernel(t, h)
	if _, err := k.srv.enter(&handle{node: rootNode, file: &files[code("/log")], text: make([]byte, maxSnapshots/2)}); err != nil {
		t.Fatal(err)
	}
	if a := k.ask(opOpen, k.walk("tcp", "all.json"), fuse.OpenIn{}); a.errno() != syscall.ENOBUFS {
		t.Error(a)
	}
	if !strings.Contains(s.LogText(), "fs: /PROTO/all.json: no memory for this request: ") {
		t.Error(s.LogText())
	}
}
