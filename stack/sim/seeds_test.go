package sim

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// seedsInCI are as many as two cores with the race detector play in a minute;
// SIM_SEEDS sets another number, as scripts/soak does.
const seedsInCI = 500

func seeds(t *testing.T) int {
	text := os.Getenv("SIM_SEEDS")
	switch {
	case text == "" && testing.Short():
		return seedsInCI / 5
	case text == "":
		return seedsInCI
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIM_SEEDS=%q: a number of seeds is wanted", text)
	}
	return n
}

// report says what failed, how to see it again, and the smallest that fails.
func report(t *testing.T, s scenario, err error) {
	t.Helper()
	t.Errorf("seed %d: %v", s.seed, err)
	small := s.shrink(nil)
	_, err = small.run()
	t.Errorf("SIM_REPLAY='%v' go test ./stack/sim -run TestReplay\n\tthe smallest that fails (then keep it in testdata/seeds): %v", small, err)
}

// TestSeeds plays a scenario of each seed.
func TestSeeds(t *testing.T) {
	last := uint64(seeds(t))
	var next atomic.Uint64
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(strconv.Itoa(worker), func(t *testing.T) {
			t.Parallel()
			for seed := next.Add(1); seed <= last && !t.Failed(); seed = next.Add(1) {
				if _, err := drawn(seed).run(); err != nil {
					report(t, drawn(seed), err)
				}
			}
		})
	}
}

// TestKeptSeeds plays those that once failed.
func TestKeptSeeds(t *testing.T) {
	f, err := os.Open("testdata/seeds")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, why, _ := strings.Cut(lines.Text(), "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		s, err := parseScenario(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if _, err := s.run(); err != nil {
			t.Errorf("%v:%s: %v", s, why, err)
		}
	}
}

// TestReplay plays what SIM_REPLAY says, as a failing seed has printed it.
func TestReplay(t *testing.T) {
	s := drawn(1)
	if text := os.Getenv("SIM_REPLAY"); text != "" {
		var err error
		if s, err = parseScenario(text); err != nil {
			t.Fatalf("SIM_REPLAY=%q: %v", text, err)
		}
	}
	first, err := s.run()
	if err != nil {
		t.Error(err)
	}
	if second, _ := s.run(); second != first {
		t.Errorf("the same seed gave %08x, then %08x: something besides the seed decides", first, second)
	}
}

// TestSameSeedSameBytes: the digest is of every frame and its time.
func TestSameSeedSameBytes(t *testing.T) {
	digests := map[uint32]bool{}
	for seed := uint64(1); seed <= 20; seed++ {
		first, _ := drawn(seed).run()
		second, _ := drawn(seed).run()
		if first != second {
			t.Errorf("seed %d gave %08x, then %08x", seed, first, second)
		}
		digests[first] = true
	}
	if len(digests) != 20 {
		t.Errorf("20 seeds gave %d different runs", len(digests))
	}
}

// TestShrink breaks a rule on purpose, that nothing is ever sent twice: what is left
// of a scenario that breaks it is a line that breaks it again, and has nothing in it
// that could be left out.
func TestShrink(t *testing.T) {
	rule := func(w *World) error {
		for _, h := range w.hosts {
			if n := h.TCPStat("RetransSegs"); n > 0 {
				return fmt.Errorf("%s has sent %d segments again", h.Name, n)
			}
		}
		return nil
	}
	fails := func(s scenario) bool {
		_, err := s.play(rule)
		return err != nil
	}
	shrunk := 0
	for seed := uint64(1); seed <= 10; seed++ {
		if !fails(drawn(seed)) {
			continue
		}
		shrunk++
		line := drawn(seed).shrink(rule).String()
		s, err := parseScenario(line)
		if err != nil || !fails(s) {
			t.Errorf("seed %d: %q breaks no rule: %v", seed, line, err)
		}
		if _, err := s.run(); err != nil {
			t.Errorf("seed %d: %q breaks a rule that is none of ours: %v", seed, line, err)
		}
		for _, part := range parts {
			if s.has(part) && fails(s.leaving(part)) {
				t.Errorf("seed %d: %q needs no %s", seed, line, part)
			}
		}
		if fewer := (scenario{s.seed, s.users - 1, s.bytes, s.without}); s.users > 1 && fails(fewer) {
			t.Errorf("seed %d: %q needs no %d users", seed, line, s.users)
		}
	}
	if shrunk == 0 {
		t.Error("no scenario sends anything again")
	}
}
