package stack

// What is counted: every datagram, and every drop by its reason. text.go prints
// it in the files named stats.

import "slashnet/stack/tcp"

// Counters are a stack's. They are under its lock.
type Counters struct {
	RxDone uint64 // frames fully processed
	IP     IPCounters
	ICMP   ICMPCounters
	ICMPv6 ICMPCounters
	UDP    UDPCounters
	TCP    tcp.Counters
	Tables TableCounters
}

// IPCounters are those of RFC 4293's ipSystemStats, with Plan 9's names.
type IPCounters struct {
	InReceives, InHdrErrors, InAddrErrors, ForwDatagrams, InUnknownProtos, InDiscards, InDelivers uint64
	OutRequests, OutDiscards, OutNoRoutes                                                         uint64
	ReasmReqds, ReasmOKs, ReasmFails                                                              uint64
	FragOKs, FragFails, FragCreates                                                               uint64
}

// ICMPCounters count messages by type.
type ICMPCounters struct {
	InMsgs, InErrors, OutMsgs, CsumErrs, LenErrs, RateLimited uint64
	In, Out                                                   [256]uint32
}

func (c *ICMPCounters) in(typ uint8) { c.In[typ]++ }

func (c *ICMPCounters) out(typ uint8) {
	c.OutMsgs++
	c.Out[typ]++
}

// UDPCounters count datagrams.
type UDPCounters struct {
	InDatagrams, NoPorts, InErrors, OutDatagrams, QueueFull, Empty uint64
}

// TableCounters count what the tables of TCP refused.
type TableCounters struct {
	CurrEstab        int    // connections up, or half closed by the peer
	SynsDropped      uint64 // the listener's backlog was full of calls nobody took
	EmbryosEvicted   uint64 // calls given up in their handshake for newer ones
	TimeWaitsDropped uint64 // TIME-WAIT records given up for newer ones
	NoConv           uint64 // segments for no connection
}

// A dropReason says why a frame or datagram went no further.
type dropReason uint8

const (
	dropRunt dropReason = iota + 1
	dropGiant
	dropEtherType
	dropForeignMAC
	dropBadARP
	dropBadHeader
	dropTCPChecksum
	dropUDPChecksum
	dropBadSegment
	dropMartian
	dropGroupUnicast
	dropGroupEcho
	dropNotJoined
	dropNotForUs
	dropDirectedBroadcast
	dropICMPType
	dropNoRoute
	dropNoNeighbour
	dropLinkDown
	dropQueueFull
	dropNoPing
	dropPingQueue
	dropTooLong
	dropOverRate
	dropReversePath
	dropBadOption
	dropOption
	dropSourceRoute
	dropRedirect
	dropIGMP
	dropExtension
	dropBadND
	dropReasons
)

var dropNames = [dropReasons]string{
	dropRunt: "runts", dropGiant: "giants", dropEtherType: "unknown ethertype", dropForeignMAC: "foreign mac",
	dropBadARP: "bad arp", dropBadHeader: "bad ip header", dropTCPChecksum: "bad tcp checksum", dropUDPChecksum: "bad udp checksum",
	dropBadSegment: "bad tcp header", dropMartian: "martian", dropGroupUnicast: "unicast in broadcast", dropGroupEcho: "echo to group", dropNotJoined: "group not joined",
	dropNotForUs: "not for us", dropDirectedBroadcast: "directed broadcast", dropICMPType: "unknown icmp type",
	dropNoRoute: "no route", dropNoNeighbour: "no neighbour", dropLinkDown: "interface down", dropQueueFull: "queue full", dropNoPing: "echo reply nobody asked for", dropPingQueue: "icmp queue full", dropTooLong: "longer than the mtu", dropOverRate: "over limit.rate.in",
	dropReversePath: "no way back", dropBadOption: "bad ip option", dropOption: "ip option", dropSourceRoute: "source route", dropRedirect: "redirect", dropIGMP: "bad igmp",
	dropExtension: "bad ipv6 extension header", dropBadND: "bad neighbour discovery",
}

// dropCounters count an interface's drops by reason.
type dropCounters [dropReasons]uint64

func (d *dropCounters) add(r dropReason) { d[r]++ }
