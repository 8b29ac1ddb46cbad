package stack

// Addresses as people write them. ctl.go and the dial and accept paths call
// parseDestination and parseLocal.

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// bang is an address as Plan 9 prints it: 10.0.0.1!80, and ::!0 for none.
func bang(a netip.AddrPort) string {
	if !a.IsValid() {
		return "::!0"
	}
	return fmt.Sprintf("%v!%d", a.Addr(), a.Port())
}

// services knows the names of services: the runtime's own reader of
// /etc/services, since the C library's may take its time.
var services = net.Resolver{PreferGo: true}

// warmServices makes the runtime read the service names now, so that no look-up
// under the lock does.
func warmServices() { services.LookupPort(context.Background(), "tcp", "http") }

// split cuts an address at its port: host!port, host:port, [v6]:port; what has
// neither is a host or, for an announcement, a port.
func split(s string) (host, port string, both bool) {
	if h, p, ok := strings.Cut(s, "!"); ok {
		return h, p, true
	}
	if strings.HasPrefix(s, "[") {
		if end := strings.Index(s, "]"); end > 0 {
			if rest, ok := strings.CutPrefix(s[end+1:], ":"); ok {
				return s[1:end], rest, true
			}
			return s[1:end], "", s[end+1:] != ""
		}
		return s, "", false
	}
	if strings.Count(s, ":") == 1 {
		h, p, _ := strings.Cut(s, ":")
		return h, p, true
	}
	return s, "", false
}

// parsePort reads a port number of 0-65535 or a service name.
func parsePort(proto wire.Proto, s string) (uint16, error) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		if n > 65535 {
			return 0, neterr.BadPort.With("%q: ports are 1-65535", s)
		}
		return uint16(n), nil
	}
	name := "udp"
	if proto == wire.TCP {
		name = "tcp"
	}
	if n, err := services.LookupPort(context.Background(), name, s); err == nil && s != "" && s[0] != '-' && s[0] != '+' {
		return uint16(n), nil
	}
	return 0, neterr.BadPort.With("%q: a number of 1-65535 or the name of a service is wanted", s)
}

// maxHost is the longest name of a host (RFC 1035 §2.3.4).
const maxHost = 253

// parseHost reads an address; that of a name is not valid, and no error.
func parseHost(host string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if a = a.Unmap(); a.Zone() != "" && !a.IsLinkLocalUnicast() && !a.IsMulticast() {
			return a, neterr.BadAddress.With("%q: only addresses of a link have an interface behind a %%", host)
		}
		return a, nil
	}
	if host == "" {
		return netip.Addr{}, neterr.Malformed.With("no host given: HOST:PORT is wanted")
	}
	// What looks like a number is a misspelt address, not a name.
	if strings.Trim(host, "0123456789.") == "" || strings.Contains(host, ":") {
		return netip.Addr{}, neterr.BadAddress.With("%q: an address is wanted, as 10.0.0.1 or 2001:db8::1", clip(host))
	}
	if len(host) > maxHost || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd || r == '/' }) {
		return netip.Addr{}, neterr.BadAddress.With("%q is neither an address nor the name of a host", clip(host))
	}
	return netip.Addr{}, nil
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// A destination is where to connect to.
type destination struct {
	host     string     // a name, or an address as text
	addr     netip.Addr // the address, if host is one
	port     uint16
	reserved bool // Plan 9's !r: from a reserved local port
}

func (d destination) String() string { return fmt.Sprintf("%s!%d", d.host, d.port) }

// parseDestination reads host!port, host:port, [v6]:port, with Plan 9's !r for a
// reserved local port; icmp needs no port.
func parseDestination(proto wire.Proto, text string) (d destination, err error) {
	host, port, both := split(text)
	if p, ok := strings.CutSuffix(port, "!r"); ok {
		port, d.reserved = p, true
	}
	if !both && isICMP(proto) {
		port = "0"
	} else if !both {
		return d, neterr.Malformed.With("%q: HOST:PORT is wanted", clip(text))
	}
	if d.port, err = parsePort(proto, port); err != nil {
		return d, err
	}
	if d.port == 0 && !isICMP(proto) {
		return d, neterr.BadPort.With("%q: ports are 1-65535", clip(text))
	}
	d.host = host
	if d.addr, err = parseHost(host); d.addr.IsValid() {
		d.host = d.addr.String()
	}
	return d, err
}

