package nbd

import "time"

const (
	// maxConnections is how many clients are served at a time. qemu opens one for a drive, or up to 16 when it is told to.
	maxConnections = 16
	// maxInFlight is how many requests of one connection are worked on: what qemu has under way at most (MAX_NBD_REQUESTS). With
	// chunkBytes and maxConnections it bounds the memory to 64 MiB, and to 4 MiB for the usual single connection.
	maxInFlight = 16
	// chunkBytes is how much content is read and sent at a time.
	chunkBytes = 256 << 10
	// maxRequest is the longest read: what a client may take for granted that was told nothing ("Block size constraints").
	maxRequest = 32 << 20
	// maxOptionData is the longest data of an option: an export name of 4096 bytes ("Values") and a page of other things.
	maxOptionData = 8 << 10
	// maxOptionSkip is how much data of an option is read and dropped to be able to say that it is too long.
	maxOptionSkip = 1 << 20
	// maxOptions is how many options a client may send before the transmission begins; qemu sends three or four.
	maxOptions = 64
	// maxInfos is how many information requests, and maxQueries how many metadata queries, one option may hold. There are four of
	// the first kind, and one context.
	maxInfos, maxQueries = 64, 64
	// maxExtents is how many extents one answer to NBD_CMD_BLOCK_STATUS holds, and maxExtentSteps how many extents of the image are
	// looked at for it. A shorter answer is allowed; the client asks again.
	maxExtents, maxExtentSteps = 1024, 8192
	// maxErrorText is how much of an error's text goes to the client: a line in its log. The protocol allows 4096 bytes.
	maxErrorText = 512

	// handshakeTime is how long a client may take until the transmission begins.
	handshakeTime = 30 * time.Second
	// replyTime is how long a client may take to accept one reply, so that one that stands still does not hold buffers for ever. A
	// busy host can stop a guest for minutes.
	replyTime = 5 * time.Minute

	// sectorSize is what the size of the export is a multiple of, and the smallest block that is announced: qemu counts in it.
	sectorSize = 512
	// preferredBlock is the size in which a client does best to read: the unit of allocation of most formats.
	preferredBlock = 64 << 10
)
