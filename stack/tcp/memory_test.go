package tcp

import (
	"testing"
	"time"
)

// A view's memory, shared by the connections of a test.
type view struct{ limit, used int }

func (v *view) spare() int { return v.limit - v.used }

// The receiver has memory for a quarter of what the sender has to say, and reads
// nothing for a while: what it holds never passes the limit, the sender is told to
// wait, and in the end every byte arrives.
func TestNoMemoryShutsTheWindow(t *testing.T) {
	for _, size := range []int{100, 1400} {
		p := newPair(t, nil)
		v := &view{limit: 128 << 10}
		cfg := *p.b.cfg
		cfg.Spare = v.spare
		p.b.cfg = &cfg
		charge := func() {
			v.used += p.b.Charge()
			if v.used > v.limit || v.used != p.b.Memory() {
				t.Fatalf("%d bytes held, %d charged, the limit is %d", p.b.Memory(), v.used, v.limit)
			}
		}
		const total = 512 << 10
		sent, got := 0, 0
		buf := make([]byte, size)
		for round := 0; got < total; round++ {
			if round > 100_000 {
				t.Fatalf("%d bytes of %d have arrived", got, total)
			}
			for sent < total && (round > 0 || sent < 10_000) {
				for i := range buf {
					buf[i] = byte(sent + i)
				}
				n := p.a.Write(p.now, buf[:min(len(buf), total-sent)])
				if n == 0 {
					break
				}
				sent += n
			}
			p.a.Tick(p.now)
			p.b.Tick(p.now)
			p.run()
			charge()
			switch round {
			case 0: // others take all the memory there is: what was promised is not there
				v.limit = v.used
			case 100:
				v.limit = 128 << 10
			}
			if round > 150 {
				var b [4096]byte
				n := p.b.Read(b[:])
				for i := range n {
					if b[i] != byte(got+i) {
						t.Fatalf("byte %d is wrong", got+i)
					}
				}
				got += n
				charge()
				if p.b.Squeezed() && v.spare() > v.limit/2 {
					p.b.Ease()
				}
			}
			p.now += 10 * time.Millisecond
		}
		if cfg.Counters.NoMemory == 0 {
			t.Error("nothing was dropped for want of memory")
		}
		if v.used != 0 {
			t.Errorf("%d bytes are charged for empty queues", v.used)
		}
	}
}
