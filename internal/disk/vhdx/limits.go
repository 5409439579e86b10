package vhdx

import "hyper2kvm/internal/disk"

// Sizes that the specification fixes, in bytes.
const (
	mib = 1 << 20 // unit and alignment of everything after the header section (2.1)

	identifierOffset   = 0
	identifierBytes    = 520
	headerOffset1      = 64 << 10
	headerOffset2      = 128 << 10
	headerBytes        = 4 << 10
	regionTableOffset1 = 192 << 10
	regionTableOffset2 = 256 << 10
	regionTableBytes   = 64 << 10
	headerSectionBytes = mib

	metadataTableBytes = 64 << 10
	bitmapBytes        = mib     // of a sector bitmap block (2.4)
	bitmapSectors      = 1 << 23 // that it has a bit for

	minBlockBytes = mib
	maxBlockBytes = 256 * mib
)

// Limits on what an image may ask for. Those of the specification are named so.
const (
	maxEntries   = 2047 // of a region or metadata table (2.2.3.1, 2.6.1.1)
	maxUserItems = 1024 // of the metadata (2.6.1.2)
	maxItemBytes = mib  // of a metadata item (2.6.1.2)

	// maxFileBytes is the highest place in a file that is accepted: twice the largest disk. Check has a bit of memory for each MiB.
	maxFileBytes = 2 * disk.MaxSize

	// maxLogBytes is the longest log that is replayed; the whole ring is read into memory. Hyper-V's has 1 MiB, as has qemu's unless
	// asked otherwise. An empty log may have any length.
	maxLogBytes = 64 << 20
	// maxLogPasses bounds the checksums over a log, in lengths of the log. Whole entries do not overlap, remains of older ones
	// may lie under the newer ones; a log made of entries in each other would take hours.
	maxLogPasses = 16

	// pageBytes is the unit in which the BAT and the sector bitmaps are read and kept. A page of bitmap covers a block of any
	// size, so the bits of a block never lie on two pages.
	pageBytes = 64 << 10
	// batCachePages are kept: 8 MiB, the whole BAT of 1 TiB in blocks of 1 MiB or of 32 TiB in blocks of 32 MiB.
	batCachePages = 128
	// bitmapCachePages are kept of a differencing disk: 4 MiB, the sector bitmaps of 16 GiB of disk.
	bitmapCachePages = 64

	// maxRuns is how many neighbouring ranges one Extent joins.
	maxRuns = 1 << 13

	// chunkBytes is how much content Writer takes at a time: the grain of the holes in a block.
	chunkBytes = 64 << 10
	// writeBufferBytes is the most that goes to the target in one write.
	writeBufferBytes = mib
	// goodBATBytes is the size of the BAT up to which Writer takes smaller blocks by itself.
	goodBATBytes = 4 << 20
	// maxChosenBlock is the largest block that Writer takes by itself: Hyper-V's default.
	maxChosenBlock = 32 * mib
)
