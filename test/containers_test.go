package test

// A matrix of containers: each kind of box gets its view of the network by a bind
// mount, and nothing else of it.

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"slashnet/test/netns"
)

const (
	webAddr = "10.114.0.3" // beside the root, on its switch
	dbAddr  = "10.7.0.2"   // behind the root, which routes
	stream  = "10000000"   // bytes from one box to another
)

// insideBox is what users of a container do, in one go. It ends in the middle of a
// transfer, with a reader, a writer, a connect and a listener beside it.
const insideBox = `
fetch() { exec 3<>tcp/dial/$1:80; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3; exec 3>&-; }
echo == by address; fetch ` + netns.HostAddr + `
echo == by name; fetch web.lab.example
echo == dial; printf 'GET / HTTP/1.0\r\n\r\n' | slashnet dial web:80
echo == ping; slashnet ping -c 1 web
echo == list; exec 3<>tcp/dial/` + netns.HostAddr + `:7
ls tcp/by-state/Established | wc -l; slashnet ls established | tail -n 1; echo == why; slashnet why $(ls tcp/by-state/Established)
echo == place; if [ -z "${SLASHNET_ROOT-}" ]; then SLASHNET_ROOT=/outside slashnet ls || true; fi
echo == owner; stat -c %u tcp/by-state/Established/*/ctl; id -u; exec 3>&-
echo == other box; exec 3<>tcp/dial/` + dbAddr + `:5432; echo knock >&3; cat <&3; exec 3>&-
echo == stream; sha256sum <tcp/dial/` + dbAddr + `:5433
echo == socket; nc -w 2 ` + netns.HostAddr + ` 80 </dev/null || echo refused
echo == forbidden
for line in 'ctl ip.ttl 7' 'iproute add 10.9.0.0 /16 ` + netns.HostAddr + `' 'arp flush' 'ipifc/0/ctl add 10.9.9.9/24' 'ipifc/1/ctl unbind' 'log clear tcp' 'ndb dns=10.0.0.1'; do
	(echo "${line#* }" >"${line%% *}") 2>&1 | grep -q 'ermission denied' || echo "$line: allowed"
done
ls view ipifc/clone 2>&1 | grep -c 'No such file'
mkdir ipifc/2 2>&1 | grep -c 'ermi'
exec 4<>tcp/clone; read -r n <&4; echo announce 80 >&4
echo == announced
exec 5<>tcp/$n/listen; read -r c <&5; printf 'HTTP/1.0 200 OK\r\n\r\nhello from a box\n' >tcp/$c/data; echo close >&5; exec 5>&-
cat tcp/dial/` + netns.HostAddr + `:7004 &
cat tcp/$n/listen &
cat tcp/dial/` + blackHole + `:80 &
yes >tcp/dial/` + netns.HostAddr + `:9 &
exec 3<>tcp/dial/` + netns.HostAddr + `:19; echo 1000000000000 >&3
cat <&3 | { read -r line; echo == flowing; cat >/dev/null; }
`

func TestContainers(t *testing.T) {
	y := newYard(t)
	y.Run("ip", "route", "add", dbAddr+"/32", "via", netns.Addr)
	sum, _, _ := strings.Cut(y.Run("sh", "-c", peer(t)+" text "+stream+" | sha256sum"), " ")
	for _, b := range boxes {
		t.Run(b.name, func(t *testing.T) {
			y := y.For(t)
			y.view("web", "uplink switch "+webAddr+"/24 "+netns.Addr)
			y.view("db", "uplink routed "+dbAddr+"/24")

			db := y.in(b, "db", `slashnet serve -v :5433 -- peer text `+stream+` &
				exec slashnet serve -v :5432 -- sh -c 'read -r line; echo "db heard $line from $TCPREMOTEIP"'`)
			db.Expect("!5432")
			db.Expect("!5433")
			web := y.in(b, "web", insideBox)
			web.Expect("== announced")
			said := sections(web.Output())
			for title, want := range map[string]string{
				"by address": kernelPage, "by name": kernelPage, "dial": kernelPage,
				"ping": "1 sent, 1 answered\n", "list": "1\ntcp/", "why": "up with " + netns.HostAddr + "!7",
				"other box": "db heard knock from " + webAddr + "\n", "stream": sum, "socket": "unreachable",
			} {
				if !strings.Contains(said[title], want) {
					t.Errorf("%s: %q is missing in %q", title, want, said[title])
				}
			}
			if b.name != unshare.name && !strings.Contains(said["place"], "but at /net") {
				t.Errorf("with a wrong SLASHNET_ROOT: %q", said["place"])
			}
			if owner := strings.Fields(said["owner"]); len(owner) != 2 || owner[0] != owner[1] {
				t.Errorf("inside, the owner of a conversation and the user are %q", owner)
			}
			if said["forbidden"] != "2\n1\n" {
				t.Errorf("what is for the owner of the tree: %q", said["forbidden"])
			}
			if out := y.Run("curl", "-s", "http://"+webAddr+"/"); out != "hello from a box\n" {
				t.Errorf("the kernel's curl got %q", out)
			}
			web.Expect("== flowing")
			if out := y.Shell("sh", "stat -L -c %u view/web/net/tcp/by-state/Established/* | uniq"); out != fmt.Sprintln(b.uid) {
				t.Errorf("owner of the conversations: %q, want %d", out, b.uid)
			}

			web.kill()
			y.empty("web")
			db.kill()
			y.empty("db")
			y.Shell("sh", "rmdir view/web view/db")
			if out := y.Shell("sh", "ls view"); out != "" {
				t.Errorf("left behind: %q", out)
			}
			awaitStat(t, y.Net, "operations", 0)
		})
	}
}

