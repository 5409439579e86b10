// Package deflate compresses and decompresses raw DEFLATE streams (RFC 1951) that are whole in memory.
//
// Clusters of qcow2 images and grains of VMDK images are streams of 64 KiB, known from beginning to end before the first bit is
// written or read. That spares what streaming libraries pay for: a window copied beside the output, input taken byte by byte, a call
// through an interface per byte, allocation per stream. [Encoder.EncodeZlib] and [Decoder.InflateZlib] add the framing of RFC 1950.
//
// # Encoder
//
// Up to 64 KiB are a piece, which is searched as a whole and then written; longer content goes on with 32 KiB of the past kept in view.
//
// What costs most in a compressor is not work but branches that cannot be foreseen: one that was guessed wrong costs as much as ten
// instructions, and there are three or four of them for each match. So candidates are compared eight bytes at once and the best is chosen
// by arithmetic, up to four literals are counted and written without asking how many there are, and positions without a candidate are
// told by one comparison: what remembers a position also remembers most of what was there (finder.go). The memory of the fast level
// stays close to the processor because the window is 4096 bytes, as qemu has it. The small level keeps twice as many positions for
// each hash and compares all of them to their ends (deepfinder.go).
//
// A piece is cut into a few parts of equal numbers of matches, of which neighbours are joined while that saves bits by the entropy of
// their symbols (split.go). Each becomes a block: stored, with the fixed codes, or with codes of its own, whichever is smallest; that is known
// to the bit before it is written. Joining costs little time and gains about one per cent.
//
// In programs and texts the fast level leaves about a twentieth more than zlib's default level does with the same window, in about
// a fifth of the time; random bytes pass more than ten times as fast as through zlib, and zeroes too. The output depends on nothing but
// content and options.
//
// # Decoder
//
// Bits are taken from a word of 64 that is refilled with one load while the end is far, codes are looked up by their first 11 or 8 bits in
// tables whose entries hold all that is to be done, and matches are copied by words (decodefast.go). Near the ends, and whenever something is
// not right, a slow loop with every check takes over (decoder.go): only it tells errors. What is accepted and refused is what
// compress/flate accepts and refuses, which fuzzing holds both to. It is nearly twice as fast as the fastest library in Go, and more than half as fast again as zlib.
package deflate
