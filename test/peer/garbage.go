package main

// Frames that nobody should send, from the kernel's side of the cable.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// garbage DEVICE TIME notes what goes to the stack until it gets SIGUSR1. Then it
// sends, for a time, random frames, and those that it has seen with some bits
// turned. Connections that begin later are not among what it knows: a frame that
// fits one in all respects is not garbage.
func garbage(args []string) error {
	device, err := net.InterfaceByName(args[0])
	if err != nil {
		return err
	}
	long, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	const all = 0x0300 // ETH_P_ALL in network order
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, all)
	if err != nil {
		return err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: all, Ifindex: device.Index}); err != nil {
		return err
	}
	start := make(chan os.Signal, 1)
	signal.Notify(start, syscall.SIGUSR1)
	fmt.Println("listening")
	<-start
	good, err := seen(fd)
	if err != nil {
		return err
	}
	fmt.Println(len(good), "good frames seen")
	r := rand.New(rand.NewPCG(5, 6))
	sent := 0
	for begin := time.Now(); time.Since(begin) < long; {
		for range 64 {
			frame := randomFrame(r, good[0])
			if r.IntN(4) > 0 {
				frame = mutate(r, good[r.IntN(len(good))])
			}
			// One that the kernel refuses, or has no room for, does not matter.
			if n, _ := syscall.Write(fd, frame); n > 0 {
				sent++
			}
		}
	}
	fmt.Println(sent, "frames sent")
	return nil
}

// seen are the frames that went to the stack since the socket was made.
func seen(fd int) (frames [][]byte, err error) {
	for {
		b := make([]byte, 1514)
		n, from, err := syscall.Recvfrom(fd, b, syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN && len(frames) == 0:
			return nil, errors.New("no good frame was seen")
		case err == syscall.EAGAIN:
			return frames, nil
		case err != nil:
			return nil, err
		}
		if l, ok := from.(*syscall.SockaddrLinklayer); ok && l.Pkttype == syscall.PACKET_OUTGOING {
			frames = append(frames, b[:n])
		}
	}
}

// randomFrame is random, but mostly for the stack, so that it is looked at.
func randomFrame(r *rand.Rand, good []byte) []byte {
	frame := make([]byte, 14+r.IntN(1500))
	for i := range frame {
		frame[i] = byte(r.Uint32())
	}
	if r.IntN(8) > 0 {
		copy(frame, good[:6])
		types := []uint16{0x0800, 0x0800, 0x0806, 0x86dd}
		typ := types[r.IntN(len(types))]
		frame[12], frame[13] = byte(typ>>8), byte(typ)
	}
	return frame
}

// mutate turns some bits of a frame, or cuts it. Half of them have the checksums
// that they should have, so that they get further.
func mutate(r *rand.Rand, good []byte) []byte {
	frame := append([]byte(nil), good...)
	for range 1 + r.IntN(4) {
		// The headers rather than the payload.
		i := r.IntN(min(len(frame), 80))
		frame[i] ^= byte(1 << r.IntN(8))
	}
	switch r.IntN(8) {
	case 0:
		frame = frame[:14+r.IntN(len(frame)-13)]
	case 1:
		frame = append(frame, make([]byte, r.IntN(64))...)
	}
	if r.IntN(2) == 0 {
		sumUp(frame)
	}
	return frame
}

// sumUp makes the checksums of an IPv4 frame right, where its lengths allow it.
func sumUp(frame []byte) {
	if len(frame) < 34 || frame[12] != 8 || frame[13] != 0 {
		return
	}
	ip := frame[14:]
	head := int(ip[0]&15) * 4
	total := min(int(ip[2])<<8|int(ip[3]), len(ip))
	if head < 20 || head > total {
		return
	}
	put(ip[10:], ip[:head], 0)
	body := ip[head:total]
	pseudo := sum(ip[12:20], 0) + uint32(ip[9]) + uint32(len(body))
	switch {
	case ip[9] == 6 && len(body) >= 20:
		put(body[16:], body, pseudo)
	case ip[9] == 17 && len(body) >= 8:
		put(body[6:], body, pseudo)
	case ip[9] == 1 && len(body) >= 8:
		put(body[2:], body, 0)
	}
}

// put writes the checksum of b, of which the field is a part.
func put(field, b []byte, start uint32) {
	field[0], field[1] = 0, 0
	s := sum(b, start)
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	field[0], field[1] = byte(^s>>8), byte(^s)
}

func sum(b []byte, start uint32) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		start += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		start += uint32(b[len(b)-1]) << 8
	}
	return start
}
