package vmdk

import (
	"context"
	"math/bits"
	"slices"

	"hyper2kvm/internal/disk"
)

// checkWindow is how much of a file is watched at a time for grains on top of each other: one bit for every sector, 32 MiB of
// them. A file that is larger has its tables read once for every such part.
const checkWindow = 32 << 20 * 8

var _ disk.Checker = (*Image)(nil)

// Check reads all grain tables of this layer and reports places outside the file or inside metadata, grains that lie on
// top of each other, and redundant tables that differ. Flat extents have nothing to check.
func (img *Image) Check(ctx context.Context) (disk.Findings, error) {
	var c checker
	for _, s := range img.spans {
		x, ok := s.content.(*sparse)
		if !ok {
			continue
		}
		if err := c.extent(ctx, x); err != nil {
			return c.found, err
		}
	}
	return c.found, nil
}

type checker struct {
	found  disk.Findings
	starts []uint64 // a bit for every sector of the window at which a grain begins
	last   int64    // sector at which the grain before the next one begins
}

func (c *checker) extent(ctx context.Context, s *sparse) error {
	sectors := (s.file.Size() + disk.SectorSize - 1) / disk.SectorSize
	c.starts = make([]uint64, (min(sectors, checkWindow)+63)/64)
	c.last = -s.head.grain
	c.found.Units += s.head.grains()
	if s.damage != nil {
		c.found.Problem(s.damage)
	}
	if !c.tablesUnique(s) {
		return nil // walking a table that is shared many times could take for ever
	}
	for first := int64(0); first < sectors; first += checkWindow {
		clear(c.starts)
		if err := c.window(ctx, s, first); err != nil {
			return err
		}
	}
	return nil
}

// tablesUnique reports tables that stand for more than one part of the disk.
func (c *checker) tablesUnique(s *sparse) bool {
	at := slices.DeleteFunc(slices.Clone(s.directory), func(e uint32) bool { return e == 0 })
	slices.Sort(at)
	unique := true
	for i := 1; i < len(at); i++ {
		if at[i] == at[i-1] && (i == 1 || at[i] != at[i-2]) {
			c.found.Problem(fault(disk.ErrCorrupt, "check grain directory", s.file.Name(), s.format.place(at[i]), "two entries name this grain table"))
			unique = false
		}
	}
	return unique
}

// window looks at the grains that begin in one part of the file; with the first part everything is checked that
// does not depend on the part.
func (c *checker) window(ctx context.Context, s *sparse, first int64) error {
	for i, at := range s.directory {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if s.absent(int64(i)) {
			continue
		}
		t, err := c.table(s, int64(i), at, first == 0)
		if err != nil {
			return err
		}
		for j, e := range t {
			place := e - first
			if e <= 0 || place < 0 || place >= checkWindow || place/64 >= int64(len(c.starts)) {
				continue
			}
			word, bit := &c.starts[place/64], uint64(1)<<(place%64)
			if *word&bit != 0 {
				c.found.Problem(fault(disk.ErrCorrupt, "check grain tables", s.file.Name(), s.format.place(at)+s.format.width()*int64(j),
					"grain %d is at sector %d, where another grain is", int64(i)*s.head.entries+int64(j), e))
			}
			*word |= bit
		}
	}
	if !s.head.compressed() {
		c.overlaps(s, first)
	}
	return nil
}

// table reads a grain table. Where judge is set its entries are counted and checked, and the redundant copy compared. What is
// wrong with an entry is a problem of its own and hides the grain.
func (c *checker) table(s *sparse, i int64, at uint32, judge bool) ([]int64, error) {
	if t, ok := s.rebuilt[i]; ok {
		if judge {
			c.stored(s, int64(len(t))-absentEntries(t))
		}
		return t, nil
	}
	b, err := s.readRaw(i, at)
	if err != nil {
		return nil, err
	}
	t := make([]int64, s.head.tableLen(i))
	for j := range t {
		if t[j], err = s.entry(b, i, at, int64(j)); err != nil && judge {
			c.found.Problem(err)
		}
		if judge && (t[j] > 0 || err != nil) {
			c.stored(s, 1)
		}
	}
	if judge && s.head.redundant != 0 && !s.onRedundant {
		other, err := s.redundantTable(i)
		if err != nil || !slices.Equal(other, t) {
			c.found.Problem(&disk.Error{Format: formatName, Op: "compare redundant grain table", File: s.file.Name(), Off: s.format.place(at),
				Kind: disk.ErrCorrupt, Detail: "it differs or cannot be read", Err: err})
		}
	}
	return t, nil
}

// stored counts grains that are in the file.
func (c *checker) stored(s *sparse, grains int64) {
	c.found.Stored += grains
	if s.head.compressed() {
		c.found.Compressed += grains
	}
}

func absentEntries(t []int64) int64 {
	var n int64
	for _, e := range t {
		if e == entryAbsent {
			n++
		}
	}
	return n
}

// overlaps reports grains that begin inside the grain before them. Windows are looked at in ascending order.
func (c *checker) overlaps(s *sparse, first int64) {
	for i, word := range c.starts {
		for ; word != 0; word &= word - 1 {
			at := first + int64(i)*64 + int64(bits.TrailingZeros64(word))
			if at-c.last < s.head.grain {
				c.found.Problem(fault(disk.ErrCorrupt, "check grain tables", s.file.Name(), at*disk.SectorSize,
					"a grain begins %d sectors after another, which has %d", at-c.last, s.head.grain))
			}
			c.last = at
		}
	}
}
