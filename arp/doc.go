// Package arp is the neighbour cache of one interface: which station answers
// for which IPv4 address, what waits for the answer, and what there is to ask.
//
// It implements RFC 826 (the protocol), RFC 1122 §2.3.2 (time-out by unicast
// poll, at most one request a second for one address, waiting packets) and
// RFC 5227: probes are answered, announcements believed about neighbours that are
// known; and Claims are our own addresses, asked for, announced and defended.
//
// Whoever floods us gains little. An entry is made only because we want to send,
// or because somebody asks for our address; entries nobody uses and addresses
// nobody answers for are the first to go when the cache is full; and what waits
// is bounded for each address and in all.
//
// Left out on purpose: choosing an address (RFC 3927), proxy ARP, and reverse ARP.
package arp
