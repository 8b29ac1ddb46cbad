package fs

// Requests that take long, or that wait for what is no operation of the stack:
// workers carry them out. loop.go leaves them here; interrupt comes here for those
// that have not ended.

import (
	"sync"
	"syscall"
)

const (
	// workers share the jobs. One taker has half of them at most, so that nobody
	// waits for another's long tables.
	workers       = 4
	workersOfEach = workers / 2
	// maxJobs may be queued; one more is told to try again, and so is whoever has
	// queued as many as are left to all others.
	maxJobs = 1024
)

// A task is a request that a worker answers.
type task struct {
	unique uint64
	taker  taker
	do     func()
	waits  bool // for others: a signal takes it out of the queue. What is short is done in spite of it: bash fails by an EINTR
}

// jobs are those not yet answered, in a queue for each taker; takers are served in
// turn. Its owner is the loop, which stops it when it ends.
type jobs struct {
	mu      sync.Mutex
	some    sync.Cond // to do, or no more to come
	turn    []taker   // those who have a queue
	queues  map[taker][]task
	queued  int
	running map[uint64]taker // by the kernel's number
	busy    map[taker]int    // workers of each
	stopped bool
	done    sync.WaitGroup
}

func (j *jobs) start() {
	j.some.L = &j.mu
	j.queues, j.running, j.busy = map[taker][]task{}, map[uint64]taker{}, map[taker]int{}
	for range workers {
		j.done.Go(j.work)
	}
}

// stop ends the workers, once all that was queued is done.
func (j *jobs) stop() {
	j.mu.Lock()
	j.stopped = true
	j.mu.Unlock()
	j.some.Broadcast()
	j.done.Wait()
}

// add queues a job. False: there are too many.
func (j *jobs) add(one task) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	queue := j.queues[one.taker]
	if len(queue) >= maxJobs-j.queued {
		return false
	}
	if len(queue) == 0 {
		j.turn = append(j.turn, one.taker)
	}
	j.queues[one.taker] = append(queue, one)
	j.queued++
	j.some.Signal()
	return true
}

func (j *jobs) work() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		one, ok := j.next()
		switch {
		case ok:
			j.running[one.unique] = one.taker
			j.busy[one.taker]++
			j.mu.Unlock()
			one.do()
			j.mu.Lock()
			delete(j.running, one.unique)
			if j.busy[one.taker]--; j.busy[one.taker] == 0 {
				delete(j.busy, one.taker)
			}
			j.some.Signal() // its taker may have another
		case j.stopped && j.queued == 0:
			j.some.Broadcast()
			return
		default:
			j.some.Wait()
		}
	}
}

// next takes a job out of the queue of whose turn it is, of those that have not all
// the workers they may have.
func (j *jobs) next() (one task, ok bool) {
	for n, who := range j.turn {
		if j.busy[who] >= workersOfEach {
			continue
		}
		j.turn = append(j.turn[:n], j.turn[n+1:]...)
		queue := j.queues[who]
		one = queue[0]
		j.queued--
		if len(queue) == 1 {
			delete(j.queues, who)
		} else {
			j.queues[who] = queue[1:]
			j.turn = append(j.turn, who)
		}
		return one, true
	}
	return task{}, false
}

// withdraw takes a job that waits out of its queue before it was begun. running: it
// was begun.
func (j *jobs) withdraw(unique uint64) (queued, running bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for n, who := range j.turn {
		for i, one := range j.queues[who] {
			if one.unique != unique || !one.waits {
				continue
			}
			j.queued--
			queue := j.queues[who]
			rest := append(append([]task(nil), queue[:i]...), queue[i+1:]...)
			if j.queues[who] = rest; len(rest) == 0 {
				delete(j.queues, who)
				j.turn = append(j.turn[:n], j.turn[n+1:]...)
			}
			return true, false
		}
	}
	_, running = j.running[unique]
	return false, running
}

// underWay are the numbers of the jobs that were begun.
func (j *jobs) underWay() []uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]uint64, 0, len(j.running))
	for unique := range j.running {
		all = append(all, unique)
	}
	return all
}

// later has a worker answer a request.
func (s *Server) later(t task) {
	if !s.jobs.add(t) {
		s.fail(t.unique, syscall.EAGAIN)
	}
}
