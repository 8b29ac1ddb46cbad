package dns

// The file cs, Plan 9's connection server (ndb(8)): from a dial string to the
// file to open and what to write there. fs calls it, and hands out one answer
// per read.

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"slashnet/stack/neterr"
)

// CS answers the queries written to a file cs.
type CS struct {
	Lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
	Root    string        // where the tree is, for who asks: /net
	Ndb     func() string // the file ndb; nil: there is none
	Refresh func() error  // forgets what was learnt
}

// services reads /etc/services, by the runtime's own reader.
var services = net.Resolver{PreferGo: true}

// netNetworks are those that net stands for. The others are used by name only.
var netNetworks = []string{"tcp"}

// Query answers net!host!service, or only a part of that; what follows the
// service is passed on. The answers are lines without their newlines, one for
// each address, such as `/net/tcp/clone 10.0.0.1!80`. The host may be $attr, a
// value from the ndb; a query with a ! in front is one of the ndb itself
// (csndb.go). refresh has no answer.
func (c *CS) Query(ctx context.Context, text string) ([]string, error) {
	text = strings.TrimSuffix(text, "\n")
	if len(text) > maxQuery {
		return nil, neterr.LongQuery.With("%d characters: at most %d", len(text), maxQuery)
	}
	bad := func(words string) error { return neterr.BadQuery.With("%q: %s", clip(text), words) }
	switch {
	case text == "refresh" && c.Refresh != nil:
		return nil, c.Refresh()
	case strings.HasPrefix(text, "!"):
		return c.entries(ctx, text)
	}
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd }) {
		return nil, bad("NET!HOST!SERVICE is wanted, without blanks")
	}
	network, rest, both := strings.Cut(text, "!")
	if !both {
		network, rest = "net", text
	}
	host, service, _ := strings.Cut(rest, "!")
	service, rem, more := strings.Cut(service, "!")
	if more {
		rem = "!" + rem
	}
	switch {
	case host == "":
		return nil, bad("no host: NET!HOST!SERVICE is wanted, or * as the host")
	case strings.ContainsAny(network, "/."):
		return nil, bad("no network is called that: net, tcp, udp or icmp is wanted")
	}
	networks := []string{network}
	switch network {
	case "net":
		networks = netNetworks
	case "tcp", "udp", "icmp", "icmpv6":
	default: // not ours to translate
		return []string{c.answer(network, host, service, rem)}, nil
	}
	return c.translate(ctx, networks, host, service, rem)
}

// translate finds addresses and port. The service first: it is the most likely
// to be wrong, and costs the least.
func (c *CS) translate(ctx context.Context, networks []string, host, service, rem string) ([]string, error) {
	ports := make([]string, len(networks))
	for i, network := range networks {
		port, err := translateService(ctx, network, service)
		if err != nil {
			return nil, fmt.Errorf("can't translate service: %w", err)
		}
		ports[i] = port
	}
	var addrs []netip.Addr
	if host != "*" {
		var err error
		if addrs, err = c.addresses(ctx, host); err != nil {
			return nil, fmt.Errorf("can't translate address: %w", err)
		}
	} else if service == "" {
		return nil, neterr.BadQuery.With("*: the service to announce is wanted, as in tcp!*!80")
	}
	var answers []string
	for i, network := range networks {
		if host == "*" {
			answers = append(answers, c.answer(network, "", ports[i], rem))
		}
		for _, a := range addrs {
			if network == "icmp" && a.Is6() || network == "icmpv6" && a.Is4() {
				continue
			}
			answers = append(answers, c.answer(network, a.String(), ports[i], rem))
		}
	}
	if len(answers) == 0 {
		return nil, fmt.Errorf("can't translate address: %w", neterr.NoRecord.With("%q has no address that %s can use", clip(host), networks[0]))
	}
	return answers, nil
}

// addresses are those of a host, or of what stands for $attr in the ndb.
func (c *CS) addresses(ctx context.Context, host string) (all []netip.Addr, err error) {
	attr, ok := strings.CutPrefix(host, "$")
	if !ok {
		return c.Lookup(ctx, host)
	}
	d, err := c.database()
	if err != nil {
		return nil, err
	}
	values := d.about(d.ourselves(), attr)
	if len(values) == 0 {
		return nil, neterr.NoMatch.With("the ndb has no %s= for us", clip(attr))
	}
	for _, value := range values {
		addrs, err := c.resolve(ctx, value)
		if err != nil {
			return nil, err
		}
		all = append(all, addrs...)
	}
	return all, nil
}

// answer is a line: without a host, what to announce.
func (c *CS) answer(network, host, service, rem string) string {
	if host != "" && service != "" {
		host += "!"
	}
	return fmt.Sprintf("%s/%s/clone %s%s%s", c.Root, network, host, service, rem)
}

// translateService gives the port of a service in digits. There may be none.
func translateService(ctx context.Context, network, service string) (string, error) {
	if service == "" {
		return "", nil
	}
	if strings.HasPrefix(network, "icmp") {
		network = "ip" // has no services, and its number is not looked at
	}
	if strings.Trim(service, "0123456789") == "" || service[0] != '-' && service[0] != '+' {
		if port, err := services.LookupPort(ctx, network, service); err == nil {
			return fmt.Sprint(port), nil
		}
	}
	return "", neterr.BadPort.With("%q: a number of 0-65535 or the name of a service is wanted", clip(service))
}
