package stack

// The knobs: every constant of the protocols, named, readable and writable in
// the file ctl (tree.md §6). One table says it all; ctl.go and CtlText walk it.

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"slashnet/arp"
	"slashnet/ndp"
	"slashnet/stack/neterr"
	"slashnet/stack/reasm"
	"slashnet/stack/tcp"
)

// Knobs are the settings of a stack.
type Knobs struct {
	tcp   *tcp.Config
	arp   arp.Config
	nd    ndp.Config
	reasm reasm.Config

	ipPolicy
	forward        bool
	dad            int // probes of duplicate address detection
	ttl            uint8
	portLo, portHi uint16
	unprivileged   int // the lowest port for everybody
	icmpRate       int // ICMP errors a second
	udpRcvBuf      int
	backlog        int
	cookies        cookieUse
	challengeRate  int // challenge ACKs of all connections a second, about
	keep           time.Duration

	maxConvs, maxDetached, maxOps, maxHandles, maxMemory int
	rateIn, rateOut                                      int // bytes a second; 0: any
}

// arpPending is how many frames wait for one neighbour: the fragments of a
// datagram of 64 KiB on an Ethernet, or the first one to a host would be lost.
const arpPending = 48

func defaultKnobs() Knobs {
	k := Knobs{
		tcp: tcp.DefaultConfig(), arp: arp.DefaultConfig(), nd: ndp.DefaultConfig(), reasm: reasm.DefaultConfig(),
		ttl:    64, // RFC 1700
		portLo: 32768, portHi: 60999,
		ipPolicy:      defaultIPPolicy(),
		unprivileged:  1024, // the custom of Unix
		icmpRate:      100,
		udpRcvBuf:     512 << 10, // as 9front
		backlog:       128,
		cookies:       cookiesAuto,
		challengeRate: 1000, // as Linux
		keep:          time.Hour,
		// The caps of a stack: beyond them ENFILE or ENOBUFS.
		maxConvs: 200_000, maxDetached: 50_000, maxOps: 100_000, maxHandles: 400_000, maxMemory: 256 << 20,
	}
	k.arp.MaxPending, k.nd.MaxPending = arpPending, arpPending
	k.dad = 1 // RFC 4862 §5.1
	return k
}

// A knob is one setting as text.
type knob struct {
	name string
	get  func(k *Knobs) string
	set  func(k *Knobs, value string) error
}

