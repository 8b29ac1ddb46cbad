// The language of the iproute file: Text is what a read gives, Parse what a write
// means. It is Plan 9's (ip(3)) with prefix lengths in the address's family, and
// with metrics.

package route

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"slashnet/stack/neterr"
)

const (
	maxTag    = 4       // Plan 9's column is this wide
	maxMetric = 1 << 30 // far above any use, far below overflow
)

// A Verb is what a line of iproute asks for.
type Verb uint8

// The verbs.
const (
	Add Verb = iota
	Remove
	Flush
	Tag
)

// A Command is a line of iproute. Route's Prefix, Via and Metric are those of
// Add; Remove has no metric, and no Via if the line names none.
type Command struct {
	Verb  Verb
	Route Route
	Tag   string // of Tag and Flush; empty: flush all
}

// usage is what the verbs want, for errors.
var usage = map[string]string{
	"add":    "add TARGET MASK NEXTHOP [METRIC] or add PREFIX/LEN NEXTHOP [METRIC]",
	"remove": "remove TARGET MASK [NEXTHOP] or remove PREFIX/LEN [NEXTHOP]",
	"flush":  "flush [TAG]",
	"tag":    "tag WORD",
}

// Parse reads one line.
func Parse(line string) (Command, error) {
	args := strings.Fields(line)
	if len(args) == 0 {
		return Command{}, neterr.ShortControl.With("want add, remove, flush or tag")
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "add":
		return parseAdd(args)
	case "remove", "del":
		return parseRemove(args)
	case "flush", "tag":
		c := Command{Verb: Flush}
		if verb == "tag" {
			c.Verb = Tag
		}
		if len(args) > 1 || c.Verb == Tag && len(args) == 0 {
			return Command{}, count(verb, args)
		}
		var err error
		if len(args) == 1 {
			c.Tag, err = parseTag(args[0])
		}
		return c, err
	}
	return Command{}, neterr.UnknownControl.With("%.40q: want add, remove, flush or tag", verb)
}

func parseAdd(args []string) (Command, error) {
	prefix, rest, err := parsePrefix("add", args)
	if err != nil {
		return Command{}, err
	}
	if len(rest) < 1 || len(rest) > 2 {
		return Command{}, count("add", args)
	}
	c := Command{Verb: Add, Route: Route{Prefix: prefix}}
	if c.Route.Via, err = parseHop(rest[0], prefix); err != nil {
		return Command{}, err
	}
	if len(rest) == 2 {
		n, err := strconv.ParseUint(rest[1], 10, 32)
		if err != nil || n > maxMetric {
			return Command{}, neterr.BadArg.With("%.40q is no metric: want 0 to %d", rest[1], maxMetric)
		}
		c.Route.Metric = int(n)
	}
	return c, nil
}

func parseRemove(args []string) (Command, error) {
	prefix, rest, err := parsePrefix("remove", args)
	if err != nil {
		return Command{}, err
	}
	if len(rest) > 1 {
		return Command{}, count("remove", args)
	}
	c := Command{Verb: Remove, Route: Route{Prefix: prefix}}
	if len(rest) == 1 {
		c.Route.Via, err = parseHop(rest[0], prefix)
	}
	return c, err
}

// parsePrefix reads PREFIX/LEN or TARGET MASK from the front of args.
func parsePrefix(verb string, args []string) (p netip.Prefix, rest []string, err error) {
	if len(args) == 0 {
		return p, nil, count(verb, args)
	}
	target, mask, joined := strings.Cut(args[0], "/")
	rest = args[1:]
	if joined {
		mask = "/" + mask
	} else if len(rest) > 0 {
		mask, rest = rest[0], rest[1:]
	} else {
		return p, nil, count(verb, args)
	}
	addr, err := parseAddr(target)
	if err != nil {
		return p, nil, err
	}
	bits, err := parseMask(mask, addr)
	if err != nil {
		return p, nil, err
	}
	return netip.PrefixFrom(addr, bits).Masked(), rest, nil
}

