package tcp

import (
	"fmt"
	"testing"
)

// Urgent data that arrives, RFC 9293 §3.8.5. A test with the name of a row of
// test/requirements proves that row.

// urgent is how many unread bytes are urgent.
func (s *script) urgent(want int, why string) {
	s.t.Helper()
	if got := s.c.Stats().Urgent; got != want {
		s.t.Errorf("%d bytes up to the end of the urgent ones, want %d: %s", got, want, why)
	}
}

func TestRFC9293_MUST_30(t *testing.T) {
	s := active(t, nil)
	s.inject(". 1:51 ack 1")
	s.urgent(0, "nothing is urgent")
	s.inject("U. 51:101 ack 1 urg 20")
	s.urgent(70, "the pointer is heard")
	s.inject(". 101:151 ack 1")
	s.read(1, 150, "urgent data is data, in its place")
}

// RFC 6093 §3.1: the pointer is one beyond the last urgent byte.
func TestRFC9293_MUST_62(t *testing.T) {
	s := active(t, nil)
	s.inject("U. 1:2 ack 1 urg 1")
	s.urgent(1, "one byte is urgent")
	s.read(1, 1, "that one")
	s.urgent(0, "it was read")
	s.inject("U. 2:12 ack 1 urg 10")
	s.urgent(10, "all of the segment")
}

func TestRFC9293_MUST_31(t *testing.T) {
	s := active(t, func(c *Config) { c.WScale = true })
	const all = 200_000 // more than a pointer of 16 bits can say
	for at := 0; at < all; at += 1000 {
		s.inject(fmt.Sprintf("U. %d:%d ack 1 urg %d", 1+at, 1001+at, min(all-at, 0xffff)))
		s.urgent(min(all, at+0xffff), "as far as is known")
		s.drain()
	}
	s.read(1, all, "all bytes in order")
	s.urgent(0, "all was read")
}

// The user is told before he has read up to it, even before it has come.
func TestRFC9293_MUST_32(t *testing.T) {
	s := active(t, nil)
	s.inject("U. 1:11 ack 1 urg 500")
	s.urgent(500, "ten bytes have come, and 490 more are urgent")
	s.inject("U. 11 ack 1 urg 600")
	s.urgent(610, "a segment without data moves the pointer on")
	s.inject("U. 11:21 ack 1 urg 5")
	s.urgent(610, "and nothing moves it back")
}

func TestRFC9293_MUST_33(t *testing.T) {
	s := active(t, nil)
	s.inject("U. 1:101 ack 1 urg 50")
	for left := 50; left > 0; left -= 10 {
		s.urgent(left, "what is left of it")
		s.read1(10)
	}
	s.urgent(0, "nothing is left, though 50 bytes are unread")
}
