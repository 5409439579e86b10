package convert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/machine/ovf"
	"hyper2kvm/internal/manifest"
)

// checksum is a digest that somebody stated for a file, to be verified by LOAD.
type checksum struct {
	name   string
	bytes  int64 // how much must be read
	verify func(ctx context.Context, progress func(done, total int64)) error
}

// newSHA256 is the digest that a manifest states for a source.
func newSHA256(f disk.File, d manifest.SourceDisk) checksum {
	return checksum{name: d.Path, bytes: f.Size(), verify: func(ctx context.Context, progress func(done, total int64)) error {
		h := sha256.New()
		if _, err := io.Copy(h, newMeteredReader(ctx, f, progress)); err != nil {
			return fmt.Errorf("read %s: %w", machine.Quote(d.Path), err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, d.SHA256) {
			return coded(manifest.CodeSourceChecksum, "",
				fmt.Errorf("source %s: the manifest says sha256 %s, the content has %s", machine.Quote(d.Path), d.SHA256, got))
		}
		return nil
	}}
}

// newManifestDigest is one line of the .mf beside an OVF descriptor.
func newManifestDigest(f disk.File, d ovf.Digest) checksum {
	return checksum{name: d.File, bytes: f.Size(), verify: func(ctx context.Context, progress func(done, total int64)) error {
		return d.Verify(newMeteredReader(ctx, f, progress))
	}}
}

// meteredReader reads a file from its start, tells how far it is and stops when the context ends.
type meteredReader struct {
	ctx      context.Context
	r        *io.SectionReader
	done     int64
	progress func(done, total int64)
}

func newMeteredReader(ctx context.Context, f disk.File, progress func(done, total int64)) io.Reader {
	return &meteredReader{ctx: ctx, r: io.NewSectionReader(f, 0, f.Size()), progress: progress}
}

// Read implements io.Reader.
func (m *meteredReader) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	m.done += int64(n)
	m.progress(m.done, m.r.Size())
	return n, err
}
