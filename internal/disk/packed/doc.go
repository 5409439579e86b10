// Package packed opens a file that is compressed as a whole, or cut into pieces, as a plain one.
//
// Compressed files cannot be read at an offset, so Unpack inflates them once into a scratch file that has no name: it goes away with the
// program, however that ends. Runs of zeroes become holes. One level is undone; what is compressed inside a compressed file is refused,
// because nobody makes such files but by mistake or to do harm. Pieces are read where they stand.
package packed
