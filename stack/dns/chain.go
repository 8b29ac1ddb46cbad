package dns

// What a message says about a question: the records of its name, or of the name
// that CNAMEs put in its place (RFC 1034 §3.6.2), or that there are none (RFC
// 2308). Pure; flight.go follows where it leads.

import (
	"fmt"
	"slices"
	"time"

	msg "github.com/miekg/dns"

	"slashnet/stack/neterr"
)

// maxChain is how many CNAMEs one after another are followed. Real chains have
// two or three.
const maxChain = 16

// maxNegativeTTL is the most that RFC 2308 §5 advises for a negative answer.
const maxNegativeTTL = 3 * time.Hour

// An answer is what became of a look-up. It is shared, and never changed once it
// is done.
type answer struct {
	records []Record
	err     error         // neterr.UnknownName, neterr.NoRecord, or a failure
	ttl     time.Duration // of all of it; 0: for those who wait now only
}

// A chain is an answer that comes about.
type chain struct {
	asked question
	at    string   // the name that takes the place of asked.name
	seen  []string // all names so far
	answer
}

func newChain(q question, maxTTL time.Duration) *chain {
	return &chain{asked: q, at: q.name, seen: []string{q.name}, answer: answer{ttl: maxTTL}}
}

// add takes in what m, an answer about c.at, says. It is done when there is
// nothing left to ask; else c.at is to be asked about next.
func (c *chain) add(m *msg.Msg) (done bool) {
	start := c.at
	for !c.take(m) {
		target, rr := c.alias(m)
		if target == "" {
			return c.end(m, start)
		}
		name, err := parseName(target)
		switch {
		case err != nil:
			return c.fail("its CNAME leads to %q, which is no name", clip(target))
		case slices.Contains(c.seen, name):
			return c.fail("its CNAMEs lead in a circle, by way of %q", plain(name))
		case len(c.seen) > maxChain:
			return c.fail("more than %d CNAMEs one after another", maxChain)
		}
		c.keep(rr)
		c.at = name
		c.seen = append(c.seen, name)
	}
	return true
}

// end is reached where m, which was asked about start, says no more about c.at.
func (c *chain) end(m *msg.Msg, start string) (done bool) {
	// RFC 2308 §5: the SOA of the zone says for how long nothing is there. Without
	// one that is not known at all.
	var soa *msg.SOA
	for _, rr := range m.Ns {
		if s, ok := rr.(*msg.SOA); ok && within(c.at, s.Hdr.Name) {
			soa = s
			break
		}
	}
	switch {
	case m.Rcode == msg.RcodeNameError:
		c.err = neterr.UnknownName.With("%q: %s", plain(c.asked.name), c.via("name does not exist"))
	case c.at != start && soa == nil:
		return false // the server did not follow to the end
	default:
		c.err = neterr.NoRecord.With("%q: %s", plain(c.asked.name), c.via("no record of type "+typeName(c.asked.kind)))
	}
	c.records = nil
	if soa == nil {
		c.ttl = 0
		return true
	}
	c.ttl = min(c.ttl, ttl(soa.Hdr.Ttl), ttl(soa.Minttl), maxNegativeTTL)
	return true
}

// via adds where the trail was lost.
func (c *chain) via(words string) string {
	if c.at != c.asked.name {
		return words + " (by way of " + clip(plain(c.at)) + ")"
	}
	return words
}

// take keeps the records that were asked for. Those of other names are not
// looked at: a server may say what it likes about its own question only.
func (c *chain) take(m *msg.Msg) (found bool) {
	if m.Rcode != msg.RcodeSuccess {
		return false
	}
	for _, rr := range m.Answer {
		if h := rr.Header(); h.Class == msg.ClassINET && lower(h.Name) == c.at && h.Rdlength > 0 &&
			(h.Rrtype == c.asked.kind || c.asked.kind == msg.TypeANY) {
			c.keep(rr)
			found = true
		}
	}
	return found
}

// alias is the CNAME of c.at in m.
func (c *chain) alias(m *msg.Msg) (target string, rr msg.RR) {
	for _, rr := range m.Answer {
		if cname, ok := rr.(*msg.CNAME); ok && rr.Header().Class == msg.ClassINET && lower(rr.Header().Name) == c.at {
			return lower(cname.Target), rr
		}
	}
	return "", nil
}

func (c *chain) keep(rr msg.RR) {
	r := newRecord(rr)
	c.ttl = min(c.ttl, r.TTL)
	c.records = append(c.records, r)
}

// fail ends the chain with an answer that is none.
func (c *chain) fail(format string, args ...any) bool {
	c.answer = answer{err: neterr.NameFailure.With("%q: %s", plain(c.asked.name), fmt.Sprintf(format, args...))}
	return true
}
