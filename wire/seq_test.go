package wire

import "testing"

func TestSeq(t *testing.T) {
	for _, c := range []struct {
		s, t         Seq
		less, lessEq bool
		sub          int
	}{
		{5, 5, false, true, 0},
		{5, 6, true, true, -1},
		{6, 5, false, false, 1},
		{0xffffffff, 0, true, true, -1},
		{0, 0xffffffff, false, false, 1},
		{0xfffffff0, 0x10, true, true, -32},
		{0, 0x7fffffff, true, true, -0x7fffffff},
	} {
		if got := c.s.Less(c.t); got != c.less {
			t.Errorf("%x.Less(%x) = %v", c.s, c.t, got)
		}
		if got := c.s.LessEq(c.t); got != c.lessEq {
			t.Errorf("%x.LessEq(%x) = %v", c.s, c.t, got)
		}
		if got := c.s.Sub(c.t); got != c.sub {
			t.Errorf("%x.Sub(%x) = %d, want %d", c.s, c.t, got, c.sub)
		}
		if got := c.t.Add(c.sub); got != c.s {
			t.Errorf("%x.Add(%d) = %x, want %x", c.t, c.sub, got, c.s)
		}
	}
}
