package deflate

import "errors"

// Kinds of errors of the decoder. Those of a stream come with the number of bytes that were restored before.
var (
	// ErrCorrupt is returned for a stream that no encoder may write (RFC 1951 section 3.2, RFC 1950 section 2.2).
	ErrCorrupt = errors.New("deflate: stream is corrupt")
	// ErrTruncated is returned when the input ends before the stream does.
	ErrTruncated = errors.New("deflate: input ends inside the stream")
	// ErrLong is returned when the stream holds more than the output has room for. The output is full then.
	ErrLong = errors.New("deflate: stream holds more than there is room for")
	// ErrChecksum is returned when the content of a zlib stream does not have the sum that its trailer says.
	ErrChecksum = errors.New("deflate: Adler-32 sum does not match")
)
