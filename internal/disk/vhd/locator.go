package vhd

import (
	"encoding/binary"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"

	"hyper2kvm/internal/disk"
)

// statedNames returns the names of the parent, as the image says them, the most useful first: relative ones before
// absolute ones, Unicode before the code page of the writer.
func (img *Image) statedNames() []string {
	byPlatform := make(map[string]string)
	for _, l := range img.head.locators {
		if b := img.readLocator(l); len(b) > 0 {
			byPlatform[l.platform] = decodeLocator(l.platform, b)
		}
	}
	names := []string{byPlatform["W2ru"], decodeUTF16(img.head.parentName, binary.BigEndian), byPlatform["W2ku"],
		byPlatform["MacX"], byPlatform["Wi2r"], byPlatform["Wi2k"]}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// readLocator returns the bytes of a locator; none if it is unused, too long or outside the file. The other locators and the name
// in the header are there for that.
func (img *Image) readLocator(l locator) []byte {
	if l.length == 0 || l.length > maxLocator || l.offset > uint64(img.file.Size()) {
		return nil
	}
	b := make([]byte, l.length)
	if readFull(img.file, "read parent locator", b, int64(l.offset)) != nil {
		return nil
	}
	return b
}

// decodeLocator returns the name in a locator of a platform (specification, "Parent Locator Entry").
func decodeLocator(platform string, b []byte) string {
	switch platform {
	case "W2ru", "W2ku":
		return decodeUTF16(b, binary.LittleEndian)
	case "MacX":
		s := strings.TrimRight(string(b), "\x00")
		if u, err := url.Parse(s); err == nil && u.Path != "" {
			return u.Path
		}
		return s
	}
	return strings.TrimRight(string(b), "\x00")
}

// decodeUTF16 returns the text up to the first NUL.
func decodeUTF16(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u := order.Uint16(b)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// plainNames returns what follows the last separator of each path, each name once. A child and its parent lie side by side in a
// job, wherever they lay where they were made.
func plainNames(paths []string) []string {
	var names []string
	for _, path := range paths {
		name := path[strings.LastIndexAny(path, `/\`)+1:]
		if name != "" && name != "." && name != ".." && len(name) <= disk.MaxNameLen && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
