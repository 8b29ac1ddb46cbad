package stack

// What paths take that is less than their first link does (RFC 8201). TCP
// connections find out each for itself; here it is remembered for the next one,
// and for datagrams, which are cut up at their source. icmp6.go reports, down6.go
// and tcplisten.go ask.

import (
	"encoding/binary"
	"net/netip"
	"time"

	"slashnet/wire"
)

const (
	// pathMTUFor is after what time a larger datagram is tried (RFC 8201 §4: ten
	// minutes).
	pathMTUFor = 10 * time.Minute
	// maxPathMTUs bounds what is remembered; the oldest makes room.
	maxPathMTUs = 1024
)

// A pathMTU is what was heard of the way to an address.
type pathMTU struct {
	mtu   int
	until time.Duration
}

// mtuTo is what a datagram to dst may have.
func (s *Stack) mtuTo(to path, dst netip.Addr) int {
	if dst.Is4() {
		return to.out.mtu
	}
	mtu := to.out.linkMTU6()
	if m, ok := s.pathMTUs[dst]; ok && m.until > s.now {
		mtu = min(mtu, m.mtu)
	}
	return mtu
}

// tooBig6 is RFC 8201 §4: a router passes on less than we sent.
func (s *Stack) tooBig6(q *quoted, mtu int) {
	// Below 1280 somebody is lying: every link of IPv6 carries that.
	if mtu < wire.MinIPv6MTU {
		s.counts.ICMPv6.InErrors++
		return
	}
	if q.ip.Proto == wire.TCP {
		c := s.quotedFlow(q)
		if c == nil {
			return
		}
		c.tcb.TooBig(s.now, mtu)
		s.touch(c)
	} else if !s.known(q) {
		s.counts.ICMPv6.InErrors++
		return
	}
	if len(s.pathMTUs) >= maxPathMTUs {
		oldest, at := netip.Addr{}, never
		for a, m := range s.pathMTUs {
			if m.until < at {
				oldest, at = a, m.until
			}
		}
		delete(s.pathMTUs, oldest)
	}
	s.pathMTUs[q.ip.Dst] = pathMTU{mtu, s.now + pathMTUFor}
}

// known reports whether a datagram that is quoted could be of a conversation of
// ours.
func (s *Stack) known(q *quoted) bool {
	pr := s.protoOf(&q.ip)
	if q.ip.Proto == wire.ICMPv6 {
		id := binary.BigEndian.Uint16(q.payload[4:])
		return pr.flows[icmpFlow(netip.AddrPortFrom(q.ip.Src, id), q.ip.Dst)] != nil
	}
	local := netip.AddrPortFrom(q.ip.Src, binary.BigEndian.Uint16(q.payload))
	remote := netip.AddrPortFrom(q.ip.Dst, binary.BigEndian.Uint16(q.payload[2:]))
	return pr.flows[tuple{local, remote}] != nil || pr.listener(local) != nil
}
