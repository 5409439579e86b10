package packed

import (
	"compress/bzip2"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/xz"
)

// What can go wrong besides the kinds of package disk.
var (
	// ErrSpace says that the content needs more room than AtMost allows.
	ErrSpace = errors.New("the unpacked content needs more space than there is")
	// ErrScratch says that the scratch file could not be made or written, with the system's error.
	ErrScratch = errors.New("scratch file cannot be written")
)

// kindOf sorts the errors of the decompressors into the kinds of package disk. What is none of theirs is taken for damage: an error of
// the file underneath never comes here.
func kindOf(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return disk.ErrTruncated
	case errors.Is(err, xz.ErrLimit), errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return disk.ErrLimit
	case errors.Is(err, xz.ErrUnsupported), errors.Is(err, zstd.ErrUnknownDictionary):
		return disk.ErrUnsupported
	}
	return disk.ErrCorrupt
}

// detailOf says what a decompressor found wrong, in words of ours where its own say little.
func detailOf(err error) string {
	var structural bzip2.StructuralError
	var deflate flate.CorruptInputError
	switch {
	case errors.As(err, &structural):
		return "bzip2: " + string(structural)
	case errors.As(err, &deflate):
		return "the deflate stream is damaged"
	case errors.Is(err, gzip.ErrChecksum):
		return "the content does not have the checksum that stands behind it"
	case errors.Is(err, gzip.ErrHeader):
		return "what follows is no gzip member"
	}
	return ""
}
