package fs

import (
	"os"
	"path/filepath"
	"testing"
)

// Options.Mode leaves to each class at most what it says; a class with nothing
// may not search either.
func TestModeShutsTheTree(t *testing.T) {
	for _, test := range []struct{ mode, file, want uint32 }{
		{0, 0o666, 0o666}, {0o666, 0o666, 0o666}, {0o644, 0o666, 0o644}, {0o640, 0o660, 0o640},
		{0o600, 0o666, 0o600}, {0o600, 0o444, 0o400}, {0o600, 0o555, 0o500}, {0o644, 0o1777, 0o1755}, {0o660, 0o555, 0o550},
	} {
		s := &Server{opts: Options{Mode: test.mode}}
		if got := s.shut(test.file); got != test.want {
			t.Errorf("mode %#o makes %#o of %#o, want %#o", test.mode, got, test.file, test.want)
		}
	}
}

// A mount is found through a symbolic link, and where only its parent can be
// followed.
func TestResolvedFollowsLinks(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "real", "net"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"link/net": "real/net", "link/gone": "real/gone", "real/net": "real/net", "no/where": "no/where"} {
		if got := resolved(filepath.Join(dir, path)); got != filepath.Join(dir, want) {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}
