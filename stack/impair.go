package stack

// The verb impair, which an interface and a link have in common.

import (
	"fmt"
	"strings"

	"slashnet/nic"
)

// impair reads `[DIRECTION] WORD VALUE …`, or `[DIRECTION] off`; without a
// direction both are meant. ends are their names, in the order of set's numbers.
func impair(args []string, ends [2]string, set func(d int, p nic.Impair) error) error {
	which := []int{0, 1}
	for d, name := range ends {
		if len(args) > 0 && args[0] == name {
			which, args = []int{d}, args[1:]
			break
		}
	}
	p, err := nic.ParseImpair(args)
	if err != nil {
		return err
	}
	for _, d := range which {
		if err := set(d, p); err != nil {
			return err
		}
	}
	return nil
}

// mischief prints the counters of a direction.
func mischief(b *strings.Builder, name string, m nic.Mischief) {
	fmt.Fprintf(b, "%s lost: %d\n%s queue full: %d\n%s duplicated: %d\n%s reordered: %d\n%s corrupted: %d\n",
		name, m.Lost, name, m.Full, name, m.Duplicated, name, m.Reordered, name, m.Corrupted)
}
