package dns

// Records as the rest of the house sees them: text, and the address where there
// is one. chain.go makes them of what came on the wire.

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	msg "github.com/miekg/dns"

	"slashnet/stack/neterr"
)

// A Record is one thing that is filed under a name.
type Record struct {
	Name  string        // without its last dot, in lower case
	Type  string        // as ndb(8) calls it: ip ipv6 mx ns ptr cname soa txt ...
	Value string        // one line
	Addr  netip.Addr    // of ip and ipv6
	TTL   time.Duration // how long it is good for, from now
}

// aliases are the types that Plan 9 calls otherwise than the RFCs.
var aliases = map[string]uint16{"ip": msg.TypeA, "ipv6": msg.TypeAAAA, "all": msg.TypeANY}

// parseType reads the name of a type.
func parseType(name string) (uint16, error) {
	if kind, ok := aliases[strings.ToLower(name)]; ok {
		return kind, nil
	}
	kind, ok := msg.StringToType[strings.ToUpper(name)]
	switch kind {
	case msg.TypeNone, msg.TypeOPT, msg.TypeAXFR, msg.TypeIXFR, msg.TypeTSIG, msg.TypeTKEY, msg.TypeReserved:
		ok = false // no records, but parts of the protocol
	}
	if !ok {
		return 0, neterr.BadQuery.With("unknown type %q: ip ipv6 mx ns ptr cname soa txt srv ... all is wanted", clip(name))
	}
	return kind, nil
}

// typeName is the inverse of parseType.
func typeName(kind uint16) string {
	for name, k := range aliases {
		if k == kind {
			return name
		}
	}
	return strings.ToLower(msg.Type(kind).String())
}

// newRecord gives a record of its own: it shares no memory with the message.
func newRecord(rr msg.RR) Record {
	h := rr.Header()
	r := Record{Name: plain(h.Name), Type: typeName(h.Rrtype), TTL: ttl(h.Ttl)}
	switch rr := rr.(type) {
	case *msg.A:
		r.Addr, _ = netip.AddrFromSlice(rr.A)
		r.Addr = r.Addr.Unmap()
		r.Value = r.Addr.String()
	case *msg.AAAA:
		r.Addr, _ = netip.AddrFromSlice(rr.AAAA)
		r.Value = r.Addr.String()
	case *msg.CNAME:
		r.Value = plain(rr.Target)
	case *msg.NS:
		r.Value = plain(rr.Ns)
	case *msg.PTR:
		r.Value = plain(rr.Ptr)
	case *msg.MX:
		r.Value = fmt.Sprintf("%d %s", rr.Preference, plain(rr.Mx))
	case *msg.SRV:
		r.Value = fmt.Sprintf("%d %d %d %s", rr.Priority, rr.Weight, rr.Port, plain(rr.Target))
	case *msg.SOA:
		r.Value = fmt.Sprintf("%s %s %d %d %d %d %d", plain(rr.Ns), plain(rr.Mbox), rr.Serial, rr.Refresh, rr.Retry, rr.Expire, rr.Minttl)
	case *msg.TXT:
		r.Value = strings.Join(rr.Txt, "")
	default:
		r.Value = strings.TrimPrefix(rr.String(), h.String())
	}
	r.Value = oneLine(r.Value)
	return r
}

// oneLine keeps what a server sends from ending a line or moving a cursor.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c < ' ' || c == 0x7f:
			return ' '
		case c > 0x7f:
			return '?'
		}
		return c
	}, s)
}

// ttl is a time to live; a negative one is zero (RFC 2181 §8).
func ttl(seconds uint32) time.Duration {
	if seconds > 1<<31-1 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// recordCost is what a record costs beside its text.
const recordCost = 128

func (r *Record) size() int { return len(r.Name) + len(r.Value) + recordCost }