// TestBoxHoards: a container that opens a hundred thousand files gets those that its
// view may have. Nobody else notices, and the owner of the tree sees why.
func TestBoxHoards(t *testing.T) {
	const most = 50_000 // limit.handles
	y := newYard(t)
	y.view("web", "uplink switch "+webAddr+"/24")
	y.view("db", "uplink switch 10.114.0.4/24")
	hoarder := y.in(unshare, "web", fmt.Sprintf(`{ for i in 1 2 3 4 5 6 7 8 9 10; do peer hoard tcp/clone %d & done; wait; } |
		awk '{ all += $2 } /system/ { why = $0 } NR == 10 { print "all have", all, why; fflush() }'`, many))
	beside := func(view string) {
		p := y.in(unshare, view, "cat tcp/dial/"+netns.HostAddr+":13")
		if err := p.Wait(deadline); err != nil {
			t.Errorf("beside it, in %s: %v, %s", view, err, p.Output())
		}
	}
	beside("db")
	hoarder.Expect("all have")
	if out := hoarder.Output(); !strings.HasPrefix(out, fmt.Sprintf("all have %d ", most)) || !strings.Contains(out, "too many open files in system") {
		t.Errorf("%s; want %d", out, most)
	}
	beside("db")
	y.Shell("sh", "cat tcp/dial/"+netns.HostAddr+":13")
	if log := y.Shell("sh", "tail view/web/log"); !strings.Contains(log, fmt.Sprint(most, " files are open")) {
		t.Errorf("the log of the view: %s", log)
	}
	hoarder.kill()
	y.empty("web")
	beside("web")
}

// TestCompose: examples/compose, as its README says.
func TestCompose(t *testing.T) {
	y := newYard(t)
	y.startEngine()
	example, err := filepath.Abs("../examples/compose")
	if err != nil {
		t.Fatal(err)
	}
	script := func(words string) string {
		return y.Run("sh", "-euc", "cd "+example+"; export PATH="+y.root+"/bin:$PATH DOCKER_HOST=unix://"+y.engine+" COMPOSE_PROJECT_NAME="+y.Name+"\n"+words)
	}
	script("./views; docker-compose up --detach")
	y.await("ls view/db/net/tcp/by-state/Listen view/web/net/tcp/by-state/Listen 2>/dev/null | grep -c '^[0-9]' || true", "2\n")
	if out := script("curl -s http://10.114.0.11/page"); out != "db has heard: GET /page\n" {
		t.Errorf("curl: %q", out)
	}
	if out := script("slashnet view ls | wc -l; cat $SLASHNET_ROOT/view/web/net/tcp/*/why"); !strings.HasPrefix(out, "3\n") || !strings.Contains(out, "Listen") {
		t.Errorf("from the host: %q", out)
	}
	script("echo limit conversations 100 >$SLASHNET_ROOT/view/web/ctl; echo uplink none >$SLASHNET_ROOT/view/web/ctl; ! curl -s -m 1 http://10.114.0.11/page")
	script("docker-compose down; slashnet view rm web; slashnet view rm db")
	if out := y.Run(append(y.client(), "ps", "-a", "-q")...); out != "" {
		t.Errorf("containers left: %q", out)
	}
}

