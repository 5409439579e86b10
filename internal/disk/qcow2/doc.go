// Package qcow2 reads and writes QEMU's copy-on-write images, versions 2 and 3.
//
// The specification is docs/interop/qcow2 in the QEMU source tree. All numbers are big endian. The parts of a file, each in
// whole clusters except compressed data:
//
//	header            offset 0: 72 bytes (v2) or header_length bytes (v3), header extensions, backing file name
//	L1 table          8-byte entries: where each L2 table is
//	L2 table          one cluster of 8-byte entries (16 with extended L2): where each guest cluster is
//	data cluster      content as it is
//	compressed data   one raw deflate stream or zstd frame per guest cluster, at any byte offset
//	refcount table    8-byte entries: where each refcount block is
//	refcount block    one cluster of counters, one per host cluster
//
// An L2 entry, from bit 63 down: COPIED, compressed, reserved, host offset (bits 55 to 9), reserved, reads-as-zero (bit 0).
// When compressed: the offset in the low 62-(cluster_bits-8) bits, the number of further sectors above it.
//
// # Reading
//
// Versions 2 and 3, clusters of 512 bytes to 2 MiB, deflate and zstd, zero clusters, extended L2 entries with subclusters, external data
// files that the opener lets through, and backing files. A backing file without a stated format is raw: guessing would let the guest of
// a raw disk choose what the host opens. Internal snapshots, dirty bitmaps and the saved state of a running machine are passed over, and
// so are the refcounts, which reading does not need; only Check looks at all of these.
//
// An image made with preallocation=metadata has a place for every cluster, and a file that is nearly all holes. Where the file is sparse,
// its holes are in the map as zeroes.
//
// Refused by name: encryption, the corrupt bit, incompatible feature bits that are not known here, and version 1. Where the file ends
// before a cluster that is part of the disk's content does, reading it gives ErrTruncated and not zeroes: a file cut short looks like
// that.
//
// # Writing
//
// Version 3 in one pass, offsets ascending. The refcount table is sized up front and follows the header; each refcount block is the
// first cluster of the range it counts, so that only one is held in memory; an L2 table follows the data it maps; the L1 table
// ends the file. The header is written and synced last: until then the file has no magic and no reader takes it for an image.
// Compressed clusters are packed byte after byte. Clusters that do not shrink are stored plain; they wait (at most 1 MiB of them)
// until they can be written side by side, so that they do not tear holes of half a cluster into the packed data.
//
// CreateOverlay writes an image in which nothing is stored yet, above a backing file that somebody else will open by its name; OpenOver
// reads it later above an image that is given, whatever the name says.
//
// The size in the header is a multiple of 512, as qemu demands (it ignores the rest of another one). A disk of any other size gets
// the next multiple, and what is past its end reads as zero. That never cuts content; whoever compares such an image with its
// source compares the common length and finds zeroes behind it.
package qcow2
