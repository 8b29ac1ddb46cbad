package netns

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The programs of this module that tests run, built once.

// binaries are built once in a run of the tests.
var binaries struct {
	sync.Mutex
	dir   string
	built map[string]string
}

// Binary builds a command of this module and returns its path. SLASHNET_RACE=1
// builds it with the race detector.
func Binary(t testing.TB, pkg string) string {
	t.Helper()
	if os.Getenv("SLASHNET_RACE") != "" {
		return build(t, pkg, filepath.Base(pkg), os.Environ(), "-race")
	}
	return build(t, pkg, filepath.Base(pkg), os.Environ())
}

// Static is Binary for a root directory that has no libraries.
func Static(t testing.TB, pkg string) string {
	t.Helper()
	return build(t, pkg, filepath.Base(pkg)+"-static", append(os.Environ(), "CGO_ENABLED=0"))
}

func build(t testing.TB, pkg, name string, env []string, flags ...string) string {
	t.Helper()
	binaries.Lock()
	defer binaries.Unlock()
	if path := binaries.built[name]; path != "" {
		return path
	}
	if binaries.dir == "" {
		dir, err := os.MkdirTemp("", "slashnet-test-")
		if err != nil {
			t.Fatal(err)
		}
		binaries.dir, binaries.built = dir, map[string]string{}
	}
	path := filepath.Join(binaries.dir, name)
	build := exec.Command("go", slices.Concat([]string{"build", "-o", path}, flags, []string{pkg})...)
	build.Dir, build.Env = moduleDir(t), env
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	binaries.built[name] = path
	return path
}

// Clean removes what Binary built; TestMain calls it last.
func Clean() {
	if binaries.dir != "" {
		os.RemoveAll(binaries.dir)
	}
}

func moduleDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}
