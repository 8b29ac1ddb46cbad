package test

// Programs that open files in their own ways: Python's select, poll and asyncio,
// Go's deadlines, dd, tail, socat, nginx and curl, and our own commands.

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

// deadline is for what takes milliseconds when it works.
const deadline = 10 * time.Second

func TestPython(t *testing.T) {
	n := world(t)
	for name, script := range map[string]string{
		"select": `
fd = os.open('tcp/dial/10.114.0.1:7', os.O_RDWR)
assert select.select([fd], [fd], [], 0) == ([], [fd], []), 'an idle connection is writable and not readable'
begin = time.monotonic()
assert select.select([fd], [], [], 0.2) == ([], [], [])
assert 0.15 < time.monotonic() - begin < 2, 'select must time out'
os.write(fd, b'hello')
assert select.select([fd], [], [], 5) == ([fd], [], [])
assert os.read(fd, 100) == b'hello'
assert select.select([fd], [], [], 0) == ([], [], []), 'all was read'
`,
		"poll": `
fd = os.open('tcp/dial/10.114.0.1:7005', os.O_RDWR)
p = select.poll()
p.register(fd, select.POLLIN)
assert p.poll(100) == []
os.write(fd, b'one line\n')
assert p.poll(5000)[0][1] & select.POLLIN
assert os.read(fd, 100) == b'one line\n'
assert p.poll(5000)[0][1] & select.POLLIN, 'the end is readable'
assert os.read(fd, 100) == b''
`,
		"epoll": `
fd = os.open('tcp/dial/10.114.0.1:7', os.O_RDWR)
os.set_blocking(fd, False)
e = select.epoll()
e.register(fd, select.EPOLLIN | select.EPOLLET)
assert e.poll(0.1) == []
for i in range(100):
    os.write(fd, b'%d\n' % i)
    assert e.poll(5), 'edge %d was lost' % i
    got = b''
    while not got.endswith(b'\n'):
        try: got += os.read(fd, 100)
        except BlockingIOError: assert e.poll(5)
    assert got == b'%d\n' % i, got
try:
    os.read(fd, 1)
    assert False, 'a read without data must not wait'
except BlockingIOError: pass
`,
		"asyncio": `
async def talk(number):
    loop = asyncio.get_running_loop()
    fd = os.open('tcp/dial/10.114.0.1:7', os.O_RDWR)
    os.set_blocking(fd, False)
    for i in range(20):
        come = loop.create_future()
        loop.add_reader(fd, lambda: come.done() or come.set_result(None))
        os.write(fd, b'%d %d' % (number, i))
        await asyncio.wait_for(come, 5)
        loop.remove_reader(fd)
        assert os.read(fd, 100) == b'%d %d' % (number, i)
    os.close(fd)
async def main(): await asyncio.gather(*(talk(n) for n in range(10)))
asyncio.run(main())
`,
		"listener": `
ctl = os.open('tcp/clone', os.O_RDWR)
n = int(os.read(ctl, 20))
os.write(ctl, b'announce 9000')
pid = os.fork()
if pid == 0:
    s = socket.create_connection(('10.114.0.2', 9000), 5)
    s.sendall(b'from the kernel')
    os._exit(0)
call = os.open('tcp/%d/listen' % n, os.O_RDWR)
c = int(os.read(call, 20))
data = os.open('tcp/%d/data' % c, os.O_RDWR)
assert os.read(data, 100) == b'from the kernel'
assert os.read(data, 100) == b''
os.waitpid(pid, 0)
`,
	} {
		t.Run(name, func(t *testing.T) {
			n := n.For(t)
			out := n.Run("python3", "-c", "import asyncio, os, select, socket, time\nos.chdir(os.environ['SLASHNET_ROOT'])\n"+script+"\nprint('ok')")
			if out != "ok\n" {
				t.Errorf("printed %q", out)
			}
		})
	}
}

