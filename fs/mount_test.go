package fs

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slashnet/stack"
)

func init() { clients["serve"] = clientServe }

// clientServe is a daemon: it serves a stack at NET until killed.
func clientServe(net string, _ []string) error {
	srv, err := Mount(net, stack.NewHost(stack.New(stack.Config{}), nil), Options{AllowOther: true})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return srv.Wait()
}

// daemon starts clientServe at path.
func daemon(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), clientEnv+"=serve", "NET="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	return cmd
}

// A tree whose daemon was killed is cleared away by the next.
func TestMountClearsADeadTree(t *testing.T) {
	path := mountPoint(t)
	d := daemon(t, path)
	d.Process.Kill()
	d.Wait()
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the mount is not dead")
	}
	srv, err := Mount(path, newHost(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if mounts, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(mounts), path) {
		t.Error("still mounted after Close")
	}
}

// A tree that lives is not covered by another.
func TestMountRefuses(t *testing.T) {
	path := mountPoint(t)
	daemon(t, path)
	_, err := Mount(path, newHost(t), Options{})
	if err == nil || !strings.Contains(err.Error(), "served here already") {
		t.Error(err)
	}
	_, err = Mount(path+"/nothing/here", newHost(t), Options{})
	if err == nil {
		t.Error("mounted on nothing")
	}
	file := t.TempDir() + "/file"
	os.WriteFile(file, nil, 0o644)
	if _, err = Mount(file, newHost(t), Options{}); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Error(err)
	}
}

// Close answers who waits, and ends though files are open and directories are
// in use.
func TestCloseAnswersWaiters(t *testing.T) {
	w := newWorld(t)
	a, _ := w.pair()
	reader := w.background(fmt.Sprintf("exec cat $NET/tcp/%d/data", a))
	sitter := w.background("cd $NET/tcp; exec 3<>clone; echo sits; read go; cat <&3; ls")
	w.waiting(1)
	until(t, "the sitter sits", func() bool { return len(w.srv.handles.all()) == 2 })
	began := time.Now()
	if err := w.srv.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
	if r := reader.end(); !strings.Contains(r.err, "shutdown") {
		t.Errorf("the reader got %q", r.err)
	}
	fmt.Fprintln(sitter.in, "go")
	if r := sitter.end(); r.code == 0 {
		t.Errorf("the sitter sits on: %s", r.out)
	}
	if len(w.srv.handles.all()) != 0 {
		t.Error("handles are left")
	}
	if err := w.srv.Close(); err != nil {
		t.Error("the second Close:", err)
	}
}

// Close while a directory is being changed: notices, replies and the end do not
// wait for each other.
func TestCloseUnderLoad(t *testing.T) {
	w := newWorld(t)
	j := w.background(`cd $NET/tcp; for i in 1 2 3 4; do
		(while mkdir x$i && stat x$i/ctl && rmdir x$i && ls -l && cat clone; do :; done) & done; wait`)
	until(t, "the load is on", func() bool { return w.known() > 4 })
	began := time.Now()
	w.srv.Close()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
	j.end()
}

// umount by somebody else, and a cut through fusectl, end the server too.
func TestEndsByItself(t *testing.T) {
	for name, cut := range map[string]func(*world){
		"umount": func(w *world) { unix.Unmount(w.net, 0) },
		"abort":  func(w *world) { abort(w.t, w.net) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			cut(w)
			select {
			case <-w.srv.Done():
			case <-time.After(2 * time.Second):
				t.Fatal("the loop goes on")
			}
			if err := w.srv.Wait(); err != nil {
				t.Error(err)
			}
			if mounts, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(mounts), w.net) {
				t.Error("something is left of the mount")
			}
		})
	}
}

