package fs

// Views in the tree: view/NAME/net is a tree like any other, which can be bound
// elsewhere and configures nothing.

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"slashnet/stack"
	"slashnet/wire"
)

func TestViewTree(t *testing.T) {
	w := newWorld(t)
	w.want(`cd $NET; ls view; mkdir view/web; ls view; ls view/web; head -n1 view/web/ctl`, "web\nctl\nlog\nnet\nstats\nuplink none\n")
	w.want(`cd $NET; diff <(ls . tcp ipifc) <(cd view/web/net; ls . tcp ipifc) | grep '^[<>]'`, "< link\n< switch\n< view\n< 1\n< clone\n")
	// Each counts from the same number.
	w.want(`cd $NET; cat tcp/clone tcp/clone view/web/net/tcp/clone; ls tcp view/web/net/tcp | grep -c '^[0-9]'`, "0\n1\n0\n3\n")
	id := w.host.View("web").ID()
	w.ok(`rmdir $NET/view/web`)
	until(t, "the kernel has forgotten the tree", func() bool { return !w.srv.trees.known(id) })
}

// What is the same in the root's tree and in a view's.
func TestViewsHaveTheirOwnConversations(t *testing.T) {
	w := newWorld(t)
	w.ok(`cd $NET; mkdir view/a view/b
		for v in . view/a/net view/b/net; do mkdir $v/tcp/mine; echo announce 80 >$v/tcp/mine/ctl; done
		(cd view/a/net/tcp; exec 3<>dial/127.0.0.1:80; ls by-remote/127.0.0.1:80; ! ls $NET/view/b/net/tcp/by-remote/* $NET/tcp/by-remote/*) 2>/dev/null
		cd view/a/net; cat tcp/mine/status stats log help version tcp/by-state/Listen/*/local >/dev/null`)
	w.want(`cd $NET/view/a/net/tcp/mine; (cd ..; pwd; cd ../..; pwd) | sed "s:$NET/::"; ls -di $NET/view/a/net | cut -d' ' -f1`,
		w.ok(`echo view/a/net/tcp; echo view/a; ls -di $NET/view/a/net/tcp/.. | cut -d' ' -f1`))
	if n := len(w.host.View("a").Stack().Convs(wire.TCP, -1, 99)); n < 2 {
		t.Errorf("a has %d conversations", n)
	}
	if n := len(w.stack.Convs(wire.TCP, -1, 99)); n != 1 {
		t.Errorf("the root has %d conversations", n)
	}
}

// A view's metrics are of its own stack, not of the process that it shares.
func TestViewMetrics(t *testing.T) {
	w := newWorld(t)
	w.ok(`mkdir $NET/view/web`)
	w.want(`cd $NET; grep -c '^slashnet_process_' metrics view/web/net/metrics; grep -c '^slashnet_operations ' view/web/net/metrics`,
		"metrics:3\nview/web/net/metrics:0\n1\n")
}

// A view is configured from view/NAME/ctl and not from its own tree, even by root.
func TestViewIsConfiguredByItsOwner(t *testing.T) {
	w := newWorld(t)
	w.ok(`mkdir $NET/view/web`)
	w.want(`cd $NET/view/web/net; stat -c '%a %n' ctl arp iproute ipifc/0/ctl tcp/clone; stat -c %a $NET/ctl $NET/view/web/ctl`,
		"444 ctl\n444 arp\n444 iproute\n444 ipifc/0/ctl\n666 tcp/clone\n644\n644\n")
	for _, file := range []string{"ctl", "arp", "iproute", "ipifc/0/ctl"} {
		if r := w.sh("echo ip.ttl 7 >$NET/view/web/net/" + file); r.code == 0 || !strings.Contains(r.err, "Permission denied") {
			t.Errorf("%s: %+v", file, r)
		}
	}
	for _, path := range []string{"ipifc/clone", "view"} {
		if r := w.sh("ls $NET/view/web/net/" + path); !strings.Contains(r.err, "No such file") {
			t.Errorf("%s: %+v", path, r)
		}
	}
	w.ok(`cd $NET/view/web; echo ctl: ip.ttl 7 >ctl; echo limit conversations 9 >ctl; echo uplink routed 10.1.0.2/24 >ctl; grep -x 'ip.ttl 7' net/ctl; grep -x 'ip.forward on' $NET/ctl`)
	w.want(`cd $NET/view/web; head -n2 ctl; cat net/ipifc/0/ctl; ls net/ipifc; grep -c 10.1.0.1 $NET/ipselftab`, "uplink routed 10.1.0.2/24\nlimit conversations 9\n0\n0\n1\nstats\n1\n")
	if r := w.sh("echo uplink sideways >$NET/view/web/ctl"); !strings.Contains(r.err, "Invalid argument") {
		t.Error(r)
	}
	w.ok(`grep sideways $NET/view/web/log`)
	for script, words := range map[string]string{
		"mkdir $NET/view/web": "File exists", "mkdir $NET/view/web/x": "not permitted", "mkdir $NET/view/web/net/view": "not permitted",
		"rmdir $NET/view/no": "No such file", "rmdir $NET/view": "not permitted", "rmdir $NET/view/web/net": "not permitted",
		"mkdir $NET/view/7": "Invalid argument", "mkdir $NET/view/$(printf %300s | tr ' ' x)": "File name too long", "touch $NET/view/x": "Permission denied",
	} {
		if r := w.sh(script); !strings.Contains(r.err, words) {
			t.Errorf("%s: %+v", script, r)
		}
	}
	if r := w.run(1000, nil, "bash", "-c", "mkdir $NET/view/mine"); !strings.Contains(r.err, "ermi") {
		t.Errorf("a stranger's mkdir: %+v", r)
	}
}

