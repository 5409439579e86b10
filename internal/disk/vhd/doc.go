// Package vhd reads and writes the virtual hard disks of Virtual PC, Hyper-V before VHDX, XenServer and Azure.
//
// The specification is Microsoft's "Virtual Hard Disk Image Format Specification", version 1.0, October 2006. All numbers are big
// endian. A fixed disk is its content and, behind it, the footer. The others are:
//
//	footer copy      offset 0, 512 bytes: the same bytes as at the end
//	dynamic header   where the footer says (512), 1024 bytes: block size, place of the table, the parent
//	parent locators  anywhere: names of the parent, one for each platform
//	BAT              block allocation table, where the header says: a 4-byte sector number for each block, 0xffffffff for none
//	block            sector bitmap, padded to whole sectors, then the content of the block
//	footer           the last 512 bytes of the file
//
// # Reading
//
// Fixed, dynamic and differencing disks with blocks of 4 KiB to 256 MiB. The footer at the end decides; where it is damaged the copy
// at the start of a dynamic or differencing disk counts, and Describe says so. Footers of 511 bytes (Virtual PC before 2004) are
// read. A footer or header with a wrong checksum is refused, not guessed at.
//
// The size is the footer's current size, except for disks of Virtual PC and of old qemu (creators "vpc " and "qemu"): those count
// in cylinders, heads and sectors, unless these are at their limit.
//
// The sector bitmap of a dynamic disk is not looked at: its blocks hold zeroes where nothing was written. In a differencing disk each bit,
// the most significant of a byte first, says whether a sector is here or in the parent. The parent is looked for by the plain file
// names that its locators end in, then among the other files of the job; it must have the identifier that the child states.
//
// Refused by name: a saved state, the reserved disk types, more than 2040 GiB. Where the file ends before a block does, reading it
// gives ErrTruncated and not zeroes.
//
// # Writing
//
// A dynamic disk, in one pass: room for footer copy, header and table at the start, then blocks of 2 MiB in ascending order. The
// first chunk of a block reserves all of it; what is left out stays a hole of the file. Content begins at multiples of 4 KiB, as
// Windows places it. Table, header and footers are written last: until then the file has no cookie and no reader takes it for an image.
//
// A fixed disk is a sparse file with a footer. Azure takes only fixed disks whose size is a multiple of 1 MiB: give such a size.
//
// Sizes are rounded up to whole sectors; what is past the end of the source reads as zero. The current size is exact, and the
// creator is one of those whose current size other programs believe.
package vhd
