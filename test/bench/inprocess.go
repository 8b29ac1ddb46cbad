package main

// Our stack in the station's own process, on a TAP of the station's namespace:
// what the Go API gives, without files.

import (
	"fmt"
	"net/netip"

	"slashnet/nic"
	"slashnet/stack"
)

// stacks are those that this binary is linked with, by the kind of their stations.
var stacks = map[string]func() (network, error){
	"inproc":     inProcess,
	"gvisor":     gvisorFD,
	"gvisor-nic": gvisorNIC,
}

func inProcess() (network, error) {
	tap, err := nic.OpenTAP(nic.Options{Name: tapName})
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
