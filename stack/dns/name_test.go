package dns

import (
	"context"
	"strings"
	"testing"
	"time"

	"slashnet/stack/neterr"
)

// TestBadNames: no server is asked about what cannot be a name.
func TestBadNames(t *testing.T) {
	in(t, Config{Search: []string{"example.org"}}, func(t *testing.T, w *world) {
		server := w.serve(first, says(t, "@ 60 IN A 192.0.2.1"))
		label := strings.Repeat("a", 63)
		for name, want := range map[string]*neterr.Error{
			"":                                   neterr.BadName,
			".":                                  neterr.BadName,
			"a..b":                               neterr.BadName,
			".a":                                 neterr.BadName,
			"a..":                                neterr.BadName,
			"a b":                                neterr.BadName,
			"a\nb":                               neterr.BadName,
			"a\x00b":                             neterr.BadName,
			"a/b":                                neterr.BadName,
			`a\.b`:                               neterr.BadName,
			"bücher.example":                     neterr.BadName,
			"a%b":                                neterr.BadName,
			label + "a":                          neterr.BadName,
			strings.Repeat("a", 10_000):          neterr.BadName,
			strings.Repeat("a.", 5_000):          neterr.BadName,
			strings.Repeat(label+".", 3) + label: neterr.BadName, // 255
			"10.0.0.300":                         neterr.BadAddress,
			"10.0.0":                             neterr.BadAddress,
			"1":                                  neterr.BadAddress,
			"a.1":                                neterr.BadAddress,
			"fe80::1%eth0":                       neterr.BadAddress,
			"x.invalid":                          neterr.UnknownName,
		} {
			if words := w.failed(name, want); len(words) > 250 {
				t.Errorf("%.20q: %d characters of words", name, len(words))
			}
		}
		if n := len(server.questions()); n != 0 {
			t.Errorf("asked %.200q", server.questions())
		}
		for _, name := range []string{
			"a", "a-b", "xn--bcher-kva.example", "_dmarc.example.org", "1a", "1.a", label,
			strings.Repeat(label+".", 3) + strings.Repeat("a", 61), // 253: too long with the search list
			strings.Repeat("a.", 126) + "a.",
		} {
			w.found(name, "192.0.2.1")
		}
	})
}

func FuzzName(f *testing.F) {
	for _, name := range []string{"www.example.org", "a..b", "10.0.0.300", `a\.b`, "bücher", ".", "1.a."} {
		f.Add(name)
	}
	c := Config{Search: []string{"corp.example.org.", strings.Repeat("a.", 120)}, Ndots: 1}
	f.Fuzz(func(t *testing.T, name string) {
		full, err := parseName(name)
		if err != nil {
			return
		}
		if again, err := parseName(full); err != nil || again != full {
			t.Errorf("%q is %q, which is %q (%v)", name, full, again, err)
		}
		for _, candidate := range c.candidates(name, full) {
			q, err := newQuery(question{candidate, 1}, true)
			if err != nil || lower(q.spelling) != candidate {
				t.Errorf("%q cannot be asked: %q (%v)", candidate, q.spelling, err)
			}
		}
	})
}

// TestGivenUpBefore: an asker who has left already is not waited for.
func TestGivenUpBefore(t *testing.T) {
	in(t, Config{}, func(t *testing.T, w *world) {
		w.serve(first, silent)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		begin := time.Now()
		_, err := w.Lookup(ctx, "www.example.org")
		if wantError(t, "cancelled", err, neterr.Interrupted); time.Since(begin) > 0 {
			t.Errorf("after %v", time.Since(begin))
		}
	})
}