func TestGoFiles(t *testing.T) {
	n := world(t)
	for _, args := range [][]string{
		{"deadline", "tcp/dial/10.114.0.1:7"},
		{"close", "tcp/dial/10.114.0.1:7004"},
		{"both-at-once", "tcp/dial/10.114.0.1:7", "10000000"},
	} {
		t.Run(args[0], func(t *testing.T) {
			n := n.For(t)
			args[1] = filepath.Join(n.Root, args[1])
			if out := n.Run(append([]string{peer(t)}, args...)...); out != "ok\n" {
				t.Errorf("printed %q", out)
			}
		})
	}
}

func TestDD(t *testing.T) {
	n := world(t)
	file := filepath.Join(n.Dir, "random")
	n.Run("dd", "if=/dev/urandom", "of="+file, "bs=1M", "count=16", "status=none")
	want := fmt.Sprintf("%d %x\n", 16<<20, hash(t, file))
	for _, bs := range []string{"1000", "64k", "1M"} {
		t.Run(bs, func(t *testing.T) {
			n := n.For(t)
			got := n.Shell("dash", fmt.Sprintf(`
				n=$(cat tcp/clone)
				echo connect 10.114.0.1:9 > tcp/$n/ctl
				dd if=%s of=tcp/$n/data bs=%s status=none
				echo shutdown wr > tcp/$n/ctl
				cat tcp/$n/data
				rmdir tcp/$n`, file, bs))
			if got != want {
				t.Errorf("the peer got %q, want %q", got, want)
			}
		})
	}
	t.Run("slow reader", func(t *testing.T) {
		n := n.For(t)
		got := n.Shell("dash", fmt.Sprintf(`
			n=$(cat tcp/clone)
			echo connect 10.114.0.1:7001 > tcp/$n/ctl
			dd if=%s of=tcp/$n/data bs=1M count=1 status=none
			echo shutdown wr > tcp/$n/ctl
			cat tcp/$n/data
			rmdir tcp/$n`, file))
		if !strings.HasPrefix(got, "1048576 ") {
			t.Errorf("the peer got %q", got)
		}
	})
	t.Run("one read", func(t *testing.T) {
		n := n.For(t)
		got := n.Shell("dash", `
			exec 3<>tcp/dial/10.114.0.1:7
			printf 'abcdef' >&3
			dd bs=3 count=1 status=none <&3
			echo
			dd bs=1 count=3 status=none <&3`)
		if got != "abc\ndef" {
			t.Errorf("got %q", got)
		}
	})
}

