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
	"strings"

	"slashnet/stack/dns"
)

const (
	hostsFile   = "/etc/hosts"
	resolveFile = "/etc/resolv.conf"
	// maxNames is how much of such a file is read: it is small, or a mistake.
	maxNames = 1 << 20
)

// hostNames is a resolver as the stack wants it, with the answers of cs and dns.
type hostNames struct {
	*dns.Resolver
	root string // where the tree is mounted
}

func (n *hostNames) CS(ctx context.Context, query string) ([]string, error) {
	cs := dns.CS{Lookup: n.Lookup, Root: n.root}
	return cs.Query(ctx, query)
}

func (n *hostNames) DNS(ctx context.Context, query string) ([]string, error) {
	return dns.DNS{Resolver: n.Resolver}.Query(ctx, query)
}

// nameFlags are the flags about names.
type nameFlags struct {
	servers, search []string
}

// parse checks the flags, and reads what they leave to the system's files.
func (n *nameFlags) parse() (dns.Config, error) {
	text, err := contents(resolveFile)
	if err != nil {
		return dns.Config{}, err
	}
	cfg := dns.ParseResolvConf(text)
	if len(n.servers) > 0 {
		cfg.Servers = nil
	}
	for _, server := range n.servers {
		addr, err := parseServer(server)
		if err != nil {
			return cfg, usageError(fmt.Sprintf("--dns %q: want the address of a name server, such as 10.114.0.1 or 10.114.0.1:5353", server))
		}
		cfg.Servers = append(cfg.Servers, addr)
	}
	if len(n.search) > 0 {
		cfg.Search = n.search
	}
	if text, err = contents(hostsFile); err != nil {
		return cfg, err
	}
	cfg.Hosts = dns.ParseHosts(text)
	return cfg, nil
}

func parseServer(text string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(addr, 0), nil
	}
	return netip.ParseAddrPort(text)
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
