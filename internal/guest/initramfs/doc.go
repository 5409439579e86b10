// Package initramfs reads what an initramfs holds.
//
// An image is one or more cpio archives (newc, or newc with checksums), each as it is or compressed, with padding of zeros between
// them: most begin with an archive of processor microcode that is not compressed. The rules are those of the kernel's init/initramfs.c
// and Documentation/driver-api/early-userspace/buffer-format.rst. What the kernel unpacks is what List lists; like the kernel, it takes
// what stands in front of trailing garbage.
//
// Images are read as streams: memory is bounded by a decompressor's window and by the limits below, whatever an image says of itself.
// Gzip, xz, lzma, bzip2, zstd, and lz4 in both framings are read. LZO is recognised and refused. A unified kernel image stands for the
// initramfs in its .initrd section.
package initramfs
