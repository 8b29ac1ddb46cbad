package test

// What people type: the transcripts of README, under each shell.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slashnet/test/netns"
)

const kernelPage = "hello from the kernel's side\n"

func TestShellFetchesAPage(t *testing.T) {
	n := world(t)
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			n := n.For(t)
			out := n.Shell(shell, `
				n=$(cat tcp/clone)
				echo connect 10.114.0.1:80 > tcp/$n/ctl
				cat tcp/$n/remote
				printf 'GET / HTTP/1.0\r\n\r\n' > tcp/$n/data
				cat tcp/$n/data
				rmdir tcp/$n
				[ ! -e tcp/$n ]`)
			if !strings.HasPrefix(out, "10.114.0.1!80\nHTTP/1.0 200 OK\r\n") || !strings.HasSuffix(out, kernelPage) {
				t.Errorf("step by step: %q", out)
			}
			out = n.Shell(shell, `
				exec 3<>tcp/dial/10.114.0.1:80
				printf 'GET / HTTP/1.0\r\n\r\n' >&3
				cat <&3`)
			if !strings.HasPrefix(out, "HTTP/1.0 200 OK\r\n") || !strings.HasSuffix(out, kernelPage) {
				t.Errorf("by path: %q", out)
			}
			out = n.Shell(shell, `
				exec 3<>tcp/clone
				read -r n <&3
				echo connect 10.114.0.1 daytime >&3
				cat tcp/$n/data
				exec 3>&-
				while [ -e tcp/$n ]; do sleep 0.01; done`)
			if !strings.HasSuffix(out, "UTC\n") {
				t.Errorf("through clone held open: %q", out)
			}
		})
	}
}

func TestShellServesAPage(t *testing.T) {
	n := world(t)
	for i, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			n := n.For(t)
			port := 8080 + i
			server := n.Start(append(strings.Fields(shell), "-euc", fmt.Sprintf(`
				cd "$SLASHNET_ROOT"
				exec 4<>tcp/clone
				read -r l <&4
				echo announce %d >&4
				echo listening
				c=$(cat tcp/$l/listen)
				{
					read -r request
					printf 'HTTP/1.0 200 OK\r\n\r\nhello %%s\n' "$(cat tcp/$c/remote)"
				} <>tcp/$c/data >&0
				echo close > tcp/$c/ctl`, port))...)
			server.Expect("listening")
			out := n.Run("curl", "-sS", "--max-time", "10", fmt.Sprintf("http://%s:%d/", netns.Addr, port))
			if !strings.HasPrefix(out, "hello 10.114.0.1!") {
				t.Errorf("curl printed %q", out)
			}
			if err := server.Wait(deadline); err != nil {
				t.Errorf("the server: %v\n%s", err, server.Output())
			}
		})
	}
}

// TestCats sends a text through every cat that is known to have its own way of
// reading: GNU's, busybox's with sendfile, uutils' with splice.
func TestCats(t *testing.T) {
	const size = 53 * 3800 // whole lines, 201,400 bytes
	n := world(t)
	want := n.Run(peer(t), "text", fmt.Sprint(size))
	if len(want) != size {
		t.Fatalf("the text has %d bytes, want %d", len(want), size)
	}
	for _, cat := range []string{"/bin/cat", "busybox cat", "coreutils cat"} {
		for form, command := range map[string]string{
			"plain":        `CAT tcp/$n/data > "$out"`,
			"pipe":         `CAT tcp/$n/data | CAT > "$out"`,
			"substitution": `x=$(CAT tcp/$n/data); printf '%s\n' "$x" > "$out"`,
			"descriptor":   `exec 5<tcp/$n/data; CAT <&5 > "$out"`,
		} {
			t.Run(cat+"/"+form, func(t *testing.T) {
				n := n.For(t)
				out := filepath.Join(t.TempDir(), "out")
				n.Shell("dash", fmt.Sprintf(`
					out=%s
					n=$(cat tcp/clone)
					echo connect 10.114.0.1:19 > tcp/$n/ctl
					echo %d > tcp/$n/data
					%s
					rmdir tcp/$n`, out, size, strings.ReplaceAll(command, "CAT", cat)))
				got, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != want {
					t.Errorf("%d bytes came, or other ones, of %d", len(got), size)
				}
			})
		}
	}
}

func TestListings(t *testing.T) {
	n := world(t)
	out := n.Shell("dash", `
		exec 3<>tcp/dial/10.114.0.1:7
		n=$(ls tcp/by-state/Established)
		ls -l tcp/by-state/Established
		ls "tcp/by-remote/10.114.0.1!7"
		cat tcp/by-state/Established/$n/status
		cat tcp/$n/why
		slashnet=`+netns.Binary(t, "./cmd/slashnet")+`
		$slashnet ls established
		$slashnet why $n`)
	for _, want := range []string{" -> ../../", "Established", "tcp/", "10.114.0.1!7"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is nowhere in:\n%s", want, out)
		}
	}
}

func TestErrorsHaveWords(t *testing.T) {
	n := world(t)
	for _, test := range []struct{ request, bash, err string }{
		{"connect 10.114.0.1:81", "Connection refused", "connection refused"},
		{"connect 10.114.0.1:99999", "Invalid argument", "bad numeric port"},
		{"connect nowhere.invalid:80", "No route to host", "no such host name"},
		{"conect 10.114.0.1:80", "Invalid argument", "unknown control request"},
	} {
		out := n.Shell("bash", fmt.Sprintf(`
			n=$(cat tcp/clone)
			echo '%s' > tcp/$n/ctl || cat tcp/$n/err
			rmdir tcp/$n`, test.request))
		if !strings.Contains(out, test.bash) || !strings.Contains(out, test.err) {
			t.Errorf("%s: want %q and %q in:\n%s", test.request, test.bash, test.err, out)
		}
	}
}
