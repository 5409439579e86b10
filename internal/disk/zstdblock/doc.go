// Package zstdblock writes Zstandard frames (RFC 8878) of content of up to 64 KiB that is whole in memory: clusters of qcow2 images.
//
// A frame is one segment with one block. Its matches are found by one table of positions with five bytes each, and by the last distances
// (finder.go); its literals are coded by Huffman codes, which the library huff0 makes, and its sequences by finite state entropy
// (sequences.go, fse.go). What is known to be small makes the difference to a library that streams: positions are numbers of 16 bits, so that
// the table stays close to the processor, and every access is known to lie in the block.
//
// In programs and texts it leaves about as much as zstd's own level 2 does. The output depends on nothing but content.
package zstdblock
