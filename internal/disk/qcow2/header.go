package qcow2

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"hyper2kvm/internal/disk"
)

const (
	headerV2Len = 72  // specification, "Header"
	headerV3Len = 104 // the shortest version 3 header; optional fields follow
	headerMax   = 112 // what is written: with the compression type, padded to 8
)

// Incompatible feature bits (specification, offset 72).
const (
	incompatDirty       = 1 << 0
	incompatCorrupt     = 1 << 1
	incompatDataFile    = 1 << 2
	incompatCompression = 1 << 3
	incompatExtendedL2  = 1 << 4
	incompatKnown       = incompatDirty | incompatCorrupt | incompatDataFile | incompatCompression | incompatExtendedL2
)

// Values of the compression type (specification, offset 104).
const (
	compressionZlib = 0
	compressionZstd = 1
)

func magic() []byte { return []byte{'Q', 'F', 'I', 0xfb} }

// header is the fixed part of the header and what its extensions say.
type header struct {
	version            uint32
	backingOffset      uint64
	backingLen         uint32
	clusterBits        uint32
	size               uint64
	crypt              uint32
	l1Entries          uint32
	l1Offset           uint64
	refTableOffset     uint64
	refTableClusters   uint32
	snapshots          uint32
	snapshotsOffset    uint64
	incompatible       uint64
	autoclear          uint64
	refcountOrder      uint32
	length             uint32
	compression        byte
	backing            string // name, byte for byte; "" is none
	ext                extensions
	clusterSize        int64
	extendedL2         bool
	refTableBytes      int64
	l2Bits             uint32 // log2 of the entries of an L2 table
	entriesPerL1       int64  // guest bytes that one L1 entry maps
	l1Needed           int64  // L1 entries that the size needs
	refcountsPerBlock  int64
	refcountBlockCover int64 // host bytes that one refcount block counts
}

// Probe says whether head, the first bytes of a file, begins a qcow2 image, or one of version 1, which Open refuses by name.
func Probe(head []byte) bool {
	if len(head) < 8 || !bytes.Equal(head[:4], magic()) {
		return false
	}
	v := binary.BigEndian.Uint32(head[4:])
	return v >= 1 && v <= 3
}

// readHeader reads and checks everything in the first cluster.
func readHeader(f disk.File) (*header, error) {
	var fixed [headerMax]byte
	n, err := f.ReadAt(fixed[:min(f.Size(), headerMax)], 0)
	if err != nil && err != io.EOF { //nolint:errorlint // io.ReaderAt's contract is the bare value
		return nil, &disk.Error{Format: "qcow2", Op: "read header", File: f.Name(), Off: 0, Err: err}
	}
	h, err := parseHeader(fixed[:n], f)
	if err != nil {
		return nil, err
	}
	if err := h.readFirstCluster(f); err != nil {
		return nil, err
	}
	return h, nil
}

