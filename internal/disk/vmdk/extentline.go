package vmdk

import (
	"strconv"
	"strings"

	"hyper2kvm/internal/disk"
)

// ExtentLine is a line of a descriptor that places a VMDK extent.
type ExtentLine struct {
	Access  string // RW, RDONLY or NOACCESS
	Sectors int64  // >= 0
	Type    string // FLAT, SPARSE, ZERO, VMFS, VMFSSPARSE, VMFSRDM, VMFSRAW, SESPARSE, in upper case
	Name    string // byte for byte; empty for ZERO
	Offset  int64  // sectors from the file's beginning to the extent's data; 0 if the line does not say
	Device  string // what follows the offset: a partition's UUID and a device's id
	Line    int    // number of the line, from 1
}

// grained says whether the extent holds grains: its file says of which kind.
func (e ExtentLine) grained() bool {
	return e.Type == "SPARSE" || e.Type == "VMFSSPARSE" || e.Type == "SESPARSE"
}

// isExtentLine says whether the first word is an access mode.
func isExtentLine(s string) bool {
	word, rest := cutWord(s)
	switch strings.ToUpper(word) {
	case "RW", "RDONLY", "NOACCESS":
		return rest != "" && rest[0] != '='
	}
	return false
}

// parseExtentLine reads `access sectors type ["name" [offset [partition UUID [device id]]]]`.
func parseExtentLine(s string, number int) (ExtentLine, error) {
	e := ExtentLine{Line: number}
	access, rest := cutWord(s)
	count, rest := cutWord(rest)
	kind, rest := cutWord(rest)
	e.Access, e.Type = strings.ToUpper(access), strings.ToUpper(kind)
	var err error
	if e.Sectors, err = sectorCount(count); err != nil {
		return e, badText(disk.ErrCorrupt, number, "the extent's size is %q, want a number of sectors from 0", count)
	}
	if kind == "" {
		return e, badText(disk.ErrCorrupt, number, "the extent has no type")
	}
	e.Name, rest = cutName(rest)
	if rest == "" {
		return e, nil
	}
	offset, device := cutWord(rest)
	if e.Offset, err = sectorCount(offset); err != nil {
		return e, badText(disk.ErrCorrupt, number, "the extent's offset is %q, want a number of sectors from 0", offset)
	}
	e.Device = device
	return e, nil
}

// sectorCount reads a decimal number that can be a place in a file.
func sectorCount(s string) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (v < 0 || v > maxSector) {
		err = strconv.ErrRange
	}
	return v, err
}

// cutWord splits s at the first blanks.
func cutWord(s string) (word, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}

// cutName splits off a name, which may hold blanks and even quotes: it ends at the first quote that ends the line or that a
// number follows.
func cutName(s string) (name, rest string) {
	if s == "" || s[0] != '"' {
		return cutWord(s)
	}
	s = s[1:]
	last := strings.LastIndexByte(s, '"')
	if last < 0 {
		return s, ""
	}
	for i := range last + 1 {
		if s[i] != '"' {
			continue
		}
		rest = strings.TrimLeft(s[i+1:], " \t")
		if rest == "" {
			return s[:i], ""
		}
		if len(rest) == len(s)-i-1 {
			continue // no blank: a quote inside the name. Looking at the word would make a line of quotes cost its square
		}
		word, _ := cutWord(rest)
		if _, err := strconv.ParseInt(word, 10, 64); err == nil {
			return s[:i], rest
		}
	}
	return s[:last], strings.TrimLeft(s[last+1:], " \t")
}
