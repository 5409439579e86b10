package vhdx

import (
	"encoding/binary"
	"strings"

	"hyper2kvm/internal/disk"
)

// Parent locator (2.6.2.6): 16 bytes type, 2 reserved, 2 count, then entries of 12 bytes (key offset, value offset, key length,
// value length; offsets in the item, lengths in bytes), and the strings.
const (
	locatorHeaderBytes = 20
	locatorEntryBytes  = 12
)

// Keys of a parent locator (2.6.2.6.3).
const (
	keyLinkage  = "parent_linkage"
	keyLinkage2 = "parent_linkage2"
	keyRelative = "relative_path"
	keyVolume   = "volume_path"
	keyAbsolute = "absolute_win32_path"
)

// parseLocator reads the keys and values of a parent locator that stands at a place in the file.
func parseLocator(file string, b []byte, at int64) (map[string]string, error) {
	const op = "read parent locator"
	le := binary.LittleEndian
	if kind := GUID(b[:16]); kind != guidVHDXLocator {
		return nil, fault(disk.ErrUnsupported, op, file, at, "the parent is of the type %s, only VHDX files are known", kind)
	}
	n := int(le.Uint16(b[18:]))
	if locatorHeaderBytes+n*locatorEntryBytes > len(b) {
		return nil, fault(disk.ErrCorrupt, op, file, at, "%d entries do not fit into %d bytes", n, len(b))
	}
	values := make(map[string]string)
	for k := range n {
		place := locatorHeaderBytes + k*locatorEntryBytes
		e := b[place:]
		text := func(off uint32, length uint16) (string, bool) {
			if length == 0 || length%2 != 0 || int64(off)+int64(length) > int64(len(b)) || off < locatorHeaderBytes {
				return "", false
			}
			s := b[off : off+uint32(length)]
			t := decodeUTF16(s)
			return t, t != ""
		}
		key, ok := text(le.Uint32(e), le.Uint16(e[8:]))
		value, ok2 := text(le.Uint32(e[4:]), le.Uint16(e[10:]))
		if !ok || !ok2 {
			return nil, fault(disk.ErrCorrupt, op, file, at+int64(place), "entry %d: a key and a value inside the %d bytes of the item are needed", k, len(b))
		}
		if _, twice := values[key]; twice {
			return nil, fault(disk.ErrCorrupt, op, file, at+int64(place), "key %q is there twice", key)
		}
		values[key] = value
	}
	return values, nil
}

// parentPaths are the paths at which the parent may be, in the order of the specification.
func (m *metadata) parentPaths() []string {
	var paths []string
	for _, key := range []string{keyRelative, keyVolume, keyAbsolute} {
		if v := m.locator[key]; v != "" {
			paths = append(paths, v)
		}
	}
	return paths
}

// linkages are the DataWriteGuids that the parent may have.
func (m *metadata) linkages(file string) ([]GUID, error) {
	const op = "read parent locator"
	var out []GUID
	for _, key := range []string{keyLinkage, keyLinkage2} {
		v, there := m.locator[key]
		if !there {
			continue
		}
		g, ok := parseGUID(v)
		if !ok {
			return nil, fault(disk.ErrCorrupt, op, file, noOffset, "%s is %q, a GUID is needed", key, v)
		}
		out = append(out, g)
	}
	if len(out) == 0 {
		return nil, fault(disk.ErrCorrupt, op, file, noOffset, "there is no %s, so nothing says which disk the parent is", keyLinkage)
	}
	return out, nil
}

// baseName returns what follows the last separator of a path of Windows or Unix.
func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
