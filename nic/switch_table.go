package nic

// The learning table of a switch: which station was last heard on which port.
// Pure; Switch holds its lock around it.

import (
	"time"

	"slashnet/wire"
)

const (
	// stationAge is how long a station that is silent is remembered: the ageing
	// time that IEEE 802.1Q §8.8.3 recommends.
	stationAge = 300 * time.Second
	// stationsMax bounds the table. One who sends from ever new addresses fills
	// it, and frames to newer stations are flooded; known ones are not pushed out.
	stationsMax = 4096
)

// A table remembers stations, in the order in which they were last heard.
type table struct {
	age      time.Duration
	max      int
	stations map[wire.MAC]*station
	heard    station // the ring's end mark: next is the one heard longest ago
	full     uint64  // stations that found no place
	moves    uint64  // stations that were heard on another port than before
}

type station struct {
	mac        wire.MAC
	port       int
	last       time.Duration
	prev, next *station
}

func newTable(age time.Duration, max int) *table {
	t := &table{age: age, max: max, stations: make(map[wire.MAC]*station)}
	t.heard.prev, t.heard.next = &t.heard, &t.heard
	return t
}

// learn notes that a station was heard on a port.
func (t *table) learn(mac wire.MAC, port int, now time.Duration) {
	t.expire(now)
	s := t.stations[mac]
	switch {
	case s != nil:
		if s.port != port {
			t.moves++
		}
		s.unlink()
	case len(t.stations) >= t.max:
		t.full++
		return
	default:
		s = &station{mac: mac}
		t.stations[mac] = s
	}
	s.port, s.last = port, now
	s.prev, s.next = t.heard.prev, &t.heard
	s.prev.next, s.next.prev = s, s
}

// find is the port of a station.
func (t *table) find(mac wire.MAC, now time.Duration) (port int, ok bool) {
	s := t.stations[mac]
	if s == nil || now-s.last >= t.age {
		return 0, false
	}
	return s.port, true
}

// expire forgets who has been silent for too long.
func (t *table) expire(now time.Duration) {
	for s := t.heard.next; s != &t.heard && now-s.last >= t.age; s = t.heard.next {
		t.forget(s)
	}
}

// forgetPort forgets the stations of a port that is gone.
func (t *table) forgetPort(port int) {
	for _, s := range t.stations {
		if s.port == port {
			t.forget(s)
		}
	}
}

func (t *table) forget(s *station) {
	s.unlink()
	delete(t.stations, s.mac)
}

func (s *station) unlink() {
	s.prev.next, s.next.prev = s.next, s.prev
}
