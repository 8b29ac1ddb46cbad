package fs

// What a user does with the tree, from end to end.

import (
	"fmt"
	"strings"
	"testing"

	"slashnet/wire"
)

// The ways of tree.md §3: a conversation step by step, as on Plan 9.
func TestStepByStep(t *testing.T) {
	w := newWorld(t)
	for _, shell := range []string{"bash", "dash", "busybox sh"} {
		argv := append(strings.Fields(shell), "-c", `set -e; cd $NET/tcp
			exec 3<>clone; read l <&3; echo announce 127.0.0.1:0 >&3; addr=$(cat $l/local)
			c=$(cat clone); echo connect $addr >$c/ctl
			s=$(cat $l/listen); echo hello >$s/data; echo shutdown wr >$s/ctl
			cat $c/data
			test "$(cat $s/local)" = "$addr"; test "$(cat $c/remote)" = "$addr"
			echo good >$c/data; echo close >$c/ctl; cat $s/data; echo close >$s/ctl`)
		if r := w.run(0, nil, argv[0], argv[1:]...); r.code != 0 || r.out != "hello\ngood\n" {
			t.Errorf("%s: %d %q %s", shell, r.code, r.out, r.err)
		}
	}
}

// By path: opening connects, opening accepts, the last close hangs up.
func TestDialAndAccept(t *testing.T) {
	w := newWorld(t)
	server := w.background("exec 3<>$NET/tcp/accept/127.0.0.1:8080; read line <&3; echo got $line >&3")
	w.waiting(1)
	w.want("exec 4<>$NET/tcp/dial/127.0.0.1:8080; echo ping >&4; cat <&4", "got ping\n")
	if r := server.end(); r.code != 0 {
		t.Error(r.err)
	}
	// Looking is not acting.
	before := len(w.stack.Convs(wire.TCP, -1, 100))
	w.ok("ls -la $NET/tcp/dial $NET/tcp/accept >/dev/null; stat $NET/tcp/dial/127.0.0.1:8080 >/dev/null; test -e $NET/tcp/accept/9999")
	if after := len(w.stack.Convs(wire.TCP, -1, 100)); after > before {
		t.Errorf("%d conversations, %d after a look", before, after)
	}
	w.ok("cat $NET/tcp/*/status >/dev/null")
	if log := w.stack.LogText(); strings.Contains(log, "status") {
		t.Error("a glob dials:", log)
	}
	// Names with `!`, and names that cannot be.
	server = w.background("cat $NET/tcp/accept/8081")
	w.waiting(1)
	w.ok("echo bang >$NET/tcp/dial/'127.0.0.1!8081'")
	if r := server.end(); r.out != "bang\n" {
		t.Errorf("%q %s", r.out, r.err)
	}
	if r := w.sh("cat $NET/tcp/dial/nonsense"); !strings.Contains(r.err, "Invalid argument") {
		t.Error(r.err)
	}
	if log := w.stack.LogText(); !strings.Contains(log, "nonsense") {
		t.Error("the log does not explain:", log)
	}
	// Over /dev/fd the same node opens again, which is another call.
	one, two := w.background("cat $NET/tcp/accept/8081"), w.background("cat $NET/tcp/accept/8081")
	w.waiting(2)
	w.ok("exec 3>$NET/tcp/dial/127.0.0.1:8081; echo once >/dev/fd/3")
	if out := one.end().out + two.end().out; out != "once\n" {
		t.Errorf("%q", out)
	}
}

// icmp/dial/HOST pings.
func TestPing(t *testing.T) {
	w := newWorld(t)
	out := w.ok("exec 3<$NET/icmp/dial/127.0.0.1; read line <&3; echo $line; read line <&3; echo $line")
	var seq, ttl [2]int
	var took [2]float64
	n, err := fmt.Sscanf(out, "%d %d %f ms\n%d %d %f ms\n", &seq[0], &ttl[0], &took[0], &seq[1], &ttl[1], &took[1])
	if n != 6 || err != nil || seq[1] != seq[0]+1 || ttl[0] != 64 {
		t.Errorf("%q: %v", out, err)
	}
	if r := w.sh("test -e $NET/icmp/accept"); r.code == 0 {
		t.Error("icmp has calls")
	}
}

