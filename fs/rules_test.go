package fs

// The nine rules of the loop (architecture §6), each found by failing, each with
// a test of its name.

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"slashnet/stack"
	"slashnet/wire"
)

// Rule 1: an INTERRUPT is answered at once; a client whose request ignores it
// survives SIGKILL.
func TestRule1InterruptIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t)
	a, _ := w.pair()
	full, _ := w.pair()
	listener := strings.TrimSpace(w.ok(`cd $NET/tcp; l=$(cat clone); echo announce 0 >$l/ctl; echo $l`))
	idle := strings.TrimSpace(w.ok(`cat $NET/tcp/clone`))
	for _, what := range []struct{ name, script string }{
		{"read", fmt.Sprintf("exec cat $NET/tcp/%d/data", a)},
		{"write", fmt.Sprintf("exec dd if=/dev/zero of=$NET/tcp/%d/data bs=64k status=none", full)},
		{"connect", "exec printf 'connect " + nowhere + "' >$NET/tcp/" + idle + "/ctl"},
		{"listen", "exec cat $NET/tcp/" + listener + "/listen"},
		{"dial", "exec cat $NET/tcp/dial/" + nowhere},
		{"accept", "exec cat $NET/tcp/accept/7777"},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(fmt.Sprintf("%s %v", what.name, sig), func(t *testing.T) {
				w := *w
				w.t = t
				script := what.script
				if what.name == "connect" { // printf is bash's own: it must not be exec's
					script = "/usr/bin/" + strings.TrimPrefix(script, "exec ")
					script = "exec " + script
				}
				j := w.background(script)
				w.waiting(1)
				began := time.Now()
				syscall.Kill(j.Process.Pid, sig)
				j.end()
				if took := time.Since(began); took > time.Second {
					t.Errorf("the process lived %v after the signal", took)
				}
				if ws := j.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != sig {
					t.Errorf("it ended otherwise: %v %s", j.ProcessState, j.errs)
				}
				w.waiting(0)
				until(t, "all files are closed", func() bool { return len(w.srv.handles.all()) == 0 })
			})
		}
	}
}

// Rule 2, the part that needs a kernel: errors reach the shell in words, and
// what is switched off is only what may be. The rest is in kernel_test.go.
func TestRule2ErrorsReachTheShell(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ script, words string }{
		{"echo foo >$NET/tcp/$(cat $NET/tcp/clone)/ctl", "write error: Invalid argument"},
		{"cat $NET/tcp/dial/127.0.0.1:9", "Connection refused"},
		{"exec 3<>$NET/tcp/dial/192.0.2.1:9", "Network is unreachable"},
		{"cat $NET/tcp/99", "No such file or directory"},
		{"echo x >$NET/tcp/99", "Permission denied"},
		{"rmdir $NET/tcp/99", "No such file or directory"},
		{"> $NET/tcp/ctrl", "Permission denied"},
		{"rm $NET/log", "Operation not permitted"},
		{"mv $NET/log $NET/gol", "Operation not permitted"},
		{"ln -s x $NET/tcp/y", "Operation not permitted"},
		{"ln $NET/log $NET/gol", "Operation not permitted"},
		{"mkfifo $NET/tcp/y", "Permission denied"},
		{"mkdir $NET/y", "Operation not permitted"},
		{"mkdir $NET/tcp/7up", "Invalid argument"},
		{"rmdir $NET/ipifc", "Operation not permitted"},
		{"chmod 600 $NET/log", "Operation not permitted"},
	} {
		if r := w.sh(c.script); r.code == 0 || !strings.Contains(r.err, c.words) {
			t.Errorf("%s: exit %d, %q, want %q", c.script, r.code, r.err, c.words)
		}
	}
	// fsync may be ENOSYS: the kernel then calls it done.
	w.ok(`dd if=/dev/null of=$NET/tcp/$(cat $NET/tcp/clone)/ctl conv=fsync status=none`)
}

