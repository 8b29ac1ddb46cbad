package fs

// The files cs and dns, and dns.d. Package test has them before a name server.

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slashnet/stack/neterr"
)

func init() {
	clients["query"] = clientQuery
	clients["answers"] = clientAnswers
}

// book is who knows names in these tests: web has two answers, silence none ever,
// and the others are not in it.
type book struct{}

func (book) Lookup(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func (book) CS(ctx context.Context, query string) ([]string, error) { return book{}.find(ctx, query) }

func (book) DNS(ctx context.Context, query string) ([]string, error) { return book{}.find(ctx, query) }

func (book) Ndb() string { return "dns=10.0.0.9\n" }

func (book) Written() string { return "" }

func (book) WriteNdb(text string, more bool) error {
	return neterr.BadArg.With("%q, more: %v", text, more)
}

func (book) find(ctx context.Context, query string) ([]string, error) {
	name, _, _ := strings.Cut(query, " ")
	switch name {
	case "web":
		return []string{query + " one", query + " two"}, nil
	case "huge":
		return []string{strings.Repeat("x", 10<<20)}, nil
	case "silence":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, neterr.UnknownName.With("%q", query)
}

// A query is answered on the handle that asked, an answer a read, in any shell.
func TestQueryInShells(t *testing.T) {
	w := newWorld(t)
	for _, shell := range []string{"bash", "dash", "busybox sh"} {
		for _, file := range []string{"cs", "dns"} {
			script := strings.ReplaceAll(`
				exec 3<>$NET/FILE 4<>$NET/FILE
				cat <&3
				echo web >&3; cat <&3; echo again; cat <&3
				echo web b >&3; echo web c >&4; read -r a <&3; read -r b <&4; echo "$a, $b"
				echo web d >&3; cat <&3
				echo web e >&3; echo nobody >&3 2>/dev/null || cat <&3
				echo web f >>$NET/FILE; cat $NET/FILE
				tail -1 $NET/log | cut -d ' ' -f 2-`, "FILE", file)
			want := strings.ReplaceAll("web one\nweb two\nagain\nweb b one, web c one\nweb d one\nweb d two\n"+
				"FILE nobody: no such host name: \"nobody\"\n", "FILE", file)
			args := append(strings.Fields(shell), "-euc", script)
			if r := w.run(0, nil, args[0], args[1:]...); r.out != want || r.code != 0 {
				t.Errorf("%s, %s: exit %d, %q, want %q\n%s", shell, file, r.code, r.out, want, r.err)
			}
		}
	}
	if r := w.sh("echo nobody >$NET/cs"); !strings.Contains(r.err, "No route to host") {
		t.Errorf("nobody: %q", r.err)
	}
	w.want("exec 3<>$NET/cs; echo web >&3; for i in 1 2 3; do dd bs=100 count=1 status=none <&3; echo .; done", "web one\n.\nweb two\n.\n.\n")
}

// dns.d asks at the open, and only then; its files are texts.
func TestDNSDirectory(t *testing.T) {
	w := newWorld(t)
	w.want("cd $NET/dns.d; cat web web:mx 'web!mx' 'web mx'", "web one\nweb two\n"+strings.Repeat("web mx one\nweb mx two\n", 3))
	w.want("cd $NET/dns.d; head -n1 web; tail -n1 web; read -r a <web; echo $a; busybox cat web | wc -l; coreutils cat web | wc -l",
		"web one\nweb two\nweb one\n2\n2\n")
	w.want("cd $NET/dns.d; stat -c '%F %a %s' web silence nobody; ls -a; ls -l silence >/dev/null; test -e nobody; du -s . >/dev/null; grep -c nobody ../log || true",
		strings.Repeat("regular file 444 4096\n", 3)+".\n..\n0\n")
	for script, words := range map[string]string{
		"cat $NET/dns.d/nobody":                         "No route to host",
		"cat $NET/dns.d/web/mx":                         "Not a directory",
		"echo x >$NET/dns.d/web":                        "Permission denied",
		"echo x | tee -a $NET/dns.d/web":                "Permission denied",
		"rm $NET/dns.d/web":                             "Operation not permitted",
		"mkdir $NET/dns.d/new":                          "File exists", // as every name does
		"touch $NET/dns.d/$(printf %300s x | tr ' ' x)": "File name too long",
	} {
		if r := w.sh(script); r.code == 0 || !strings.Contains(r.err, words) {
			t.Errorf("%s: exit %d, %q; want %q", script, r.code, r.err, words)
		}
	}
	w.ok("grep -q 'dns nobody: no such host name' $NET/log")
}

func TestQueryOf(t *testing.T) {
	for name, want := range map[string]string{
		"a.example": "a.example", "a.example:mx": "a.example mx", "a.example!aaaa": "a.example aaaa", "a b": "a b",
		"fd00::1": "fd00::1", "fd00::1!ptr": "fd00::1 ptr", "10.0.0.1:ptr": "10.0.0.1 ptr", "!": " ", ":": " ",
	} {
		if got := queryOf(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// Who asks waits alone, and Ctrl-C ends it.
func TestQueryInterrupted(t *testing.T) {
	w := newWorld(t)
	for i, script := range []string{"exec 3<>$NET/cs; echo silence >&3", "echo silence >$NET/dns", "exec cat $NET/dns.d/silence"} {
		j := w.background("trap - INT; " + script)
		w.waiting(1)
		w.want("exec 3<>$NET/cs; echo web >&3; cat <&3; ls $NET/dns.d; cat $NET/dns.d/web", strings.Repeat("web one\nweb two\n", 2))
		begin := time.Now()
		syscall.Kill(-j.Process.Pid, syscall.SIGINT)
		if r := j.end(); r.code == 0 {
			t.Errorf("script %d ended well: %q", i, r.out)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("script %d ended after %v", i, took)
		}
		w.waiting(0)
	}
	until(t, "all files are closed", func() bool { return len(w.srv.handles.all()) == 0 })
}

// What open files keep of answers is bounded, and counted while they are open.
func TestAnswersAreBounded(t *testing.T) {
	w := newWorld(t)
	if r := w.client("answers"); r.code != 0 {
		t.Error(r.err)
	}
	until(t, "all files are closed", func() bool { return len(w.srv.handles.all()) == 0 })
	if w.srv.handles.used.texts != 0 {
		t.Errorf("%d bytes are held by nobody", w.srv.handles.used.texts)
	}
}

func clientAnswers(net string, _ []string) error {
	for i := 0; ; i++ {
		fd, err := unix.Open(net+"/cs", unix.O_RDWR, 0)
		if err != nil {
			return err
		}
		for range 2 { // the second takes the place of the first
			_, err = unix.Write(fd, []byte("huge"))
		}
		switch {
		case i < 3 && err != nil:
			return fmt.Errorf("query %d: %w", i, err)
		case i == 3 && err != unix.ENOBUFS:
			return fmt.Errorf("40 MiB of answers for one user: %v", err)
		case i == 3:
			_, err = unix.Write(fd, []byte("web"))
			return err
		}
	}
}

// A query waits even with O_NONBLOCK, and a read never does, which poll says: the
// read of busybox polls first, and is to find the end of the answers.
func TestQueryPolled(t *testing.T) {
	w := newWorld(t)
	if r := w.client("query"); r.code != 0 {
		t.Error(r.err)
	}
	w.want("busybox sh -c 'exec 3<>$NET/cs; echo web >&3; while read -r a <&3; do echo $a; done'", "web one\nweb two\n")
}

func clientQuery(net string, _ []string) error {
	fd, err := unix.Open(net+"/cs", unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	ready := func(when string) error {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
		if _, err := unix.Poll(p, 0); err != nil || p[0].Revents != unix.POLLIN|unix.POLLOUT {
			return fmt.Errorf("%s: poll gives %#x, %v", when, p[0].Revents, err)
		}
		return nil
	}
	if err := ready("before"); err != nil {
		return err
	}
	if n, err := unix.Write(fd, []byte("web\n")); n != 4 || err != nil {
		return fmt.Errorf("write: %d, %w", n, err)
	}
	if err := ready("answered"); err != nil {
		return err
	}
	b := make([]byte, 3)
	for _, want := range []string{"web", " on", "e\n", "web", " tw", "o\n", ""} {
		if n, err := unix.Read(fd, b); err != nil || string(b[:n]) != want {
			return fmt.Errorf("read %q, %v; want %q", b[:n], err, want)
		}
	}
	return ready("all read")
}

// What is written to ndb comes as it is, and whether it stands in the place of what
// there is or behind it.
func TestNdb(t *testing.T) {
	w := newWorld(t)
	w.want(`cat $NET/ndb`, "ip=10.9.9.1 ipmask=/24\ndns=10.0.0.9\n")
	for _, shell := range []string{"bash", "dash", "busybox sh"} {
		for script, want := range map[string]string{
			`echo a=b >$NET/ndb`:  `"a=b\n", more: false`,
			`echo a=b >>$NET/ndb`: `"a=b\n", more: true`,
			`exec 3<$NET/ndb; cat <&3 >/dev/null; echo a=b >>$NET/ndb`: `"a=b\n", more: true`,
			`printf 'a=b\n\tc=d\n' | cat >$NET/ndb`:                    `"a=b\n\tc=d\n", more: false`,
		} {
			args := append(strings.Fields(shell), "-c", script)
			if r := w.run(0, nil, args[0], args[1:]...); r.code == 0 {
				t.Errorf("%s: %s: %+v", shell, script, r)
			}
			w.want(`tail -n1 $NET/log | sed 's/.*bad arg in system call: //'`, want+"\n")
		}
	}
	w.ok(`mkdir $NET/view/web; stat -c %a $NET/view/web/net/ndb | grep -x 444; test -z "$(cat $NET/view/web/net/ndb)"`)
	for script, words := range map[string]string{
		`echo a=b >$NET/view/web/net/ndb`:           "Permission denied",
		`echo ndb: dns=10.0.0.1 >$NET/view/web/ctl`: "Invalid argument", // it has no resolver
	} {
		if r := w.sh(script); !strings.Contains(r.err, words) {
			t.Errorf("%s: %+v", script, r)
		}
	}
	if r := w.run(1000, nil, "bash", "-c", "echo a=b >$NET/ndb"); !strings.Contains(r.err, "Permission denied") {
		t.Errorf("a stranger: %+v", r)
	}
}