func TestTopMount(t *testing.T) {
	const info = `22 1 254:0 / / rw - ext4 /dev/root rw
40 22 0:33 / /mnt/a\040b rw,nosuid shared:1 - fuse.slashnet slashnet rw
41 22 0:34 / /mnt/x rw - fuse.slashnet slashnet rw
42 41 0:35 / /mnt/x rw - tmpfs none rw
`
	for path, want := range map[string]string{"/mnt/a b": fsType, "/mnt/x": "tmpfs", "/mnt": "", "/": "ext4"} {
		if got := topMount(strings.NewReader(info), path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// Who may do what (tree.md §1), by an ordinary user, his neighbour and root.
func TestRights(t *testing.T) {
	w := newWorld(t)
	const maker, other = 1001, 1002
	r := w.run(maker, nil, "bash", "-c", "cat $NET/tcp/clone")
	n := strings.TrimSpace(r.out)
	if r.code != 0 {
		t.Fatal(r.err)
	}
	conv := "$NET/tcp/" + n
	for _, c := range []struct {
		script string
		may    [3]bool // root, maker, other
	}{
		{"cat $NET/tcp/clone", [3]bool{true, true, true}},
		{"exec 3<>$NET/udp/clone", [3]bool{true, true, true}},
		{"echo keepalive >" + conv + "/ctl", [3]bool{true, true, false}},
		{"cat " + conv + "/ctl", [3]bool{true, true, false}},
		{"cat " + conv + "/err", [3]bool{true, true, false}},
		{"cat " + conv + "/peek", [3]bool{true, true, false}},
		{"exec 3<>" + conv + "/data", [3]bool{true, true, false}},
		{"cat " + conv + "/status " + conv + "/local " + conv + "/remote " + conv + "/why", [3]bool{true, true, true}},
		{"echo x >" + conv + "/status", [3]bool{false, false, false}},
		{"chmod 660 " + conv + "/ctl", [3]bool{true, true, false}},
		{"chown 1001:1001 " + conv + "/ctl", [3]bool{true, true, false}},
		{"cat $NET/arp $NET/iproute $NET/ipselftab $NET/log $NET/ctl $NET/stats $NET/help $NET/ipifc/0/status", [3]bool{true, true, true}},
		{"echo flush >$NET/arp", [3]bool{true, false, false}},
		{"echo 'tag x' >$NET/iproute", [3]bool{true, false, false}},
		{"echo sync >$NET/ctl", [3]bool{true, false, false}},
		{"echo up >$NET/ipifc/0/ctl", [3]bool{true, false, false}},
		{"cat $NET/ipifc/clone", [3]bool{true, false, false}}, // the open makes one
		{"exec 3<>$NET/ipifc/clone", [3]bool{true, false, false}},
		{"mkdir $NET/tcp/m$(id -u) && rmdir $NET/tcp/m$(id -u)", [3]bool{true, true, true}},
		{"mkdir $NET/ipifc/x", [3]bool{false, false, false}},
		{"rmdir " + conv, [3]bool{true, true, false}},
	} {
		for i, uid := range []int{0, maker, other} {
			script := c.script
			if strings.HasPrefix(script, "rmdir") && c.may[i] { // each his own
				n := strings.TrimSpace(w.run(uid, nil, "bash", "-c", "cat $NET/tcp/clone").out)
				script = "rmdir $NET/tcp/" + n
			}
			r := w.run(uid, nil, "bash", "-c", script)
			if may := r.code == 0; may != c.may[i] {
				t.Errorf("uid %d: %s: %v %s", uid, script, may, r.err)
			}
		}
	}
	w.want("stat -c %u:%g:%a "+conv+" "+conv+"/ctl", "1001:1001:555\n1001:1001:660\n")
}

// A tree that is closed to all but its owner.
func TestMode(t *testing.T) {
	w := newWorldWith(t, Options{AllowOther: true, Owner: stack.User{UID: 1001, GID: 1001}, Mode: 0o600})
	for uid, may := range map[int]bool{0: true, 1001: true, 1002: false} {
		r := w.run(uid, nil, "bash", "-c", "cat $NET/version && cat $NET/tcp/clone")
		if (r.code == 0) != may {
			t.Errorf("uid %d: %s", uid, r.err)
		}
	}
	w.want("stat -c %a $NET $NET/tcp $NET/version $NET/ctl", "700\n1700\n400\n600\n")
}

// A mount has the options that make it harmless.
func TestMountOptions(t *testing.T) {
	w := newWorld(t)
	info, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(info)) {
		if !strings.Contains(line, w.net) {
			continue
		}
		for _, want := range []string{"nosuid", "nodev", "allow_other", "default_permissions", fsType} {
			if !strings.Contains(line, want) {
				t.Errorf("no %s in %s", want, line)
			}
		}
	}
	w.want("df --output=target $NET | tail -n1", w.net+"\n")
	if r := w.sh("stat -f -c %l $NET"); strings.TrimSpace(r.out) != "255" {
		t.Error(r.out, r.err)
	}
}