func TestDatagrams(t *testing.T) {
	w := newWorld(t)
	j := w.background("exec 3<>$NET/udp/accept/5300; read x <&3; echo got $x; echo back >&3")
	w.waiting(1)
	w.want("exec 4<>$NET/udp/dial/127.0.0.1:5300; echo query >&4; read y <&4; echo $y", "back\n")
	if r := j.end(); r.out != "got query\n" {
		t.Error(r)
	}
	w.want(`cd $NET/udp; exec 3<>clone 4<>clone; read a <&3; read b <&4
		echo connect 127.0.0.1:5001 5000 >&3; echo connect 127.0.0.1:5000 5001 >&4
		exec 5<>$b/data; echo one >$a/data; echo two >$a/data
		read x <&5; dd bs=64k count=1 status=none <&5; echo $x
		ls by-remote`, "two\none\n127.0.0.1:5000\n127.0.0.1:5001\n")
}

// Big data comes through whole, in all sizes of write, blocks handed over or not.
func TestBulk(t *testing.T) {
	w := newWorld(t)
	for _, bs := range []string{"1000", "7k", "8k", "64k", "128k", "1M", "3M"} {
		a, b := w.pair()
		out := w.ok(fmt.Sprintf(`f=$(mktemp); seq 400000 >$f; cd $NET/tcp
			(dd if=$f of=%d/data bs=%s status=none; echo close >%d/ctl) &
			cat %d/data | cmp - $f && echo same; wait; rm $f`, a, bs, a, b))
		if out != "same\n" {
			t.Errorf("bs=%s: %s", bs, out)
		}
	}
	// Tools that write by sendfile and splice, or copy files.
	for _, tool := range []string{"cat $f >$d", "busybox cat $f >$d", "cp $f $d", "tee $d <$f >/dev/null", "busybox cp $f $d", "cat $f | busybox cat >>$d"} {
		a, b := w.pair()
		out := w.ok(fmt.Sprintf(`f=$(mktemp); d=$NET/tcp/%d/data; seq 100000 >$f; cd $NET/tcp
			(%s; echo close >%d/ctl) & cat %d/data | cmp - $f && echo same; wait; rm $f`, a, tool, a, b))
		if out != "same\n" {
			t.Errorf("%s: %s", tool, out)
		}
	}
	until(t, "all blocks are back", func() bool {
		w.srv.blocks.mu.Lock()
		defer w.srv.blocks.mu.Unlock()
		return w.srv.blocks.out == 1 // the one that waits for a request
	})
}

// With too many blocks out, bytes are copied instead of handed over.
func TestBulkWhenBlocksAreScarce(t *testing.T) {
	w := newWorld(t)
	var taken []*wire.Buf
	for range maxLentBlocks + 1 {
		taken = append(taken, w.srv.blocks.get())
	}
	a, b := w.pair()
	w.want(fmt.Sprintf(`f=$(mktemp); seq 400000 >$f; cd $NET/tcp
		(dd if=$f of=%d/data bs=1M status=none; echo close >%d/ctl) &
		cat %d/data | cmp - $f && echo same; wait; rm $f`, a, a, b), "same\n")
	for _, b := range taken {
		b.Release()
	}
	w.srv.blocks.mu.Lock()
	defer w.srv.blocks.mu.Unlock()
	if w.srv.blocks.out != 1 || len(w.srv.blocks.idle) > maxIdleBlocks {
		t.Errorf("%d blocks are out, %d idle", w.srv.blocks.out, len(w.srv.blocks.idle))
	}
}

