package main

// slashnet ping: echo requests through icmp/clone, in Plan 9's form: each packet
// begins with an IP header, which the stack fills in.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

const (
	ipHeader    = 20 // IPv4 without options, RFC 791 §3.1
	echoHeader  = 8  // RFC 792, page 14
	echoRequest = 8
	echoReply   = 0
	maxEcho     = 65535 - ipHeader - echoHeader
)

var pingFlags struct {
	count         int
	interval, max time.Duration
	size          int
}

var ping = command{
	name:    "ping",
	args:    "HOST",
	summary: "echo requests, through files",
	help: `
Sends ICMP echo requests to HOST and prints a line for each answer. Fails when none
of them was answered.

  slashnet ping -c 3 10.114.0.1
`,
	flags: func(flags *pflag.FlagSet) {
		flags.IntVarP(&pingFlags.count, "count", "c", 4, "send this many; 0: until a signal")
		flags.DurationVarP(&pingFlags.interval, "interval", "i", time.Second, "time between two")
		flags.DurationVarP(&pingFlags.max, "wait", "W", time.Second, "how long to wait for an answer")
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
	c, err := clone("icmp")
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
		size, ttl, took, err := echo(data, uint16(seq))
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

// echo sends one request and waits for its answer.
func echo(data *os.File, seq uint16) (size, ttl int, took time.Duration, err error) {
	packet := make([]byte, ipHeader+echoHeader+pingFlags.size)
	packet[ipHeader] = echoRequest
	binary.BigEndian.PutUint16(packet[ipHeader+6:], seq)
	for i := range packet[ipHeader+echoHeader:] {
		packet[ipHeader+echoHeader+i] = byte(i)
	}
	begin := time.Now()
	if _, err := data.Write(packet); err != nil {
		return 0, 0, 0, err
	}
	if err := data.SetReadDeadline(begin.Add(pingFlags.max)); err != nil {
		return 0, 0, 0, err
	}
	answer := make([]byte, ipHeader+echoHeader+maxEcho)
	for {
		n, err := data.Read(answer)
		if err != nil {
			return 0, 0, 0, err
		}
		if n < ipHeader+echoHeader || answer[ipHeader] != echoReply {
			continue
		}
		// A late answer to an earlier request is not this one's.
		if binary.BigEndian.Uint16(answer[ipHeader+6:]) == seq {
			return n - ipHeader, int(answer[8]), time.Since(begin), nil
		}
	}
}
