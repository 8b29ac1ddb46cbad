package main

// slashnet up: puts a stack, its NICs and the mount together, and takes them
// apart on a signal. The other files of it: place.go (where to mount), links.go
// (the NICs), boot.go (what is written at the start), names.go and host.go
// (the stacks and their resolvers).

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"slashnet/fs"
	"slashnet/stack"
)

// parting is how long peers have to take their last bytes and agree to the end.
const parting = 2 * time.Second

var upFlags struct {
	links      links
	names      nameFlags
	gateways   []string
	boot       string
	set        []string
	allowOther bool
	owner      string
	mode       string
	readyFD    int
	logLevel   string
	logJSON    bool
}

var up = command{
	name:    "up",
	args:    "[MOUNTPOINT]",
	summary: "start a stack and mount its tree",
	help: `
Starts a TCP/IP stack on a TAP device and mounts its tree at MOUNTPOINT: by default
/net where that is free, else $XDG_RUNTIME_DIR/net. Stays in the foreground; SIGINT
or SIGTERM close the connections politely, unmount and end it.

  slashnet up                                10.114.0.2, and 10.114.0.1 for the kernel
  slashnet up --nic tap:lab0 --addr 10.1.0.2/24 --host-addr 10.1.0.1/24 /tmp/net
  slashnet up --addr 10.114.0.2/24 --host-addr 10.114.0.1/24 \
              --addr fd00:114::2/64 --host-addr fd00:114::1/64     both families
`,
	flags: func(flags *pflag.FlagSet) {
		f := &upFlags
		flags.StringArrayVar(&f.links.nics, "nic", []string{"tap:slash0"}, "tap:NAME, switch:NAME, link:NAME (which make what they name), or none; repeatable")
		flags.StringArrayVar(&f.links.addrs, "addr", []string{"10.114.0.2/24"}, "address of the first interface; repeatable")
		flags.StringArrayVar(&f.gateways, "gateway", nil, "default route, one for each family; none for no such route (default: the host's end of the TAP)")
		flags.StringArrayVar(&f.links.hosts, "host-addr", []string{"10.114.0.1/24"}, "address of the kernel's end of the TAP, or none; repeatable")
		flags.StringVar(&f.links.mac, "mac", "", "MAC address of the first interface (default: a random local one)")
		flags.IntVar(&f.links.mtu, "mtu", 1500, "largest IP datagram on the cable, 100 to 65521")
		flags.StringArrayVar(&f.names.servers, "dns", nil, "name server, ADDR or ADDR:PORT; repeatable (default: those of /etc/resolv.conf)")
		flags.StringArrayVar(&f.names.search, "search", nil, "domain tried behind a short name; repeatable (default: those of /etc/resolv.conf)")
		flags.StringVar(&f.boot, "boot", "", "file of lines \"path: message\", written at the start, such as \"ctl: ip.ttl 64\" or \"mkdir: link/wire\"")
		flags.StringVar(&f.names.hosts, "hosts", hostsFile, "names that no server is asked for, as in /etc/hosts, or none; views do not have them")
		flags.StringArrayVar(&f.set, "set", nil, "NAME=VALUE: a knob of the file ctl; repeatable")
		flags.BoolVar(&f.allowOther, "allow-other", os.Getuid() == 0, "let other users see the tree")
		flags.StringVar(&f.owner, "owner", "", "UID[:GID] of the tree (default: whoever starts it)")
		flags.StringVar(&f.mode, "mode", "", "0600 closes the tree to all but its owner (default 0666)")
		flags.IntVar(&f.readyFD, "ready-fd", -1, "write \"ready\" and a newline to this descriptor once the tree answers")
		flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
		flags.BoolVar(&f.logJSON, "log-json", false, "log in JSON, a line each")
	},
	run: func(_ *pflag.FlagSet, args []string) error {
		if len(args) > 1 {
			return usageError("one MOUNTPOINT at most")
		}
		arg := ""
		if len(args) == 1 {
			arg = args[0]
		}
		return serveTree(arg)
	},
}

// serveTree runs the daemon until a signal or the end of the mount.
func serveTree(arg string) error {
	f := &upFlags
	log, flush, err := logger(f.logLevel, f.logJSON)
	if err != nil {
		return err
	}
	defer flush()
	owner, err := parseOwner(f.owner)
	if err != nil {
		return err
	}
	mode, err := parseMode(f.mode)
	if err != nil {
		return err
	}
	plan, err := f.links.parse()
	if err != nil {
		return err
	}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	place, err := choosePlace(arg)
	if err != nil {
		return err
	}
	defer place.leave()

	stacks := &maker{owner: owner, names: &f.names, openNIC: plan.open}
	s, release, err := stacks.make(place.path, f.names.forRoot, func(line string) { log.Info().Msg(line) })
	if err != nil {
		return err
	}
	defer release()
	host := stack.NewHost(s, func(name string) (*stack.Stack, func(), error) {
		return stacks.make(boundRoot, f.names.forView, func(line string) { log.Info().Str("view", name).Msg(line) })
	})
	part := func() {
		ctx, cancel := context.WithTimeout(context.Background(), parting)
		defer cancel()
		host.Close(ctx)
	}
	defer part()
	if err := plan.attach(host); err != nil {
		return err
	}
	if err := configure(host, plan.gateways(f.gateways), f.set, f.boot); err != nil {
		return err
	}
	server, err := fs.Mount(place.path, host, fs.Options{AllowOther: f.allowOther, Owner: owner, Mode: mode, Log: func(line string) { log.Warn().Msg(line) }})
	if err != nil {
		return err
	}
	log.Info().Str("tree", place.path).Strs("addr", f.links.addrs).Strs("nic", f.links.nics).Msg("ready")
	if err := sayReady(f.readyFD); err != nil {
		log.Warn().Err(err).Msg("ready-fd")
	}

	select {
	case <-ended.Done():
		log.Info().Msg("ending")
	case <-server.Done():
		log.Info().Msg("unmounted by somebody else")
	}
	stop() // a second signal ends us at once
	part()
	return server.Close()
}

// parseOwner reads UID[:GID]; without a group, the user's number is the group's.
func parseOwner(text string) (stack.User, error) {
	if text == "" {
		return stack.User{UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}, nil
	}
	user, group, both := strings.Cut(text, ":")
	if !both {
		group = user
	}
	uid, err1 := strconv.ParseUint(user, 10, 32)
	gid, err2 := strconv.ParseUint(group, 10, 32)
	if err1 != nil || err2 != nil {
		return stack.User{}, usageError(fmt.Sprintf("--owner %q: numbers are wanted, UID or UID:GID", text))
	}
	return stack.User{UID: uint32(uid), GID: uint32(gid)}, nil
}

// parseMode reads permissions in octal; 0 is the default.
func parseMode(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode == 0 || mode > 0o666 {
		return 0, usageError(fmt.Sprintf("--mode %q: permissions to read and write are wanted in octal, such as 0600", text))
	}
	return uint32(mode), nil
}

// sayReady tells whoever started us.
func sayReady(fd int) error {
	if fd < 0 {
		return nil
	}
	f := os.NewFile(uintptr(fd), "ready-fd")
	if f == nil {
		return fmt.Errorf("%d is no descriptor", fd)
	}
	defer f.Close()
	_, err := f.WriteString("ready\n")
	return err
}
