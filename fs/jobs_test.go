package fs

import (
	"sync"
	"testing"

	"slashnet/stack"
)

// One who queues all that he can, each of which takes for ever, neither has all the
// workers nor the whole queue: another's requests pass him by.
func TestWorkersAreShared(t *testing.T) {
	var j jobs
	j.start()
	greedy, other := taker{view: 7}, taker{stack.RootView, 1000}
	hold := make(chan struct{})
	began := make(chan struct{}, maxJobs)
	accepted := 0
	for j.add(task{uint64(1000 + accepted), greedy, func() { began <- struct{}{}; <-hold }, true}) {
		accepted++
	}
	for range workersOfEach {
		<-began
	}
	if accepted < maxJobs/2 || accepted > maxJobs/2+workersOfEach {
		t.Errorf("%d jobs were queued for one", accepted)
	}
	for n := range 100 {
		var done sync.WaitGroup
		done.Add(1)
		if !j.add(task{uint64(n), other, done.Done, true}) {
			t.Fatal("no place for another")
		}
		done.Wait()
	}
	// What has not begun can be taken back, what has is told so.
	if queued, running := j.withdraw(uint64(1000 + accepted - 1)); !queued || running {
		t.Errorf("the last in the queue: %v %v", queued, running)
	}
	if queued, running := j.withdraw(1000); queued || !running {
		t.Errorf("the first: %v %v", queued, running)
	}
	if queued, running := j.withdraw(5); queued || running {
		t.Errorf("one that has ended: %v %v", queued, running)
	}
	close(hold)
	j.stop()
	if j.queued != 0 || len(j.running)+len(j.busy)+len(j.turn)+len(j.queues) != 0 {
		t.Errorf("left: %+v", &j)
	}
}

// Half of what there is, at most, is anybody's.
func TestOpenFilesAreShared(t *testing.T) {
	h := newHost(t)
	k := newKernel(t, h)
	open := func(uid uint32, text int) (fh uint64, err error) {
		return k.srv.enter(&handle{node: rootNode, file: &files[code("/log")], user: stack.User{UID: uid}, text: make([]byte, text)})
	}
	const each = 1 << 20
	n := 0
	for ; n < maxSnapshots/each; n++ {
		if _, err := open(1000, each); err != nil {
			break
		}
	}
	if n != maxSnapshots/each/2 {
		t.Errorf("one user has %d of %d", n, maxSnapshots/each)
	}
	if _, err := open(1001, each); err != nil {
		t.Errorf("another: %v", err)
	}
	if _, err := open(1000, 0); err != nil {
		t.Errorf("a file without a text: %v", err)
	}
	for _, fh := range k.srv.handles.all() {
		k.srv.release(fh)
	}
	if k.srv.handles.used != (quota{}) || len(k.srv.handles.takers) != 0 {
		t.Errorf("left: %+v", k.srv.handles.used)
	}
}
