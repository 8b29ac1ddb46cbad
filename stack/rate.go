package stack

// limit.rate: how many bytes a second pass an interface, loopback's excepted. What
// goes out waits in the queue: a connection, and so whoever writes to it, waits for
// room there, datagrams beyond it are dropped as from any full queue. What comes in
// too fast is dropped, which TCP takes as the word to slow down; each drop counts.
// queue.go and up.go ask here.

import (
	"time"

	"slashnet/nic"
)

const (
	// rateSlack is what a rate lets pass at once: what the time of a timer that comes
	// late, or of a batch, would have let pass.
	rateSlack = 20 * time.Millisecond
	// rateQueue is how long what waits for its turn may take, and so what the rate
	// adds to a round trip; rateLeast how much may wait in any case, so that a frame of
	// any size does.
	rateQueue = 200 * time.Millisecond
	rateLeast = 2 * nic.MaxFrame
)

// A pace is a rate, and how far what passed is ahead of it.
type pace struct {
	rate int           // bytes a second; 0: any
	next time.Duration // when what has passed will be paid for
}

// wait is how long until something may pass.
func (p *pace) wait(now time.Duration) time.Duration {
	if p.rate == 0 {
		return 0
	}
	return max(0, p.next-now-rateSlack)
}

// pass notes n bytes.
func (p *pace) pass(now time.Duration, n int) {
	if p.rate > 0 {
		p.next = max(p.next, now) + time.Duration(n)*time.Second/time.Duration(p.rate)
	}
}

// admit lets n bytes pass that cannot wait, unless they are more than a queue could
// have had before them.
func (p *pace) admit(now time.Duration, n int) bool {
	if p.rate == 0 {
		return true
	}
	if p.next-now > max(rateQueue, time.Duration(rateLeast)*time.Second/time.Duration(p.rate)) {
		return false
	}
	p.pass(now, n)
	return true
}

// queued is how many bytes may wait.
func (p *pace) queued() int {
	if p.rate == 0 {
		return queueBytes
	}
	return min(queueBytes, max(rateLeast, int(int64(p.rate)*int64(rateQueue)/int64(time.Second))))
}

// setRate has what passes an interface follow the knobs.
func (i *Iface) setRate() {
	k := &i.stack.knobs
	if i.loopback || i.queue == nil {
		return
	}
	i.police.rate = k.rateIn
	q := i.queue
	q.mu.Lock()
	q.pace.rate = k.rateOut
	if k.rateOut == 0 {
		q.pace.next = 0
	}
	q.mu.Unlock()
	i.stack.effects.flush = append(i.stack.effects.flush, q)
}

// rest has a queue flushed again when its next frame may pass. The flusher calls it,
// without a lock.
func (i *Iface) rest(q *queue, wait time.Duration) {
	s := i.stack
	s.lock()
	defer s.unlock()
	if i.queue == q && i.nic != nil {
		q.resumeAt = s.now + wait
		s.file(&q.timer)
	}
}

func (q *queue) deadline() (time.Duration, bool) { return q.resumeAt, q.resumeAt > 0 }

func (q *queue) tick() {
	q.resumeAt = 0
	q.iface.stack.effects.flush = append(q.iface.stack.effects.flush, q)
}
