package qcow2

// Limits on what an image may ask for. Those of the specification and of qemu are named so.
const (
	minClusterBits = 9  // specification
	maxClusterBits = 21 // qemu: 2 MiB

	// minChunkBits is the smallest cluster that is written: disk.Writer asks for chunks of at least 4 KiB.
	minChunkBits = 12
	// minExtendedBits is the smallest cluster of an image with extended L2 entries: 32 subclusters of a sector (specification).
	minExtendedBits = 14

	// maxL1Bytes is qemu's limit for the L1 table (QCOW_MAX_L1_SIZE). It is held in memory.
	maxL1Bytes = 32 << 20
	// maxRefcountTableBytes is qemu's limit for the refcount table (QCOW_MAX_REFTABLE_SIZE).
	maxRefcountTableBytes = 8 << 20
	// maxBackingName is the specification's limit for a backing file name, in bytes.
	maxBackingName = 1023
	// maxBackingFormat is the longest name of a format that qemu reads (struct BDRVQcow2State, image_backing_format).
	maxBackingFormat = 15
	// maxHeaderBytes bounds what is read for the header, its extensions and the backing file name: one cluster of the largest size.
	maxHeaderBytes = 1 << maxClusterBits
	// maxExtensions bounds the walk over header extensions: qemu writes four, an empty one takes only eight bytes.
	maxExtensions = 1024
	// maxZstdWindow is what a zstd frame may say that it looks back: the limit of the reference decoder, and so of qemu.
	maxZstdWindow = 128 << 20
	// maxShownName is how much of a name from an image goes into a message.
	maxShownName = 200

	// tablePageBytes is the unit in which tables are read and kept: a whole table of the default cluster size.
	tablePageBytes = 64 << 10
	// tableCacheBytes is the memory for pages of L2 tables. At 64 KiB clusters it maps 64 GiB of the disk.
	tableCacheBytes = 8 << 20
	// clusterCacheBytes is the memory for decompressed clusters of which only parts are read.
	clusterCacheBytes = 8 << 20

	// maxL1Scan is how many absent L1 entries one lookup passes over: 32 TiB at the default cluster size.
	maxL1Scan = 1 << 16
	// maxCells is how many L2 entries (or subclusters) one Extent looks at: 512 MiB at the default cluster size. An overlay asks
	// its backing file again for every cluster of its own in between, so this is also what such a question may cost.
	maxCells = 1 << 13

	// maxSnapshotTableBytes is qemu's limit for the snapshot table (QCOW_MAX_SNAPSHOTS_SIZE).
	maxSnapshotTableBytes = 64 << 20
	// maxBitmapDirectoryBytes is for some thousand bitmaps; qemu allows 65535 of up to a kilobyte each, which nobody has.
	maxBitmapDirectoryBytes = 1 << 20
	// maxCheckedEntries is how many entries of L1 tables of internal snapshots, and of bitmap tables, a check holds in memory. A snapshot
	// of 1 TiB has 2048 at the default cluster size.
	maxCheckedEntries = int64(1 << 18)
	// maxCheckedTables is how much of L2 tables of snapshots a check reads, in bytes: snapshots may share theirs, and a small file can so
	// name the same tables for ever.
	maxCheckedTables = int64(32 << 30)

	// writeBufferBytes is the size of a write to the target.
	writeBufferBytes = 1 << 20
	// pendingBytes is how much plain content waits to be written side by side.
	pendingBytes = 1 << 20

	// checkWindow is how many host clusters Check counts in one pass over the tables: 32 MiB of counters, 512 GiB of file at the
	// default cluster size.
	checkWindow = 8 << 20
)
