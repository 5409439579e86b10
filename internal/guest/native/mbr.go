package native

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"hyper2kvm/internal/guest"
)

// Byte map of an MBR and of the extended boot records, which have the same shape:
//
//	0    boot code
//	440  disk signature, 4 bytes
//	446  four entries: flag 1, CHS 3, type 1, CHS 3, first sector 4, sectors 4
//	510  55 aa
const (
	mbrSignature = 440
	mbrEntries   = 446
	mbrEntry     = 16
	mbrEnd       = 510
)

// Types of MBR entries that mean more than a file system.
const (
	typeProtective = 0xee
	typeESP        = 0xef
)

// maxLogical bounds the logical partitions of a chain; Linux numbers sixty at most.
const maxLogical = 128

// mbrTable is an MBR or an extended boot record.
type mbrTable struct {
	signature uint32
	entries   [4]mbrRecord
}

// mbrRecord is one entry; starts and sizes are in sectors.
type mbrRecord struct {
	active      bool
	kind        byte
	start, size int64
}

// parseMBR reads a boot record; nil if the sector is none. An entry whose flag is neither 00 nor 80 shows that the bytes are
// something else, as does a used one without sectors.
func parseMBR(b []byte) *mbrTable {
	if len(b) < 512 || b[mbrEnd] != 0x55 || b[mbrEnd+1] != 0xaa {
		return nil
	}
	t := &mbrTable{signature: binary.LittleEndian.Uint32(b[mbrSignature:])}
	for i := range t.entries {
		e := b[mbrEntries+mbrEntry*i:]
		r := mbrRecord{
			active: e[0] == 0x80, kind: e[4],
			start: int64(binary.LittleEndian.Uint32(e[8:])), size: int64(binary.LittleEndian.Uint32(e[12:])),
		}
		if e[0]&0x7f != 0 || (r.kind != 0 && (r.size == 0 || (r.start == 0 && r.kind != typeProtective && !isExtended(r.kind) && i > 0))) {
			return nil
		}
		t.entries[i] = r
	}
	return t
}

// used reports whether the table lists anything. It may be called on nil, as may the others.
func (t *mbrTable) used() bool {
	return t != nil && t.any(func(r mbrRecord) bool { return r.kind != 0 })
}

// protective reports whether the table guards a GPT.
func (t *mbrTable) protective() bool {
	return t != nil && t.any(func(r mbrRecord) bool { return r.kind == typeProtective })
}

// hybrid reports whether the table guards a GPT and lists more.
func (t *mbrTable) hybrid() bool {
	return t.protective() && t.any(func(r mbrRecord) bool { return r.kind != 0 && r.kind != typeProtective })
}

// any reports whether one entry fulfils a condition.
func (t *mbrTable) any(is func(mbrRecord) bool) bool {
	for _, r := range t.entries {
		if is(r) {
			return true
		}
	}
	return false
}

// isExtended reports whether an entry holds a chain of logical partitions.
func isExtended(kind byte) bool { return kind == 0x05 || kind == 0x0f || kind == 0x85 }

// useMBR takes in the partitions of an MBR.
func (in *inspection) useMBR(t *mbrTable) error {
	in.facts.Table = tableMBR
	sector, err := in.mbrSector(t)
	if err != nil {
		return err
	}
	in.facts.Sector = int(sector)
	for i, r := range t.entries {
		if r.kind == 0 {
			continue
		}
		if ok, err := in.add(t.partition(i+1, r, r.start, sector)); err != nil || !ok {
			return err
		}
		if isExtended(r.kind) {
			if err := in.logical(t, r, sector); err != nil {
				return err
			}
		}
	}
	return nil
}

// partition turns an entry into a partition. 32 bits of sectors of 4096 bytes cannot overflow.
func (t *mbrTable) partition(number int, r mbrRecord, start, sector int64) guest.Partition {
	p := guest.Partition{
		Number: number, Start: start * sector, Size: r.size * sector, Type: fmt.Sprintf("0x%02x", r.kind),
		TypeName: mbrTypeNames[r.kind], Bootable: r.active,
	}
	if t.signature != 0 {
		p.UUID = fmt.Sprintf("%08x-%02x", t.signature, number) // as udev names PARTUUIDs
	}
	return p
}

// mbrSector finds the sector size that an MBR counts in, which it does not say: 4096 where a known signature stands at the
// first partition counted so and none counted in 512.
func (in *inspection) mbrSector(t *mbrTable) (int64, error) {
	for _, r := range t.entries {
		if r.kind == 0 || isExtended(r.kind) || r.start == 0 {
			continue
		}
		small, err := in.probe(r.start*512, r.size*512)
		if err != nil || small != nil || r.start*4096 >= in.disk.Size {
			return 512, err
		}
		large, err := in.probe(r.start*4096, r.size*4096)
		if err != nil || large == nil {
			return 512, err
		}
		return 4096, nil
	}
	return 512, nil
}

// logical follows the chain of extended boot records: each holds one partition, relative to itself, and the next record,
// relative to the extended partition. Every record must lie further on than the one before, so that the chain ends.
func (in *inspection) logical(t *mbrTable, extended mbrRecord, sector int64) error {
	at := extended.start
	for number := 5; number < 5+maxLogical; number++ {
		b, err := in.read(at*sector, 512)
		if err != nil {
			return err
		}
		if len(b) < 512 {
			return nil // past the end, which the extended partition has told already
		}
		record := parseMBR(b)
		if record == nil {
			in.warn("the chain of logical partitions is damaged at %#x", at*sector)
			return nil
		}
		var next int64
		for _, r := range record.entries[:2] {
			switch {
			case r.kind == 0:
			case isExtended(r.kind):
				next = extended.start + r.start
			default:
				if ok, err := in.add(t.partition(number, r, at+r.start, sector)); err != nil || !ok {
					return err
				}
			}
		}
		switch {
		case next == 0:
			return nil
		case next <= at:
			in.warn("the chain of logical partitions turns back at %#x", at*sector)
			return nil
		}
		at = next
	}
	in.warn("there are more than %d logical partitions; the others are passed over", maxLogical)
	return nil
}

// isBootSector reports whether a sector is the boot sector of a FAT, NTFS, exFAT or BitLocker volume, whose last bytes before
// 55 aa may look like entries.
func isBootSector(b []byte) bool {
	if len(b) < 512 || (b[0] != 0xeb && b[0] != 0xe9) {
		return false
	}
	for _, name := range []string{"NTFS    ", "EXFAT   ", "-FVE-FS-"} {
		if bytes.Equal(b[3:11], []byte(name)) {
			return true
		}
	}
	return fat(b) != nil
}
