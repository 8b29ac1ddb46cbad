package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Servers on the host's loopback cannot be reached from here.
func TestHostConfig(t *testing.T) {
	for _, test := range []struct{ conf, resolved, want string }{
		{"nameserver 10.0.0.1\nnameserver 127.0.0.1\nsearch a.example\n", "nameserver 10.0.0.9\n", "[10.0.0.1:53] [a.example.]"},
		{"nameserver 127.0.0.53\nsearch a.example\noptions edns0\n", "nameserver 10.0.0.9\nnameserver ::1\nsearch b.example\n", "[10.0.0.9:53] [a.example.]"},
		{"nameserver 127.0.0.53\n", "", "[] []"},
		{"", "", "[] []"},
	} {
		dir := t.TempDir()
		paths := []string{filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "resolved.conf")}
		for i, text := range []string{test.conf, test.resolved} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(paths[i], []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cfg, err := hostConfig(paths...)
		if got := fmt.Sprint(cfg.Servers, " ", cfg.Search); err != nil || got != test.want {
			t.Errorf("%q, %q: %s (%v), want %s", test.conf, test.resolved, got, err, test.want)
		}
	}
}
