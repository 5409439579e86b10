package native

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"unicode"
	"unicode/utf16"

	"hyper2kvm/internal/guest"
)

// GPT headers and entries (UEFI specification 2.10, 5.3):
//
//	header: 0 "EFI PART", 8 revision, 12 header size, 16 CRC-32, 24 own LBA, 32 the other's LBA, 40 first and 48 last usable LBA,
//	        56 disk GUID, 72 LBA of the entries, 80 their number, 84 size of one, 88 CRC-32 of them all
//	entry:  0 type GUID, 16 GUID, 32 first LBA, 40 last LBA, 48 attributes, 56 name in UTF-16
const (
	gptSignature  = "EFI PART"
	gptHeaderMin  = 92
	gptEntryMin   = 128
	gptEntryMax   = 4096
	gptEntryBytes = 1 << 20 // bound of the entries: 8192 of them where 128 are usual
)

// legacyBoot is the attribute by which a BIOS loader recognises its partition.
const legacyBoot = 1 << 2

// gptTable is a table whose checksums are right.
type gptTable struct {
	sector    int64
	other     uint64 // LBA of the other header
	entries   []byte
	entrySize int
}

// findGPT returns the primary table, else the backup at the end of the disk, for sectors of 512 and 4096 bytes; nil if there
// is none. What is damaged becomes a warning.
func (in *inspection) findGPT(mbr *mbrTable) (*gptTable, error) {
	var damage string
	for _, sector := range []int64{512, 4096} {
		t, why, err := in.readGPT(sector, 1)
		if err != nil {
			return nil, err
		}
		if t != nil {
			return t, in.checkBackup(t)
		}
		if why != "" {
			damage = why
		}
	}
	for _, sector := range []int64{512, 4096} {
		last := in.disk.Size/sector - 1
		if last < 2 {
			continue
		}
		t, _, err := in.readGPT(sector, uint64(last))
		if err != nil {
			return nil, err
		}
		// Without a protective MBR a lone backup is what an earlier use of the disk has left behind.
		if t != nil && (damage != "" || mbr.protective()) {
			if damage == "" {
				damage = "it is missing"
			}
			in.warn("the primary GPT is damaged (%s); the backup at the end of the disk counts", damage)
			return t, nil
		}
	}
	if damage != "" && mbr.protective() {
		in.warn("the primary GPT is damaged: %s", damage)
	}
	return nil, nil
}

// readGPT reads the table whose header is at an LBA; nil with a reason if it is damaged, without one if there is none.
func (in *inspection) readGPT(sector int64, lba uint64) (*gptTable, string, error) {
	h, err := in.read(int64(lba)*sector, sector) // the caller keeps lba within the disk
	if err != nil || len(h) < gptHeaderMin || !bytes.HasPrefix(h, []byte(gptSignature)) {
		return nil, "", err
	}
	size := binary.LittleEndian.Uint32(h[12:])
	if size < gptHeaderMin || int64(size) > int64(len(h)) {
		return nil, fmt.Sprintf("its header says that it has %d bytes", size), nil
	}
	sum := crc32.ChecksumIEEE(h[:16])
	sum = crc32.Update(sum, crc32.IEEETable, make([]byte, 4))
	sum = crc32.Update(sum, crc32.IEEETable, h[20:size])
	if sum != binary.LittleEndian.Uint32(h[16:]) {
		return nil, "the checksum of its header is wrong", nil
	}
	if own := binary.LittleEndian.Uint64(h[24:]); own != lba {
		return nil, fmt.Sprintf("its header belongs to sector %d and stands in %d", own, lba), nil
	}
	t := &gptTable{sector: sector, other: binary.LittleEndian.Uint64(h[32:])}
	at, count, entry := binary.LittleEndian.Uint64(h[72:]), binary.LittleEndian.Uint32(h[80:]), binary.LittleEndian.Uint32(h[84:])
	switch {
	case entry < gptEntryMin || entry > gptEntryMax || entry%8 != 0:
		return nil, fmt.Sprintf("an entry has %d bytes", entry), nil
	case int64(count)*int64(entry) > gptEntryBytes:
		return nil, fmt.Sprintf("it has room for %d entries", count), nil
	case at > math.MaxInt64/uint64(sector):
		return nil, fmt.Sprintf("its entries are said to be in sector %d", at), nil
	}
	t.entrySize = int(entry)
	length := int64(count) * int64(entry)
	if t.entries, err = in.read(int64(at)*sector, length); err != nil {
		return nil, "", err
	}
	if int64(len(t.entries)) < length {
		return nil, "its entries lie beyond the end of the disk", nil
	}
	if crc32.ChecksumIEEE(t.entries) != binary.LittleEndian.Uint32(h[88:]) {
		return nil, "the checksum of its entries is wrong", nil
	}
	return t, "", nil
}

// checkBackup looks for the backup where the primary says that it is. Beyond the end of the disk means that the disk was cut.
func (in *inspection) checkBackup(t *gptTable) error {
	sectors := uint64(in.disk.Size / t.sector)
	if t.other >= sectors {
		if t.other < math.MaxInt64/uint64(t.sector)-1 {
			in.pastEnd(int64(t.other+1) * t.sector)
			return nil
		}
		in.warn("the primary GPT says that its backup is in sector %d", t.other)
		return nil
	}
	backup, why, err := in.readGPT(t.sector, t.other)
	switch {
	case err != nil:
		return err
	case backup == nil && why == "":
		in.warn("the backup GPT at %#x is missing", int64(t.other)*t.sector)
	case backup == nil:
		in.warn("the backup GPT at %#x is damaged: %s", int64(t.other)*t.sector, why)
	case t.other != sectors-1:
		in.warn("the disk is larger than its GPT says: the backup is at %#x", int64(t.other)*t.sector)
	}
	return nil
}

// useGPT takes in the partitions of a GPT.
func (in *inspection) useGPT(t *gptTable) error {
	in.facts.Table, in.facts.Sector = tableGPT, int(t.sector)
	for i := 0; (i+1)*t.entrySize <= len(t.entries); i++ {
		e := t.entries[i*t.entrySize : (i+1)*t.entrySize]
		if [16]byte(e[:16]) == [16]byte{} {
			continue
		}
		first, last := binary.LittleEndian.Uint64(e[32:]), binary.LittleEndian.Uint64(e[40:])
		if last < first || last >= math.MaxInt64/uint64(t.sector) {
			in.warn("partition %d is said to reach from sector %d to %d", i+1, first, last)
			continue
		}
		kind := guid(e[:16])
		ok, err := in.add(guest.Partition{
			Number: i + 1, Start: int64(first) * t.sector, Size: int64(last-first+1) * t.sector, Type: kind, TypeName: gptTypeNames[kind],
			Name: utf16Text(e[56:min(len(e), 128)]), UUID: guid(e[16:32]), Bootable: binary.LittleEndian.Uint64(e[48:])&legacyBoot != 0,
		})
		if err != nil || !ok {
			return err
		}
	}
	return nil
}

// guid formats a GUID in its mixed byte order, in lower case.
func guid(b []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])
}

// uuid formats a UUID in plain byte order; "" if it is all zeroes.
func uuid(b []byte) string {
	if len(bytes.TrimLeft(b[:16], "\x00")) == 0 {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// utf16Text reads a name in UTF-16, little endian, up to its end or a zero.
func utf16Text(b []byte) string {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return printable(string(utf16.Decode(units)))
}

// text reads a name in bytes, up to its end or a zero, without the spaces that pad it.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return printable(string(b))
}

// printable replaces what a terminal or a report could stumble over.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\ufffd'
		}
		return r
	}, s))
}
