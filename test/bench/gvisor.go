package main

// gVisor's netstack in the station's own process, where inprocess.go has ours:
// the other TCP that a Go program could link. Two kinds: on its own fdbased
// endpoint, which is what its users get on a TAP, and on our NIC with the
// offloads of virtio-net, which is what it could be.

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"slashnet/nic"
	"slashnet/wire"
)

// tapName is the TAP that a station makes.
const tapName = "slash0"

// gvisorFD is gVisor as shipped: fdbased reads and writes frames of the MTU.
func gvisorFD() (network, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(tapName)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, fmt.Errorf("making the TAP %s: %w", tapName, err)
	}
	for _, words := range []string{"addr add " + peerAddr + "/24 dev " + tapName, "link set " + tapName + " up"} {
		if out, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ip %s: %w: %s", words, err, out)
		}
	}
	e, err := fdbased.New(&fdbased.Options{FDs: []int{fd}, MTU: 1500, EthernetHeader: true, Address: "\x02\x00\x00\x00\x00\x02"})
	if err != nil {
		return nil, err
	}
	return newGVisor(e)
}

// gvisorNIC is gVisor on the NIC that our stack has.
func gvisorNIC() (network, error) {
	tap, err := nic.OpenTAP(nic.Options{Name: tapName})
	if err != nil {
		return nil, err
	}
	if err := tap.ConfigureHost(netip.MustParsePrefix(peerAddr + "/24")); err != nil {
		return nil, err
	}
	return newGVisor(&offloading{nic: tap})
}

// gvisor dials and listens.
type gvisor struct{ stack *stack.Stack }

// gvisorNICID is the only NIC's.
const gvisorNICID = 1

// The buffers: gVisor's defaults, and its own ceiling.
const (
	gvisorBuffer    = 1 << 20
	gvisorBufferMax = 8 << 20
)

func newGVisor(e stack.LinkEndpoint) (network, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	sack, cc, moderate := tcpip.TCPSACKEnabled(true), tcpip.CongestionControlOption("cubic"), tcpip.TCPModerateReceiveBufferOption(true)
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: gvisorBuffer, Max: gvisorBufferMax}
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: gvisorBuffer, Max: gvisorBufferMax}
	for _, option := range []tcpip.SettableTransportProtocolOption{&sack, &cc, &moderate, &send, &receive} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return nil, fmt.Errorf("gVisor: %T: %v", option, err)
		}
	}
	if err := s.CreateNIC(gvisorNICID, e); err != nil {
		return nil, fmt.Errorf("gVisor: %v", err)
	}
	at := netip.MustParsePrefix(ourAddr + "/24")
	address := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(at.Addr().As4()), PrefixLen: at.Bits()}
	if err := s.AddProtocolAddress(gvisorNICID, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: address}, stack.AddressProperties{}); err != nil {
		return nil, fmt.Errorf("gVisor: %s: %v", at, err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: address.Subnet(), NIC: gvisorNICID}})
	return gvisor{s}, nil
}

func full(addr string) (a tcpip.FullAddress, err error) {
	p, err := netip.ParseAddrPort(addr)
	if err != nil {
		return a, err
	}
	return tcpip.FullAddress{NIC: gvisorNICID, Addr: tcpip.AddrFrom4(p.Addr().As4()), Port: p.Port()}, nil
}

func (g gvisor) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	a, err := full(addr)
	if err != nil {
		return nil, err
	}
	return gonet.DialContextTCP(ctx, g.stack, a, ipv4.ProtocolNumber)
}

func (g gvisor) Listen(_, addr string) (net.Listener, error) {
	a, err := full(addr)
	if err != nil {
		return nil, err
	}
	return gonet.ListenTCP(g.stack, a, ipv4.ProtocolNumber)
}

// offloading is a link endpoint of gVisor on a NIC that cuts and sums. It makes
// frames as thin as can be: what is slow above it is gVisor.
type offloading struct {
	nic nic.NIC
	up  stack.NetworkDispatcher
}

func (o *offloading) MTU() uint32             { return uint32(o.nic.MTU()) }
func (o *offloading) SetMTU(uint32)           {}
func (o *offloading) MaxHeaderLength() uint16 { return header.EthernetMinimumSize }
func (o *offloading) LinkAddress() tcpip.LinkAddress {
	m := o.nic.MAC()
	return tcpip.LinkAddress(m[:])
}
func (o *offloading) SetLinkAddress(tcpip.LinkAddress)        {}
func (o *offloading) IsAttached() bool                        { return o.up != nil }
func (o *offloading) Wait()                                   {}
func (o *offloading) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }
func (o *offloading) Close()                                  { o.nic.Close() }
func (o *offloading) SetOnCloseAction(func())                 {}
func (o *offloading) GSOMaxSize() uint32                      { return gsoMax }
func (o *offloading) SupportedGSO() stack.SupportedGSO        { return stack.HostGSOSupported }
func (o *offloading) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityResolutionRequired | stack.CapabilityRXChecksumOffload
}

// gsoMax leaves room for the headers in a frame of 64 KiB.
const gsoMax = 1<<16 - 1 - header.EthernetMinimumSize - 120

// Attach begins to read.
func (o *offloading) Attach(up stack.NetworkDispatcher) {
	o.up = up
	if up != nil {
		o.nic.Start(o)
	}
}

// AddHeader writes Ethernet's.
func (o *offloading) AddHeader(p *stack.PacketBuffer) {
	header.Ethernet(p.LinkHeader().Push(header.EthernetMinimumSize)).Encode(&header.EthernetFields{
		SrcAddr: p.EgressRoute.LocalLinkAddress,
		DstAddr: p.EgressRoute.RemoteLinkAddress,
		Type:    p.NetworkProtocolNumber,
	})
}

// ParseHeader takes Ethernet's off.
func (o *offloading) ParseHeader(p *stack.PacketBuffer) bool {
	h, ok := p.LinkHeader().Consume(header.EthernetMinimumSize)
	if ok {
		p.NetworkProtocolNumber = header.Ethernet(h).Type()
	}
	return ok
}

// Receive runs frames up. gVisor keeps what it is given and we are lent it, so
// there is one copy more than there need be: of a frame that is in the cache, a
// twentieth of what reading it costs.
func (o *offloading) Receive(batch []*nic.Frame) {
	for _, f := range batch {
		p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(f.Head)})
		p.RXChecksumValidated = f.NeedsCsum || f.CsumValid
		if o.ParseHeader(p) {
			o.up.DeliverNetworkPacket(p.NetworkProtocolNumber, p)
		}
		p.DecRef()
	}
}

// WritePackets sends frames with the marks that gVisor put on them.
func (o *offloading) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	for _, p := range list.AsSlice() {
		slices := p.AsSlices()
		f := nic.Frame{Head: slices[0], Body: slices[1:]}
		if g := p.GSOOptions; g.NeedsCsum {
			f.NeedsCsum, f.CsumStart, f.CsumOffset = true, header.EthernetMinimumSize+g.L3HdrLen, g.CsumOffset
			if p.Data().Size() > int(g.MSS) {
				f.GSO, f.GSOSize, f.HeaderLen = wire.GSOTCPv4, g.MSS, uint16(p.HeaderSize())
			}
		}
		if err := o.nic.Send(&f); err != nil {
			return 0, &tcpip.ErrNoBufferSpace{}
		}
	}
	return list.Len(), nil
}