// A container's /net is a bind mount, here in a mount namespace of its own.
func TestViewBound(t *testing.T) {
	w := newWorld(t)
	w.want(`mkdir $NET/view/web $NET/view/db; mkdir $NET/view/db/net/tcp/other
		unshare -m bash -ec '
			mount --make-rprivate /; mount -t tmpfs none /mnt; mkdir /mnt/net
			mount --bind $NET/view/web/net /mnt/net
			umount -l $NET
			cd /mnt/net
			mkdir tcp/srv; echo announce 80 >tcp/srv/ctl
			exec 3<>tcp/dial/127.0.0.1:80; call=$(cat tcp/srv/listen)
			echo hello >&3; read -r line <tcp/$call/data; echo $line
			ls -d view tcp/other 2>&1 | grep -c "No such file"
			cat $PWD/../net/ipselftab | grep -c 127.0.0.1; readlink -f /mnt/net/tcp/..'`,
		"hello\n2\n1\n/mnt/net\n")
}

// A view that has gone answers everybody.
func TestViewGone(t *testing.T) {
	w := newWorld(t)
	w.ok(`cd $NET; mkdir view/web; mkdir view/web/net/tcp/srv; echo announce 80 >view/web/net/tcp/srv/ctl`)
	reader := w.background(`cd $NET/view/web/net; echo; cat tcp/srv/listen; read -r wait`)
	w.waiting(1)
	id := w.host.View("web").ID()
	r := w.sh(`cd $NET/view/web/net || exit 9; exec 3<tcp/srv/ctl 4<log; rmdir $NET/view/web || exit 8
		ls $NET/view; ls . tcp; cat tcp/srv/status; mkdir tcp/x; cat stats; cat tcp/clone`)
	if r.out != "" || r.code == 0 || strings.Contains(r.err, "Input/output") {
		t.Errorf("what is gone: %+v", r)
	}
	w.waiting(0)
	if !w.srv.trees.known(id) {
		t.Error("somebody stands in the tree, and its number is free")
	}
	reader.in.Close()
	if r := reader.end(); r.code == 0 || !strings.Contains(r.err, "cat: ") {
		t.Errorf("a waiter: %+v", r)
	}
	if r := w.sh(`ls $NET/view/web`); !strings.Contains(r.err, "No such file") {
		t.Errorf("its directory: %+v", r)
	}
	until(t, "all files are closed", func() bool { return len(w.srv.handles.all()) == 0 })
	w.ok(`mkdir $NET/view/web; cat $NET/view/web/net/tcp/clone`)
}

// Requests about a view that there is not are ESTALE, of whatever kind.
func TestViewGoneByProtocol(t *testing.T) {
	h := newHost(t)
	v, err := h.Mkdir("web", stack.User{})
	if err != nil {
		t.Fatal(err)
	}
	k := newKernel(t, h)
	tree, dir, file, clone := k.walk("view", "web", "net"), k.walk("view", "web", "net", "tcp"), k.walk("view", "web", "net", "log"), k.walk("view", "web", "net", "tcp", "clone")
	if tree.view() != v.ID() || tree.parent() != k.walk("view", "web") || dir.parent() != tree || tree.parent().parent().parent() != rootNode {
		t.Errorf("nodes: %#x in %#x, %#x", uint64(tree), uint64(tree.parent()), uint64(dir))
	}
	if err := h.Rmdir("web", stack.User{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		op   uint32
		node node
		msg  any
		tail string
	}{
		{opLookup, tree, fuse.InHeader{}, "tcp\x00"},
		{opLookup, dir, fuse.InHeader{}, "clone\x00"},
		{3, dir, fuse.GetAttrIn{}, ""},
		{3, file, fuse.GetAttrIn{}, ""},
		{opOpen, file, fuse.OpenIn{}, ""},
		{opOpen, clone, fuse.OpenIn{Flags: syscall.O_RDWR}, ""},
		{opOpendir, tree, fuse.OpenIn{}, ""},
		{9, dir, fuse.MkdirIn{}, "x\x00"},
		{11, dir, fuse.InHeader{}, "x\x00"},
	} {
		k.send(c.op, c.node, c.msg, []byte(c.tail)...)
		if a, err := k.recv(); err != nil || a.errno() != syscall.ESTALE {
			t.Errorf("operation %d: %v %v", c.op, a.errno(), err)
		}
	}
}

// Views are made and removed while others read them.
func TestViewsComeAndGo(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for n := range 3 {
		all.Go(func() {
			r := w.run(0, nil, "bash", "-c", fmt.Sprintf(`for i in {1..40}; do
				mkdir $NET/view/v%d || exit 1; echo uplink routed 10.%d.$i.2/24 >$NET/view/v%d/ctl || exit 2
				(cd $NET/view/v%d/net/tcp; cat clone; exec 3<>clone; ls -l . by-state/*) >/dev/null 2>&1 & rmdir $NET/view/v%d || exit 3
			done; wait`, n, 100+n, n, n, n))
			if r.code != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
	all.Wait()
	until(t, "all files are closed", func() bool { return len(w.srv.handles.all()) == 0 })
	w.want(`ls $NET/view; ls $NET/ipifc`, "0\n1\nclone\nstats\n")
}

// The kernel knows a tree until it has forgotten every look-up of it.
func TestViewIsKnownUntilForgotten(t *testing.T) {
	h := newHost(t)
	v, err := h.Mkdir("web", stack.User{})
	if err != nil {
		t.Fatal(err)
	}
	k := newKernel(t, h)
	known := func(want bool) {
		t.Helper()
		k.walk("version") // what was sent before has been seen
		if got := k.srv.trees.known(v.ID()); got != want {
			t.Errorf("known: %v", got)
		}
	}
	known(false)
	var tree node
	for range 3 {
		tree = k.walk("view", "web", "net")
	}
	known(true)
	k.send(opForget, tree, fuse.ForgetIn{Nlookup: 1})
	known(true)
	k.send(opBatchForget, 0, struct {
		batchForgetIn
		all [2]forgetOne
	}{batchForgetIn{Count: 2}, [2]forgetOne{{uint64(tree), 2}, {uint64(rootNode), 1}}})
	known(false)
	k.send(opBatchForget, 0, batchForgetIn{Count: 1 << 30}) // a lie
	known(false)
}

// The owner of the tree closes a view to other users; what is bound elsewhere stays.
func TestViewIsClosedToOthers(t *testing.T) {
	w := newWorld(t)
	const other = 4711
	as := func(script string) result { return w.run(other, nil, "bash", "-c", script) }
	w.ok(`cd $NET; mkdir view/open; mkdir -m 700 view/shut`)
	w.want(`cd $NET/view; stat -c '%A %a %n' *`, "drwxr-xr-x 755 open\ndrwx------ 700 shut\n")
	if r := as(`cd $NET/view; cat open/net/tcp/clone && chmod 700 open`); r.code == 0 || !strings.Contains(r.err, "Operation not permitted") {
		t.Errorf("somebody else's chmod: %+v", r)
	}
	w.ok(`exec 3<$NET/view/open/net; chmod 700 $NET/view/open; ls /proc/self/fd/3 >/dev/null; echo limit handles 9 >$NET/view/open/ctl`)
	for _, file := range []string{"open/net/tcp/clone", "open/stats", "shut/net/tcp/clone"} {
		if r := as("cat $NET/view/" + file); r.code == 0 || !strings.Contains(r.err, "Permission denied") {
			t.Errorf("%s of a view that is closed: %+v", file, r)
		}
	}
	w.ok(`chmod 755 $NET/view/open`)
	if r := as("cat $NET/view/open/net/tcp/clone"); r.code != 0 {
		t.Errorf("a view that was opened again: %+v", r)
	}
	if r := w.sh("chown 1 $NET/view/open"); r.code == 0 {
		t.Error("a view was given away")
	}
}
