package dns

// The addresses of one full name, of both families at once (RFC 8305 §3).

import (
	"context"
	"net/netip"
	"time"

	msg "github.com/miekg/dns"
)

// resolutionDelay is how long the second family may take once the first is
// there (RFC 8305 §3).
const resolutionDelay = 50 * time.Millisecond

func (r *Resolver) addresses(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	q4, q6 := question{name, msg.TypeA}, question{name, msg.TypeAAAA}
	if !ipv6 {
		f, err := r.find(ctx, q4)
		if err != nil {
			return nil, err
		}
		return f.addrs(), nil
	}
	f4, err := r.join(q4)
	if err != nil {
		return nil, err
	}
	f6, err := r.join(q6)
	if err != nil {
		r.leave(q4, f4)
		return nil, err
	}
	var late <-chan time.Time
	done4, done6 := f4.done, f6.done
	for done4 != nil || done6 != nil {
		var first *flight
		select {
		case <-done4:
			first, done4 = f4, nil
		case <-done6:
			first, done6 = f6, nil
		case <-late:
			// The one that is late goes on, for who asks next.
			return interleave(f4.landedAddrs(), f6.landedAddrs()), nil
		case <-ctx.Done():
			r.leave(q4, f4)
			r.leave(q6, f6)
			return nil, givenUp(ctx)
		}
		if first.answer.err == nil && late == nil {
			timer := time.NewTimer(resolutionDelay)
			defer timer.Stop()
			late = timer.C
		}
	}
	if f4.answer.err == nil || f6.answer.err == nil {
		return interleave(f4.addrs(), f6.addrs()), nil
	}
	// What is not certain is worth more than what is: it may be there later.
	if absent(f4.answer.err) {
		return nil, f6.answer.err
	}
	return nil, f4.answer.err
}

// addrs are the addresses of a flight that has landed.
func (f *flight) addrs() (all []netip.Addr) {
	for _, rec := range f.answer.records {
		if rec.Addr.IsValid() {
			all = append(all, rec.Addr)
		}
	}
	return all
}

// landedAddrs are the addresses of a flight that may have landed.
func (f *flight) landedAddrs() []netip.Addr {
	select {
	case <-f.done:
		return f.addrs()
	default:
		return nil
	}
}

// interleave orders the addresses so that no dead family holds the other up:
// RFC 8305 §4.
func interleave(four, six []netip.Addr) []netip.Addr {
	all := make([]netip.Addr, 0, len(four)+len(six))
	for i := range max(len(four), len(six)) {
		if i < len(six) {
			all = append(all, six[i])
		}
		if i < len(four) {
			all = append(all, four[i])
		}
	}
	return all
}
