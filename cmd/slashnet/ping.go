package main

// slashnet ping: echo requests through icmp/clone, in Plan 9's form: each packet
// begins with an IP header, which the stack fills in.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

const (
	echoHeader = 8 // RFC 792, page 14; RFC 4443 §4.1
	maxEcho    = 65535 - 20 - echoHeader
)

// An echoing is what pings of a family look like in the files: a packet begins
// with the IP header.
type echoing struct {
	proto          string
	header, ttlAt  int
	request, reply byte
}

var (
	echo4 = echoing{"icmp", 20, 8, 8, 0}       // RFC 791 §3.1, RFC 792
	echo6 = echoing{"icmpv6", 40, 7, 128, 129} // RFC 8200 §3, RFC 4443
)

var pingFlags struct {
	count         int
	interval, max time.Duration
	size          int
	v6            bool
}

var ping = command{
	name:    "ping",
	args:    "HOST",
	summary: "echo requests, through files",
	help: `
Sends ICMP echo requests to HOST and prints a line for each answer. Fails when none
of them was answered. An IPv6 address is asked by ICMPv6; a name is with -6.

  slashnet ping -c 3 10.114.0.1
`,
	flags: func(flags *pflag.FlagSet) {
		flags.IntVarP(&pingFlags.count, "count", "c", 4, "send this many; 0: until a signal")
		flags.DurationVarP(&pingFlags.interval, "interval", "i", time.Second, "time between two")
		flags.DurationVarP(&pingFlags.max, "wait", "W", time.Second, "how long to wait for an answer")
		flags.BoolVarP(&pingFlags.v6, "ipv6", "6", false, "the IPv6 address of a name")
		flags.IntVarP(&pingFlags.size, "size", "s", 56, "bytes of data in each")
	},
	run: func(_ *pflag.FlagSet, args []string) error {
		switch {
		case len(args) != 1:
			return usageError("one HOST is wanted, such as 10.114.0.1")
		case pingFlags.size < 0 || pingFlags.size > maxEcho:
			return usageError(fmt.Sprintf("--size %d: a packet holds 0 to %d bytes", pingFlags.size, maxEcho))
		case pingFlags.interval <= 0 || pingFlags.max <= 0:
			return usageError("--interval and --wait are times above zero, such as 200ms")
		}
		return pingHost(args[0])
	},
}

func pingHost(host string) error {
	e := echo4
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() || err != nil && pingFlags.v6 {
		e = echo6
	}
	c, err := clone(e.proto)
	if err != nil {
		return err
	}
	defer c.ctl.Close()
	// The port is ICMP's identifier on our side and nothing on theirs.
	if err := c.send("connect " + host + "!1"); err != nil {
		return err
	}
	remote, err := c.text("remote")
	if err != nil {
		return err
	}
	remote, _, _ = strings.Cut(remote, "!")
	// Nonblocking, unlike open: the deadline of a read works by poll.
	data, err := os.OpenFile(filepath.Join(c.dir, "data"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer data.Close()

	answered, sent := 0, 0
	next := time.NewTicker(pingFlags.interval)
	defer next.Stop()
	for seq := 0; pingFlags.count == 0 || seq < pingFlags.count; seq++ {
		if seq > 0 {
			<-next.C
		}
		sent++
		size, ttl, took, err := e.once(data, uint16(seq))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			fmt.Printf("no answer from %s: seq=%d after %v\n", remote, seq, pingFlags.max)
			continue
		}
		if err != nil {
			if words, _ := c.text("err"); words != "" {
				return fmt.Errorf("%s: %s", host, words)
			}
			return err
		}
		answered++
		fmt.Printf("%d bytes from %s: seq=%d ttl=%d time=%.3f ms\n", size, remote, seq, ttl, float64(took.Microseconds())/1000)
	}
	fmt.Printf("%d sent, %d answered\n", sent, answered)
	if answered == 0 {
		return fmt.Errorf("%s did not answer", host)
	}
	return nil
}

// once sends one request and waits for its answer.
func (e echoing) once(data *os.File, seq uint16) (size, ttl int, took time.Duration, err error) {
	packet := make([]byte, e.header+echoHeader+pingFlags.size)
	packet[e.header] = e.request
	binary.BigEndian.PutUint16(packet[e.header+6:], seq)
	for i := range packet[e.header+echoHeader:] {
		packet[e.header+echoHeader+i] = byte(i)
	}
	begin := time.Now()
	if _, err := data.Write(packet); err != nil {
		return 0, 0, 0, err
	}
	if err := data.SetReadDeadline(begin.Add(pingFlags.max)); err != nil {
		return 0, 0, 0, err
	}
	answer := make([]byte, e.header+echoHeader+maxEcho)
	for {
		n, err := data.Read(answer)
		if err != nil {
			return 0, 0, 0, err
		}
		if n < e.header+echoHeader || answer[e.header] != e.reply {
			continue
		}
		// A late answer to an earlier request is not this one's.
		if binary.BigEndian.Uint16(answer[e.header+6:]) == seq {
			return n - e.header, int(answer[e.ttlAt]), time.Since(begin), nil
		}
	}
}
