package dns

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCacheBounds(t *testing.T) {
	var c cache
	now := time.Unix(0, 0)
	at := func(n int) question { return question{fmt.Sprintf("n%d.", n), 1} }
	small := &answer{records: []Record{{Name: "n", Value: "v"}}}
	evicted := 0
	for n := range maxEntries + 100 {
		evicted += c.put(at(n), small, now, time.Minute)
		if a, _ := c.get(at(0), now); a == nil {
			t.Fatal("what is used is forgotten")
		}
	}
	if len(c.entries) != maxEntries || c.recent.Len() != maxEntries || evicted != 100 {
		t.Errorf("%d entries, %d in the list, %d evicted", len(c.entries), c.recent.Len(), evicted)
	}
	for n := range 102 {
		if a, _ := c.get(at(n), now); (a != nil) != (n == 0 || n == 101) {
			t.Errorf("entry %d: %v", n, a)
		}
	}

	large := &answer{records: []Record{{Value: strings.Repeat("x", maxBytes/10)}}}
	for n := range 100 {
		c.put(question{fmt.Sprintf("large%d.", n), 1}, large, now, time.Minute)
		if c.bytes > maxBytes {
			t.Fatalf("%d bytes", c.bytes)
		}
	}
	huge := &answer{records: []Record{{Value: strings.Repeat("x", maxBytes)}}}
	if before := len(c.entries); c.put(at(1), huge, now, time.Minute) != 0 || len(c.entries) != before {
		t.Error("what cannot be kept pushes others out")
	}
	// The account is right: when all have gone nothing is left.
	for e := c.recent.Front(); e != nil; e = c.recent.Front() {
		c.remove(e)
	}
	if c.bytes != 0 || len(c.entries) != 0 {
		t.Errorf("%d bytes, %d entries", c.bytes, len(c.entries))
	}
}

func TestCacheTimes(t *testing.T) {
	var c cache
	now, q, a := time.Unix(0, 0), question{"a.", 1}, new(answer)
	if c.put(q, a, now, 0); c.bytes != 0 {
		t.Error("kept for no time")
	}
	c.put(q, a, now, time.Minute)
	c.put(q, a, now.Add(time.Second), time.Minute) // in its place
	if got, age := c.get(q, now.Add(61*time.Second-1)); got != a || age != time.Minute-1 {
		t.Errorf("%v, %v old", got, age)
	}
	if got, _ := c.get(q, now.Add(61*time.Second)); got != nil || c.bytes != 0 {
		t.Errorf("%v after its time, %d bytes", got, c.bytes)
	}
	if got, _ := c.get(question{"a.", 28}, now); got != nil {
		t.Error("another type")
	}
}