func hash(t *testing.T, file string) []byte {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

func TestTailFollows(t *testing.T) {
	n := world(t)
	num := strings.TrimSpace(n.Shell("dash", `
		n=$(cat tcp/clone)
		echo connect 10.114.0.1:7002 > tcp/$n/ctl
		echo $n`))
	n.Start("tail", "-n", "+1", "-f", filepath.Join(n.Root, "tcp", num, "data")).Expect("line 50\n")
}

func TestSocat(t *testing.T) {
	n := world(t)
	out := n.Shell("dash", `echo 'through socat' | socat -t 5 - OPEN:tcp/dial/10.114.0.1!7005`)
	if out != "through socat\n" {
		t.Errorf("got %q", out)
	}
}

// TestNginx fetches pages of nginx with cat, and a page of ours with curl.
func TestNginx(t *testing.T) {
	n := netns.Start(t)
	www := filepath.Join(n.Dir, "www")
	if err := os.MkdirAll(www, 0o755); err != nil {
		t.Fatal(err)
	}
	page := strings.Repeat("a page of nginx\n", 100_000)
	if err := os.WriteFile(filepath.Join(www, "page"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(n.Dir, "nginx.conf")
	text := fmt.Sprintf(`
		daemon off; user root; pid %[1]s/pid; error_log stderr;
		events {}
		http {
			access_log off;
			client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
			uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
			server { listen %[2]s:80; root %[3]s; }
		}`, n.Dir, netns.HostAddr, www)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	n.Start("nginx", "-e", "stderr", "-c", conf)
	// nginx does not tell when it listens; curl asks until it does.
	n.Run("curl", "-sS", "--retry-connrefused", "--retry", "20", "--retry-delay", "1", "-o", "/dev/null", "http://"+netns.HostAddr+"/page")

	out := n.Shell("dash", `
		exec 3<>tcp/dial/10.114.0.1:80
		printf 'GET /page HTTP/1.0\r\n\r\n' >&3
		cat <&3`)
	head, body, _ := strings.Cut(out, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 200 OK") || body != page {
		t.Errorf("head %q, %d bytes of page, want %d", head, len(body), len(page))
	}
}

func TestCommands(t *testing.T) {
	n := world(t)
	slashnet := netns.Binary(t, "./cmd/slashnet")
	t.Run("dial", func(t *testing.T) {
		n := n.For(t)
		out := n.Run("sh", "-c", "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | "+slashnet+" dial 10.114.0.1:http")
		if !strings.HasSuffix(out, kernelPage) {
			t.Errorf("printed %q", out)
		}
		out, err := n.Try(slashnet, "dial", "10.114.0.1:81")
		if err == nil || out != "slashnet dial: connect 10.114.0.1:81: connection refused\n" {
			t.Errorf("a refused call: %v, %q", err, out)
		}
	})
	t.Run("half-close", func(t *testing.T) {
		n := n.For(t)
		out := n.Run("sh", "-c", "printf 12345 | "+slashnet+" dial 10.114.0.1:discard")
		if want := fmt.Sprintf("5 %x\n", sha256.Sum256([]byte("12345"))); out != want {
			t.Errorf("printed %q, want %q", out, want)
		}
	})
	t.Run("serve", func(t *testing.T) {
		n := n.For(t)
		server := n.Start(slashnet, "serve", "-v", ":8080", "--", "sh", "-c",
			`read -r request; printf 'HTTP/1.0 200 OK\r\n\r\n%s %s to %s:%s\n' "$PROTO" "$TCPREMOTEIP" "$TCPLOCALIP" "$TCPLOCALPORT"`)
		server.Expect("serving")
		for range 3 {
			out := n.Run("curl", "-sS", "--max-time", "10", "http://10.114.0.2:8080/")
			if out != "TCP 10.114.0.1 to 10.114.0.2:8080\n" {
				t.Errorf("curl printed %q", out)
			}
		}
	})
	t.Run("ping", func(t *testing.T) {
		n := n.For(t)
		out := n.Run(slashnet, "ping", "-c", "2", "-i", "50ms", netns.HostAddr)
		if !strings.HasSuffix(out, "2 sent, 2 answered\n") {
			t.Errorf("printed %q", out)
		}
		n.Run("busybox", "ping", "-c", "2", "-i", "0.1", netns.Addr)
	})
	t.Run("usage", func(t *testing.T) {
		n := n.For(t)
		for _, args := range []string{"dial", "up --mtu x", "ls --nonsense", "attack", "why", "up --owner me /tmp/x", "up --addr 10.0.0.1 /tmp/x"} {
			out, err := n.Try(append([]string{slashnet}, strings.Fields(args)...)...)
			if err == nil || err.Error() != "exit status 2" || strings.Count(out, "\n") != 1 {
				t.Errorf("slashnet %s: %v, %q; want exit status 2 and one line", args, err, out)
			}
		}
	})
}

// TestUpAndDown: a second daemon is told so, a dead mount is cleared, SIGTERM and
// SIGINT leave nothing behind.
func TestUpAndDown(t *testing.T) {
	n := netns.Start(t)
	slashnet := netns.Binary(t, "./cmd/slashnet")
	out, err := n.Try(slashnet, "up", "--nic", "none", n.Root)
	if err == nil || !strings.Contains(out, "already") || strings.Count(out, "\n") != 1 {
		t.Errorf("a second daemon at one place: %v, %q", err, out)
	}
	out, err = n.Try(slashnet, "up", filepath.Join(n.Dir, "other"))
	if err == nil || !strings.Contains(out, "slash0 is in use") {
		t.Errorf("a second daemon on one TAP: %v, %q", err, out)
	}
	n.Daemon().Kill()
	out, err = n.Try("ls", n.Root)
	if err == nil || !strings.Contains(out, "not connected") {
		t.Fatalf("a killed daemon: %v, %q", err, out)
	}
	n.Up()
	n.Run("ls", n.Root)
	if err := stop(n); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, n.Daemon().Output())
	}
	if out, _ := n.Try("ls", "-A", n.Root); out != "" {
		t.Errorf("after the end, the place holds %q", out)
	}
}
