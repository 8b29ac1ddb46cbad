package main

// A router of IPv6: advertise says every moment what an interface's hosts are to
// configure, as radvd would.

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// advertise sends router advertisements (RFC 4861 §4.2) of a /64 from an interface
// until it is killed: for hosts to form addresses in, with a name server at ::53.
func advertise(args []string) error {
	link, err := net.InterfaceByName(args[0])
	if err != nil {
		return err
	}
	prefix, err := netip.ParseAddr(args[1])
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
	if err != nil {
		return err
	}
	for option, value := range map[int]int{unix.IPV6_MULTICAST_IF: link.Index, unix.IPV6_MULTICAST_HOPS: 255} {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, option, value); err != nil {
			return err
		}
	}
	server := prefix.As16()
	server[15] = 0x53
	message := []byte{134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0} // for 1800 s; the kernel makes the sum
	message = append(append(message, 1, 1), link.HardwareAddr...)
	message = append(message, 3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 7, 8, 0, 0, 0, 0) // on link, to form addresses in
	message = append(message, prefix.AsSlice()...)
	message = append(append(message, 25, 3, 0, 0, 0, 0, 7, 8), server[:]...)
	all := &unix.SockaddrInet6{Addr: netip.IPv6LinkLocalAllNodes().As16(), ZoneId: uint32(link.Index)}
	for {
		// Until the kernel has a link-local address it has none to send from.
		if err := unix.Sendto(fd, message, 0, all); err != nil && err != unix.EADDRNOTAVAIL {
			return err
		}
		time.Sleep(300 * time.Millisecond)
	}
}
