package vhd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"hyper2kvm/internal/disk"
)

// Sizes and marks of the footer (specification, "Hard Disk Footer Format").
const (
	footerSize    = 512
	oldFooterSize = 511 // Virtual PC before 2004; the missing byte is reserved and zero
	footerCookie  = "conectix"
	majorVersion  = 1
	noStructure   = 0xffffffffffffffff // data offset of a fixed disk, and of the dynamic header
)

// The disk types that are read.
const (
	typeFixed        = 2
	typeDynamic      = 3
	typeDifferencing = 4
)

// footer holds what is used of a footer.
type footer struct {
	version    uint32
	dataOffset uint64
	timestamp  uint32 // seconds since 2000
	creator    [4]byte
	creatorVer uint32
	hostOS     [4]byte
	original   uint64 // size in bytes when the disk was made
	current    uint64 // size in bytes now
	geometry   geometry
	diskType   uint32
	id         [16]byte
	saved      bool
}

// Probe says whether the start and the end of a file, tail being its last 512 bytes or all of a shorter file, are those of a VHD.
func Probe(head, tail []byte) bool {
	cookie := []byte(footerCookie)
	return bytes.HasPrefix(head, cookie) ||
		len(tail) >= footerSize && bytes.HasPrefix(tail[len(tail)-footerSize:], cookie) ||
		len(tail) >= oldFooterSize && bytes.HasPrefix(tail[len(tail)-oldFooterSize:], cookie)
}

// checksum is the complement of the sum of all bytes but the four of the checksum itself, at off.
func checksum(b []byte, off int) uint32 {
	var sum uint32
	for i, c := range b {
		if i < off || i >= off+4 {
			sum += uint32(c)
		}
	}
	return ^sum
}

const footerChecksumAt = 64

// parseFooter reads a footer of 512 bytes that stands at off of the file.
func parseFooter(b []byte, file string, off int64) (footer, error) {
	be := binary.BigEndian
	if !bytes.HasPrefix(b, []byte(footerCookie)) {
		return footer{}, fault(disk.ErrFormat, "read footer", file, off, "no cookie %q", footerCookie)
	}
	if stated, sum := be.Uint32(b[footerChecksumAt:]), checksum(b, footerChecksumAt); stated != sum {
		return footer{}, fault(disk.ErrCorrupt, "read footer", file, off, "its checksum is %#08x, its bytes give %#08x", stated, sum)
	}
	f := footer{
		version: be.Uint32(b[12:]), dataOffset: be.Uint64(b[16:]), timestamp: be.Uint32(b[24:]), creatorVer: be.Uint32(b[32:]),
		original: be.Uint64(b[40:]), current: be.Uint64(b[48:]),
		geometry: geometry{cylinders: be.Uint16(b[56:]), heads: b[58], sectors: b[59]},
		diskType: be.Uint32(b[60:]), saved: b[84] != 0,
	}
	copy(f.creator[:], b[28:])
	copy(f.hostOS[:], b[36:])
	copy(f.id[:], b[68:])
	return f, nil
}

// encode returns the footer's 512 bytes.
func (f *footer) encode() []byte {
	const reservedFeature = 2 // always set
	be := binary.BigEndian
	b := make([]byte, footerSize)
	copy(b, footerCookie)
	be.PutUint32(b[8:], reservedFeature)
	be.PutUint32(b[12:], f.version)
	be.PutUint64(b[16:], f.dataOffset)
	be.PutUint32(b[24:], f.timestamp)
	copy(b[28:], f.creator[:])
	be.PutUint32(b[32:], f.creatorVer)
	copy(b[36:], f.hostOS[:])
	be.PutUint64(b[40:], f.original)
	be.PutUint64(b[48:], f.current)
	be.PutUint16(b[56:], f.geometry.cylinders)
	b[58], b[59] = f.geometry.heads, f.geometry.sectors
	be.PutUint32(b[60:], f.diskType)
	copy(b[68:], f.id[:])
	be.PutUint32(b[footerChecksumAt:], checksum(b, footerChecksumAt))
	return b
}

// size returns the size in bytes that the guest sees; see doc.go.
func (f *footer) size() uint64 {
	switch string(f.creator[:]) {
	case "vpc ", "qemu":
		if n := f.geometry.bytes(); n > 0 && n < f.current && f.geometry != maxGeometry {
			return n
		}
	}
	return f.current
}

