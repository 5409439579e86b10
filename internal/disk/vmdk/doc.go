// Package vmdk reads VMware disk images of every kind, and writes the streamOptimized and the monolithicSparse kind.
//
// Specifications: VMware "Virtual Disk Format 5.0" technical note; libyal, "VMWare Virtual Disk (VMDK) format"; for what the
// note leaves open (footer, markers, the layout that ESXi imports) the headers of VMware's open-vmdk.
//
// A disk is described by a text, the descriptor, which is a file of its own or is embedded in the only extent. It names one
// or more VMDK extents, each the next so many sectors of the disk:
//
//	FLAT, VMFS   plain bytes of another file
//	SPARSE       a hosted sparse extent, see below
//	ZERO         nothing stored, reads as zeroes
//
// Hosted sparse extent, all numbers little-endian, all places in sectors of 512 bytes:
//
//	 0  4  "KDMV"
//	 4  4  version: 1, 2 (zero grains), 3 (compressed, or change tracking)
//	 8  4  flags: 1 line-end bytes are valid, 2 redundant grain directory, 4 zero grains, 0x10000 compressed, 0x20000 markers
//	12  8  capacity
//	20  8  grain size, a power of two, 128 in practice
//	28  8  place of the embedded descriptor, 0 = none
//	36  8  its size
//	44  4  entries of a grain table, 512 in practice
//	48  8  place of the redundant grain directory
//	56  8  place of the grain directory, 2^64-1 = see the footer
//	64  8  sectors of metadata before the first grain
//	72  1  1 = the writer did not close the image
//	73  4  "\n \r\n": changed by a transfer in text mode
//	77  2  compression: 0 none, 1 deflate (a zlib stream per grain)
//
// The grain directory holds the places of the grain tables (0 = no grain of the table is stored), a grain table the places
// of the grains: 0 = not stored (the parent's content, or zeroes), 1 = zeroes if flag 4 is set. A compressed grain begins
// with its first sector's number on the disk (8 bytes) and the size of the stream (4 bytes).
//
// A streamOptimized image written in one go ends in marker sectors:
//
//	grains and their table, again and again:  grain* | marker 1, grain table
//	grain directory                           marker 2, grain directory
//	footer: the header with its real place    marker 3, footer
//	end of stream                             marker 0
//	progress, anywhere, from early ovftool    marker 4
//
// Not read, and refused by name: COWD (vmfsSparse) and seSparse extents, raw device mappings, native snapshots, extents
// whose access is NOACCESS, encrypted disks.
package vmdk
