package stack

// The knobs of IP that are a choice between what the RFCs allow; knobs.go lists
// them, each file named below asks for its own.

import (
	"slashnet/arp"
	"slashnet/stack/neterr"
)

// ipPolicy are those knobs. What is off by default is off for safety.
type ipPolicy struct {
	directed        bool         // directed broadcasts are passed on (RFC 2644): forward.go
	options         optionPolicy // RFC 1812 §4.2.2.1: ipoptions.go
	sourceRoutes    bool         // source routes are heeded (RFC 7126 §4.3): ipoptions.go
	pathCheck       pathCheck    // RFC 1812 §5.3.8: martian.go
	logMartians     bool         // RFC 1812 §5.3.7: martian.go
	acceptRedirects bool         // RFC 1122 §3.2.2.2, RFC 6274 §4.2.3: gateway.go
	sendRedirects   bool         // RFC 1812 §5.2.7.2: gateway.go
	probe           bool         // add asks first (RFC 5227 §2.1): claim.go
	defence         arp.Defence  // RFC 5227 §2.4: claim.go
}

func defaultIPPolicy() ipPolicy {
	return ipPolicy{options: optionsProcessed, pathCheck: pathUnchecked, logMartians: true, sendRedirects: true}
}

func setPathCheck(k *Knobs, v string) error {
	check, err := parsePathCheck(v)
	if err == nil {
		k.pathCheck = check
	}
	return err
}

func setOptionPolicy(k *Knobs, v string) error {
	switch p := optionPolicy(v); p {
	case optionsProcessed, optionsPassed, optionsDropped:
		k.options = p
		return nil
	}
	return neterr.BadArg.With("ip.options %q: process, pass or drop is wanted", clip(v))
}
