// Package disk defines what a virtual disk image is to this program, and copies and compares images whatever their format.
//
// An Image is read at any offset and tells, extent by extent, where data is, where zeroes are and where nothing was ever
// written. A Writer takes chunks that many goroutines encoded and appends them in order. Copy joins the two: it walks the
// source's map, reads only what is allocated, encodes on every core and appends in ascending order, so that memory does not
// grow with the disk and time grows with the allocated data.
//
// Images are hostile input. A reader never allocates what a header asks for without a bound, never trusts an offset before
// comparing it with the file's size, and reaches another file (an extent, a parent) only through an Opener.
//
// The formats live below this package, one directory each; formats lists them in probing order.
package disk
