package cutdisk

import (
	"slices"
	"sync"
)

// Op is one thing that happened to the disks of a Journal. It is a write (Data is set), a flush, or a mark.
type Op struct {
	Disk  int // index of the disk; of no meaning in a mark
	Off   int64
	Data  []byte
	Flush bool // everything that was written to this disk before is durable
	Mark  any  // what a test knows at this point: "this file is synced"
}

// Journal is what happened to one disk, or to several that lose their power together, in order. It is safe for concurrent use.
type Journal struct {
	mu  sync.Mutex
	ops []Op
}

// Mark notes what a test knows at this point.
func (j *Journal) Mark(m any) { j.add(Op{Mark: m}) }

func (j *Journal) add(op Op) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ops = append(j.ops, op)
}

// Ops are all that happened until now.
func (j *Journal) Ops() []Op {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clip(j.ops)
}

// Len is how much happened until now.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.ops)
}
