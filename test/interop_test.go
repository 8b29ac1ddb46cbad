package test

// Strangers over a bad cable: the kernel's TCP in crowds, and the programs that
// people use. Whoever calls, and whatever is lost, all bytes arrive as they were.

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"slashnet/test/netns"
)

const (
	crowd     = 100    // connections at once
	crowdSize = 20_000 // bytes of each: a dozen segments, some of which get lost
	crowdTime = 2 * time.Minute
)

// TestCrowd has a hundred connections at once, half of them sending and half
// fetching, called from either end. SOAK=1 plays all weathers, and two kernels in all
// of them.
func TestCrowd(t *testing.T) {
	weathers, among := []int{0, 2, 5}, []int{5}
	if os.Getenv("SOAK") != "" {
		weathers = []int{0, 1, 2, 3, 4, 5}
		among = weathers
	}
	for _, loss := range weathers {
		t.Run(fmt.Sprintf("slashnet/%d%%", loss), func(t *testing.T) {
			t.Parallel() // the cable is what is slow
			crowded(t, ourEnd(t), loss)
		})
		if slices.Contains(among, loss) {
			t.Run(fmt.Sprintf("kernel/%d%%", loss), func(t *testing.T) {
				t.Parallel()
				crowded(t, kernelEnd(t), loss)
			})
		}
	}
}

func crowded(t *testing.T, f *far, loss int) {
	f.near.Serve(peer(t), "serve", netns.HostAddr)
	f.serve(t)
	f.set(fmt.Sprintf("delay 10ms loss %d%% seed %d", loss, 7+loss))
	var all sync.WaitGroup
	run := func(whose string, at *netns.Net, way, where string) {
		all.Go(func() {
			args := []string{peer(t), "race", way, fmt.Sprint(crowdSize)}
			out, err := at.TryFor(crowdTime, append(args, slices.Repeat([]string{where}, crowd/2)...)...)
			if err != nil {
				t.Errorf("%s, %s: %v\n%s", whose, way, err, out)
			}
		})
	}
	for way, port := range ports {
		run("the far end calls", f.at, way, f.call(port))
		run("the near end calls", f.near, way, fmt.Sprintf("%s:%d", netns.Addr, port))
	}
	all.Wait()
}

// serve has the services of races at the far end, too.
func (f *far) serve(t *testing.T) {
	t.Helper()
	if !f.us {
		f.at.Serve(peer(t), "serve", netns.Addr)
		return
	}
	for way, port := range ports {
		f.answer(t, port, peer(t), "service", map[string]string{"send": "sink", "fetch": "source"}[way])
	}
}

// answer has a program at our end answer calls to a port.
func (f *far) answer(t *testing.T, port int, command ...string) {
	t.Helper()
	args := []string{netns.Binary(t, "./cmd/slashnet"), "serve", "-v", "-c", fmt.Sprint(crowd), fmt.Sprintf(":%d", port), "--"}
	f.at.Start(append(args, command...)...).Expect("serving")
}

// gate is a socket at which programs that know nothing of files reach a port of the
// near end through our TCP. where is one of socat's addresses.
func (f *far) gate(t *testing.T, where string, port int) {
	t.Helper()
	f.at.Start("socat", "-dd", where, fmt.Sprintf("EXEC:%s dial %s!%d", netns.Binary(t, "./cmd/slashnet"), netns.HostAddr, port)).Expect("listening on")
}

// TestProgramsOverBadCable has nginx, curl, iperf3 and ssh at both ends, the kernel's
// and ours, with 2 % lost.
func TestProgramsOverBadCable(t *testing.T) {
	f := ourEnd(t)
	file := filepath.Join(f.near.Dir, "file")
	bytes := make([]byte, 1<<20)
	rand.Read(bytes)
	if err := os.WriteFile(file, bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	f.set("delay 5ms loss 2% seed 5")
	for name, program := range map[string]func(t *testing.T, f *far, file string){
		"curl to nginx": webs, "iperf3": iperf3, "ssh": ssh,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sub := *f
			sub.near, sub.at = f.near.For(t), f.at.For(t)
			program(t, &sub, file)
		})
	}
}

// programTime is how long a program may take over a bad cable.
const programTime = time.Minute

