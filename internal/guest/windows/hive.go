package windows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf16"
)

// The format is that of "Windows registry file format specification" by M. Suhanov. All numbers are little endian; offsets of cells
// count from the end of the base block.
const (
	baseBlock = 4096 // length of the header
	maxName   = 512  // bytes of a key's name; Windows allows 255 characters
	maxList   = 1 << 16
	maxValue  = 16344    // longer values lie in pieces ("db"), and none that is read here is one
	maxValues = 1 << 14  // of one key; those that are read here have below 100
	maxReads  = 1 << 17  // cells that are read of one hive: a long list may name one key ever again; a large SYSTEM takes 30000
	maxBytes  = 64 << 20 // of all these cells together
	hiveType  = 0        // primary file, not a log
	noCell    = 0xffffffff
)

// ErrHive is a registry hive that is damaged, or is none.
var ErrHive = errors.New("registry hive is not valid")

// hive is a registry file, read cell by cell.
type hive struct {
	r     io.ReaderAt
	size  int64
	root  uint32
	dirty bool // changes still lie in the logs beside it
	reads int
	bytes int64
}

// hiveKey is a key ("nk").
type hiveKey struct {
	h                     *hive
	subkeys, subkeyList   uint32
	valueCount, valueList uint32
	name                  string
}

// openHive reads the base block.
func openHive(r io.ReaderAt, size int64) (*hive, error) {
	b := make([]byte, baseBlock)
	if size < baseBlock {
		return nil, fmt.Errorf("%w: %d bytes, the header alone has %d", ErrHive, size, baseBlock)
	}
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("hive: header: %w", err)
	}
	if string(b[:4]) != "regf" {
		return nil, fmt.Errorf("%w: it begins with %q, want \"regf\"", ErrHive, b[:4])
	}
	if major, kind := u32(b, 20), u32(b, 28); major != 1 || kind != hiveType {
		return nil, fmt.Errorf("%w: version %d, type %d; want 1 and 0", ErrHive, major, kind)
	}
	return &hive{r: r, size: size, root: u32(b, 36), dirty: u32(b, 4) != u32(b, 8)}, nil
}

func u16(b []byte, at int) int    { return int(binary.LittleEndian.Uint16(b[at:])) }
func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }

// cell reads at most limit bytes of an allocated cell, and at least least.
func (h *hive) cell(offset uint32, least, limit int) ([]byte, error) {
	if h.reads++; h.reads > maxReads {
		return nil, fmt.Errorf("%w: more than %d cells are read", ErrHive, maxReads)
	}
	at := baseBlock + int64(offset)
	bad := func(why string) error { return fmt.Errorf("%w: cell at offset %d %s", ErrHive, at, why) }
	if offset == noCell || offset%8 != 0 || at > h.size-4 {
		return nil, bad("is outside of the file")
	}
	var head [4]byte
	if _, err := h.r.ReadAt(head[:], at); err != nil {
		return nil, fmt.Errorf("hive: cell at offset %d: %w", at, err)
	}
	size := -int64(int32(u32(head[:], 0))) // negative = in use
	if size < 8 || at > h.size-size {
		return nil, bad("is free or longer than the file")
	}
	n := min(size-4, int64(limit))
	if h.bytes += n; h.bytes > maxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes of cells are read", ErrHive, maxBytes)
	}
	if n < int64(least) {
		return nil, bad("is too short")
	}
	b := make([]byte, n)
	if _, err := h.r.ReadAt(b, at+4); err != nil {
		return nil, fmt.Errorf("hive: cell at offset %d: %w", at, err)
	}
	return b, nil
}

// nkLength is the length of a key's cell before its name.
const nkLength = 76

func (h *hive) key(offset uint32) (hiveKey, error) {
	b, err := h.cell(offset, nkLength, nkLength+maxName)
	if err != nil {
		return hiveKey{}, err
	}
	n := u16(b, 72)
	if string(b[:2]) != "nk" || nkLength+n > len(b) {
		return hiveKey{}, fmt.Errorf("%w: cell at offset %d is no key", ErrHive, baseBlock+int64(offset))
	}
	return hiveKey{
		h: h, subkeys: u32(b, 20), subkeyList: u32(b, 28), valueCount: u32(b, 36), valueList: u32(b, 40),
		name: hiveText(b[nkLength:nkLength+n], u16(b, 2)&0x20 != 0),
	}, nil
}

// hiveText reads a name: a byte for each character (Latin-1), or UTF-16.
func hiveText(b []byte, bytes bool) string {
	var units []uint16
	if bytes {
		for _, c := range b {
			units = append(units, uint16(c))
		}
	} else {
		for i := 0; i+1 < len(b); i += 2 {
			units = append(units, uint16(u16(b, i)))
		}
	}
	return string(utf16.Decode(units))
}

// open walks from the root. A key that is not there is an fs.ErrNotExist.
func (h *hive) open(path ...string) (hiveKey, error) {
	k, err := h.key(h.root)
	for _, name := range path {
		if err != nil {
			return hiveKey{}, err
		}
		k, err = k.sub(name)
	}
	return k, err
}

// sub returns the key of that name below k; letters' case does not matter.
func (k hiveKey) sub(name string) (hiveKey, error) {
	var found hiveKey
	err := k.each(nameHash(name), func(s hiveKey) bool {
		if strings.EqualFold(s.name, name) {
			found = s
		}
		return found.h == nil
	})
	if err == nil && found.h == nil {
		err = fmt.Errorf("%w: no key %q below %q", fs.ErrNotExist, name, k.name)
	}
	return found, err
}

