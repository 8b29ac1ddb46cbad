package stack

// The listing of a protocol: conversations and records of TIME-WAIT in one order,
// in slices of any length, whatever has gone meanwhile.

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"slashnet/wire"
)

func TestRows(t *testing.T) {
	s := newHost(t, Config{})
	s.lock()
	defer s.unlock()
	pr := newProtocol(s, wire.TCP, "tcp")
	pr.state, pr.unread = func(*Conv) string { return "Established" }, func(*Conv) int { return 0 }
	r := rand.New(rand.NewPCG(1, 2))
	want := map[int]string{} // the state by number
	for step := range 20_000 {
		n, num := r.IntN(8), r.IntN(pr.next+1)
		switch {
		case n < 3:
			c := &Conv{stack: s, proto: pr}
			pr.add(c)
			want[c.num] = "Established"
		case pr.waits.byNum[num] != nil:
			pr.waits.forget(pr.waits.byNum[num])
			delete(want, num)
		case pr.convs[num] != nil:
			pr.remove(pr.convs[num])
			delete(want, num)
			if n < 7 {
				flow := tuple{local: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(num >> 16), byte(num >> 8), byte(num)}), 1)}
				pr.waits.enter(&timeWait{num: num, flow: flow})
				want[num] = "Time_wait"
			}
		}
		if step%500 == 0 {
			checkRows(t, pr, want, 1+r.IntN(100))
		}
	}
	for _, w := range pr.waits.byNum {
		pr.waits.forget(w)
	}
	if n := len(pr.waits.listed); n > compactAfter {
		t.Errorf("nothing is in TIME-WAIT, and %d places are kept for it", n)
	}
}

// checkRows lists all in slices of max rows.
func checkRows(t *testing.T, pr *protocol, want map[int]string, max int) {
	t.Helper()
	nums := slices.Sorted(maps.Keys(want))
	for after := -1; ; {
		rows := pr.rows(after, max)
		if len(rows) != min(max, len(nums)) {
			t.Fatalf("%d rows after %d, want %d", len(rows), after, min(max, len(nums)))
		}
		for i, row := range rows {
			if row.Num != nums[i] || row.State != want[row.Num] {
				t.Fatalf("row %d %s, want %d %s", row.Num, row.State, nums[i], want[nums[i]])
			}
			after = row.Num
		}
		if nums = nums[len(rows):]; len(nums) == 0 {
			return
		}
	}
}
