// Package ndp is neighbour discovery of IPv6 on one interface, as a host does it:
// Cache finds the stations of neighbours and whether they still answer, Host the
// addresses, prefixes, routers and name servers that make an interface work
// without anybody's configuration.
//
// RFC 4861 (neighbour unreachability §7.3, advertisements §7.2.5, routers §6.3),
// RFC 4862 (autoconfiguration, duplicate address detection, the two-hour rule),
// RFC 7217 (interface identifiers that are stable and say nothing), RFC 8106
// (name servers).
//
// Whoever floods us gains little: entries nobody uses go first, what waits for an
// answer is bounded for each address and in all, and so is what routers may say.
//
// Left out on purpose: what a router sends, proxying, anycast, temporary addresses
// (RFC 8981), optimistic addresses (RFC 4429), nonces (RFC 7527: the caller drops
// frames of its own MAC), SEND, and redirects, which are a matter of routes.
package ndp
