package vhdx

import (
	"encoding/binary"
	"fmt"
	"slices"

	"hyper2kvm/internal/disk"
)

// region is an entry of the region table (2.2.3.2): 16 bytes GUID, 8 offset, 4 length, 4 required.
type region struct {
	guid        GUID
	off, length int64
	required    bool
}

const (
	regionSignature  = "regi"
	tableHeaderBytes = 16
	regionEntryBytes = 32
)

// regions are the parts of a file that are not blocks.
type regions struct {
	bat, metadata region
	taken         []span // header section, log, all regions; ascending, not overlapping
}

// span is a range of the file.
type span struct {
	off, end int64
	what     string
}

// parseRegionTable reads a table. why is empty if it is sound.
func parseRegionTable(b []byte) (list []region, why string) {
	le := binary.LittleEndian
	if string(b[:4]) != regionSignature {
		return nil, fmt.Sprintf("%q is not there", regionSignature)
	}
	if want, got := le.Uint32(b[4:]), checksum(b); want != got {
		return nil, fmt.Sprintf("checksum is %#x, the content gives %#x", want, got)
	}
	n := le.Uint32(b[8:])
	if n > maxEntries {
		return nil, fmt.Sprintf("%d entries, at most %d are allowed", n, maxEntries)
	}
	seen := make(map[GUID]bool)
	for i := range int(n) {
		e := b[tableHeaderBytes+i*regionEntryBytes:]
		r := region{guid: GUID(e[:16]), length: int64(le.Uint32(e[24:])), required: le.Uint32(e[28:])&1 != 0}
		off := le.Uint64(e[16:])
		switch {
		case seen[r.guid]:
			return nil, fmt.Sprintf("region %s is there twice", r.guid)
		case off%mib != 0 || r.length%mib != 0 || off < headerSectionBytes || off > maxFileBytes || r.length == 0:
			return nil, fmt.Sprintf("region %s has %#x bytes at %#x; multiples of 1 MiB are needed, behind the first", r.guid, r.length, off)
		}
		seen[r.guid] = true
		r.off = int64(off)
		list = append(list, r)
	}
	return list, ""
}

func encodeRegionTable(list []region) []byte {
	b := make([]byte, regionTableBytes)
	le := binary.LittleEndian
	copy(b, regionSignature)
	le.PutUint32(b[8:], uint32(len(list)))
	for i, r := range list {
		e := b[tableHeaderBytes+i*regionEntryBytes:]
		copy(e, r.guid[:])
		le.PutUint64(e[16:], uint64(r.off))
		le.PutUint32(e[24:], uint32(r.length))
		if r.required {
			le.PutUint32(e[28:], 1)
		}
	}
	le.PutUint32(b[4:], checksum(b))
	return b
}

// readRegions reads the region table, the second one where the first is damaged, and holds the regions against each other and
// the log.
func readRegions(src *source, h header) (r regions, note string, err error) {
	const op = "read region table"
	b := make([]byte, regionTableBytes)
	if err := src.readFull(op, b, regionTableOffset1); err != nil {
		return regions{}, "", err
	}
	list, why := parseRegionTable(b)
	at := int64(regionTableOffset1)
	if why != "" {
		if err := src.readFull(op, b, regionTableOffset2); err != nil {
			return regions{}, "", err
		}
		var second string
		if list, second = parseRegionTable(b); second != "" {
			return regions{}, "", fault(disk.ErrCorrupt, op, src.name(), at, "%s; the second at %#x: %s", why, regionTableOffset2, second)
		}
		at, note = regionTableOffset2, "the first region table is damaged, the second was used"
	}
	r, err = newRegions(src, h, list, at)
	return r, note, err
}

func newRegions(src *source, h header, list []region, at int64) (regions, error) {
	const op = "read region table"
	r := regions{taken: []span{{0, headerSectionBytes, "the header section"}}}
	if h.logLength > 0 {
		r.taken = append(r.taken, span{int64(h.logOffset), int64(h.logOffset) + int64(h.logLength), "the log"})
	}
	for _, e := range list {
		what := "region " + e.guid.String()
		switch {
		case e.guid == guidBAT:
			r.bat, what = e, "the BAT"
		case e.guid == guidMetadata:
			r.metadata, what = e, "the metadata region"
		case e.required:
			return regions{}, fault(disk.ErrUnsupported, op, src.name(), at, "region %s is required and not known", e.guid)
		}
		r.taken = append(r.taken, span{e.off, e.off + e.length, what})
	}
	if r.bat.length == 0 || r.metadata.length == 0 {
		return regions{}, fault(disk.ErrCorrupt, op, src.name(), at, "a BAT and a metadata region are needed, one of them is not listed")
	}
	slices.SortFunc(r.taken, func(a, b span) int { return int(min(max(a.off-b.off, -1), 1)) })
	for i := 1; i < len(r.taken); i++ {
		if a, b := r.taken[i-1], r.taken[i]; b.off < a.end {
			return regions{}, fault(disk.ErrCorrupt, op, src.name(), at, "%s at %#x overlaps %s at %#x", b.what, b.off, a.what, a.off)
		}
	}
	return r, nil
}

// overlapping returns what lies in a range of the file already; nil if nothing does.
func (r *regions) overlapping(off, n int64) *span {
	i, _ := slices.BinarySearchFunc(r.taken, off, func(s span, off int64) int {
		if s.end <= off {
			return -1
		}
		return 1
	})
	if i < len(r.taken) && r.taken[i].off < off+n {
		return &r.taken[i]
	}
	return nil
}