// check refuses what is well formed and not read.
func (f *footer) check(file string, off int64) error {
	const op = "read footer"
	switch {
	case f.version>>16 != majorVersion:
		return fault(disk.ErrUnsupported, op, file, off, "file format version %d.%d, want 1.x", f.version>>16, f.version&0xffff)
	case f.diskType != typeFixed && f.diskType != typeDynamic && f.diskType != typeDifferencing:
		return fault(disk.ErrUnsupported, op, file, off, "disk type %d, want %d (fixed), %d (dynamic) or %d (differencing)",
			f.diskType, typeFixed, typeDynamic, typeDifferencing)
	case f.saved:
		return fault(disk.ErrUnsupported, op, file, off,
			"the machine is in a saved state: what it holds in memory is missing here; start it and shut it down first")
	case f.size() > maxSize:
		return fault(disk.ErrLimit, op, file, off, "size %d, at most %d", f.size(), int64(maxSize))
	}
	return nil
}

// foundFooter is the footer that counts, and where it stands.
type foundFooter struct {
	footer
	at   int64  // offset of the footer
	end  int64  // content and blocks end here at the latest
	note string // why it is not the one at the end
}

// findFooter reads the footer at the end of the file, or its copy at the start.
func findFooter(f disk.File) (foundFooter, error) {
	foot, at, endErr := footerAtEnd(f)
	if endErr == nil {
		return foundFooter{footer: foot, at: at, end: at}, foot.check(f.Name(), at)
	}
	if !errors.Is(endErr, disk.ErrFormat) && !errors.Is(endErr, disk.ErrCorrupt) {
		return foundFooter{}, endErr
	}
	b := make([]byte, footerSize)
	if f.Size() < footerSize {
		return foundFooter{}, endErr
	}
	if err := readFull(f, "read footer copy", b, 0); err != nil {
		return foundFooter{}, err
	}
	foot, headErr := parseFooter(b, f.Name(), 0)
	switch {
	case errors.Is(headErr, disk.ErrFormat), headErr != nil && !errors.Is(endErr, disk.ErrFormat):
		return foundFooter{}, endErr // of a fixed disk there is no copy; of two bad ones the end's is told
	case headErr != nil:
		return foundFooter{}, headErr
	case foot.diskType == typeFixed:
		return foundFooter{}, fault(disk.ErrCorrupt, "read footer", f.Name(), at, "the footer at the end is missing or damaged, and the disk is fixed")
	}
	note := "the footer at the end is damaged; its copy at the start is used"
	if errors.Is(endErr, disk.ErrFormat) {
		note = "the footer at the end is missing; its copy at the start is used"
	}
	return foundFooter{footer: foot, end: f.Size(), note: note}, foot.check(f.Name(), 0)
}

// footerAtEnd reads the last 512 or 511 bytes.
func footerAtEnd(f disk.File) (footer, int64, error) {
	var b [footerSize]byte
	n := min(f.Size(), footerSize)
	if n < oldFooterSize {
		return footer{}, 0, fault(disk.ErrFormat, "read footer", f.Name(), noOffset, "%d bytes are too few for a footer", f.Size())
	}
	at := f.Size() - n
	if err := readFull(f, "read footer", b[:n], at); err != nil {
		return footer{}, at, err
	}
	if !bytes.HasPrefix(b[:], []byte(footerCookie)) && bytes.HasPrefix(b[n-oldFooterSize:], []byte(footerCookie)) {
		copy(b[:], b[n-oldFooterSize:n])
		b[oldFooterSize] = 0
		at = f.Size() - oldFooterSize
	}
	foot, err := parseFooter(b[:], f.Name(), at)
	return foot, at, err
}

// creators are the programs behind the four letters.
var creators = map[string]string{
	"vpc ": "Microsoft Virtual PC", "vs  ": "Microsoft Virtual Server", "win ": "Microsoft Hyper-V or Windows", "d2v ": "Disk2vhd",
	"qemu": "qemu", "qem2": "qemu", "vbox": "VirtualBox", "tap\x00": "XenServer", "CTXS": "Citrix",
}

// creatorName says which program wrote the disk.
func (f *footer) creatorName() string {
	name, ok := creators[string(f.creator[:])]
	switch {
	case string(f.creator[:]) == creatorLetters && f.creatorVer == creatorVersion:
		name = "hyper2kvm"
	case !ok:
		name = disk.Printable(string(bytes.TrimRight(f.creator[:], "\x00 ")))
	}
	return fmt.Sprintf("%s %d.%d", name, f.creatorVer>>16, f.creatorVer&0xffff)
}
