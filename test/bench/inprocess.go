package main

// Our stack in the station's own process, on a TAP of the station's namespace:
// what the Go API gives, without files.

import (
	"fmt"
	"net/netip"

	"slashnet/nic"
	"slashnet/stack"
)

func inProcess() (network, error) {
	tap, err := nic.OpenTAP(nic.Options{Name: "slash0"})
	if err != nil {
		return nil, err
	}
	s := stack.New(stack.Config{})
	ifc, err := s.AddInterface(tap)
	if err != nil {
		return nil, err
	}
	if err := tap.ConfigureHost(netip.MustParsePrefix(peerAddr + "/24")); err != nil {
		return nil, err
	}
	if err := ifc.Ctl("add " + ourAddr + "/24"); err != nil {
		return nil, fmt.Errorf("the address of the stack: %w", err)
	}
	return s, nil
}
