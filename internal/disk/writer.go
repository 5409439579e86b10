package disk

import (
	"context"
	"io"
)

// Target is the file that a Writer writes. *os.File is one; tests give one that fails.
type Target interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
}

// Writer makes one image. Encode may be called from many goroutines at once; the other methods from one at a time.
// Whoever made the Writer owns the Target and closes it.
type Writer interface {
	// ChunkSize returns the number of bytes of content that Encode takes at a time: a power of two, at least 4096.
	// Chunks begin at multiples of it; the last one of a disk may be shorter.
	ChunkSize() int
	// Encode turns the content of one chunk that is not all zero into what Append stores, using dst[:0]'s memory where it
	// can. It may return src itself. It must not keep dst or src after the chunk was appended.
	Encode(dst, src []byte) ([]byte, error)
	// Append stores an encoded chunk whose content begins at off. Offsets ascend strictly; what is left out reads as zero.
	// b is not used after Append returns.
	Append(ctx context.Context, off int64, b []byte) error
	// Finish completes the image and syncs the target. After an error the target's content means nothing.
	Finish(ctx context.Context) error
	// Abort gives up; the caller removes the file. It may be called after any error, and after Finish does nothing.
	Abort() error
}

// Cloner is a Writer whose image is the content itself, so that it may share what a file of the host holds.
type Cloner interface {
	Writer
	// Clone makes the image what f holds, without copying. False: that is not possible, and the content has to be appended. Only Finish and
	// Abort may follow when it is true.
	Clone(f File) bool
}
