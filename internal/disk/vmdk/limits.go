package vmdk

import "hyper2kvm/internal/disk"

// Limits of this reader. What an image asks for beyond them gives disk.ErrLimit.
const (
	// maxDescriptor is the longest descriptor, in bytes. VMware reserves 10 KiB in an image; 4096 extents with long names
	// need about this much.
	maxDescriptor = 1 << 20
	// maxExtents is the largest number of VMDK extents of one disk: 8 TiB, the largest disk of a desktop product, in pieces of
	// 2 GiB. Every extent holds a file open.
	maxExtents = 4096
	// maxGrain is the largest grain in sectors, 1 MiB. Every program known writes 128 sectors; a partial read inflates a whole one.
	maxGrain = 2048
	// maxTable is the largest number of entries of a grain table; 512 in practice. Bounds a page of the table cache.
	maxTable = 8192
	// maxDirectory is the largest number of grain directory entries of one disk, which are kept in memory: 32 MiB, four times
	// what disk.MaxSize needs with the usual grains of 64 KiB and tables of 512 entries.
	maxDirectory = 8 << 20
	// maxSector is the largest place in a file that is accepted, far above any file and far below overflow in bytes.
	maxSector = 1 << 53
	// maxSectors is the largest size of an extent or a disk.
	maxSectors = disk.MaxSize / disk.SectorSize
	// cachedTables is the number of grain tables kept, together covering 16 GiB of disk in practice, and cachedEntries the
	// number of entries in them: 2 MiB of memory.
	cachedTables  = 512
	cachedEntries = cachedTables * defaultEntries
	// maxRebuilt is the number of grain table entries that are kept in memory where the tables of a stream are damaged: 32 MiB,
	// for 256 GiB of disk. Tables that are whole are not kept.
	maxRebuilt = 4 << 20
	// cachedGrains is the number of inflated grains kept for reads that want a part of one; 64 KiB each in practice.
	cachedGrains = 32
	// footerSearch is how far from the end a footer is looked for when padding follows it: tar blocks, parts of an upload.
	footerSearch = 1 << 20
	// probeSize is how much of a file's head is looked at to recognise a descriptor.
	probeSize = 64 << 10
)
