package vhdx

import (
	"fmt"
	"hash/crc32"

	"hyper2kvm/internal/disk"
)

// formatName is what messages and Info call the format.
const formatName = "vhdx"

// noOffset stands for an error that belongs to no place in the file.
const noOffset = -1

// fault makes an error of a kind at a place in a file.
func fault(kind error, op, file string, off int64, detail string, args ...any) error {
	return &disk.Error{Format: formatName, Op: op, File: file, Off: off, Kind: kind, Detail: fmt.Sprintf(detail, args...)}
}

// castagnoli is the polynomial of every checksum of the format (2).
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum returns the CRC-32C of b with the checksum field, always bytes 4 to 7, taken as zero.
func checksum(b []byte) uint32 {
	sum := crc32.Update(0, castagnoli, b[:4])
	sum = crc32.Update(sum, castagnoli, []byte{0, 0, 0, 0})
	return crc32.Update(sum, castagnoli, b[8:])
}
