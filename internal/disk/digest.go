package disk

import "encoding/hex"

// DigestBlock is the size of the blocks that a Digest is made of.
const DigestBlock = 1 << 20

// Digest identifies the content of a disk whatever its format: SHA-256 over the SHA-256 of each DigestBlock of the content in
// order (the last one may be short) and then the size as eight big-endian bytes. A block of zeroes costs one constant.
type Digest [32]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }
