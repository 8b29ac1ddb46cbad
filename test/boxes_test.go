package test

// Boxes: ways to run a program that has no network but a view, bound on its /net.
// containers_test.go runs the same program in all of them.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"slashnet/test/netns"
)

// A box is a kind of container.
type box struct {
	name string
	// line is the command line that runs a program in the box of a name, with a view.
	line func(y *yard, name, view string, program []string) []string
	// kill ends a box at once; nil: killing its first process does.
	kill func(y *yard, name string)
	uid  uint32 // of its root, or of its only user, as the tree sees it
}

var boxes = []box{
	docker,
	{"runc", (*yard).runc, nil, 0},
	{"runc with users", (*yard).runcUsers, nil, firstUser},
	unshare,
	{"bwrap", (*yard).bwrap, nil, somebody},
	{"chroot", (*yard).chroot, nil, 0},
}

var (
	docker  = box{"docker", (*yard).docker, (*yard).killDocker, 0}
	unshare = box{"unshare", (*yard).unshare, nil, 0}
)

const (
	// firstUser is whom uid 0 of a user namespace is mapped to.
	firstUser = 100_000
	// somebody is an ordinary user: bwrap needs no more.
	somebody = 1000
)

// A yard is where boxes stand: a world with a name server.
type yard struct {
	*netns.Net
	t *testing.T
	*ground
}

// A ground is what a test's yard shares with those of its subtests.
type ground struct {
	net    *netns.Net // ends with the whole test
	root   string     // directory with busybox, our own commands, and no library
	count  int        // of the boxes so far
	engine string     // socket of dockerd, once somebody wanted it
}

func newYard(t *testing.T) *yard {
	t.Helper()
	n, _ := resolving(t)
	y := &yard{n, t, &ground{net: n, root: filepath.Join(n.Dir, "root")}}
	t.Cleanup(y.removeGroups)
	for _, dir := range []string{filepath.Dir(n.Dir), n.Dir} { // others than root work here
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n.Run("sh", "-euc", `
		mkdir "$1"; cd "$1"; mkdir bin dev net proc sys tmp
		cp "$2" bin/slashnet; cp "$3" bin/peer; cp "$(command -v busybox)" bin/busybox
		for applet in $(busybox --list); do [ -e bin/"$applet" ] || ln -s busybox bin/"$applet"; done
		mknod -m 666 dev/null c 1 3`,
		"sh", y.root, netns.Static(t, "./cmd/slashnet"), netns.Static(t, "./test/peer"))
	return y
}

// For is the same yard for a subtest.
func (y *yard) For(t *testing.T) *yard { return &yard{y.Net.For(t), t, y.ground} }

// view makes a view, in which nothing stays in TIME-WAIT, and whose users, whoever
// they are, have all ports.
func (y *yard) view(name, uplink string) {
	y.t.Helper()
	y.Run(netns.Binary(y.t, "./cmd/slashnet"), "view", "add", name, uplink, "ctl: tcp.timewait 0", "ctl: tcp.close.drain 100ms", "ctl: ip.unprivileged 0")
	y.t.Cleanup(func() { y.Try("rmdir", filepath.Join(y.Root, "view", name)) })
}

// await waits until a script prints what is wanted.
func (y *yard) await(script, want string) {
	y.t.Helper()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		got := y.Shell("sh", script)
		if got == want {
			return
		}
		if time.Since(begin) > deadline {
			y.t.Fatalf("%s\nprints %q, want %q", script, got, want)
		}
	}
}

// empty waits until nothing is left of the users of a view.
func (y *yard) empty(view string) {
	y.t.Helper()
	y.await("cd view/"+view+"; grep -E '^(conversations|operations|memory|limit.handles):' stats | cut -d/ -f1; ls net/tcp net/udp net/icmp | grep '^[0-9]' || true",
		"conversations: 0\noperations: 0\nmemory: 0\nlimit.handles: 0\n")
}

// A boxed program.
type boxed struct {
	*netns.Process
	name string
	kill func()
}

// in starts a shell script in a box. It finds the tree of the view in its
// working directory.
func (y *yard) in(b box, view, script string) *boxed {
	y.t.Helper()
	y.count++
	name := fmt.Sprintf("%s-%d", y.Name, y.count)
	program := []string{"sh", "-euc", `exec 2>&1; cd "${SLASHNET_ROOT:-/net}"` + "\n" + script} // docker may swap what two outputs say
	p := &boxed{name: name, Process: y.Start(b.line(y, name, filepath.Join(y.Root, "view", view, "net"), program)...)}
	p.kill = p.Kill
	if b.kill != nil {
		p.kill = func() { b.kill(y, name) }
	}
	return p
}

// A cradle runs what follows it as the first process of a process namespace, with
// mounts of its own: it and all that it has started end at once, whatever happens.
// For engines that detach what they start.
var cradle = []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}

// unshare hides the tree itself behind the view, and keeps all other files.
func (y *yard) unshare(_, view string, program []string) []string {
	return append([]string{"unshare", "-n", "-m", "sh", "-euc",
		`mount --bind "$1" "$SLASHNET_ROOT"; PATH=$2/bin; shift 2; exec "$@"`, "sh", view, y.root}, program...)
}

func (y *yard) chroot(_, view string, program []string) []string {
	return append([]string{"unshare", "-n", "-m", "sh", "-euc",
		`unset SLASHNET_ROOT; mount --bind "$1" "$2/net"; shift; exec chroot "$@"`, "sh", view, y.root, "/bin/env", "PATH=/bin"}, program...)
}

// bwrap is run by an ordinary user.
func (y *yard) bwrap(_, view string, program []string) []string {
	user := fmt.Sprint(somebody)
	return append([]string{"setpriv", "--reuid", user, "--regid", user, "--clear-groups",
		"bwrap", "--unshare-all", "--die-with-parent", "--clearenv", "--setenv", "PATH", "/bin",
		"--ro-bind", y.root, "/", "--bind", view, "/net", "--proc", "/proc", "--dev", "/dev"}, program...)
}

func (y *yard) runc(name, view string, program []string) []string {
	return y.bundle(name, view, program, func(map[string]any) {})
}

func (y *yard) runcUsers(name, view string, program []string) []string {
	return y.bundle(name, view, program, func(linux map[string]any) {
		linux["namespaces"] = append(linux["namespaces"].([]any), map[string]any{"type": "user"})
		ids := []any{map[string]any{"containerID": 0, "hostID": firstUser, "size": 65536}}
		linux["uidMappings"], linux["gidMappings"] = ids, ids
	})
}

// bundle is what `runc spec` makes, and a mount.
func (y *yard) bundle(name, view string, program []string, change func(linux map[string]any)) []string {
	y.t.Helper()
	dir := filepath.Join(y.Dir, name)
	y.Run("sh", "-euc", `mkdir "$1"; cd "$1"; exec runc spec`, "sh", dir)
	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		y.t.Fatal(err)
	}
	var spec map[string]any
	if err := json.Unmarshal(text, &spec); err != nil {
		y.t.Fatal(err)
	}
	process, linux := spec["process"].(map[string]any), spec["linux"].(map[string]any)
	process["terminal"], process["args"] = false, program
	spec["root"].(map[string]any)["path"] = y.root
	spec["mounts"] = append(spec["mounts"].([]any), map[string]any{"destination": "/net", "source": view, "options": []any{"bind"}})
	linux["cgroupsPath"] = "/" + y.Name + "/" + name
	change(linux)
	if text, err = json.Marshal(spec); err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		y.t.Fatal(err)
	}
	return slices.Concat(cradle, []string{"runc", "--root", dir + "/state", "run", "--bundle", dir, name})
}

// --- Docker

// client is the command line of the docker that Debian's docker.io brings, or of
// another one.
func (y *yard) client() []string {
	const debians = "/usr/bin/docker"
	docker := "docker"
	if _, err := os.Stat(debians); err == nil {
		docker = debians
	}
	return []string{docker, "-H", "unix://" + y.engine}
}

func (y *yard) docker(name, view string, program []string) []string {
	y.startEngine()
	return append(append(y.client(), "run", "--rm", "--init", "--name", name, "--network", "none", "-v", view+":/net", "busybox"), program...)
}

func (y *yard) killDocker(name string) { y.Run(append(y.client(), "kill", name)...) }

// startEngine starts dockerd, which does not touch the network, and gives it the
// image. It is there until the end of the whole test.
func (y *yard) startEngine() {
	y.t.Helper()
	if y.engine != "" {
		return
	}
	dir := filepath.Join(y.Dir, "docker")
	y.engine = dir + ".sock"
	p := y.net.Start(slices.Concat(cradle, []string{"sh", "-euc", `
		mkdir "$1"; mount -t tmpfs docker "$1"
		exec dockerd --bridge=none --iptables=false --ip6tables=false -H "unix://$2" \
			--data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" \
			--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$3"`, "sh", dir, y.engine, y.Name})...)
	p.Expect("API listen on")
	y.Run(append([]string{"sh", "-euc", `tar -C "$0" -c . | "$@" import --change "ENV PATH=/bin" - busybox`, y.root}, y.client()...)...)
}

// removeGroups removes the control groups of boxes that could not do it themselves.
func (y *yard) removeGroups() {
	var left []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, _ := filepath.Glob(pattern + y.Name)
		left = append(left, found...)
	}
	for _, group := range left {
		for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) { // until its processes are gone
			err := removeAll(group)
			if err == nil {
				break
			}
			if time.Since(begin) > deadline {
				y.t.Errorf("control group: %v", err)
				break
			}
		}
	}
}

// removeAll removes a directory of directories, whose files go with it.
func removeAll(dir string) error {
	kids, err := os.ReadDir(dir)
	for _, kid := range kids {
		if kid.IsDir() {
			err = errors.Join(err, removeAll(filepath.Join(dir, kid.Name())))
		}
	}
	if e := os.Remove(dir); !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}
