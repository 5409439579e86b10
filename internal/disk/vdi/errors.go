package vdi

import (
	"fmt"

	"hyper2kvm/internal/disk"
)

// formatName is what messages and Info call the format.
const formatName = "vdi"

// noOffset stands for an error that belongs to no place in the file.
const noOffset = -1

// fault makes an error of a kind at a place in a file.
func fault(kind error, op, file string, off int64, detail string, args ...any) error {
	return &disk.Error{Format: formatName, Op: op, File: file, Off: off, Kind: kind, Detail: fmt.Sprintf(detail, args...)}
}

// readFull fills p from f, see disk.ReadFull.
func readFull(f disk.File, op string, p []byte, off int64) error {
	return disk.ReadFull(f, formatName, op, p, off)
}