// parseLocal reads our own end: port, :port, *!port, addr!port. The first three are
// of both families, as [::]!port is; 0.0.0.0!port is of IPv4 alone.
func (s *Stack) parseLocal(proto wire.Proto, text string) (netip.AddrPort, error) {
	host, port, both := split(text)
	if !both {
		host, port = "*", text
	}
	if host == "" {
		host = "*"
	}
	port, _ = strings.CutSuffix(port, "!r")
	n, err := parsePort(proto, port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "*" {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), n), nil
	}
	a, err := parseHost(host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	a = s.named(a)
	if !a.IsValid() {
		return netip.AddrPort{}, neterr.NotLocal.With("%q: an address of ours or * is wanted, not a name", host)
	}
	if !a.IsUnspecified() && s.own[a] == nil && !(proto == wire.UDP && a.IsMulticast()) {
		return netip.AddrPort{}, neterr.NotLocal.With("%v: this stack has %s", a, s.ownText())
	}
	return netip.AddrPortFrom(a, n), nil
}

// ownText lists our addresses for a message.
func (s *Stack) ownText() string {
	var all []string
	for _, n := range s.ifnums() {
		for _, a := range s.ifaces[n].addrs {
			all = append(all, s.ifaces[n].scoped(a.prefix.Addr()).String())
		}
	}
	if len(all) == 0 {
		return "no address yet"
	}
	return strings.Join(all, ", ")
}

// parsePrefix reads an address with its subnet as ADDR/LEN, ADDR MASK or ADDR
// /LEN; alone it has the mask of defaultBits.
func parsePrefix(words []string) (p netip.Prefix, rest []string, err error) {
	if len(words) == 0 {
		return p, nil, neterr.BadArg.With("an address is wanted, as in 10.0.0.2/24")
	}
	word, words := words[0], words[1:]
	if !strings.Contains(word, "/") && len(words) > 0 {
		word, words = word+"/"+strings.TrimPrefix(words[0], "/"), words[1:]
	}
	addr, mask, given := strings.Cut(word, "/")
	a, err := netip.ParseAddr(addr)
	if a = a.Unmap(); err != nil || a.Zone() != "" {
		return p, nil, neterr.BadAddress.With("%q: an address is wanted, as in 10.0.0.2/24 or 2001:db8::2/64", clip(addr))
	}
	bits, ok := defaultBits(a), true
	if given {
		bits, ok = maskBits(a, mask)
	}
	if !ok {
		return p, nil, neterr.BadAddress.With("%q as a mask: /0 to /%d, or as in 255.255.255.0", clip(mask), a.BitLen())
	}
	return netip.PrefixFrom(a, bits), words, nil
}

// maskBits reads a prefix length, of IPv4 also as Plan 9 prints it of 128 bits, or
// a dotted mask.
func maskBits(a netip.Addr, mask string) (int, bool) {
	if n, err := strconv.Atoi(mask); err == nil {
		if a.Is4() && n >= 96 && n <= 128 {
			n -= 96
		}
		return n, n >= 0 && n <= a.BitLen()
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() || !a.Is4() {
		return 0, false
	}
	b := m.As4()
	n, size := net.IPMask(b[:]).Size()
	return n, size == 32
}

// defaultBits is the mask of an address alone: that of its class or, for IPv6, of
// every subnet (RFC 4291 §2.5.4).
func defaultBits(a netip.Addr) int {
	if a.Is6() {
		return 64
	}
	return classBits(a)
}

func classBits(a netip.Addr) int {
	switch b := a.As4()[0]; {
	case b < 128:
		return 8
	case b < 192:
		return 16
	}
	return 24
}