// nameHash is the hash of a name in a list of kind "lh".
func nameHash(name string) uint32 {
	var hash uint32
	for _, c := range utf16.Encode([]rune(strings.ToUpper(name))) {
		hash = hash*37 + uint32(c)
	}
	return hash
}

// all returns every key below k.
func (k hiveKey) all() ([]hiveKey, error) {
	var keys []hiveKey
	err := k.each(0, func(s hiveKey) bool { keys = append(keys, s); return true })
	return keys, err
}

// each calls f with the keys below k until it returns false. With a hash, keys that a list says to have another are not read.
func (k hiveKey) each(hash uint32, f func(hiveKey) bool) error {
	if k.subkeys == 0 {
		return nil
	}
	_, err := k.h.eachOf(k.subkeyList, hash, true, f)
	return err
}

// eachOf reads one list of keys: "lf" and "lh" with hints, "li" without, "ri" of lists; these lie one deep.
func (h *hive) eachOf(offset, hash uint32, top bool, f func(hiveKey) bool) (more bool, err error) {
	b, err := h.cell(offset, 4, 4+8*maxList)
	if err != nil {
		return false, err
	}
	kind, count, width := string(b[:2]), u16(b, 2), 4
	if kind == "lf" || kind == "lh" {
		width = 8
	} else if kind != "li" && (kind != "ri" || !top) {
		return false, fmt.Errorf("%w: list at offset %d is of the unknown kind %q", ErrHive, baseBlock+int64(offset), kind)
	}
	if 4+count*width > len(b) {
		return false, fmt.Errorf("%w: list at offset %d says %d entries and has room for %d", ErrHive, baseBlock+int64(offset), count, (len(b)-4)/width)
	}
	for i := range count {
		entry := u32(b, 4+i*width)
		switch {
		case kind == "ri":
			more, err := h.eachOf(entry, hash, false, f)
			if err != nil || !more {
				return more, err
			}
			continue
		case kind == "lh" && hash != 0 && u32(b, 8+i*width) != hash:
			continue
		}
		k, err := h.key(entry)
		if err != nil {
			return false, err
		}
		if !f(k) {
			return false, nil
		}
	}
	return true, nil
}

// vkLength is the length of a value's cell before its name.
const vkLength = 20

// The types of values that are read.
const (
	regSZ       = 1
	regExpandSZ = 2
	regDWORD    = 4
	regMultiSZ  = 7
)

// value returns a value of the key. One that is not there is an fs.ErrNotExist.
func (k hiveKey) value(name string) (kind uint32, data []byte, err error) {
	missing := fmt.Errorf("%w: no value %q in %q", fs.ErrNotExist, name, k.name)
	if k.valueCount == 0 {
		return 0, nil, missing
	}
	if k.valueCount > maxValues {
		return 0, nil, fmt.Errorf("%w: key %q says %d values, at most %d are read", ErrHive, k.name, k.valueCount, maxValues)
	}
	list, err := k.h.cell(k.valueList, int(k.valueCount)*4, int(k.valueCount)*4)
	if err != nil {
		return 0, nil, err
	}
	for i := range int(k.valueCount) {
		b, err := k.h.cell(u32(list, i*4), vkLength, vkLength+maxName)
		if err != nil {
			return 0, nil, err
		}
		n := u16(b, 2)
		if string(b[:2]) != "vk" {
			return 0, nil, fmt.Errorf("%w: value %d of key %q is none", ErrHive, i, k.name)
		}
		if vkLength+n > len(b) || !strings.EqualFold(hiveText(b[vkLength:vkLength+n], u16(b, 16)&1 != 0), name) {
			continue
		}
		data, err := k.h.data(b)
		return u32(b, 12), data, err
	}
	return 0, nil, missing
}

// data returns the bytes of a value; up to four of them stand in the place of their offset.
func (h *hive) data(vk []byte) ([]byte, error) {
	size := u32(vk, 4)
	if size&0x80000000 != 0 {
		n := size &^ 0x80000000
		if n > 4 {
			return nil, fmt.Errorf("%w: a value of %d bytes in a field of 4", ErrHive, n)
		}
		return vk[8 : 8+n], nil
	}
	if size > maxValue {
		return nil, fmt.Errorf("%w: a value of %d bytes, at most %d are read", ErrHive, size, maxValue)
	}
	if size == 0 {
		return nil, nil
	}
	return h.cell(u32(vk, 8), int(size), int(size))
}

// text returns a string; "" where it is not there, is of another type, or cannot be read.
func (k hiveKey) text(name string) string {
	kind, data, err := k.value(name)
	if err != nil || kind != regSZ && kind != regExpandSZ {
		return ""
	}
	s, _, _ := strings.Cut(hiveText(data, false), "\x00")
	return s
}

// texts returns a list of strings.
func (k hiveKey) texts(name string) []string {
	kind, data, err := k.value(name)
	if err != nil || kind != regMultiSZ && kind != regSZ {
		return nil
	}
	var list []string
	for s := range strings.SplitSeq(hiveText(data, false), "\x00") {
		if s != "" {
			list = append(list, s)
		}
	}
	return list
}

// number returns a number of 32 bits; ok is false where it is not there.
func (k hiveKey) number(name string) (n uint32, ok bool) {
	kind, data, err := k.value(name)
	if err != nil || kind != regDWORD || len(data) != 4 {
		return 0, false
	}
	return u32(data, 0), true
}
