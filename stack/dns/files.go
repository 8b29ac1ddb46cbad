package dns

// The files that a Config is made from: resolv.conf(5) and hosts(5). cmd reads them
// and calls the parsers. ndb.go has Plan 9's.

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseResolvConf reads resolv.conf(5). Like the C library it passes over what
// it does not understand: a resolver with half its servers is better than none.
func ParseResolvConf(text string) Config {
	var c Config
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			a, err := netip.ParseAddr(words[1])
			if err == nil && !a.IsUnspecified() && !a.IsMulticast() && len(c.Servers) < MaxServers {
				c.Servers = append(c.Servers, netip.AddrPortFrom(a.Unmap(), defaultPort))
			}
		case "domain", "search": // the last one counts
			c.Search = nil
			for _, domain := range words[1:] {
				if name, err := parseName(domain); err == nil && name != "." && len(c.Search) < maxSearch {
					c.Search = append(c.Search, name)
				}
			}
		case "options":
			for _, option := range words[1:] {
				c.option(option)
			}
		}
	}
	return c
}

// option is a word of an options line; numbers beyond the bounds are cut to them,
// as resolv.conf(5) has it.
func (c *Config) option(option string) {
	name, value, _ := strings.Cut(option, ":")
	n, err := strconv.Atoi(value)
	number := err == nil && n >= 0
	switch {
	case name == "rotate":
		c.Rotate = true
	case name == "ndots" && number:
		c.Ndots = min(n, maxNdots)
		if n == 0 {
			c.Ndots = -1
		}
	case name == "attempts" && number:
		c.Attempts = max(1, min(n, maxAttempts))
	case name == "timeout" && number:
		c.Timeout = max(time.Second, min(time.Duration(min(n, 1000))*time.Second, maxTimeout))
	}
}

// Hosts are the names of a hosts(5) file, in both directions.
type Hosts struct {
	addrs map[string][]netip.Addr
	names map[netip.Addr][]string
}

// maxHosts is how many names a hosts file may bring: it is small, or a list of
// advertisers, or a mistake.
const maxHosts = 1 << 18

// ParseHosts reads hosts(5). What is no address or no name is passed over, and so
// are loopback addresses: they mean the host whose file it is, not us, and
// localhost needs no file.
func ParseHosts(text string) Hosts {
	var h Hosts
	n := 0
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		a, err := netip.ParseAddr(words[0])
		if err != nil || a.Zone() != "" || a.Unmap().IsLoopback() {
			continue
		}
		for _, word := range words[1:] {
			if h.add(a.Unmap(), word) != nil {
				continue
			}
			if n++; n >= maxHosts {
				return h
			}
		}
	}
	return h
}

// add files a name.
func (h *Hosts) add(a netip.Addr, word string) error {
	name, err := parseName(word)
	if err != nil || slices.Contains(h.addrs[name], a) {
		return err
	}
	if h.addrs == nil {
		h.addrs, h.names = map[string][]netip.Addr{}, map[netip.Addr][]string{}
	}
	h.addrs[name] = append(h.addrs[name], a)
	h.names[a] = append(h.names[a], strings.TrimSuffix(word, "."))
	return nil
}

// Addrs are the addresses of a name.
func (h Hosts) Addrs(name string) []netip.Addr {
	name, err := parseName(name)
	if err != nil {
		return nil
	}
	return slices.Clone(h.addrs[name])
}

// Names are the names of an address, as they were written.
func (h Hosts) Names(a netip.Addr) []string { return slices.Clone(h.names[a.Unmap()]) }
