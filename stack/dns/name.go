package dns

// Names: which are well formed, and which full names a short one stands for.
// resolver.go and the files call it.

import (
	"net/netip"
	"strings"

	msg "github.com/miekg/dns"

	"slashnet/stack/neterr"
)

const (
	// RFC 1035 §2.3.4, in characters and without the last dot.
	maxName  = 253
	maxLabel = 63
)

// parseName gives a name as it is asked for and filed: in lower case, with its
// last dot. Anything that can be printed may be in it, as servers do not mind
// either (RFC 2181 §11), but for the backslash, which escapes.
func parseName(text string) (string, error) {
	name := strings.TrimSuffix(text, ".")
	if text == "." {
		return ".", nil
	}
	if len(name) > maxName {
		return "", neterr.BadName.With("%q has %d characters: at most %d", clip(text), len(name), maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "", neterr.BadName.With("%q has an empty label", clip(text))
		case len(label) > maxLabel:
			return "", neterr.BadName.With("%q has a label of %d characters: at most %d", clip(text), len(label), maxLabel)
		}
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return "", neterr.BadName.With("%q: letters, digits, hyphens and dots are wanted; other scripts as xn--...", clip(text))
		}
	}
	return lower(name) + ".", nil
}

// parseHost is parseName for the name of a host, which has letters, digits and
// hyphens (RFC 1123 §2.1), and underscores where people put them.
func parseHost(text string) (string, error) {
	name, err := parseName(text)
	if err != nil {
		return "", err
	}
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') || name == "." {
			return "", neterr.BadName.With("%q: letters, digits, hyphens and dots are wanted", clip(text))
		}
	}
	// RFC 1123 §2.1: what ends in a number is an address, here a misspelt one.
	if last := name[strings.LastIndexByte(name[:len(name)-1], '.')+1 : len(name)-1]; strings.Trim(last, "0123456789") == "" {
		return "", neterr.BadAddress.With("%q: four numbers of 0-255 are wanted, as in 10.0.0.1", clip(text))
	}
	return name, nil
}

// lower changes ASCII only: other bytes of a name are no letters (RFC 4343 §3).
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, name)
}

// plain is a name as people read it, without its last dot.
func plain(name string) string {
	if name == "." {
		return name
	}
	return strings.TrimSuffix(lower(name), ".")
}

// candidates are the full names that a name stands for, in the order they are
// tried (resolv.conf(5)): one that ends in a dot stands for itself alone.
func (c *Config) candidates(text, name string) []string {
	if strings.HasSuffix(text, ".") {
		return []string{name}
	}
	var all []string
	asItIs := strings.Count(name, ".")-1 >= c.Ndots
	if asItIs {
		all = append(all, name)
	}
	for _, domain := range c.Search {
		if full := name + domain; domain != "." && len(full) <= maxName+1 {
			all = append(all, full)
		}
	}
	if !asItIs {
		all = append(all, name)
	}
	return all
}

// special answers for the names that never leave the house: RFC 6761 §6.3 and
// §6.4.
func special(name string, ipv6 bool) (addrs []netip.Addr, err error, yes bool) {
	switch {
	case name == "localhost." || strings.HasSuffix(name, ".localhost."):
		if ipv6 {
			addrs = append(addrs, netip.IPv6Loopback())
		}
		return append(addrs, netip.AddrFrom4([4]byte{127, 0, 0, 1})), nil, true
	case name == "invalid." || strings.HasSuffix(name, ".invalid."):
		return nil, neterr.UnknownName.With("%q: invalid names no host, by RFC 6761", plain(name)), true
	}
	return nil, nil, false
}

// within reports whether name is domain, or lies below it.
func within(name, domain string) bool { return msg.IsSubDomain(domain, name) }

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
