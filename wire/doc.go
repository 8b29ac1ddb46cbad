// Package wire is the language on the cable: the headers of Ethernet, ARP,
// IPv4, ICMPv4, UDP and TCP, the Internet checksum, and the memory that frames
// lie in. It has no state and knows no time; everything above speaks through
// its types.
//
// A codec is a struct, a Parse function and a Put method. Parse checks all that
// can be checked without knowing who we are (lengths, version, header
// checksum) and returns slices of its input; Put writes the header into the
// front of a buffer that is large enough. Addresses are netip.Addr, so the two
// families of IP share every type above this package.
//
// RFC 791 (IPv4), 792 (ICMP), 768 (UDP), 9293 (TCP), 7323 and 2018 (options),
// 826 (ARP), 894 (Ethernet), 1071 and 1624 (checksum).
package wire