var knobTable = []knob{
	size("tcp.rcvbuf", 4<<10, 1<<30, func(k *Knobs) *int { return &k.tcp.RcvBuf }),
	size("tcp.sndbuf", 4<<10, 1<<30, func(k *Knobs) *int { return &k.tcp.SndBuf }),
	number("tcp.initcwnd", 1, 100, func(k *Knobs) *int { return &k.tcp.InitCwnd }),
	duration("tcp.rto.min", time.Millisecond, time.Minute, func(k *Knobs) *time.Duration { return &k.tcp.RTOMin }),
	duration("tcp.rto.init", time.Millisecond, time.Minute, func(k *Knobs) *time.Duration { return &k.tcp.RTOInit }),
	duration("tcp.rto.max", time.Minute, time.Hour, func(k *Knobs) *time.Duration { return &k.tcp.RTOMax }),
	duration("tcp.delack", 0, 499*time.Millisecond, func(k *Knobs) *time.Duration { return &k.tcp.DelAck }),
	number("tcp.quickack", 0, 1000, func(k *Knobs) *int { return &k.tcp.QuickAck }),
	boolean("tcp.sack", func(k *Knobs) *bool { return &k.tcp.SACK }),
	boolean("tcp.timestamps", func(k *Knobs) *bool { return &k.tcp.Timestamps }),
	boolean("tcp.wscale", func(k *Knobs) *bool { return &k.tcp.WScale }),
	{"tcp.cc", func(k *Knobs) string { return k.tcp.CC }, setCC},
	boolean("tcp.mtuprobe", func(k *Knobs) *bool { return &k.tcp.MTUProbe }),
	boolean("tcp.usertimeout", func(k *Knobs) *bool { return &k.tcp.UserTimeout }),
	{"tcp.ecn", func(k *Knobs) string { return k.tcp.ECN }, setECN},
	number("tcp.syn.retries", 1, 20, func(k *Knobs) *int { return &k.tcp.SynRetries }),
	number("tcp.synack.retries", 1, 20, func(k *Knobs) *int { return &k.tcp.SynAckRetries }),
	number("tcp.retries2", 3, 100, func(k *Knobs) *int { return &k.tcp.Retries2 }),
	duration("tcp.finwait2", time.Second, time.Hour, func(k *Knobs) *time.Duration { return &k.tcp.FinWait2 }),
	duration("tcp.timewait", 0, 10*time.Minute, func(k *Knobs) *time.Duration { return &k.tcp.TimeWait }),
	duration("tcp.close.drain", 0, time.Minute, func(k *Knobs) *time.Duration { return &k.tcp.CloseDrain }),
	number("tcp.challenge.limit", 0, 100_000, func(k *Knobs) *int { return &k.tcp.ChallengeLimit }),
	number("tcp.challenge.rate", 0, 1_000_000, func(k *Knobs) *int { return &k.challengeRate }),
	duration("tcp.keepidle", time.Second, 24*time.Hour, func(k *Knobs) *time.Duration { return &k.tcp.KeepIdle }),
	duration("tcp.keepintvl", time.Second, time.Hour, func(k *Knobs) *time.Duration { return &k.tcp.KeepIntvl }),
	number("tcp.keepcnt", 1, 100, func(k *Knobs) *int { return &k.tcp.KeepCnt }),
	number("tcp.backlog", 1, 65535, func(k *Knobs) *int { return &k.backlog }),
	{"tcp.syncookies", func(k *Knobs) string { return string(k.cookies) }, setCookies},
	size("udp.rcvbuf", 2<<10, 1<<30, func(k *Knobs) *int { return &k.udpRcvBuf }),
	boolean("ip.forward", func(k *Knobs) *bool { return &k.forward }),
	boolean("ip.directedbroadcast", func(k *Knobs) *bool { return &k.directed }),
	{"ip.options", func(k *Knobs) string { return string(k.options) }, setOptionPolicy},
	boolean("ip.sourceroute", func(k *Knobs) *bool { return &k.sourceRoutes }),
	{"ip.rpfilter", func(k *Knobs) string { return string(k.pathCheck) }, setPathCheck},
	boolean("ip.logmartians", func(k *Knobs) *bool { return &k.logMartians }),
	boolean("ip.redirect.accept", func(k *Knobs) *bool { return &k.acceptRedirects }),
	boolean("ip.redirect.send", func(k *Knobs) *bool { return &k.sendRedirects }),
	{"ip.ttl", func(k *Knobs) string { return fmt.Sprint(k.ttl) }, setTTL},
	{"ip.portrange", func(k *Knobs) string { return fmt.Sprintf("%d-%d", k.portLo, k.portHi) }, setPorts},
	number("ip.unprivileged", 0, 1<<16, func(k *Knobs) *int { return &k.unprivileged }),
	duration("ip.reasm.time", 15*time.Second, 2*time.Minute, func(k *Knobs) *time.Duration { return &k.reasm.Timeout }),
	size("ip.reasm.memory", 64<<10, 1<<30, func(k *Knobs) *int { return &k.reasm.MaxMemory }),
	number("icmp.ratelimit", 0, 1_000_000, func(k *Knobs) *int { return &k.icmpRate }),
	boolean("arp.probe", func(k *Knobs) *bool { return &k.probe }),
	{"arp.defend", func(k *Knobs) string { return defenceNames[k.defence] }, setDefence},
	number("arp.retries", 1, 10, func(k *Knobs) *int { return &k.arp.Retries }),
	duration("arp.timeout", time.Second, 24*time.Hour, func(k *Knobs) *time.Duration { return &k.arp.Timeout }),
	number("ip6.dad", 0, 10, func(k *Knobs) *int { return &k.dad }),
	duration("nd.reachable", time.Second, time.Hour, func(k *Knobs) *time.Duration { return &k.nd.ReachableTime }),
	duration("nd.retrans", 100*time.Millisecond, time.Minute, func(k *Knobs) *time.Duration { return &k.nd.Retrans }),
	duration("keep", time.Second, 1000*time.Hour, func(k *Knobs) *time.Duration { return &k.keep }),
	number("limit.conversations", 1, 1<<27, func(k *Knobs) *int { return &k.maxConvs }),
	number("limit.detached", 1, 1<<27, func(k *Knobs) *int { return &k.maxDetached }),
	number("limit.operations", 1, 1<<27, func(k *Knobs) *int { return &k.maxOps }),
	number("limit.handles", 1, 1<<27, func(k *Knobs) *int { return &k.maxHandles }),
	size("limit.memory", 1<<20, 1<<40, func(k *Knobs) *int { return &k.maxMemory }),
	rate("limit.rate.in", func(k *Knobs) *int { return &k.rateIn }),
	rate("limit.rate.out", func(k *Knobs) *int { return &k.rateOut }),
}

func findKnob(name string) *knob {
	for i := range knobTable {
		if knobTable[i].name == name {
			return &knobTable[i]
		}
	}
	return nil
}

