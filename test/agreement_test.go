package test

// Under load the answers agree: whoever replays events has what all.json has, and
// ls, status.json and metrics have the same.

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"slashnet/test/netns"
)

// busy opens, uses, closes and leaves conversations of all kinds. Each round leaves
// one connection open, one that failed, and one listener.
const busy = `
for i in $(seq $ROUNDS); do
	exec 3<>tcp/dial/10.114.0.1:80; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3 >/dev/null; exec 3<&-
	exec 3<>tcp/dial/10.114.0.1:7; echo hello >&3; read -r x <&3; exec 3<&-
	for how in close rmdir hangup leave; do
		n=$(cat tcp/clone); echo connect 10.114.0.1:7 >tcp/$n/ctl; echo hello >tcp/$n/data
		case $how in
		close|hangup) echo $how >tcp/$n/ctl ;;
		rmdir) rmdir tcp/$n ;;
		esac
	done
	exec 3<>udp/dial/10.114.0.1:7; echo hello >&3; read -r x <&3; exec 3<&-
	n=$(cat udp/clone); echo connect 10.114.0.1:7 >udp/$n/ctl
	n=$(cat tcp/clone); ! echo connect 10.114.0.1:81 >tcp/$n/ctl
	n=$(cat tcp/clone); echo announce 0 >tcp/$n/ctl
	mkdir tcp/mine-$1-$i; echo connect 10.114.0.1:7 >tcp/mine-$1-$i/ctl; rmdir tcp/mine-$1-$i
done 2>/dev/null`

// states is what somebody knows of the conversations: PROTO/NUMBER to the state.
type states map[string]string

// replay makes states of the lines of events, each of which must begin where the one
// before ended.
func replay(t *testing.T, events string) (now, ever states) {
	now, ever = states{}, states{}
	for line := range strings.Lines(events) {
		w := strings.Fields(line)
		if len(w) < 7 || !strings.HasSuffix(line, "\n") {
			if strings.HasSuffix(line, "\n") {
				t.Fatalf("not an event: %q", line)
			}
			break // the rest of it is on the way
		}
		conv, from, to := w[1], w[2], w[3]
		if was, ok := now[conv]; from != was && !(from == "-" && !ok) {
			t.Errorf("it was %q: %s", was, line)
		}
		now[conv], ever[conv] = to, to
		if to == "-" {
			delete(now, conv)
		}
	}
	return now, ever
}

// rows reads all.json, and checks that each row agrees with itself.
func rows(t *testing.T, n *netns.Net, proto string) (now states, all []map[string]any) {
	t.Helper()
	text := n.Run("cat", filepath.Join(n.Root, proto, "all.json"))
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	now = states{}
	last := -1.0
	for _, r := range all {
		number, state := r["number"].(float64), r["state"].(string)
		switch {
		case number <= last:
			t.Errorf("%v comes after %v", number, last)
		case r["proto"] != proto:
			t.Errorf("in %s: %v", proto, r)
		case !strings.HasPrefix(r["why"].(string), state+" for "):
			t.Errorf("it is %s, and why says %q", state, r["why"])
		case (state == "Established" || state == "Syn_sent" || state == "Time_wait") && (r["local"] == nil || r["remote"] == nil):
			t.Errorf("without an end: %v", r)
		case state == "Listen" && (r["local"] == nil || r["remote"] != nil || r["backlog"] == nil):
			t.Errorf("a listener: %v", r)
		case r["cwnd"] != nil && r["inflight"].(float64) > r["qout"].(float64)+1: // SYN and FIN are one
			t.Errorf("more is under way than is unacknowledged: %v", r)
		case state == "Time_wait" && r["ends"] == nil && r["timer"] == nil:
			t.Errorf("Time_wait without an end: %v", r)
		}
		last = number
		now[fmt.Sprintf("%s/%.0f", proto, number)] = state
	}
	return now, all
}

// numbers are the conversations that ls shows.
func numbers(n *netns.Net, proto string) (all []string) {
	for _, name := range strings.Fields(n.Run("ls", filepath.Join(n.Root, proto))) {
		if _, err := strconv.Atoi(name); err == nil {
			all = append(all, proto+"/"+name)
		}
	}
	return all
}

