package qcow2

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

// Types of header extensions (specification, "Header extensions").
const (
	extEnd           = 0
	extBackingFormat = 0xe2792aca
	extFeatureNames  = 0x6803f857
	extBitmaps       = 0x23852875
	extDataFile      = 0x44415441
)

// featureEntryLen is an entry of the feature name table: type, bit, 46 bytes of name padded with zeroes.
const featureEntryLen = 48

// extensions is what the header extensions say, as far as it matters here.
type extensions struct {
	backingFormat string
	dataFile      string
	features      []byte // the feature name table as it stands
	bitmaps       []byte // the bitmaps extension as it stands
}

// parseExtensions walks the area between the header and the backing file name or the end of the first cluster. Types that are
// not known are passed over, as the specification asks.
func parseExtensions(b []byte) (extensions, error) {
	var e extensions
	for range maxExtensions {
		if len(b) < 8 {
			return e, nil
		}
		kind, n := binary.BigEndian.Uint32(b), int64(binary.BigEndian.Uint32(b[4:]))
		if kind == extEnd {
			return e, nil
		}
		b = b[8:]
		if n > int64(len(b)) {
			return e, fmt.Errorf("header extension %#x of %d bytes, only %d are left", kind, n, len(b))
		}
		data := b[:n]
		switch kind {
		case extBackingFormat:
			e.backingFormat = string(data)
		case extDataFile:
			e.dataFile = string(data)
		case extFeatureNames:
			e.features = data
		case extBitmaps:
			e.bitmaps = data
		}
		b = b[min((n+7)&^7, int64(len(b))):]
	}
	return e, fmt.Errorf("more than %d header extensions", maxExtensions)
}

// featureNames names the incompatible feature bits that are set in mask, by the image's own table where it has them.
func (e extensions) featureNames(mask uint64) string {
	var names []string
	for ; mask != 0; mask &= mask - 1 {
		bit := bits.TrailingZeros64(mask)
		name := fmt.Sprintf("bit %d", bit)
		for t := e.features; len(t) >= featureEntryLen; t = t[featureEntryLen:] {
			if t[0] == 0 && int(t[1]) == bit { // type 0 is incompatible
				text, _, _ := bytes.Cut(t[2:featureEntryLen], []byte{0})
				name = fmt.Sprintf("bit %d (%q)", bit, text)
				break
			}
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// appendBackingFormat appends the name of the backing file's format.
func appendBackingFormat(b []byte, format string) []byte {
	b = binary.BigEndian.AppendUint32(b, extBackingFormat)
	b = binary.BigEndian.AppendUint32(b, uint32(len(format)))
	b = append(b, format...)
	return append(b, make([]byte, -len(format)&7)...)
}

// appendFeatureName appends a feature name table with one incompatible bit.
func appendFeatureName(b []byte, mask uint64, name string) []byte {
	b = binary.BigEndian.AppendUint32(b, extFeatureNames)
	b = binary.BigEndian.AppendUint32(b, featureEntryLen)
	entry := make([]byte, featureEntryLen)
	entry[1] = byte(bits.TrailingZeros64(mask))
	copy(entry[2:], name)
	return append(b, entry...)
}