// parseHeader parses the fixed part. Checks stand in the order in which later fields depend on earlier ones.
func parseHeader(b []byte, f disk.File) (*header, error) {
	fail := func(off int64, kind error, format string, args ...any) (*header, error) {
		return nil, &disk.Error{Format: "qcow2", Op: "read header", File: f.Name(), Off: off, Kind: kind, Detail: fmt.Sprintf(format, args...)}
	}
	be := binary.BigEndian
	if len(b) < 8 || !bytes.Equal(b[:4], magic()) {
		return fail(0, disk.ErrFormat, "no magic QFI\\xfb")
	}
	h := &header{version: be.Uint32(b[4:])}
	switch {
	case h.version == 1:
		return fail(4, disk.ErrUnsupported, "qcow version 1; convert it with qemu-img convert -O qcow2 first")
	case h.version != 2 && h.version != 3:
		return fail(4, disk.ErrUnsupported, "version %d; 2 and 3 are read", h.version)
	case len(b) < headerV2Len || h.version == 3 && len(b) < headerV3Len:
		return fail(0, disk.ErrTruncated, "the file has %d bytes, the header of version %d needs more", len(b), h.version)
	}
	h.backingOffset, h.backingLen = be.Uint64(b[8:]), be.Uint32(b[16:])
	h.clusterBits, h.size, h.crypt = be.Uint32(b[20:]), be.Uint64(b[24:]), be.Uint32(b[32:])
	h.l1Entries, h.l1Offset = be.Uint32(b[36:]), be.Uint64(b[40:])
	h.refTableOffset, h.refTableClusters = be.Uint64(b[48:]), be.Uint32(b[56:])
	h.snapshots, h.snapshotsOffset = be.Uint32(b[60:]), be.Uint64(b[64:])
	h.length, h.refcountOrder = headerV2Len, 4
	if h.version == 3 {
		h.incompatible, h.refcountOrder, h.length = be.Uint64(b[72:]), be.Uint32(b[96:]), be.Uint32(b[100:])
		h.autoclear = be.Uint64(b[autoclearAt:])
		if h.length > headerV3Len && len(b) > headerV3Len {
			h.compression = b[headerV3Len]
		}
	}
	switch {
	case h.crypt == 1:
		return fail(32, disk.ErrEncrypted, "AES; decrypt it with qemu-img convert first")
	case h.crypt == 2:
		return fail(32, disk.ErrEncrypted, "LUKS; decrypt it with qemu-img convert first")
	case h.crypt != 0:
		return fail(32, disk.ErrEncrypted, "unknown method %d", h.crypt)
	case h.clusterBits < minClusterBits || h.clusterBits > maxClusterBits:
		return fail(20, disk.ErrCorrupt, "cluster_bits %d; it must be %d to %d", h.clusterBits, minClusterBits, maxClusterBits)
	case h.length < headerV2Len || h.version == 3 && h.length < headerV3Len || int64(h.length) > 1<<h.clusterBits:
		return fail(100, disk.ErrCorrupt, "header_length %d", h.length)
	case h.refcountOrder > 6:
		return fail(96, disk.ErrCorrupt, "refcount_order %d, at most 6", h.refcountOrder)
	case h.size > disk.MaxSize:
		return fail(24, disk.ErrLimit, "virtual size %d bytes, at most %d", h.size, int64(disk.MaxSize))
	case h.incompatible&incompatCorrupt != 0:
		return fail(72, disk.ErrCorrupt, "marked as corrupt by the program that wrote it; try qemu-img check -r all on a copy")
	case h.incompatible&incompatExtendedL2 != 0 && h.clusterBits < minExtendedBits:
		return fail(20, disk.ErrCorrupt, "extended L2 entries with clusters of %d bytes, at least %d", 1<<h.clusterBits, 1<<minExtendedBits)
	}
	h.derive()
	return h, nil
}

// derive computes the geometry from checked fields.
func (h *header) derive() {
	h.clusterSize = 1 << h.clusterBits
	h.extendedL2 = h.incompatible&incompatExtendedL2 != 0
	h.l2Bits = h.clusterBits - 3
	if h.extendedL2 {
		h.l2Bits--
	}
	h.entriesPerL1 = 1 << (h.l2Bits + h.clusterBits)
	h.l1Needed = (int64(h.size) + h.entriesPerL1 - 1) / h.entriesPerL1
	h.refTableBytes = int64(h.refTableClusters) << h.clusterBits
	h.refcountsPerBlock = h.clusterSize * 8 >> h.refcountOrder
	h.refcountBlockCover = h.refcountsPerBlock << h.clusterBits
}

// readFirstCluster reads the extensions and the backing file's name, and then checks what depends on them.
func (h *header) readFirstCluster(f disk.File) error {
	fail := func(off int64, kind error, format string, args ...any) error {
		return &disk.Error{Format: "qcow2", Op: "read header", File: f.Name(), Off: off, Kind: kind, Detail: fmt.Sprintf(format, args...)}
	}
	end := min(h.clusterSize, f.Size(), maxHeaderBytes)
	if h.backingOffset != 0 {
		switch {
		case h.backingLen > maxBackingName:
			return fail(16, disk.ErrCorrupt, "backing file name of %d bytes, at most %d", h.backingLen, maxBackingName)
		case h.backingOffset < uint64(h.length) || h.backingOffset+uint64(h.backingLen) > uint64(h.clusterSize) || h.backingOffset > uint64(h.clusterSize):
			return fail(8, disk.ErrCorrupt, "backing file name at %#x is not inside the first cluster", h.backingOffset)
		case int64(h.backingOffset)+int64(h.backingLen) > end:
			return fail(8, disk.ErrTruncated, "backing file name at %#x", h.backingOffset)
		}
	}
	b := make([]byte, end)
	if err := readFull(f, b, 0, "read header"); err != nil {
		return err
	}
	area := b[min(int64(h.length), end):]
	if h.backingOffset != 0 {
		area = b[h.length:h.backingOffset]
		h.backing = string(b[h.backingOffset : h.backingOffset+uint64(h.backingLen)])
	}
	ext, err := parseExtensions(area)
	if err != nil {
		return fail(int64(h.length), disk.ErrCorrupt, "%v", err)
	}
	h.ext = ext
	return h.checkFeatures(fail)
}

