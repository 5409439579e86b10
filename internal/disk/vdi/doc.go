// Package vdi reads and writes the disk images of VirtualBox.
//
// The specification is VirtualBox's own source, src/VBox/Storage/VDICore.h. All numbers are little endian. The parts of a file:
//
//	text         offset 0, 64 bytes: which program wrote it, for eyes only
//	signature    offset 64: 0xbeda107f, then the version, 1.1
//	header       offset 72: 0x180 bytes, or 0x190 with a second geometry
//	block map    where the header says: a 4-byte number for each block of the disk
//	block        number n is at data offset + n * (block size + extra); extra bytes of service data come before the content
//
// A map entry of 0xffffffff is a block that was never written: zero, or in a differencing image what the parent holds. 0xfffffffe is
// a block that was discarded: zero, whatever the parent holds.
//
// # Reading
//
// Dynamic, static and differencing images of version 1.1 with any power of two from 4 KiB to 256 MiB as block size. The size is kept
// to the byte. Geometry fields mean nothing and are not looked at. A map in which two blocks of the disk share a place in the file, or
// which points behind the end of the file, is refused when the image is opened, as long as its map has at most 64 MiB.
//
// There is no name of the parent in a differencing image, only two identifiers: that of the parent and that of the parent's
// last change. The parent is the VDI among the files of the job (disk.Env.Siblings) that has both. If one has only the first, it was
// changed after the child was made, and the content would be a mixture: refused.
//
// Refused by name: undo images, versions other than 1.1, an image that is not differencing and still names a parent.
//
// # Writing
//
// A dynamic image in one pass, laid out as VirtualBox does: map at 1 MiB, data behind it, blocks of 1 MiB in ascending order. The
// first chunk of a block reserves all of it; what is left out stays a hole of the file. The header is written last: until
// then the file has no signature and no reader takes it for an image.
//
// The size in the header is a multiple of 512, as other readers demand. A disk of any other size gets the next multiple, and what is
// past its end reads as zero.
package vdi
