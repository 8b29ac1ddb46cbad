package tcp

import (
	"math"
	"time"
)

// cubic is RFC 9438: after a loss the window returns to where it was along a
// cubic curve of time, is flat there, and then probes beyond. Windows in its
// fields are in segments, times in seconds, as in the RFC.
type cubic struct {
	wMax, k float64
	wEst    float64       // what Reno would have: the floor, §4.3
	prior   float64       // cwnd before the last reduction
	origin  float64       // cwnd when this epoch began
	epoch   time.Duration // when; 0: at the next acknowledgement
	running bool

	before struct{ wMax, k, prior float64 } // for undo
}

// RFC 9438 §5 and §4.6.
const (
	cubicC    = 0.4
	cubicBeta = 0.7
)

func (*cubic) name() string { return "cubic" }

// begin starts an epoch, §4.8.
func (c *cubic) begin(w float64, now time.Duration) {
	c.running, c.epoch = true, now
	c.origin, c.wEst = w, w
	if c.wMax < w {
		// no reduction before, or the window has passed it: convex from here
		c.wMax = w
	}
	c.k = math.Cbrt((c.wMax - w) / cubicC) // §4.2, figure 2
}

// at is W_cubic(t), §4.2, figure 1.
func (c *cubic) at(t time.Duration) float64 {
	d := t.Seconds() - c.k
	return cubicC*d*d*d + c.wMax
}

func (c *cubic) avoid(cwnd, n, mss int, now, srtt time.Duration) int {
	w := float64(cwnd) / float64(mss)
	acked := float64(n) / float64(mss)
	if !c.running {
		c.begin(w, now)
	}
	t := now - c.epoch

	// §4.3: alpha makes Reno's rate with our beta, and is 1 once W_est has reached
	// where the window was.
	alpha := 1.0
	if c.wEst < c.prior {
		alpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
	}
	c.wEst += alpha * acked / w
	if c.at(t) < c.wEst {
		return max(cwnd, int(c.wEst*float64(mss)))
	}
	// §4.4 and §4.5
	target := min(max(c.at(t+srtt), w), 1.5*w)
	return cwnd + int((target-w)/w*acked*float64(mss))
}

func (c *cubic) reduce(cwnd, mss int) int {
	w := float64(cwnd) / float64(mss)
	c.before.wMax, c.before.k, c.before.prior = c.wMax, c.k, c.prior
	c.running = false
	c.prior = w
	if w < c.wMax {
		c.wMax = w * (1 + cubicBeta) / 2 // §4.7, fast convergence
	} else {
		c.wMax = w
	}
	return max(int(math.Round(float64(cwnd)*cubicBeta)), 2*mss)
}

func (c *cubic) undo() {
	c.wMax, c.k, c.prior = c.before.wMax, c.before.k, c.before.prior
	c.running = false
}

// rested moves the epoch, so that the curve does not run on while nothing was
// sent (§4.2: the elapsed time does not count idle periods).
func (c *cubic) rested(d time.Duration) {
	if c.running {
		c.epoch += d
	}
}
