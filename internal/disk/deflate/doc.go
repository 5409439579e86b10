// Package deflate compresses and decompresses raw DEFLATE streams (RFC 1951) that are whole in memory.
//
// Clusters of qcow2 images and grains of VMDK images are streams of 64 KiB, known from beginning to end before the first bit is
// written or read. That spares what streaming libraries pay for: a window copied beside the output, input taken byte by byte, a call
// through an interface per byte, allocation per stream.
package deflate
