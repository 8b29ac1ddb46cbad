package nic

// What is wrong with a bad cable, as numbers, and the dice that decide for each
// frame. Pure; Lossy throws them and acts.

import (
	"math/rand/v2"
	"time"

	"slashnet/stack/neterr"
)

const (
	// delayMax is beyond any path on Earth, or to the Moon and back many times.
	delayMax = time.Minute
	// rateMin keeps the time that one 64 KiB frame takes within sanity.
	rateMin = 1000
	// rateMax is beyond any cable, and the nanoseconds that a frame takes are still
	// more than none.
	rateMax = 1e12
	// queueMax bounds what waits for the rate, in frames; queueDefault is Linux's
	// length of an Ethernet's queue.
	queueMax, queueDefault = 100_000, 1000
)

// An Impair is what a Lossy link does to the frames of one direction. The zero
// value does nothing. The chances are between 0 and 1, and independent.
type Impair struct {
	Loss      float64 // a frame is gone
	Duplicate float64 // it comes twice
	Corrupt   float64 // one bit of it is turned round
	Reorder   float64 // it does not take the delay, and overtakes those that do

	Delay  time.Duration
	Jitter time.Duration // the delay varies by as much, up and down; order is kept

	Rate  int64 // bits a second; 0: unlimited
	Queue int   // frames that may wait for the rate; 0: 1000

	Seed uint64 // the same seed and the same frames have the same fate
}

// Validate names the first thing that makes no sense.
func (p Impair) Validate() error {
	for _, c := range []struct {
		name   string
		chance float64
	}{{"loss", p.Loss}, {"dup", p.Duplicate}, {"corrupt", p.Corrupt}, {"reorder", p.Reorder}} {
		if !(c.chance >= 0 && c.chance <= 1) { // nor NaN
			return neterr.BadArg.With("%s %v%%: want 0%% to 100%%", c.name, 100*c.chance)
		}
	}
	switch {
	case p.Delay < 0 || p.Delay > delayMax:
		return neterr.BadArg.With("delay %v: want 0s to %v", p.Delay, delayMax)
	case p.Jitter < 0 || p.Jitter > p.Delay:
		return neterr.BadArg.With("jitter %v: want 0s to the delay, which is %v", p.Jitter, p.Delay)
	case p.Reorder > 0 && p.Delay == 0:
		return neterr.BadArg.With("reorder without a delay: there is nothing to overtake")
	case p.Rate != 0 && (p.Rate < rateMin || p.Rate > rateMax):
		return neterr.BadArg.With("rate %d bit/s: want 0 (unlimited) or %d to %d", p.Rate, rateMin, int64(rateMax))
	case p.Queue < 0 || p.Queue > queueMax:
		return neterr.BadArg.With("queue %d: want 0 (the default, %d) to %d frames", p.Queue, queueDefault, queueMax)
	case p.Queue > 0 && p.Rate == 0:
		return neterr.BadArg.With("queue without a rate: nothing would wait in it")
	}
	return nil
}

// A fate is what happens to one frame.
type fate struct {
	lost, twice, corrupt, early bool
	where                       float64       // of the frame, the bit that turns
	delay                       time.Duration // with its jitter
}

// throw decides for one frame. It takes the same number of random values
// whatever the parameters: more loss does not change which frames are doubled.
func (p Impair) throw(r *rand.Rand) fate {
	f := fate{
		lost:    r.Float64() < p.Loss,
		twice:   r.Float64() < p.Duplicate,
		corrupt: r.Float64() < p.Corrupt,
		where:   r.Float64(),
		early:   r.Float64() < p.Reorder,
	}
	f.delay = p.Delay + time.Duration((2*r.Float64()-1)*float64(p.Jitter))
	if f.early {
		f.delay = 0
	}
	return f
}
