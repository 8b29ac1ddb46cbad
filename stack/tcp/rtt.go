package tcp

import "time"

// rtt estimates the round-trip time and says how long to wait for an
// acknowledgement: RFC 6298. ack.go feeds it, timers.go doubles it.
type rtt struct {
	srtt, rttvar time.Duration
	rto          time.Duration // as it is, doublings included
	sampled      bool
	doubled      bool // rto was, since the last sample
}

// granularity is G of RFC 6298: how exact the clock is at least.
const granularity = time.Millisecond

func (r *rtt) sample(m time.Duration, cfg *Config) {
	m = max(m, time.Microsecond)
	if !r.sampled {
		// RFC 6298 §2.2
		r.sampled = true
		r.srtt, r.rttvar = m, m/2
	} else {
		// RFC 6298 §2.3
		r.rttvar += ((r.srtt - m).Abs() - r.rttvar) / 4
		r.srtt += (m - r.srtt) / 8
	}
	r.compute(cfg)
}

// compute takes doublings back: it is called when there is a clean sample.
func (r *rtt) compute(cfg *Config) {
	r.doubled = false
	r.rto = min(max(r.srtt+max(granularity, 4*r.rttvar), cfg.RTOMin), cfg.RTOMax)
}

// backOff doubles the timeout, RFC 6298 §5.5.
func (r *rtt) backOff(cfg *Config) {
	r.rto, r.doubled = min(2*r.rto, cfg.RTOMax), true
}
