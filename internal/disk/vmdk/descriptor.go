package vmdk

import (
	"bytes"
	"strconv"
	"strings"

	"hyper2kvm/internal/disk"
)

// noParent is the parentCID of a disk that stands alone.
const noParent = 0xffffffff

// Descriptor is the text that describes a disk. Names and values are the bytes that stand there, without their quotes.
type Descriptor struct {
	Version    int          // 1 to 3 in practice; 0 if the text does not say
	Encoding   string       // of the names; empty if the text does not say
	Creator    string       // from "# Description file created by ..."
	CID        uint32       // changes whenever the content does
	ParentCID  uint32       // what the parent's CID was when this disk was made; 2^32-1 = no parent
	ParentHint string       // the parent's name
	CreateType string       // monolithicSparse, vmfs, ...
	Native     bool         // a snapshot that the storage array keeps; nothing of it is in these files
	Encrypted  bool         // the content is encrypted with a key that is not in these files
	Extents    []ExtentLine // in the order of the disk
	// DDB holds the lines of the disk data base, keys in lower case: ddb.adaptertype, ddb.geometry.heads ...
	DDB map[string]string
}

// HasParent says whether the disk is a snapshot that holds only what differs from its parent.
func (d *Descriptor) HasParent() bool { return d.ParentCID != noParent }

// Size returns the sum of the extents in bytes.
func (d *Descriptor) Size() int64 {
	var sum int64
	for _, e := range d.Extents {
		sum += e.Sectors * disk.SectorSize
	}
	return sum
}

// ParseDescriptor reads a descriptor; what follows the first NUL is padding. It gives disk.ErrFormat for a text that is no
// descriptor, disk.ErrCorrupt for one that cannot be true, and disk.ErrLimit for one of more than 1 MiB, more than 4096
// extents or a disk larger than disk.MaxSize.
func ParseDescriptor(b []byte) (*Descriptor, error) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) > maxDescriptor {
		return nil, badText(disk.ErrLimit, 0, "the descriptor has more than %d bytes", maxDescriptor)
	}
	p := descriptorParser{seen: make(map[string]bool)}
	p.d.ParentCID = noParent
	p.d.DDB = make(map[string]string)
	text := string(bytes.TrimPrefix(b, []byte(byteOrderMark)))
	for line := range strings.SplitSeq(text, "\n") {
		p.number++
		if err := p.line(strings.Trim(line, " \t\r\f\v")); err != nil {
			return nil, err
		}
	}
	if len(p.d.Extents) == 0 && !p.seen["version"] && !p.seen["cid"] && !p.seen["createtype"] {
		return nil, badText(disk.ErrFormat, 0, "the text has neither a version nor a CID, a createType or an extent")
	}
	// The filter that encrypts is one of several that a disk may have, and the others change nothing that is stored.
	if strings.Contains(strings.ToLower(p.d.DDB["ddb.iofilters"]), "vmcrypt") {
		p.d.Encrypted = true
	}
	if p.d.Encoding == "" {
		p.d.Encoding = p.d.DDB["ddb.encoding"]
	}
	return &p.d, nil
}

type descriptorParser struct {
	d       Descriptor
	number  int
	sectors int64
	seen    map[string]bool // keys; the first of several counts
}

func badText(kind error, line int, detail string, args ...any) error {
	op := "parse descriptor"
	if line > 0 {
		op += " line " + strconv.Itoa(line)
	}
	return fault(kind, op, "", noOffset, detail, args...)
}

// createdBy begins the first comment of descriptors that name the program that wrote them.
const createdBy = "description file created by "

func (p *descriptorParser) line(s string) error {
	if s == "" {
		return nil
	}
	if s[0] == '#' {
		comment := strings.TrimSpace(s[1:])
		if len(comment) > len(createdBy) && strings.EqualFold(comment[:len(createdBy)], createdBy) && p.d.Creator == "" {
			p.d.Creator = comment[len(createdBy):]
		}
		return nil
	}
	if isExtentLine(s) {
		return p.extent(s)
	}
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		return nil // other programs leave stray words; nothing that matters lacks its "="
	}
	key = strings.ToLower(unquote(strings.TrimSpace(key)))
	if p.seen[key] {
		return nil
	}
	p.seen[key] = true
	return p.pair(key, unquote(strings.TrimSpace(value)))
}

func (p *descriptorParser) pair(key, value string) error {
	var err error
	switch key {
	case "version":
		if p.d.Version, err = strconv.Atoi(value); err != nil {
			return badText(disk.ErrCorrupt, p.number, "version is %q, want a number", value)
		}
	case "encoding":
		p.d.Encoding = value
	case "cid":
		p.d.CID, err = p.id(key, value)
	case "parentcid":
		p.d.ParentCID, err = p.id(key, value)
	case "parentfilenamehint":
		p.d.ParentHint = value
	case "createtype":
		p.d.CreateType = value
	case "encryptionkeys":
		p.d.Encrypted = p.d.Encrypted || value != ""
	case "keyid":
		p.d.Encrypted = p.d.Encrypted || strings.Trim(value, "0") != "" // 00000000 is no key
	case "isnativesnapshot":
		p.d.Native = strings.EqualFold(value, "yes")
	default:
		if strings.HasPrefix(key, "ddb.") {
			p.d.DDB[key] = value
		}
	}
	return err
}

func (p *descriptorParser) id(key, value string) (uint32, error) {
	v, err := strconv.ParseUint(value, 16, 32)
	if err != nil {
		return 0, badText(disk.ErrCorrupt, p.number, "%s is %q, want up to eight hexadecimal digits", key, value)
	}
	return uint32(v), nil
}

func (p *descriptorParser) extent(s string) error {
	e, err := parseExtentLine(s, p.number)
	if err != nil {
		return err
	}
	if len(p.d.Extents) == maxExtents {
		return badText(disk.ErrLimit, p.number, "more than %d extents", maxExtents)
	}
	if e.Sectors > maxSectors-p.sectors {
		return badText(disk.ErrLimit, p.number, "the extents so far have %d sectors, the limit is %d", e.Sectors+p.sectors, int64(maxSectors))
	}
	p.sectors += e.Sectors
	p.d.Extents = append(p.d.Extents, e)
	return nil
}

// unquote takes the quotes off a key or a value that has them on both sides.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
