package vhdx

import (
	"bytes"
	"encoding/binary"
	"path"
	"strconv"
	"strings"
	"unicode/utf16"

	"hyper2kvm/internal/disk"
)

// signature begins every file (2.2.1).
const signature = "vhdxfile"

// Probe says whether a file with this start is a VHDX. Eight bytes are enough.
func Probe(head []byte) bool { return bytes.HasPrefix(head, []byte(signature)) }

// readIdentifier checks the file type identifier and returns the creator, as far as it can be shown.
func readIdentifier(src *source) (creator string, err error) {
	const op = "read file type identifier"
	if ext := strings.ToLower(path.Ext(src.name())); ext == ".vhds" || ext == ".vhdset" {
		return "", fault(disk.ErrUnsupported, op, src.name(), noOffset,
			"a VHD set only points at the disk's files; submit the .avhdx or .vhdx file that it is for")
	}
	b := make([]byte, identifierBytes)
	n := min(int64(len(b)), src.size)
	if n >= int64(len(signature)) {
		if err := src.readFull(op, b[:n], identifierOffset); err != nil {
			return "", err
		}
	}
	if !Probe(b) {
		return "", fault(disk.ErrFormat, op, src.name(), identifierOffset, "%q is not there", signature)
	}
	return printable(decodeUTF16(b[len(signature):])), nil
}

// encodeIdentifier returns the structure with this creator, cut to the field.
func encodeIdentifier(creator string) []byte {
	b := make([]byte, identifierBytes)
	at := copy(b, signature)
	for _, u := range utf16.Encode([]rune(creator)) {
		if at+2 > len(b) {
			break
		}
		binary.LittleEndian.PutUint16(b[at:], u)
		at += 2
	}
	return b
}

// decodeUTF16 decodes up to a NUL. What is not UTF-16 becomes U+FFFD.
func decodeUTF16(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// printable replaces what a terminal would act on in a text of the image.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