// Rule 3: files that wait have no position, so that one descriptor reads and
// writes at once; texts are snapshots and seekable.
func TestRule3StreamsAndSnapshots(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair()
	j := w.background(fmt.Sprintf("exec 3<>$NET/tcp/%d/data; cat <&3 >/dev/null & read go; echo hello >&3; kill $!", a))
	w.waiting(1)
	fmt.Fprintln(j.in, "go")
	w.want(fmt.Sprintf("head -c 6 $NET/tcp/%d/data", b), "hello\n")
	j.end()

	// bash reads a block of a seekable file and seeks back.
	out := w.ok("while read -r line; do echo \"$line\"; done <$NET/help")
	if squeeze(out) != squeeze(helpText) {
		t.Errorf("line by line, help reads as %q", out)
	}
	// A snapshot does not tear: what was opened stays though the truth changes.
	w.want(fmt.Sprintf("exec 4<$NET/tcp/%d/status; echo hangup >$NET/tcp/%d/ctl; head -c 11 <&4", a, a), "Established")
	if r := w.sh(fmt.Sprintf("cat <$NET/tcp/%d/data | dd bs=1 skip=1 status=none", a)); strings.Contains(r.err, "seek") {
		t.Error(r.err)
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// Rule 4: every file is 4096 long and reads for the page cache are refused, or
// busybox prints nothing and calls it a success.
func TestRule4EveryCatPrintsSomething(t *testing.T) {
	w := newWorld(t)
	w.want("stat -c %s $NET/version", "4096\n")
	for _, cat := range []string{"cat", "busybox cat", "busybox head -n9", "dd status=none <", "sed ''", "busybox dd 2>/dev/null <", "sort", "awk 1", "tail -n 5"} {
		for _, form := range []string{"%s $NET/version", "%s $NET/version | cat", "x=$(%s $NET/version); echo \"$x\""} {
			w.want(fmt.Sprintf(form, cat), versionText)
		}
	}
	w.want("wc -c <$NET/version", fmt.Sprintln(len(versionText)))
	w.want("cp $NET/help /tmp/help.$$; cat /tmp/help.$$; rm /tmp/help.$$", helpText)
	// tail looks for the end first, and a log is longer than a page.
	w.ok("i=0; while [ $i -lt 200 ]; do echo no such knob $i >$NET/ctl || :; i=$((i+1)); done 2>/dev/null; test $(wc -c <$NET/log) -gt 8192")
	w.want("tail -n 3 $NET/log", w.ok("cat $NET/log | tail -n 3"))
	w.want("stat -c %s $NET/log", "4096\n")
	// Streams too.
	for _, cat := range []string{"cat", "busybox cat"} {
		a, b := w.pair()
		w.want(fmt.Sprintf("echo through >$NET/tcp/%d/data; echo close >$NET/tcp/%d/ctl; %s $NET/tcp/%d/data | cat", a, a, cat, b), "through\n")
	}
}

// Rule 5: the kernel locks an inode during a write; a blocked connect must stop
// neither hangup nor other dialers.
func TestRule5BlockedWriteBlocksNobody(t *testing.T) {
	w := newWorld(t)
	n := strings.TrimSpace(w.ok("cat $NET/tcp/clone"))
	blocked := w.background(fmt.Sprintf("echo connect %s >$NET/tcp/%s/ctl", nowhere, n))
	cloned := w.background(fmt.Sprintf("exec 3<>$NET/tcp/clone; echo connect %s >&3", nowhere))
	w.waiting(2)
	began := time.Now()
	w.ok(fmt.Sprintf("echo keepalive >$NET/tcp/%s/ctl; ls -l $NET/tcp/%s >/dev/null; cat $NET/tcp/%s/status >/dev/null", n, n, n))
	w.ok("exec 3<>$NET/tcp/clone; echo announce 0 >&3; : >$NET/tcp/clone")
	w.ok(fmt.Sprintf("echo hangup >$NET/tcp/%s/ctl", n))
	if r := blocked.end(); r.code == 0 {
		t.Error("connect succeeded:", r)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the others took %v", took)
	}
	if len(w.srv.calls.all()) != 1 {
		t.Error("the connect through clone has ended")
	}
	syscall.Kill(-cloned.Process.Pid, syscall.SIGKILL)
	cloned.end()
}

// Rule 6: `>` truncates, which means nothing; a close of one of several
// descriptors hangs nothing up, the last one does.
func TestRule6LastCloseHangsUp(t *testing.T) {
	w := newWorld(t)
	n := strings.TrimSpace(w.ok("cat $NET/tcp/clone"))
	w.ok(fmt.Sprintf("echo keepalive >$NET/tcp/%s/ctl; echo keepalive >>$NET/tcp/%s/ctl; truncate -s 0 $NET/tcp/%s/ctl; touch $NET/tcp/%s/ctl", n, n, n, n))
	j := w.background("exec 3<>$NET/tcp/clone; read n <&3; (exec 3>&-; :); (:) 4>&3; exec 5>&3 3>&-; echo $n; read go; exec 5>&-; read go")
	until(t, "the script has a conversation", func() bool { return len(w.stack.Convs(wire.TCP, -1, 9)) == 2 })
	last := w.stack.Convs(wire.TCP, -1, 9)[1].Num
	w.ok(fmt.Sprintf("echo keepalive >$NET/tcp/%d/ctl", last)) // still there, and that close matters as little
	if w.stack.Conv(wire.TCP, last) == nil {
		t.Error("closed too early")
	}
	fmt.Fprintln(j.in, "go")
	until(t, "the last close ends the conversation", func() bool { return w.stack.Conv(wire.TCP, last) == nil })
	fmt.Fprintln(j.in, "go")
	j.end()
}

// Rule 8: names go by notice, never from a handler: removals that hold the
// directory's lock while others look up do not meet in a deadlock.
func TestRule8RemovedNamesVanish(t *testing.T) {
	w := newWorld(t)
	u := stack.User{}
	seen, err := w.stack.Clone(wire.TCP, u, false)
	if err != nil {
		t.Fatal(err)
	}
	unseen, _ := w.stack.Clone(wire.TCP, u, false)
	dir := fmt.Sprintf("$NET/tcp/%d", seen.Num())
	w.ok("test -d " + dir)
	if n := w.known(); n != 1 {
		t.Errorf("%d names would be notified, the kernel knows 1", n)
	}
	unseen.Drop()
	seen.Drop()
	until(t, "the name goes with its conversation", func() bool { return w.sh("test -d "+dir).code != 0 })
	until(t, "nothing is kept of the name", func() bool { return w.known() == 0 })

	// Stress: mkdir, stat, ls and rmdir from four processes.
	w.ok(`cd $NET/tcp; for i in a b c d; do
			(for j in $(seq 50); do mkdir $i$j; stat $i$j/ctl >/dev/null; ls >/dev/null; rmdir $i$j; done) &
		done; wait; ls | grep -c '^[a-d][0-9]' || :`)
}

// Rule 9: a tree of twenty thousand conversations costs no memory to look at,
// and no patience.
func TestRule9BigTrees(t *testing.T) {
	w := newWorld(t)
	const many = 20_000
	convs := make([]*stack.Conv, many)
	for i := range convs {
		c, err := w.stack.Clone(wire.TCP, stack.User{}, false)
		if err != nil {
			t.Fatal(err)
		}
		convs[i] = c
	}
	before := heap()
	for _, c := range []struct {
		script string
		out    string
		within time.Duration
	}{
		{"ls $NET/tcp | grep -c '^[0-9]'", fmt.Sprintln(many), 2 * time.Second},
		{"ls -l $NET/tcp | grep -c '^d.* [0-9][0-9]*$'", fmt.Sprintln(many), 3 * time.Second},
		{"ls $NET/tcp/by-state/Closed | wc -l", fmt.Sprintln(many), 2 * time.Second},
		{"ls $NET/tcp/by-state", "Closed\n", 2 * time.Second},
		{"ls $NET/tcp | sort -n | uniq -d", "", 2 * time.Second},
	} {
		began := time.Now()
		w.want(c.script, c.out)
		took := time.Since(began)
		t.Logf("%-40s %v", c.script, took.Round(time.Millisecond))
		if took > c.within {
			t.Errorf("%s took %v, more than %v", c.script, took, c.within)
		}
	}
	// What remains are the numbers of the names that the kernel keeps.
	if after := heap(); after > before+4<<20 {
		t.Errorf("looking at it costs %d KiB", (after-before)>>10)
	}
	// A listing that is under way goes on where it was while others go.
	j := w.background("exec 3< <(ls -f $NET/tcp); read first <&3; read go; cat <&3 | grep -c '^1[0-9][0-9][0-9][0-9]$'")
	for _, c := range convs[:many/4] {
		c.Drop()
	}
	fmt.Fprintln(j.in, "go")
	if r := j.end(); r.out != "10000\n" {
		t.Errorf("%s of the 10000 that stayed were listed; %s", r.out, r.err)
	}
	for _, c := range convs[many/4:] {
		c.Drop()
	}
	until(t, "nothing is kept of the names", func() bool { return w.known() == 0 })
}

// known is how many names of conversations the kernel may have kept.
func (w *world) known() int {
	w.srv.notes.mu.Lock()
	defer w.srv.notes.mu.Unlock()
	return len(w.srv.notes.known)
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
