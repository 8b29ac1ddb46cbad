package wire

import "testing"

// Every frame goes through these: none of them may leave work for the collector.
func TestNoAllocations(t *testing.T) {
	var (
		b     [128]byte
		body  = [][]byte{make([]byte, 33), make([]byte, 77)}
		ether = Ethernet{Dst: peerMAC, Src: hostMAC, Type: EtherIPv4}
		ip    = ipHeaders["all options"]
		syn   = tcpHeaders["syn"]
		sacks = tcpHeaders["sacks"]
		icmp  = ICMPHeader{Type: ICMPEchoRequest}
		udp   = UDPHeader{SrcPort: 1, DstPort: 2, Length: 128}
		sum   uint64
	)
	for name, f := range map[string]func(){
		"Ethernet": func() { ether.Put(b[:]); ether, _, _ = ParseEthernet(b[:]) },
		"ARP": func() {
			p := arpPacket
			p.Put(b[:])
			p, _ = ParseARP(b[:])
		},
		"IPv4":             func() { ip.PutIPv4(b[:], 8); ip, _, _, _ = ParseIPv4(b[:]) },
		"quote":            func() { ip.PutIPv4(b[:], 1000); ip, _, _ = ParseIPv4Quote(b[:]) },
		"ICMP":             func() { icmp.Put(b[:], b[ICMPLen:]); icmp, _, _ = ParseICMP(b[:]) },
		"ICMP in slices":   func() { icmp.Put(b[:], body...) },
		"UDP":              func() { udp.Put(b[:]); udp, _, _ = ParseUDP(b[:]) },
		"SYN":              func() { syn.Put(b[:]); syn, _, _ = ParseTCP(b[:]) },
		"SACK":             func() { sacks.Put(b[:]); sacks, _, _ = ParseTCP(b[:]) },
		"sum":              func() { sum = SumSlices(body, PseudoHeader(host6, peer6, TCP, 110)) },
		"sum of a segment": func() { sum += uint64(TransportChecksum(host4, peer4, TCP, b[:])) },
		"short": func() {
			if _, _, _, err := ParseIPv4(b[:3]); err != ErrShort {
				t.Error(err)
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
