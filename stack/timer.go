package stack

// Timers are data: a heap of deadlines under the stack's lock, and one real
// timer armed to the earliest. settle files, Tick and the real timer expire.

import (
	"container/heap"
	"math"
	"time"
)

// never is a deadline that does not come.
const never = time.Duration(math.MaxInt64)

// timed is whatever has a deadline: conversations, interfaces, reassembly.
type timed interface {
	deadline() (at time.Duration, ok bool)
	tick()
}

// A timer is the place of something timed in the heap.
type timer struct {
	what timed
	at   time.Duration // as filed: never later than the deadline
	pos  int           // in the heap, plus one; 0: not filed
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i+1, j+1
}
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.pos = len(*h)
}
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.pos = 0
	return t
}

func (h timerHeap) top() (time.Duration, bool) {
	if len(h) == 0 {
		return 0, false
	}
	return h[0].at, true
}

// file puts t where its deadline says. An earlier deadline moves at once; a
// later one is found when the filed one expires, so that the ACKs that push a
// retransmission timer back never touch the heap.
func (s *Stack) file(t *timer) {
	at, ok := t.what.deadline()
	switch {
	case !ok || t.pos != 0 && at >= t.at:
		return
	case t.pos != 0:
		t.at = at
		heap.Fix(&s.timers, t.pos-1)
	default:
		t.at = at
		heap.Push(&s.timers, t)
	}
}

// unfile takes t out, for good.
func (s *Stack) unfile(t *timer) {
	if t.pos != 0 {
		heap.Remove(&s.timers, t.pos-1)
	}
}

// expire ticks everything that is due, each once: a tick that leaves its
// deadline in the past is called again by the next expire, not for ever by this.
func (s *Stack) expire() {
	var due []*timer
	for len(s.timers) > 0 && s.timers[0].at <= s.now {
		due = append(due, heap.Pop(&s.timers).(*timer))
	}
	for _, t := range due {
		if at, ok := t.what.deadline(); ok && at <= s.now {
			t.what.tick()
		}
		s.file(t)
	}
}

// arm sets the real timer to the earliest deadline.
func (s *Stack) arm() {
	at, ok := s.timers.top()
	if !ok || at >= s.armed || s.cfg.Now != nil {
		return
	}
	s.armed = at
	if s.wakeup == nil {
		s.wakeup = time.AfterFunc(max(0, at-s.now), s.Tick)
	} else {
		s.wakeup.Reset(max(0, at-s.now))
	}
}
