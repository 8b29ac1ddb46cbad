// Package dns is the resolver of one view: it finds the addresses of a name, and
// whatever else is filed under it, by asking name servers over conversations of
// the view itself. It is a stub: the servers it is given do the walking.
//
// # From the question to the answer
//
//	Lookup ── ndb, hosts file ── search list ── cache ── flight ── exchange ── server
//	 cs, dns                                      │        │          │
//	                                              │        │          └ one question to one server, UDP then TCP
//	                                              │        └ one goroutine for all who ask the same; servers are
//	                                              │          asked one after the other, the next beside one that is slow
//	                                              └ what was learnt, good and bad
//
// # Who is believed
//
// Nobody, much. A datagram counts as the answer if it comes from the server on
// the conversation of its question (a fresh one each time, so a fresh port), has
// the random id, and repeats the question with the same random spelling of upper
// and lower case. Of its records those count that the question leads to: its
// name, and the names that CNAMEs put in its place. Sizes, numbers and chains
// have bounds, which are constants with their reasons.
//
// RFC 1034, 1035, 1123 §2.1, 2181, 2308 (negative answers), 5452 (forged
// answers), 6761 (localhost, invalid), 6891 (EDNS), 7766 (TCP), 8305 §3-4 (both
// families raced); the search list and the files are those of resolv.conf(5) and
// hosts(5), the ndb is that of Plan 9's ndb(6), cs and dns those of its ndb(8).
//
// What is left out on purpose: DNSSEC validation and encrypted transports (the
// server is as trusted as the path to it); names in other scripts than ASCII
// (write xn--...); multicast DNS; the sorting of addresses by RFC 6724, which
// needs to know our own. The families alternate; who connects races the addresses.
//
// Reading order: config.go, resolver.go, flight.go, servers.go, exchange.go, message.go,
// chain.go, cache.go; ndb.go, cs.go, csndb.go and query.go are the files.
package dns
