package main

// slashnet dial: standard input and output as a connection.

import (
	"os"

	"github.com/spf13/pflag"
)

var dialUDP bool

var dial = command{
	name:    "dial",
	args:    "ADDR",
	summary: "connect standard input and output to an address",
	help: `
Connects to ADDR, HOST:PORT with a number or a name of /etc/services for the
port, sends what comes from standard input and prints what comes back. At the end
of input it closes its sending side and waits for the peer to close its own.

  printf 'GET / HTTP/1.0\r\n\r\n' | slashnet dial 10.114.0.1:80
`,
	flags: func(flags *pflag.FlagSet) {
		dialUDP = false
		flags.BoolVarP(&dialUDP, "udp", "u", false, "datagrams: one for each read of standard input; ends by a signal")
	},
	run: func(_ *pflag.FlagSet, args []string) error {
		if len(args) != 1 {
			return usageError("one ADDR is wanted, such as 10.114.0.1:80")
		}
		proto := "tcp"
		if dialUDP {
			proto = "udp"
		}
		c, err := clone(proto)
		if err != nil {
			return err
		}
		defer c.ctl.Close()
		if err := c.send("connect " + args[0]); err != nil {
			return err
		}
		return c.join(os.Stdin, os.Stdout)
	},
}
