package stack

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"slashnet/stack/tcp"
	"slashnet/wire"
)

// object is a record as a reader of JSON sees it.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return o
}

func objects(t testing.TB, text string) []map[string]any {
	t.Helper()
	var o []map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return o
}

// wordsOf are the words of status behind Plan 9's line.
func wordsOf(t testing.TB, status string) map[string]string {
	t.Helper()
	words := map[string]string{}
	_, rest, _ := strings.Cut(status, "\n")
	for line := range strings.Lines(rest) {
		word, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if _, twice := words[word]; twice || !ok {
			t.Errorf("line %q", line)
		}
		words[word] = value
	}
	return words
}

// flat is an object with its inner objects' words behind a dot, as status has them.
func flat(o map[string]any, prefix string, to map[string]any) map[string]any {
	for word, v := range o {
		if inner, ok := v.(map[string]any); ok && word != "local" && word != "remote" {
			flat(inner, prefix+word+".", to)
			continue
		}
		to[prefix+word] = v
	}
	return to
}

// status, status.json and all.json say the same with the same words.
func TestRecordsAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		l := clone(t, b, wire.TCP)
		command(t, l, "announce 80")
		c := clone(t, a, wire.TCP)
		command(t, c, "connect 10.0.0.2:80\nttl 7")
		u := clone(t, a, wire.UDP)
		command(t, u, "connect 10.0.0.2:9")
		i := clone(t, a, wire.ICMP)
		peer := listen(t, l)
		write(t, peer, []byte("hello"))
		synctest.Wait()

		for _, x := range []*Conv{c, u, i, l, peer} {
			words, o := wordsOf(t, x.StatusText()), flat(object(t, x.JSONText()), "", map[string]any{})
			for word := range words {
				if _, ok := o[word]; !ok {
					t.Errorf("%s: %s is in status and not in status.json", x.proto.name, word)
				}
			}
			for word, v := range o {
				text, ok := words[word]
				if !ok {
					t.Errorf("%s: %s is in status.json and not in status", x.proto.name, word)
				}
				switch v := v.(type) {
				case string:
					if text != v {
						t.Errorf("%s: %s is %q and %q", x.proto.name, word, text, v)
					}
				case float64:
					if d, err := time.ParseDuration(text); fmt.Sprintf("%.0f", v) != text && (err != nil || d.Seconds() != v) {
						t.Errorf("%s: %s is %q and %v", x.proto.name, word, text, v)
					}
				}
			}
			for _, row := range objects(t, x.stack.AllJSON(x.proto.num, 1<<20)) {
				if row["number"] == float64(x.num) && fmt.Sprint(row) != fmt.Sprint(object(t, x.JSONText())) {
					t.Errorf("all.json has %v, status.json %s", row, x.JSONText())
				}
			}
		}

		words := wordsOf(t, c.StatusText())
		for _, word := range strings.Fields("state qin qout cwnd ssthresh srtt rttvar rto inflight retrans lost sacked mss wscale options sndwnd rcvwnd cc ttl life open waiting") {
			if words[word] == "" {
				t.Errorf("status has no %s", word)
			}
		}
		if words["qin"] != "5" || words["state"] != "Established" || words["ttl"] != "7" || words["options"] != "sack timestamps wscale" {
			t.Errorf("status: %v", words)
		}
		o := object(t, c.JSONText())
		remote, _ := o["remote"].(map[string]any)
		if remote["addr"] != "10.0.0.2" || remote["port"] != float64(80) {
			t.Errorf("remote is %v", o["remote"])
		}
		if o = object(t, clone(t, a, wire.TCP).JSONText()); o["remote"] != nil || o["state"] != "Closed" {
			t.Errorf("a new one: %v", o)
		}
	})
}

// all.json holds records of TIME-WAIT in their place, and ten thousand rows.
func TestAllJSON(t *testing.T) {
	const many = 10_000
	s := newHost(t, Config{})
	pr := s.proto(wire.TCP)
	ended := tcp.NewConn(s.knobs.tcp, func() uint64 { return 0 }).TimeWait(time.Hour)
	for n := range many {
		c := clone(t, s, wire.TCP)
		if n%10 != 0 {
			continue
		}
		s.lock()
		pr.remove(c)
		pr.waits.enter(&timeWait{num: c.num, flow: tuple{local: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 1)}, tcp: ended})
		s.unlock()
	}
	rows := objects(t, s.AllJSON(wire.TCP, 1<<30))
	if len(rows) != many {
		t.Fatalf("%d rows", len(rows))
	}
	for n, row := range rows {
		state := "Closed"
		if n%10 == 0 {
			state = "Time_wait"
		}
		if row["number"] != float64(n) || row["state"] != state {
			t.Fatalf("row %d: %v", n, row)
		}
	}
	if text := s.AllJSON(wire.TCP, 1000); len(text) > 1000+recordsAtOnce*1000 {
		t.Errorf("%d bytes for a limit of 1000", len(text))
	}
	if text := s.AllJSON(wire.UDP, 1000); len(objects(t, text)) != 0 {
		t.Error(text)
	}
}

// What verbs have set is printed under their names, and nothing else.
func TestRecordOfSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHost(t, Config{})
		set := func(p wire.Proto, lines string) string {
			c := clone(t, s, p)
			defer c.Drop()
			if lines != "" {
				command(t, c, lines)
			}
			status := c.StatusText()
			var found []string
			for word, value := range wordsOf(t, status) {
				if rest, ok := strings.CutPrefix(word, "set."); ok {
					found = append(found, rest+" "+value)
				}
			}
			slices.Sort(found)
			if got, ok := object(t, c.JSONText())["set"].(map[string]any); len(got) != len(found) || ok != (len(found) > 0) {
				t.Errorf("status.json has %v, status %q", got, found)
			}
			return strings.Join(found, ", ")
		}
		for lines, want := range map[string]string{
			"":                           "",
			"nodelay\ncork\nquickack on": "cork on, nodelay on, quickack on",
			"nodelay\nnodelay off":       "",
			"keepalive 90000\nkeepintvl 10\nkeepcnt 4":    "keepalive on, keepcnt 4, keepidle 1m30s, keepintvl 10s",
			"sndbuf 64k\nrcvbuf 1m\nmss 1000\ncc newreno": "cc newreno, mss 1000, rcvbuf 1048576, sndbuf 65536",
			"linger 0\nusertimeout 5000\nrtimeout 250":    "linger 0s, rtimeout 250ms, usertimeout 5s",
			"linger 5\nlinger off\nignoreadvice":          "ignoreadvice on",
			"retries 7":                                   "retries 7",
			"retries forever":                             "retries forever",
		} {
			if got := set(wire.TCP, lines); got != want {
				t.Errorf("%q: %q, want %q", lines, got, want)
			}
		}
		if got := set(wire.TCP, "bind *!5000"); !strings.HasPrefix(got, "bind ") || !strings.HasSuffix(got, "!5000") {
			t.Errorf("bind: %q", got)
		}
		if got := set(wire.UDP, "headers"); got != "headers on" {
			t.Errorf("udp: %q", got)
		}
	})
}
