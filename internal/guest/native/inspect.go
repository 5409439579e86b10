// Package native tells what disks hold by reading partition tables and signatures straight from the images.
//
// It mounts nothing, runs nothing and trusts nothing: every read is bounded, every number from a table is checked against the
// disk's size, and a damaged table becomes a warning. Errors are only those of reading the images.
package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"hyper2kvm/internal/guest"
)

// Limits of an inspection.
const (
	// MaxPartitions bounds the partitions of one disk; GPT has room for 128 as a rule, Windows for as many.
	MaxPartitions = 256
	// MaxWarnings bounds the warnings of one disk; a hostile table could make one out of every entry.
	MaxWarnings = 32
)

// The words of guest.DiskFacts.Table.
const (
	tableGPT   = "gpt"
	tableMBR   = "mbr"
	tableNone  = "none"
	tableEmpty = "empty"
)

// Disk is a disk to inspect.
type Disk struct {
	Name string      // for messages
	R    io.ReaderAt // guest-visible content
	Size int64       // bytes
}

// Inspect reads the tables and signatures of all disks of one machine, in the guest's order, and weighs how it boots and from
// which disk. Errors are those of the readers and of the context.
func Inspect(ctx context.Context, disks []Disk) (guest.Facts, error) {
	facts := guest.Facts{Disks: []guest.DiskFacts{}, BootDisk: -1}
	for _, d := range disks {
		in := &inspection{ctx: ctx, disk: d}
		if err := in.run(); err != nil {
			return guest.Facts{BootDisk: -1}, fmt.Errorf("inspect disk %q: %w", d.Name, err)
		}
		facts.Disks = append(facts.Disks, in.facts)
	}
	weigh(&facts)
	return facts, nil
}

// inspection is the work on one disk.
type inspection struct {
	ctx   context.Context
	disk  Disk
	facts guest.DiskFacts
}

// run fills in the facts of the disk.
func (in *inspection) run() error {
	first, err := in.read(0, 4096)
	if err != nil {
		return err
	}
	in.facts.BootCode = bootCode(first)
	if err := in.tables(first); err != nil {
		return err
	}
	if in.facts.Table == "" {
		if err := in.whole(); err != nil {
			return err
		}
	}
	if in.facts.Table == tableEmpty {
		in.facts.BootCode = ""
	}
	in.overlaps()
	in.facts.HasGuestOS = repairable(in.facts.Filesystem)
	for _, p := range in.facts.Partitions {
		in.facts.HasGuestOS = in.facts.HasGuestOS || repairable(p.Filesystem)
	}
	return nil
}

// tables reads the partition table, if there is one.
func (in *inspection) tables(first []byte) error {
	mbr := parseMBR(first)
	table, err := in.findGPT(mbr)
	if err != nil {
		return err
	}
	switch {
	case table != nil && mbr.used() && !mbr.protective():
		in.warn("a GPT is left over from earlier use: the MBR does not protect it; the MBR counts")
	case table != nil:
		if mbr.hybrid() {
			in.warn("the MBR lists partitions of its own beside the GPT (hybrid); the GPT counts")
		}
		return in.useGPT(table)
	case mbr.protective():
		in.facts.Table = tableGPT
		in.warn("the MBR speaks of a GPT, and neither it nor its backup can be read")
		return nil
	}
	if mbr == nil {
		return nil
	}
	// A boot sector of FAT or NTFS ends like an MBR; an empty table under a known file system is none.
	whole, err := in.probe(0, in.disk.Size)
	if err != nil {
		return err
	}
	switch {
	case whole != nil && whole.Type == "iso9660" && mbr.used():
		in.facts.Filesystem = whole // a hybrid image: both are true
	case whole != nil && (!mbr.used() || isBootSector(first)):
		return nil
	}
	return in.useMBR(mbr)
}

// whole looks for a file system without a partition table.
func (in *inspection) whole() error {
	fs, err := in.probe(0, in.disk.Size)
	if err != nil {
		return err
	}
	if fs != nil {
		in.facts.Table, in.facts.Filesystem = tableNone, fs
		if fs.Size > in.disk.Size {
			in.pastEnd(fs.Size)
		}
		return nil
	}
	in.facts.Table = tableEmpty
	head, err := in.read(0, 1<<20)
	if err != nil {
		return err
	}
	in.facts.BlankReason = "there is no partition table and no known signature"
	if len(bytes.TrimLeft(head, "\x00")) == 0 {
		in.facts.BlankReason = fmt.Sprintf("its first %d bytes are all zero", len(head))
	}
	return nil
}

// add takes a partition in, with what stands in it. It reports whether there was room.
func (in *inspection) add(p guest.Partition) (bool, error) {
	if len(in.facts.Partitions) >= MaxPartitions {
		in.warn("there are more than %d partitions; the others are passed over", MaxPartitions)
		return false, nil
	}
	if end := p.Start + p.Size; end > in.disk.Size {
		in.pastEnd(end)
	}
	if p.Start < in.disk.Size && !isContainer(p) {
		fs, err := in.probe(p.Start, min(p.Size, in.disk.Size-p.Start))
		if err != nil {
			return false, err
		}
		p.Filesystem = fs
		if fs != nil && fs.Size > p.Size {
			in.warn("the %s of partition %d says that it has %d bytes, the partition has %d", fs.Type, p.Number, fs.Size, p.Size)
		}
	}
	in.facts.Partitions = append(in.facts.Partitions, p)
	return true, nil
}

// isContainer reports whether a partition is an extended one, which holds others.
func isContainer(p guest.Partition) bool {
	return p.Type == "0x05" || p.Type == "0x0f" || p.Type == "0x85"
}

// pastEnd notes that the disk should have at least so many bytes.
func (in *inspection) pastEnd(need int64) {
	in.facts.PastEnd = true
	in.facts.NeedBytes = max(in.facts.NeedBytes, need)
}

// overlaps warns of partitions that share bytes.
func (in *inspection) overlaps() {
	ps := in.facts.Partitions
	for i := range ps {
		for j := range i {
			if !isContainer(ps[i]) && !isContainer(ps[j]) && ps[i].Start < ps[j].Start+ps[j].Size && ps[j].Start < ps[i].Start+ps[i].Size {
				in.warn("partitions %d and %d overlap", ps[j].Number, ps[i].Number)
			}
		}
	}
}

// warn adds a warning.
func (in *inspection) warn(format string, args ...any) {
	if len(in.facts.Warnings) < MaxWarnings {
		in.facts.Warnings = append(in.facts.Warnings, fmt.Sprintf(format, args...))
	}
}

// read returns up to n bytes from off, fewer only at the end of the disk.
func (in *inspection) read(off, n int64) ([]byte, error) {
	if err := in.ctx.Err(); err != nil {
		return nil, err
	}
	if off < 0 || off >= in.disk.Size {
		return nil, nil
	}
	b := make([]byte, min(n, in.disk.Size-off))
	got, err := in.disk.R.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %d bytes at %#x: %w", len(b), off, err)
	}
	return b[:got], nil
}

// repairable reports whether a repair could look into what a signature tells: swap and installation media hold no system, and
// BitLocker and VMFS cannot be opened.
func repairable(fs *guest.Filesystem) bool {
	if fs == nil {
		return false
	}
	switch fs.Type {
	case "swap", "iso9660", "bitlocker", "vmfs", "jbd":
		return false
	}
	return true
}
