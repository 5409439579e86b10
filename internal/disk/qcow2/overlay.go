package qcow2

import (
	"context"
	"fmt"
	"math/bits"

	"hyper2kvm/internal/disk"
)

// OverlayOptions say what an overlay lies on.
type OverlayOptions struct {
	Backing       string // name of the backing file as qemu takes it, a URI too: 1 to 1023 bytes
	BackingFormat string // its format, at most 15 bytes; "" is raw
	ClusterBits   int    // log2 of the cluster size, 12 to 21; 0 is that of DefaultClusterSize
}

// CreateOverlay makes t an image of version 3 in which nothing is stored: of size bytes, rounded up to a multiple of 512, above the
// backing file that o names. The backing file is neither opened nor looked at. It syncs t, which stays the caller's. Errors: ErrLimit
// for what cannot be written.
func CreateOverlay(ctx context.Context, t disk.Target, size int64, o OverlayOptions) error {
	if o.BackingFormat == "" {
		o.BackingFormat = "raw"
	}
	if o.ClusterBits == 0 {
		o.ClusterBits = bits.TrailingZeros(DefaultClusterSize)
	}
	fail := func(format string, args ...any) error {
		return &disk.Error{Format: "qcow2", Op: "create overlay", Off: -1, Kind: disk.ErrLimit, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case o.Backing == "" || len(o.Backing) > maxBackingName:
		return fail("backing file name of %d bytes; 1 to %d are needed", len(o.Backing), maxBackingName)
	case len(o.BackingFormat) > maxBackingFormat:
		return fail("backing format %s has %d bytes, at most %d", shown(o.BackingFormat), len(o.BackingFormat), maxBackingFormat)
	case o.ClusterBits < minChunkBits || o.ClusterBits > maxClusterBits:
		return fail("cluster_bits %d; it must be %d to %d", o.ClusterBits, minChunkBits, maxClusterBits)
	}
	w, err := NewWriter(t, size, Options{ClusterSize: 1 << o.ClusterBits})
	if err != nil {
		return err
	}
	w.head.backing, w.head.ext.backingFormat = o.Backing, o.BackingFormat
	return w.Finish(ctx)
}

// OpenOver opens the overlay in f above backing, and never what f names as its backing file. What the overlay holds shows, a cluster
// that was discarded as zeroes (a Zero extent), and everything else is backing's. It owns both from then on, and closes them when it
// fails. Errors: those of Open, and ErrUnsupported for an image that names no backing file and so lies over nothing.
func OpenOver(ctx context.Context, f disk.File, backing disk.Image) (*Image, error) {
	given := false
	img, err := Open(ctx, f, disk.Env{OpenImage: func(context.Context, string, string) (disk.Image, error) {
		given = true
		return backing, nil
	}})
	switch {
	case err != nil:
		backing.Close()
		return nil, err
	case !given:
		_ = img.Close() // only read
		backing.Close()
		return nil, &disk.Error{Format: "qcow2", Op: "open overlay", File: f.Name(), Off: -1, Kind: disk.ErrUnsupported,
			Detail: "it names no backing file; an overlay is needed"}
	}
	return img, nil
}
