package nic

// What a switch tells about itself: the text files of switch/NAME/ are made
// from these.

import (
	"slices"
	"strings"
	"time"

	"slashnet/wire"
)

// A PortInfo is one port of a switch. For a stack's port, in is from the
// switch to the stack; for an attached NIC, from its wire to the switch.
type PortInfo struct {
	Name     string
	Attached bool
	Stats
}

// Ports are the ports in the order in which they were made.
func (s *Switch) Ports() []PortInfo {
	s.mu.Lock()
	ports := s.ports
	s.mu.Unlock()
	list := make([]PortInfo, 0, len(ports))
	for _, o := range ports {
		info := PortInfo{Name: o.name, Attached: o.attached != nil, Stats: o.counters.Stats()}
		if c, ok := o.attached.(Counted); ok {
			// The NIC counts what it carries, the switch what it did not take from it.
			here := info.Stats
			info.Stats = c.Stats()
			for i, n := range here.Drops {
				info.Drops[i] += n
			}
		}
		list = append(list, info)
	}
	return list
}

// A Station is an address that a switch has learnt.
type Station struct {
	MAC  wire.MAC
	Port string
	Age  time.Duration // since it was last heard
}

// Stations are those remembered now, by address.
func (s *Switch) Stations() []Station {
	now := time.Since(s.started)
	s.mu.Lock()
	s.table.expire(now)
	names := make(map[int]string, len(s.ports))
	for _, o := range s.ports {
		names[o.number] = o.name
	}
	list := make([]Station, 0, len(s.table.stations))
	for mac, st := range s.table.stations {
		list = append(list, Station{MAC: mac, Port: names[st.port], Age: now - st.last})
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b Station) int { return strings.Compare(string(a.MAC[:]), string(b.MAC[:])) })
	return list
}

// SwitchStats count what happened to the table of a switch.
type SwitchStats struct {
	Stations int
	Moves    uint64 // stations heard on another port than before
	Full     uint64 // frames whose sender found no place in the table
}

// Stats are the counters of the table.
func (s *Switch) Stats() SwitchStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SwitchStats{Stations: len(s.table.stations), Moves: s.table.moves, Full: s.table.full}
}
