package vhdx

import (
	"cmp"
	"slices"
)

// replay is what the log does to the file. It does not change and may be used by many goroutines at once.
type replay struct {
	entries int
	size    int64   // the file must have at least this size afterwards
	patches []patch // ascending, not overlapping
}

// patch is a range of the file with other content.
type patch struct {
	off, end int64
	data     []byte // nil for zeroes; else content of the sector that begins at off
}

// newReplay carries out a sequence of entries. Later writes win.
func newReplay(log ring, active []entry) *replay {
	var all []write
	for _, e := range active {
		w, _ := e.writes(log.piece(e.at, e.length)) // was judged before
		all = append(all, w...)
	}
	r := &replay{entries: len(active), size: int64(active[len(active)-1].last)}
	var cuts []int64
	for _, w := range all {
		r.size = max(r.size, w.off+w.n)
		cuts = append(cuts, w.off, w.off+w.n)
	}
	slices.Sort(cuts)
	r.patches = paint(slices.Compact(cuts), all)
	return r
}

// paint gives each range between two cuts to the last write that covers it. The newest write goes first and takes what nobody
// has yet; next leads over what is taken, so that no range is looked at twice.
func paint(cuts []int64, all []write) []patch {
	owner, next := make([]int32, len(cuts)), make([]int32, len(cuts)+1)
	for i := range next {
		next[i] = int32(i)
	}
	free := func(i int) int { // first range at or after i that nobody has
		root := i
		for int(next[root]) != root {
			root = int(next[root])
		}
		for int(next[i]) != root {
			i, next[i] = int(next[i]), int32(root)
		}
		return root
	}
	for n, w := range slices.Backward(all) {
		first, _ := slices.BinarySearch(cuts, w.off)
		for i := free(first); i < len(cuts) && cuts[i] < w.off+w.n; i = free(i) {
			owner[i], next[i] = int32(n)+1, int32(i)+1
		}
	}
	var out []patch
	for i, o := range owner {
		if o == 0 {
			continue
		}
		p := patch{off: cuts[i], end: cuts[i+1]}
		if w := all[o-1]; w.data != nil {
			p.data = w.content()
		}
		if last := len(out) - 1; p.data == nil && last >= 0 && out[last].data == nil && out[last].end == p.off {
			out[last].end = p.end
			continue
		}
		out = append(out, p)
	}
	return out
}

// apply changes what was read from the file at off.
func (r *replay) apply(p []byte, off int64) {
	i, _ := slices.BinarySearchFunc(r.patches, off, func(c patch, off int64) int {
		if c.end <= off {
			return -1
		}
		return cmp.Compare(c.end, off)
	})
	end := off + int64(len(p))
	for ; i < len(r.patches) && r.patches[i].off < end; i++ {
		c := r.patches[i]
		from, to := max(c.off, off), min(c.end, end)
		if c.data == nil {
			clear(p[from-off : to-off])
			continue
		}
		copy(p[from-off:to-off], c.data[from-c.off:])
	}
}
