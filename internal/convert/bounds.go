package convert

import (
	"context"
	"errors"
	"io"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/manifest"
)

// block is the unit in which what an output may store is counted: the cluster of our qcow2 and the grain of our vmdk.
const block = 64 << 10

// maxTextBytes bounds what a run writes besides images: the domain XML and the report.
const maxTextBytes = 1 << 20

// maxFileBytes is an upper bound of the size of the file that a disk becomes. It counts every block that holds data as
// stored whole and incompressible, and every table that such blocks can need.
func maxFileBytes(format string, d DiskFacts) int64 {
	blocks := ceilDiv(d.Touched, block)
	switch format {
	case manifest.FormatQcow2:
		const (
			entries = block / 8 // of an L2 table, which fills a cluster
			fixed   = 4 * block // header, first refcount table and block, alignment
		)
		l2 := min(blocks, ceilDiv(d.VirtualSize, block*entries)) * block
		l1 := roundUp(ceilDiv(d.VirtualSize, block*entries)*8, block)
		stored := roundUp(d.Touched, block) + l2 + l1
		refcounts := roundUp(ceilDiv(stored, block)*2, block) // 16 bits for each cluster
		return stored + 2*refcounts + fixed
	case manifest.FormatVMDK:
		const (
			grainExtra = 1024      // marker, deflate's growth on incompressible data, padding to a sector
			tables     = 512 * 5   // a grain table of 512 entries and its marker
			perTable   = 512       // grains
			fixed      = 256 << 10 // header, descriptor, footer, end of stream, markers
		)
		gts := min(blocks, ceilDiv(d.VirtualSize, block*perTable))
		gd := roundUp(ceilDiv(d.VirtualSize, block*perTable)*4, disk.SectorSize)
		return blocks*(block+grainExtra) + gts*tables + gd + fixed
	default: // raw, and vdi, whose blocks of 1 MiB are as sparse: the file system keeps a list of their pieces
		const (
			perBlock = 64    // bytes of extent records for a piece, four times what ext4 and XFS use
			perMiB   = 4     // bytes of a VDI's block map for a block
			fixed    = block // the list's own blocks
			head     = 2 << 20
		)
		if format == manifest.FormatVDI {
			return roundUp(d.Touched, block) + blocks*perBlock + ceilDiv(d.VirtualSize, 1<<20)*perMiB + fixed + head
		}
		return min(roundUp(d.Touched, block), roundUp(d.VirtualSize, 4096)) + blocks*perBlock + fixed
	}
}

func ceilDiv(n, unit int64) int64 { return (n + unit - 1) / unit }

func roundUp(n, unit int64) int64 { return ceilDiv(n, unit) * unit }

// measure walks the map of an image and counts the bytes that must be read, and the bytes in whole blocks that hold data.
func measure(ctx context.Context, img disk.Image) (allocated, touched int64, err error) {
	next := int64(0) // first block that is not counted yet
	for off := int64(0); off < img.Size(); {
		e, err := img.Extent(ctx, off)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		if e.Kind == disk.Data {
			allocated += e.Len
			first, end := max(e.Off/block, next), ceilDiv(e.End(), block)
			touched += max(end-first, 0) * block
			next = max(next, end)
		}
		off = e.End()
	}
	return allocated, touched, nil
}
