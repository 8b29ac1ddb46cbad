package dns

// One message each way: the question with its id and spelling, and whether what
// came back answers it. exchange.go calls it; chain.go reads what passes.

import (
	"crypto/rand"
	"encoding/binary"
	"errors"

	msg "github.com/miekg/dns"
)

const (
	// ednsSize is the largest datagram we take: one that no path fragments, by
	// agreement of those who run servers (RFC 6891 §6.2.5).
	ednsSize = 1232
	// maxMessage is the largest message over TCP: a thousand addresses. The
	// protocol allows 64 KiB, and maxFlights of those are too much to hold.
	maxMessage = 16 << 10
	// maxRecords is how many records a message may announce, so that its names,
	// which compression makes out of two bytes, cannot fill the memory.
	maxRecords = 1024
)

// A question is what one look-up asks, under one name of a chain.
type question struct {
	name string // full, in lower case
	kind uint16
}

// A query is a question on its way to one server: what its answer has to repeat.
type query struct {
	id       uint16
	spelling string // the name with random case
	kind     uint16
	packet   []byte
}

// newQuery draws id and spelling afresh. Each letter that an attacker has to
// guess is one bit more than the 32 of id and port (RFC 5452 §4).
func newQuery(q question, edns bool) (*query, error) {
	var random [2 + (maxName+8)/8]byte
	rand.Read(random[:]) // never fails, by its documentation
	m := new(msg.Msg)
	name := []byte(q.name)
	for i, c := range name {
		if c >= 'a' && c <= 'z' && random[2+i/8]>>(i%8)&1 == 1 {
			name[i] = c - 'a' + 'A'
		}
	}
	m.SetQuestion(string(name), q.kind)
	m.Id = binary.BigEndian.Uint16(random[:])
	if edns {
		m.SetEdns0(ednsSize, false)
	}
	packet, err := m.Pack()
	return &query{m.Id, string(name), q.kind, packet}, err
}

// Why a message is no answer.
var (
	errMalformed = errors.New("malformed")
	errTooBig    = errors.New("too many records")
	errID        = errors.New("wrong id")
	errQuestion  = errors.New("another question")
	errSpelling  = errors.New("another spelling")
)

const headerLen = 12 // RFC 1035 §4.1.1

// read checks that packet answers q. One that answers it but for the spelling
// is given, too, with errSpelling. Nothing is unpacked that the header condemns.
func (q *query) read(packet []byte) (*msg.Msg, error) {
	if len(packet) < headerLen {
		return nil, errMalformed
	}
	if binary.BigEndian.Uint16(packet) != q.id {
		return nil, errID
	}
	records := 0
	for at := 6; at < headerLen; at += 2 {
		records += int(binary.BigEndian.Uint16(packet[at:]))
	}
	if records > maxRecords {
		return nil, errTooBig
	}
	if binary.BigEndian.Uint16(packet[4:]) > 1 {
		return nil, errQuestion
	}
	m := new(msg.Msg)
	if err := m.Unpack(packet); err != nil {
		// A datagram cut short says so, and the rest is there over TCP.
		if !m.Truncated || len(m.Question) != 1 {
			return nil, errMalformed
		}
	}
	if !m.Response || m.Opcode != msg.OpcodeQuery {
		return nil, errMalformed
	}
	if len(m.Question) == 0 && m.Rcode != msg.RcodeSuccess && m.Rcode != msg.RcodeNameError {
		return m, nil // a server that says no to everything, in the shortest way
	}
	if len(m.Question) != 1 || m.Question[0].Qtype != q.kind || m.Question[0].Qclass != msg.ClassINET {
		return nil, errQuestion
	}
	switch name := m.Question[0].Name; {
	case lower(name) != lower(q.spelling):
		return nil, errQuestion
	case name != q.spelling:
		return m, errSpelling
	}
	return m, nil
}
