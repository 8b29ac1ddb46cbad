package nic

// The kernel's end of a TAP. `slashnet up` configures it, as `ip address` and
// `ip link` would.

import (
	"errors"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slashnet/stack/neterr"
)

// ConfigureHost gives the kernel's end of the TAP an address and our MTU, and
// brings the link up. The zero Prefix is no address. When it returns without an
// error, the link is up and frames pass; an IPv6 address becomes the kernel's
// own some milliseconds later, on a work queue.
func (t *TAP) ConfigureHost(addr netip.Prefix) error {
	if addr != (netip.Prefix{}) && (!addr.IsValid() || addr.Addr().IsUnspecified() || addr.Addr().IsMulticast()) {
		return neterr.BadAddress.With("host address %v of %s: want one such as 10.114.0.1/24", addr, t.name)
	}
	link, err := netlink.LinkByName(t.name)
	if err != nil {
		return hostError(t.name, "look up", err)
	}
	if err := netlink.LinkSetMTU(link, t.mtu); err != nil {
		return hostError(t.name, "set the MTU", err)
	}
	if addr != (netip.Prefix{}) {
		if err := netlink.AddrReplace(link, hostAddr(addr)); err != nil {
			return hostError(t.name, "add the address "+addr.String(), err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return hostError(t.name, "bring up", err)
	}
	up, err := t.HostUp()
	if err == nil && !up {
		err = t.errDown
	}
	return err
}

// HostUp reports whether the kernel's end is up.
func (t *TAP) HostUp() (bool, error) {
	link, err := netlink.LinkByName(t.name)
	if err != nil {
		return false, hostError(t.name, "look up", err)
	}
	const running = unix.IFF_UP | unix.IFF_LOWER_UP
	return link.Attrs().RawFlags&running == running, nil
}

func hostAddr(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: &net.IPNet{
		IP:   p.Addr().AsSlice(),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}}
	if p.Addr().Is6() {
		// Nobody else is on this link; duplicate detection would only keep the address
		// unusable for a second.
		a.Flags = unix.IFA_F_NODAD
	}
	return a
}

func hostError(name, what string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return neterr.NotOwner.With("cannot %s of %s: that needs CAP_NET_ADMIN", what, name)
	case errors.As(err, new(netlink.LinkNotFoundError)):
		return neterr.NoInterface.With("there is no %s in this network namespace", name)
	}
	return neterr.BadArg.With("cannot %s of %s: %v", what, name, err)
}
