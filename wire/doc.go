// Package wire is the language on the cable: the headers of Ethernet, ARP,
// IPv4 and IPv6, ICMP, neighbour discovery, MLD, IGMP, UDP and TCP, the Internet
// checksum, and the memory that frames lie in. It has no state and knows no time;
// everything above speaks through its types.
//
// A codec is a struct, a Parse function and a Put method. Parse checks all that
// can be checked without knowing who we are (lengths, version, header
// checksum) and returns slices of its input; Put writes the header into the
// front of a buffer that is large enough. Addresses are netip.Addr, so the two
// families of IP share every type above this package.
//
// The checksums of IPv4, ICMP and ICMPv6 are Parse's and Put's own. Those of TCP
// and UDP are not: often a NIC makes them. The caller verifies with
// TransportChecksum, and sums what it sends from PseudoHeader.
//
// A header that fails its checks is an Error, which is small enough to count by.
// A caller's own mistake, such as a buffer too short for Put, panics.
//
// Left out on purpose: VLAN tags (an unknown type to the caller), sending 802.3
// (it is read only), the reserved bits of IPv4 and TCP (not seen, sent as zero),
// TCP options that the engine has no use for, jumbograms, routing headers with
// segments left, and what only an IPv6 router says: advertisements.
//
// RFC 791 (IPv4), 8200 (IPv6), 792 and 4443 (ICMP), 4861 and 8106 (neighbour
// discovery), 3376, 2236 and 3810 (groups), 768 (UDP), 9293 (TCP), 7323 and 2018
// (options), 826 (ARP), 894, 1042, 1112 and 2464 (Ethernet), 1071 and 1624
// (checksum).
package wire
