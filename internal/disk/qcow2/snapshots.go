package qcow2

import (
	"encoding/binary"
	"slices"

	"hyper2kvm/internal/disk"
)

// Layout of an entry of the snapshot table (specification, "Snapshots").
const (
	snapshotEntryLen = 40
	snapshotExtra    = 36 // where the size of the extra data stands
)

// l1Table is an L1 table that a check walks.
type l1Table struct {
	off     int64
	entries []uint64 // offsets of the L2 tables; 0 is absent, or not where one can be
	name    string   // for messages
	active  bool     // the disk's; the others are of internal snapshots
}

// readTables reads the L1 table of the disk, past its size too, where states of the machine were, and those of the internal snapshots.
func (c *checker) readTables() error {
	h := c.img.head
	active, err := c.readL1(int64(h.l1Offset), int64(h.l1Entries), "L1 table")
	if err != nil {
		return err
	}
	active.active = true
	c.tables = append(c.tables, active)
	if h.snapshots == 0 {
		return nil
	}
	if h.snapshotsOffset&uint64(h.clusterSize-1) != 0 {
		c.problem(disk.ErrCorrupt, 64, "the snapshot table is at %#x, not at a cluster", h.snapshotsOffset)
		return nil
	}
	return c.readSnapshots()
}

// readSnapshots walks the snapshot table. What is wrong ends the walk: an entry says where the next one begins.
func (c *checker) readSnapshots() error {
	h, f := c.img.head, c.img.file
	left := min(maxCheckedEntries, maxCheckedTables>>h.clusterBits)
	at := int64(h.snapshotsOffset)
	for i := range h.snapshots {
		if beyond(uint64(at), snapshotEntryLen, f.Size()) || at-int64(h.snapshotsOffset) > maxSnapshotTableBytes {
			c.problem(disk.ErrTruncated, at, "the snapshot table has %d of %d entries", i, h.snapshots)
			return nil
		}
		var b [snapshotEntryLen]byte
		if err := readFull(f, b[:], at, "read snapshot table"); err != nil {
			return err
		}
		be := binary.BigEndian
		off, n := be.Uint64(b[:]), int64(be.Uint32(b[8:]))
		if left -= n; left < 0 {
			return &disk.Error{Format: "qcow2", Op: "check", File: f.Name(), Off: at, Kind: disk.ErrLimit,
				Detail: "the L1 tables of the internal snapshots are too large to be checked"}
		}
		switch {
		case off&uint64(h.clusterSize-1) != 0:
			c.problem(disk.ErrCorrupt, at, "the L1 table of snapshot %d is at %#x, not at a cluster", i+1, off)
		case beyond(off, n*8, f.Size()):
			c.problem(disk.ErrTruncated, at, "the L1 table of snapshot %d at %#x of %d bytes is past the end of the file, %#x", i+1, off, n*8, f.Size())
		case n > 0:
			t, err := c.readL1(int64(off), n, "L1 table of a snapshot")
			if err != nil {
				return err
			}
			c.tables = append(c.tables, t)
		}
		entry := snapshotEntryLen + int64(be.Uint32(b[snapshotExtra:])) + int64(be.Uint16(b[12:])) + int64(be.Uint16(b[14:]))
		at += (entry + 7) &^ 7
	}
	c.others = append(c.others, reference{h.snapshotsOffset, at - int64(h.snapshotsOffset), "snapshot table"})
	return nil
}

// readL1 reads an L1 table that lies in the file, and finds entries that point nowhere.
func (c *checker) readL1(off, n int64, name string) (l1Table, error) {
	h, f := c.img.head, c.img.file
	t := l1Table{off: off, name: name, entries: make([]uint64, n)} // at most maxL1Bytes, or maxCheckedEntries
	b := make([]byte, n*8)
	if err := readFull(f, b, off, "read "+name); err != nil {
		return t, err
	}
	for i := range t.entries {
		e, at := binary.BigEndian.Uint64(b[8*i:]), off+8*int64(i)
		table := e & offsetMask
		switch {
		case e&reservedL1 != 0 || table&uint64(h.clusterSize-1) != 0:
			c.problem(disk.ErrCorrupt, at, "%s, entry %d: %#x does not point at a cluster", name, i, e)
		case table != 0 && beyond(table, h.clusterSize, f.Size()):
			c.problem(disk.ErrTruncated, at, "%s, entry %d: L2 table at %#x is past the end of the file, %#x", name, i, table, f.Size())
		default:
			t.entries[i] = table
		}
	}
	return t, nil
}

// tablesUnique checks that no two entries of an L1 table share an L2 table, without which a walk could take for ever.
func (c *checker) tablesUnique() bool {
	unique := true
	for _, t := range c.tables {
		tables := slices.Clone(t.entries)
		slices.Sort(tables)
		for i := 1; i < len(tables); i++ {
			if tables[i] != 0 && tables[i] == tables[i-1] {
				unique = false
				c.problem(disk.ErrCorrupt, int64(tables[i]), "this L2 table is referred to more than once by one %s", t.name)
			}
		}
	}
	return unique
}