func TestAnswersAgree(t *testing.T) {
	const loaders, rounds = 4, 12 // with 10 conversations a round
	n := world(t)
	events := n.Start("cat", filepath.Join(n.Root, "events"))
	events.Blocked()
	seen := states{}
	var running []*netns.Process
	for i := range loaders {
		running = append(running, n.Start("bash", "-c", "cd $SLASHNET_ROOT; ROUNDS="+strconv.Itoa(rounds)+"; set -- "+strconv.Itoa(i)+busy))
	}
	for _, p := range running {
		for over := false; !over; {
			select {
			case <-p.Ended():
				over = true
			default:
			}
			for _, proto := range []string{"tcp", "udp"} {
				now, _ := rows(t, n, proto)
				maps.Copy(seen, now)
				for _, conv := range numbers(n, proto) {
					seen[conv] = ""
				}
			}
		}
		if err := p.Wait(deadline); err != nil {
			t.Errorf("the load: %v, %s", err, p.Output())
		}
	}
	var now, ever states
	listed := states{}
	for begin := time.Now(); ; {
		n.Shell("dash", "echo sync > ctl")
		now, ever = replay(t, events.Output())
		clear(listed)
		for _, proto := range []string{"tcp", "udp", "icmp"} {
			got, _ := rows(t, n, proto)
			maps.Copy(listed, got)
		}
		if maps.Equal(now, listed) || time.Since(begin) > deadline {
			break
		}
	}
	if !maps.Equal(now, listed) {
		t.Errorf("events and all.json do not agree:\n%s", difference(now, listed))
	}
	for conv := range seen {
		if ever[conv] == "" {
			t.Errorf("%s was listed, and no event tells of it", conv)
		}
	}
	count := map[string]int{}
	for conv, state := range now {
		proto, _, _ := strings.Cut(conv, "/")
		count[proto+" "+state]++
	}
	if len(ever) < loaders*rounds*10 || count["tcp Established"] != loaders*rounds || count["tcp Listen"] != loaders*rounds {
		t.Errorf("%d conversations in all, and at the end %v", len(ever), count)
	}
	t.Logf("%d events of %d conversations; at the end %v", strings.Count(events.Output(), "\n"), len(ever), count)
	metrics := n.Shell("dash", "cat metrics")
	for what, want := range count {
		proto, state, _ := strings.Cut(what, " ")
		if line := fmt.Sprintf("slashnet_conversations{proto=%q,state=%q} %d\n", proto, state, want); !strings.Contains(metrics, line) {
			t.Errorf("metrics has no %s", line)
		}
	}
	_, all := rows(t, n, "tcp")
	if got := numbers(n, "tcp"); len(got) != len(all) {
		t.Errorf("ls has %d, all.json %d", len(got), len(all))
	}
	// Each for itself: what does not move by itself is the same everywhere.
	for _, r := range all {
		num := fmt.Sprint(r["number"])
		var one map[string]any
		text := n.Shell("dash", "cat tcp/"+num+"/status.json; head -n1 tcp/"+num+"/status")
		object, status, _ := strings.Cut(text, "\n")
		if err := json.Unmarshal([]byte(object), &one); err != nil {
			t.Fatal(err, text)
		}
		for _, word := range []string{"proto", "number", "name", "uid", "state", "local", "remote", "qin", "qout", "bytesin", "bytesout", "mss", "options", "backlog", "life"} {
			if !jsonEqual(one[word], r[word]) {
				t.Errorf("tcp/%s: %s is %v in status.json, %v in all.json", num, word, one[word], r[word])
			}
		}
		if !strings.HasPrefix(status, r["state"].(string)+" ") {
			t.Errorf("tcp/%s: %v, and status says %q", num, r["state"], status)
		}
	}
}

func jsonEqual(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// difference tells what one has and the other has not.
func difference(a, b states) string {
	var out []string
	for conv, state := range a {
		if b[conv] != state {
			out = append(out, fmt.Sprintf("%s: %q and %q", conv, state, b[conv]))
		}
	}
	for conv, state := range b {
		if a[conv] == "" {
			out = append(out, fmt.Sprintf("%s: %q and %q", conv, "", state))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
