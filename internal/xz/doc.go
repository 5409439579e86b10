// Package xz decompresses .xz files and the older .lzma files.
//
// It reads what xz(1), 7-Zip, pixz and the build systems of distributions write: any number of streams with padding between them, any
// number of blocks, LZMA2 behind up to three filters (delta, and the branch converters of x86, PowerPC, ARM, Thumb, ARM64 and SPARC),
// with every size, index and check verified. The sources are "The .xz File Format", version 1.2.0, and the description of LZMA in the
// LZMA SDK (lzma-specification.txt).
//
// Memory is bounded by MaxDictionary and a few hundred kilobytes, whatever a file says about itself, and only as much of the
// dictionary is allocated as the content fills.
package xz
