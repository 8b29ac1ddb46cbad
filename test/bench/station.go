package main

// A station is a process on one end of a cable. It serves (services.go), and it
// does the jobs that come as lines of JSON on its input, one after the other;
// each is answered by a line. path.go starts stations.

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime/pprof"
	"time"
)

// patience is how long one job may take: most need a second, ten thousand
// connections three.
const patience = 20 * time.Second

// A post is what the station has to work with.
type post struct {
	network
	descriptors
	tree tree
	held []net.Conn
}

// station is the role; its first line of output says that it is ready.
func station(args []string) error {
	flags := flag.NewFlagSet(atStation, flag.ExitOnError)
	kind := flags.String("kind", "kernel", "kernel, files, or a stack that is linked")
	addr := flags.String("addr", "", "where to serve")
	root := flags.String("tree", "", "where the tree is mounted")
	profile := flags.String("cpuprofile", "", "file for a CPU profile")
	flags.Parse(args)

	ctx := context.Background()
	p := &post{}
	switch *kind {
	case "kernel":
		p.network, p.descriptors = kernel{}, kernel{}
	case "files":
		p.tree = tree(*root)
		p.descriptors = p.tree
	default:
		linked := stacks[*kind]
		if linked == nil {
			return fmt.Errorf("no station of kind %q", *kind)
		}
		var err error
		if p.network, err = linked(); err != nil {
			return err
		}
	}
	if p.network != nil {
		if err := serve(p.network, *addr); err != nil {
			return err
		}
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	return p.work(ctx)
}

// work does the jobs until the input ends.
func (p *post) work(ctx context.Context) error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	out.Encode(outcome{})
	for {
		var j job
		if in.Decode(&j) != nil {
			return nil
		}
		if err := out.Encode(p.do(ctx, &j)); err != nil {
			return err
		}
	}
}

func (p *post) do(ctx context.Context, j *job) outcome {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	load := loads[j.Load]
	if load == nil {
		return outcome{Err: "no load " + j.Load}
	}
	o, err := load(p, ctx, j)
	if err != nil {
		o.Err = err.Error()
	}
	return o
}

func (p *post) dial(ctx context.Context, addr, port string) (net.Conn, error) {
	if p.network == nil {
		return nil, fmt.Errorf("this station has descriptors only")
	}
	c, err := p.network.DialContext(ctx, "tcp", net.JoinHostPort(addr, port))
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	return c, c.SetDeadline(deadline)
}

func (p *post) open(addr string) (stream, error) {
	if p.descriptors == nil {
		return -1, fmt.Errorf("this station has no descriptors")
	}
	fd, err := p.descriptors.Open(net.JoinHostPort(addr, servicePort))
	return stream(fd), err
}