// Writers that wait keep no block of a megabyte each.
func TestWaitingWritersAreSmall(t *testing.T) {
	w := newWorld(t)
	const many = 100
	var jobs []*job
	for range many {
		jobs = append(jobs, w.background("echo connect "+nowhere+" >$NET/tcp/$(cat $NET/tcp/clone)/ctl"))
	}
	w.waiting(many)
	w.srv.blocks.mu.Lock()
	out := w.srv.blocks.out
	w.srv.blocks.mu.Unlock()
	if out > 2 {
		t.Errorf("%d blocks are out", out)
	}
	w.ok("echo reset >$NET/ctl")
	for _, j := range jobs {
		if r := j.end(); r.code == 0 {
			t.Error("connected to nowhere")
		}
	}
}

// Two names for one conversation.
func TestNamedConversation(t *testing.T) {
	w := newWorld(t)
	w.ok("mkdir $NET/tcp/web; echo announce 127.0.0.1:80 >$NET/tcp/web/ctl; test -f $NET/tcp/$(cat $NET/tcp/web/ctl)/status")
	w.want("ls $NET/tcp | grep -c web", "1\n")
	w.want("cat $NET/tcp/by-local/127.0.0.1:80/$(cat $NET/tcp/web/ctl)/local", "127.0.0.1!80\n")
	w.want("cat $NET/tcp/by-local/'127.0.0.1!80'/*/local", "127.0.0.1!80\n")
	if r := w.sh("mkdir $NET/tcp/web"); !strings.Contains(r.err, "exists") {
		t.Error(r.err)
	}
	w.ok("rmdir $NET/tcp/web")
	until(t, "the directory has gone", func() bool { return w.sh("test -d $NET/tcp/web").code != 0 })
}

// A text is held by nobody: its conversation may go while it is open.
func TestTextOutlivesConversation(t *testing.T) {
	w := newWorld(t)
	// The kernel keeps attributes for a millisecond.
	w.want("cd $NET/tcp; n=$(cat clone); exec 3<$n/local; rmdir $n; sleep 0.01; cat <&3; cat $n/local 2>&1 | grep -o 'No such.*'", "::!0\nNo such file or directory\n")
	// err holds it.
	j := w.background("exec 3<>$NET/tcp/clone; read n <&3; exec 4<$NET/tcp/$n/err 3>&-; mkdir $NET/udp/ready; read go")
	until(t, "it has err open", func() bool { return w.stack.Named(wire.UDP, "ready") != nil })
	n := fmt.Sprint(w.stack.Convs(wire.TCP, -1, 1)[0].Num)
	fmt.Fprintln(j.in, "go")
	j.end()
	until(t, "closing err was the last close", func() bool { return w.sh("test -d $NET/tcp/"+n).code != 0 })
}

// The control files of the stack: several lines, the first failure is named.
func TestStackFiles(t *testing.T) {
	w := newWorld(t)
	w.ok("printf 'tcp.syn.retries 3\ntcp.backlog 7\n' >$NET/ctl; grep -q '^tcp.syn.retries 3$' $NET/ctl; grep -q '^tcp.backlog 7$' $NET/ctl; echo sync >$NET/ctl")
	if r := w.sh("/usr/bin/printf 'tcp.backlog 8\nnonsense\ntcp.backlog 9\n' >$NET/ctl"); r.code == 0 {
		t.Error("nonsense was taken")
	}
	w.want("grep tcp.backlog $NET/ctl; grep -c nonsense $NET/log", "tcp.backlog 8\n1\n")
	w.ok("echo add 10.9.9.7 02:00:00:00:00:07 >$NET/arp; grep -q 10.9.9.7 $NET/arp")
	w.ok("exec 3<>$NET/iproute; echo tag mine >&3; echo add 10.77.0.0 /16 10.9.9.2 >&3; grep 10.77 $NET/iproute | grep -q mine")
	w.ok("cat $NET/ipifc/0/status $NET/ipifc/0/local $NET/ipifc/0/stats $NET/ipifc/stats $NET/tcp/stats $NET/udp/stats $NET/icmp/stats >/dev/null")
	w.want("exec 3<>$NET/ipifc/clone; read n <&3; echo bind loop >&3 2>/dev/null || cat $NET/ipifc/$n/ctl", "2\n")
	w.want("ls $NET", "arp\ncs\nctl\ndns\ndns.d\nevents\nhelp\nicmp\nicmpv6\nipifc\niproute\nipselftab\nlink\nlog\nmetrics\nndb\nstats\nswitch\ntcp\nudp\nversion\nview\n")
	w.ok("grep -r . $NET/help $NET/version $NET/ipifc/0/status >/dev/null; find $NET -maxdepth 2 >/dev/null; du -s $NET >/dev/null")
}

