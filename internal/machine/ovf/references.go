package ovf

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"

	"hyper2kvm/internal/machine"
)

// scheme matches the start of a URL: a relative reference has no colon in its first element (RFC 3986 4.2).
var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// references reads the References section. A name that leads outside is an error only for a disk that needs it; an ISO or a
// script behind a URL is left alone.
func (rd *reader) references(root *element) error {
	for section := range root.all("References") {
		for e := range section.all("File") {
			f := File{ID: e.attr("id"), Href: e.attr("href")}
			if _, twice := rd.files[f.ID]; twice {
				return fmt.Errorf("%w: line %d: two files have the ID %s", machine.ErrDescriptor, e.line, machine.Quote(f.ID))
			}
			name, err := fileName(f.Href)
			if err != nil {
				rd.warn("file %s is never opened: %v", machine.Quote(f.ID), err)
			}
			f.Name = name
			f.Size = rd.statedBytes(e, "size")
			f.ChunkSize = rd.statedBytes(e, "chunkSize")
			f.Compression = e.attr("compression")
			if f.Compression == "identity" {
				f.Compression = ""
			}
			rd.files[f.ID] = len(rd.p.Files)
			rd.p.Files = append(rd.p.Files, f)
		}
	}
	return nil
}

// statedBytes reads a size that is only a hint: a senseless one is passed over with a warning.
func (rd *reader) statedBytes(e *element, name string) int64 {
	s := e.attr(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		rd.warn("line %d: %s %s is not a number of bytes and is passed over", e.line, name, machine.Quote(s))
		return 0
	}
	return n
}

// fileName turns an href into the relative name that it means. The policy holds before and after percent escapes are decoded.
// What is no valid escape is taken as it stands: some products write a bare "%".
func fileName(href string) (string, error) {
	if scheme.MatchString(href) {
		return "", fmt.Errorf("%w: %s is a URL, needed is a name inside the package", machine.ErrMember, machine.Quote(href))
	}
	name, err := machine.RelativeName(href)
	if err != nil {
		return "", err
	}
	if decoded, err := url.PathUnescape(name); err == nil {
		return machine.RelativeName(decoded)
	}
	return name, nil
}
