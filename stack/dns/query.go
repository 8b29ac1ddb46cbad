package dns

// The file dns of Plan 9's ndb(8): a query in a line, answers in lines. fs calls
// it, for the file and for dns.d, and hands out one answer per read.

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	msg "github.com/miekg/dns"

	"slashnet/stack/neterr"
)

// maxQuery is the longest query that cs and dns read. Plan 9 has 128 for cs, which
// not every name fits in.
const maxQuery = 512

// DNS answers the queries written to a file dns.
type DNS struct {
	Resolver *Resolver
}

// Query answers `name [type]`; the type is ip if none is given. An address may
// be asked for its ptr. Each answer is a line `name type\tvalue`, without its
// newline; with a ! before the query, the answers are entries of ndb(6).
func (d DNS) Query(ctx context.Context, text string) ([]string, error) {
	text = strings.TrimSuffix(text, "\n")
	if len(text) > maxQuery {
		return nil, neterr.LongQuery.With("%d characters: at most %d", len(text), maxQuery)
	}
	text, asNdb := strings.CutPrefix(text, "!")
	words := strings.Fields(text)
	if len(words) < 1 || len(words) > 2 {
		return nil, neterr.BadQuery.With("illegal request %q: NAME [TYPE] is wanted, as in www.example.org ip", clip(text))
	}
	name, kind := words[0], "ip"
	if len(words) == 2 {
		kind = words[1]
	}
	records, err := d.find(ctx, name, kind)
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(records))
	for i, rec := range records {
		lines[i] = fmt.Sprintf("%s %s\t%s", rec.Name, rec.Type, rec.Value)
		if asNdb {
			lines[i] = rec.entry().String()
		}
	}
	return lines, nil
}

// find is the resolver's Query, which also takes an address for its ptr.
func (d DNS) find(ctx context.Context, name, kind string) ([]Record, error) {
	a, err := netip.ParseAddr(name)
	if err != nil || !strings.EqualFold(kind, "ptr") {
		return d.Resolver.Query(ctx, name, kind)
	}
	name, _ = msg.ReverseAddr(a.Unmap().WithZone("").String())
	names := d.Resolver.config().namesOf(a)
	if len(names) == 0 {
		return d.Resolver.Query(ctx, name, kind)
	}
	records := make([]Record, len(names))
	for i := range names {
		records[i] = Record{Name: plain(name), Type: "ptr", Value: names[i]}
	}
	return records, nil
}

// entry is the record as ndb(6) has it.
func (r *Record) entry() Entry {
	e := Entry{{"dom", r.Name}}
	switch pref, host, _ := strings.Cut(r.Value, " "); {
	case r.Addr.IsValid():
		return append(e, Pair{"ip", r.Value}) // of both families
	case r.Type == "mx":
		return append(e, Pair{"mx", host}, Pair{"pref", pref})
	}
	return append(e, Pair{r.Type, r.Value})
}
