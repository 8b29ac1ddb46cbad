package stack

// The verbs of an interface that are about IPv6, in Plan 9's words (ip(3),
// ipifc); ifctl.go calls verb6 for those that it does not know itself.

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"slashnet/ndp"
	"slashnet/stack/neterr"
)

const ifVerbs6 = "add6 ADDR LEN [ONLINK AUTO VALID PREFERRED], ra6 recvra 0|1"

func (i *Iface) verb6(verb string, args []string) (known bool, err error) {
	switch verb {
	case "add6":
		return true, i.add6Verb(args)
	case "ra6":
		return true, i.ra6(args)
	}
	return false, nil
}

// try finds out whether an address is free before it is used (RFC 5227 §2.1, RFC
// 4862 §5.4).
func (i *Iface) try(p netip.Prefix) error {
	switch {
	case i.loopback:
		return i.add(p)
	case p.Addr().Is4():
		return i.claims.try(p)
	}
	if err := i.mayAdd6(p.Addr()); err != nil {
		return err
	}
	i.ip6.host.Try(i.stack.now, p)
	i.ip6.settle()
	return nil
}

// add6Verb is Plan 9's add6 ADDR LEN [ONLINK AUTO VALID PREFERRED], times in
// seconds.
func (i *Iface) add6Verb(args []string) error {
	if len(args) < 2 || len(args) > 6 {
		return neterr.BadControl.With("add6 ADDR LEN [ONLINK AUTO VALID PREFERRED] is wanted")
	}
	p, _, err := parsePrefix(args[:2])
	if err != nil {
		return err
	}
	if !p.Addr().Is6() {
		return neterr.BadAddress.With("%v: add6 is for IPv6", p.Addr())
	}
	numbers := [4]uint64{1, 0, forever, forever}
	for n, word := range args[2:] {
		if numbers[n], err = strconv.ParseUint(word, 10, 32); err != nil {
			return neterr.BadArg.With("add6 %q: numbers of 0-%d are wanted", clip(word), uint32(forever))
		}
	}
	until := func(seconds uint64) time.Duration {
		if seconds == forever {
			return ndp.Forever
		}
		return i.stack.now + time.Duration(seconds)*time.Second
	}
	if numbers[3] > numbers[2] {
		return neterr.BadArg.With("add6: preferred for %d s and valid for %d: no longer than valid is wanted", numbers[3], numbers[2])
	}
	if err := i.mayAdd6(p.Addr()); err != nil {
		return err
	}
	// The host part counts the time down.
	if i.ip6 != nil && numbers[2] != forever {
		i.ip6.host.Lend(p, until(numbers[2]), until(numbers[3]))
	}
	return i.have(address{prefix: p, formed: numbers[0] == 0, valid: until(numbers[2]), preferred: until(numbers[3])})
}

// forever is a lifetime without end, in the files.
const forever = 1<<32 - 1

// seconds are how long it is until then, as the files say it.
func (s *Stack) seconds(until time.Duration) uint32 {
	if until == ndp.Forever {
		return forever
	}
	return uint32(max(0, until-s.now) / time.Second)
}

// ra6 has routers heard, or not. Their other words are of routers, which we are
// not.
func (i *Iface) ra6(args []string) error {
	if len(args) != 2 || args[0] != "recvra" || args[1] != "0" && args[1] != "1" {
		return neterr.BadControl.With("ra6 %q: recvra 1, or recvra 0, is wanted", clip(strings.Join(args, " ")))
	}
	if err := i.speak6(); err != nil {
		return err
	}
	if i.loopback {
		return neterr.BadArg.With("%v: nobody but us is there", i)
	}
	i.ip6.recvRA = args[1] == "1"
	if i.ip6.recvRA {
		i.ip6.host.Listen(i.stack.now)
	}
	i.ip6.settle()
	return nil
}

// recvRA is what status says of it.
func (i *Iface) recvRA() int {
	if i.ip6 != nil && i.ip6.recvRA {
		return 1
	}
	return 0
}

// heard6 is what status says of what routers have said; zero and 255 are Plan 9's
// words for nothing.
func (i *Iface) heard6() (linkMTU int, reachable, retrans time.Duration, ttl uint8) {
	if i.ip6 == nil {
		return 0, 0, 0, 255
	}
	if ttl = i.ip6.host.HopLimit(); ttl == 0 {
		ttl = 255
	}
	return i.ip6.host.MTU(), i.ip6.config.ReachableTime, i.ip6.config.Retrans, ttl
}

// addrRow is an address in status.
func (i *Iface) addrRow(p netip.Prefix, valid, preferred time.Duration) string {
	return fmt.Sprintf("\t%-40v %-10s %-40v %-12d %-12d", p.Addr(), fmt.Sprintf("/%d", p.Bits()), p.Masked().Addr(), i.stack.seconds(valid), i.stack.seconds(preferred))
}
