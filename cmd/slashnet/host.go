package main

// The host that up serves: the root stack, and the stack of each view that is
// made below view/.

import (
	"slashnet/nic"
	"slashnet/stack"
	"slashnet/stack/dns"
)

// A maker makes stacks: each with loopback and a resolver of its own, which asks
// the same servers over that stack's own conversations.
type maker struct {
	owner   stack.User
	names   *nameFlags
	openNIC func(spec string) (nic.NIC, error)
}

// boundRoot is where the users of a view have its tree, by a bind mount.
const boundRoot = "/net"

// make is a stack.Builder but for root, where the tree is that cs tells of, config,
// which the resolver goes by, and log, which gets the lines of the stack's log.
func (m *maker) make(root string, config func() (dns.Config, error), log func(line string)) (s *stack.Stack, release func(), err error) {
	names := &hostNames{root: root, hosts: m.names.hosts, config: config}
	cfg, err := names.current()
	if err != nil {
		return nil, nil, err
	}
	s = stack.New(stack.Config{
		Owner:   m.owner,
		Log:     log,
		Names:   names,
		OpenNIC: m.openNIC,
	})
	names.stack = s
	if names.Resolver, err = dns.New(s.DialContext, cfg); err != nil {
		return nil, nil, err
	}
	loop, err := nic.NewLoop(nic.Options{Name: "loopback"})
	if err == nil {
		_, err = s.AddLoopback(loop) // fails on a stack that has interfaces already
	}
	return s, func() { names.Close() }, err
}
