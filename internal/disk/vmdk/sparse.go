package vmdk

import (
	"context"
	"sync"
	"sync/atomic"

	"hyper2kvm/internal/disk"
)

// caches are shared by the extents of one disk; keys are byte offsets on the disk.
type caches struct {
	tables    *disk.PageCache[[]int64]
	grains    *disk.PageCache[[]byte]
	inflaters *sync.Pool // of *inflater
}

// newCaches returns caches for extents whose grain tables have at most so many entries.
func newCaches(entries int64) caches {
	return caches{
		tables:    disk.NewPageCache[[]int64](int(min(cachedTables, cachedEntries/entries))),
		grains:    disk.NewPageCache[[]byte](cachedGrains),
		inflaters: &sync.Pool{New: func() any { return new(inflater) }},
	}
}

// sparse is an extent that holds grains: hosted sparse, compressed or not, COWD or seSparse.
type sparse struct {
	caches
	file        disk.File
	head        header
	format      entryFormat
	length      int64 // bytes of the disk that the extent stands for
	stops       int64 // where the grains end: the smaller of length and capacity
	base        int64 // where on the disk it begins
	below       below
	directory   []uint32
	onRedundant bool              // directory is the redundant one
	rebuilt     map[int64][]int64 // grain tables that the file does not hold, or not whole; nil unless the markers were walked
	metadata    []region
	streamed    bool  // the header leaves the directory's place to a footer
	damage      error // what is wrong with the footer or the directory, if the redundant one or the markers were used instead
	last        atomic.Pointer[loadedTable]
	repaired    atomic.Int64 // tables read by the redundant directory
}

func (s *sparse) readAt(p []byte, off int64) error {
	span := s.head.entries * s.head.grainBytes()
	for len(p) > 0 {
		if off >= s.stops {
			return s.below.readAt(p, off)
		}
		i := off / span
		t, err := s.table(i)
		if err != nil {
			return err
		}
		n := min(int64(len(p)), (i+1)*span-off, s.stops-off)
		if t == nil {
			err = s.below.readAt(p[:n], off)
		} else {
			err = s.readGrains(p[:n], off, i, t)
		}
		if err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// readGrains reads within one grain table.
func (s *sparse) readGrains(p []byte, off, table int64, t []int64) error {
	size := s.head.grainBytes()
	first := table * s.head.entries
	for len(p) > 0 {
		grain := off / size
		i := grain - first
		run := s.run(t, i, (off+int64(len(p))+size-1)/size-first)
		n := min(int64(len(p)), (grain+run)*size-off)
		var err error
		switch e := t[i]; {
		case e == entryAbsent:
			err = s.below.readAt(p[:n], off)
		case e == entryZero:
			clear(p[:n])
		case s.head.compressed():
			err = s.readCompressed(p[:n], off, e, s.storedSize(t, i))
		default:
			err = readFull(s.file, "read grain", p[:n], e*disk.SectorSize+off%size)
		}
		if err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// run returns how many grains from entry i on, and before entry end, are read in one go: none of them stored, or all of them
// stored one behind the other. Compressed grains are read one by one.
func (s *sparse) run(t []int64, i, end int64) int64 {
	e := t[i]
	n := int64(1)
	for ; i+n < end; n++ {
		next := t[i+n]
		if e > 0 {
			if s.head.compressed() || next != e+n*s.head.grain {
				break
			}
		} else if next != e {
			break
		}
	}
	return n
}

func (s *sparse) extent(ctx context.Context, off int64) (disk.Extent, error) {
	if off >= s.stops {
		return s.below.extent(ctx, off, s.length-off)
	}
	size := s.head.grainBytes()
	grain := off / size
	table := grain / s.head.entries
	t, err := s.table(table)
	if err != nil {
		return disk.Extent{}, err
	}
	e := disk.Extent{Off: off, Kind: disk.Unallocated}
	end := (table + 1) * s.head.entries
	if t != nil {
		i := grain - table*s.head.entries
		n := sameKind(t, i)
		end = grain + n
		switch {
		case t[i] > 0:
			e.Kind, e.Compressed = disk.Data, s.head.compressed()
		case t[i] == entryZero:
			e.Kind = disk.Zero
		}
	}
	if e.Kind == disk.Unallocated && end >= min((table+1)*s.head.entries, s.head.grains()) {
		for table++; table < int64(len(s.directory)) && s.absent(table); table++ {
			end = (table + 1) * s.head.entries
		}
	}
	stop := min(end*size, s.stops)
	if e.Kind == disk.Unallocated {
		if stop == s.stops {
			stop = s.length // nothing is stored behind the capacity either
		}
		return s.below.extent(ctx, off, stop-off)
	}
	e.Len = stop - off
	return e, nil
}

// absent says whether no grain of a table is stored because there is no such table.
func (s *sparse) absent(table int64) bool { return s.directory[table] == 0 && s.rebuilt[table] == nil }

// sameKind returns how many entries from i on are of the kind of entry i.
func sameKind(t []int64, i int64) int64 {
	n := int64(1)
	for ; i+n < int64(len(t)); n++ {
		if next := t[i+n]; (next > 0) != (t[i] > 0) || next <= 0 && next != t[i] {
			break
		}
	}
	return n
}
