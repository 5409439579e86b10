// Package vmdk reads VMware disk images of every kind, and writes the streamOptimized and the monolithicSparse kind.
//
// Specifications: VMware "Virtual Disk Format 5.0" technical note; libyal, "VMWare Virtual Disk (VMDK) format"; for what the
// note leaves open (footer, markers, the layout that ESXi imports) the headers of VMware's open-vmdk.
//
// A disk is described by a text, the descriptor, which is a file of its own or is embedded in the only extent. It names one
// or more VMDK extents, each the next so many sectors of the disk:
//
//	FLAT, VMFS   plain bytes of another file
//	SPARSE       a hosted sparse extent
//	VMFSSPARSE   a COWD extent, the snapshot of ESX up to version 5
//	SESPARSE     an seSparse extent, the snapshot of later ones
//	ZERO         nothing stored, reads as zeroes
//
// The file itself says of which of the three kinds with grains it is; the descriptor is not always right. Names are bytes in
// the encoding that the descriptor states, or in another after the files were moved: see Descriptor.Spellings.
//
// A snapshot names its parent and the content identifier (CID) that the parent had. What its extents do not store shows the
// parent's content. The parent is any VMDK, through env; one that was changed since is refused. Change tracking files are
// ignored.
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
// Where the footer or the grain directory of such a stream is damaged, the directory is made anew by following the markers. A
// stream that was cut has no end to be damaged and is disk.ErrTruncated.
//
// COWD extent, numbers of 32 bits, places and sizes in sectors:
//
//	   0  "COWD"
//	   4  version, 1
//	   8  flags, 3
//	  12  capacity
//	  16  grain size, 1 in practice
//	  20  place of the grain directory, 4 in practice: right behind the header
//	  24  entries of the grain directory
//	  28  next free sector
//	1648  not 0 = the writer did not close the image; the header ends at 2048
//
// Grain tables have 4096 entries; 0 is a grain that is not stored.
//
// seSparse extent, numbers of 64 bits, places and sizes in sectors. No specification of it is public; this is what other
// readers (QEMU, Xen Orchestra) found out:
//
//	 0  0xcafebabe
//	 8  version, 0x200000001
//	16  capacity
//	24  grain size, 8
//	32  size of a grain table, 64: 4096 entries
//	40  flags and four words more, 0
//	80  place and size of each: volatile header, journal header, journal, grain directory, grain tables, free bitmap, back map,
//	    grains
//
// The volatile header is 0xcafecafe, two counters, and whether the journal has to be replayed, which is refused. A directory
// entry is 0, or 1 in the upper four bits and the number of a table in the lower 32. The upper four bits of a table's entry
// say: 0 not stored (all bits are 0), 1 unmapped by the guest and 2 zero, which read as zeroes, 3 stored, and then the number
// of the grain follows: its lower 12 bits first, its other 48 behind them.
//
// Not read, and refused by name: COWD and seSparse extents without their descriptor, seSparse extents that need their journal,
// raw device mappings, native snapshots, extents whose access is NOACCESS, encrypted disks.
//
// A monolithicSparse image that is written has the layout of VMware's own: descriptor at sector 1, redundant grain directory
// at 21 with all its tables, grain directory with its tables, grains from the next full grain on.
package vmdk
