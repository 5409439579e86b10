package formats

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"hyper2kvm/internal/disk"
)

// Probe returns the name of the format of f, judged by its content alone. A format that is known but not read is returned
// together with ErrUnsupported. What nothing else claims is raw. A file that is an image by its start and a fixed VHD by its
// end gives ErrFormat: one of the two was written by a guest, and only a person can say which.
func Probe(f disk.File) (string, error) {
	got, err := probe(f)
	return got.Name, err
}

func probe(f disk.File) (format, error) {
	s, err := newSample(f)
	if err != nil {
		return format{}, err
	}
	for _, c := range list() {
		if !c.match(s) {
			continue
		}
		switch {
		case c.Name != "vhd" && s.fixedVHD():
			return c, &disk.Error{Op: "probe", File: f.Name(), Off: -1, Kind: disk.ErrFormat,
				Detail: fmt.Sprintf("it begins as %s and ends as a fixed VHD; name the format that it is", c.Title)}
		case c.open == nil:
			return c, c.notRead(f)
		}
		return c, nil
	}
	return rawFormat, nil
}

// notRead is the error for a file of a format that is known by name only.
func (c format) notRead(f disk.File) error {
	return &disk.Error{Format: c.Name, Op: "open", File: f.Name(), Off: -1, Kind: disk.ErrUnsupported,
		Detail: fmt.Sprintf("it is a %s, %s", c.Title, c.advice)}
}

// byName finds a format of the list, by its own name or by the one that qemu and image headers use.
func byName(name string) (format, bool) {
	switch name {
	case "vpc":
		name = "vhd"
	case "host_device", "file":
		name = "raw"
	}
	if name == rawFormat.Name {
		return rawFormat, true
	}
	for _, c := range list() {
		if c.Name == name {
			return c, true
		}
	}
	return format{}, false
}

// titleOfName returns the title of the format, other than raw, that the extension of a name belongs to; "" if there is none. The flat extents
// of a VMDK have its extension and are raw.
func titleOfName(name string) string {
	if flatExtent.MatchString(name) {
		return ""
	}
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	for _, c := range list() {
		if slices.Contains(c.Extensions, ext) {
			return c.Title
		}
	}
	switch ext {
	case "ovf", "vmx":
		return "description of a VM"
	}
	return ""
}

// flatExtent matches how VMware and qemu name flat extents: web-flat.vmdk, web-f001.vmdk.
var flatExtent = regexp.MustCompile(`(?i)-(flat|f[0-9]{3,})\.vmdk$`)
