// Package vhdx reads and writes the virtual hard disks of Hyper-V, version 2: .vhdx files, and .avhdx files, which are the same.
//
// The specification is [MS-VHDX], "Virtual Hard Disk v2 (VHDX) File Format". All numbers are little endian, all strings UTF-16LE
// unless said otherwise, and every part after the first MiB begins at a multiple of 1 MiB:
//
//	0        file type identifier: "vhdxfile", then the creator
//	64 KiB   header: sequence number, GUIDs of the file's and the disk's last change, GUID and place of the log
//	128 KiB  second header; the one with a valid checksum and the higher sequence number counts
//	192 KiB  region table: GUID, place and length of each region
//	256 KiB  second region table
//	any      log: a ring of entries that hold metadata sectors on their way to their places
//	any      metadata region: a table of 64 KiB, then items: sizes, flags, where the parent is
//	any      block allocation table (BAT): 8 bytes per payload block: state in bits 0 to 2, place in MiB in bits 20 to 63
//	any      payload blocks of 1 to 256 MiB
//	any      sector bitmap blocks of 1 MiB, a bit for each of 2^23 sectors; only where there is a parent
//
// The BAT has the entry of a sector bitmap block after the entries of every chunk, which is as many payload blocks as one bitmap
// covers, whether the file has a parent or not.
//
// # Reading
//
// Fixed, dynamic and differencing disks with sectors of 512 and 4096 bytes, every state of a block, the second copy of a damaged
// header or region table. A log that is not empty is replayed in memory, before anything but the headers is believed; the file
// itself is never changed. A parent is opened by the base name of one of the paths that the file states, the relative one
// first, and must have the DataWriteGuid that the file was made on.
//
// Blocks that are not present, undefined, zero or unmapped read as zeroes; in a differencing disk a block that is not present is
// the parent's. A block in the file must have all its content in the file: only what lies past the end of the disk may be missing
// from the last one, as in fixed disks made by QEMU.
//
// Refused by name: regions and metadata items that are marked as required and not known here, parent locators of other types, and
// VHD sets (.vhds), which only point at the files of a shared disk.
//
// # Writing
//
// Dynamic disks in one pass, offsets ascending, with sectors of 512 bytes, an empty log and full copies of header and region
// table. A block gets its place when its first chunk is stored; chunks that are left out stay holes of the file. BAT entries
// ascend with the offsets, so one page of it is held in memory. The file type identifier is written and synced last: until then
// no reader takes the file for an image.
//
// The virtual size is a multiple of 512. A disk of any other size gets the next multiple, and what is past its end reads as zero.
package vhdx
