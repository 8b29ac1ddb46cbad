package stack

// Effects are what a critical section decided and unlock carries out: frames to
// flush, operations to answer, watchers to tell. unlock runs them; nothing here
// holds the stack's lock.

import (
	"sync"

	"slashnet/wire"
)

type effects struct {
	flush    []*queue
	finish   []*Op
	notify   []*Watch
	logs     []string
	gone     []goneConv
	convGone func(p wire.Proto, num int, name string)
	// answerFirst: a large write is answered before its segments go out, so that
	// its writer prepares the next one meanwhile.
	answerFirst bool
}

type goneConv struct {
	proto wire.Proto
	num   int
	name  string
}

var effectsPool = sync.Pool{New: func() any { return &effects{} }}

func newEffects() *effects { return effectsPool.Get().(*effects) }

func (fx *effects) empty() bool {
	return len(fx.flush) == 0 && len(fx.finish) == 0 && len(fx.notify) == 0 && len(fx.logs) == 0 && len(fx.gone) == 0
}

func (fx *effects) run(s *Stack) {
	if fx.answerFirst {
		fx.answer()
	}
	for _, q := range fx.flush {
		q.flush()
	}
	fx.answer()
	for _, w := range fx.notify {
		w.Notify()
	}
	for _, line := range fx.logs {
		s.cfg.Log(line)
	}
	if fx.convGone != nil {
		for _, g := range fx.gone {
			fx.convGone(g.proto, g.num, g.name)
		}
	}
	clear(fx.flush)
	clear(fx.notify)
	*fx = effects{flush: fx.flush[:0], finish: fx.finish[:0], notify: fx.notify[:0], logs: fx.logs[:0], gone: fx.gone[:0]}
	effectsPool.Put(fx)
}

func (fx *effects) answer() {
	for _, op := range fx.finish {
		op.Done(op)
	}
	clear(fx.finish)
	fx.finish = fx.finish[:0]
}
