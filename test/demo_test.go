package test

// scripts/demo as a newcomer runs it, and as one who stops it in its middle.

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runDemo runs the demo until its end, or sends a signal when it has printed a
// word. It returns what it printed and how it ended.
func runDemo(t *testing.T, word string, signal syscall.Signal) (string, error) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs root and a kernel; -short leaves that out")
	}
	tmp := t.TempDir()
	demo := exec.Command("scripts/demo")
	demo.Dir = ".."
	demo.Env = append(os.Environ(), "TMPDIR="+tmp)
	demo.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errors bytes.Buffer
	demo.Stderr = &errors
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	hang := time.AfterFunc(2*time.Minute, func() { syscall.Kill(-demo.Process.Pid, syscall.SIGKILL) })
	defer hang.Stop()
	printed := until(out, word)
	if word != "" {
		demo.Process.Signal(signal)
	}
	printed += until(out, "")
	err = demo.Wait()

	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("it left files: %v", left)
	}
	if mounts, _ := os.ReadFile("/proc/self/mountinfo"); bytes.Contains(mounts, []byte(tmp)) {
		t.Errorf("it left a mount:\n%s", mounts)
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range processes {
		if line, _ := os.ReadFile(p); bytes.Contains(line, []byte(tmp)) {
			t.Errorf("it left a process: %s", bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
	t.Log(errors.String())
	return printed, err
}

// until reads until a word has come, or to the end.
func until(r io.Reader, word string) string {
	var all bytes.Buffer
	b := make([]byte, 4096)
	for {
		n, err := r.Read(b)
		all.Write(b[:n])
		if err != nil || word != "" && strings.Contains(all.String(), word) {
			return all.String()
		}
	}
}

func TestDemo(t *testing.T) {
	out, err := runDemo(t, "", 0)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"hello from nginx", "-> ../../", "Established for", "hello from a shell", "3 answered", "connection refused", "has closed its connections"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if pages := strings.Count(out, "\nhello from nginx"); pages != 3 { // the last one into a container
		t.Errorf("%d pages, want 3:\n%s", pages, out)
	}
}

func TestDemoInterrupted(t *testing.T) {
	for word, signal := range map[string]syscall.Signal{
		"We stand":    syscall.SIGINT,
		"accept/8080": syscall.SIGINT,
		"seq=0":       syscall.SIGTERM,
	} {
		t.Run(word, func(t *testing.T) {
			if out, err := runDemo(t, word, signal); err == nil {
				t.Errorf("it ended as if nothing had happened:\n%s", out)
			}
		})
	}
}
