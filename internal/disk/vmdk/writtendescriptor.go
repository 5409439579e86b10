package vmdk

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"hyper2kvm/internal/disk"
)

// Geometry of disks on SCSI controllers and on IDE, as VMware's own tools compute it.
const (
	scsiHeads    = 255
	ideHeads     = 16
	trackSectors = 63
	ideCylinders = 16383 // the most that ATA knows
)

// defaultExtents are the names of extents that were not named; readers ignore them, since the descriptor is inside the extent.
var defaultExtents = map[string]string{StreamOptimized: "generated-stream.vmdk", MonolithicSparse: "disk.vmdk"}

// writtenDescriptor returns the text of an image that is written here.
func writtenDescriptor(sectors int64, o Options) ([]byte, error) {
	name, adapter, hw := o.ExtentName, o.AdapterType, o.HWVersion
	if name == "" {
		name = defaultExtents[o.Subformat]
	}
	if adapter == "" {
		adapter = defaultAdapter
	}
	if hw == 0 {
		hw = defaultHWVersion
	}
	for _, s := range []string{name, adapter} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == 0x7f }) {
			return nil, fault(disk.ErrUnsupported, "create", "", noOffset, "%q cannot stand in a descriptor", s)
		}
	}
	heads := int64(scsiHeads)
	if adapter == "ide" {
		heads = ideHeads
	}
	cylinders := (sectors + heads*trackSectors - 1) / (heads * trackSectors)
	if adapter == "ide" {
		cylinders = min(cylinders, ideCylinders)
	}
	id := o.ContentID
	if cid := binary.BigEndian.Uint32(id[12:]); cid >= noParent-1 {
		id[15] = 0 // both values mean "no disk"
	}
	text := fmt.Sprintf(`# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=%s
parentCID=ffffffff
createType="%s"

# Extent description
RW %d SPARSE "%s"

# The Disk Data Base
#DDB

ddb.adapterType = "%s"
ddb.geometry.cylinders = "%d"
ddb.geometry.heads = "%d"
ddb.geometry.sectors = "%d"
ddb.longContentID = "%s"
ddb.virtualHWVersion = "%d"
`, hex.EncodeToString(id[12:]), o.Subformat, sectors, name, adapter, cylinders, heads, trackSectors, hex.EncodeToString(id[:]), hw)
	if len(text) > descriptorLen*disk.SectorSize {
		return nil, fault(disk.ErrLimit, "create", "", noOffset, "a descriptor of %d bytes, the room for it has %d", len(text), descriptorLen*disk.SectorSize)
	}
	return []byte(text), nil
}
