package initramfs

import (
	"errors"
	"fmt"
	"io"
)

// The kinds of errors; tested with errors.Is. An error that is none of them is that of the reader underneath, or of the context.
var (
	ErrFormat      = errors.New("not an initramfs")
	ErrCorrupt     = errors.New("initramfs is damaged")
	ErrUnsupported = errors.New("initramfs uses a format that is not supported")
	ErrLimit       = errors.New("initramfs is larger than allowed")
)

// Limits of an image. They stand far above what is in the field, and keep a hostile image from taking the machine with it.
const (
	// maxImage is the file itself: a generic image with graphics firmware has 200 MiB.
	maxImage = 4 << 30
	// maxUnpacked is the content of all archives: the largest images, with graphics firmware, unpack to some hundred MiB.
	maxUnpacked = 8 << 30
	// maxEntries is the number of files of all archives: a generic image has ten thousand.
	maxEntries = 1 << 20
	// maxName is the kernel's PATH_MAX.
	maxName = 4096
	// maxNames is the sum of the names that are kept.
	maxNames = 16 << 20
	// maxFile and maxFiles bound the small text files whose content is kept.
	maxFile  = 64 << 10
	maxFiles = 256
	// maxWindow is the largest window of zstd that the kernel takes (ZSTD_WINDOWSIZE_MAX in lib/decompress_unzstd.c).
	maxWindow = 128 << 20
	// maxArchives is the number of archives, so that a file of nothing but trailers ends.
	maxArchives = 1024
)

// corrupt is an ErrCorrupt at an offset of the image.
func corrupt(off int64, format string, args ...any) error {
	return fmt.Errorf("%w: %s, in the part at %#x", ErrCorrupt, fmt.Sprintf(format, args...), off)
}

// damaged makes an ErrCorrupt of a decompressor's or reader's complaint. An end that comes too early is one too.
func damaged(off int64, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w, in the part at %#x: %w", ErrCorrupt, off, err)
}
