package dns

// What a resolver is told: whom to ask, and how. cmd fills a Config from flags
// and files (files.go); SetConfig and SetServers change it while it runs, and
// WriteNdb what goes before it (ndb.go).

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"slashnet/stack/neterr"
)

// Config says whom to ask, and how. Its zero value knows no servers.
type Config struct {
	Servers  []netip.AddrPort // in the order of preference; port 0 is 53
	Search   []string         // domains that are tried behind a short name
	Ndots    int              // dots that make a name be tried as it is first; 0: the usual 1, below 0: none
	Attempts int              // how often each server is asked; 0: 3
	Timeout  time.Duration    // how long one of them may take; 0: 2 s
	Rotate   bool             // begin with another server each time
	IPv6     func() bool      // whether Lookup gives IPv6 addresses as well; nil: no
	Hosts    Hosts            // names that no server is asked about
	MinTTL   time.Duration    // what is learnt is kept that long at least
	MaxTTL   time.Duration    // and that long at most; 0: a day

	static Hosts // of the ndb; they go before Hosts
}

const (
	defaultPort     = 53
	defaultNdots    = 1 // resolv.conf(5)
	defaultAttempts = 3
	defaultTimeout  = 2 * time.Second
	// RFC 1035 has no maximum; a day lets a mistake of a server pass over night.
	defaultMaxTTL = 24 * time.Hour

	// MaxServers and maxSearch are more than resolv.conf(5) allows, and bound
	// what one look-up can cost.
	MaxServers = 8
	maxSearch  = 16
	// The bounds of resolv.conf(5) for its options.
	maxNdots    = 15
	maxAttempts = 5
	maxTimeout  = 30 * time.Second
)

// ipv6 reports whether addresses of that family are of use now.
func (c *Config) ipv6() bool { return c.IPv6 != nil && c.IPv6() }

// settled is the config with its defaults, a copy of its own; or what is wrong
// with it.
func (c Config) settled() (*Config, error) {
	if len(c.Servers) > MaxServers {
		return nil, neterr.BadArg.With("%d name servers: at most %d", len(c.Servers), MaxServers)
	}
	if len(c.Search) > maxSearch {
		return nil, neterr.BadArg.With("%d search domains: at most %d", len(c.Search), maxSearch)
	}
	c.Servers, c.Search = slices.Clone(c.Servers), slices.Clone(c.Search)
	for i, s := range c.Servers {
		if a := s.Addr(); !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			return nil, neterr.BadAddress.With("%v as a name server: the address of a host is wanted", a)
		}
		c.Servers[i] = netip.AddrPortFrom(s.Addr().Unmap(), s.Port())
		if s.Port() == 0 {
			c.Servers[i] = netip.AddrPortFrom(s.Addr().Unmap(), defaultPort)
		}
	}
	for i, domain := range c.Search {
		name, err := parseName(domain)
		if err != nil {
			return nil, fmt.Errorf("in the search list: %w", err)
		}
		c.Search[i] = name
	}
	if c.Ndots > maxNdots {
		return nil, neterr.BadArg.With("ndots %d: at most %d", c.Ndots, maxNdots)
	}
	if c.Attempts < 0 || c.Attempts > maxAttempts {
		return nil, neterr.BadArg.With("%d attempts: 1-%d is wanted", c.Attempts, maxAttempts)
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		return nil, neterr.BadArg.With("a timeout of %v: at most %v is wanted", c.Timeout, maxTimeout)
	}
	c.Ndots = cmp.Or(c.Ndots, defaultNdots)
	c.Attempts = cmp.Or(c.Attempts, defaultAttempts)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.MaxTTL = cmp.Or(c.MaxTTL, defaultMaxTTL)
	if c.MinTTL < 0 || c.MinTTL > c.MaxTTL {
		return nil, neterr.BadArg.With("a least TTL of %v: 0 to the greatest, %v, is wanted", c.MinTTL, c.MaxTTL)
	}
	return &c, nil
}
