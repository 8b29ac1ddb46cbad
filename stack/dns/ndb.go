package dns

// Plan 9's ndb(6): entries of attributes and values. The file ndb of a view is
// such a text; what is written there says whom the resolver asks, and which names
// it knows by itself. cs.go looks into it for queries of attributes.

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"slashnet/stack/neterr"
)

// maxNdb is how long the text may be: as long as on 9front.
const maxNdb = 32 << 10

// An Entry is what is known about one thing: a host, a network, or everybody.
type Entry []Pair

// A Pair is an attribute with its value.
type Pair struct{ Attr, Value string }

// ParseNdb reads ndb(6): pairs ATTR=VALUE, a value with blanks in double quotes. An
// entry goes on in the lines that begin with a blank; # begins a comment.
func ParseNdb(text string) ([]Entry, error) {
	if len(text) > maxNdb {
		return nil, neterr.MessageSize.With("%d bytes: ndb has %d at most", len(text), maxNdb)
	}
	var all []Entry
	for line := range strings.Lines(text) {
		goesOn := line[0] == ' ' || line[0] == '\t'
		pairs, err := parsePairs(line)
		switch {
		case err != nil:
			return nil, err
		case len(pairs) == 0:
		case goesOn && len(all) > 0:
			all[len(all)-1] = append(all[len(all)-1], pairs...)
		default:
			all = append(all, pairs)
		}
	}
	return all, nil
}

// parsePairs reads a line.
func parsePairs(line string) (e Entry, err error) {
	for {
		line = strings.TrimLeft(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			return e, nil
		}
		attr, rest, ok := strings.Cut(line, "=")
		if !ok || attr == "" || strings.ContainsAny(attr, " \t\r\n\"#") {
			word, _, _ := strings.Cut(line, " ")
			return nil, neterr.BadArg.With("%q: pairs ATTRIBUTE=VALUE are wanted, as in dns=10.0.0.1 or ip=10.0.0.5 dom=db.example", clip(strings.TrimSpace(word)))
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			if value, rest, ok = strings.Cut(rest[1:], `"`); !ok {
				return nil, neterr.BadArg.With("%s=%q: the quote is not closed", clip(attr), clip(rest))
			}
		} else {
			end := strings.IndexAny(rest+"\n", " \t\r\n")
			value, rest = rest[:end], rest[end:]
		}
		if attr+value != oneLine(attr+value) {
			return nil, neterr.BadArg.With("%q: printable characters of ASCII are wanted", clip(attr+"="+value))
		}
		e, line = append(e, Pair{attr, value}), rest
	}
}

// String is the entry in a line, without a newline.
func (e Entry) String() string {
	words := make([]string, len(e))
	for i, p := range e {
		words[i] = p.String()
	}
	return strings.Join(words, " ")
}

// String quotes what needs it. A quote cannot be quoted in ndb(6).
func (p Pair) String() string {
	if strings.ContainsAny(p.Value, " \t#") || p.Value == "" || p.Value[0] == '"' {
		return p.Attr + `="` + strings.ReplaceAll(p.Value, `"`, `'`) + `"`
	}
	return p.Attr + "=" + p.Value
}

// all are the values of an attribute.
func (e Entry) all(attr string) (values []string) {
	for _, p := range e {
		if p.Attr == attr {
			values = append(values, p.Value)
		}
	}
	return values
}

// ofInterface reports whether an entry says no more than what ipifc and iproute do:
// it is read in ndb, and set there.
func (e Entry) ofInterface() bool {
	return len(e.all("ipmask")) > 0 && !slices.ContainsFunc(e, func(p Pair) bool { return p.Attr != "ip" && p.Attr != "ipmask" && p.Attr != "ipgw" })
}

// ParseServer reads who is to be asked: ADDR, ADDR!PORT or ADDR:PORT.
func ParseServer(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a.Unmap(), defaultPort), nil
	}
	host, port, ok := strings.Cut(text, "!")
	if a, err := netip.ParseAddr(host); ok && err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err == nil && n > 0 {
			return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
		}
	} else if s, err := netip.ParseAddrPort(text); err == nil && s.Port() > 0 {
		return s, nil
	}
	return netip.AddrPort{}, neterr.BadAddress.With("%q as a name server: an address is wanted, and perhaps a port, as in 10.0.0.1 or 10.0.0.1!5353", clip(text))
}

// serverText is the inverse of ParseServer.
func serverText(s netip.AddrPort) string {
	if s.Port() == defaultPort || s.Port() == 0 {
		return s.Addr().String()
	}
	return fmt.Sprintf("%v!%d", s.Addr(), s.Port())
}

// with is c as the entries change it: their servers and domains, if there are any,
// stand in place of its own.
func (c Config) with(entries []Entry) (Config, error) {
	var servers []netip.AddrPort
	var search []string
	for _, e := range entries {
		for _, value := range e.all("dns") {
			server, err := ParseServer(value)
			if err != nil {
				return c, fmt.Errorf("dns=%s: %w", clip(value), err)
			}
			if !slices.Contains(servers, server) {
				servers = append(servers, server)
			}
		}
		search = append(search, e.all("dnsdomain")...)
		if err := c.names(e); err != nil {
			return c, err
		}
	}
	if servers != nil {
		c.Servers = servers
	}
	if search != nil {
		c.Search = search
	}
	return c, nil
}

// names files the names of a host: its sys= and dom= lead to each ip=.
func (c *Config) names(e Entry) error {
	for _, value := range e.all("ip") {
		a, err := netip.ParseAddr(value)
		if err != nil || a.Zone() != "" {
			return neterr.BadAddress.With("ip=%s: an address is wanted, as in ip=10.0.0.5", clip(value))
		}
		for _, name := range append(e.all("dom"), e.all("sys")...) {
			if err := c.static.add(a.Unmap(), name); err != nil {
				return err
			}
		}
	}
	return nil
}

// WriteNdb changes what goes before the Config: the whole text, or, with more, what
// stands behind the text that there is. A bad one changes nothing.
func (r *Resolver) WriteNdb(text string, more bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if more {
		text = ndbText(r.ndb) + text
	}
	entries, err := ParseNdb(text)
	if err != nil {
		return err
	}
	return r.set(r.base, slices.DeleteFunc(entries, Entry.ofInterface))
}

// Ndb is the text that would make a resolver answer as this one does, but for the
// hosts file.
func (r *Resolver) Ndb() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	has := func(attr string) bool {
		return slices.ContainsFunc(r.ndb, func(e Entry) bool { return len(e.all(attr)) > 0 })
	}
	var all []Entry
	if !has("dns") {
		for _, server := range r.cfg.Servers {
			all = append(all, Entry{{"dns", serverText(server)}})
		}
	}
	if !has("dnsdomain") {
		for _, domain := range r.cfg.Search {
			all = append(all, Entry{{"dnsdomain", plain(domain)}})
		}
	}
	return ndbText(append(all, r.ndb...))
}

// Written is what of it was written to the file ndb.
func (r *Resolver) Written() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ndbText(r.ndb)
}

func ndbText(entries []Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}