// parseAddr reads an address. Plan 9 writes a default route as `add 0 0 hop`.
func parseAddr(word string) (netip.Addr, error) {
	if word == "0" {
		return netip.IPv4Unspecified(), nil
	}
	a, err := netip.ParseAddr(word)
	if err != nil || a.Zone() != "" {
		return a, neterr.BadAddress.With("%.60q: want an address such as 10.0.0.0 or 2001:db8::", word)
	}
	return a.Unmap(), nil
}

func parseHop(word string, prefix netip.Prefix) (netip.Addr, error) {
	word, zone, _ := strings.Cut(word, "%")
	hop, err := parseAddr(word)
	if zone != "" && err == nil && hop.Is6() && hop.IsLinkLocalUnicast() && prefix.Addr().Is6() {
		return hop.WithZone(zone), nil // the number of its interface
	}
	switch {
	case zone != "" && !(hop.IsLinkLocalUnicast() && hop.Is6()):
		err = neterr.BadAddress.With("%.60q: only a link-local address has an interface behind a %%", word)
	case err != nil:
	case hop.Is4() != prefix.Addr().Is4():
		err = neterr.BadAddress.With("next hop %v is not of the family of %v", hop, prefix)
	case hop.IsUnspecified() || hop.IsMulticast() || hop == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		err = neterr.BadAddress.With("next hop %v is not the address of one host", hop)
	}
	return hop, err
}

// mapped is the length of the prefix in which Plan 9 keeps IPv4 addresses.
const mapped = 96

// parseMask reads the mask of an address: 255.255.255.0, /24, or /120, the same
// in Plan 9's count, which begins with the 96 bits before an IPv4 address.
func parseMask(word string, addr netip.Addr) (bits int, err error) {
	number, isLen := strings.CutPrefix(word, "/")
	if !isLen {
		return maskLen(word, addr)
	}
	n, err := strconv.ParseUint(number, 10, 8)
	bits = int(n)
	if addr.Is4() && bits >= mapped {
		bits -= mapped
	}
	if err != nil || bits > addr.BitLen() {
		return 0, neterr.BadAddress.With("mask %.60q of %v: want /0 to /%d", word, addr, addr.BitLen())
	}
	return bits, nil
}

// maskLen counts the ones of a mask in the form of an address.
func maskLen(word string, addr netip.Addr) (bits int, err error) {
	if word == "0" {
		return 0, nil
	}
	a, err := netip.ParseAddr(word)
	bits, width := net.IPMask(a.AsSlice()).Size()
	if err != nil || width != addr.BitLen() {
		return 0, neterr.BadAddress.With("mask %.60q of %v: want ones, then zeros, such as 255.255.255.0 or /24", word, addr)
	}
	return bits, nil
}

func parseTag(word string) (string, error) {
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) }
	if len(word) > maxTag || strings.ContainsFunc(word, odd) {
		return "", neterr.BadArg.With("tag %.40q: want %d printable bytes at most", word, maxTag)
	}
	return word, nil
}

func count(verb string, args []string) error {
	return neterr.BadControl.With("%d words after %s: want %s", len(args), verb, usage[verb])
}

// Text is the table as iproute shows it: target, mask, next hop, flags, tag and
// interface in the columns of Plan 9's 4th edition, then the metric.
func (t *Table) Text() string {
	var b strings.Builder
	for _, r := range t.All() {
		hop := r.Via
		if !hop.IsValid() {
			hop = r.Prefix.Addr()
		}
		iface := "-"
		if r.Iface >= 0 {
			iface = strconv.Itoa(r.Iface)
		}
		fmt.Fprintf(&b, "%-15v /%-3d %-15v %4s %4.4s %3s %d\n",
			r.Prefix.Addr(), r.Prefix.Bits(), hop, r.flags(), r.Tag, iface, r.Metric)
	}
	return b.String()
}

func (r Route) flags() string {
	family := "6"
	if r.Prefix.Addr().Is4() {
		family = "4"
	}
	return family + [...]string{"", "i", "u", "b", "m"}[r.Kind]
}
