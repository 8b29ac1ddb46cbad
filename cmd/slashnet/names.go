package main

// Names of hosts: the resolver that up gives to the stack, from its flags and the
// system's files.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"slashnet/stack"
	"slashnet/stack/dns"
)

const (
	hostsFile    = "/etc/hosts"
	noHosts      = "none"
	resolveFile  = "/etc/resolv.conf"
	resolvedFile = "/run/systemd/resolve/resolv.conf"
	// maxNames is how much of such a file is read: it is small, or a mistake.
	maxNames = 1 << 20
)

// hostNames is a resolver as the stack wants it, with the answers of cs and dns.
type hostNames struct {
	*dns.Resolver
	root   string // where the tree is mounted
	hosts  string // the hosts file
	stack  *stack.Stack
	config func() (dns.Config, error) // as flags and files have it now

	mu     sync.Mutex
	looked time.Time // at the files, and
	found  string    // what they were like
}

// lookEvery is how often at most a look-up asks whether the files have changed.
const lookEvery = time.Second

func (n *hostNames) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	n.follow()
	return n.Resolver.Lookup(ctx, host)
}

func (n *hostNames) CS(ctx context.Context, query string) ([]string, error) {
	cs := dns.CS{Lookup: n.Lookup, Root: n.root, Ndb: n.stack.NdbText, Refresh: n.refresh}
	return cs.Query(ctx, query)
}

func (n *hostNames) DNS(ctx context.Context, query string) ([]string, error) {
	n.follow()
	return dns.DNS{Resolver: n.Resolver}.Query(ctx, query)
}

// follow reads the files again if they have changed, as the C library does: a
// notebook is carried from one network to another. Ones that cannot be read now
// change nothing.
func (n *hostNames) follow() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.looked) < lookEvery {
		return
	}
	n.looked = time.Now()
	was := n.found
	n.found = ""
	for _, path := range []string{resolveFile, resolvedFile, n.hosts} {
		if f, err := os.Stat(path); err == nil {
			n.found += fmt.Sprintln(f.Size(), f.ModTime())
		}
	}
	n.found += fmt.Sprintln(n.stack.RouterServers())
	if n.found != was {
		n.refresh()
	}
}

// refresh reads the files again.
func (n *hostNames) refresh() error {
	cfg, err := n.current()
	if err != nil {
		return err
	}
	return n.SetConfig(cfg)
}

// current is what the resolver is to go by now.
func (n *hostNames) current() (dns.Config, error) {
	cfg, err := n.config()
	cfg.IPv6 = func() bool { return n.stack.HasIPv6() }
	if n.stack == nil {
		return cfg, err // it is about to be made
	}
	// Behind those that somebody has named: RFC 8106 §5.3.1.
	for _, a := range n.stack.RouterServers() {
		if server := netip.AddrPortFrom(a, 0); !slices.Contains(cfg.Servers, server) && len(cfg.Servers) < dns.MaxServers {
			cfg.Servers = append(cfg.Servers, server)
		}
	}
	return cfg, err
}

// nameFlags are the flags about names.
type nameFlags struct {
	servers, search []string
	hosts           string
}

// forRoot checks the flags, and reads what they leave to the system's files.
func (n *nameFlags) forRoot() (dns.Config, error) {
	cfg, err := n.forView()
	if err != nil || n.hosts == noHosts {
		return cfg, err
	}
	if _, err := os.Stat(n.hosts); err != nil && n.hosts != hostsFile {
		return cfg, err // who names a file wants it
	}
	text, err := contents(n.hosts)
	cfg.Hosts = dns.ParseHosts(text)
	return cfg, err
}

// forView is the same for a view: it asks the same servers, and the host's own
// names are none of a container's business.
func (n *nameFlags) forView() (dns.Config, error) {
	cfg, err := hostConfig(resolveFile, resolvedFile)
	if err != nil {
		return cfg, err
	}
	if len(n.servers) > 0 {
		cfg.Servers = nil
	}
	for _, text := range n.servers {
		server, err := dns.ParseServer(text)
		if err != nil {
			return cfg, usageError(fmt.Sprintf("--dns %q: want the address of a name server, such as 10.114.0.1 or 10.114.0.1:5353", text))
		}
		cfg.Servers = append(cfg.Servers, server)
	}
	if len(n.search) > 0 {
		cfg.Search = n.search
	}
	return cfg, nil
}

// hostConfig is what the first of the host's resolv.confs says, without servers on the host's loopback, which
// we cannot reach. systemd-resolved, which is such a server, says elsewhere whom it
// asks itself.
func hostConfig(paths ...string) (cfg dns.Config, err error) {
	for i, path := range paths {
		text, err := contents(path)
		if err != nil {
			return cfg, err
		}
		next := dns.ParseResolvConf(text)
		next.Servers = slices.DeleteFunc(next.Servers, func(s netip.AddrPort) bool { return s.Addr().IsLoopback() })
		if i == 0 {
			cfg = next
		} else {
			cfg.Servers = next.Servers
		}
		if len(cfg.Servers) > 0 {
			break
		}
	}
	return cfg, nil
}

// contents is the text of a file; one that is not there says nothing.
func contents(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b strings.Builder
	_, err = io.Copy(&b, io.LimitReader(f, maxNames))
	return b.String(), err
}
