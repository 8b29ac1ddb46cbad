package stack

// What a stack has in use, and the caps on it. op.go and conv.go ask; a cap that
// is reached is answered with ENFILE (things) or ENOBUFS (memory).

type usage struct {
	convs    int
	detached map[uint32]int // conversations without handles, by user
	ops      int
	memory   int // bytes held by parked operations
}

func (u *usage) parkOp(k *Knobs, size int) bool {
	if u.ops >= k.maxOps || u.memory+size > k.maxMemory {
		return false
	}
	u.ops++
	u.memory += size
	return true
}

func (u *usage) unparkOp(size int) {
	u.ops--
	u.memory -= size
}
