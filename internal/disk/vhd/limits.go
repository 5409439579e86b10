package vhd

const (
	// maxSize is the largest disk: what Hyper-V and Azure take, and what the sector numbers of the table can reach.
	maxSize = 2040 << 30
	// minBlock and maxBlock bound the block size in bytes. Products write 512 KiB to 4 MiB; a block of 256 MiB has a bitmap of 64 KiB.
	minBlock = 4 << 10
	maxBlock = 256 << 20
	// maxLocator is the longest name of a parent that is read, in bytes: no path of Windows is longer.
	maxLocator = 64 << 10

	// tablePage is the unit in which the table is read and kept; it maps 32 GiB of blocks of 2 MiB.
	tablePage = 64 << 10
	// tableCache is the memory for pages of the table. It holds all of it for the largest disk with blocks of 2 MiB.
	tableCache = 4 << 20
	// maxSteps is how many blocks one Extent looks at. A differencing disk reads a bitmap for each.
	maxSteps = 1 << 14
)
