package dns

// The resolver: Lookup and Query, from a name as people write it to what is
// filed under it. fs and the stack call it, by way of cmd.

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	msg "github.com/miekg/dns"

	"slashnet/stack/neterr"
)

// A Dial makes the conversations that servers are asked over, of UDP and TCP.
// Each is to have a port that nobody can guess. (*stack.Stack).DialContext is one.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// A Resolver looks names up for one view.
type Resolver struct {
	dial  Dial
	ctx   context.Context // ends with the resolver
	close context.CancelFunc
	ended sync.WaitGroup // the flights
	stats Stats

	mu      sync.Mutex // held for no wait
	base    Config     // as it was given
	ndb     []Entry    // what goes before it
	cfg     *Config    // what comes of both; never changed, but replaced
	cache   cache
	flights map[question]*flight
	flying  int                          // those that nobody waits for, too
	silent  map[netip.AddrPort]time.Time // until when a server comes last
	turn    int
}

// New makes a resolver. It is to be closed.
func New(dial Dial, cfg Config) (*Resolver, error) {
	r := &Resolver{dial: dial}
	r.ctx, r.close = context.WithCancel(context.Background())
	return r, r.SetConfig(cfg)
}

// Close ends all look-ups.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.close() // under the lock, so that no flight begins behind Wait
	r.mu.Unlock()
	r.ended.Wait()
}

// Config is what the resolver goes by, defaults filled in.
func (r *Resolver) Config() Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := *r.cfg
	c.Servers, c.Search = slices.Clone(c.Servers), slices.Clone(c.Search)
	return c
}

// SetConfig changes all of it, or nothing. What other servers said is forgotten,
// and who waits for them gets their answer still.
func (r *Resolver) SetConfig(cfg Config) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set(cfg, r.ndb)
}

// SetServers changes whom to ask, unless the ndb says.
func (r *Resolver) SetServers(servers []netip.AddrPort) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	cfg := r.base
	cfg.Servers = servers
	return r.set(cfg, r.ndb)
}

func (r *Resolver) set(base Config, ndb []Entry) error {
	cfg, err := base.with(ndb)
	if err != nil {
		return err
	}
	c, err := cfg.settled()
	if err != nil {
		return err
	}
	r.base, r.ndb = base, ndb
	r.cfg, r.flights, r.silent, r.turn = c, map[question]*flight{}, map[netip.AddrPort]time.Time{}, 0
	r.cache.clear()
	return nil
}

// Flush forgets what was learnt.
func (r *Resolver) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache.clear()
}

// Lookup gives the addresses of a host, the best first. An address is its own.
func (r *Resolver) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return nil, neterr.BadAddress.With("%q: an address without a zone is wanted", clip(host))
		}
		return []netip.Addr{a.Unmap()}, nil
	}
	name, err := parseHost(host)
	if err != nil {
		return nil, err
	}
	cfg := r.config()
	if addrs := cfg.known(name, cfg.ipv6()); len(addrs) > 0 {
		return addrs, nil
	}
	if addrs, err, yes := special(name, cfg.ipv6()); yes {
		return addrs, err
	}
	var addrs []netip.Addr
	err = cfg.search(host, name, func(full string) (err error) {
		if addrs = cfg.known(full, cfg.ipv6()); len(addrs) > 0 {
			return nil
		}
		addrs, err = r.addresses(ctx, full, cfg.ipv6())
		return err
	})
	return addrs, err
}

// Query gives what is filed under a name: of one type, or of all. CNAMEs on the
// way come first.
func (r *Resolver) Query(ctx context.Context, name, kind string) ([]Record, error) {
	k, err := parseType(kind)
	if err != nil {
		return nil, err
	}
	full, err := parseName(name)
	if err != nil {
		return nil, err
	}
	var records []Record
	cfg := r.config()
	err = cfg.search(name, full, func(full string) error {
		var err error
		if records, err = cfg.own(full, k); records != nil || err != nil {
			return err
		}
		f, err := r.find(ctx, question{full, k})
		if err == nil {
			records = f.records()
		}
		return err
	})
	return records, err
}

// LookupAddr gives the names of an address.
func (r *Resolver) LookupAddr(ctx context.Context, a netip.Addr) ([]string, error) {
	if names := r.config().namesOf(a); len(names) > 0 {
		return names, nil
	}
	reverse, err := msg.ReverseAddr(a.Unmap().WithZone("").String())
	if err != nil {
		return nil, neterr.BadAddress.With("%v: an address is wanted", a)
	}
	f, err := r.find(ctx, question{reverse, msg.TypePTR})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, rec := range f.records() {
		if rec.Type == "ptr" {
			names = append(names, rec.Value)
		}
	}
	return names, nil
}

func (r *Resolver) config() *Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cfg
}

// known are the addresses in the ndb or the hosts file.
func (c *Config) known(name string, ipv6 bool) []netip.Addr {
	for _, hosts := range []Hosts{c.static, c.Hosts} {
		if addrs := slices.DeleteFunc(slices.Clone(hosts.addrs[name]), func(a netip.Addr) bool { return a.Is6() && !ipv6 }); len(addrs) > 0 {
			return addrs
		}
	}
	return nil
}

// namesOf are the names that an address has in the ndb or the hosts file.
func (c *Config) namesOf(a netip.Addr) []string {
	if names := c.static.Names(a); len(names) > 0 {
		return names
	}
	return c.Hosts.Names(a)
}

// own are the addresses that no server is asked for, as records.
func (c *Config) own(name string, kind uint16) (records []Record, err error) {
	if kind != msg.TypeA && kind != msg.TypeAAAA {
		return nil, nil
	}
	addrs := c.known(name, true)
	if addrs == nil {
		addrs, err, _ = special(name, true)
	}
	for _, a := range addrs {
		if a.Is4() == (kind == msg.TypeA) {
			records = append(records, Record{Name: plain(name), Type: typeName(kind), Value: a.String(), Addr: a})
		}
	}
	return records, err
}

// search tries the full names that text may stand for, until one is there. A
// server that fails ends it: the next name would be somebody else's.
func (c *Config) search(text, name string, try func(full string) error) error {
	var missing error
	all := c.candidates(text, name)
	for _, full := range all {
		err := try(full)
		if !absent(err) {
			return err
		}
		// That a name is there, with other records, tells more than that one is not.
		if missing == nil || errors.Is(err, neterr.NoRecord) && !errors.Is(missing, neterr.NoRecord) {
			missing = err
		}
	}
	if len(all) > 1 && len(c.Servers) > 0 && errors.Is(missing, neterr.UnknownName) {
		missing = neterr.UnknownName.With("%q: name does not exist, nor with the search list behind it: %s", plain(name), clip(strings.Join(c.Search, " ")))
	}
	return missing
}

// absent reports whether err is the certainty that nothing is there.
func absent(err error) bool {
	return errors.Is(err, neterr.UnknownName) || errors.Is(err, neterr.NoRecord)
}

// records are those of a flight that has landed, as old as they are.
func (f *flight) records() []Record {
	all := slices.Clone(f.answer.records)
	for i := range all {
		all[i].TTL = max(0, all[i].TTL-f.age)
	}
	return all
}