// sameAs compares what a program fetched.
func sameAs(t *testing.T, file, got string) {
	t.Helper()
	if string(hash(t, file)) != string(hash(t, got)) {
		t.Errorf("%s is not as it was sent", got)
	}
}

func webs(t *testing.T, f *far, file string) {
	dir := t.TempDir()
	unix := filepath.Join(dir, "nginx")
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`
		daemon off; user root; pid %[1]s/pid; error_log stderr notice;
		events {}
		http {
			access_log off;
			client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
			uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
			server { listen %[2]s:80; listen unix:%[3]s; root %[4]s; }
		}`, dir, netns.HostAddr, unix, filepath.Dir(file))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f.near.Start("nginx", "-e", "stderr", "-c", conf).Expect("start worker process ")
	f.answer(t, 80, "socat", "-t", "10", "-", "UNIX-CONNECT:"+unix)
	gate := filepath.Join(dir, "gate")
	f.gate(t, "UNIX-LISTEN:"+gate+",fork", 80)
	for name, args := range map[string][]string{
		"theirs": {"http://" + netns.Addr + "/file"},
		"ours":   {"--unix-socket", gate, "http://" + netns.HostAddr + "/file"},
	} {
		got := filepath.Join(dir, name)
		out, err := f.near.TryFor(programTime, append([]string{"curl", "-sS", "-o", got}, args...)...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		sameAs(t, file, got)
	}
}

func iperf3(t *testing.T, f *far, _ string) {
	const least = 100_000 // a tenth of what comes usually
	f.near.Start("iperf3", "-s", "--forceflush", "-B", netns.HostAddr).Expect("Server listening")
	f.gate(t, "TCP-LISTEN:5202,bind=127.0.0.1,fork,reuseaddr", 5201)
	f.at.Start("iperf3", "-s", "--forceflush", "-B", "127.0.0.1", "-p", "5203").Expect("Server listening")
	f.answer(t, 5201, "socat", "-t", "10", "-", "TCP:127.0.0.1:5203")
	for name, to := range map[string][]string{"ours": {"-c", "127.0.0.1", "-p", "5202"}, "theirs": {"-c", netns.Addr}} {
		for _, way := range [][]string{{}, {"-R"}} {
			args := slices.Concat([]string{"iperf3", "-J", "-t", "2"}, to, way)
			out, err := f.near.TryFor(programTime, args...)
			var report struct {
				End struct {
					Received struct{ Bytes int } `json:"sum_received"`
				} `json:"end"`
			}
			if e := json.Unmarshal([]byte(out), &report); err != nil || e != nil {
				t.Fatalf("%s %v: %v, %v\n%s", name, way, err, e, out)
			}
			if report.End.Received.Bytes < least {
				t.Errorf("%s %v: %d bytes arrived in two seconds, want at least %d", name, way, report.End.Received.Bytes, least)
			}
		}
	}
}

func ssh(t *testing.T, f *far, file string) {
	dir := t.TempDir()
	for _, key := range []string{"host", "user"} {
		f.near.Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key))
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where sshd parts with its privileges
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "sshd_config")
	text := fmt.Sprintf("ListenAddress %[2]s\nListenAddress 127.0.0.1\nHostKey %[1]s/host\nAuthorizedKeysFile %[1]s/user.pub\nStrictModes no\nPidFile none\nUsePAM no\nPermitRootLogin prohibit-password\n", dir, netns.HostAddr)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.near.Start("/usr/sbin/sshd", "-D", "-e", "-f", conf).Expect("Server listening on 127")
	// Not sshd -i: it forbids itself to write to any file (RLIMIT_FSIZE), and ours are.
	f.answer(t, 22, "socat", "-t", "10", "-", "TCP:127.0.0.1:22")
	client := []string{"ssh", "-F", "none", "-i", filepath.Join(dir, "user"), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"}
	for name, to := range map[string][]string{
		"theirs": {netns.Addr},
		"ours":   {"-o", "ProxyCommand=" + netns.Binary(t, "./cmd/slashnet") + " dial %h:%p", netns.HostAddr},
	} {
		got := filepath.Join(dir, name)
		// It goes there and comes back.
		script := []string{"sh", "-c", `file=$1 got=$2; shift 2; exec "$@" cat <"$file" >"$got"`, "sh", file, got}
		out, err := f.near.TryFor(programTime, slices.Concat(script, client, to)...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		sameAs(t, file, got)
	}
}
