// The addresses of an interface as RFC 5227 has them: asked for before they are
// used, announced, and defended. The stack tells Hear of every packet, sends what
// Output says, and takes or gives up an address as Tick and Hear say.

package arp

import (
	"net/netip"
	"slices"
	"time"

	"slashnet/wire"
)

// The times of RFC 5227 §1.1.
const (
	probeWait        = time.Second // the first probe waits up to this
	probeNum         = 3
	probeMin         = time.Second
	probeMax         = 2 * time.Second
	announceWait     = 2 * time.Second
	announceNum      = 2
	announceInterval = 2 * time.Second
	maxConflicts     = 10
	rateLimit        = time.Minute // after so many, between attempts
	// DefendInterval is how long after a conflict a second one ends our use of an
	// address.
	DefendInterval = 10 * time.Second
)

// A Defence is what is done about somebody who uses an address of ours (RFC 5227
// §2.4).
type Defence uint8

// The defences.
const (
	DefendOnce   Defence = iota // (b): announced once; given up at the next within DefendInterval
	DefendAlways                // (c): announced, at most once in DefendInterval, and never given up
	DefendNever                 // (a): given up at once
)

// claimState is how far an address has come.
type claimState uint8

const (
	probing    claimState = iota // it is not ours yet
	announcing                   // ours, and to be told
	held
)

// A claim is one address.
type claim struct {
	ip       netip.Addr
	state    claimState
	left     int           // probes or announcements still to be sent
	next     time.Duration // when; for held, nothing
	defended time.Duration // last; before DefendInterval has begun: never
}

// Claims are the addresses of one interface.
type Claims struct {
	mac       wire.MAC
	random    func() uint64
	claims    []*claim
	conflicts int // that ended the use of an address
}

// NewClaims makes an empty set, for an interface with a MAC.
func NewClaims(mac wire.MAC, random func() uint64) *Claims {
	return &Claims{mac: mac, random: random}
}

// Try asks whether somebody has an address; Tick says when it is ours (RFC 5227
// §2.1.1).
func (c *Claims) Try(now time.Duration, ip netip.Addr) {
	wait := c.between(0, probeWait)
	if c.conflicts >= maxConflicts {
		wait += rateLimit
	}
	c.set(&claim{ip: ip, state: probing, left: probeNum, next: now + wait})
}

// Take makes an address ours without asking, and announces it.
func (c *Claims) Take(now time.Duration, ip netip.Addr) {
	c.set(&claim{ip: ip, state: announcing, left: announceNum, next: now, defended: -DefendInterval})
}

// Release forgets an address.
func (c *Claims) Release(ip netip.Addr) {
	c.claims = slices.DeleteFunc(c.claims, func(k *claim) bool { return k.ip == ip })
}

func (c *Claims) set(k *claim) {
	c.Release(k.ip)
	c.claims = append(c.claims, k)
}

func (c *Claims) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(c.random()%uint64(hi-lo+1))
}

// Tick returns the addresses that nobody has answered for: they are ours now, and
// are announced.
func (c *Claims) Tick(now time.Duration) (won []netip.Addr) {
	for _, k := range c.claims {
		if k.state == probing && k.left == 0 && k.next <= now {
			k.state, k.left, k.next, k.defended = announcing, announceNum, now, -DefendInterval
			won = append(won, k.ip)
		}
	}
	return won
}

// Output returns a packet that is due, to be broadcast; call it until there is
// none.
func (c *Claims) Output(now time.Duration) (a wire.ARP, ok bool) {
	for _, k := range c.claims {
		if k.state == held || k.left == 0 || k.next > now {
			continue
		}
		k.left--
		if k.state == probing {
			k.next = now + c.between(probeMin, probeMax)
			if k.left == 0 {
				k.next = now + announceWait
			}
			return Probe(c.mac, k.ip), true
		}
		k.next = now + announceInterval
		if k.left == 0 {
			k.state = held
		}
		return Announcement(c.mac, k.ip), true
	}
	return a, false
}

// Deadline is when Tick or Output next has something to do.
func (c *Claims) Deadline() (at time.Duration, ok bool) {
	for _, k := range c.claims {
		if k.state != held && (!ok || k.next < at) {
			at, ok = k.next, true
		}
	}
	return at, ok
}

// A Verdict is what a packet means for an address of ours.
type Verdict uint8

// The verdicts.
const (
	NoConflict Verdict = iota
	Defended           // its announcement is due, or was sent a moment ago
	Lost               // it is somebody else's: it has been forgotten
)

// Hear takes a packet from the cable and says what it means for which address.
func (c *Claims) Hear(now time.Duration, a *wire.ARP, how Defence) (netip.Addr, Verdict) {
	if a.SenderMAC == c.mac {
		return netip.Addr{}, NoConflict
	}
	for _, k := range c.claims {
		// RFC 5227 §2.1.1: who asks for what we ask for wants it too.
		rival := k.state == probing && a.Op == wire.ARPRequest && a.SenderIP == netip.IPv4Unspecified() && a.TargetIP == k.ip
		if a.SenderIP != k.ip && !rival {
			continue
		}
		recent := now < k.defended+DefendInterval
		if k.state == probing || how == DefendNever || how == DefendOnce && recent {
			c.Release(k.ip)
			c.conflicts++
			return k.ip, Lost
		}
		if !recent {
			k.defended = now
			k.state, k.left, k.next = announcing, max(k.left, 1), now
		}
		return k.ip, Defended
	}
	return netip.Addr{}, NoConflict
}
