package dns

// What cs finds in the ndb: `$attr` in the place of a host, `!attr=value …`, and
// `!ipinfo`. The text is that of the file ndb, as anybody reads it; so what
// interfaces have is in it.

import (
	"cmp"
	"context"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"slashnet/stack/neterr"
)

// A database is the text of ndb, entry by entry.
type database []Entry

// maxAnswers is how many lines one query gets: whoever wants more can read ndb.
const maxAnswers = 256

func (c *CS) database() (database, error) {
	if c.Ndb == nil {
		return nil, nil
	}
	entries, err := ParseNdb(c.Ndb())
	return entries, err
}

// entries answers `!attr=value …` with each entry that has all the pairs.
func (c *CS) entries(ctx context.Context, text string) ([]string, error) {
	words := strings.Fields(text[1:])
	if len(words) > 0 && words[0] == "ipinfo" {
		return c.info(ctx, words[1:])
	}
	pairs, rest := cutPairs(words)
	if len(pairs) == 0 || len(rest) > 0 {
		return nil, neterr.BadQuery.With("%q: !ATTR=VALUE ... is wanted, or !ipinfo", clip(text))
	}
	d, err := c.database()
	if err != nil {
		return nil, err
	}
	found := d.find(pairs)
	if len(found) == 0 {
		return nil, neterr.NoMatch.With("no entry of the ndb has %s", clip(pairs.String()))
	}
	lines := make([]string, min(len(found), maxAnswers))
	for i := range lines {
		lines[i] = found[i].String()
	}
	return lines, nil
}

// info answers `!ipinfo [attr=value …] attr …` with a line of what holds for one
// host, ourselves if no pair tells which. The value of @attr is a name, whose
// addresses are given.
func (c *CS) info(ctx context.Context, words []string) ([]string, error) {
	pairs, wanted := cutPairs(words)
	if len(wanted) == 0 {
		return nil, neterr.BadQuery.With("!ipinfo [ATTR=VALUE ...] ATTR ... is wanted, as in !ipinfo sys=db dns")
	}
	d, err := c.database()
	if err != nil {
		return nil, err
	}
	host := d.ourselves()
	if len(pairs) > 0 {
		host = d.find(pairs)
	}
	var line Entry
	for _, attr := range wanted {
		attr, isName := strings.CutPrefix(attr, "@")
		for _, value := range d.about(host, attr) {
			if !isName {
				line = append(line, Pair{attr, value})
				continue
			}
			addrs, err := c.resolve(ctx, value)
			if err != nil {
				return nil, err
			}
			for _, a := range addrs {
				line = append(line, Pair{attr, a.String()})
			}
		}
	}
	if len(line) == 0 {
		return nil, neterr.NoMatch.With("the ndb has none of %s there", clip(strings.Join(wanted, " ")))
	}
	return []string{line.String()}, nil
}

// cutPairs takes the pairs off the front.
func cutPairs(words []string) (pairs Entry, rest []string) {
	for i, word := range words {
		attr, value, ok := strings.Cut(word, "=")
		if !ok || attr == "" {
			return pairs, words[i:]
		}
		pairs = append(pairs, Pair{attr, value})
	}
	return pairs, nil
}

// resolve gives the addresses of a value: a name, an address, or that of a server
// with its port.
func (c *CS) resolve(ctx context.Context, value string) ([]netip.Addr, error) {
	if s, err := ParseServer(value); err == nil {
		return []netip.Addr{s.Addr()}, nil
	}
	return c.Lookup(ctx, value)
}

// find gives the entries with all of the pairs.
func (d database) find(pairs Entry) (all []Entry) {
	for _, e := range d {
		if !slices.ContainsFunc(pairs, func(p Pair) bool { return !slices.Contains(e, p) }) {
			all = append(all, e)
		}
	}
	return all
}

// ourselves are the entries with an address of ours.
func (d database) ourselves() (all []Entry) {
	for _, e := range d {
		if e.ofInterface() {
			for _, ip := range e.all("ip") {
				all = append(all, d.find(Entry{{"ip", ip}})...)
			}
		}
	}
	return all
}

// about finds the values of an attribute as Plan 9 does: what is said of the host
// itself, else of the smallest of the networks that it is in, else of nobody in
// particular.
func (d database) about(host []Entry, attr string) (values []string) {
	for _, e := range host {
		values = append(values, e.all(attr)...)
	}
	if values != nil {
		return distinct(values)
	}
	type network struct {
		Entry
		size int
	}
	var networks []network
	for _, e := range d {
		size := -1 // of nobody
		switch {
		case len(e.all("ipnet")) > 0:
			p, ok := e.prefix()
			if !ok || !slices.ContainsFunc(host, func(h Entry) bool { return h.in(p) }) {
				continue
			}
			size = p.Bits()
		case len(e.all("ip"))+len(e.all("sys"))+len(e.all("dom")) > 0:
			continue
		}
		networks = append(networks, network{e, size})
	}
	slices.SortStableFunc(networks, func(a, b network) int { return cmp.Compare(b.size, a.size) })
	best := 0
	for _, n := range networks {
		if more := n.all(attr); more != nil && (values == nil || n.size == best) {
			values, best = append(values, more...), n.size
		}
	}
	return distinct(values)
}

func distinct(values []string) (all []string) {
	for _, v := range values {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// in reports whether a host is in a network.
func (e Entry) in(p netip.Prefix) bool {
	return slices.ContainsFunc(e.all("ip"), func(ip string) bool {
		a, err := netip.ParseAddr(ip)
		return err == nil && p.Contains(a.Unmap())
	})
}

// prefix is what ip= and ipmask= of a network make. A mask is /24, 255.255.255.0, or
// /120 as Plan 9 prints it.
func (e Entry) prefix() (p netip.Prefix, ok bool) {
	ips, masks := e.all("ip"), e.all("ipmask")
	if len(ips) != 1 || len(masks) != 1 {
		return p, false
	}
	a, err := netip.ParseAddr(ips[0])
	if err != nil {
		return p, false
	}
	a = a.Unmap()
	size, err := strconv.Atoi(strings.TrimPrefix(masks[0], "/"))
	if err != nil {
		mask, err := netip.ParseAddr(masks[0])
		if err != nil {
			return p, false
		}
		size = ones(mask)
	}
	if a.Is4() && size > 32 {
		size -= 96
	}
	p, err = a.Prefix(size)
	return p, err == nil
}

// ones is how long a mask is.
func ones(mask netip.Addr) (n int) {
	for _, b := range mask.AsSlice() {
		n += bits.LeadingZeros8(^b)
		if b != 0xff {
			break
		}
	}
	return n
}
