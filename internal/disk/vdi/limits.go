package vdi

const (
	// minBlock and maxBlock bound the block size in bytes. VirtualBox writes 1 MiB unless asked otherwise.
	minBlock = 4 << 10
	maxBlock = 256 << 20

	// mapPage is the unit in which the block map is read and kept; it maps 16 GiB of blocks of 1 MiB.
	mapPage = 64 << 10
	// mapCache is the memory for pages of the map: all of it up to 1 TiB with blocks of 1 MiB.
	mapCache = 4 << 20
	// maxSteps is how many blocks one Extent looks at. It also bounds what a fragmented parent costs.
	maxSteps = 1 << 16

	// maxOpenScan is the largest number of blocks whose map is checked when an image is opened: 16 TiB of disk with blocks of 1 MiB.
	maxOpenScan = 16 << 20
	// scanWindow is how many places in the file one pass over the map watches, one bit each: 32 MiB of them.
	scanWindow = 32 << 20 * 8
)