// The help is of the table, and every file that it names is there.
func TestHelpNamesWhatThereIs(t *testing.T) {
	w := newWorld(t)
	n := strings.TrimSpace(w.ok("mkdir $NET/view/web $NET/switch/web $NET/link/web; cat $NET/tcp/clone"))
	_, rows, _ := strings.Cut(helpText, "head -c 1, or echo rtimeout 5000 >ctl.\n")
	count := 0
	for line := range strings.Lines(rows) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		count++
		path := strings.TrimSuffix(strings.NewReplacer("/NAME", "/web", "/N", "/"+n).Replace(f[0]), "/")
		if strings.HasPrefix(path, "ipifc/") {
			path = strings.Replace(path, "/"+n, "/0", 1)
		}
		w.ok("test -e $NET/" + path)
	}
	if count < 30 {
		t.Error(count, "lines")
	}
}

// cat of a whole conversation, by a curious user.
func TestConversationTexts(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair()
	w.ok(fmt.Sprintf("echo unread >$NET/tcp/%d/data; echo sync >$NET/ctl", a))
	until(t, "the bytes arrive", func() bool { return w.stack.Conv(wire.TCP, b).Info().Unread == 7 })
	w.want(fmt.Sprintf("cat $NET/tcp/%d/peek; cat $NET/tcp/%d/peek", b, b), "unread\nunread\n")
	w.ok(fmt.Sprintf("cd $NET/tcp/%d; for f in local remote status why err; do cat $f >/dev/null; done; test $(head -c 11 status) = Established", b))
	w.want(fmt.Sprintf("readlink $NET/tcp/by-state/Established/%d; cat $NET/tcp/by-state/Established/%d/ctl", b, b), fmt.Sprintf("../../%d\n%d\n", b, b))
	w.ok(fmt.Sprintf("touch $NET/tcp/%d/ctl; test $NET/tcp/%d -nt $NET/version", b, b))
}

// TIME-WAIT is listed, and can be read about.
func TestTimeWait(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair()
	w.ok(fmt.Sprintf("echo close >$NET/tcp/%d/ctl; cat $NET/tcp/%d/data; echo close >$NET/tcp/%d/ctl", a, b, b))
	until(t, "one end waits", func() bool {
		for _, i := range w.stack.Convs(wire.TCP, -1, 100) {
			if i.State == "Time_wait" {
				return true
			}
		}
		return false
	})
	n := strings.TrimSpace(w.ok("ls $NET/tcp/by-state/Time_wait"))
	w.ok("grep -q Time_wait $NET/tcp/" + n + "/status; cat $NET/tcp/" + n + "/{local,remote,why}")
	if w.stack.Conv(wire.TCP, atoi(n)) == nil { // only its record is left
		w.want("ls $NET/tcp/"+n, "local\nremote\nstatus\nstatus.json\nwhy\n")
	}
	if r := w.sh("rmdir $NET/tcp/" + n); !strings.Contains(r.err, "busy") && r.code != 0 {
		t.Error(r.err)
	}
}

func atoi(s string) (n int) {
	fmt.Sscan(s, &n)
	return n
}

// The read of busybox polls first: of a ctl whose number was read it finds the end.
func TestControlPolledAtItsEnd(t *testing.T) {
	w := newWorld(t)
	for _, proto := range []string{"tcp", "udp", "icmp", "ipifc"} {
		w.want("exec 3<>$NET/"+proto+"/clone; timeout 5 busybox sh -c 'read a; read b; echo \"$?$b\"' <&3", "1\n")
	}
	w.want(`exec 3<>$NET/udp/clone; read n <&3; echo connect 127.0.0.1:9 >&3; timeout 5 busybox sh -c 'read a; read b; echo "$?$b"' <&3`, "1\n")
}