// checkFeatures refuses what this package does not read.
func (h *header) checkFeatures(fail func(int64, error, string, ...any) error) error {
	if unknown := h.incompatible &^ incompatKnown; unknown != 0 {
		return fail(72, disk.ErrUnsupported, "incompatible features %s", h.ext.featureNames(unknown))
	}
	if h.external() && h.ext.dataFile == "" {
		return fail(72, disk.ErrUnsupported, "an external data file whose name is not stated; merge it with qemu-img convert first")
	}
	marked := h.incompatible&incompatCompression != 0
	switch {
	case h.compression > compressionZstd:
		return fail(headerV3Len, disk.ErrUnsupported, "compression type %d; 0 (zlib) and 1 (zstd) are read", h.compression)
	case marked != (h.compression != compressionZlib):
		return fail(headerV3Len, disk.ErrCorrupt, "compression type %d contradicts incompatible feature bit 3", h.compression)
	}
	return nil
}

// external says whether the clusters stand in another file (specification, "External data file").
func (h *header) external() bool { return h.incompatible&incompatDataFile != 0 }

// checkTables compares the places of the tables with the size of the file.
func (h *header) checkTables(f disk.File) error {
	fail := func(off int64, kind error, format string, args ...any) error {
		return &disk.Error{Format: "qcow2", Op: "read header", File: f.Name(), Off: off, Kind: kind, Detail: fmt.Sprintf(format, args...)}
	}
	inCluster := uint64(h.clusterSize - 1)
	l1Bytes := int64(h.l1Entries) * 8
	switch {
	case l1Bytes > maxL1Bytes:
		return fail(36, disk.ErrLimit, "L1 table of %d bytes, at most %d", l1Bytes, maxL1Bytes)
	case int64(h.l1Entries) < h.l1Needed:
		return fail(36, disk.ErrCorrupt, "L1 table of %d entries, a disk of %d bytes needs %d", h.l1Entries, h.size, h.l1Needed)
	case h.l1Offset&inCluster != 0 || h.l1Entries > 0 && h.l1Offset == 0:
		return fail(40, disk.ErrCorrupt, "L1 table at %#x, not at a cluster", h.l1Offset)
	case h.l1Entries > 0 && beyond(h.l1Offset, l1Bytes, f.Size()):
		return fail(40, disk.ErrTruncated, "L1 table at %#x of %d bytes, the file has %d", h.l1Offset, l1Bytes, f.Size())
	case h.refTableBytes > maxRefcountTableBytes:
		return fail(56, disk.ErrLimit, "refcount table of %d bytes, at most %d", h.refTableBytes, maxRefcountTableBytes)
	case h.refTableOffset&inCluster != 0:
		return fail(48, disk.ErrCorrupt, "refcount table at %#x, not at a cluster", h.refTableOffset)
	case h.refTableClusters > 0 && beyond(h.refTableOffset, 1, f.Size()):
		return fail(48, disk.ErrTruncated, "refcount table at %#x, the file has %d bytes", h.refTableOffset, f.Size())
	}
	return nil
}

// encode returns the first bytes of the header cluster of an image that is written: version 3, and the name of the backing file right
// behind the extensions.
func (h *header) encode() []byte {
	be := binary.BigEndian
	b := make([]byte, headerMax, headerMax+2*8+featureEntryLen)
	copy(b, magic())
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], h.clusterBits)
	be.PutUint64(b[24:], h.size)
	be.PutUint32(b[36:], h.l1Entries)
	be.PutUint64(b[40:], h.l1Offset)
	be.PutUint64(b[48:], h.refTableOffset)
	be.PutUint32(b[56:], h.refTableClusters)
	be.PutUint32(b[96:], h.refcountOrder)
	be.PutUint32(b[100:], headerMax)
	if h.compression != compressionZlib {
		be.PutUint64(b[72:], incompatCompression)
		b[headerV3Len] = h.compression
		// A qemu that does not know the feature can name it.
		b = appendFeatureName(b, incompatCompression, "compression type")
	}
	if h.backing == "" {
		return append(b, make([]byte, 8)...) // end of the header extensions
	}
	b = appendBackingFormat(b, h.ext.backingFormat)
	b = append(b, make([]byte, 8)...)
	be.PutUint64(b[8:], uint64(len(b)))
	be.PutUint32(b[16:], uint32(len(h.backing)))
	return append(b, h.backing...) // the smallest cluster holds it: maxBackingName
}

// beyond says whether n bytes at off reach past size.
func beyond(off uint64, n, size int64) bool {
	return off > uint64(size) || n > size-int64(off)
}

// readFull fills p from f, see disk.ReadFull.
func readFull(f disk.File, p []byte, off int64, op string) error {
	return disk.ReadFull(f, "qcow2", op, p, off)
}

// shown quotes a name from an image for a message, cut to a sane length.
func shown(name string) string {
	if len(name) > maxShownName {
		return fmt.Sprintf("%q (cut, %d bytes)", name[:maxShownName], len(name))
	}
	return fmt.Sprintf("%q", name)
}