func number(name string, lo, hi int, field func(*Knobs) *int) knob {
	return knob{name, func(k *Knobs) string { return strconv.Itoa(*field(k)) }, func(k *Knobs, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < lo || n > hi {
			return neterr.BadArg.With("%s %q: a number of %d-%d is wanted", name, clip(v), lo, hi)
		}
		*field(k) = n
		return nil
	}}
}

// size is a number of bytes; 64k, 4m and 1g are understood.
func size(name string, lo, hi int, field func(*Knobs) *int) knob {
	return knob{name, func(k *Knobs) string { return strconv.Itoa(*field(k)) }, func(k *Knobs, v string) error {
		n, ok := parseSize(v)
		if !ok || n < lo || n > hi {
			return neterr.BadArg.With("%s %q: %d-%d bytes are wanted; k, m and g may follow", name, clip(v), lo, hi)
		}
		*field(k) = n
		return nil
	}}
}

// leastRate lets a small message pass in a time that anybody bears.
const leastRate = 1 << 10

// rate is a number of bytes a second, or off.
func rate(name string, field func(*Knobs) *int) knob {
	get := func(k *Knobs) string {
		if n := *field(k); n > 0 {
			return strconv.Itoa(n)
		}
		return onOff(false)
	}
	return knob{name, get, func(k *Knobs, v string) error {
		n, ok := parseSize(v)
		switch on, word := parseOnOff(v); {
		case word && !on:
			n = 0
		case !ok || n < leastRate:
			return neterr.BadArg.With("%s %q: off or bytes a second are wanted, %d at least; k, m and g may follow", name, clip(v), leastRate)
		}
		*field(k) = n
		return nil
	}}
}

func parseSize(v string) (int, bool) {
	unit := 1
	if v != "" {
		switch v[len(v)-1] | 0x20 {
		case 'k':
			unit = 1 << 10
		case 'm':
			unit = 1 << 20
		case 'g':
			unit = 1 << 30
		}
		if unit > 1 {
			v = v[:len(v)-1]
		}
	}
	n, err := strconv.Atoi(v)
	return n * unit, err == nil && n >= 0 && n <= 1<<40/unit
}

// duration is a time with its unit, 200ms or 1m; a bare number is milliseconds.
func duration(name string, lo, hi time.Duration, field func(*Knobs) *time.Duration) knob {
	return knob{name, func(k *Knobs) string { return field(k).String() }, func(k *Knobs, v string) error {
		d, ok := parseDuration(v, time.Millisecond)
		if !ok || d < lo || d > hi {
			return neterr.BadArg.With("%s %q: %v to %v are wanted, as in 200ms; a bare number is milliseconds", name, clip(v), lo, hi)
		}
		*field(k) = d
		return nil
	}}
}

func parseDuration(v string, unit time.Duration) (time.Duration, bool) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		d := time.Duration(n) * unit
		return d, n >= 0 && n < int64(never/unit)
	}
	d, err := time.ParseDuration(v)
	return d, err == nil && d >= 0
}

func boolean(name string, field func(*Knobs) *bool) knob {
	return knob{name, func(k *Knobs) string { return onOff(*field(k)) }, func(k *Knobs, v string) error {
		on, ok := parseOnOff(v)
		if !ok {
			return neterr.BadArg.With("%s %q: on or off is wanted", name, clip(v))
		}
		*field(k) = on
		return nil
	}}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func parseOnOff(v string) (on, ok bool) {
	switch strings.ToLower(v) {
	case "on", "1", "yes", "true":
		return true, true
	case "off", "0", "no", "false":
		return false, true
	}
	return false, false
}

func setCC(k *Knobs, v string) error {
	if v != "cubic" && v != "newreno" {
		return neterr.BadArg.With("tcp.cc %q: cubic or newreno is wanted", clip(v))
	}
	k.tcp.CC = v
	return nil
}

func setECN(k *Knobs, v string) error {
	if v != tcp.ECNOff && v != tcp.ECNPassive && v != tcp.ECNOn {
		return neterr.BadArg.With("tcp.ecn %q: off, passive or on is wanted", clip(v))
	}
	k.tcp.ECN = v
	return nil
}

func setTTL(k *Knobs, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 255 {
		return neterr.BadArg.With("ip.ttl %q: a number of 1-255 is wanted", clip(v))
	}
	k.ttl = uint8(n)
	return nil
}

func setPorts(k *Knobs, v string) error {
	lo, hi, ok := strings.Cut(v, "-")
	a, err1 := strconv.ParseUint(lo, 10, 16)
	b, err2 := strconv.ParseUint(hi, 10, 16)
	if !ok || err1 != nil || err2 != nil || a < 1 || b < a {
		return neterr.BadArg.With("ip.portrange %q: LOW-HIGH of 1-65535 is wanted", clip(v))
	}
	k.portLo, k.portHi = uint16(a), uint16(b)
	return nil
}
