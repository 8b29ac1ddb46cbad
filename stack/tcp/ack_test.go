package tcp

import (
	"fmt"
	"testing"
	"time"

	"slashnet/wire"
)

// When we acknowledge, RFC 9293 §3.8.6.3 and §3.10.7.4, and what behind holes: RFC
// 2018. A test with the name of a row of test/requirements proves that row.

func TestRFC9293_SHLD_18(t *testing.T) {
	s := active(t, nil)
	s.inject("P. 1:101 ack 1")
	s.expectIdle("an ACK may wait")
	s.write(10)
	s.expect("P. 1:11 ack 101", "it goes with data")
	s.inject(". 101 ack 11")
	s.advance(time.Second)
	s.expectIdle("and not again")
}

func TestRFC9293_MUST_40(t *testing.T) {
	s := active(t, nil)
	for at := 1; at < 1001; at += 100 {
		s.inject(fmt.Sprintf("P. %d:%d ack 1", at, at+100))
		s.until(s.cfg.DelAck, "it waits, but not long")
		s.expect(fmt.Sprintf(". 1 ack %d", at+100), "delayed ACK")
	}
	if s.cfg.DelAck >= 500*time.Millisecond {
		t.Errorf("acknowledgements are delayed by %v, want less than 500ms", s.cfg.DelAck)
	}
	if s.cfg.Counters.DelayedAcks != 10 {
		t.Errorf("%d were counted, want 10", s.cfg.Counters.DelayedAcks)
	}
}

func TestRFC9293_SHLD_19(t *testing.T) {
	s := active(t, nil)
	for at := 1; at < 10*1460; at += 2 * 1460 {
		s.inject(fmt.Sprintf(". %d:%d ack 1", at, at+1460))
		s.expectIdle("one full segment may wait")
		s.inject(fmt.Sprintf(". %d:%d ack 1", at+1460, at+2920))
		s.expect(fmt.Sprintf(". 1 ack %d", at+2920), "the second may not")
		s.expectIdle("one for both")
	}
}

// n segments, one ACK.
func TestRFC9293_MUST_58(t *testing.T) {
	s := active(t, nil)
	for i := range 8 {
		h := wire.TCPHeader{Seq: s.irs + 1 + wire.Seq(1460*i), Ack: s.iss + 1, Flags: wire.ACK, Window: 65535}
		s.raw(&h, bytesAt(1+1460*i, 1460))
	}
	s.expect(". 1 ack 11681", "one ACK for eight")
	s.expectIdle("one")
}

func TestRFC9293_SHLD_31(t *testing.T) {
	s := active(t, nil)
	for _, at := range []int{901, 101, 501, 701, 301} {
		s.inject(fmt.Sprintf(". %d:%d ack 1", at, at+200))
	}
	s.drain()
	if s.c.Unread() != 0 || s.c.Stats().OutOfOrder != 1000 {
		t.Errorf("%d bytes may be read and %d are kept, want 0 and 1000", s.c.Unread(), s.c.Stats().OutOfOrder)
	}
	s.inject(". 1:101 ack 1")
	s.expect(". 1 ack 1101", "none of them has to come again")
	s.read(1, 1100, "in order")
}

func TestRFC9293_MUST_59(t *testing.T) {
	s := active(t, nil)
	for _, at := range []int{101, 301, 501} {
		s.inject(fmt.Sprintf(". %d:%d ack 1", at, at+100))
		s.drain()
	}
	s.inject(". 1:101 ack 1")
	s.inject(". 201:301 ack 1")
	s.inject(". 401:501 ack 1")
	s.expect(". 1 ack 601", "all that has come was worked off before")
	s.expectIdle("one ACK for three holes")
}

func TestRFC9293_MAY_13(t *testing.T) {
	s := active(t, nil)
	s.inject(". 101:201 ack 1")
	s.expect(". 1 ack 1 sack 101-201", "at once: RFC 5681 §4.2")
	s.inject(". 1:51 ack 1")
	s.expect(". 1 ack 51 sack 101-201", "and for one that fills a part of the hole")
}

func TestQuickAck(t *testing.T) {
	s := active(t, func(c *Config) { c.QuickAck = 2 })
	s.inject("P. 1:11 ack 1")
	s.expect(". 1 ack 11", "first")
	s.inject("P. 11:21 ack 1")
	s.expect(". 1 ack 21", "second")
	s.inject("P. 21:31 ack 1")
	s.expectIdle("third")
	s.c.SetQuickAck(true)
	s.inject("P. 31:41 ack 1")
	s.expect(". 1 ack 41", "the user wants it")
}

func TestRFC2018_BLOCKS(t *testing.T) {
	s := active(t, nil)
	s.inject(". 101:201 ack 1")
	s.expect(". 1 ack 1 sack 101-201", "first")
	s.inject(". 301:401 ack 1")
	s.expect(". 1 ack 1 sack 301-401,101-201", "most recent first")
	s.inject(". 501:601 ack 1")
	s.expect(". 1 ack 1 sack 501-601,301-401,101-201", "three")
	s.inject(". 701:801 ack 1")
	s.inject(". 901:1001 ack 1")
	s.expect(". 1 ack 1 sack 901-1001,701-801,501-601,301-401", "four at most")
	s.inject(". 201:301 ack 1")
	s.expect(". 1 ack 1 sack 101-401,901-1001,701-801,501-601", "neighbours are one block, remembered or not")
	s.inject(". 1:101 ack 1")
	s.expect(". 1 ack 401 sack 901-1001,701-801,501-601", "the first hole is filled")
	s.inject(". 401:501 ack 1")
	s.inject(". 601:701 ack 1")
	s.inject(". 801:901 ack 1")
	s.expect(". 1 ack 1001", "all, in one ACK")
	s.read(1, 1000, "in order")
}
