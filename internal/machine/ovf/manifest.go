package ovf

import (
	"bufio"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"regexp"
	"strings"

	"hyper2kvm/internal/machine"
)

// Limits of a manifest.
const (
	// MaxManifestBytes bounds a manifest: ten thousand members with long names.
	MaxManifestBytes = 8 << 20
	// maxLine bounds a line of a manifest: a digest and the longest name.
	maxLine = 16 << 10
)

// Digest is one line of a manifest: what a file's digest must be.
type Digest struct {
	File string // relative name
	Sum  string // lower-case hexadecimal
	new  func() hash.Hash
	name string
}

// Algorithm returns the digest's name: SHA1, SHA256 or SHA512.
func (d Digest) Algorithm() string { return d.name }

// Manifest is the content of a .mf file, in its order.
type Manifest []Digest

// manifestLine matches "SHA256(name)= hex" with the spaces that writers put in. Names may contain parentheses.
var manifestLine = regexp.MustCompile(`^\s*([A-Za-z0-9-]+)\s*\((.*)\)\s*=\s*([0-9A-Fa-f]+)\s*$`)

// ParseManifest reads a manifest: lines of SHA1, SHA256 or SHA512 digests. Errors are ErrDescriptor, ErrUnsupported for another
// digest, ErrMember for a name that leads outside, ErrLimit, or the reader's own.
func ParseManifest(r io.Reader) (Manifest, error) {
	limited := &io.LimitedReader{R: r, N: MaxManifestBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxLine)
	var m Manifest
	seen := map[string]bool{}
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimPrefix(lines.Text(), "\ufeff")
		if strings.TrimSpace(text) == "" {
			continue
		}
		parts := manifestLine.FindStringSubmatch(text)
		if parts == nil {
			return nil, fmt.Errorf("manifest: line %d: %w: %s; needed is SHA256(name)= digest", n, machine.ErrDescriptor, machine.Quote(text))
		}
		d := Digest{Sum: strings.ToLower(parts[3])}
		switch strings.ReplaceAll(strings.ToUpper(parts[1]), "-", "") {
		case "SHA1":
			d.name, d.new = "SHA1", sha1.New
		case "SHA256":
			d.name, d.new = "SHA256", sha256.New
		case "SHA512":
			d.name, d.new = "SHA512", sha512.New
		default:
			return nil, fmt.Errorf("manifest: line %d: %w: digest %s; read are SHA1, SHA256 and SHA512", n, machine.ErrUnsupported, machine.Quote(parts[1]))
		}
		if want := 2 * d.new().Size(); len(d.Sum) != want {
			return nil, fmt.Errorf("manifest: line %d: %w: a %s digest has %d digits, found are %d", n, machine.ErrDescriptor, d.name, want, len(d.Sum))
		}
		name, err := machine.RelativeName(strings.TrimSpace(parts[2]))
		if err != nil {
			return nil, fmt.Errorf("manifest: line %d: %w", n, err)
		}
		if seen[name] {
			return nil, fmt.Errorf("manifest: line %d: %w: %s is listed twice", n, machine.ErrDescriptor, machine.Quote(name))
		}
		seen[name] = true
		d.File = name
		m = append(m, d)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("manifest: %w: %w", machine.ErrDescriptor, err)
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("manifest: %w: larger than %d bytes", machine.ErrLimit, MaxManifestBytes)
	}
	return m, nil
}

// Digest returns the line for a file.
func (m Manifest) Digest(name string) (Digest, bool) {
	for _, d := range m {
		if d.File == name {
			return d, true
		}
	}
	return Digest{}, false
}

// Verify reads all of r, the content of the file of that name, and returns ErrChecksum with both digests if it is not what
// the manifest says. A file that the manifest does not list passes unread.
func (m Manifest) Verify(name string, r io.Reader) error {
	d, ok := m.Digest(name)
	if !ok {
		return nil
	}
	return d.Verify(r)
}

// Verify reads all of r and returns ErrChecksum with both digests if it is not what the manifest says.
func (d Digest) Verify(r io.Reader) error {
	h := d.new()
	if _, err := io.Copy(h, r); err != nil {
		return fmt.Errorf("read %s: %w", machine.Quote(d.File), err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != d.Sum {
		return fmt.Errorf("%s: %w: the manifest says %s %s, the content has %s", machine.Quote(d.File), machine.ErrChecksum, d.name, d.Sum, got)
	}
	return nil
}
