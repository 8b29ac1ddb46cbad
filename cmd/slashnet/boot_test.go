package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slashnet/stack"
)

// A boot script is carried out to its end, or refused with the place.
func TestBootIsBounded(t *testing.T) {
	for text, words := range map[string]string{
		strings.Repeat("# a comment\n", maxBoot/12+1):   "longer than",
		"# one\nctl: ip.ttl 64\nctl: ip.ttl nonsense\n": ":3: ",
		strings.Repeat("x", 100_000):                    "boot: ",
	} {
		boot := filepath.Join(t.TempDir(), "boot")
		if err := os.WriteFile(boot, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := configure(stack.NewHost(stack.New(stack.Config{}), nil), nil, nil, boot)
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%.20q: %v, want %q", text, err, words)
		}
	}
}