// TestDockerMakesView: as it makes any directory that a volume names.
func TestDockerMakesView(t *testing.T) {
	y := newYard(t)
	for range 2 {
		p := y.in(docker, "late", `cat ipifc/1/status || echo alone; while ! cat tcp/dial/`+netns.HostAddr+`:13; do sleep 0.05; done`)
		p.Expect("alone")
		y.Shell("sh", "echo 'uplink switch "+webAddr+"/24' >view/late/ctl")
		if err := p.Wait(deadline); err != nil || !strings.Contains(p.Output(), "UTC") {
			t.Errorf("%v: %s", err, p.Output())
		}
		y.Shell("sh", "echo uplink none >view/late/ctl")
	}
}

// TestBoxInterrupted: Ctrl-C ends what waits in the tree, and so does docker stop.
func TestBoxInterrupted(t *testing.T) {
	y := newYard(t)
	y.view("web", "uplink switch "+webAddr+"/24")
	// Where the program is process 1, only one that handles signals gets them.
	const cat, serve = "exec cat tcp/dial/" + netns.HostAddr + ":7004", "exec slashnet serve :80"
	scripts := map[string]string{"runc": serve, "runc with users": serve}
	end := func(t *testing.T, b box, script string, interrupt func(y *yard, p *boxed)) {
		y := y.For(t)
		p := y.in(b, "web", script)
		y.await("grep ^operations: view/web/stats", "operations: 1\n")
		begin := time.Now()
		interrupt(y, p)
		p.Wait(deadline)
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("it took %v to end", took)
		}
		y.empty("web")
	}
	for _, b := range boxes {
		t.Run(b.name, func(t *testing.T) {
			end(t, b, cmp.Or(scripts[b.name], cat), func(_ *yard, p *boxed) { syscall.Kill(-p.Pid(), syscall.SIGINT) })
		})
	}
	t.Run("docker stop", func(t *testing.T) {
		end(t, docker, cat, func(y *yard, p *boxed) { y.Run(append(y.client(), "stop", "-t", "60", p.name)...) })
	})
}

// TestBoxPaused: the freezer of control groups ends a waiting read, with no signal
// that anybody sees. Nothing is lost by it, nor by the wait.
func TestBoxPaused(t *testing.T) {
	const bytes = "100000000"
	y := newYard(t)
	y.view("web", "uplink switch "+webAddr+"/24")
	p := y.in(docker, "web", `exec 3<>tcp/dial/`+netns.HostAddr+`:19; echo `+bytes+` >&3; echo begun; sha256sum <&3`)
	p.Expect("begun")
	for range 3 {
		y.Try(append(y.client(), "pause", p.name)...) // which may have ended
		y.Try(append(y.client(), "unpause", p.name)...)
	}
	err := p.Wait(2 * deadline)
	sum, _, _ := strings.Cut(y.Run("sh", "-c", peer(t)+" text "+bytes+" | sha256sum"), " ")
	if err != nil || !strings.Contains(p.Output(), sum) {
		t.Errorf("%v, %q, want %s", err, p.Output(), sum)
	}
}

// TestBoxOutlivesDaemon: whoever is in a box is told, and a new daemon can begin.
func TestBoxOutlivesDaemon(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			y := newYard(t)
			for range 2 {
				y.view("web", "uplink switch "+webAddr+"/24")
				p := y.in(unshare, "web", `cat tcp/dial/`+netns.HostAddr+`:7004 || echo told; while ls / $PWD; do sleep 0.05; done 2>&1 | tail -n 1; cat tcp/clone`)
				y.await("grep ^operations: view/web/stats", "operations: 1\n")
				y.Daemon().Signal(signal)
				y.Daemon().Wait(deadline)
				p.Expect("told")
				if err := p.Wait(deadline); err == nil || !strings.Contains(p.Output(), "endpoint") {
					t.Errorf("%v: %s", err, p.Output())
				}
				y.Up()
			}
		})
	}
}

// sections cuts what a script has printed at the lines "== TITLE".
func sections(out string) map[string]string {
	all := map[string]string{}
	for _, part := range strings.Split(out, "== ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		all[title] = text
	}
	return all
}
