package dns

// What was learnt, good and bad, until its time is over. The resolver's lock is
// held by whoever calls.

import (
	"container/list"
	"time"
)

const (
	// maxEntries and maxBytes bound what a view can make the daemon remember;
	// who comes last pushes out what was not asked for the longest.
	maxEntries = 4096
	maxBytes   = 4 << 20
	// entryCost is what an entry costs beside its records.
	entryCost = 256
)

type cache struct {
	entries map[question]*list.Element
	recent  list.List // of *entry, the last used in front
	bytes   int
}

type entry struct {
	question
	*answer
	born, ends time.Time
	size       int
}

// get gives what is known, with how old it is.
func (c *cache) get(q question, now time.Time) (a *answer, age time.Duration) {
	e := c.entries[q]
	if e == nil {
		return nil, 0
	}
	known := e.Value.(*entry)
	if !now.Before(known.ends) {
		c.remove(e)
		return nil, 0
	}
	c.recent.MoveToFront(e)
	return known.answer, now.Sub(known.born)
}

// put remembers a for as long as keep. It says how many others had to go.
func (c *cache) put(q question, a *answer, now time.Time, keep time.Duration) (evicted int) {
	if e := c.entries[q]; e != nil {
		c.remove(e)
	}
	known := &entry{question: q, answer: a, born: now, ends: now.Add(keep), size: entryCost + len(q.name)}
	for i := range a.records {
		known.size += a.records[i].size()
	}
	if keep <= 0 || known.size > maxBytes {
		return 0
	}
	if c.entries == nil {
		c.entries = map[question]*list.Element{}
	}
	c.entries[q] = c.recent.PushFront(known)
	c.bytes += known.size
	for len(c.entries) > maxEntries || c.bytes > maxBytes {
		c.remove(c.recent.Back())
		evicted++
	}
	return evicted
}

func (c *cache) remove(e *list.Element) {
	known := c.recent.Remove(e).(*entry)
	delete(c.entries, known.question)
	c.bytes -= known.size
}

func (c *cache) clear() { *c = cache{} }
