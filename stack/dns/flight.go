package dns

// Flights: one goroutine for a question, however many ask it. It ends with the
// answer, with its last asker, or with the resolver.

import (
	"context"
	"fmt"
	"time"

	"slashnet/stack/neterr"
)

const (
	// maxFlights is how many questions a view may have on the way. Each holds a
	// goroutine, and one more with a conversation and a buffer for each server that
	// is asked at the moment: 20 kB or so where servers answer.
	maxFlights = 1024
	// maxFlight is how long one may take, whatever attempts, servers and CNAMEs
	// there are: nobody waits longer for a name.
	maxFlight = 30 * time.Second
)

type flight struct {
	done   chan struct{} // closed when the results below are final
	answer *answer
	age    time.Duration // of an answer that was known

	askers int // under the resolver's lock
	cancel context.CancelFunc
}

// landed is the done of a flight that was not needed.
var landed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// join gives the flight that answers q; one that has landed if the answer is
// known. The caller waits for it, or leaves it.
func (r *Resolver) join(q question) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return nil, neterr.ShuttingDown
	}
	if a, age := r.cache.get(q, time.Now()); a != nil {
		r.stats.Hits.Add(1)
		return &flight{done: landed, answer: a, age: age}, nil
	}
	if f := r.flights[q]; f != nil {
		r.stats.Shared.Add(1)
		f.askers++
		return f, nil
	}
	if len(r.cfg.Servers) == 0 {
		return nil, neterr.UnknownName.With("%q is not in the hosts file, and there is no name server to ask", plain(q.name))
	}
	if r.flying >= maxFlights {
		r.stats.Busy.Add(1)
		return nil, neterr.NoConvs.With("%d names are being looked up: one more refused", r.flying)
	}
	ctx, cancel := context.WithTimeout(r.ctx, maxFlight)
	f := &flight{done: make(chan struct{}), askers: 1, cancel: cancel}
	r.flights[q] = f
	r.flying++
	r.ended.Add(1)
	go r.fly(ctx, r.cfg, f, q)
	return f, nil
}

// fly finds the answer.
func (r *Resolver) fly(ctx context.Context, cfg *Config, f *flight, q question) {
	defer r.ended.Done()
	defer f.cancel()
	c := newChain(q, cfg.MaxTTL)
	for {
		m, err := r.ask(ctx, cfg, question{c.at, q.kind})
		if err != nil {
			c.answer = answer{err: err}
			break
		}
		if c.add(m) {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flying--
	a := c.answer // without the rest of the chain
	f.answer = &a
	if r.flights[q] == f { // else nobody waits, or other servers count by now
		delete(r.flights, q)
		keep := c.ttl
		if c.err == nil {
			keep = max(keep, cfg.MinTTL)
		}
		r.stats.Evicted.Add(uint64(r.cache.put(q, f.answer, time.Now(), keep)))
	}
	close(f.done)
}

// leave is what an asker does who waits no longer. The last one ends the flight.
func (r *Resolver) leave(q question, f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.askers--; f.askers > 0 || f.cancel == nil {
		return
	}
	f.cancel()
	if r.flights[q] == f {
		delete(r.flights, q) // nobody is to join it any more
	}
}

// find waits for the answer to q.
func (r *Resolver) find(ctx context.Context, q question) (*flight, error) {
	f, err := r.join(q)
	if err != nil {
		return nil, err
	}
	select {
	case <-f.done:
		return f, f.answer.err
	case <-ctx.Done():
		r.leave(q, f)
		return nil, givenUp(ctx)
	}
}

// givenUp is why an asker waits no longer, as a system call and as a Go program
// see it.
func givenUp(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return fmt.Errorf("%w: %w", neterr.NameTimeout, ctx.Err())
	}
	return fmt.Errorf("%w: %w", neterr.Interrupted, ctx.Err())
}
