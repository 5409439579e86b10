package ova

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/machine/ovf"
)

// Manifest returns the package's checksum manifest, nil if it has none: the .mf that is named like the descriptor, else the
// only one.
func (a *Archive) Manifest() (ovf.Manifest, error) {
	var found []Member
	descriptor, known := a.descriptor()
	for _, m := range a.members {
		if !strings.EqualFold(path.Ext(m.Name), ".mf") || strings.HasPrefix(path.Base(m.Name), "._") {
			continue
		}
		if known && strings.TrimSuffix(m.Name, path.Ext(m.Name)) == strings.TrimSuffix(descriptor.Name, path.Ext(descriptor.Name)) {
			found = []Member{m}
			break
		}
		found = append(found, m)
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, fmt.Errorf("ova: %w: there are %d manifests and none is named like the descriptor", machine.ErrDescriptor, len(found))
	}
	m, err := ovf.ParseManifest(io.NewSectionReader(a.r, found[0].Off, found[0].Size))
	if err != nil {
		return nil, fmt.Errorf("ova: %s: %w", machine.Quote(found[0].Name), err)
	}
	return m, nil
}

// ChecksumBytes returns how many bytes VerifyChecksums will read.
func (a *Archive) ChecksumBytes() (int64, error) {
	manifest, err := a.Manifest()
	var sum int64
	for _, d := range manifest {
		if i, ok := a.byName[a.resolve(d.File)]; ok {
			sum += a.members[i].Size
		}
	}
	return sum, err
}

// VerifyChecksums reads every member that the manifest lists and returns ErrChecksum with both digests for the first that
// differs, ErrMissing for one that is not there. Without a manifest there is nothing to verify. The function progress, if not
// nil, hears the bytes read so far.
func (a *Archive) VerifyChecksums(ctx context.Context, progress func(n int64)) error {
	manifest, err := a.Manifest()
	if err != nil {
		return err
	}
	var done int64
	for _, d := range manifest {
		content, err := a.Member(a.resolve(d.File))
		if err != nil {
			return fmt.Errorf("the manifest lists %s: %w", machine.Quote(d.File), err)
		}
		if err := d.Verify(&countingReader{ctx: ctx, r: content, done: &done, progress: progress}); err != nil {
			return fmt.Errorf("ova: %w", err)
		}
	}
	return nil
}

// resolve returns the member that a name in the manifest means: in an archive packed with its directory the names in the
// manifest are relative to it.
func (a *Archive) resolve(name string) string {
	if _, ok := a.byName[name]; ok {
		return name
	}
	if descriptor, ok := a.descriptor(); ok {
		beside := path.Join(path.Dir(descriptor.Name), name)
		if _, ok := a.byName[beside]; ok {
			return beside
		}
	}
	return name
}

// countingReader reports what is read and ends with its context.
type countingReader struct {
	ctx      context.Context
	r        io.Reader
	done     *int64
	progress func(int64)
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	*c.done += int64(n)
	if c.progress != nil && n > 0 {
		c.progress(*c.done)
	}
	return n, err
}
