package dns

// One question and all the servers: who is asked, in which order, how often. Called
// by the flights; exchange.go asks one of them.

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	msg "github.com/miekg/dns"

	"slashnet/stack/neterr"
)

const (
	// headStart is how long a server has before the next one is asked beside it: a
	// dead one is not noticed by people then, and most answers take less.
	headStart = 300 * time.Millisecond
	// A server that was silent is asked after the others for so long.
	holdDown = 30 * time.Second
)

// ask puts a question to the servers until one answers. One that says it cannot is
// not asked again; one that is silent is.
func (r *Resolver) ask(ctx context.Context, cfg *Config, q question) (*msg.Msg, error) {
	servers := r.order(cfg)
	var said error // by the last that will not be asked again
	for range cfg.Attempts {
		m, silent, err := r.round(ctx, cfg, servers, q)
		switch {
		case m != nil:
			return m, nil
		case ctx.Err() != nil:
			return nil, outOfTime(ctx, q)
		case errors.Is(err, syscall.ENFILE):
			return nil, err // our limit, not their fault
		case err != nil:
			said = err
		}
		if servers = silent; len(servers) == 0 {
			break
		}
	}
	if said != nil {
		return nil, said
	}
	return nil, neterr.NameTimeout.With("%q: %v silent, asked %d times", plain(q.name), servers, cfg.Attempts)
}

// round asks each server once, the next one as soon as one before has failed or has
// had its head start, until one answers. If none does, it gives those that were
// silent, and what another one said.
func (r *Resolver) round(ctx context.Context, cfg *Config, servers []netip.AddrPort, q question) (m *msg.Msg, silent []netip.AddrPort, said error) {
	type verdict struct {
		server netip.AddrPort
		m      *msg.Msg
		err    error
	}
	verdicts := make(chan verdict, len(servers))
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting []netip.AddrPort
	for len(servers)+len(waiting) > 0 {
		var late <-chan time.Time
		if len(servers) > 0 {
			server := servers[0]
			servers, waiting = servers[1:], append(waiting, server)
			asking.Go(func() {
				m, err := r.exchange(ctx, cfg, server, q)
				verdicts <- verdict{server, m, err}
			})
			late = time.After(headStart)
		}
		select {
		case <-late:
			continue
		case v := <-verdicts:
			switch {
			case ctx.Err() != nil:
				return nil, nil, ctx.Err()
			case errors.Is(v.err, syscall.ENFILE):
				return nil, nil, fmt.Errorf("no server asked about %q: %w", plain(q.name), v.err)
			}
			at := slices.Index(waiting, v.server)
			r.heard(v.server, v.err)
			switch {
			case v.err == nil:
				for _, slower := range waiting[:at] {
					r.heard(slower, errSilent) // though it was asked before
				}
				return v.m, nil, nil
			case v.err == errSilent:
				silent = append(silent, v.server)
			default:
				said = neterr.NameFailure.With("%q: %v: %v", plain(q.name), v.server, v.err)
			}
			waiting = slices.Delete(waiting, at, at+1)
		}
	}
	return nil, silent, said
}

// outOfTime is why a flight ended before it knew.
func outOfTime(ctx context.Context, q question) error {
	if ctx.Err() == context.DeadlineExceeded {
		return neterr.NameTimeout.With("%q: none for %v", plain(q.name), maxFlight)
	}
	return neterr.ShuttingDown // or nobody is left to be told
}

// order is the servers in the order they are asked: rotated if that is wanted,
// and those that were silent lately behind.
func (r *Resolver) order(cfg *Config) []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	servers := slices.Clone(cfg.Servers)
	if n := len(servers); cfg.Rotate && n > 0 {
		r.turn = (r.turn + 1) % n
		servers = append(servers[r.turn:], servers[:r.turn]...)
	}
	now := time.Now()
	slices.SortStableFunc(servers, func(a, b netip.AddrPort) int {
		silentA, silentB := now.Before(r.silent[a]), now.Before(r.silent[b])
		switch {
		case silentA == silentB:
			return 0
		case silentA:
			return 1
		}
		return -1
	})
	return servers
}

// heard notes whether a server can be reached.
func (r *Resolver) heard(server netip.AddrPort, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || errors.As(err, new(refusal)) {
		delete(r.silent, server)
		return
	}
	if slices.Contains(r.cfg.Servers, server) {
		r.silent[server] = time.Now().Add(holdDown)
	}
	if err == errSilent {
		r.stats.Silent.Add(1)
	}
}
