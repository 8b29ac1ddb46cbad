package stack

import "testing"

func TestBlockPool(t *testing.T) {
	p := newBlockPool()
	for _, test := range []struct{ ask, get int }{
		{0, 4 << 10}, {1, 4 << 10}, {4 << 10, 4 << 10}, {4<<10 + 1, 8 << 10}, {8 << 10, 8 << 10}, {12 << 10, 16 << 10},
		{33 << 10, 64 << 10}, {64 << 10, 64 << 10}, {64<<10 + 1, 64<<10 + 1},
	} {
		if b := p.get(test.ask); len(b.B) != test.get {
			t.Errorf("get(%d) is a block of %d bytes, want %d", test.ask, len(b.B), test.get)
		}
	}
	first := p.get(5000)
	first.Release()
	if again := p.get(8000); again != first || again.Shared() {
		t.Error("a block that was given back is not used again")
	}
}
