package linux

import (
	"fmt"
	"strings"

	"hyper2kvm/internal/guest"
)

// idKind is a kind of name that a volume keeps on whatever controller its disk is.
type idKind struct {
	key string // UUID in UUID=...
	dir string // by-uuid in /dev/disk/by-uuid/...
}

// idKinds are all kinds, the one that is taken first at the front.
var idKinds = []idKind{{"UUID", "by-uuid"}, {"PARTUUID", "by-partuuid"}, {"LABEL", "by-label"}, {"PARTLABEL", "by-partlabel"}}

// of returns a volume's id of that kind, "" where it has none.
func (k idKind) of(v guest.Volume) string {
	switch k.key {
	case "UUID":
		return v.UUID
	case "PARTUUID":
		return v.PartUUID
	case "LABEL":
		return v.Label
	}
	return v.PartLabel
}

// same compares two ids: UUIDs are written in either case.
func (k idKind) same(a, b string) bool {
	if k.key == "UUID" || k.key == "PARTUUID" {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// parseID reads UUID=... and its like, and /dev/disk/by-uuid/... and its like.
func parseID(spec string) (kind idKind, value string, ok bool) {
	for _, k := range idKinds {
		if v, ok := strings.CutPrefix(spec, k.key+"="); ok {
			return k, strings.Trim(v, `"'`), true
		}
		if v, ok := strings.CutPrefix(spec, "/dev/disk/"+k.dir+"/"); ok {
			return k, udevDecode(v), true
		}
	}
	return idKind{}, "", false
}

// udevDecode takes the \x20 off with which udev writes what it does not want in a name.
func udevDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		var c byte
		if i+4 <= len(s) && s[i:i+2] == `\x` {
			if _, err := fmt.Sscanf(s[i+2:i+4], "%02x", &c); err == nil {
				b.WriteByte(c)
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// idForm is how and where an id is going to be written.
type idForm struct {
	path  bool     // as /dev/disk/by-uuid/... and not as UUID=...
	kinds []idKind // nil = all
	blank bool     // the place can hold a label with blanks: fstab
}

// write returns an id of v that no other volume has, as form wants it; ok is false where there is none.
func (d *devices) write(v guest.Volume, form idForm) (text string, ok bool) {
	kinds := form.kinds
	if kinds == nil {
		kinds = idKinds
	}
	for _, k := range kinds {
		value := k.of(v)
		if value == "" || len(d.byID(k, value)) != 1 || !plainID(value, form.blank) {
			continue
		}
		if form.path {
			return "/dev/disk/" + k.dir + "/" + value, true
		}
		if form.blank {
			value = fstabEncode(value)
		}
		return k.key + "=" + value, true
	}
	return "", false
}

// byID returns the volumes that have an id.
func (d *devices) byID(k idKind, value string) []guest.Volume {
	var have []guest.Volume
	for _, v := range d.system.Volumes {
		if id := k.of(v); id != "" && k.same(id, value) {
			have = append(have, v)
		}
	}
	return have
}

// plainID reports whether an id can be written without thinking of quotes; what comes from a disk is hostile.
func plainID(s string, blank bool) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("+-.:=@_", c) >= 0:
		case blank && c >= ' ' && c != 0x7f && c != '"' && c != '\'':
		default:
			return false
		}
	}
	return s != ""
}
