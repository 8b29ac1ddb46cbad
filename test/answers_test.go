package test

// What is going on: ls, events, JSON, metrics and log, asked while there is traffic.

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"slashnet/test/netns"
)

func TestAnswers(t *testing.T) {
	n := world(t)
	slashnet := netns.Binary(t, "./cmd/slashnet")
	events := n.Start("cat", filepath.Join(n.Root, "events"))
	for range 3 {
		n.Start("cat", filepath.Join(n.Root, "tcp/dial/10.114.0.1:7"))
	}
	for range 3 {
		events.Expect(" Syn_sent Established ")
	}
	calls := n.Start(slashnet, "serve", "-v", ":8080", "--", "cat")
	calls.Expect("serving")

	list := func(args ...string) (rows []map[string]any) {
		t.Helper()
		out := n.Run(append([]string{slashnet, "ls", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &rows); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return rows
	}
	for args, want := range map[string]int{
		"established":                       3,
		"Established listen":                4,
		"--remote 10.114.0.1:7 established": 3,
		"--remote 10.114.0.1!7 established": 3,
		"--remote 7":                        3,
		"--remote 10.114.0.1":               3,
		"--remote :8":                       0,
		"--local :8080":                     1,
		"--local 10.114.0.2 established":    3,
		"-p udp":                            0,
		"time-wait":                         0,
		"--user root established":           3,
		"-u 0":                              4,
		"-u 65534":                          0,
	} {
		if rows := list(strings.Fields(args)...); len(rows) != want {
			t.Errorf("ls %s: %d rows, want %d: %v", args, len(rows), want, rows)
		}
		if out := n.Run(append([]string{slashnet, "ls"}, strings.Fields(args)...)...); strings.Count(out, "\n") != want+1 {
			t.Errorf("ls %s: want %d rows in\n%s", args, want, out)
		}
	}
	if out, err := n.Try(slashnet, "ls", "--user", "nobody-at-all"); err == nil || !strings.Contains(out, "nobody-at-all") {
		t.Errorf("ls of no user: %v, %q", err, out)
	}
	for _, row := range list("established") {
		num := fmt.Sprint(row["number"])
		var status map[string]any
		text := n.Shell("dash", "cat tcp/"+num+"/status.json")
		if err := json.Unmarshal([]byte(text), &status); err != nil {
			t.Fatal(err, text)
		}
		for _, word := range []string{"state", "local", "remote", "uid", "mss", "options"} {
			if fmt.Sprint(row[word]) != fmt.Sprint(status[word]) {
				t.Errorf("%s is %v in ls, %v in status.json", word, row[word], status[word])
			}
		}
		last := n.Shell("bash", "timeout 5 head -n 2 tcp/"+num+"/events | tail -n 1")
		if !strings.HasSuffix(last, " the peer has answered\n") {
			t.Errorf("its last event: %q", last)
		}
		if why := n.Run(slashnet, "why", num); why != fmt.Sprint(row["why"])+"\n" && !strings.Contains(why, "up with 10.114.0.1!7") {
			t.Errorf("why %q, in ls %q", why, row["why"])
		}
	}
	out := n.Shell("bash", `grep -v '^#' metrics | grep -c . ; grep 'conversations{proto="tcp",state="Established"}' metrics
		echo clear tcp > log; exec 3<>tcp/clone; read n <&3; { echo no such verb >&3 || :; } 2>/dev/null; grep -c "tcp/$n: no such verb" log || :
		echo set tcp > log; { echo no such verb >&3 || :; } 2>/dev/null; grep -c "tcp/$n: no such verb" log`)
	var count, kept, keptAgain int
	if _, err := fmt.Sscanf(out, "%d\nslashnet_conversations{proto=\"tcp\",state=\"Established\"} 3\n%d\n%d\n", &count, &kept, &keptAgain); err != nil || count < 100 || kept != 0 || keptAgain != 1 {
		t.Errorf("%v in %q", err, out)
	}
}
