package windows

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// testKey is a key as a test writes it down.
type testKey struct {
	name   string
	values []testValue
	keys   []*testKey
}

type testValue struct {
	name string
	kind uint32
	data []byte
}

func utf16Bytes(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func sz(name, value string) testValue {
	return testValue{name, regSZ, utf16Bytes(value + "\x00")}
}

func dword(name string, n uint32) testValue {
	return testValue{name, regDWORD, binary.LittleEndian.AppendUint32(nil, n)}
}

func multi(name string, values ...string) testValue {
	return testValue{name, regMultiSZ, utf16Bytes(strings.Join(values, "\x00") + "\x00\x00")}
}

// at returns the key of that path, made where it is not there.
func (k *testKey) at(path ...string) *testKey {
	for _, name := range path {
		i := slices.IndexFunc(k.keys, func(s *testKey) bool { return strings.EqualFold(s.name, name) })
		if i < 0 {
			i = len(k.keys)
			k.keys = append(k.keys, &testKey{name: name})
		}
		k = k.keys[i]
	}
	return k
}

func (k *testKey) set(values ...testValue) *testKey {
	k.values = append(k.values, values...)
	return k
}

// hiveWriter lays cells one behind the other into one bin.
type hiveWriter struct {
	cells []byte // from the end of the base block
	list  string // kind of the lists of keys: lf, lh, li, ri
}

// buildHive writes a hive as Windows does, as far as the reader looks.
func buildHive(root *testKey, list string) []byte {
	w := &hiveWriter{cells: make([]byte, 32), list: list}
	at := w.key(root, noCell, true)
	if rest := -len(w.cells) & 4095; rest > 0 {
		free := make([]byte, rest)
		binary.LittleEndian.PutUint32(free, uint32(rest)) // positive: free
		w.cells = append(w.cells, free...)
	}
	copy(w.cells, "hbin")
	binary.LittleEndian.PutUint32(w.cells[8:], uint32(len(w.cells)))
	b := make([]byte, baseBlock)
	copy(b, "regf")
	for at, v := range map[int]uint32{4: 1, 8: 1, 20: 1, 24: 5, 28: 0, 32: 1, 36: at, 40: uint32(len(w.cells)), 44: 1} {
		binary.LittleEndian.PutUint32(b[at:], v)
	}
	seal(b)
	return append(b, w.cells...)
}

// seal sets the header's checksum.
func seal(b []byte) {
	var sum uint32
	for i := 0; i < 508; i += 4 {
		sum ^= binary.LittleEndian.Uint32(b[i:])
	}
	binary.LittleEndian.PutUint32(b[508:], sum)
}

// cell appends a cell and returns its offset.
func (w *hiveWriter) cell(data []byte) uint32 {
	at := len(w.cells)
	size := (len(data) + 4 + 7) &^ 7
	c := make([]byte, size)
	binary.LittleEndian.PutUint32(c, uint32(-int32(size)))
	copy(c[4:], data)
	w.cells = append(w.cells, c...)
	return uint32(at)
}

// nameBytes is a name as it is stored, and whether with a byte for each character.
func nameBytes(name string) ([]byte, bool) {
	var b []byte
	for _, r := range name {
		if r > 0xff {
			return utf16Bytes(name), false
		}
		b = append(b, byte(r))
	}
	return b, true
}

func (w *hiveWriter) key(k *testKey, parent uint32, root bool) uint32 {
	name, single := nameBytes(k.name)
	b := make([]byte, nkLength, nkLength+len(name))
	copy(b, "nk")
	flags := uint16(0)
	if single {
		flags |= 0x20
	}
	if root {
		flags |= 0x0c
	}
	binary.LittleEndian.PutUint16(b[2:], flags)
	binary.LittleEndian.PutUint16(b[72:], uint16(len(name)))
	at := w.cell(append(b, name...))
	put := func(field int, v uint32) { binary.LittleEndian.PutUint32(w.cells[int(at)+4+field:], v) }
	put(16, parent)
	put(20, uint32(len(k.keys)))
	put(28, noCell)
	put(32, noCell)
	put(36, uint32(len(k.values)))
	put(40, noCell)
	put(44, noCell)
	put(48, noCell)
	if len(k.keys) > 0 {
		put(28, w.keys(k.keys, at))
	}
	if len(k.values) > 0 {
		var list []byte
		for _, v := range k.values {
			list = binary.LittleEndian.AppendUint32(list, w.value(v))
		}
		put(40, w.cell(list))
	}
	return at
}

func (w *hiveWriter) keys(keys []*testKey, parent uint32) uint32 {
	sorted := slices.SortedFunc(slices.Values(keys), func(a, b *testKey) int { return cmp.Compare(strings.ToUpper(a.name), strings.ToUpper(b.name)) })
	kind := w.list
	if kind == "ri" {
		kind = "lh"
	}
	leaf := func(keys []*testKey) uint32 {
		b := binary.LittleEndian.AppendUint16([]byte(kind), uint16(len(keys)))
		for _, k := range keys {
			b = binary.LittleEndian.AppendUint32(b, w.key(k, parent, false))
			switch kind {
			case "lh":
				b = binary.LittleEndian.AppendUint32(b, nameHash(k.name))
			case "lf":
				name, _ := nameBytes(k.name)
				b = append(b, append(slices.Clone(name), 0, 0, 0, 0)[:4]...)
			}
		}
		return w.cell(b)
	}
	if w.list != "ri" || len(sorted) < 2 {
		return leaf(sorted)
	}
	half := len(sorted) / 2
	b := binary.LittleEndian.AppendUint16([]byte("ri"), 2)
	b = binary.LittleEndian.AppendUint32(b, leaf(sorted[:half]))
	b = binary.LittleEndian.AppendUint32(b, leaf(sorted[half:]))
	return w.cell(b)
}

func (w *hiveWriter) value(v testValue) uint32 {
	name, single := nameBytes(v.name)
	b := make([]byte, vkLength, vkLength+len(name))
	copy(b, "vk")
	binary.LittleEndian.PutUint16(b[2:], uint16(len(name)))
	binary.LittleEndian.PutUint32(b[12:], v.kind)
	if single {
		binary.LittleEndian.PutUint16(b[16:], 1)
	}
	if len(v.data) <= 4 {
		binary.LittleEndian.PutUint32(b[4:], uint32(len(v.data))|0x80000000)
		copy(b[8:12], v.data)
	} else {
		binary.LittleEndian.PutUint32(b[4:], uint32(len(v.data)))
		binary.LittleEndian.PutUint32(b[8:], w.cell(v.data))
	}
	return w.cell(append(b, name...))
}
